//! Why an operation on a key-value store failed.

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
    /// The rule's name in logs and counters, if a limit of this host was hit.
    #[must_use]
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Key { .. } => Some("keyvalue-key"),
            Self::Value { .. } => Some("keyvalue-value"),
            Self::Batch { .. } => Some("keyvalue-batch"),
            Self::Keys { .. } => Some("keyvalue-keys"),
            Self::Bytes { .. } => Some("keyvalue-memory"),
            Self::Busy => Some("keyvalue-operations"),
            Self::Timeout => Some("keyvalue-time"),
            Self::NoSuchStore | Self::NotANumber | Self::Unavailable => None,
        }
    }
}
