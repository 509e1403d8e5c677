//! A name at work: requests take what is current, while a newer version comes in its place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use edgec_verifier::TrustPolicy;
use wasmtime::component::{InstancePre, Linker};

use super::Store;
use super::release::{Application, Entry};
use crate::loaded::demand;
use crate::{HostEngine, LoadError, Loaded};

/// What a host makes of a program whose imports are resolved, once for all its requests.
type Prepare<T, P> = dyn Fn(InstancePre<T>) -> wasmtime::Result<P> + Send + Sync;

/// An application that a host serves: loaded, its imports resolved, and replaced while requests
/// run.
///
/// `P` is what requests instantiate: Wasmtime's `InstancePre`, or what [`Deployment::with`] makes of
/// it. Whoever has taken a version keeps it: the old one is unloaded when its last request and
/// the last instance are done. Dropping the deployment unloads the rest.
pub struct Deployment<T: 'static, P = InstancePre<T>> {
    source: Source<T, P>,
    current: RwLock<(Entry, Arc<Loaded<P>>)>,
    /// Held by a refresh: of two, the slower must not put an older version in the place of a newer one.
    refreshing: Mutex<()>,
}

/// Where versions come from, and what is made of each.
struct Source<T: 'static, P> {
    store: Store,
    engine: HostEngine,
    application: Application,
    linker: Linker<T>,
    prepare: Box<Prepare<T, P>>,
}

/// What came of a [`Deployment::refresh`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The store has nothing else, and the policy lets in what is at work.
    Unchanged,
    /// Another artifact is at work now.
    Replaced {
        /// The version that was at work.
        from: u64,
        /// The version that is.
        to: u64,
    },
}

/// Why a [`Deployment::refresh`] brought nothing. What was at work stays there in either case.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// What the store has now cannot be loaded. The policy lets in what is at work.
    #[error("the store's current version was not loaded")]
    Kept(#[source] LoadError),
    /// The policy does not let in what is at work: it was revoked, say, or has expired. Whether to go on
    /// is the host's decision.
    #[error("the version at work is not trusted any more")]
    Distrusted(#[source] LoadError),
}

impl RefreshError {
    /// What was in the way.
    pub fn reason(&self) -> &LoadError {
        match self {
            Self::Kept(reason) | Self::Distrusted(reason) => reason,
        }
    }
}

impl<T: 'static> Deployment<T> {
    /// Loads an application from a store, for an engine and with what `linker` offers.
    ///
    /// # Errors
    ///
    /// As [`Store::load`]; [`LoadError::Link`] when the linker lacks an import.
    pub fn new(
        store: &Store,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
        linker: Linker<T>,
    ) -> Result<Self, LoadError> {
        Self::with(store, engine, application, policy, linker, Ok)
    }
}

impl<T: 'static, P> Deployment<T, P> {
    /// As [`Deployment::new`]; requests get what `prepare` makes of each version, such as the `ProxyPre` that `bindgen!`
    /// writes (`ProxyPre::new`). A version of which it makes nothing is not put to work.
    ///
    /// # Errors
    ///
    /// As [`Deployment::new`]; [`LoadError::Link`] with the error of `prepare`.
    pub fn with(
        store: &Store,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: &TrustPolicy,
        linker: Linker<T>,
        prepare: impl Fn(InstancePre<T>) -> wasmtime::Result<P> + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let source = Source {
            store: store.clone(),
            engine: engine.clone(),
            application: application.into(),
            linker,
            prepare: Box::new(prepare),
        };
        let (entry, loaded) = source.prepared(policy)?;
        Ok(Self {
            source,
            current: RwLock::new((entry, Arc::new(loaded))),
            refreshing: Mutex::default(),
        })
    }

    /// What a request instantiates.
    pub fn current(&self) -> Arc<Loaded<P>> {
        self.at_work().1
    }

    /// Which application it is.
    pub fn application(&self) -> &Application {
        &self.source.application
    }

    /// Takes what the store has now, if it is another artifact, and judges what is at work again, if it is not. Then it
    /// costs a look at the name and, under the same policy, at what is known of the signatures.
    ///
    /// # Errors
    ///
    /// [`RefreshError`]; requests go on as before.
    pub fn refresh(&self, policy: &TrustPolicy) -> Result<Refreshed, RefreshError> {
        let refreshing = self.refreshing.lock();
        let _refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        let (entry, at_work) = self.at_work();
        let judged = || {
            demand(policy, at_work.report().mode)?;
            self.source
                .judge(&entry, at_work.manifest().version, policy)
        };
        let failed = |reason| match judged() {
            Err(reason @ (LoadError::Verify(_) | LoadError::Mode { .. })) => {
                RefreshError::Distrusted(reason)
            }
            // What the store lacks says nothing against what is at work.
            _ => RefreshError::Kept(reason),
        };
        let unchanged = || match judged() {
            Ok(()) => Ok(Refreshed::Unchanged),
            Err(reason) => Err(failed(reason)),
        };
        let best = self.source.best().map_err(failed)?;
        if best == Some(entry.clone()) {
            return unchanged();
        }
        let (chosen, loaded) = self.source.prepared(policy).map_err(failed)?;
        // What uses more of this CPU does not fit otherwise.
        if chosen == entry {
            return unchanged();
        }
        let (from, to) = (at_work.manifest().version, loaded.manifest().version);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (chosen, Arc::new(loaded));
        Ok(Refreshed::Replaced { from, to })
    }

    fn at_work(&self) -> (Entry, Arc<Loaded<P>>) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

impl<T: 'static, P> Source<T, P> {
    fn best(&self) -> Result<Option<Entry>, LoadError> {
        let (entries, _) = self.store.candidates(&self.engine, &self.application)?;
        Ok(entries.into_iter().next())
    }

    fn judge(&self, entry: &Entry, version: u64, policy: &TrustPolicy) -> Result<(), LoadError> {
        let application = self.application.clone().version(version);
        let store = &self.store;
        store.judge_again(&self.engine, &application, entry.clone(), policy)
    }

    fn prepared(&self, policy: &TrustPolicy) -> Result<(Entry, Loaded<P>), LoadError> {
        let (engine, application) = (&self.engine, &self.application);
        let (entry, component) = self.store.load_chosen(engine, application, policy)?;
        let loaded = component.instantiate_pre(&self.linker);
        let loaded = loaded.and_then(|loaded| loaded.try_map(&self.prepare));
        Ok((entry, loaded.map_err(LoadError::Link)?))
    }
}

impl<T: 'static, P> fmt::Debug for Deployment<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.current().manifest().version;
        f.debug_struct("Deployment")
            .field("application", &self.source.application)
            .field("version", &version)
            .finish_non_exhaustive()
    }
}
