//! A deployed name: requests take the current version, while a newer version replaces it.
//!
//! The deployment owns its policy, and a refresh judges the version in use before it does anything
//! else. So a host cannot forget to judge, and requests get a program from [`Deployment::current`]
//! only while it is trusted. If refreshes cease, it is not trusted any more either.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use edgec_store::{Application, Entry, Store, StoreError, written};
use edgec_verifier::{TrustPolicy, UnixTime};
use wasmtime::component::{InstancePre, Linker};

use super::loading::{candidates, judge_again, load_chosen};
use super::trust::{Distrust, Distrusted, Trust, Trusted};
use crate::loaded::demand;
use crate::policy_source::{Followed, PolicySource};
use crate::{HostEngine, LoadError, Loaded};

/// What a host makes of a program whose imports are resolved, once for all its requests.
type Prepare<T, P> = dyn Fn(InstancePre<T>) -> wasmtime::Result<P> + Send + Sync;

/// How old the last reading of the policy may be, unless a host says otherwise.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// An application that a host serves: loaded, its imports resolved, and replaced while requests
/// run.
///
/// `P` is what requests instantiate: Wasmtime's `InstancePre`, or what [`Deployment::with`] makes
/// of it. A request that has taken a version keeps it: the old one is unloaded when its last
/// request and its last instance are done. Dropping the deployment unloads the rest.
///
/// A host calls [`Deployment::refresh`] every few seconds. After five minutes without a refresh
/// that read a policy, nothing is trusted: [`Deployment::stale_after`] sets another limit, and
/// [`Deployment::never_stale`] is for a host that does not refresh on purpose.
pub struct Deployment<T: 'static, P = InstancePre<T>> {
    source: Source<T, P>,
    policy: PolicySource,
    current: RwLock<AtWork<P>>,
    /// Held by a refresh: of two, the slower must not put an older version in the place of a newer
    /// one.
    refreshing: Mutex<()>,
    /// How old the last reading of the policy may be.
    stale_after: Option<Duration>,
}

/// A version in use.
struct AtWork<P> {
    entry: Entry,
    loaded: Arc<Loaded<P>>,
    /// When its image had last been written before it was loaded.
    written: Option<SystemTime>,
    trust: Trust,
}

impl<P> Clone for AtWork<P> {
    fn clone(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            loaded: Arc::clone(&self.loaded),
            written: self.written,
            trust: self.trust.clone(),
        }
    }
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
    /// The store has nothing new, and the policy accepts the version in use.
    Unchanged,
    /// Another artifact is in use now, or the same from a good file, after its own may have been
    /// changed ([`Distrust::Exposed`]).
    Replaced {
        /// The version that was in use before.
        from: u64,
        /// The version that is.
        to: u64,
    },
}

/// Why a [`Deployment::refresh`] brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The store's new artifact cannot be loaded. The version in use is trusted, and stays.
    #[error("the store's current version was not loaded")]
    Kept(#[source] LoadError),
    /// The version in use is not trusted any more, and requests do not get it.
    #[error(transparent)]
    Distrusted(Distrusted),
}

impl RefreshError {
    /// A short name for the reason that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kept(reason) => reason.code(),
            Self::Distrusted(distrusted) => distrusted.code(),
        }
    }
}

impl<T: 'static> Deployment<T> {
    /// Loads an application from a store, for an engine and with what `linker` offers. `policy` is
    /// a [`PolicyFile`](super::PolicyFile), another [`PolicySource`], or a [`TrustPolicy`] that
    /// stays the same.
    ///
    /// # Errors
    /// As [`LoadFromStore::load`](super::LoadFromStore::load); [`LoadError::Policy`] when no policy
    /// can be read; [`LoadError::Link`] when the linker lacks an import.
    pub fn new(
        store: &Store,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: impl Into<PolicySource>,
        linker: Linker<T>,
    ) -> Result<Self, LoadError> {
        Self::with(store, engine, application, policy, linker, Ok)
    }
}

impl<T: 'static, P> Deployment<T, P> {
    /// As [`Deployment::new`]; requests get what `prepare` makes of each version, such as the
    /// `ProxyPre` that `bindgen!` writes (`ProxyPre::new`). A version of which it makes nothing is
    /// not put to work.
    ///
    /// # Errors
    ///
    /// As [`Deployment::new`]; [`LoadError::Link`] with the error of `prepare`.
    pub fn with(
        store: &Store,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: impl Into<PolicySource>,
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
        let policy = policy.into();
        let now = policy.read().map_err(LoadError::Policy)?;
        let at_work = source.prepared(now)?;
        Ok(Self {
            source,
            policy,
            current: RwLock::new(at_work),
            refreshing: Mutex::default(),
            stale_after: Some(STALE_AFTER),
        })
    }

    /// Sets how old the last reading of the policy may be, instead of five minutes: several times
    /// as long as the host waits between two refreshes. When it is older, the version in use is
    /// not trusted until the next refresh ([`Distrust::Stale`]): for instance when the thread that
    /// refreshes has ended, or waits for a disk.
    #[must_use]
    pub fn stale_after(self, limit: Duration) -> Self {
        let stale_after = Some(limit);
        Self {
            stale_after,
            ..self
        }
    }

    /// Trusts the version in use, even if the policy was last read long ago. For a host that does
    /// not refresh on purpose: such a host never learns of a revocation.
    #[must_use]
    pub fn never_stale(self) -> Self {
        Self {
            stale_after: None,
            ..self
        }
    }

    /// Returns the version in use, for a request to instantiate, while it is trusted. It is judged
    /// again at every moment that the policy or the manifest names, such as the end of a validity,
    /// also without a refresh.
    ///
    /// # Errors
    /// [`Distrusted`]: it was revoked, it has expired, the last refresh found no policy or files
    /// that others can change, or the last refresh is too long ago.
    pub fn current(&self) -> Result<Arc<Loaded<P>>, Distrusted> {
        let (at_work, lapsed) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            let trusted = match &current.trust {
                Trust::Distrusted(distrusted) => return Err(distrusted.clone()),
                Trust::Trusted(trusted) => trusted,
            };
            self.fresh(trusted)?;
            // Nearly every request ends here, so nothing is copied for it.
            if trusted.holds_now() {
                return Ok(Arc::clone(&current.loaded));
            }
            (current.clone(), Arc::clone(trusted))
        };
        let trust = self.judged(&at_work, lapsed.followed.clone(), None);
        {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            // A refresh may have judged meanwhile, by a newer policy.
            if matches!(&current.trust, Trust::Trusted(it) if Arc::ptr_eq(it, &lapsed)) {
                current.trust = trust.clone();
            }
        }
        match trust {
            Trust::Trusted(_) => Ok(at_work.loaded),
            Trust::Distrusted(distrusted) => Err(distrusted),
        }
    }

    /// Which application it is.
    pub fn application(&self) -> &Application {
        &self.source.application
    }

    /// Reads the policy and checks the version in use against it; then takes the store's artifact,
    /// if it is another artifact. Without a policy, nothing is trusted, and neither is a program
    /// whose files users other than the owner and root can change. If nothing has changed, a
    /// refresh only reads the policy and the name, looks at modes and owners, and looks up what is
    /// known of the signatures.
    ///
    /// # Errors
    ///
    /// [`RefreshError`].
    pub fn refresh(&self) -> Result<Refreshed, RefreshError> {
        let refreshing = self.refreshing.lock();
        let _refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        let (at_work, followed) = self.judge_first()?;
        let unchanged = || match &at_work.trust {
            Trust::Trusted(_) => Ok(Refreshed::Unchanged),
            Trust::Distrusted(it) => Err(RefreshError::Distrusted(it.clone())),
        };
        let failed = |reason| match &at_work.trust {
            Trust::Trusted(_) => RefreshError::Kept(reason),
            Trust::Distrusted(it) => RefreshError::Distrusted(it.clone()),
        };
        let best = self.source.best().map_err(failed)?;
        // In the place of a file that others may have changed, there may be a good one now.
        let renewed = at_work.trust.is_exposed() && self.source.is_renewed(&at_work);
        if best.as_ref() == Some(&at_work.entry) && !renewed {
            return unchanged();
        }
        let chosen = self.source.prepared(followed).map_err(failed)?;
        // What uses more of this CPU does not fit otherwise.
        if chosen.entry == at_work.entry && !renewed {
            return unchanged();
        }
        let version = |it: &AtWork<P>| it.loaded.manifest().version;
        let (from, to) = (version(&at_work), version(&chosen));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = chosen;
        Ok(Refreshed::Replaced { from, to })
    }

    /// Reads the policy and judges the version in use by it. A refresh gets its policy from here
    /// only: so the version is judged or distrusted first, however the reading ends.
    fn judge_first(&self) -> Result<(AtWork<P>, Followed), RefreshError> {
        let undecided = Undecided(self);
        let mut at_work = self.at_work();
        let (trust, followed) = match self.policy.read() {
            Ok(followed) => {
                let before = match &at_work.trust {
                    Trust::Trusted(before) => Some(before),
                    Trust::Distrusted(_) => None,
                };
                let trust = self.judged(&at_work, followed.clone(), before);
                (trust, Ok(followed))
            }
            Err(error) => {
                let distrusted = Distrusted::new(Distrust::NoPolicy(error));
                (Trust::Distrusted(distrusted.clone()), Err(distrusted))
            }
        };
        self.set(trust.clone());
        std::mem::forget(undecided);
        let followed = followed.map_err(RefreshError::Distrusted)?;
        at_work.trust = trust;
        Ok((at_work, followed))
    }

    /// Whether the policy of a verdict was read lately.
    fn fresh(&self, trusted: &Trusted) -> Result<(), Distrusted> {
        match self.stale_after {
            Some(limit) if trusted.followed.read.elapsed() > limit => {
                Err(Distrusted::new(Distrust::Stale { limit }))
            }
            _ => Ok(()),
        }
    }

    /// Whether a policy trusts a version; `before` is the last verdict, if it was trusted.
    fn judged(
        &self,
        at_work: &AtWork<P>,
        followed: Followed,
        before: Option<&Arc<Trusted>>,
    ) -> Trust {
        let (loaded, policy) = (&at_work.loaded, &followed.policy);
        if let Err(reason) = self.source.guard_mapped(at_work) {
            return Trust::distrusted(Distrust::Exposed(reason));
        }
        let judge = || {
            demand(policy, loaded.report().mode)?;
            let version = loaded.manifest().version;
            self.source.judge(&at_work.entry, version, policy)
        };
        match judge() {
            Ok(holds) => Trust::trusted(followed, holds),
            Err(reason @ (LoadError::Verify(_) | LoadError::Mode { .. })) => {
                Trust::distrusted(Distrust::Refused(reason))
            }
            Err(LoadError::Store(reason)) if reason.is_exposure() => {
                Trust::distrusted(Distrust::Exposed(reason))
            }
            // A damaged store does not overturn a verdict of this policy that still holds.
            Err(reason) => match before {
                Some(it) if it.followed.policy.digest() == policy.digest() && it.holds_now() => {
                    Trust::trusted(followed, it.holds.clone())
                }
                _ => Trust::distrusted(Distrust::Unjudged(reason)),
            },
        }
    }

    fn at_work(&self) -> AtWork<P> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    fn set(&self, trust: Trust) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.trust = trust;
    }
}

/// A refresh that has not judged yet. If the host's policy source panics, dropping this distrusts
/// the version in use.
struct Undecided<'a, T: 'static, P>(&'a Deployment<T, P>);

impl<T: 'static, P> Drop for Undecided<'_, T, P> {
    fn drop(&mut self) {
        self.0.set(Trust::distrusted(Distrust::Undecided));
    }
}

impl<T: 'static, P> Source<T, P> {
    fn best(&self) -> Result<Option<Entry>, LoadError> {
        let (entries, _) = candidates(&self.store, &self.engine, &self.application)?;
        Ok(entries.into_iter().next())
    }

    fn judge(
        &self,
        entry: &Entry,
        version: u64,
        policy: &TrustPolicy,
    ) -> Result<Range<UnixTime>, LoadError> {
        let application = self.application.clone().version(version);
        let (store, engine) = (&self.store, &self.engine);
        judge_again(store, engine, &application, entry.clone(), policy)
    }

    /// Judges the file that the version in use was loaded from.
    fn guard_mapped(&self, at_work: &AtWork<P>) -> Result<(), StoreError> {
        let (entry, written) = (&at_work.entry, at_work.written);
        match at_work.loaded.file() {
            Some(file) => self.store.guard_mapped(file, entry, written),
            None => Ok(()),
        }
    }

    /// Whether the name of the image in use leads to another file now.
    fn is_renewed(&self, at_work: &AtWork<P>) -> bool {
        let mapped = at_work.loaded.file();
        mapped.is_some_and(|mapped| self.store.is_renewed(mapped, &at_work.entry))
    }

    fn prepared(&self, followed: Followed) -> Result<AtWork<P>, LoadError> {
        let (engine, application, policy) = (&self.engine, &self.application, &followed.policy);
        let (entry, component) = load_chosen(&self.store, engine, application, policy)?;
        let holds = component.holds();
        let written = component.file().and_then(written);
        let loaded = component.instantiate_pre(&self.linker);
        let loaded = loaded.and_then(|loaded| loaded.try_map(&self.prepare));
        Ok(AtWork {
            entry,
            loaded: Arc::new(loaded.map_err(LoadError::Link)?),
            written,
            trust: Trust::trusted(followed, holds),
        })
    }
}

impl<T: 'static, P> fmt::Debug for Deployment<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_work = self.at_work();
        f.debug_struct("Deployment")
            .field("application", &self.source.application)
            .field("version", &at_work.loaded.manifest().version)
            .field("trust", &at_work.trust)
            .finish_non_exhaustive()
    }
}
