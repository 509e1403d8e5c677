//! What of a store or a source blocks, for asynchronous hosts.

use std::sync::Arc;
use std::time::Duration;

use edgec_verifier::TrustPolicy;

use super::deployment::Deployment;
use super::preparation::Preparation;
use super::refreshed::{RefreshError, Refreshed};
use super::versions::Versions;
use crate::asynchronous::off_executor;
use crate::policy_source::PolicySource;
use crate::{HostEngine, LoadError, LoadedComponent, LoadedModule};

impl Versions {
    /// As [`Self::load`], on a thread for blocking work. Must be called in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`Self::load`]; [`LoadError::Cancelled`] when the runtime ends.
    pub async fn load_async(
        &self,
        engine: &HostEngine,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError> {
        let (versions, engine, policy) = (self.clone(), engine.clone(), policy.clone());
        off_executor(move || versions.load(&engine, &policy)).await?
    }

    /// As [`Self::load_module`], on a thread for blocking work. Must be called in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`Self::load_async`].
    pub async fn load_module_async(
        &self,
        engine: &HostEngine,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError> {
        let (versions, engine, policy) = (self.clone(), engine.clone(), policy.clone());
        off_executor(move || versions.load_module(&engine, &policy)).await?
    }
}

impl<P: Send + Sync + 'static> Deployment<P> {
    /// As [`Deployment::of`], on a thread for blocking work. Must be called in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`Deployment::of`]; [`LoadError::Cancelled`] when the runtime ends.
    pub async fn of_async(
        versions: Versions,
        engine: &HostEngine,
        policy: impl Into<PolicySource>,
        preparation: Preparation<P>,
    ) -> Result<Self, LoadError> {
        let (engine, policy) = (engine.clone(), policy.into());
        off_executor(move || Self::of(versions, &engine, policy, preparation)).await?
    }

    /// As [`Deployment::refresh_within`], on a thread for blocking work; without a grace time if
    /// `grace` is zero. Must be called in a Tokio runtime. If the future is dropped, the refresh
    /// goes on to its end.
    ///
    /// # Errors
    ///
    /// As [`Deployment::refresh_within`]; [`LoadError::Cancelled`] when the runtime ends.
    pub async fn refresh_async(
        self: &Arc<Self>,
        grace: Duration,
    ) -> Result<Refreshed, RefreshError> {
        let deployment = Arc::clone(self);
        let refreshed = off_executor(move || deployment.refresh_within(grace)).await;
        refreshed.map_err(RefreshError::Kept)?
    }
}
