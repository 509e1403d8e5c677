//! A program in parts: itself, and what the optimizer gets or gave for each core module.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

use crate::ValidComponent;
use crate::input::validate::Description;
use crate::wasm::kept::Failure;
use crate::wasm::spare::Spared;
use crate::worker::wire::{Place, Reader, Writer};

/// A program on its way through the optimizer.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The program, without duplicates and unused exports.
    pub(crate) program: ValidComponent,
    /// How many duplicates there were.
    pub(crate) shared: usize,
    /// How many exports each core module lost.
    pub(crate) removed: Vec<usize>,
    /// The imports of a program that is a core module.
    pub(crate) imports: BTreeSet<String>,
    /// The length of each core module in bytes.
    pub(crate) before: Vec<usize>,
    /// What the optimizer gets, or gave, for each core module; or why nothing.
    pub(crate) modules: Vec<Result<Module, Failure>>,
}

/// A core module for the optimizer, or from it.
#[derive(Debug)]
pub(crate) struct Module {
    /// What it gets, then what it gave. Nothing has validated that yet.
    pub(crate) bytes: Vec<u8>,
    /// The features that it uses when the optimizer gets it.
    pub(crate) features: WasmFeatures,
    /// What was kept from the optimizer.
    pub(crate) spared: Spared,
}

/// What stands in front of the bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    described: Description,
    program: Place,
    shared: usize,
    removed: Vec<usize>,
    imports: BTreeSet<String>,
    before: Vec<usize>,
    modules: Vec<Result<ModuleHead, Failure>>,
}

#[derive(Serialize, Deserialize)]
struct ModuleHead {
    bytes: Place,
    features: u64,
    spared: Spared,
}

impl Parts {
    /// Whether there is a core module that the optimizer gets.
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
        };
        let modules = self.modules.into_iter();
        Head {
            described,
            program,
            shared: self.shared,
            removed: self.removed,
            imports: self.imports,
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
                }),
                Err(failure) => Err(failure),
            });
        }
        Some(Self {
            program: ValidComponent::of_description(program, head.described),
            shared: head.shared,
            removed: head.removed,
            imports: head.imports,
            before: head.before,
            modules,
        })
    }
}
