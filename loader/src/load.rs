//! From a file to a component that can be instantiated.
//!
//! The file is opened once and read once, into memory that no other process can change. That memory
//! is verified, and loaded. A path is never opened a second time. The bytes of a file from another
//! source are treated in the same way. A host that loads often should admit artifacts to a store
//! instead ([`crate::store`]).

#[cfg(target_os = "linux")]
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edgec_verifier::{
    ArtifactFileError, Clock as _, Expected, Facts, MAX_ARTIFACT_LEN, Manifest, ProgramKind,
    SystemClock, TrustPolicy, UnixTime, Verdict, open_artifact, verify_fast,
};
use wasmtime::Module;
use wasmtime::component::Component;

use crate::loaded::{component_imports, declared, fit, module_imports};
use crate::{HostEngine, LoadError, LoadReport, LoadTimes, Loaded, LoadedComponent, LoadedModule};

#[cfg(target_os = "linux")]
use {
    crate::mapped,
    crate::sealed::{MODE, read},
    edgec_store::StableFile as StableBytes,
};

#[cfg(not(target_os = "linux"))]
use crate::private::{self as mapped, MODE, PrivateBytes as StableBytes, read};

/// Verifies an artifact that holds a component, and loads it.
///
/// `expected` names the application that the caller expects. Another one is refused, even if its
/// signatures are valid.
///
/// # Errors
///
/// [`LoadError`] names the first problem. For all errors except [`LoadError::Engine`] and
/// [`LoadError::Undeclared`], the engine has not seen any byte. No code runs.
pub fn load(
    engine: &HostEngine,
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedComponent, LoadError> {
    opened(engine, path.as_ref(), policy, expected)?.component(engine)
}

/// Verifies an artifact that holds a core module, and loads it.
///
/// # Errors
///
/// The errors of [`load`].
pub fn load_module(
    engine: &HostEngine,
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedModule, LoadError> {
    opened(engine, path.as_ref(), policy, expected)?.module(engine)
}

/// The file, verified at the engine's time. Reports an error to the engine's observer.
fn opened(
    engine: &HostEngine,
    path: &Path,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<VerifiedFile, LoadError> {
    let now = engine.now().map_err(LoadError::from);
    let file = now.and_then(|now| VerifiedFile::open_at(path, policy, expected, now));
    engine.observed().refusal(|| wanted(expected), file)
}

/// A verified file that no engine has seen yet. Its manifest states which engine it fits.
#[derive(Debug)]
pub struct VerifiedFile {
    bytes: StableBytes,
    facts: Arc<Facts>,
    report: LoadReport,
}

impl VerifiedFile {
    /// Reads a file into memory that no process can change, and verifies that memory, at the time
    /// of the system's clock.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn open(
        path: impl AsRef<Path>,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Self, LoadError> {
        Self::open_at(path, policy, expected, SystemClock.now()?)
    }

    /// Like [`Self::open`], at the time `now`.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn open_at(
        path: impl AsRef<Path>,
        policy: &TrustPolicy,
        expected: &Expected,
        now: UnixTime,
    ) -> Result<Self, LoadError> {
        policy.check_load_mode(MODE)?;
        let path = path.as_ref();
        let begin = Instant::now();
        let (file, len) = open_artifact(path)?;
        let bytes = read(file, len).map_err(|error| ArtifactFileError::io(path, error))?;
        Self::verified(bytes, begin.elapsed(), policy, expected, now)
    }

    /// Like [`Self::open`], for the bytes of a file from another source. They are copied into
    /// memory that no process can change, and the copy is verified. So their source makes no
    /// difference.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn from_bytes(
        bytes: &[u8],
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Self, LoadError> {
        Self::from_bytes_at(bytes, policy, expected, SystemClock.now()?)
    }

    /// Like [`Self::from_bytes`], at the time `now`.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn from_bytes_at(
        bytes: &[u8],
        policy: &TrustPolicy,
        expected: &Expected,
        now: UnixTime,
    ) -> Result<Self, LoadError> {
        policy.check_load_mode(MODE)?;
        let len = bytes.len() as u64;
        if len > MAX_ARTIFACT_LEN {
            return Err(ArtifactFileError::TooLong { len }.into());
        }
        let begin = Instant::now();
        let copy = read(bytes, len).map_err(LoadError::Memory)?;
        Self::verified(copy, begin.elapsed(), policy, expected, now)
    }

    /// Verifies bytes. `read` is the time that it took to get them.
    fn verified(
        bytes: StableBytes,
        read: Duration,
        policy: &TrustPolicy,
        expected: &Expected,
        now: UnixTime,
    ) -> Result<Self, LoadError> {
        let begin = Instant::now();
        let view = bytes.view().map_err(LoadError::Memory)?;
        let facts = Facts::of(verify_fast(&view, policy, expected, now)?);
        drop(view);
        let report = LoadReport {
            mode: MODE,
            verdict: Verdict::Fresh,
            image: facts.manifest().image.fsverity,
            times: LoadTimes {
                read,
                verify: begin.elapsed(),
                ..LoadTimes::default()
            },
        };
        let facts = Arc::new(facts);
        Ok(Self {
            bytes,
            facts,
            report,
        })
    }

    /// The manifest: the signers' statements about the artifact.
    pub fn manifest(&self) -> &Manifest {
        self.facts.manifest()
    }

    /// Loads the component in the file.
    ///
    /// # Errors
    ///
    /// The errors of [`load`].
    pub fn component(self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        self.loaded(engine, ProgramKind::Component, component)
    }

    /// Loads the core module in the file.
    ///
    /// # Errors
    ///
    /// The errors of [`load`].
    pub fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        self.loaded(engine, ProgramKind::Module, module)
    }

    /// Checks that an engine can load the file as a program of this kind.
    #[cfg(target_os = "linux")]
    pub(crate) fn fit(&self, engine: &HostEngine, kind: ProgramKind) -> Result<(), LoadError> {
        fit(&self.facts, engine, kind)
    }

    /// The times at which the verdict is the same.
    #[cfg(target_os = "linux")]
    pub(crate) fn holds(&self) -> Range<UnixTime> {
        self.facts.holds()
    }

    /// The program of this kind that `load` makes from the file, with its report.
    fn loaded<P>(
        self,
        engine: &HostEngine,
        kind: ProgramKind,
        load: impl FnOnce(&StableBytes, &HostEngine, &Facts) -> Result<P, LoadError>,
    ) -> Result<Loaded<P>, LoadError> {
        let begin = Instant::now();
        let program =
            fit(&self.facts, engine, kind).and_then(|()| load(&self.bytes, engine, &self.facts));
        let name = || self.manifest().name.clone();
        let program = engine.observed().refusal(name, program)?;
        let mut report = self.report;
        report.times.engine = begin.elapsed();
        Ok(Loaded::new(program, self.facts, report, None, engine))
    }
}

/// The component in verified bytes. It imports nothing that its manifest does not state.
pub(crate) fn component(
    bytes: &StableBytes,
    engine: &HostEngine,
    facts: &Facts,
) -> Result<Component, LoadError> {
    let component = mapped::component(bytes, engine, facts).map_err(LoadError::Engine)?;
    declared(facts, || component_imports(engine, &component))?;
    Ok(component)
}

/// The core module in verified bytes, like [`component`].
pub(crate) fn module(
    bytes: &StableBytes,
    engine: &HostEngine,
    facts: &Facts,
) -> Result<Module, LoadError> {
    let module = mapped::module(bytes, engine, facts).map_err(LoadError::Engine)?;
    declared(facts, || module_imports(&module))?;
    Ok(module)
}

/// The application that a host expects, for messages and observers.
pub(crate) fn wanted(expected: &Expected) -> String {
    let application = expected.wanted_application().unwrap_or("any application");
    match expected.wanted_channel() {
        Some(channel) => format!("`{application}` of channel `{channel}`"),
        None => format!("`{application}`"),
    }
}
