//! The source from which a host gets its policy at each refresh.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use edgec_verifier::{
    Clock, ClockError, GuardError, NewestPolicy, PolicyFileError, PolicyStateError, PublicKey,
    SystemClock, TrustPolicy, remember,
};

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
    /// version.
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
