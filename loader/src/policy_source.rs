//! The source from which a host gets its policy at each refresh.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edgec_verifier::{
    Clock, ClockError, GuardError, NewestPolicy, PolicyFileError, PolicyStateError, PublicKey,
    SystemClock, TrustPolicy, remember, remember_time,
};

/// How long the last policy holds, at most, while this machine lacks the open files or the memory
/// for reading it ([`PolicySourceError::is_exhausted`]). Others may cause that, such as programs
/// that open many files. It says nothing about the policy, so it does not stop what runs at once.
pub const WHILE_EXHAUSTED: Duration = Duration::from_secs(60);

/// Why a host has no policy. Then nothing is trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicySourceError {
    /// The file cannot be read, others may write it, it is not a policy, or the policy has expired.
    #[error(transparent)]
    File(#[from] PolicyFileError),
    /// The policy is older than one that the host used before, or the newest policy cannot be
    /// remembered.
    #[error(transparent)]
    State(#[from] PolicyStateError),
    /// The clock does not know the time, so no validity can be checked.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The host's own source failed.
    #[error("the host's policy is not available")]
    Host(#[source] Box<dyn Error + Send + Sync>),
}

impl PolicySourceError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Clock(_) => "clock",
            Self::Host(_) => "policy-source",
        }
    }

    /// Whether no policy was read at all: the system does not give the file, or the host's own
    /// source failed. All other errors mean that the host must not follow the policy that was read.
    pub fn is_unread(&self) -> bool {
        match self {
            Self::File(PolicyFileError::Guard { source, .. }) => {
                matches!(source, GuardError::Io(_))
            }
            Self::Host(_) => true,
            _ => false,
        }
    }

    /// How long after its reading the last policy holds, if this error is the reason that there is
    /// no newer one.
    pub(crate) fn last_holds(&self, grace: Duration, stale_after: Option<Duration>) -> Duration {
        if self.is_exhausted() {
            let limit = stale_after.unwrap_or(WHILE_EXHAUSTED);
            grace.max(limit.min(WHILE_EXHAUSTED))
        } else if self.is_unread() {
            grace
        } else {
            Duration::ZERO
        }
    }

    /// Whether this machine lacks what a reading takes: open files or memory. Then the last policy
    /// holds for [`WHILE_EXHAUSTED`].
    pub fn is_exhausted(&self) -> bool {
        of_exhaustion(self)
    }
}

/// Whether an error of the system is behind this error which says that there are too many open
/// files, in this process or in all (`EMFILE`, `ENFILE`), or too little memory (`ENOMEM`).
fn of_exhaustion(error: &(dyn Error + 'static)) -> bool {
    use rustix::io::Errno;
    let mut cause = Some(error);
    while let Some(error) = cause {
        let system = error.downcast_ref::<io::Error>();
        let errno = system.and_then(Errno::from_io_error);
        if matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A policy's file. It is read again each time that a host asks for the policy.
///
/// If policies have a version, a policy that is older than an earlier one is refused, as long as
/// this value exists. With [`Self::remembered_in`], this holds also after a restart.
///
/// ```no_run
/// use edgec_loader::PublicKey;
/// use edgec_loader::store::PolicyFile;
///
/// let root = PublicKey::from_pem(&std::fs::read_to_string("/etc/edgec/root.pub.pem")?)?;
/// let policy = PolicyFile::new("/etc/edgec/trust.toml")
///     .signed_by(vec![root])
///     .remembered_in("/var/lib/edgec/newest-policy");
/// println!("{} keys are trusted", policy.read()?.keys().count());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    roots: Vec<PublicKey>,
    state: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    newest: Mutex<NewestPolicy>,
}

impl PolicyFile {
    /// The file at `path`. It is read like [`TrustPolicy::read`] does.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            roots: Vec::new(),
            state: None,
            clock: Arc::new(SystemClock),
            newest: Mutex::default(),
        }
    }

    /// Requires a signature on the policy by every one of these keys.
    #[must_use]
    pub fn signed_by(self, roots: Vec<PublicKey>) -> Self {
        Self { roots, ..self }
    }

    /// Remembers the newest policy in this file, like [`remember`] does. Then policies need a
    /// version. The clock must not be behind the time that the file knows ([`remember_time`]).
    #[must_use]
    pub fn remembered_in(self, state: impl Into<PathBuf>) -> Self {
        let state = Some(state.into());
        Self { state, ..self }
    }

    /// Takes the time from this clock instead of the system's.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }

    /// Reads the current policy.
    ///
    /// # Errors
    ///
    /// [`PolicySourceError`].
    pub fn read(&self) -> Result<TrustPolicy, PolicySourceError> {
        let now = self.clock.now()?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = TrustPolicy::read(&self.path, &self.roots, now)?;
        if let Some(state) = &self.state {
            remember(state, &policy)?;
            // A clock that was set back would make a policy valid that has expired.
            remember_time(state, &policy, now, [])?;
        }
        newest.follow(&policy)?;
        Ok(policy)
    }
}

/// A policy, and the time at which the host asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) policy: TrustPolicy,
    pub(crate) read: Instant,
}

/// Gives a [`Deployment`](crate::store::Deployment) its policy, at each refresh anew.
#[derive(Clone)]
pub struct PolicySource(Arc<Source>);

type Source = dyn Fn() -> Result<TrustPolicy, PolicySourceError> + Send + Sync;

impl PolicySource {
    /// The host's own source, such as a service. While it fails, nothing is trusted.
    pub fn by<E: Into<Box<dyn Error + Send + Sync>>>(
        source: impl Fn() -> Result<TrustPolicy, E> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || {
            source().map_err(|error| PolicySourceError::Host(error.into()))
        }))
    }

    /// The same source, which is asked at most once in a `period`. Deployments that share it then
    /// share what it gave. An error is not shared: the next one asks again.
    #[must_use]
    pub fn at_most_every(self, period: Duration) -> Self {
        let last: Mutex<Option<Followed>> = Mutex::default();
        Self(Arc::new(move || {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = last.as_ref().filter(|it| it.read.elapsed() < period);
            if let Some(fresh) = fresh {
                return Ok(fresh.policy.clone());
            }
            // If the reading fails, no earlier policy is left.
            *last = None;
            let followed = self.read()?;
            let policy = followed.policy.clone();
            *last = Some(followed);
            Ok(policy)
        }))
    }

    /// The policy now.
    ///
    /// # Errors
    ///
    /// [`PolicySourceError`].
    pub fn policy(&self) -> Result<TrustPolicy, PolicySourceError> {
        self.read().map(|followed| followed.policy)
    }

    pub(crate) fn read(&self) -> Result<Followed, PolicySourceError> {
        // This is before the reading, which may take long: the policy may be as old as this time.
        let read = Instant::now();
        let policy = (self.0)()?;
        Ok(Followed { policy, read })
    }
}

impl From<PolicyFile> for PolicySource {
    fn from(file: PolicyFile) -> Self {
        Self(Arc::new(move || file.read()))
    }
}

/// A policy that stays the same. It can still expire. Then nothing is trusted.
impl From<TrustPolicy> for PolicySource {
    fn from(policy: TrustPolicy) -> Self {
        Self(Arc::new(move || Ok(policy.clone())))
    }
}

impl fmt::Debug for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySource").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use edgec_verifier::UnixTime;

    use super::*;

    const POLICY: &str = "threshold = 1
[[key]]
name = 'release'
pem = '''
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
'''
";

    /// A source that fails at every second call, and its calls.
    fn counted() -> (PolicySource, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let source = PolicySource::by(move || match count.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => TrustPolicy::from_toml(POLICY).map_err(|error| error.to_string()),
            _ => Err("not now".to_owned()),
        });
        (source, calls)
    }

    #[test]
    fn a_policy_is_shared_for_a_period() {
        let (source, calls) = counted();
        let shared = source.at_most_every(Duration::from_secs(600));
        let first = shared.read().unwrap().policy;
        assert_eq!(shared.read().unwrap().policy.digest(), first.digest());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    /// A clock that was set back is noticed, also without a store.
    #[test]
    fn a_clock_behind_the_state_is_refused() {
        #[derive(Debug)]
        struct At(u64);

        impl Clock for At {
            fn now(&self) -> Result<UnixTime, ClockError> {
                Ok(UnixTime::from_seconds(self.0))
            }
        }

        let folder = tempfile::tempdir().unwrap();
        let (file, state) = (
            folder.path().join("trust.toml"),
            folder.path().join("state"),
        );
        std::fs::write(&file, format!("name = 'fleet'\nversion = 1\n{POLICY}")).unwrap();
        let at = |seconds| {
            let policy = PolicyFile::new(&file).remembered_in(&state);
            policy.with_clock(At(seconds)).read()
        };
        let policy = at(1_000_000).unwrap();
        let now = UnixTime::from_seconds(1_000_000);
        remember_time(&state, &policy, now, [now]).unwrap();
        assert!(at(1_000_000 - 300).is_ok());
        assert_eq!(at(1_000_000 - 301).unwrap_err().code(), "clock-behind");
    }

    #[test]
    fn a_lack_of_files_or_memory_is_told_apart() {
        let path = PathBuf::from("trust.toml");
        let of = |errno: i32| {
            let path = path.clone();
            let source = GuardError::Io(io::Error::from_raw_os_error(errno));
            PolicySourceError::File(PolicyFileError::Guard { path, source })
        };
        // EMFILE, ENFILE, ENOMEM.
        assert!(
            [24, 23, 12]
                .into_iter()
                .all(|errno| of(errno).is_exhausted())
        );
        // ENOENT, EACCES, EIO.
        assert!(![2, 13, 5].into_iter().any(|errno| of(errno).is_exhausted()));
        let path = path.clone();
        let source = io::Error::from_raw_os_error(24);
        let state = PolicySourceError::State(PolicyStateError::Io { path, source });
        assert!(state.is_exhausted() && !state.is_unread());
        let host = PolicySourceError::Host(io::Error::from_raw_os_error(24).into());
        assert!(host.is_exhausted());
    }

    #[test]
    fn an_error_is_not_shared_and_leaves_no_policy() {
        let (source, calls) = counted();
        let shared = source.at_most_every(Duration::ZERO);
        assert!(shared.read().is_ok());
        assert!(shared.read().is_err());
        assert!(shared.read().is_ok());
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }
}
