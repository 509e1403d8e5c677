//! Merges the core modules of a component: one instance takes the place of many.
//!
//! A component is a graph of core modules, shims and adapters that a host wires up anew for every
//! instance. edgec sees the whole graph and knows that it is closed, so it can link it once, as a
//! static linker would have. The result does the same, whatever the component does: `legality.rs`,
//! `facts.rs` and `plan.rs` have the checks. What does not pass one of them stays as it is, with a
//! [`Reason`].
//!
//! ```text
//! level ─▶ graph ─▶ facts ─▶ plan: runs of instances ─▶ group: links, what is late ─▶ reach
//!                              ▲                             │ a check fails: without that instance
//!                              └─────────────────────────────┘
//! reach ─▶ layout ─▶ merge, slot_modules ─▶ rewrite ─▶ validated, and the types compared
//! ```
//!
//! A nested component is flattened by itself, and never merged with the one around it: it has a
//! table of handles, rules for reentrance and checked copies of its own.

mod body;
mod canonical;
mod component;
mod facts;
mod forward;
mod graph;
mod group;
mod layout;
mod legality;
mod level;
mod links;
mod merge;
mod module;
mod plan;
mod reach;
mod reason;
mod report;
mod rewrite;
mod size;
mod slot_modules;
#[cfg(test)]
mod tests;
mod types;
mod value;

use wasmparser::WasmFeatures;

use self::facts::{Apart, Context};
pub use self::reason::Reason;
pub use self::report::{Change, Flattened, KeptInstance};
use crate::input::{features, found};
use crate::wasm::reads::Reads;
use crate::wasm::same_types;
use crate::{ProgramKind, ValidComponent, validate};

/// A program after this stage.
pub(crate) struct Flat {
    pub(crate) program: ValidComponent,
    /// What happened. `None` if no component of the program has several core instances.
    pub(crate) report: Option<Flattened>,
}

/// Merges core modules of a program, as far as its meaning stays the same.
pub(crate) fn flatten(program: ValidComponent, reads: Reads) -> Flat {
    if program.kind() == ProgramKind::Module {
        return unchanged(program, None);
    }
    // If the optimizer reads everything that the program uses, it reads every module.
    let of_core = program.features().difference(features::OF_COMPONENTS);
    let reads_all = reads.check(of_core).is_ok();
    let optimizable = |module: &[u8]| reads_all || reads.check(found::used(module)).is_ok();
    let context = Context {
        optimizable: &optimizable,
        declares: program.features().contains(WasmFeatures::BULK_MEMORY),
        apart: Apart::No,
    };
    let Some(outcome) = component::flatten(program.bytes(), &context) else {
        return unchanged(program, None);
    };
    let mut report = Flattened {
        modules: Change {
            before: outcome.modules,
            after: outcome.parts.len(),
        },
        instances: Change {
            before: outcome.instances_before,
            after: outcome.instances_after,
        },
        merged: outcome.merged,
        parts: outcome.parts,
        starts: outcome.starts,
        kept: outcome.kept,
    };
    report.kept.sort_by_key(|kept| kept.module);
    let Some(bytes) = outcome.bytes else {
        let report = (!report.kept.is_empty()).then_some(report);
        return unchanged(program, report);
    };
    let reason = match validate(bytes) {
        Err(_) => Reason::Invalid,
        Ok(flat) if !program.features().contains(flat.features()) => Reason::MoreFeatures,
        Ok(flat) if !same_types::same(program.bytes(), flat.bytes()) => Reason::OtherType,
        Ok(flat) => {
            return Flat {
                program: flat,
                report: Some(report),
            };
        }
    };
    unchanged(program, Some(rejected(&report, reason)))
}

/// The report on a program that stays as it is, because the merged program did not pass a check.
fn rejected(report: &Flattened, reason: Reason) -> Flattened {
    let same = |change: Change| Change {
        before: change.before,
        after: change.before,
    };
    Flattened {
        modules: same(report.modules),
        instances: same(report.instances),
        merged: 0,
        parts: (0..report.modules.before)
            .map(|number| vec![number])
            .collect(),
        starts: Vec::new(),
        kept: vec![KeptInstance {
            module: None,
            name: None,
            reason,
        }],
    }
}

fn unchanged(program: ValidComponent, report: Option<Flattened>) -> Flat {
    Flat { program, report }
}
