//! Why an operation on a key-value store failed.

use crate::Limit;

/// Why an operation failed. Guests see these texts, so none has an address or a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyValueError {
    /// The application has no bucket of this name.
    #[error("the application has no bucket of this name")]
    NoSuchStore,
    /// A key is too long.
    #[error("a key has more than {limit} bytes")]
    Key {
        /// Bytes that it may have.
        limit: usize,
    },
    /// A value is too large.
    #[error("a value has more than {limit} bytes")]
    Value {
        /// Bytes that it may have.
        limit: usize,
    },
    /// The batch names too many keys.
    #[error("a batch has more than {limit} keys")]
    Batch {
        /// Keys that it may have.
        limit: usize,
    },
    /// The application has as many keys as it may have.
    #[error("the application has {limit} keys, and may not have more")]
    Keys {
        /// Keys that it may have.
        limit: usize,
    },
    /// The application's keys and values would be too large together.
    #[error("the application's keys and values would have more than {limit} bytes")]
    Bytes {
        /// Bytes that they may have.
        limit: usize,
    },
    /// The value cannot be added to.
    #[error("the value is not a number of 64 bits, or would not be one")]
    NotANumber,
    /// Too many operations of the application run at the same time.
    #[error("too many operations run at the same time")]
    Busy,
    /// The operation took too long. It may still have an effect.
    #[error("the operation took too long")]
    Timeout,
    /// The store's server cannot be reached, or refuses to work.
    #[error("the key-value server is not available")]
    Unavailable,
}

impl KeyValueError {
    /// The limit of this host that was hit, if it was one.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Key { .. } => Some(Limit::KeyValueKey),
            Self::Value { .. } => Some(Limit::KeyValueValue),
            Self::Batch { .. } => Some(Limit::KeyValueBatch),
            Self::Keys { .. } => Some(Limit::KeyValueKeys),
            Self::Bytes { .. } => Some(Limit::KeyValueMemory),
            Self::Busy => Some(Limit::KeyValueOperations),
            Self::Timeout => Some(Limit::KeyValueTime),
            Self::NoSuchStore | Self::NotANumber | Self::Unavailable => None,
        }
    }
}
