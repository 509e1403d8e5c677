//! `wasi:keyvalue` 0.2.0-draft: the same buckets. This version has no compare-and-swap, and its
//! cursors and counters are unsigned numbers.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::{Linker, Resource};

use self::bindings::wasi::keyvalue::{atomics, batch, store};
use super::{Guest, ImportsView, Interfaces};
use crate::keyvalue::{Bucket, KeyValueError};

pub(super) mod bindings {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft.wit",
        world: "imports",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": crate::keyvalue::Bucket },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    store::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    atomics::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    batch::add_to_linker::<T, Interfaces>(linker, T::imports)
}

fn code(error: KeyValueError) -> store::Error {
    match error {
        KeyValueError::NoSuchStore => store::Error::NoSuchStore,
        other => store::Error::Other(other.to_string()),
    }
}

impl store::Host for ImportsView<'_> {
    async fn open(
        &mut self,
        identifier: String,
    ) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        match self.open_bucket(&identifier) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(code(error))),
        }
    }
}

impl store::HostBucket for ImportsView<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let value = self.bucket(&bucket)?.get(&key).await;
        Ok(self.heard(value).map_err(code))
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let done = self.bucket(&bucket)?.set(vec![(key, value)]).await;
        Ok(self.heard(done).map_err(code))
    }

    async fn delete(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let done = self.bucket(&bucket)?.delete(&[key]).await;
        Ok(self.heard(done).map_err(code))
    }

    async fn exists(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, store::Error>> {
        let exists = self.bucket(&bucket)?.exists(&key).await;
        Ok(self.heard(exists).map_err(code))
    }

    /// A number cannot name a key, so the cursor counts keys, and the whole list is one page: its
    /// length is bounded.
    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let keys = self.bucket(&bucket)?.all_keys().await;
        let skipped = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
        let keys = self.heard(keys).map_err(code);
        Ok(keys.map(|keys| store::KeyResponse {
            keys: keys.into_iter().skip(skipped).collect(),
            cursor: None,
        }))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for ImportsView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let sum = match i64::try_from(delta) {
            Ok(delta) => bucket.increment(&key, delta).await,
            Err(_) => Err(KeyValueError::NotANumber),
        };
        let sum = sum.and_then(|sum| u64::try_from(sum).map_err(|_| KeyValueError::NotANumber));
        Ok(self.heard(sum).map_err(code))
    }
}

impl batch::Host for ImportsView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>, store::Error>> {
        let values = self.bucket(&bucket)?.get_many(&keys).await;
        let values = self.heard(values).map_err(code);
        let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        Ok(values.map(|values| keys.into_iter().zip(values).map(pair).collect()))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let done = self.bucket(&bucket)?.set(entries).await;
        Ok(self.heard(done).map_err(code))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let done = self.bucket(&bucket)?.delete(&keys).await;
        Ok(self.heard(done).map_err(code))
    }
}
