//! From a file to a component that can be instantiated.
//!
//! The file is opened once and read once, into memory that no other process can change; that memory
//! is what is verified and what is loaded. A path is never opened a second time. A host that loads
//! often should admit artifacts to a store instead ([`crate::store`]).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use edgec_files::{OpenError, open_regular};
use edgec_verifier::{Expected, Facts, Kind, MAX_ARTIFACT_LEN, Manifest, TrustPolicy, verify};

use crate::clock::now;
use crate::loaded::{component_imports, declared, demand, fit, module_imports};
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
use {
    crate::mapped,
    crate::sealed::{MODE, read},
    edgec_store::StableFile as StableBytes,
};

#[cfg(not(target_os = "linux"))]
use crate::private::{self as mapped, MODE, PrivateBytes as StableBytes, read};

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
        let now = now().ok_or(LoadError::Clock)?;
        let facts = Facts::of(verify(&view, policy, expected, now)?);
        drop(view);
        let facts = Arc::new(facts);
        Ok(Self { bytes, facts })
    }

    /// The manifest, which is what its signers say about it.
    pub fn manifest(&self) -> &Manifest {
        self.facts.manifest()
    }

    /// Loads the component in it.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn component(self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        fit(&self.facts, engine, Kind::Component)?;
        let component = mapped::component(&self.bytes, engine, &self.facts);
        let component = component.map_err(LoadError::Engine)?;
        declared(&self.facts, || component_imports(engine, &component))?;
        Ok(Loaded::new(component, self.facts, MODE))
    }

    /// Loads the core module in it.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        fit(&self.facts, engine, Kind::Module)?;
        let module = mapped::module(&self.bytes, engine, &self.facts);
        let module = module.map_err(LoadError::Engine)?;
        declared(&self.facts, || module_imports(&module))?;
        Ok(Loaded::new(module, self.facts, MODE))
    }
}

/// Opens a file to be read from beginning to end, and says how long it is.
fn open(path: &Path) -> Result<(File, u64), LoadError> {
    open_regular(path, MAX_ARTIFACT_LEN).map_err(|error| match error {
        OpenError::Io(error) => LoadError::Io(error),
        OpenError::Folder | OpenError::NotAFile => LoadError::NotAFile,
        OpenError::TooLong { len } => LoadError::TooLong { len },
        error => LoadError::Io(io::Error::other(error)),
    })
}
