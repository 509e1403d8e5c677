//! Loading from a store by a name, without a deployment.

use edgec_store::{Application, ArtifactStore};
use edgec_verifier::TrustPolicy;

use super::versions::Versions;
use crate::{HostEngine, LoadError, LoadedComponent, LoadedModule};

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
        Versions::in_store(self, application).load(engine, policy)
    }

    fn load_module(
        &self,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError> {
        Versions::in_store(self, application).load_module(engine, policy)
    }
}
