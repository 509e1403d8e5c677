//! One bucket: its operations, within the limits of its application.

use std::sync::Arc;

use super::{Backend, KeyValue, KeyValueError};

/// A bucket that a guest has opened.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) store: Arc<KeyValue>,
    pub(super) name: Arc<str>,
}

/// A part of the keys of a bucket, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next part begins: the last key of this one. `None` after the last part.
    pub next: Option<String>,
}

impl Bucket {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`], as of all operations.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        let mut values = self.get_many(&[key.to_owned()]).await?;
        Ok(values.pop().flatten())
    }

    /// The values of keys, in their order.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, KeyValueError> {
        self.check_keys(keys.iter().map(String::as_str))?;
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => Ok(memory.get(&self.name, keys)),
                Backend::Redis(redis) => redis.get(&self.name, keys).await,
            }
        })
        .await
    }

    /// Sets values. If an error occurs, some of them may be set.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn set(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), KeyValueError> {
        self.check_keys(entries.iter().map(|(key, _)| key.as_str()))?;
        for (_, value) in &entries {
            self.check_value(value)?;
        }
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => memory.set(&self.name, entries),
                Backend::Redis(redis) => redis.set(&self.name, &entries).await,
            }
        })
        .await
    }

    /// Removes keys. A key that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn delete(&self, keys: &[String]) -> Result<(), KeyValueError> {
        self.check_keys(keys.iter().map(String::as_str))?;
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => {
                    memory.delete(&self.name, keys);
                    Ok(())
                }
                Backend::Redis(redis) => redis.delete(&self.name, keys).await,
            }
        })
        .await
    }

    /// Whether there is a value for a key.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        self.check_keys([key])?;
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => Ok(memory.exists(&self.name, key)),
                Backend::Redis(redis) => redis.exists(&self.name, key).await,
            }
        })
        .await
    }

    /// The keys after `after`, as many as one call lists.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn keys(&self, after: Option<&str>) -> Result<Page, KeyValueError> {
        self.page(after, self.store.limits.page).await
    }

    /// All keys. The number of keys of an application is bounded.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn all_keys(&self) -> Result<Vec<String>, KeyValueError> {
        Ok(self.page(None, usize::MAX).await?.keys)
    }

    async fn page(&self, after: Option<&str>, most: usize) -> Result<Page, KeyValueError> {
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => Ok(memory.keys(&self.name, after, most)),
                Backend::Redis(redis) => redis.keys(&self.name, after, most).await,
            }
        })
        .await
    }

    /// Adds to a number, which is stored in decimal digits. A missing key counts as 0.
    ///
    /// # Errors
    ///
    /// [`KeyValueError::NotANumber`] if the value is no number of 64 bits, or would become none.
    pub async fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError> {
        self.check_keys([key])?;
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => memory.increment(&self.name, key, delta),
                Backend::Redis(redis) => redis.increment(&self.name, key, delta).await,
            }
        })
        .await
    }

    /// Sets a value if the key still has the value `expected`. Returns whether it has.
    ///
    /// # Errors
    ///
    /// [`KeyValueError`].
    pub async fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Vec<u8>,
    ) -> Result<bool, KeyValueError> {
        self.check_keys([key])?;
        self.check_value(&value)?;
        self.limited(async {
            match &self.store.backend {
                Backend::Memory(memory) => memory.swap(&self.name, key, expected, value),
                Backend::Redis(redis) => redis.swap(&self.name, key, expected, &value).await,
            }
        })
        .await
    }

    fn check_keys<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Result<(), KeyValueError> {
        let limits = &self.store.limits;
        for (index, key) in keys.into_iter().enumerate() {
            if index >= limits.batch {
                return Err(KeyValueError::Batch {
                    limit: limits.batch,
                });
            }
            if key.len() > limits.key {
                return Err(KeyValueError::Key { limit: limits.key });
            }
        }
        Ok(())
    }

    fn check_value(&self, value: &[u8]) -> Result<(), KeyValueError> {
        let limit = self.store.limits.value;
        match value.len() > limit {
            true => Err(KeyValueError::Value { limit }),
            false => Ok(()),
        }
    }

    /// Runs an operation as one of the application's.
    async fn limited<T>(
        &self,
        operation: impl Future<Output = Result<T, KeyValueError>>,
    ) -> Result<T, KeyValueError> {
        let place = self.store.operations.try_acquire();
        let _place = place.map_err(|_| KeyValueError::Busy)?;
        operation.await
    }
}
