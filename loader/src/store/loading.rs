//! Loading from a store: find the name, open the image, map it.

use std::ops::Range;

use edgec_store::{Application, Entry, OpenedImage, Store, StoreError};
use edgec_verifier::{Kind, TrustPolicy, UnixTime};

use crate::loaded::{component_imports, declared, fit, module_imports};
use crate::{HostEngine, LoadError, LoadReport, Loaded, LoadedComponent, LoadedModule, mapped};

/// How often a load looks again when what the name pointed at is gone.
const TRIES: usize = 8;

/// Loads from a [`Store`].
pub trait LoadFromStore {
    /// Loads the component of that name, in its current version or the requested one. Among the
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

    /// Loads the core module of that name.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    fn load_module(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError>;
}

impl LoadFromStore for Store {
    fn load(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError> {
        let loaded = load_chosen(self, engine, &application.into(), policy);
        loaded.map(|(_, component)| component)
    }

    fn load_module(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError> {
        let application = application.into();
        let (_, opened) = opened(self, engine, &application, policy, Kind::Module)?;
        let module = mapped::module(&opened.file, engine, &opened.facts);
        let module = module.map_err(LoadError::Engine)?;
        declared(&opened.facts, || module_imports(&module))?;
        Ok(loaded(opened, module))
    }
}

/// Loads the first of a store's candidates that this host can run; says which that was.
pub(super) fn load_chosen(
    store: &Store,
    engine: &HostEngine,
    application: &Application,
    policy: &TrustPolicy,
) -> Result<(Entry, LoadedComponent), LoadError> {
    let (entry, opened) = opened(store, engine, application, policy, Kind::Component)?;
    let component = mapped::component(&opened.file, engine, &opened.facts);
    let component = component.map_err(LoadError::Engine)?;
    declared(&opened.facts, || component_imports(engine, &component))?;
    Ok((entry, loaded(opened, component)))
}

/// The artifacts of the engine's profile that this CPU can run, the one that uses most of it first,
/// and the very version of the application that they are of. Never none.
pub(super) fn candidates(
    store: &Store,
    engine: &HostEngine,
    application: &Application,
) -> Result<(Vec<Entry>, Application), StoreError> {
    let found = store.candidates(engine.profile(), engine.host(), application)?;
    Ok((found.entries, found.application))
}

/// Judges again what was loaded before, and says how long the verdict holds. Loads nothing.
pub(super) fn judge_again(
    store: &Store,
    engine: &HostEngine,
    application: &Application,
    entry: Entry,
    policy: &TrustPolicy,
) -> Result<Range<UnixTime>, LoadError> {
    let opened = open_entry(store, engine, application, entry, policy, Kind::Component);
    opened.map(|opened| opened.facts.holds())
}

/// What the name points at, open and known to be what the policy accepts.
fn opened(
    store: &Store,
    engine: &HostEngine,
    application: &Application,
    policy: &TrustPolicy,
    wanted: Kind,
) -> Result<(Entry, OpenedImage), LoadError> {
    let mut tries = 0;
    loop {
        let (entries, named) = candidates(store, engine, application)?;
        match first_that_fits(store, engine, &named, entries, policy, wanted) {
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
    store: &Store,
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
                // Why the best one does not fit is what is told.
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

/// The image, open, known to be what the policy accepts, and of a kind that this engine can load.
fn open_entry(
    store: &Store,
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

fn loaded<P>(opened: OpenedImage, program: P) -> Loaded<P> {
    let report = LoadReport {
        mode: opened.mode,
        verdict: opened.verdict,
        image: opened.image,
    };
    Loaded::stored(program, opened.facts, report, opened.file.into_file())
}
