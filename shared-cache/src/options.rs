//! What a build asks of a shared cache, and what it learns about it.

use std::time::Duration;

use edgec_artifact::{Sha256Digest, SignerKeys};

use crate::address::Address;
use crate::index::Refusal;
use crate::store::{Store, StoreError};

/// Which shared cache a build uses, and whose packs count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// The builds whose packs count: those of this namespace.
    pub namespace: String,
    /// What stands for the program `edgec`, whose answers these are.
    pub edgec: Sha256Digest,
    /// The keys whose packs count. If there are none, nothing is read.
    pub trusted: Vec<SignerKeys>,
    /// How long all questions of the build together wait for the pack.
    pub deadline: Duration,
    /// How long the build waits for its own pack to be written.
    pub write_deadline: Duration,
    /// A store that is open already, for tests.
    #[cfg(test)]
    pub(crate) store: Option<Store>,
}

impl Options {
    /// A cache of which nothing is read. It waits 2 s, and 30 s for writing.
    pub fn new(address: Address, namespace: String, edgec: Sha256Digest) -> Self {
        Self {
            address,
            namespace,
            edgec,
            trusted: Vec::new(),
            deadline: Duration::from_secs(2),
            write_deadline: Duration::from_secs(30),
            #[cfg(test)]
            store: None,
        }
    }

    /// Its store. Nothing is sent yet.
    pub(crate) fn open(&self) -> Result<Store, StoreError> {
        #[cfg(test)]
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        // Either deadline may be 0, when only the other work is wanted.
        Store::open(&self.address, self.deadline.max(self.write_deadline))
    }
}

/// Why a build had less from a shared cache than it could have had, or left less there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The pack was not there in time.
    #[error("it gave no answer within {} s, and the build went on alone", deadline.as_secs_f64())]
    Late {
        /// How long the build has waited.
        deadline: Duration,
    },
    /// The store did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A pack does not count.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The pack of this build was not written in time.
    #[error("the answers of this build were not written there within {} s", deadline.as_secs_f64())]
    WrittenLate {
        /// How long the build has waited.
        deadline: Duration,
    },
}

impl Trouble {
    /// A short name for the trouble that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Late { .. } | Self::WrittenLate { .. } => "cache-late",
            Self::Store(_) => "cache-store",
            Self::Refused(_) => "cache-refused",
        }
    }
}

/// How much a build used a shared cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedUse {
    /// How many answers came from it.
    pub hits: u64,
    /// The length of the pack that was read, in bytes.
    pub bytes_read: u64,
    /// The length of the pack that was written, in bytes.
    pub bytes_written: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The length of the pack, in bytes.
    pub bytes: u64,
}
