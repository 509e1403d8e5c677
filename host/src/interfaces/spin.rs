//! Interfaces of Spin: `fermyon:spin/key-value` and `fermyon:spin/variables` of 2.0.0. They lead to
//! the buckets and the configuration that `wasi:keyvalue` and `wasi:config` have.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::{Linker, Resource};

use self::bindings::fermyon::spin::{key_value, variables};
use super::{Guest, ImportsView, Interfaces};
use crate::keyvalue::{Bucket, KeyValueError};

pub(super) mod bindings {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/spin.wit",
        world: "imports",
        imports: {
            "fermyon:spin/variables@2.0.0.get": trappable,
            default: async | trappable,
        },
        with: { "fermyon:spin/key-value.store": crate::keyvalue::Bucket },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    key_value::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    variables::add_to_linker::<T, Interfaces>(linker, T::imports)
}

fn code(error: KeyValueError) -> key_value::Error {
    match error {
        KeyValueError::NoSuchStore => key_value::Error::NoSuchStore,
        other => key_value::Error::Other(other.to_string()),
    }
}

impl key_value::Host for ImportsView<'_> {}

impl key_value::HostStore for ImportsView<'_> {
    async fn open(
        &mut self,
        label: String,
    ) -> wasmtime::Result<Result<Resource<Bucket>, key_value::Error>> {
        match self.open_bucket(&label) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(code(error))),
        }
    }

    async fn get(
        &mut self,
        store: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, key_value::Error>> {
        let value = self.bucket(&store)?.get(&key).await;
        Ok(self.heard(value).map_err(code))
    }

    async fn set(
        &mut self,
        store: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), key_value::Error>> {
        let done = self.bucket(&store)?.set(vec![(key, value)]).await;
        Ok(self.heard(done).map_err(code))
    }

    async fn delete(
        &mut self,
        store: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), key_value::Error>> {
        let done = self.bucket(&store)?.delete(&[key]).await;
        Ok(self.heard(done).map_err(code))
    }

    async fn exists(
        &mut self,
        store: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, key_value::Error>> {
        let exists = self.bucket(&store)?.exists(&key).await;
        Ok(self.heard(exists).map_err(code))
    }

    async fn get_keys(
        &mut self,
        store: Resource<Bucket>,
    ) -> wasmtime::Result<Result<Vec<String>, key_value::Error>> {
        let keys = self.bucket(&store)?.all_keys().await;
        Ok(self.heard(keys).map_err(code))
    }

    async fn drop(&mut self, store: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

/// What a variable's name leads to.
pub(super) enum Variable {
    Value(String),
    InvalidName,
    Undefined,
}

impl ImportsView<'_> {
    /// Names of variables are lower case, with digits and underscores, and begin with a letter.
    pub(super) fn variable(&self, name: &str) -> Variable {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let valid = name.starts_with(|first: char| first.is_ascii_lowercase());
        if !valid || !name.bytes().all(allowed) {
            return Variable::InvalidName;
        }
        let value = self.imports.shared.config.get(name);
        value.map_or(Variable::Undefined, |value| Variable::Value(value.clone()))
    }
}

impl variables::Host for ImportsView<'_> {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        Ok(match self.variable(&name) {
            Variable::Value(value) => Ok(value),
            Variable::InvalidName => Err(variables::Error::InvalidName(name)),
            Variable::Undefined => Err(variables::Error::Undefined(name)),
        })
    }
}
