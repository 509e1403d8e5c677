//! Reads `.wasmtime.info`, the engine's own description of an image.
//!
//! It is decoded with the engine's types, and they trust it. A hostile description can make them
//! panic, or allocate as much as a length field says. So the description of an unverified image is
//! read only in a worker.
//!
//! Source: `wasmtime` 48, `runtime/module.rs`; `wasmtime-environ` 48, `module_artifacts.rs` and
//! `component/artifacts.rs`.

use serde::de::DeserializeOwned;
use wasmtime_environ::component::ComponentArtifacts;
use wasmtime_environ::{CompiledFunctionsTable, CompiledModuleInfo, ModuleTypes};

use crate::ProgramKind;

/// The name of the section.
#[cfg(feature = "precompile")]
pub(crate) const SECTION: &str = ".wasmtime.info";

/// The content of the section in the image of a core module.
pub(crate) type ModuleArtifacts = (CompiledModuleInfo, CompiledFunctionsTable, ModuleTypes);

/// Reads the content of the section.
///
/// # Errors
///
/// The engine of this version would write it differently.
pub(crate) fn decode<A: DeserializeOwned>(section: &[u8]) -> Result<A, postcard::Error> {
    postcard::from_bytes(section)
}

/// The engine's description of an image.
pub(crate) enum Metadata {
    Component(Box<ComponentArtifacts>),
    Module(Box<ModuleArtifacts>),
}

impl Metadata {
    /// Reads the content of the section, in an image of this kind.
    ///
    /// # Errors
    ///
    /// The same as for [`decode`].
    pub(crate) fn read(section: &[u8], kind: ProgramKind) -> Result<Self, postcard::Error> {
        Ok(match kind {
            ProgramKind::Component => Self::Component(Box::new(decode(section)?)),
            ProgramKind::Module => Self::Module(Box::new(decode(section)?)),
        })
    }

    /// The places of the functions in the code.
    #[cfg(feature = "precompile")]
    pub(crate) fn functions(&self) -> &CompiledFunctionsTable {
        match self {
            Self::Component(artifacts) => &artifacts.table,
            Self::Module(artifacts) => &artifacts.1,
        }
    }

    /// The places of the functions in the code, and the core modules, sorted by number.
    #[cfg(feature = "precompile")]
    pub(crate) fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>) {
        match self {
            Self::Component(artifacts) => {
                let modules = artifacts.static_modules.iter_mut();
                (&mut artifacts.table, modules.map(|(_, it)| it).collect())
            }
            Self::Module(artifacts) => (&mut artifacts.1, vec![&mut artifacts.0]),
        }
    }

    /// The content of the section.
    #[cfg(feature = "precompile")]
    pub(crate) fn write(&self) -> Result<Vec<u8>, postcard::Error> {
        match self {
            Self::Component(artifacts) => postcard::to_allocvec(&**artifacts),
            Self::Module(artifacts) => postcard::to_allocvec(&**artifacts),
        }
    }

    /// The core modules, sorted by number.
    #[cfg(feature = "precompile")]
    pub(crate) fn modules(&self) -> Vec<&wasmtime_environ::Module> {
        match self {
            Self::Component(artifacts) => {
                let modules = artifacts.static_modules.values();
                modules.map(|known| &known.module).collect()
            }
            Self::Module(artifacts) => vec![&artifacts.0.module],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_does_not_write_is_an_error() {
        for kind in [ProgramKind::Component, ProgramKind::Module] {
            for wrong in [&[][..], &[0xff; 20]] {
                assert!(Metadata::read(wrong, kind).is_err());
            }
        }
    }
}
