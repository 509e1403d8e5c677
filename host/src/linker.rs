//! What programs may import.

use edgec_loader::wasmtime::Result;
use edgec_loader::wasmtime::component::Linker;

use crate::config::ApplicationConfig;
use crate::guest::GuestState;
use crate::interfaces;

/// A linker with WASI 0.2 and 0.3, both versions of `wasi:http`, and the interfaces of an
/// application.
///
/// An import says only that a program can call a function. What a call may do is decided by the
/// state of its instance: without folders, arguments and sockets, most of WASI answers with errors.
pub(crate) fn linker(
    engine: &edgec_loader::HostEngine,
    config: &ApplicationConfig,
) -> Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    interfaces::add_to_linker(&mut linker, config)?;
    Ok(linker)
}
