//! Optimizes every core module of a program.
//!
//! Unused exports are removed first, so that Binaryen can remove what only they used. Then the core
//! modules of a component are merged (`flatten.rs`), so that Binaryen sees them as one. Binaryen
//! does not read components, so the core modules are taken out, optimized and put back
//! (`modules.rs`). A program that changed is validated again, except for the function bodies, which
//! were validated with their modules. If it is invalid, the unoptimized program is compiled. Core
//! modules and components that are identical, before or after, are stored once. Last, a component
//! loses its unused imports, if the user asks for it (`prune_imports.rs`).
//!
//! There are three steps: `plan.rs` decides what the optimizer gets, the optimizer runs, and
//! `assemble.rs` makes a program from its results. A build takes the first and the last step in
//! processes with limits (`front_end.rs`, `assembler.rs`). [`optimize`] takes all of them in this
//! process.

mod assemble;
mod parts;
mod plan;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(crate) use self::assemble::assemble;
pub(crate) use self::parts::{Head, Module, Parts};
pub(crate) use self::plan::plan;
pub use self::plan::{Planned, Returned};
use crate::wasm::binaryen::{OptimizeError, Optimizer};
use crate::wasm::flatten::Flattened;
use crate::wasm::kept::{Failure, Unfit};
use crate::wasm::last_steps::LastSteps;
use crate::wasm::passes::Level;
use crate::wasm::prune_imports::NotPruned;
use crate::wasm::reads::Reads;
use crate::worker::deadline::Deadline;
use crate::{ProgramKind, ValidComponent};

/// A program after optimization.
#[derive(Debug)]
pub struct Optimized {
    /// The program.
    pub component: ValidComponent,
    /// The result for each core module, in file order.
    pub modules: Vec<ModuleReport>,
    /// How many core modules and components were identical to another one, and now share its bytes.
    pub shared: usize,
    /// How core modules were merged. `None` if that was not asked for, or if no component of the
    /// program has several core instances.
    pub flattened: Option<Flattened>,
    /// Imports that the program no longer has. A host need not offer them. For a core module: those
    /// that the optimizer removed, as `module::name`. For a component: those that nothing in it
    /// uses, if they should go ([`PruneImports`]).
    pub imports_removed: BTreeSet<String>,
    /// Why the unused imports of a component stay, although they should go.
    pub not_pruned: Option<NotPruned>,
}

/// The result for one core module.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleReport {
    /// Its length before, in bytes.
    pub before: usize,
    /// How many unused exports were removed, whatever the outcome.
    pub exports_removed: usize,
    /// The functions that Binaryen did not get, by index. Empty if it did not get the module.
    pub functions_kept: Vec<KeptFunction>,
    /// The outcome.
    pub outcome: ModuleOutcome,
}

/// A function that Binaryen did not get.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFunction {
    /// Its index in the module before optimization.
    pub index: u32,
    /// Its name in the program.
    pub name: Option<String>,
    /// The reason.
    pub reason: Unfit,
}

/// The outcome of optimizing one core module.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModuleOutcome {
    /// It was replaced.
    Optimized {
        /// Its length after, in bytes.
        after: usize,
    },
    /// It was not changed.
    Kept(Failure),
}

/// Whether the core modules of a component are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flatten {
    /// They are merged, as far as the program stays the same.
    Merge,
    /// Every core module stays as it is.
    Leave,
}

/// Whether a component loses imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PruneImports {
    /// It loses those that nothing in it uses, at every level. A core module loses nothing by this:
    /// the optimizer removes its unused imports.
    Unused,
    /// It keeps all of them.
    Nothing,
}

/// The steps between a program's validation and the compiler, apart from the optimizer itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Steps {
    /// How much to optimize.
    pub level: Level,
    /// Whether core modules are merged. Level 0 merges none.
    pub flatten: Flatten,
    /// Whether a component loses its unused imports.
    pub prune_imports: PruneImports,
    /// The features that the optimizer can read.
    pub reads: Reads,
    /// Core modules that it does not get, by their numbers in file order, after modules were
    /// merged.
    pub spared: BTreeSet<usize>,
    /// The steps after the optimizer.
    pub last: LastSteps,
}

/// Optimizes every core module at any depth; several at a time if the program is small. Whenever
/// the current modules change, calls `progress` with the number and the length in bytes of the
/// longest one.
///
/// # Errors
///
/// [`OptimizeError`], if time, memory or the machine would decide which modules are optimized.
pub fn optimize(
    program: ValidComponent,
    level: Level,
    optimizer: &Optimizer,
    progress: impl Fn(usize, usize) + Sync + Send,
) -> Result<Optimized, OptimizeError> {
    let steps = Steps {
        level,
        flatten: Flatten::Merge,
        prune_imports: PruneImports::Nothing,
        reads: optimizer.reads,
        spared: optimizer.spared.clone(),
        last: LastSteps {
            order: false,
            bare: false,
        },
    };
    let planned = Planned(plan(program, &steps));
    let deadline = Deadline::after(optimizer.timeout);
    let Returned(parts) = planned.optimize(level, optimizer, deadline, progress)?;
    Ok(assemble(parts))
}

/// The imports of a program that is a core module.
fn module_imports(program: &ValidComponent) -> BTreeSet<String> {
    match program.kind() {
        ProgramKind::Module => program.interface().imports,
        ProgramKind::Component => BTreeSet::new(),
    }
}

fn not_understood() -> Failure {
    Failure::Invalid {
        message: "not a core module".to_owned(),
    }
}

/// Whether custom sections of this name are removed before Binaryen runs. With LLVM's
/// `target_features` section, Binaryen would enable that section's features in addition to those
/// that the module uses. With DWARF, it would skip the passes that affect DWARF. It would not move
/// branch hints along with their branches.
pub(crate) fn is_note(name: &str) -> bool {
    name == "target_features" || name.starts_with(".debug_") || name.starts_with("metadata.code.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;
    use crate::wasm::function_names::without_names;

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
            answers: None,
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
