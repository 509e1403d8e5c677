//! Removes the names of what core modules import and export.
//!
//! When the engine compiles, it resolves the imports and exports between the core modules of a
//! component. From then on it uses indices (`wasmtime-environ` 48, `component/dfg.rs`,
//! `ExportItem::Index`; `wasmtime` 48, `component/instance.rs`, `build_imports`). It needs the
//! names only of two kinds of modules: those that a component exports, because a host instantiates
//! them, and core modules outside of components.

use postcard::{from_bytes, to_allocvec};
use serde::{Deserialize, Serialize};
use wasmtime_environ::{EntityIndex, Module};

use super::convert;

/// The engine's type `Initializer`, with its strings as numbers, which count from 1.
#[derive(Serialize, Deserialize)]
enum Initializer {
    Import {
        name: u32,
        field: u32,
        index: EntityIndex,
    },
}

/// Gives every import the empty name, and removes the names of exports.
pub(super) fn drop_names(module: &mut Module) -> Result<(), postcard::Error> {
    let mut imports: Vec<Initializer> = convert(&module.initializers)?;
    for Initializer::Import { name, field, .. } in &mut imports {
        (*name, *field) = (1, 1);
    }
    module.initializers = convert(&imports)?;
    let names: &[&str] = if imports.is_empty() { &[] } else { &[""] };
    module.strings = convert(&names)?;
    let exports: Vec<(u32, EntityIndex)> = Vec::new();
    // A map has the same encoding as its pairs.
    module.exports = convert(&exports)?;
    module.name = None;
    Ok(())
}

/// Restores the names. Returns `false` if the imports differ.
pub(super) fn restore(new: &mut Module, old: &mut Module) -> Result<bool, postcard::Error> {
    let imports = |module: &Module| -> Result<Vec<u8>, postcard::Error> {
        let imports: Vec<Initializer> = from_bytes(&to_allocvec(&module.initializers)?)?;
        let imports = imports
            .iter()
            .map(|Initializer::Import { index, .. }| index);
        to_allocvec(&imports.collect::<Vec<_>>())
    };
    let same = imports(new)? == imports(old)?;
    std::mem::swap(&mut new.initializers, &mut old.initializers);
    std::mem::swap(&mut new.strings, &mut old.strings);
    std::mem::swap(&mut new.exports, &mut old.exports);
    std::mem::swap(&mut new.name, &mut old.name);
    Ok(same)
}
