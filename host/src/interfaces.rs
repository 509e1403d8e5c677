//! What guests import beside WASI and `wasi:http`: configuration, key-value stores, logging, some
//! of Spin's interfaces, and the name lookup of `wasi:sockets` under the host's rules.
//!
//! | interface | versions |
//! |---|---|
//! | `wasi:config/store` | `0.2.0-rc.1`, `0.2.0-draft-2024-09-27` |
//! | `wasi:keyvalue/{store,atomics,batch}` | `0.2.0-draft`, `0.2.0-draft2` |
//! | `wasi:logging/logging` | `0.1.0-draft`, none |
//! | `wasi:sockets`: lookups, and the creation and end of sockets | 0.2, 0.3 |
//! | `fermyon:spin/{key-value,variables}` | `2.0.0` |
//! | `spin:key-value/key-value`, `spin:variables/variables` | `3.0.0` |
//!
//! Nothing here knows the type of a store's contents: it implements [`Guest`].

mod config;
mod keyvalue;
mod keyvalue_draft;
mod logging;
mod lookup;
mod sockets;
mod spin;
mod spin_3;
mod stubs;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::WasiView;
use wasmtime_wasi_http::WasiHttpView;

pub use self::logging::{GuestLevel, GuestLog};
pub use self::stubs::{StubError, check_imports, stub_missing_imports};

use crate::keyvalue::{KeyValue, KeyValueError};
use crate::outbound::Sockets;

/// What the instances of one application share.
pub struct Shared {
    /// The values of `wasi:config/store` and of Spin's variables.
    pub config: BTreeMap<String, String>,
    /// The buckets. `None`: the application has none.
    pub keyvalue: Option<Arc<KeyValue>>,
    /// Hears what guests log. It must not block.
    pub log: Box<dyn Fn(&GuestLog<'_>) + Send + Sync>,
    /// Hears of operations on the buckets that failed. It must not block.
    pub keyvalue_failed: Box<dyn Fn(&KeyValueError) + Send + Sync>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the values, which may be secrets.
        let mut text = f.debug_struct("Shared");
        text.field("config", &self.config.keys())
            .field("keyvalue", &self.keyvalue);
        text.finish_non_exhaustive()
    }
}

/// What one instance has of the interfaces: a part of its store.
#[derive(Debug)]
pub struct Imports {
    shared: Arc<Shared>,
    sockets: Sockets,
    log_lines: u32,
}

impl Imports {
    /// The state of a new instance. Its store must keep it, since the rights of its sockets end
    /// with it.
    #[must_use]
    pub fn new(shared: Arc<Shared>, sockets: Sockets) -> Self {
        Self {
            shared,
            sockets,
            log_lines: 0,
        }
    }
}

/// The contents of a store whose guest has these interfaces.
pub trait Guest: WasiView + WasiHttpView + 'static {
    /// The state of the instance, and the table of its resources.
    fn imports(&mut self) -> ImportsView<'_>;
}

/// A temporary view of a store's contents.
#[derive(Debug)]
pub struct ImportsView<'a> {
    /// The state of the instance.
    pub imports: &'a mut Imports,
    /// The table of its resources.
    pub table: &'a mut ResourceTable,
}

/// The sockets of an instance.
fn sockets_of<T: Guest>(guest: &mut T) -> Sockets {
    guest.imports().imports.sockets.clone()
}

/// For the bindings: the data of these interfaces is an [`ImportsView`].
struct Interfaces;

impl HasData for Interfaces {
    type Data<'a> = ImportsView<'a>;
}

/// Gives guests everything that this host has: WASI 0.2 and 0.3, `wasi:http` of both, and the
/// interfaces of this module.
///
/// # Errors
///
/// Only memory can be missing: no name is defined twice.
pub fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    // In place of what is there now, which knows no rules and no limits.
    linker.allow_shadowing(true);
    lookup::add_to_linker(linker)?;
    sockets::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    config::add_to_linker(linker)?;
    keyvalue::add_to_linker(linker)?;
    keyvalue_draft::add_to_linker(linker)?;
    logging::add_to_linker(linker)?;
    spin::add_to_linker(linker)?;
    spin_3::add_to_linker(linker)
}

#[cfg(test)]
mod tests;
