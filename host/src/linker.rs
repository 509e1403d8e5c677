//! What programs may import.

use edgec_loader::HostEngine;
use edgec_loader::wasmtime::Result;
use edgec_loader::wasmtime::component::Linker;

use crate::guest::{GuestState, kept};
use crate::interfaces;

/// A linker with WASI 0.2 and 0.3, both versions of `wasi:http`, and the host's other interfaces.
///
/// An import says only that a program can call a function. What a call may do is decided by the
/// state of its instance: without folders, arguments and sockets, most of WASI answers with errors.
pub(crate) fn linker(engine: &HostEngine) -> Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    interfaces::add_to_linker(&mut linker)?;
    linker.allow_shadowing(true);
    kept::add_to_linker(&mut linker)?;
    linker.allow_shadowing(false);
    Ok(linker)
}
