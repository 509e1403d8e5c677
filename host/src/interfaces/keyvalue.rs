//! `wasi:keyvalue` 0.2.0-draft2: the buckets of the application.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::{Linker, Resource};

use self::bindings::wasi::keyvalue::{atomics, batch, store};
use super::{Guest, ImportsView, Interfaces};
use crate::keyvalue::{Bucket, KeyValueError, Page};

pub(super) mod bindings {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft2.wit",
        world: "imports",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": crate::keyvalue::Bucket,
            "wasi:keyvalue/atomics.cas": super::Cas,
        },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

/// A value that was seen, and that a swap compares.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the bindings export it")]
pub struct Cas {
    bucket: Bucket,
    key: String,
    seen: Option<Vec<u8>>,
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    store::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    atomics::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    batch::add_to_linker::<T, Interfaces>(linker, T::imports)
}

impl ImportsView<'_> {
    /// Opens a bucket. An application without buckets has none of any name.
    pub(super) fn open_bucket(&self, name: &str) -> Result<Bucket, KeyValueError> {
        let keyvalue = self.imports.shared.keyvalue.as_ref();
        keyvalue.ok_or(KeyValueError::NoSuchStore)?.open(name)
    }

    /// Tells the host of a failure that the guest will see.
    pub(super) fn heard<V>(&self, result: Result<V, KeyValueError>) -> Result<V, KeyValueError> {
        result.inspect_err(|error| (self.imports.shared.keyvalue_failed)(error))
    }

    /// A bucket that the guest holds.
    pub(super) fn bucket(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
        Ok(self.table.get(bucket)?.clone())
    }
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

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let page = self.bucket(&bucket)?.keys(cursor.as_deref()).await;
        let page = self.heard(page).map_err(code);
        Ok(page.map(|Page { keys, next, .. }| store::KeyResponse { keys, cursor: next }))
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
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        let sum = self.bucket(&bucket)?.increment(&key, delta).await;
        Ok(self.heard(sum).map_err(code))
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let cas = self.table.delete(cas)?;
        let swapped = cas.bucket.swap(&cas.key, cas.seen.as_deref(), value).await;
        match self.heard(swapped) {
            Ok(true) => Ok(Ok(())),
            Ok(false) => {
                // With the value that is there now, so that the guest can try again.
                let seen = cas.bucket.get(&cas.key).await;
                match self.heard(seen) {
                    Ok(seen) => {
                        let cas = self.table.push(Cas { seen, ..cas })?;
                        Ok(Err(atomics::CasError::CasFailed(cas)))
                    }
                    Err(error) => Ok(Err(atomics::CasError::StoreError(code(error)))),
                }
            }
            Err(error) => Ok(Err(atomics::CasError::StoreError(code(error)))),
        }
    }
}

impl atomics::HostCas for ImportsView<'_> {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let seen = bucket.get(&key).await;
        match self.heard(seen) {
            Ok(seen) => Ok(Ok(self.table.push(Cas { bucket, key, seen })?)),
            Err(error) => Ok(Err(code(error))),
        }
    }

    async fn current(
        &mut self,
        cas: Resource<Cas>,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Ok(self.table.get(&cas)?.seen.clone()))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl batch::Host for ImportsView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, store::Error>> {
        let values = self.bucket(&bucket)?.get_many(&keys).await;
        let values = self.heard(values).map_err(code);
        Ok(values.map(|values| keys.into_iter().zip(values).collect()))
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
