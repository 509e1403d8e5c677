//! Optimizing every core module of a program.
//!
//! Unused exports are removed first, so that Binaryen can remove what only they kept alive.
//! Binaryen does not read components, so the core modules are taken out, optimized and put back.
//! Everything between them is copied byte for byte, section by section: re-encoding it could only
//! lose something. The whole program is validated again. If it is not valid, the unoptimized
//! program is compiled. Core modules and components that are identical, before or after, are stored
//! once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Instant;

use wasm_encoder::{ComponentSection as _, ComponentSectionId, RawSection};
use wasmparser::Payload;

use crate::binaryen::{Attempt, Failure, OptimizeError, Optimizer};
use crate::features;
use crate::function_names::{named, numbered};
use crate::gain;
use crate::parallel::{map_at_once, workers_at_once};
use crate::passes;
use crate::sections::{Becomes, sections, with_sections};
use crate::set_aside::{put_back, take_out};
use crate::share_modules::share_modules;
use crate::spare::{Spared, Unfit};
use crate::trim_exports::trim_exports;
use crate::{Kind, ValidComponent, validate};

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
    let deadline = Instant::now() + optimizer.timeout;
    let one = |number: usize, module: &Vec<u8>| {
        progress(number, module.len());
        match optimizer.spared.contains(&number) {
            true => Err(Attempt::Kept(Failure::Spared)),
            false => optimize_module(module, level, optimizer, deadline),
        }
    };
    let before = core_modules(&program);
    let workers = workers_at_once(program.bytes().len(), before.len());
    let optimized = map_at_once(workers, &before, one);
    // Which modules are optimized must not depend on what ran beside them, or on an accident. So a
    // module whose failure may not happen again is tried once more, alone.
    let optimized = optimized.into_iter().enumerate();
    let optimized = optimized.map(|(number, attempt)| {
        let attempt = match (attempt, before.get(number)) {
            (Err(failed), Some(module)) if failed.may_end_otherwise() => one(number, module),
            (attempt, _) => attempt,
        };
        optimizer.outcome(number, attempt)
    });
    let optimized = optimized.collect::<Result<Vec<_>, _>>()?;

    let mut modules = Vec::new();
    let mut bytes = Vec::new();
    for (number, (before, result)) in before.into_iter().zip(optimized).enumerate() {
        let length = before.len();
        let (after, functions_kept, outcome) = match result {
            Ok((optimized, kept)) => {
                let after = optimized.len();
                (optimized, kept, ModuleOutcome::Optimized { after })
            }
            Err(failure) => (before, Vec::new(), ModuleOutcome::Kept(failure)),
        };
        bytes.push(after);
        modules.push(ModuleReport {
            before: length,
            exports_removed: removed.get(number).copied().unwrap_or(0),
            functions_kept,
            outcome,
        });
    }
    let mut bytes = bytes.into_iter();
    let whole = map_modules(&program, &mut |module| {
        bytes.next().unwrap_or_else(|| module.to_vec())
    });
    let component = match validate(whole) {
        Ok(component) => component,
        Err(error) => {
            for module in &mut modules {
                if let ModuleOutcome::Optimized { .. } = module.outcome {
                    module.functions_kept.clear();
                    module.outcome = ModuleOutcome::Kept(Failure::Invalid {
                        message: error.to_string(),
                    });
                }
            }
            program
        }
    };
    let (component, more) = share_modules(component);
    let left = module_imports(&component);
    Ok(Optimized {
        component,
        modules,
        shared: shared + more,
        imports_removed: imports.difference(&left).cloned().collect(),
    })
}

/// The imports of a program that is a core module.
fn module_imports(program: &ValidComponent) -> BTreeSet<String> {
    match program.kind() {
        Kind::Module => program.interface().imports,
        Kind::Component => BTreeSet::new(),
    }
}

/// Every core module at any depth, in the order of [`map_modules`].
fn core_modules(program: &ValidComponent) -> Vec<Vec<u8>> {
    let mut modules = Vec::new();
    map_modules(program, &mut |module| {
        modules.push(module.to_vec());
        module.to_vec()
    });
    modules
}

/// Optimizes one module. Returns it with the functions that were kept from Binaryen.
fn optimize_module(
    module: &[u8],
    level: Level,
    optimizer: &Optimizer,
    deadline: Instant,
) -> Result<(Vec<u8>, Vec<KeptFunction>), Attempt> {
    // This depends on the module alone: nothing has run yet.
    if level == Level::O1 {
        gain::check(module)?;
    }
    let spared = Spared::of(module, optimizer.reads).or_else(|failure| {
        // If Binaryen would not read the module at all, that reason says more.
        optimizer.check(features::used(module))?;
        Err(failure)
    })?;
    let input = without_notes(module).unwrap_or_else(|| module.to_vec());
    let (input, names) = numbered(&input).ok_or_else(not_understood)?;
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
    let valid = match validate(optimized) {
        Ok(valid) if valid.kind() == Kind::Module => valid.bytes().to_vec(),
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
    Ok((valid, kept.collect()))
}

fn not_understood() -> Failure {
    Failure::Invalid {
        message: "not a core module".to_owned(),
    }
}

/// The module without three kinds of custom sections. Binaryen would enable the features in LLVM's
/// `target_features` section in addition to those that the module uses. With DWARF, Binaryen would
/// skip the passes that change what DWARF says. Binaryen would not move branch hints along with
/// their branches.
fn without_notes(module: &[u8]) -> Option<Vec<u8>> {
    with_sections(module, |payload| {
        Some(match payload {
            Payload::CustomSection(section)
                if section.name() == "target_features"
                    || section.name().starts_with(".debug_")
                    || section.name().starts_with("metadata.code.") =>
            {
                Becomes::Nothing
            }
            _ => Becomes::Itself,
        })
    })
}

/// The program with each core module at any depth put through `module`, and everything
/// else as it was, byte for byte. The result is not validated.
pub fn map_modules(program: &ValidComponent, module: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    match program.kind() {
        Kind::Module => module(program.bytes()),
        // A valid component can always be taken apart. If it could not, validation would refuse the
        // empty program.
        Kind::Component => replace_modules(program.bytes(), module).unwrap_or_default(),
    }
}

/// `None` when the bytes are not a component.
fn replace_modules(component: &[u8], module: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(component.len());
    for section in sections(component)? {
        let Some(inner) = section.nested else {
            out.extend_from_slice(section.bytes);
            continue;
        };
        let (id, new) = match section.payload {
            Payload::ModuleSection { .. } => (ComponentSectionId::CoreModule, module(inner)),
            _ => (
                ComponentSectionId::Component,
                replace_modules(inner, module)?,
            ),
        };
        if new == inner {
            // Its length may be spelt with more bytes than it takes.
            out.extend_from_slice(section.bytes);
        } else {
            let id = id.into();
            RawSection { id, data: &new }.append_to_component(&mut out);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = r#"(component
        (core module $a (func (export "a")))
        (component (core module (func)) (core module))
        (core instance (instantiate $a))
        (@custom "note" "kept"))"#;

    #[test]
    fn a_component_with_its_own_modules_put_back_is_itself() {
        let wasm = wat::parse_str(NESTED).unwrap();
        let mut lengths = Vec::new();
        let same = replace_modules(&wasm, &mut |module| {
            lengths.push(module.len());
            module.to_vec()
        });
        assert_eq!(same.unwrap(), wasm);
        assert_eq!(lengths.len(), 3);
    }

    #[test]
    fn only_notes_on_the_code_are_taken_out() {
        let text = r#"(module (func (export "a")) (@custom "x" "kept") {})"#;
        let wasm = |custom: &str| wat::parse_str(text.replace("{}", custom)).unwrap();
        let features = r#"(@custom "target_features" "\01+\0agc")"#;
        let hints = r#"(@custom "metadata.code.branch_hint" "\00")"#;
        for with in [features, r#"(@custom ".debug_info" "dwarf")"#, hints] {
            assert_eq!(without_notes(&wasm(with)).unwrap(), wasm(""));
        }
    }

    #[test]
    fn modules_at_any_depth_are_replaced() {
        let wasm = wat::parse_str(NESTED).unwrap();
        let empty = wat::parse_str(r#"(module (func (export "a")))"#).unwrap();
        let replaced = replace_modules(&wasm, &mut |_| empty.clone()).unwrap();
        let again = replace_modules(&replaced, &mut |module| {
            assert_eq!(module, empty);
            module.to_vec()
        });
        assert_eq!(again.unwrap(), replaced);
        validate(replaced).unwrap();
    }

    #[test]
    fn a_module_without_gain_is_left_to_higher_levels() {
        let optimizer = Optimizer {
            program: "/nonexistent".into(),
            arguments: Vec::new(),
            tool: "test".into(),
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
