//! The key-value stores of applications: what `wasi:keyvalue` and `fermyon:spin/key-value` use.
//!
//! An application has buckets, which its operator names. Their contents are in the memory of this
//! process, or on a Redis server. Either way, no application reads or writes another one's, and
//! the keys and bytes of each application are bounded.

mod bucket;
mod error;
mod memory;
mod remote;
mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use self::bucket::{Bucket, Page};
pub use self::error::KeyValueError;
pub use self::server::{InvalidRedisUrl, RedisServer};

use self::memory::Memory;
use self::remote::Remote;

/// What the keys and values of one application may take.
#[derive(Clone, Debug)]
pub struct KeyValueLimits {
    /// Bytes of a key.
    pub key: usize,
    /// Bytes of a value.
    pub value: usize,
    /// Keys, in all buckets.
    pub keys: usize,
    /// Bytes of all keys and values, in all buckets.
    pub bytes: usize,
    /// Keys of one batch.
    pub batch: usize,
    /// Keys that one call lists.
    pub page: usize,
    /// Operations at a time.
    pub operations: usize,
    /// How long an operation may take.
    pub timeout: Duration,
}

impl Default for KeyValueLimits {
    fn default() -> Self {
        Self {
            key: 1 << 10,
            value: 1 << 20,
            keys: 10_000,
            bytes: 16 << 20,
            batch: 1_000,
            page: 1_000,
            operations: 64,
            timeout: Duration::from_secs(1),
        }
    }
}

/// Where the buckets are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Place {
    /// In this process, until the application is no longer served.
    Memory,
    /// On a Redis server, below the application's name.
    Redis(Arc<RedisServer>),
}

/// The buckets of one application.
#[derive(Debug)]
pub struct KeyValue {
    backend: Backend,
    buckets: BTreeSet<String>,
    limits: KeyValueLimits,
    operations: Semaphore,
}

#[derive(Debug)]
enum Backend {
    Memory(Memory),
    Redis(Remote),
}

/// The bucket that has no name: `wasi:keyvalue` calls it the empty one, and Spin `default`.
pub const DEFAULT_BUCKET: &str = "default";

impl KeyValue {
    /// The buckets of an application. `default` is always one of them.
    #[must_use]
    pub fn new(
        application: &str,
        place: Place,
        buckets: impl IntoIterator<Item = String>,
        limits: KeyValueLimits,
    ) -> Arc<Self> {
        let backend = match place {
            Place::Memory => Backend::Memory(Memory::new(&limits)),
            Place::Redis(server) => Backend::Redis(Remote::new(server, application, &limits)),
        };
        let mut buckets: BTreeSet<String> = buckets.into_iter().collect();
        buckets.insert(DEFAULT_BUCKET.to_owned());
        let operations = limits.operations.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            backend,
            buckets,
            operations: Semaphore::new(operations),
            limits,
        })
    }

    /// Opens a bucket. The empty name is the default one.
    ///
    /// # Errors
    ///
    /// [`KeyValueError::NoSuchStore`] if the application has none of this name.
    pub fn open(self: &Arc<Self>, name: &str) -> Result<Bucket, KeyValueError> {
        let name = if name.is_empty() {
            DEFAULT_BUCKET
        } else {
            name
        };
        let known = self.buckets.get(name).ok_or(KeyValueError::NoSuchStore)?;
        Ok(Bucket {
            store: Arc::clone(self),
            name: Arc::from(known.as_str()),
        })
    }
}

#[cfg(test)]
mod tests;
