//! `wasi:config/store`: the values of `[application.config]`.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::Linker;

use super::{Guest, ImportsView, Interfaces};

mod candidate {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/config.wit",
        world: "imports",
        imports: { default: trappable },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

mod draft {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/config-draft.wit",
        world: "imports",
        imports: { default: trappable },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    candidate::wasi::config::store::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    draft::wasi::config::store::add_to_linker::<T, Interfaces>(linker, T::imports)
}

impl ImportsView<'_> {
    fn all(&self) -> Vec<(String, String)> {
        let values = self.imports.shared.config.iter();
        values
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

macro_rules! store {
    ($bindings:ident) => {
        impl $bindings::wasi::config::store::Host for ImportsView<'_> {
            fn get(
                &mut self,
                key: String,
            ) -> wasmtime::Result<Result<Option<String>, $bindings::wasi::config::store::Error>>
            {
                Ok(Ok(self.imports.shared.config.get(&key).cloned()))
            }

            fn get_all(
                &mut self,
            ) -> wasmtime::Result<
                Result<Vec<(String, String)>, $bindings::wasi::config::store::Error>,
            > {
                Ok(Ok(self.all()))
            }
        }
    };
}

store!(candidate);
store!(draft);
