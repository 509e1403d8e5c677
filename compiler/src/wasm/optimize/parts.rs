//! A program in parts: the program itself, and for each core module what the optimizer gets or
//! returned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

use super::PruneImports;
use crate::ValidComponent;
use crate::input::valid_component::Description;
use crate::wasm::flatten::Flattened;
use crate::wasm::kept::Failure;
use crate::wasm::spare::Spared;
use crate::worker::wire::{Place, Reader, Writer};

/// A program before or after the optimizer.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The program, without duplicates and unused exports, and with merged core modules.
    pub(crate) program: ValidComponent,
    /// The number of duplicates that were removed.
    pub(crate) shared: usize,
    /// The number of exports that were removed from each core module.
    pub(crate) removed: Vec<usize>,
    /// How core modules were merged.
    pub(crate) flattened: Option<Box<Flattened>>,
    /// The imports of a program that is a core module.
    pub(crate) imports: BTreeSet<String>,
    /// Whether a component loses its unused imports.
    pub(crate) prune_imports: PruneImports,
    /// The length of each core module in bytes.
    pub(crate) before: Vec<usize>,
    /// For each core module, what the optimizer gets or returned; or why it does not get the
    /// module.
    pub(crate) modules: Vec<Result<Module, Failure>>,
}

/// A core module for the optimizer, or from it.
#[derive(Debug)]
pub(crate) struct Module {
    /// The bytes that the optimizer gets, later those that it returned. The latter are not
    /// validated yet.
    pub(crate) bytes: Vec<u8>,
    /// The features that the module uses when the optimizer gets it.
    pub(crate) features: WasmFeatures,
    /// What is kept from the optimizer.
    pub(crate) spared: Spared,
    /// Whether a stand-in takes the place of its data.
    pub(crate) data_apart: bool,
}

/// The head in front of the bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    described: Description,
    program: Place,
    shared: usize,
    removed: Vec<usize>,
    flattened: Option<Box<Flattened>>,
    imports: BTreeSet<String>,
    prune_imports: PruneImports,
    before: Vec<usize>,
    modules: Vec<Result<ModuleHead, Failure>>,
}

#[derive(Serialize, Deserialize)]
struct ModuleHead {
    bytes: Place,
    features: u64,
    spared: Spared,
    data_apart: bool,
}

impl Parts {
    /// Whether the optimizer gets any core module.
    pub(crate) fn has_any(&self) -> bool {
        self.modules.iter().any(Result::is_ok)
    }

    pub(crate) fn write(self, out: &mut Writer<'_>) -> Head {
        let (program, described) = self.program.into_description();
        let program = out.put(program);
        let mut module = |module: Module| ModuleHead {
            bytes: out.put(module.bytes),
            features: module.features.bits(),
            spared: module.spared,
            data_apart: module.data_apart,
        };
        let modules = self.modules.into_iter();
        Head {
            described,
            program,
            shared: self.shared,
            removed: self.removed,
            flattened: self.flattened,
            imports: self.imports,
            prune_imports: self.prune_imports,
            before: self.before,
            modules: modules.map(|result| result.map(&mut module)).collect(),
        }
    }

    /// `None` if bytes are missing.
    pub(crate) fn read(head: Head, from: &mut Reader<'_>) -> Option<Self> {
        let program = from.take(head.program)?;
        let mut modules = Vec::new();
        for module in head.modules {
            modules.push(match module {
                Ok(module) => Ok(Module {
                    bytes: from.take(module.bytes)?,
                    features: WasmFeatures::from_bits_truncate(module.features),
                    spared: module.spared,
                    data_apart: module.data_apart,
                }),
                Err(failure) => Err(failure),
            });
        }
        Some(Self {
            program: ValidComponent::of_description(program, head.described),
            shared: head.shared,
            removed: head.removed,
            flattened: head.flattened,
            imports: head.imports,
            prune_imports: head.prune_imports,
            before: head.before,
            modules,
        })
    }
}
