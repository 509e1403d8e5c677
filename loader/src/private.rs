//! Bytes in this process's own memory, for systems without sealed memory files.
#![cfg_attr(
    target_os = "linux",
    allow(
        dead_code,
        reason = "Linux uses sealed files, but this code is compiled and tested there as well"
    )
)]

use std::io::{self, Read};

use edgec_files::read_bounded;
use edgec_verifier::Facts;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Result};

use crate::LoadMode;

/// The load mode of these bytes.
pub(crate) const MODE: LoadMode = LoadMode::PrivateCopy;

/// A buffer that was read once.
#[derive(Debug)]
pub(crate) struct PrivateBytes(Vec<u8>);

impl PrivateBytes {
    /// The bytes.
    pub(crate) fn view(&self) -> io::Result<&[u8]> {
        Ok(&self.0)
    }

    /// The signed image. The envelope lies after it.
    fn image(&self, facts: &Facts) -> &[u8] {
        let len = usize::try_from(facts.manifest().image.length).unwrap_or(usize::MAX);
        self.0.get(..len).unwrap_or(&self.0)
    }
}

/// The component in the bytes. The facts prove that it was verified.
pub(crate) fn component(bytes: &PrivateBytes, engine: &Engine, facts: &Facts) -> Result<Component> {
    // SAFETY: the engine requires bytes that an engine of its own version wrote, and copies them. A
    // signer that the caller trusts vouches for that, and the facts prove it.
    unsafe { Component::deserialize(engine, bytes.image(facts)) }
}

/// The core module in the bytes, like [`component`].
pub(crate) fn module(bytes: &PrivateBytes, engine: &Engine, facts: &Facts) -> Result<Module> {
    // SAFETY: as in `component`.
    unsafe { Module::deserialize(engine, bytes.image(facts)) }
}

/// Reads `len` bytes of `source`.
///
/// # Errors
///
/// The system's error; `UnexpectedEof` if the file became shorter meanwhile.
pub(crate) fn read(source: impl Read, len: u64) -> io::Result<PrivateBytes> {
    let bytes = read_bounded(source.take(len), len, len)?;
    if bytes.len() as u64 != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(PrivateBytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let source = tempfile::tempfile().unwrap();
        let error = read(source, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
