//! A deployed name: requests take the current version, while a newer version replaces it.
//!
//! The deployment owns its policy, and a refresh judges the version in use before it does anything
//! else. So a host cannot forget to judge it, and [`Deployment::current`] gives requests a program
//! only while it is trusted. If refreshes stop, the version is no longer trusted.
//!
//! More than 400 lines: every change of what is trusted is to be read in one place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use edgec_store::{Application, ArtifactStore, StoreError};
use wasmtime::component::{InstancePre, Linker};

use super::at_work::AtWork;
use super::preparation::Preparation;
use super::refreshed::{RefreshError, Refreshed};
use super::trust::{Trust, Trusted};
use super::versions::Versions;
use crate::distrust::{Distrust, Distrusted};
use crate::policy_source::{Followed, PolicySource, PolicySourceError};
use crate::{Event, HostEngine, LoadError, Loaded};

/// The default limit for the age of the last reading of the policy.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// An application that a host serves. It is loaded, its imports are resolved, and it is replaced
/// while requests run.
///
/// `P` is the form that requests instantiate: Wasmtime's `InstancePre` of a component or of a core
/// module, or the form that a [`Preparation`] makes from it. A request that has taken a version
/// keeps it: the old version is unloaded when its last request and its last instance are done. If
/// the deployment is dropped, the rest is unloaded.
///
/// A host calls [`Deployment::refresh`] every few seconds. After five minutes without a refresh
/// that read a policy, nothing is trusted. [`Deployment::stale_after`] sets another limit, and
/// [`Deployment::never_stale`] is for a host that does not refresh on purpose.
///
/// ```no_run
/// use std::io::Write as _;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use edgec_loader::store::{ArtifactStore, Deployment, PolicyFile};
/// use edgec_loader::wasmtime::Store;
/// use edgec_loader::wasmtime::component::Linker;
/// use edgec_loader::{EngineProfile, HostEngine, error_chain};
///
/// // Once a process. What programs may import, such as WASI, goes into the linker.
/// let engine = HostEngine::builder(EngineProfile::Edge).build()?;
/// let _ticker = engine.tick(Duration::from_millis(10));
/// let linker = Linker::<()>::new(&engine);
/// let store = ArtifactStore::open("/var/lib/edgec")?;
/// let policy = PolicyFile::new("/etc/edgec-trust.toml");
/// let deployment = Arc::new(Deployment::new(&store, &engine, "acme/shop", policy, linker)?);
///
/// // Every second, in a thread that may wait for the disk.
/// let refreshed = Arc::clone(&deployment);
/// std::thread::spawn(move || {
///     loop {
///         std::thread::sleep(Duration::from_secs(1));
///         if let Err(error) = refreshed.refresh() {
///             // Not `eprintln!`, which ends the thread when its pipe is closed.
///             let _ = writeln!(std::io::stderr(), "refresh: {}", error_chain(&error));
///         }
///     }
/// });
///
/// // For each request. It is an error if the program is not trusted any more.
/// let version = deployment.current()?;
/// let mut request = Store::new(&engine, ());
/// request.set_epoch_deadline(100);
/// let instance = version.instantiate(&mut request)?;
/// let price = instance.get_typed_func::<(), (u32,)>(&mut request, "price")?;
/// println!("{}", price.call(&mut request, ())?.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// For `wasi:http` or types of `bindgen!`, requests instantiate a `ProxyPre` or the like:
/// [`Preparation::component_as`] and [`Deployment::of`].
pub struct Deployment<P> {
    versions: Versions,
    engine: HostEngine,
    preparation: Preparation<P>,
    policy: PolicySource,
    current: RwLock<AtWork<P>>,
    /// A refresh holds this lock. Of two refreshes, the slower one must not replace a newer version
    /// with an older one.
    refreshing: Mutex<()>,
    /// The limit for the age of the last reading of the policy.
    stale_after: Option<Duration>,
}

impl<T: 'static> Deployment<InstancePre<T>> {
    /// Loads an application's component from a store, for an engine and with the imports in
    /// `linker`. `policy` is a [`PolicyFile`](super::PolicyFile), another [`PolicySource`], or a
    /// [`TrustPolicy`](crate::TrustPolicy) that stays the same.
    ///
    /// # Errors
    /// The errors of [`LoadFromStore::load`](super::LoadFromStore::load); [`LoadError::Policy`] if
    /// no policy can be read; [`LoadError::Link`] if the linker lacks an import.
    pub fn new(
        store: &ArtifactStore,
        engine: &HostEngine,
        application: impl Into<Application>,
        policy: impl Into<PolicySource>,
        linker: Linker<T>,
    ) -> Result<Self, LoadError> {
        let versions = Versions::in_store(store, application);
        Self::of(versions, engine, policy, Preparation::component(linker))
    }
}

impl<P> Deployment<P> {
    /// Loads a component or a core module from a store or from a host's own source, in the form
    /// that requests get ([`Preparation`]).
    ///
    /// # Errors
    ///
    /// The errors of [`Deployment::new`], and [`LoadError::Link`] with the error of the
    /// preparation.
    pub fn of(
        versions: Versions,
        engine: &HostEngine,
        policy: impl Into<PolicySource>,
        preparation: Preparation<P>,
    ) -> Result<Self, LoadError> {
        let policy = policy.into();
        let now = policy.read().map_err(LoadError::Policy)?;
        let at_work = AtWork::prepared(&versions, engine, &preparation, now)?;
        Ok(Self {
            versions,
            engine: engine.clone(),
            preparation,
            policy,
            current: RwLock::new(at_work),
            refreshing: Mutex::default(),
            stale_after: Some(STALE_AFTER),
        })
    }

    /// Sets the limit for the age of the last reading of the policy, instead of five minutes. It
    /// should be several times the host's interval between refreshes. If the reading is older, the
    /// version in use is not trusted until the next refresh ([`Distrust::Stale`]). That happens for
    /// instance if the thread that refreshes has ended, or waits for a disk.
    #[must_use]
    pub fn stale_after(self, limit: Duration) -> Self {
        let stale_after = Some(limit);
        Self {
            stale_after,
            ..self
        }
    }

    /// Trusts the version in use even if the policy was last read long ago. This is for a host that
    /// does not refresh on purpose. Such a host never learns of a revocation.
    #[must_use]
    pub fn never_stale(self) -> Self {
        Self {
            stale_after: None,
            ..self
        }
    }

    /// Returns the version in use while it is trusted, for a request to instantiate. It is judged
    /// again at every time that the policy or the manifest states, such as the end of a validity,
    /// also without a refresh.
    ///
    /// # Errors
    /// [`Distrusted`]: the version was revoked or has expired, the last refresh found no policy or
    /// found files that others can change, or the last refresh is too long ago.
    pub fn current(&self) -> Result<Arc<Loaded<P>>, Distrusted> {
        let (at_work, lapsed) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            let trusted = match &current.trust {
                Trust::Distrusted(distrusted) => return Err(distrusted.clone()),
                Trust::Trusted(trusted) => trusted,
            };
            self.fresh(trusted)?;
            // Nearly every request returns here, so this copies nothing.
            if trusted.holds_now(&self.engine) {
                return Ok(Arc::clone(&current.loaded));
            }
            (current.clone(), Arc::clone(trusted))
        };
        let trust = self.judged(&at_work, lapsed.followed.clone(), None);
        self.tell(&at_work, &trust);
        {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            // Meanwhile, a refresh may have judged by a newer policy.
            if matches!(&current.trust, Trust::Trusted(it) if Arc::ptr_eq(it, &lapsed)) {
                current.trust = trust.clone();
            }
        }
        match trust {
            Trust::Trusted(_) => Ok(at_work.loaded),
            Trust::Distrusted(distrusted) => Err(distrusted),
        }
    }

    /// The source of its versions.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Reads the policy and checks the version in use against it. Then it takes the current
    /// artifact, if that is another one. Without a policy, nothing is trusted. A program is not
    /// trusted either if users other than the owner and root can change its files. If nothing has
    /// changed, a refresh from a store only reads the policy and the name, checks modes and owners,
    /// and looks up the remembered verdict.
    ///
    /// # Errors
    ///
    /// [`RefreshError`].
    pub fn refresh(&self) -> Result<Refreshed, RefreshError> {
        self.refresh_within(Duration::ZERO)
    }

    /// Like [`Self::refresh`], for a host whose policy may be unavailable for a while, for example
    /// because it is on another machine. If the policy cannot be read, the version in use is
    /// trusted by the last policy until `grace` has passed since that was read. After that, nothing
    /// is trusted.
    ///
    /// A policy cannot be read if the system does not give its file, or the host's own source fails
    /// ([`PolicySourceError::is_unread`]). The version in use is distrusted at once if the policy
    /// is there but has expired, is older than an earlier one, has no valid signature, or can be
    /// written by others, and at the end of a validity in the last policy. No other version is
    /// loaded during the grace time. It has no effect beyond [`Self::stale_after`], and is a minute
    /// at least if this machine lacks open files or memory.
    ///
    /// # Errors
    ///
    /// [`RefreshError`]; [`RefreshError::Unread`] within the grace time.
    pub fn refresh_within(&self, grace: Duration) -> Result<Refreshed, RefreshError> {
        let refreshing = self.refreshing.lock();
        let _refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        let (at_work, followed) = self.judge_first(grace)?;
        let unchanged = || match &at_work.trust {
            Trust::Trusted(_) => Ok(Refreshed::Unchanged),
            Trust::Distrusted(it) => Err(RefreshError::Distrusted(it.clone())),
        };
        let failed = |reason| match &at_work.trust {
            Trust::Trusted(_) => RefreshError::Kept(reason),
            Trust::Distrusted(it) => RefreshError::Distrusted(it.clone()),
        };
        let best = self.versions.best(&self.engine).map_err(failed)?;
        // If others may have changed the file, there may be a good file under its name now.
        let renewed = at_work.trust.is_exposed() && at_work.is_renewed(&self.versions);
        if best.as_ref() == Some(&at_work.place) && !renewed {
            return unchanged();
        }
        let chosen = AtWork::prepared(&self.versions, &self.engine, &self.preparation, followed);
        let chosen = chosen.map_err(failed)?;
        // This place is the best that fits: an artifact that uses more of this CPU does not.
        if chosen.place == at_work.place && !renewed {
            return unchanged();
        }
        let version = |it: &AtWork<P>| it.loaded.manifest().version;
        let (from, to) = (version(&at_work), version(&chosen));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = chosen;
        Ok(Refreshed::Replaced { from, to })
    }

    /// Reads the policy and judges the version in use by it. A refresh gets its policy only from
    /// here. So the version is judged or distrusted first, however the reading ends.
    fn judge_first(&self, grace: Duration) -> Result<(AtWork<P>, Followed), RefreshError> {
        let undecided = Undecided(self);
        let mut at_work = self.at_work();
        let before = match &at_work.trust {
            Trust::Trusted(before) => Some(before),
            Trust::Distrusted(_) => None,
        };
        let (trust, followed) = match self.policy.read() {
            Ok(followed) => {
                let trust = self.judged(&at_work, followed.clone(), before);
                (trust, Ok(followed))
            }
            Err(source) => self.without_policy(&at_work, before, source, grace),
        };
        self.set(trust.clone());
        std::mem::forget(undecided);
        self.tell(&at_work, &trust);
        let followed = followed?;
        at_work.trust = trust;
        Ok((at_work, followed))
    }

    /// The trust while no policy can be read, and the result of such a refresh.
    fn without_policy(
        &self,
        at_work: &AtWork<P>,
        before: Option<&Arc<Trusted>>,
        source: PolicySourceError,
        grace: Duration,
    ) -> (Trust, Result<Followed, RefreshError>) {
        let holds = source.last_holds(grace, self.stale_after);
        let left = |before: &Arc<Trusted>| holds.saturating_sub(before.followed.read.elapsed());
        if let Some(before) = before.filter(|it| !left(it).is_zero()) {
            let trust = self.judged(at_work, before.followed.clone(), Some(before));
            let error = match &trust {
                Trust::Trusted(_) => {
                    let left = left(before);
                    RefreshError::Unread { source, left }
                }
                Trust::Distrusted(it) => RefreshError::Distrusted(it.clone()),
            };
            return (trust, Err(error));
        }
        let distrusted = Distrusted::new(Distrust::NoPolicy(source));
        let error = RefreshError::Distrusted(distrusted.clone());
        (Trust::Distrusted(distrusted), Err(error))
    }

    /// Checks that the policy of a verdict was read recently.
    fn fresh(&self, trusted: &Trusted) -> Result<(), Distrusted> {
        match self.stale_after {
            Some(limit) if trusted.followed.read.elapsed() > limit => {
                Err(Distrusted::new(Distrust::Stale { limit }))
            }
            _ => Ok(()),
        }
    }

    /// Whether a policy trusts a version. `before` is the last verdict, if the version was trusted.
    fn judged(
        &self,
        at_work: &AtWork<P>,
        followed: Followed,
        before: Option<&Arc<Trusted>>,
    ) -> Trust {
        let (policy, versions) = (&followed.policy, &self.versions);
        if let Err(reason) = at_work.guard_mapped(versions) {
            return Trust::distrusted(Distrust::Exposed(reason));
        }
        // An earlier verdict of the same policy that still holds.
        let same = |it: &&Arc<Trusted>| {
            it.followed.policy.digest() == policy.digest() && it.holds_now(&self.engine)
        };
        let same = before.filter(same).map(|it| it.holds.clone());
        if let Some(holds) = &same
            && !versions.remembers()
        {
            return Trust::trusted(followed, holds.clone());
        }
        match at_work.judge(versions, &self.engine, policy, self.preparation.kind) {
            Ok(holds) => Trust::trusted(followed, holds),
            Err(
                reason @ (LoadError::Verify(_) | LoadError::Unexpected(_) | LoadError::Mode(_)),
            ) => Trust::distrusted(Distrust::Refused(reason)),
            Err(LoadError::Store(reason)) if reason.is_exposure() => {
                Trust::distrusted(Distrust::Exposed(reason))
            }
            // A clock that was set back would make what has expired valid again.
            Err(reason @ LoadError::Store(StoreError::Clock(_))) => {
                Trust::distrusted(Distrust::Unjudged(reason))
            }
            // A damaged store does not cancel a verdict of this policy that still holds.
            Err(reason) => match same {
                Some(holds) => Trust::trusted(followed, holds),
                None => Trust::distrusted(Distrust::Unjudged(reason)),
            },
        }
    }

    /// Reports a verdict to the engine's observer.
    fn tell(&self, at_work: &AtWork<P>, trust: &Trust) {
        self.engine.observed().tell(&Event::Judged {
            manifest: at_work.loaded.manifest(),
            distrusted: trust.distrust(),
        });
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

/// A refresh that has not judged yet. If the host's policy source panics, dropping this value
/// distrusts the version in use.
struct Undecided<'a, P>(&'a Deployment<P>);

impl<P> Drop for Undecided<'_, P> {
    fn drop(&mut self) {
        self.0.set(Trust::distrusted(Distrust::Undecided));
    }
}

impl<P> fmt::Debug for Deployment<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_work = self.at_work();
        f.debug_struct("Deployment")
            .field("versions", &self.versions)
            .field("version", &at_work.loaded.manifest().version)
            .field("trust", &at_work.trust)
            .finish_non_exhaustive()
    }
}
