//! The steps of a load in a store: it finds the artifacts that fit a host, and opens an image that
//! the policy accepts. The time does not depend on the length of the image or the number of
//! artifacts, with one exception: if a policy requires an audit of the code, the first load reads
//! all code through a mapping.

use std::io;
use std::sync::Arc;

use edgec_files::{Hold, try_lock};
use edgec_verifier::{
    EngineProfile, Facts, HostProfile, LoadMode, Measured as Known, TrustPolicy, Verdict,
    VerityDigest,
};

use super::application::Application;
use super::stable::StableFile;
use super::verdicts::Subject;
use super::version::{Entry, StoredVersion};
use super::{AdmissionError, ArtifactStore, StoreError};

/// The artifacts of a version that a host may be able to load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidates {
    /// The artifacts. The first uses most of the host's CPU. There is at least one.
    pub entries: Vec<Entry>,
    /// The application, with the exact version of the artifacts.
    pub application: Application,
}

/// An image that a policy accepts, open and locked: no collection removes it while the file is
/// open.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedImage {
    /// The image's bytes, which do not change.
    pub file: StableFile,
    /// The results of its verification.
    pub facts: Arc<Facts>,
    /// How its bytes are protected from changes.
    pub mode: LoadMode,
    /// Whether it was judged now, or for an earlier load.
    pub verdict: Verdict,
    /// The image's fs-verity digest.
    pub image: VerityDigest,
}

impl ArtifactStore {
    /// The artifacts of an engine profile that a host's CPU can run.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`], [`StoreError::NoFit`], or the problem with the version.
    pub fn candidates(
        &self,
        profile: EngineProfile,
        host: &HostProfile,
        application: &Application,
    ) -> Result<Candidates, StoreError> {
        let stored = self.stored_version(application)?;
        let StoredVersion {
            artifacts, version, ..
        } = &*stored;
        let ranked = host.ranked(profile, artifacts, |it| (&*it.target, &*it.profile));
        if ranked.is_empty() {
            return Err(StoreError::NoFit {
                what: application.to_string(),
                targets: artifacts.iter().map(Entry::fits).collect(),
            });
        }
        Ok(Candidates {
            entries: ranked.into_iter().cloned().collect(),
            application: application.clone().version(*version),
        })
    }

    /// Opens the image of an artifact of this application and version, and judges it under a
    /// policy. It does not check whether an engine can run the image.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`].
    pub fn open_entry(
        &self,
        application: &Application,
        entry: Entry,
        policy: &TrustPolicy,
    ) -> Result<OpenedImage, AdmissionError> {
        let name = entry.image_name();
        let unmapped = |error: io::Error| StoreError::io(self.0.artifacts.name(&name), error);
        let (file, len) = self.0.artifacts.file(&name)?;
        self.guard(application, &entry)?;
        let mode = self.mode_of(&file, &entry)?;
        policy.check_load_mode(mode)?;
        // No collection removes an image in use. If the lock is not granted, a collection holds it
        // to check whether the file can be removed. The file stays for processes that have it open.
        let _ = try_lock(&file, Hold::Shared);
        // SAFETY: the folder and the mode of the file let only the store's owner change it, and
        // that user could replace this program as well. Admissions and collections never write to
        // finished files. With fs-verity, the kernel prevents changes.
        let file = unsafe { StableFile::new(file, len) }.map_err(unmapped)?;

        let image = entry.image;
        let subject = Subject {
            entry,
            application: application.clone(),
            policy: policy.digest(),
            mode,
        };
        let now = self.now()?;
        // A newer release may forbid what an older one allowed.
        let statements = self.statements_identity(application);
        let (facts, verdict) = match self.0.verdicts.get(&subject, statements, now) {
            Some(facts) if facts.manifest().image.length == len => (facts, Verdict::Cached),
            _ => {
                let known = match mode {
                    LoadMode::FsVerity => Known::Kernel(image),
                    _ => Known::Admitted(image),
                };
                let view = file.view().map_err(unmapped)?;
                let now = self.time_under(policy)?;
                let facts = self.judge(&view, known, &subject.entry, application, policy, now)?;
                let facts = facts.not_before(self.clock_floor()?.time.min(now));
                drop(view);
                let facts = Arc::new(facts);
                self.0.verdicts.put(subject, statements, Arc::clone(&facts));
                (facts, Verdict::Fresh)
            }
        };
        Ok(OpenedImage {
            file,
            facts,
            mode,
            verdict,
            image,
        })
    }
}
