//! From a file to a component that can be instantiated.
//!
//! The file is opened once and read once, into memory that no other process can change; that memory
//! is what is verified and what is loaded. A path is never opened a second time. A host that loads
//! often should admit artifacts to a store instead ([`crate::store`]).

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use edgec_verifier::{Expected, Kind, MAX_ARTIFACT_LEN, Manifest, TrustPolicy, verify};

use crate::loaded::{Facts, component_imports, demand, module_imports};
use crate::{HostEngine, LoadError, Loaded, LoadedComponent, LoadedModule};

/// Verifies an artifact that holds a component, and loads it.
///
/// `expected` names the application that the caller expects. Another one is refused, even if its
/// signatures are valid.
///
/// # Errors
///
/// [`LoadError`] names the first problem. Except for [`LoadError::Engine`] and
/// [`LoadError::Undeclared`], the engine has not seen any byte when the error occurs. No code runs.
pub fn load(
    engine: &HostEngine,
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedComponent, LoadError> {
    VerifiedFile::open(path, policy, expected)?.component(engine)
}

/// Verifies an artifact that holds a core module, and loads it.
///
/// # Errors
///
/// As [`load`].
pub fn load_module(
    engine: &HostEngine,
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedModule, LoadError> {
    VerifiedFile::open(path, policy, expected)?.module(engine)
}

#[cfg(target_os = "linux")]
use crate::{
    sealed::{MODE, read},
    stable::StableFile as StableBytes,
};

#[cfg(not(target_os = "linux"))]
use crate::private::{MODE, PrivateBytes as StableBytes, read};

/// A verified file that no engine has seen yet. Its manifest says which engine it fits.
#[derive(Debug)]
pub struct VerifiedFile {
    bytes: StableBytes,
    facts: Arc<Facts>,
}

impl VerifiedFile {
    /// Reads a file into memory that no process can change, and verifies that memory.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn open(
        path: impl AsRef<Path>,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Self, LoadError> {
        demand(policy, MODE)?;
        let (file, len) = open(path.as_ref())?;
        let bytes = read(file, len)?;
        let view = bytes.view()?;
        let facts = Facts::of(verify(&view, policy, expected, now()?)?);
        drop(view);
        let facts = Arc::new(facts);
        Ok(Self { bytes, facts })
    }

    /// The manifest, which is what its signers say about it.
    pub fn manifest(&self) -> &Manifest {
        &self.facts.manifest
    }

    /// Loads the component in it.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn component(self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        self.facts.fit(engine, Kind::Component)?;
        let component = self.bytes.component(engine, &self.facts);
        let component = component.map_err(LoadError::Engine)?;
        self.facts.declare(component_imports(engine, &component))?;
        Ok(Loaded::new(component, self.facts, MODE))
    }

    /// Loads the core module in it.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        self.facts.fit(engine, Kind::Module)?;
        let module = self.bytes.module(engine, &self.facts);
        let module = module.map_err(LoadError::Engine)?;
        self.facts.declare(module_imports(&module))?;
        Ok(Loaded::new(module, self.facts, MODE))
    }
}

/// Opens a file to be read from beginning to end, and says how long it is.
pub(crate) fn open(path: &Path) -> Result<(File, u64), LoadError> {
    // A pipe would block on `open` until there is a writer.
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
pub(crate) fn now() -> Result<u64, LoadError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(since.map_err(|_| LoadError::Clock)?.as_secs())
}
