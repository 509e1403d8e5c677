//! Optimizing every core module of a program.
//!
//! Unused exports are removed first, so that Binaryen can remove what only they kept alive.
//! Binaryen does not read components, so the core modules are taken out, optimized and put back
//! (`modules.rs`). A program that changed is validated again, except for the function bodies: they
//! were validated with their modules. If it is not valid, the unoptimized program is compiled. Core
//! modules and components that are identical, before or after, are stored once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Instant;

use wasmparser::WasmFeatures;

use crate::binaryen::{Attempt, Failure, OptimizeError, Optimizer};
use crate::features;
use crate::function_names::{named, numbered};
use crate::gain;
use crate::modules::{core_modules, map_modules};
use crate::parallel::{map_at_once, workers_at_once};
use crate::passes;
use crate::set_aside::{put_back, take_out};
use crate::share_modules::share_modules;
use crate::spare::{Spared, Unfit};
use crate::trim_exports::trim_exports;
use crate::validate::{KnownCode, validate_known};
use crate::{Kind, ValidComponent, ValidateError, validate};

/// How much to optimize. The names are those of `wasm-opt`; edgec has its own lists of passes
/// (`passes.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Not at all: the program is compiled as it is.
    O0,
    /// Quick passes only: whole functions, unused parts, and branches.
    O1,
    /// Most passes.
    O2,
    /// All passes, for speed.
    O3,
    /// As O3, after a costly flattening.
    O4,
    /// For size.
    Os,
    /// For size above all.
    Oz,
}

impl Level {
    /// Every level.
    pub const ALL: [Level; 7] = [
        Level::O0,
        Level::O1,
        Level::O2,
        Level::O3,
        Level::O4,
        Level::Os,
        Level::Oz,
    ];

    /// The level's name, as it follows `-O` on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Level::O0 => "0",
            Level::O1 => "1",
            Level::O2 => "2",
            Level::O3 => "3",
            Level::O4 => "4",
            Level::Os => "s",
            Level::Oz => "z",
        }
    }

    /// The name of edgec's lists of passes, which manifests state. `None` when the level runs no
    /// passes.
    pub const fn list(self) -> Option<&'static str> {
        match self {
            Level::O0 => None,
            _ => Some(passes::NAME),
        }
    }
}

/// A program after optimization.
#[derive(Debug)]
pub struct Optimized {
    /// The program.
    pub component: ValidComponent,
    /// What happened to each core module, in file order.
    pub modules: Vec<ModuleReport>,
    /// How many core modules and components were identical to another one, and now share its bytes.
    pub shared: usize,
    /// Imports of a core module, as `module::name`, that the optimized one does not have any more.
    /// A host need not offer them. Empty for components: theirs stay.
    pub imports_removed: BTreeSet<String>,
}

/// What happened to one core module.
#[derive(Debug, PartialEq, Eq)]
pub struct ModuleReport {
    /// Its length in bytes before.
    pub before: usize,
    /// How many unused exports were removed, whatever the outcome.
    pub exports_removed: usize,
    /// The functions that were kept from Binaryen, by index. Empty when the whole module was left
    /// as it was.
    pub functions_kept: Vec<KeptFunction>,
    /// The outcome.
    pub outcome: ModuleOutcome,
}

/// A function that Binaryen was not given.
#[derive(Debug, PartialEq, Eq)]
pub struct KeptFunction {
    /// Its index in the module before optimization.
    pub index: u32,
    /// Its name in the program.
    pub name: Option<String>,
    /// Why.
    pub reason: Unfit,
}

/// The outcome of optimizing one core module.
#[derive(Debug, PartialEq, Eq)]
pub enum ModuleOutcome {
    /// It was replaced.
    Optimized {
        /// Its length in bytes after.
        after: usize,
    },
    /// It was left as it was.
    Kept(Failure),
}

/// Optimizes every core module at any depth; several at a time if the program is small. Calls
/// `progress` before each, with the module's number and its length in bytes.
///
/// # Errors
///
/// [`OptimizeError`], when time, memory or the machine would decide which modules are optimized.
pub fn optimize(
    program: ValidComponent,
    level: Level,
    optimizer: &Optimizer,
    progress: impl Fn(usize, usize) + Sync + Send,
) -> Result<Optimized, OptimizeError> {
    if level == Level::O0 {
        return Ok(Optimized {
            component: program,
            modules: Vec::new(),
            shared: 0,
            imports_removed: BTreeSet::new(),
        });
    }
    let imports = module_imports(&program);
    // This comes first: identical modules must not become different by which of their exports are
    // used.
    let (program, shared) = share_modules(program);
    let (program, removed) = match trim_exports(&program) {
        Some(trimmed) => (trimmed.component, trimmed.removed),
        None => (program, Vec::new()),
    };
    let before = core_modules(&program);
    let workers = workers_at_once(program.bytes().len(), before.len());
    let results = optimize_modules(&before, workers, level, optimizer, progress)?;
    let code = known_code(&program, &results);
    let (mut modules, new) = reports(&before, results, &removed);
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
    // Modules that were different may be identical now.
    let (component, more) = match is_new {
        true => share_modules(component),
        false => (component, 0),
    };
    let left = module_imports(&component);
    Ok(Optimized {
        component,
        modules,
        shared: shared + more,
        imports_removed: imports.difference(&left).cloned().collect(),
    })
}

/// An optimized module.
struct New {
    module: ValidComponent,
    /// The functions that were kept from Binaryen.
    kept: Vec<KeptFunction>,
}

/// What becomes of each module, on up to `workers` of them at a time.
fn optimize_modules(
    modules: &[&[u8]],
    workers: usize,
    level: Level,
    optimizer: &Optimizer,
    progress: impl Fn(usize, usize) + Sync + Send,
) -> Result<Vec<Result<New, Failure>>, OptimizeError> {
    let deadline = Instant::now() + optimizer.timeout;
    let one = |number: usize, module: &&[u8]| {
        progress(number, module.len());
        match optimizer.spared.contains(&number) {
            true => Err(Attempt::Kept(Failure::Spared)),
            false => optimize_module(module, level, optimizer, deadline),
        }
    };
    let attempts = map_at_once(workers, modules, one);
    // Which modules are optimized must not depend on what ran beside them, or on an accident. So a
    // module whose failure may not happen again is tried once more, alone.
    let attempts = attempts.into_iter().zip(modules).enumerate();
    let results = attempts.map(|(number, (attempt, module))| {
        let attempt = match attempt {
            Err(failed) if failed.may_end_otherwise() => one(number, module),
            attempt => attempt,
        };
        optimizer.outcome(number, attempt)
    });
    results.collect()
}

/// Every function body was validated with its module: as a part of the program, or when the module
/// was optimized.
fn known_code(program: &ValidComponent, results: &[Result<New, Failure>]) -> KnownCode {
    let new = results.iter().flatten().map(|new| new.module.features());
    KnownCode {
        valid_with: new.fold(program.features(), WasmFeatures::union),
        uses: None,
    }
}

/// The report on each module, and its new bytes if it has any.
fn reports(
    before: &[&[u8]],
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
            before: before.len(),
            exports_removed: removed.get(number).copied().unwrap_or(0),
            functions_kept,
            outcome,
        };
        (report, after)
    });
    modules.unzip()
}

/// The program with the optimized modules is not valid: all of them stay as they are.
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

/// The imports of a program that is a core module.
fn module_imports(program: &ValidComponent) -> BTreeSet<String> {
    match program.kind() {
        Kind::Module => program.interface().imports,
        Kind::Component => BTreeSet::new(),
    }
}

/// Optimizes one module. Returns it with the functions that were kept from Binaryen.
fn optimize_module(
    module: &[u8],
    level: Level,
    optimizer: &Optimizer,
    deadline: Instant,
) -> Result<New, Attempt> {
    // This depends on the module alone: nothing has run yet.
    if level == Level::O1 {
        gain::check(module)?;
    }
    let spared = Spared::of(module, optimizer.reads).or_else(|failure| {
        // If Binaryen would not read the module at all, that reason says more.
        optimizer.check(features::used(module))?;
        Err(failure)
    })?;
    let (input, names) = numbered(module, is_note).ok_or_else(not_understood)?;
    let given = match spared.is_empty() {
        true => Cow::Borrowed(&input),
        false => match take_out(&input, &spared) {
            Some(given) => Cow::Owned(given),
            None => {
                optimizer.check(features::used(&input))?;
                return Err(Failure::Names.into());
            }
        },
    };
    let features = features::used(&given);
    let mut optimized = optimizer.run(&given, features, level, deadline)?;
    if !spared.is_empty() {
        optimized = put_back(&input, &spared, &optimized).ok_or_else(not_understood)?;
    }
    let optimized = named(&optimized, &names).ok_or_else(not_understood)?;
    let module = match validate(optimized) {
        Ok(valid) if valid.kind() == Kind::Module => valid,
        Ok(_) => return Err(not_understood().into()),
        Err(error) => {
            let message = error.to_string();
            return Err(Failure::Invalid { message }.into());
        }
    };
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

fn not_understood() -> Failure {
    Failure::Invalid {
        message: "not a core module".to_owned(),
    }
}

/// Whether custom sections of this name are kept from Binaryen. It would enable the features in
/// LLVM's `target_features` section in addition to those that the module uses. With DWARF, it would
/// skip the passes that change what DWARF says. It would not move branch hints along with their
/// branches.
fn is_note(name: &str) -> bool {
    name == "target_features" || name.starts_with(".debug_") || name.starts_with("metadata.code.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function_names::without_names;

    #[test]
    fn only_notes_on_the_code_are_taken_out() {
        let text = r#"(module (func (export "a")) (@custom "x" "kept") {})"#;
        let wasm = |custom: &str| wat::parse_str(text.replace("{}", custom)).unwrap();
        let features = r#"(@custom "target_features" "\01+\0agc")"#;
        let hints = r#"(@custom "metadata.code.branch_hint" "\00")"#;
        for with in [features, r#"(@custom ".debug_info" "dwarf")"#, hints] {
            let (without, _) = without_names(&wasm(with), is_note).unwrap();
            assert_eq!(without, wasm(""));
        }
    }

    #[test]
    fn a_module_without_gain_is_left_to_higher_levels() {
        let optimizer = Optimizer {
            program: "/nonexistent".into(),
            arguments: Vec::new(),
            tool: crate::Tool::WasmOpt,
            version: "0".into(),
            timeout: std::time::Duration::from_secs(60),
            memory: 1 << 30,
            reads: crate::Reads::Binaryen116,
            spared: std::collections::BTreeSet::new(),
            runs: crate::Runs::By(|_, _| Err(Failure::Names)),
        };
        let text = "x".repeat(1 << 20);
        let text = format!(r#"(module (memory 65) (data (i32.const 0) "{text}"))"#);
        let long = validate(wat::parse_str(text).unwrap()).unwrap();
        let kept = |level| {
            let optimized = optimize(long.clone(), level, &optimizer, |_, _| {}).unwrap();
            let [module] = optimized.modules.as_slice() else {
                panic!("one module");
            };
            match &module.outcome {
                ModuleOutcome::Kept(failure) => failure.to_string(),
                ModuleOutcome::Optimized { .. } => panic!("it was optimized"),
            }
        };
        assert_eq!(kept(Level::O1), Failure::NoGain.to_string());
        assert_eq!(kept(Level::O2), Failure::Names.to_string());
    }
}
