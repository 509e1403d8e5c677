//! Loads from a store: finds the name, opens the image, maps it.

use std::ops::Range;
use std::time::{Duration, Instant};

use edgec_store::{Application, ArtifactStore, Entry, OpenedImage, StoreError};
use edgec_verifier::{Kind, TrustPolicy, UnixTime};

use crate::loaded::{component_imports, declared, fit, module_imports};
use crate::{
    HostEngine, LoadError, LoadReport, LoadTimes, Loaded, LoadedComponent, LoadedModule, mapped,
};

/// How often a load tries again if the files under the name have disappeared.
const TRIES: usize = 8;

/// Loads from an [`ArtifactStore`].
pub trait LoadFromStore {
    /// Loads the component with this name, in its current version or the requested one. Among the
    /// artifacts that fit the engine's profile and this machine, it takes the one that uses most
    /// features of the CPU.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the first problem. No code runs.
    fn load(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError>;

    /// Loads the core module with this name.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::load`].
    fn load_module(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError>;
}

impl LoadFromStore for ArtifactStore {
    fn load(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError> {
        let image = observed(self, engine, &application.into(), policy, Kind::Component)?;
        image.component(engine)
    }

    fn load_module(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError> {
        let image = observed(self, engine, &application.into(), policy, Kind::Module)?;
        image.module(engine)
    }
}

/// Like [`opened`], and reports an error to the engine's observer.
fn observed(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    policy: &TrustPolicy,
    wanted: Kind,
) -> Result<StoredImage, LoadError> {
    let opened = opened(store, engine, application, policy, wanted);
    let opened = engine
        .observed()
        .refusal(|| application.to_string(), opened);
    opened.map(|(_, image)| image)
}

/// An open image of a store. The policy accepts it, and the engine can load its kind.
pub(super) struct StoredImage {
    image: OpenedImage,
    times: LoadTimes,
}

impl StoredImage {
    /// Loads the component in the image.
    pub(super) fn component(self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        let OpenedImage { file, facts, .. } = &self.image;
        let begin = Instant::now();
        let component = mapped::component(file, engine, facts).map_err(LoadError::Engine);
        let component = component.and_then(|component| {
            declared(facts, || component_imports(engine, &component))?;
            Ok(component)
        });
        let name = || facts.manifest().name.clone();
        let component = engine.observed().refusal(name, component)?;
        Ok(self.loaded(component, begin, engine))
    }

    /// Loads the core module in the image.
    pub(super) fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        let OpenedImage { file, facts, .. } = &self.image;
        let begin = Instant::now();
        let module = mapped::module(file, engine, facts).map_err(LoadError::Engine);
        let module = module.and_then(|module| {
            declared(facts, || module_imports(&module))?;
            Ok(module)
        });
        let name = || facts.manifest().name.clone();
        let module = engine.observed().refusal(name, module)?;
        Ok(self.loaded(module, begin, engine))
    }

    /// Puts together a program of the engine and its report. The engine began at `begin`.
    fn loaded<P>(self, program: P, begin: Instant, engine: &HostEngine) -> Loaded<P> {
        let Self { image, mut times } = self;
        times.engine = begin.elapsed();
        let report = LoadReport {
            mode: image.mode,
            verdict: image.verdict,
            image: image.image,
            times,
        };
        let file = Some(image.file.into_file());
        Loaded::new(program, image.facts, report, file, engine)
    }
}

/// The artifacts of the engine's profile that this CPU can run, and the exact version of the
/// application. The first artifact uses most of the CPU. There is at least one.
pub(super) fn candidates(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
) -> Result<(Vec<Entry>, Application), StoreError> {
    let found = store.candidates(engine.profile(), engine.host(), application)?;
    Ok((found.entries, found.application))
}

/// Judges a loaded version again. Returns how long the verdict holds. Loads nothing.
pub(super) fn judge_again(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    entry: Entry,
    policy: &TrustPolicy,
    kind: Kind,
) -> Result<Range<UnixTime>, LoadError> {
    let opened = open_entry(store, engine, application, entry, policy, kind);
    opened.map(|opened| opened.facts.holds())
}

/// The image under the name, open and accepted by the policy.
pub(super) fn opened(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    policy: &TrustPolicy,
    wanted: Kind,
) -> Result<(Entry, StoredImage), LoadError> {
    let begin = Instant::now();
    let mut tries = 0;
    loop {
        let (entries, named) = candidates(store, engine, application)?;
        let read = begin.elapsed();
        match first_that_fits(store, engine, &named, entries, policy, wanted) {
            // The name got another artifact since, and a collection removed this one. If it is
            // still missing after the last try, it is lost.
            Err(LoadError::Store(error)) if error.is_absence() => {
                tries += 1;
                if tries == TRIES {
                    return Err(error.lost().into());
                }
            }
            opened => {
                let (entry, image) = opened?;
                let times = times(read, begin.elapsed());
                return Ok((entry, StoredImage { image, times }));
            }
        }
    }
}

/// The times of a load whose image was verified at `verified` after its beginning.
fn times(read: Duration, verified: Duration) -> LoadTimes {
    LoadTimes {
        read,
        verify: verified.saturating_sub(read),
        ..LoadTimes::default()
    }
}

/// An artifact for the right CPU can be for another engine, or too large for the pool, as its
/// manifest states. Then the next best artifact is taken.
fn first_that_fits(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    entries: Vec<Entry>,
    policy: &TrustPolicy,
    wanted: Kind,
) -> Result<(Entry, OpenedImage), LoadError> {
    let mut unfit = None;
    for entry in entries {
        match open_entry(store, engine, application, entry.clone(), policy, wanted) {
            Err(error @ LoadError::Unfit(_)) => {
                // The error is about the best artifact.
                unfit.get_or_insert(error);
            }
            opened => return Ok((entry, opened?)),
        }
    }
    let unknown = || {
        let what = application.to_string();
        LoadError::Store(StoreError::Unknown { what })
    };
    Err(unfit.unwrap_or_else(unknown))
}

/// The open image. The policy accepts it, and this engine can load its kind.
fn open_entry(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    entry: Entry,
    policy: &TrustPolicy,
    wanted: Kind,
) -> Result<OpenedImage, LoadError> {
    let opened = store.open_entry(application, entry, policy)?;
    fit(&opened.facts, engine, wanted)?;
    Ok(opened)
}
