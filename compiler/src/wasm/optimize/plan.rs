//! Decides what the optimizer gets. The program alone decides, before anything runs.

use std::collections::BTreeSet;

use super::{Flatten, Level, Module, Parts, Steps, is_note, module_imports, not_understood};
use crate::ValidComponent;
use crate::input::found;
use crate::wasm::binaryen::{Attempt, OptimizeError, Optimizer};
use crate::wasm::data_apart::without_data;
use crate::wasm::flatten::{self, Flattened};
use crate::wasm::function_names::numbered;
use crate::wasm::gain;
use crate::wasm::kept::Failure;
use crate::wasm::modules::core_modules;
use crate::wasm::reads::Reads;
use crate::wasm::set_aside::take_out;
use crate::wasm::share_modules::share_modules;
use crate::wasm::spare::Spared;
use crate::wasm::trim_exports::trim_exports;
use crate::worker::deadline::Deadline;
use crate::worker::parallel::{AtWork, map_at_once, workers_at_once};

/// A program with core modules for the optimizer.
#[derive(Debug)]
pub struct Planned(pub(crate) Parts);

/// A program with the optimizer's results for its core modules. The results are not validated yet.
#[derive(Debug)]
pub struct Returned(pub(crate) Parts);

/// Prepares a program for the optimizer.
pub(crate) fn plan(program: ValidComponent, steps: &Steps) -> Parts {
    if steps.level == Level::O0 {
        return Parts {
            program,
            shared: 0,
            removed: Vec::new(),
            flattened: None,
            imports: BTreeSet::new(),
            prune_imports: steps.prune_imports,
            before: Vec::new(),
            modules: Vec::new(),
        };
    }
    let imports = module_imports(&program);
    // This comes first: identical modules must not become different because different exports of
    // them are used.
    let (program, shared) = share_modules(program);
    let (program, removed) = match trim_exports(&program) {
        Some(trimmed) => (trimmed.component, trimmed.removed),
        None => (program, Vec::new()),
    };
    let (program, removed, flattened) = match steps.flatten {
        Flatten::Merge => merged(program, removed, steps.reads),
        Flatten::Leave => (program, removed, None),
    };
    let found = core_modules(&program);
    let workers = workers_at_once(program.bytes().len(), found.len());
    let modules = map_at_once(workers, &found, |number, module| {
        match steps.spared.contains(&number) {
            true => Err(Failure::Spared),
            false => given(module, steps.level, steps.reads),
        }
    });
    let before = found.iter().map(|module| module.len()).collect();
    Parts {
        program,
        shared,
        removed,
        flattened,
        imports,
        prune_imports: steps.prune_imports,
        before,
        modules,
    }
}

/// Merges core modules. A merged module lost the exports that its parts lost.
fn merged(
    program: ValidComponent,
    removed: Vec<usize>,
    reads: Reads,
) -> (ValidComponent, Vec<usize>, Option<Box<Flattened>>) {
    let flat = flatten::flatten(program, reads);
    let removed = match &flat.report {
        Some(report) if !removed.is_empty() => {
            let of = |number: &usize| removed.get(*number).copied().unwrap_or(0);
            let sums = report.parts.iter().map(|parts| parts.iter().map(of).sum());
            sums.collect()
        }
        _ => removed,
    };
    (flat.program, removed, flat.report.map(Box::new))
}

/// What the optimizer gets for a core module.
fn given(module: &[u8], level: Level, reads: Reads) -> Result<Module, Failure> {
    // This depends on the module alone: nothing has run yet.
    if level == Level::O1 {
        gain::check(module)?;
    }
    let spared = Spared::of(module, reads).or_else(|failure| {
        // If Binaryen cannot read the module at all, that reason says more.
        reads.check(found::used(module))?;
        Err(failure)
    })?;
    let (input, _) = numbered(module, is_note).ok_or_else(not_understood)?;
    let bytes = match spared.is_empty() {
        true => input,
        false => match take_out(&input, &spared) {
            Some(rest) => rest,
            None => {
                reads.check(found::used(&input))?;
                return Err(Failure::Names);
            }
        },
    };
    let (bytes, data_apart) = match without_data(&bytes) {
        Some(bare) => (bare, true),
        None => (bytes, false),
    };
    let features = found::used(&bytes);
    reads.check(features)?;
    Ok(Module {
        bytes,
        features,
        spared,
        data_apart,
    })
}

impl Planned {
    /// Runs the optimizer on every core module for it; on several at a time if the program is
    /// small. Whenever the current modules change, calls `progress` with the number and the length
    /// in bytes of the longest one. All work must end before `deadline`.
    ///
    /// # Errors
    ///
    /// [`OptimizeError`], if time, memory or the machine would decide which modules are optimized.
    pub fn optimize(
        self,
        level: Level,
        optimizer: &Optimizer,
        deadline: Deadline,
        progress: impl Fn(usize, usize) + Sync + Send,
    ) -> Result<Returned, OptimizeError> {
        let Self(mut parts) = self;
        let modules = std::mem::take(&mut parts.modules);
        let workers = workers_at_once(parts.program.bytes().len(), modules.len());
        let until = optimizer.until(deadline);
        let lengths = &parts.before;
        let length = |number: usize| lengths.get(number).copied().unwrap_or(0);
        let at_work = AtWork::new(|numbers: &BTreeSet<usize>| {
            let longest = numbers.iter().copied().max_by_key(|number| length(*number));
            if let Some(number) = longest {
                progress(number, length(number));
            }
        });
        let one = |number: usize, module: &Result<Module, Failure>| match module {
            Err(failure) => Err(Attempt::Kept(failure.clone())),
            Ok(module) => at_work.during(number, || {
                optimizer.run(&module.bytes, module.features, level, until)
            }),
        };
        let attempts = map_at_once(workers, &modules, one);
        // Which modules are optimized must not depend on chance, or on what ran at the same time.
        // So if a failure may not happen again, edgec tries the module once more, alone.
        let attempts = attempts.into_iter().zip(modules).enumerate();
        let results = attempts.map(|(number, (attempt, module))| -> Result<_, OptimizeError> {
            let attempt = match attempt {
                Err(failed) if failed.may_end_otherwise() => one(number, &module),
                attempt => attempt,
            };
            let outcome = optimizer.outcome(number, attempt)?;
            Ok(outcome.and_then(|bytes| {
                let module = module?;
                Ok(Module { bytes, ..module })
            }))
        });
        let results: Result<Vec<_>, OptimizeError> = results.collect();
        parts.modules = results?;
        Ok(Returned(parts))
    }
}
