//! `[application.keyvalue]`: where the buckets of an application are.

use std::fmt;

use edgec_configuration::{Word, positive, words};
use serde::Deserialize;

use super::Period;
use super::values::ByteSize;

/// Where the buckets of `wasi:keyvalue` are. Each application has a namespace of its own.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct KeyValueConfig {
    /// The Redis server. `None`: in the memory of this process, until it ends.
    pub redis: Option<RedisUrl>,
    /// Names of further buckets. There is always `default`.
    pub buckets: Vec<String>,
    /// Keys in all buckets, at most.
    pub max_keys: u32,
    /// The size of all keys and values, at most, also on a Redis server.
    pub memory: ByteSize,
    /// The size of a value, at most.
    pub value: ByteSize,
    /// The length of a key, at most.
    pub key: ByteSize,
    /// Operations at one time, at most.
    #[serde(deserialize_with = "positive")]
    pub max_operations: u32,
    /// Connections to the Redis server, at most. Applications with the same address share them.
    #[serde(deserialize_with = "positive")]
    pub max_connections: u32,
    /// How long an operation may take.
    #[serde(deserialize_with = "positive")]
    pub timeout: Period,
}

impl Default for KeyValueConfig {
    fn default() -> Self {
        Self {
            redis: None,
            buckets: Vec::new(),
            max_keys: 10_000,
            memory: ByteSize::bytes(16 << 20),
            value: ByteSize::bytes(1 << 20),
            key: ByteSize::bytes(1 << 10),
            max_operations: 64,
            max_connections: 8,
            timeout: Period::secs(1),
        }
    }
}

/// The address of a Redis server: `redis://127.0.0.1:6379/0`, or `unix:/run/redis.sock`. It may
/// hold a password, so it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The address with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(..)")
    }
}

words!(RedisUrl);

impl Word for RedisUrl {
    const WRITE: &'static str = "an address in quotes, such as \"redis://127.0.0.1:6379/0\"";

    fn read(text: &str) -> Result<Self, String> {
        // The text may hold a password, so no message quotes it.
        let known = ["redis://", "unix:", "redis+unix:"];
        match known.iter().any(|scheme| text.starts_with(scheme)) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("write {}", Self::WRITE)),
        }
    }
}
