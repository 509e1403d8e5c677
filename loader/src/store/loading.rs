//! Loading from a store: find the name, open the image, map it. Nothing here takes longer for a
//! longer image or a fuller store, except under a policy that requires an audit of the code: then
//! the first load reads all code through a mapping.

use std::ops::Range;
use std::sync::Arc;

use edgec_verifier::{Kind, LoadMode, Measured as Known, TrustPolicy};
use rustix::fs::{FlockOperation, flock};

use super::release::{Application, Entry, Release};
use super::verdicts::Subject;
use super::{Store, StoreError};
use crate::load::now;
use crate::loaded::{Facts, component_imports, demand, module_imports};
use crate::stable::StableFile;
use crate::{HostEngine, LoadError, LoadReport, Loaded, LoadedComponent, LoadedModule, Verdict};

/// How often a load looks again when what the name pointed at is gone.
const TRIES: usize = 8;

impl Store {
    /// Loads the component of that name, in its current version or the requested one. Among the
    /// artifacts that fit the engine's profile and this machine, it takes the one that uses most
    /// features of the CPU.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the first problem. No code runs.
    pub fn load(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError> {
        let loaded = self.load_chosen(engine, &application.into(), policy);
        loaded.map(|(_, component)| component)
    }

    /// Loads the core module of that name.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_module(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError> {
        let application = application.into();
        let (_, admitted) = self.admitted(engine, &application, policy, Kind::Module)?;
        let module = admitted.file.module(engine, &admitted.facts);
        let module = module.map_err(LoadError::Engine)?;
        admitted.facts.declare_once(|| module_imports(&module))?;
        Ok(admitted.loaded(module))
    }

    /// Loads the first of [`Self::candidates`] that this host can run; says which that was.
    pub(super) fn load_chosen(
        &self,
        engine: &HostEngine,
        application: &Application,
        policy: &TrustPolicy,
    ) -> Result<(Entry, LoadedComponent), LoadError> {
        let (entry, admitted) = self.admitted(engine, application, policy, Kind::Component)?;
        let component = admitted.file.component(engine, &admitted.facts);
        let component = component.map_err(LoadError::Engine)?;
        let imports = || component_imports(engine, &component);
        admitted.facts.declare_once(imports)?;
        Ok((entry, admitted.loaded(component)))
    }

    /// The artifacts of the engine's profile that this CPU can run, the one that uses most of it
    /// first, and the very version of the application that they are of. Never none.
    pub(super) fn candidates(
        &self,
        engine: &HostEngine,
        application: &Application,
    ) -> Result<(Vec<Entry>, Application), StoreError> {
        let release = self.release(application)?;
        let Release {
            artifacts, version, ..
        } = &*release;
        let profile = engine.profile().name();
        let fits = |entry: &&Entry| entry.profile == profile;
        let ranked = artifacts.iter().filter(fits).filter_map(|entry| {
            let rank = engine.host().rank(&entry.target)?;
            Some((rank, entry))
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        if ranked.is_empty() {
            return Err(StoreError::NoFit {
                what: application.to_string(),
                targets: artifacts.iter().map(Entry::fits).collect(),
            });
        }
        let entries = ranked.into_iter().map(|(_, entry)| entry.clone());
        Ok((entries.collect(), application.clone().version(*version)))
    }

    /// Judges again what was loaded before, and says how long the verdict holds. Loads nothing.
    pub(super) fn judge_again(
        &self,
        engine: &HostEngine,
        application: &Application,
        entry: Entry,
        policy: &TrustPolicy,
    ) -> Result<Range<u64>, LoadError> {
        let opened = self.open_entry(engine, application, entry, policy, Kind::Component);
        opened.map(|opened| opened.facts.holds.clone())
    }

    /// What the name points at, open and known to be what the policy accepts.
    fn admitted(
        &self,
        engine: &HostEngine,
        application: &Application,
        policy: &TrustPolicy,
        wanted: Kind,
    ) -> Result<(Entry, AdmittedFile), LoadError> {
        let mut tries = 0;
        loop {
            let (entries, named) = self.candidates(engine, application)?;
            match self.first_that_fits(engine, &named, entries, policy, wanted) {
                // The name was given another artifact since, and a collection took this one. What
                // is still not there after that is lost.
                Err(LoadError::Store(error)) if error.is_absence() => {
                    tries += 1;
                    if tries == TRIES {
                        return Err(error.lost().into());
                    }
                }
                opened => return opened,
            }
        }
    }

    /// An artifact of the right CPU may still be of another engine, or too large for the pool: its
    /// manifest says so. Then the next best one is taken.
    fn first_that_fits(
        &self,
        engine: &HostEngine,
        application: &Application,
        entries: Vec<Entry>,
        policy: &TrustPolicy,
        wanted: Kind,
    ) -> Result<(Entry, AdmittedFile), LoadError> {
        let mut unfit = None;
        for entry in entries {
            match self.open_entry(engine, application, entry.clone(), policy, wanted) {
                Err(error @ LoadError::Unfit(_)) => {
                    // Why the best one does not fit is what is told.
                    unfit.get_or_insert(error);
                }
                opened => return Ok((entry, opened?)),
            }
        }
        Err(unfit.unwrap_or_else(|| application.unknown().into()))
    }

    /// The image, open and known to be what the policy accepts.
    fn open_entry(
        &self,
        engine: &HostEngine,
        application: &Application,
        entry: Entry,
        policy: &TrustPolicy,
        wanted: Kind,
    ) -> Result<AdmittedFile, LoadError> {
        let name = entry.image_name();
        let (file, len) = self.0.artifacts.file(&name)?;
        self.guard(application, &entry)?;
        let mode = self.mode_of(&file, &entry)?;
        demand(policy, mode)?;
        // No collection takes it while it is in use. Where a lock cannot be had, it is one that
        // looks whether the file can go, and the file stays for processes that have it open.
        let _ = flock(&file, FlockOperation::NonBlockingLockShared);
        // SAFETY: the file is one that only the store's owner can change, by its folder and its
        // mode, and that user could as well replace this program; finished files are not
        // written by admissions or collections. With fs-verity, the kernel sees to it.
        let file = unsafe { StableFile::new(file, len) }?;

        let image = entry.image;
        let subject = Subject {
            entry,
            application: application.clone(),
            policy: policy.digest(),
            mode,
        };
        let now = now()?;
        let (facts, verdict) = match self.0.verdicts.get(&subject, now) {
            Some(facts) if facts.manifest.image.length == len => (facts, Verdict::Cached),
            _ => {
                let known = match mode {
                    LoadMode::FsVerity => Known::Kernel(image),
                    _ => Known::Admitted(image),
                };
                let view = file.view()?;
                let facts = self.judge(&view, known, &subject.entry, application, policy, now)?;
                drop(view);
                let facts = Arc::new(facts);
                self.0.verdicts.put(subject, Arc::clone(&facts));
                (facts, Verdict::Fresh)
            }
        };
        facts.fit(engine, wanted)?;
        let report = LoadReport {
            mode,
            verdict,
            image,
        };
        Ok(AdmittedFile {
            file,
            facts,
            report,
        })
    }
}

/// An image that may be handed to an engine.
struct AdmittedFile {
    file: StableFile,
    facts: Arc<Facts>,
    report: LoadReport,
}

impl AdmittedFile {
    fn loaded<P>(self, program: P) -> Loaded<P> {
        Loaded::stored(program, self.facts, self.report, self.file.into_file())
    }
}
