//! A name at work: requests take what is current, while a newer version comes in its place.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use edgec_verifier::TrustPolicy;
use wasmtime::component::Linker;

use super::Store;
use super::release::{Application, Entry};
use crate::{HostEngine, LoadError, LoadedPre};

/// An application that a host serves: loaded, its imports resolved, and replaced while requests
/// run.
///
/// Whoever has taken a version keeps it: the old one is unloaded when its last request and
/// the last instance are done. Dropping the deployment unloads the rest.
pub struct Deployment<T: 'static> {
    store: Store,
    engine: HostEngine,
    application: Application,
    linker: Linker<T>,
    current: RwLock<(Entry, Arc<LoadedPre<T>>)>,
    /// Held by a refresh: of two, the slower must not put an older version in the place of a newer one.
    refreshing: Mutex<()>,
}

/// What came of a [`Deployment::refresh`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The store has nothing else.
    Unchanged,
    /// Another artifact is at work now.
    Replaced {
        /// The version that was at work.
        from: u64,
        /// The version that is.
        to: u64,
    },
}

impl<T: 'static> Deployment<T> {
    /// Loads an application from a store, for an engine and with what `linker` offers.
    ///
    /// # Errors
    ///
    /// As [`Store::load`]; [`LoadError::Engine`] when the linker lacks an import.
    pub fn new(
        store: &Store,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
        linker: Linker<T>,
    ) -> Result<Self, LoadError> {
        let application = application.into();
        let (entry, component) = store.load_chosen(engine, &application, policy)?;
        let pre = component.instantiate_pre(&linker);
        let pre = Arc::new(pre.map_err(LoadError::Engine)?);
        Ok(Self {
            store: store.clone(),
            engine: engine.clone(),
            application,
            linker,
            current: RwLock::new((entry, pre)),
            refreshing: Mutex::default(),
        })
    }

    /// What a request instantiates.
    pub fn current(&self) -> Arc<LoadedPre<T>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current.1)
    }

    /// Takes what the store has now, if it is another artifact. Costs a look at the name
    /// when it is not. When it cannot be loaded, the old one stays at work.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn refresh(&self, policy: &TrustPolicy) -> Result<Refreshed, LoadError> {
        let refreshing = self.refreshing.lock();
        let _refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        let entry = self.store.choose(&self.engine, &self.application)?;
        let from = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if current.0 == entry {
                return Ok(Refreshed::Unchanged);
            }
            current.1.manifest().version
        };
        let application = &self.application;
        let (entry, component) = self.store.load_chosen(&self.engine, application, policy)?;
        let pre = component.instantiate_pre(&self.linker);
        let pre = Arc::new(pre.map_err(LoadError::Engine)?);
        let to = pre.manifest().version;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (entry, pre);
        Ok(Refreshed::Replaced { from, to })
    }
}
