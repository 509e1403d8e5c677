//! The blocking calls of stores and deployments, for asynchronous hosts.

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
    /// Like [`Self::load`], on a thread for blocking work. Call it in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::load`], and [`LoadError::Cancelled`] if the runtime ends.
    pub async fn load_async(
        &self,
        engine: &HostEngine,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError> {
        let (versions, engine, policy) = (self.clone(), engine.clone(), policy.clone());
        off_executor(move || versions.load(&engine, &policy)).await?
    }

    /// Like [`Self::load_module`], on a thread for blocking work. Call it in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::load_async`].
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
    /// Like [`Deployment::of`], on a thread for blocking work. Call it in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The errors of [`Deployment::of`], and [`LoadError::Cancelled`] if the runtime ends.
    pub async fn of_async(
        versions: Versions,
        engine: &HostEngine,
        policy: impl Into<PolicySource>,
        preparation: Preparation<P>,
    ) -> Result<Self, LoadError> {
        let (engine, policy) = (engine.clone(), policy.into());
        off_executor(move || Self::of(versions, &engine, policy, preparation)).await?
    }

    /// Like [`Deployment::refresh_within`], on a thread for blocking work. If `grace` is zero,
    /// there is no grace time. Call it in a Tokio runtime. If the future is dropped, the refresh
    /// still continues to its end.
    ///
    /// # Errors
    ///
    /// The errors of [`Deployment::refresh_within`], and [`LoadError::Cancelled`] if the runtime
    /// ends.
    pub async fn refresh_async(
        self: &Arc<Self>,
        grace: Duration,
    ) -> Result<Refreshed, RefreshError> {
        let deployment = Arc::clone(self);
        let refreshed = off_executor(move || deployment.refresh_within(grace)).await;
        refreshed.map_err(RefreshError::Kept)?
    }
}
