//! A deployed name: requests take the current version, while a newer version replaces it.
//!
//! The deployment owns its policy, and a refresh judges the version in use before it does anything
//! else. So a host cannot forget to judge, and requests get a program from [`Deployment::current`]
//! only while it is trusted. If refreshes cease, it is not trusted any more either.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use edgec_store::{Application, ArtifactStore};
use wasmtime::component::{InstancePre, Linker};

use super::at_work::AtWork;
use super::preparation::Preparation;
use super::refreshed::{RefreshError, Refreshed};
use super::trust::{Trust, Trusted};
use super::versions::Versions;
use crate::distrust::{Distrust, Distrusted};
use crate::policy_source::{Followed, PolicySource, PolicySourceError};
use crate::{Event, HostEngine, LoadError, Loaded};

/// How old the last reading of the policy may be, unless a host says otherwise.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// An application that a host serves: loaded, its imports resolved, and replaced while requests
/// run.
///
/// `P` is what requests instantiate: Wasmtime's `InstancePre` of a component or of a core module,
/// or what a [`Preparation`] makes of it. A request that has taken a version keeps it: the old one
/// is unloaded when its last request and its last instance are done. Dropping the deployment
/// unloads the rest.
///
/// A host calls [`Deployment::refresh`] every few seconds. After five minutes without a refresh
/// that read a policy, nothing is trusted: [`Deployment::stale_after`] sets another limit, and
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
    /// Held by a refresh: of two, the slower must not put an older version in the place of a newer
    /// one.
    refreshing: Mutex<()>,
    /// How old the last reading of the policy may be.
    stale_after: Option<Duration>,
}

impl<T: 'static> Deployment<InstancePre<T>> {
    /// Loads an application's component from a store, for an engine and with what `linker` offers.
    /// `policy` is a [`PolicyFile`](super::PolicyFile), another [`PolicySource`], or a
    /// [`TrustPolicy`](crate::TrustPolicy) that stays the same.
    ///
    /// # Errors
    /// As [`LoadFromStore::load`](super::LoadFromStore::load); [`LoadError::Policy`] when no policy
    /// can be read; [`LoadError::Link`] when the linker lacks an import.
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
    /// Loads an application from a store or from a host's own source, a component or a core module,
    /// in the form that requests get ([`Preparation`]).
    ///
    /// # Errors
    ///
    /// As [`Deployment::new`]; [`LoadError::Link`] also with an error of the preparation.
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
            if trusted.holds_now(&self.engine) {
                return Ok(Arc::clone(&current.loaded));
            }
            (current.clone(), Arc::clone(trusted))
        };
        let trust = self.judged(&at_work, lapsed.followed.clone(), None);
        self.tell(&at_work, &trust);
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

    /// Where its versions come from.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Reads the policy and checks the version in use against it; then takes the artifact that is
    /// there now, if it is another artifact. Without a policy, nothing is trusted, and neither is a
    /// program whose files users other than the owner and root can change. If nothing has changed, a
    /// refresh from a store only reads the policy and the name, looks at modes and owners, and looks
    /// up what is known of the signatures.
    ///
    /// # Errors
    ///
    /// [`RefreshError`].
    pub fn refresh(&self) -> Result<Refreshed, RefreshError> {
        self.refresh_within(Duration::ZERO)
    }

    /// As [`Self::refresh`], for a host whose policy may be out of reach for a while, such as on
    /// another machine. If the policy cannot be read, the version in use is trusted by the policy
    /// that was read last, until `grace` has passed since then; after that, nothing is trusted.
    ///
    /// That the policy cannot be read means that the system does not give its file, or that the
    /// host's own source failed ([`PolicySourceError::is_unread`]). A policy that is there but has
    /// expired, is older than one before, has no valid signature or can be written by others is
    /// followed by distrust at once, and so is the end of a validity in the last policy. No other
    /// version is loaded meanwhile. A grace time that is longer than [`Self::stale_after`] has no
    /// effect beyond it.
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
        // In the place of a file that others may have changed, there may be a good one now.
        let renewed = at_work.trust.is_exposed() && at_work.is_renewed(&self.versions);
        if best.as_ref() == Some(&at_work.place) && !renewed {
            return unchanged();
        }
        let chosen = AtWork::prepared(&self.versions, &self.engine, &self.preparation, followed);
        let chosen = chosen.map_err(failed)?;
        // What uses more of this CPU does not fit otherwise.
        if chosen.place == at_work.place && !renewed {
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

    /// What is trusted while no policy can be read, and what a refresh says of it.
    fn without_policy(
        &self,
        at_work: &AtWork<P>,
        before: Option<&Arc<Trusted>>,
        source: PolicySourceError,
        grace: Duration,
    ) -> (Trust, Result<Followed, RefreshError>) {
        let left = |before: &Arc<Trusted>| grace.saturating_sub(before.followed.read.elapsed());
        if let Some(before) = before
            && source.is_unread()
            && !left(before).is_zero()
        {
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
        let (policy, versions) = (&followed.policy, &self.versions);
        if let Err(reason) = at_work.guard_mapped(versions) {
            return Trust::distrusted(Distrust::Exposed(reason));
        }
        // A verdict of the same policy that still holds.
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
            // A damaged store does not overturn a verdict of this policy that still holds.
            Err(reason) => match same {
                Some(holds) => Trust::trusted(followed, holds),
                None => Trust::distrusted(Distrust::Unjudged(reason)),
            },
        }
    }

    /// Tells the engine's observer of a verdict.
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

/// A refresh that has not judged yet. If the host's policy source panics, dropping this distrusts
/// the version in use.
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
