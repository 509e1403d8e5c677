//! Programs in files whose bytes do not change: the engine maps the file itself.

use edgec_store::StableFile;
use edgec_verifier::Facts;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Result};

/// The component in a file. The facts prove that it was verified.
pub(crate) fn component(file: &StableFile, engine: &Engine, _: &Facts) -> Result<Component> {
    // SAFETY: the engine requires a file that an engine of its own version wrote and that does not
    // change. A signer that the caller trusts vouches for the first, and the facts prove that. The
    // code that made `file` vouches for the second.
    unsafe { Component::deserialize_file(engine, file.path()) }
}

/// The core module in a file, like [`component`].
pub(crate) fn module(file: &StableFile, engine: &Engine, _: &Facts) -> Result<Module> {
    // SAFETY: as in `component`.
    unsafe { Module::deserialize_file(engine, file.path()) }
}
