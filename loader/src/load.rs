//! From a file to a component that can be instantiated.
//!
//! The file is opened once and read once, into memory that no other process can change. That memory
//! is verified, and loaded. A path is never opened a second time. The bytes of a file from another
//! source are treated in the same way. A host that loads often should admit artifacts to a store
//! instead ([`crate::store`]).

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use edgec_files::{OpenError, open_regular};
use edgec_verifier::{
    Clock as _, Expected, Facts, Kind, MAX_ARTIFACT_LEN, Manifest, SystemClock, TrustPolicy,
    UnixTime, Verdict, verify,
};

use crate::loaded::{component_imports, declared, demand, fit, module_imports};
use crate::{HostEngine, LoadError, LoadReport, LoadTimes, Loaded, LoadedComponent, LoadedModule};

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
    let file = engine.now().map_err(|_| LoadError::Clock);
    let file = file.and_then(|now| VerifiedFile::open_at(path, policy, expected, now));
    let file = engine.observed().refusal(|| wanted(expected), file)?;
    file.component(engine)
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
    let file = engine.now().map_err(|_| LoadError::Clock);
    let file = file.and_then(|now| VerifiedFile::open_at(path, policy, expected, now));
    let file = engine.observed().refusal(|| wanted(expected), file)?;
    file.module(engine)
}

#[cfg(target_os = "linux")]
use {
    crate::mapped,
    crate::sealed::{MODE, read},
    edgec_store::StableFile as StableBytes,
};

#[cfg(not(target_os = "linux"))]
use crate::private::{self as mapped, MODE, PrivateBytes as StableBytes, read};

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
        Self::open_at(path, policy, expected, system_time()?)
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
        demand(policy, MODE)?;
        let path = path.as_ref();
        let begin = Instant::now();
        let (file, len) = open(path)?;
        let bytes = read(file, len).map_err(|source| unreadable(path, source))?;
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
        Self::from_bytes_at(bytes, policy, expected, system_time()?)
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
        demand(policy, MODE)?;
        let len = bytes.len() as u64;
        if len > MAX_ARTIFACT_LEN {
            return Err(LoadError::TooLong { len });
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
        let facts = Facts::of(verify(&view, policy, expected, now)?);
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
        let begin = Instant::now();
        let component = fit(&self.facts, engine, Kind::Component).and_then(|()| {
            let component = mapped::component(&self.bytes, engine, &self.facts);
            let component = component.map_err(LoadError::Engine)?;
            declared(&self.facts, || component_imports(engine, &component))?;
            Ok(component)
        });
        let component = engine.observed().refusal(|| self.name(), component)?;
        Ok(self.loaded(component, begin, engine))
    }

    /// Loads the core module in the file.
    ///
    /// # Errors
    ///
    /// The errors of [`load`].
    pub fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        let begin = Instant::now();
        let module = fit(&self.facts, engine, Kind::Module).and_then(|()| {
            let module = mapped::module(&self.bytes, engine, &self.facts);
            let module = module.map_err(LoadError::Engine)?;
            declared(&self.facts, || module_imports(&module))?;
            Ok(module)
        });
        let module = engine.observed().refusal(|| self.name(), module)?;
        Ok(self.loaded(module, begin, engine))
    }

    fn name(&self) -> String {
        self.manifest().name.clone()
    }

    /// Checks that an engine can load the file as a program of this kind.
    #[cfg(target_os = "linux")]
    pub(crate) fn fit(&self, engine: &HostEngine, kind: Kind) -> Result<(), LoadError> {
        fit(&self.facts, engine, kind)
    }

    /// The times at which the verdict is the same.
    #[cfg(target_os = "linux")]
    pub(crate) fn holds(&self) -> Range<UnixTime> {
        self.facts.holds()
    }

    /// Puts together a program of the engine and its report. The engine began at `begin`.
    fn loaded<P>(self, program: P, begin: Instant, engine: &HostEngine) -> Loaded<P> {
        let mut report = self.report;
        report.times.engine = begin.elapsed();
        Loaded::new(program, self.facts, report, None, engine)
    }
}

fn system_time() -> Result<UnixTime, LoadError> {
    SystemClock.now().map_err(|_| LoadError::Clock)
}

/// The application that a host expects, for messages and observers.
pub(crate) fn wanted(expected: &Expected) -> String {
    let application = expected.wanted_application().unwrap_or("any application");
    match expected.wanted_channel() {
        Some(channel) => format!("`{application}` of channel `{channel}`"),
        None => format!("`{application}`"),
    }
}

/// Opens a file, to read it from beginning to end. Also returns its length.
fn open(path: &Path) -> Result<(File, u64), LoadError> {
    open_regular(path, MAX_ARTIFACT_LEN).map_err(|error| match error {
        OpenError::Io(error) => unreadable(path, error),
        OpenError::Folder | OpenError::NotAFile => LoadError::NotAFile,
        OpenError::TooLong { len } => LoadError::TooLong { len },
        error => unreadable(path, io::Error::other(error)),
    })
}

fn unreadable(path: &Path, source: io::Error) -> LoadError {
    let path = path.to_owned();
    LoadError::Io { path, source }
}
