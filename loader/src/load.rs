//! From a file to a component that can be instantiated.
//!
//! The file is opened once and read once, into memory that nobody else can change; that
//! memory is what is verified and what is loaded. A path is never opened a second time.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use edgec_verifier::{
    AcceptedSignature, Check, Expected, HostProfile, Kind, MAX_ARTIFACT_LEN, Manifest, TrustPolicy,
    Unfit, VerifiedArtifact, VerifyError, verify,
};
use wasmtime::Engine;
use wasmtime::component::Component;

/// How the verified bytes are kept from changing while the engine uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadMode {
    /// A memory file that the kernel lets nobody write, shrink or grow (Linux).
    SealedMemfd,
    /// A private copy in this process's memory.
    PrivateCopy,
}

/// A verified program in an engine.
#[derive(Debug)]
pub struct Loaded<P> {
    program: P,
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
    checks: Vec<Check>,
    mode: LoadMode,
}

/// A verified component in an engine.
pub type LoadedComponent = Loaded<Component>;
/// A verified core module in an engine.
pub type LoadedModule = Loaded<wasmtime::Module>;

/// Why an artifact was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened or read, or memory cannot be had.
    #[error("cannot read the artifact")]
    Io(#[from] io::Error),
    /// A folder, a pipe, a device: nothing whose length is known.
    #[error("not a regular file")]
    NotAFile,
    /// Longer than any artifact.
    #[error("the file has {len} bytes, an artifact has at most {MAX_ARTIFACT_LEN}")]
    TooLong {
        /// The file's length in bytes.
        len: u64,
    },
    /// Nobody whom the policy trusts vouches for these bytes.
    #[error("the artifact is not trusted")]
    Verify(#[from] VerifyError),
    /// The artifact holds a core module where a component is wanted, or the other way.
    #[error("the artifact holds a {}, a {} is wanted", found.name(), wanted.name())]
    Kind {
        /// What the manifest says.
        found: Kind,
        /// What the caller asked for.
        wanted: Kind,
    },
    /// The clock stands before 1970: it was never set, and no validity can be judged.
    #[error("the clock is not set")]
    Clock,
    /// The artifact is for another engine or another CPU.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The engine does not accept the image.
    #[error("the engine refused the image: {0:#}")]
    Engine(wasmtime::Error),
}

impl LoadError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::NotAFile => "not-a-file",
            Self::TooLong { .. } => "too-long",
            Self::Verify(error) => error.code(),
            Self::Kind { .. } => "kind",
            Self::Clock => "clock",
            Self::Unfit(error) => error.code(),
            Self::Engine(_) => "engine",
        }
    }
}

impl<P> Loaded<P> {
    /// What was loaded.
    pub fn program(&self) -> &P {
        &self.program
    }

    /// What its signers say about it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The program, taken out.
    pub fn into_program(self) -> P {
        self.program
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        &self.accepted
    }

    /// Every check that was made; those that warn are the host's to log.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// How its bytes are kept from changing.
    pub fn mode(&self) -> LoadMode {
        self.mode
    }
}

/// Verifies an artifact that holds a component, and loads it.
///
/// `engine` must be one that [`crate::engine`] or [`crate::config`] made. `expected` says which
/// application the caller means: a validly signed other one is refused.
///
/// # Errors
///
/// [`LoadError`] names the first thing in the way. But for [`LoadError::Engine`], the engine
/// has then seen nothing.
pub fn load(
    engine: &Engine,
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedComponent, LoadError> {
    let wanted = Kind::Component;
    with_verified(
        path.as_ref(),
        policy,
        expected,
        wanted,
        |bytes, artifact| bytes.component(engine, artifact),
    )
}

/// Verifies an artifact that holds a core module, and loads it.
///
/// # Errors
///
/// As [`load`].
pub fn load_module(
    engine: &Engine,
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedModule, LoadError> {
    let wanted = Kind::Module;
    with_verified(
        path.as_ref(),
        policy,
        expected,
        wanted,
        |bytes, artifact| bytes.module(engine, artifact),
    )
}

#[cfg(target_os = "linux")]
use crate::sealed::SealedBytes as StableBytes;

#[cfg(not(target_os = "linux"))]
use crate::private::PrivateBytes as StableBytes;

fn with_verified<P>(
    path: &Path,
    policy: &TrustPolicy,
    expected: &Expected,
    wanted: Kind,
    hand_over: impl FnOnce(&StableBytes, &VerifiedArtifact<'_>) -> wasmtime::Result<P>,
) -> Result<Loaded<P>, LoadError> {
    let (file, len) = open(path)?;
    let bytes = StableBytes::read(file, len)?;
    let artifact = verify(bytes.as_slice(), policy, expected, now()?)?;
    let found = artifact.manifest().kind;
    if found != wanted {
        return Err(LoadError::Kind { found, wanted });
    }
    HostProfile::here().can_run(artifact.manifest())?;
    let program = hand_over(&bytes, &artifact).map_err(LoadError::Engine)?;
    Ok(Loaded {
        program,
        accepted: artifact.accepted().to_vec(),
        checks: artifact.checks().to_vec(),
        manifest: artifact.into_manifest(),
        mode: StableBytes::MODE,
    })
}

fn open(path: &Path) -> Result<(File, u64), LoadError> {
    // A pipe would block on `open` until somebody writes to it.
    #[cfg(unix)]
    let file = {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        File::options()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)?
    };
    #[cfg(not(unix))]
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile);
    }
    let len = metadata.len();
    if len > MAX_ARTIFACT_LEN {
        return Err(LoadError::TooLong { len });
    }
    Ok((file, len))
}

/// Seconds since 1970.
fn now() -> Result<u64, LoadError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(since.map_err(|_| LoadError::Clock)?.as_secs())
}
