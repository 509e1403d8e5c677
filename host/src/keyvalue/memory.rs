//! Buckets in the memory of this process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{KeyValueError, KeyValueLimits, Page};

/// The buckets of one application.
#[derive(Debug)]
pub(super) struct Memory {
    most_keys: usize,
    most_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    keys: usize,
    /// Of all keys and values.
    bytes: usize,
}

impl Memory {
    pub(super) fn new(limits: &KeyValueLimits) -> Self {
        Self {
            most_keys: limits.keys,
            most_bytes: limits.bytes,
            state: Mutex::default(),
        }
    }

    /// The contents. A panic while they were locked leaves them as they were: they are changed
    /// after everything that can fail.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, bucket: &str, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let state = self.state();
        let bucket = state.buckets.get(bucket);
        let value = |key: &String| bucket?.get(key).cloned();
        keys.iter().map(value).collect()
    }

    pub(super) fn exists(&self, bucket: &str, key: &str) -> bool {
        let state = self.state();
        state
            .buckets
            .get(bucket)
            .is_some_and(|bucket| bucket.contains_key(key))
    }

    pub(super) fn set(
        &self,
        bucket: &str,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<(), KeyValueError> {
        let mut state = self.state();
        for (key, value) in entries {
            self.put(&mut state, bucket, &key, value)?;
        }
        Ok(())
    }

    pub(super) fn delete(&self, bucket: &str, keys: &[String]) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(bucket) = state.buckets.get_mut(bucket) else {
            return;
        };
        for key in keys {
            if let Some(value) = bucket.remove(key) {
                state.keys = state.keys.saturating_sub(1);
                state.bytes = state.bytes.saturating_sub(key.len() + value.len());
            }
        }
    }

    pub(super) fn keys(&self, bucket: &str, after: Option<&str>, most: usize) -> Page {
        let state = self.state();
        let Some(bucket) = state.buckets.get(bucket) else {
            return Page::of(std::iter::empty(), most);
        };
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = bucket.range::<str, _>((first, Bound::Unbounded));
        Page::of(keys.map(|(key, _)| key.clone()), most)
    }

    pub(super) fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: i64,
    ) -> Result<i64, KeyValueError> {
        let mut state = self.state();
        let old = match state.buckets.get(bucket).and_then(|bucket| bucket.get(key)) {
            None => 0,
            Some(value) => number(value).ok_or(KeyValueError::NotANumber)?,
        };
        let new = old.checked_add(delta).ok_or(KeyValueError::NotANumber)?;
        self.put(&mut state, bucket, key, new.to_string().into_bytes())?;
        Ok(new)
    }

    pub(super) fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: Option<&[u8]>,
        value: Vec<u8>,
    ) -> Result<bool, KeyValueError> {
        let mut state = self.state();
        let found = state.buckets.get(bucket).and_then(|bucket| bucket.get(key));
        if found.map(Vec::as_slice) != expected {
            return Ok(false);
        }
        self.put(&mut state, bucket, key, value)?;
        Ok(true)
    }

    /// Sets one value, if the application may have it.
    fn put(
        &self,
        state: &mut State,
        bucket: &str,
        key: &str,
        value: Vec<u8>,
    ) -> Result<(), KeyValueError> {
        let old = state.buckets.get(bucket).and_then(|bucket| bucket.get(key));
        let keys = state.keys + usize::from(old.is_none());
        let before = old.map_or(0, |value| key.len() + value.len());
        let bytes = (state.bytes.saturating_sub(before)).saturating_add(key.len() + value.len());
        if keys > self.most_keys {
            let limit = self.most_keys;
            return Err(KeyValueError::Keys { limit });
        }
        // What becomes smaller is always allowed.
        if bytes > self.most_bytes && bytes > state.bytes {
            let limit = self.most_bytes;
            return Err(KeyValueError::Bytes { limit });
        }
        let values = state.buckets.entry(bucket.to_owned()).or_default();
        values.insert(key.to_owned(), value);
        (state.keys, state.bytes) = (keys, bytes);
        Ok(())
    }
}

/// A number as Redis reads it: only in the form in which it would be written, so without `+`,
/// spaces, or zeros in front. Source: `string2ll` in `util.c` of Redis.
fn number(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

impl Page {
    /// The first `most` of the keys, which are in their order.
    pub(super) fn of(mut keys: impl Iterator<Item = String>, most: usize) -> Self {
        let page: Vec<String> = keys.by_ref().take(most).collect();
        let more = keys.next().is_some();
        Self {
            next: page.last().filter(|_| more).cloned(),
            keys: page,
        }
    }
}
