//! Makes a program from the optimizer's results: validates them, and puts the program together.

use std::borrow::Cow;

use wasmparser::WasmFeatures;

use super::{
    KeptFunction, Module, ModuleOutcome, ModuleReport, Optimized, Parts, PruneImports, is_note,
    module_imports, not_understood,
};
use crate::input::found::KnownCode;
use crate::input::validate::validate_known;
use crate::wasm::data_apart::with_data;
use crate::wasm::function_names::{named, numbered};
use crate::wasm::kept::Failure;
use crate::wasm::modules::{core_modules, map_modules};
use crate::wasm::prune_imports::{self, Pruned};
use crate::wasm::set_aside::put_back;
use crate::wasm::share_modules::share_modules;
use crate::worker::parallel::{map_at_once, workers_at_once};
use crate::{ProgramKind, ValidComponent, ValidateError, validate};

/// The optimized program. Modules without a valid result stay the same.
pub(crate) fn assemble(parts: Parts) -> Optimized {
    let Parts {
        program,
        shared,
        removed,
        flattened,
        imports,
        prune_imports,
        before: lengths,
        modules: given,
    } = parts;
    let before = core_modules(&program);
    let workers = workers_at_once(program.bytes().len(), given.len());
    let results = map_at_once(workers, &given, |number, given| match given {
        Ok(given) => new_module(before.get(number).copied().unwrap_or_default(), given),
        Err(failure) => Err(failure.clone()),
    });
    drop(given);
    let code = known_code(&program, &results);
    let (mut modules, new) = reports(&lengths, results, &removed);
    let mut new = new.into_iter();
    let whole = map_modules(&program, &mut |_| new.next().flatten());
    let is_new = shared > 0 || !removed.is_empty() || whole.is_some();
    let component = match whole.map(|whole| validate_known(whole, code)) {
        None => program,
        Some(Ok(component)) => component,
        Some(Err(error)) => {
            left_as_they_are(&mut modules, &error);
            program
        }
    };
    // Different modules may have become identical.
    let (component, more) = match is_new {
        true => share_modules(component),
        false => (component, 0),
    };
    let Pruned {
        program: component,
        removed: pruned,
        failed,
    } = match prune_imports {
        PruneImports::Unused => prune_imports::prune_imports(component),
        PruneImports::Nothing => Pruned::nothing(component),
    };
    let left = module_imports(&component);
    Optimized {
        component,
        modules,
        shared: shared + more,
        flattened: flattened.map(|flattened| *flattened),
        imports_removed: imports.difference(&left).cloned().chain(pruned).collect(),
        not_pruned: failed,
    }
}

/// An optimized module.
struct New {
    module: ValidComponent,
    /// The functions that Binaryen did not get.
    kept: Vec<KeptFunction>,
}

/// The module that replaces `original`.
fn new_module(original: &[u8], optimized: &Module) -> Result<New, Failure> {
    let (input, names) = numbered(original, is_note).ok_or_else(not_understood)?;
    let spared = &optimized.spared;
    let returned = match optimized.data_apart {
        true => Cow::Owned(with_data(&optimized.bytes, &input).ok_or_else(not_understood)?),
        false => Cow::Borrowed(optimized.bytes.as_slice()),
    };
    let whole = match spared.is_empty() {
        true => returned,
        false => {
            let whole = put_back(&input, spared, &returned);
            Cow::Owned(whole.ok_or_else(not_understood)?)
        }
    };
    let (before, after) = (input.len(), whole.len());
    let named = named(&whole, &names).ok_or_else(not_understood)?;
    let module = match validate(named) {
        Ok(valid) if valid.kind() == ProgramKind::Module => valid,
        Ok(_) => return Err(not_understood()),
        Err(error) => {
            let message = error.to_string();
            return Err(Failure::Invalid { message });
        }
    };
    if after > before {
        return Err(Failure::Longer { before, after });
    }
    let kept = spared.functions.iter().map(|(index, reason)| KeptFunction {
        index: *index,
        name: names.functions.get(index).cloned(),
        reason: *reason,
    });
    Ok(New {
        module,
        kept: kept.collect(),
    })
}

/// Facts about the program's code. Every function body was validated with its module: as a part of
/// the program, or after the module was optimized.
fn known_code(program: &ValidComponent, results: &[Result<New, Failure>]) -> KnownCode {
    let new = results.iter().flatten().map(|new| new.module.features());
    KnownCode {
        valid_with: new.fold(program.features(), WasmFeatures::union),
        uses: None,
    }
}

/// The report on each module, and the module's new bytes if there are any.
fn reports(
    before: &[usize],
    results: Vec<Result<New, Failure>>,
    removed: &[usize],
) -> (Vec<ModuleReport>, Vec<Option<Vec<u8>>>) {
    let modules = before.iter().zip(results).enumerate();
    let modules = modules.map(|(number, (before, result))| {
        let (after, functions_kept, outcome) = match result {
            Ok(New { module, kept }) => {
                let module = module.into_bytes();
                let after = module.len();
                (Some(module), kept, ModuleOutcome::Optimized { after })
            }
            Err(failure) => (None, Vec::new(), ModuleOutcome::Kept(failure)),
        };
        let report = ModuleReport {
            before: *before,
            exports_removed: removed.get(number).copied().unwrap_or(0),
            functions_kept,
            outcome,
        };
        (report, after)
    });
    modules.unzip()
}

/// If the program with the optimized modules is invalid, all modules stay the same.
fn left_as_they_are(modules: &mut [ModuleReport], error: &ValidateError) {
    for module in modules {
        if let ModuleOutcome::Optimized { .. } = module.outcome {
            module.functions_kept.clear();
            module.outcome = ModuleOutcome::Kept(Failure::Invalid {
                message: error.to_string(),
            });
        }
    }
}
