//! Interfaces of Spin of 3.0.0, whose functions are asynchronous: `spin:key-value/key-value` and
//! `spin:variables/variables`. SDKs whose programs export `wasi:http/handler@0.3.0` import them.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::{Accessor, FutureReader, Linker, Resource, StreamReader};

use self::key_value::spin::key_value::key_value as store;
use self::variables::spin::variables::variables as values;
use super::spin::Variable;
use super::{Guest, ImportsView, Interfaces};
use crate::keyvalue::{Bucket, KeyValueError};

mod key_value {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/spin-key-value.wit",
        world: "imports",
        imports: { default: trappable },
        with: { "spin:key-value/key-value.store": crate::keyvalue::Bucket },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

mod variables {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/spin-variables.wit",
        world: "imports",
        imports: { default: trappable },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    store::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    values::add_to_linker::<T, Interfaces>(linker, T::imports)
}

/// What a function has: the store between two of its steps.
type Caller<T> = Accessor<T, Interfaces>;
/// What a function of the store returns. The outer error is a trap.
type Outcome<V> = wasmtime::Result<Result<V, store::Error>>;

fn bucket<T: 'static>(caller: &Caller<T>, bucket: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
    caller.with(|mut access| access.get().bucket(bucket))
}

/// What the guest sees of a result, of which the host has heard.
fn seen<T: 'static, V>(caller: &Caller<T>, result: Result<V, KeyValueError>) -> Outcome<V> {
    let result = caller.with(|mut access| access.get().heard(result));
    Ok(result.map_err(code))
}

fn code(error: KeyValueError) -> store::Error {
    match error {
        KeyValueError::NoSuchStore => store::Error::NoSuchStore,
        other => store::Error::Other(other.to_string()),
    }
}

impl store::Host for ImportsView<'_> {}

impl store::HostStore for ImportsView<'_> {
    fn drop(&mut self, store: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Guest> store::HostStoreWithStore<T> for Interfaces {
    async fn open(caller: &Caller<T>, label: String) -> Outcome<Resource<Bucket>> {
        caller.with(|mut access| {
            let view = access.get();
            match view.open_bucket(&label) {
                Ok(bucket) => Ok(Ok(view.table.push(bucket)?)),
                Err(error) => Ok(Err(code(error))),
            }
        })
    }

    async fn get(
        caller: &Caller<T>,
        store: Resource<Bucket>,
        key: String,
    ) -> Outcome<Option<Vec<u8>>> {
        let value = bucket(caller, &store)?.get(&key).await;
        seen(caller, value)
    }

    async fn set(
        caller: &Caller<T>,
        store: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Outcome<()> {
        let done = bucket(caller, &store)?.set(vec![(key, value)]).await;
        seen(caller, done)
    }

    async fn delete(caller: &Caller<T>, store: Resource<Bucket>, key: String) -> Outcome<()> {
        let done = bucket(caller, &store)?.delete(&[key]).await;
        seen(caller, done)
    }

    async fn exists(caller: &Caller<T>, store: Resource<Bucket>, key: String) -> Outcome<bool> {
        let exists = bucket(caller, &store)?.exists(&key).await;
        seen(caller, exists)
    }

    async fn get_keys(
        caller: &Caller<T>,
        store: Resource<Bucket>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), store::Error>>)> {
        let keys = bucket(caller, &store)?.all_keys().await;
        let (keys, end) = match seen(caller, keys)? {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        caller.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let end = async move { wasmtime::error::Ok(end) };
            Ok((keys, FutureReader::new(&mut access, end)?))
        })
    }
}

impl values::Host for ImportsView<'_> {}

impl<T: Guest> values::HostWithStore<T> for Interfaces {
    async fn get(
        caller: &Caller<T>,
        name: String,
    ) -> wasmtime::Result<Result<String, values::Error>> {
        let variable = caller.with(|mut access| access.get().variable(&name));
        Ok(match variable {
            Variable::Value(value) => Ok(value),
            Variable::InvalidName => Err(values::Error::InvalidName(name)),
            Variable::Undefined => Err(values::Error::Undefined(name)),
        })
    }
}
