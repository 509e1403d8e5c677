//! Buckets on a Redis server.
//!
//! A bucket is a hash, `edgec:<application>:<bucket>`, and `edgec:<application>:#usage` counts the
//! keys and bytes of all buckets of the application. Scripts change both together, so the bounds
//! hold for all hosts that share the server. Redis runs a script as one step
//! (<https://redis.io/docs/latest/develop/programmability/eval-intro/>).
//!
//! In names, every byte that is not a letter, a digit or one of `-./_` is written as `%` and two
//! digits. So no name of an application or a bucket leads into the keys of another.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;

use super::server::{RedisServer, Repeat};
use super::{KeyValueError, KeyValueLimits, Page};

/// Defines `put`: it sets one field, if the application may have it. `KEYS`: the bucket, the
/// usage. `ARGV`: the field, the most keys, the most bytes.
const PUT: &str = "
local function put(value)
  local old = redis.call('HSTRLEN', KEYS[1], ARGV[1])
  local keys, bytes = 0, #value - old
  if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
    keys, bytes = 1, #ARGV[1] + #value
  end
  local used = redis.call('HMGET', KEYS[2], 'keys', 'bytes')
  if keys > 0 and tonumber(used[1] or '0') + keys > tonumber(ARGV[2]) then return 'keys' end
  if bytes > 0 and tonumber(used[2] or '0') + bytes > tonumber(ARGV[3]) then return 'bytes' end
  redis.call('HSET', KEYS[1], ARGV[1], value)
  redis.call('HINCRBY', KEYS[2], 'keys', keys)
  redis.call('HINCRBY', KEYS[2], 'bytes', bytes)
  return 'ok'
end
";

/// `ARGV[4]`: the value.
const SET: &str = "return put(ARGV[4])";

/// `ARGV[4]`: the value. `ARGV[5]`: the value that must be there; if it is missing, none may be.
const SWAP: &str = "
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found ~= (ARGV[5] or false) then return 'no' end
return put(ARGV[4])
";

/// `ARGV[4]`: what is added. `HINCRBY` computes with 64 bits, and numbers of Lua have 53: so it
/// computes in a field of its own (the name of a field has at most as many bytes as a key), and the
/// result stays text.
const INCREMENT: &str = "
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found then redis.call('HSET', KEYS[2], 'number', found) end
local sum = redis.pcall('HINCRBY', KEYS[2], 'number', ARGV[4])
local text = redis.call('HGET', KEYS[2], 'number')
redis.call('HDEL', KEYS[2], 'number')
if type(sum) == 'table' then return 'number' end
local done = put(text)
if done ~= 'ok' then return done end
return '=' .. text
";

/// `ARGV`: the fields.
const DELETE: &str = "
for _, field in ipairs(ARGV) do
  local old = redis.call('HSTRLEN', KEYS[1], field)
  if redis.call('HDEL', KEYS[1], field) == 1 then
    redis.call('HINCRBY', KEYS[2], 'keys', -1)
    redis.call('HINCRBY', KEYS[2], 'bytes', -#field - old)
  end
end
return 'ok'
";

/// The buckets of one application.
#[derive(Debug)]
pub(super) struct Remote {
    server: Arc<RedisServer>,
    /// `edgec:<application>:`.
    prefix: String,
    most_keys: usize,
    most_bytes: usize,
    timeout: Duration,
}

impl Remote {
    pub(super) fn new(
        server: Arc<RedisServer>,
        application: &str,
        limits: &KeyValueLimits,
    ) -> Self {
        Self {
            server,
            prefix: format!("edgec:{}:", escaped(application)),
            most_keys: limits.keys,
            most_bytes: limits.bytes,
            timeout: limits.timeout,
        }
    }

    fn bucket(&self, bucket: &str) -> String {
        format!("{}{}", self.prefix, escaped(bucket))
    }

    /// A script, and the keys that it may use.
    fn script(&self, text: &str, bucket: &str) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command
            .arg(text)
            .arg(2)
            .arg(self.bucket(bucket))
            .arg(format!("{}#usage", self.prefix));
        command
    }

    /// A script that calls `put` for this field.
    fn put(&self, text: &str, bucket: &str, field: &str) -> Cmd {
        let mut command = self.script(&format!("{PUT}{text}"), bucket);
        command.arg(field).arg(self.most_keys).arg(self.most_bytes);
        command
    }

    /// What a script that calls `put` has answered.
    fn answer<'a>(&self, answer: &'a str) -> Result<&'a str, KeyValueError> {
        match answer {
            "keys" => Err(KeyValueError::Keys {
                limit: self.most_keys,
            }),
            "bytes" => Err(KeyValueError::Bytes {
                limit: self.most_bytes,
            }),
            "number" => Err(KeyValueError::NotANumber),
            other => Ok(other),
        }
    }

    async fn write(&self, command: &Cmd) -> Result<String, KeyValueError> {
        self.server.run(command, self.timeout, Repeat::Never).await
    }

    async fn read<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, KeyValueError> {
        self.server
            .run(command, self.timeout, Repeat::Harmless)
            .await
    }

    pub(super) async fn get(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(self.bucket(bucket)).arg(keys);
        self.read(&command).await
    }

    pub(super) async fn exists(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        let mut command = redis::cmd("HEXISTS");
        command.arg(self.bucket(bucket)).arg(key);
        self.read(&command).await
    }

    /// All keys are read, whose number is bounded, so that pages have an order.
    pub(super) async fn keys(
        &self,
        bucket: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, KeyValueError> {
        let mut command = redis::cmd("HKEYS");
        command.arg(self.bucket(bucket));
        let keys: Vec<Vec<u8>> = self.read(&command).await?;
        // A key that is no text was not written by a guest.
        let keys = keys
            .into_iter()
            .filter_map(|key| String::from_utf8(key).ok());
        let mut keys: Vec<String> = match after {
            Some(after) => keys.filter(|key| key.as_str() > after).collect(),
            None => keys.collect(),
        };
        keys.sort_unstable();
        Ok(Page::of(keys.into_iter(), most))
    }

    pub(super) async fn set(
        &self,
        bucket: &str,
        entries: &[(String, Vec<u8>)],
    ) -> Result<(), KeyValueError> {
        let mut pipeline = redis::pipe();
        for (key, value) in entries {
            let mut command = self.put(SET, bucket, key);
            command.arg(value.as_slice());
            pipeline.add_command(command);
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        let answers = self
            .server
            .run(&pipeline, self.timeout, Repeat::Never)
            .await;
        let answers: Vec<String> = answers?;
        answers
            .iter()
            .try_for_each(|answer| self.answer(answer).map(|_| ()))
    }

    pub(super) async fn delete(&self, bucket: &str, keys: &[String]) -> Result<(), KeyValueError> {
        let mut command = self.script(DELETE, bucket);
        command.arg(keys);
        self.write(&command).await.map(|_| ())
    }

    pub(super) async fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> Result<i64, KeyValueError> {
        let mut command = self.put(INCREMENT, bucket, key);
        command.arg(delta);
        let answer = self.write(&command).await?;
        let sum = self.answer(&answer)?.strip_prefix('=');
        sum.and_then(|sum| sum.parse().ok())
            .ok_or(KeyValueError::Unavailable)
    }

    pub(super) async fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool, KeyValueError> {
        let mut command = self.put(SWAP, bucket, key);
        command.arg(value);
        if let Some(expected) = expected {
            command.arg(expected);
        }
        let answer = self.write(&command).await?;
        Ok(self.answer(&answer)? == "ok")
    }
}

/// A name without the bytes that separate parts of a key.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'/' | b'_' => {
                text.push(char::from(byte));
            }
            // Writing to a string never fails.
            other => _ = write!(text, "%{other:02X}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pairs of names never have the same key.
    #[test]
    fn no_name_leads_into_the_keys_of_another() {
        let key = |application: &str, bucket: &str| {
            let server = RedisServer::new("redis://127.0.0.1", 1, |_| {}).unwrap();
            let limits = KeyValueLimits::default();
            Remote::new(Arc::new(server), application, &limits).bucket(bucket)
        };
        assert_eq!(key("acme/shop", "default"), "edgec:acme/shop:default");
        assert_ne!(key("a", "b:c"), key("a:b", "c"));
        assert_ne!(key("a%3Ab", "c"), key("a:b", "c"));
        assert_eq!(key("a", "#usage"), "edgec:a:%23usage");
        assert_eq!(key("ä", ""), "edgec:%C3%A4:");
    }
}
