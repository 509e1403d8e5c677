//! Where releases come from. [`RegistrySource`] asks registries and folders,
//! and tests answer themselves.

mod registry;

use edgec_artifact::Sha256Digest;
use edgec_store::Standing;
use edgec_verifier::{EngineProfile, Expected, TrustPolicy};

pub use self::registry::RegistrySource;

/// Where releases come from. Several threads ask it.
pub trait Source: Send + Sync {
    /// What a reference names now. `None`: still the index with this digest.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    fn open(
        &self,
        place: &str,
        known: Option<Sha256Digest>,
    ) -> Result<Option<Box<dyn Offered>>, Trouble>;
}

/// What a reference named when it was opened. What was read once is not read again.
pub trait Offered: Send {
    /// The digest of its index.
    fn digest(&self) -> Sha256Digest;

    /// Its release and timestamp, not verified.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    fn statements(&self) -> Result<Option<Given>, Trouble>;

    /// Fetches what this host needs, and admits it to the store.
    ///
    /// # Errors
    ///
    /// [`Trouble`]. Then the store has nothing new that a load would take.
    fn admit(&self, wanted: &Wanted<'_>) -> Result<Taken, Trouble>;
}

/// A release and a timestamp about it, not verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Given {
    /// The release.
    pub release: Vec<u8>,
    /// The timestamp, if there is one.
    pub timestamp: Option<Vec<u8>>,
}

impl Given {
    /// A release and a timestamp.
    #[must_use]
    pub fn new(release: Vec<u8>, timestamp: Option<Vec<u8>>) -> Self {
        Self { release, timestamp }
    }
}

/// What an admission must keep to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Wanted<'a> {
    /// The policy.
    pub policy: &'a TrustPolicy,
    /// The application and its channel.
    pub expected: &'a Expected,
    /// The engine profile of the host.
    pub profile: EngineProfile,
}

/// What an admission has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// Why loads do not take the version, if they do not.
    pub standing: Option<Standing>,
    /// How many bytes were fetched.
    pub bytes: u64,
    /// How many images came as differences to others.
    pub differences: usize,
}

impl Taken {
    /// An admission that fetched this many bytes. `standing` is the worst of its artifacts.
    #[must_use]
    pub fn new(standing: Option<Standing>, bytes: u64, differences: usize) -> Self {
        Self {
            standing,
            bytes,
            differences,
        }
    }
}

/// Who has to do something about a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// What was offered is refused: its publisher has to do something.
    Refused,
    /// The network, the registry or this machine failed. It may be over the next time.
    Environment,
}

/// Why a step failed. Its message says what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Trouble {
    /// A short name that does not change between releases.
    pub code: &'static str,
    /// Who has to do something.
    pub fault: Fault,
    /// What is wrong.
    pub message: String,
    /// Whether no answer came, or only a part of one: then the host of the place is left alone for
    /// a while.
    pub is_silence: bool,
}

impl Trouble {
    /// What was offered is refused.
    #[must_use]
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        let (fault, message) = (Fault::Refused, message.into());
        Self {
            code,
            fault,
            message,
            is_silence: false,
        }
    }

    /// Something around this host failed.
    #[must_use]
    pub fn environment(code: &'static str, message: impl Into<String>) -> Self {
        let (fault, message) = (Fault::Environment, message.into());
        Self {
            code,
            fault,
            message,
            is_silence: false,
        }
    }

    /// A place did not answer.
    #[must_use]
    pub fn silence(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            is_silence: true,
            ..Self::environment(code, message)
        }
    }

    /// The same trouble, at a place.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        let name = place.rsplit_once(':').map_or(place, |(name, _)| name);
        // Most messages name the place, and all of them without the tag.
        if !self.message.contains(name) {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }
}
