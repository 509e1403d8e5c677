//! Where a host gets its policy from, at each refresh.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use edgec_verifier::{
    Clock, ClockError, GuardError, NewestPolicy, PolicyFileError, PolicyStateError, PublicKey,
    SystemClock, TrustPolicy, remember,
};

/// Why a host has no policy. Nothing is trusted then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicySourceError {
    /// The file cannot be read, others may write it, it is not a policy, or the policy has expired.
    #[error(transparent)]
    File(#[from] PolicyFileError),
    /// The policy is older than one that the host used before, or the newest policy seen cannot be
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

    /// Whether nothing was read that could say whom to trust: the system does not give the file, or
    /// the host's own source failed. All else says that what is there must not be followed.
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

/// A policy's file, which is read again each time that the policy is asked for.
///
/// If policies have a version, a policy older than one that was read before is refused: as long as
/// this value lives, and with [`Self::remembered_in`] also after a restart.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    roots: Vec<PublicKey>,
    state: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    newest: Mutex<NewestPolicy>,
}

impl PolicyFile {
    /// The file at `path`, read as [`TrustPolicy::read`] does.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            roots: Vec::new(),
            state: None,
            clock: Arc::new(SystemClock),
            newest: Mutex::default(),
        }
    }

    /// The policy must be signed by every one of these keys.
    #[must_use]
    pub fn signed_by(self, roots: Vec<PublicKey>) -> Self {
        Self { roots, ..self }
    }

    /// Remembers the newest policy seen in this file, as [`remember`] does; policies then need a
    /// version.
    #[must_use]
    pub fn remembered_in(self, state: impl Into<PathBuf>) -> Self {
        let state = Some(state.into());
        Self { state, ..self }
    }

    /// Takes the time from this clock, and not from the system's.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }

    /// Reads the policy as it is now.
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

/// A policy, and when it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) policy: TrustPolicy,
    pub(crate) read: Instant,
}

/// Gives a [`Deployment`](crate::store::Deployment) its policy, again at each refresh.
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
        // Before the reading, which may take long: what it finds may be as old as this.
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

/// A policy that stays the same. It can still expire, and then nothing is trusted.
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
