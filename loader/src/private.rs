//! Bytes in this process's own memory, for systems without sealed memory files.
#![cfg_attr(
    target_os = "linux",
    allow(
        dead_code,
        reason = "Linux seals; the code is compiled and tested there all the same"
    )
)]

use std::fs::File;
use std::io::{self, Read as _};

use edgec_verifier::VerifiedArtifact;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Result};

use crate::LoadMode;

/// A buffer that was read once.
#[derive(Debug)]
pub(crate) struct PrivateBytes(Vec<u8>);

impl PrivateBytes {
    pub(crate) const MODE: LoadMode = LoadMode::PrivateCopy;

    /// Reads `len` bytes of `source`.
    ///
    /// # Errors
    ///
    /// What the system says; `UnexpectedEof` when the file became shorter meanwhile.
    pub(crate) fn read(source: File, len: u64) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let read = source.take(len).read_to_end(&mut bytes)?;
        if read as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(bytes))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn component(
        &self,
        engine: &Engine,
        artifact: &VerifiedArtifact<'_>,
    ) -> Result<Component> {
        // SAFETY: the engine wants bytes that an engine of its own version wrote; it copies
        // them. A signer whom the caller trusts vouches for that, which is what the
        // `VerifiedArtifact` proves.
        unsafe { Component::deserialize(engine, artifact.image()) }
    }

    pub(crate) fn module(
        &self,
        engine: &Engine,
        artifact: &VerifiedArtifact<'_>,
    ) -> Result<Module> {
        // SAFETY: as in `component`.
        unsafe { Module::deserialize(engine, artifact.image()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let source = tempfile::tempfile().unwrap();
        let error = PrivateBytes::read(source, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
