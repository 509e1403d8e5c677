//! Wrong passes, which the comparison must notice.
//!
//! Each changes core modules as a faulty merge would. What a list of faults of other tools has is
//! here too, as far as a change of single modules can show it.

use std::collections::BTreeMap;

use edgec_compiler::{ValidComponent, map_modules};

use super::pass::{Flatten, Flattened};
use crate::differential::sections::{DATA, ELEMENTS, Sections};

/// The section that names the start function.
const START: u8 = 8;

/// A pass that changes each module.
macro_rules! changes {
    ($change:expr) => {
        |program, _| changed(program, $change)
    };
}

/// A pass that replaces the bytes of an operator that begins with the old ones.
macro_rules! writes {
    ($new:tt for $old:tt) => {
        changes!(&|module| module.with_operator(&$old, &$new))
    };
}

/// Wrong passes, by what they do.
pub const WRONG: &[(&str, Flatten)] = &[
    ("forgets start functions", changes!(&without_start)),
    (
        "loses the last data segment",
        changes!(&|module| module.without_last(DATA)),
    ),
    (
        "loses the last element segment",
        changes!(&|module| module.without_last(ELEMENTS)),
    ),
    (
        "writes data segments in another order",
        changes!(&|module| reversed(module, DATA)),
    ),
    (
        "writes element segments in another order",
        changes!(&|module| reversed(module, ELEMENTS)),
    ),
    (
        "forgets stores of 32 bits",
        writes!([0x1a, 0x1a] for [0x36]),
    ),
    (
        "forgets what a global is set to",
        writes!([0x1a] for [0x24]),
    ),
    (
        "forgets that a memory grows",
        writes!([0x1a, 0x41, 0x01] for [0x40]),
    ),
    (
        "takes another size for a memory's",
        writes!([0x41, 0x01] for [0x3f]),
    ),
    (
        "forgets that a table changes",
        writes!([0x1a, 0x1a] for [0x26]),
    ),
];

fn changed(program: &ValidComponent, change: &dyn Fn(&Sections) -> Option<Sections>) -> Flattened {
    let bytes = map_modules(program, &mut |module| {
        let module = change(&Sections::of(module))?;
        Some(module.bytes())
    });
    Flattened {
        bytes: bytes.unwrap_or_else(|| program.bytes().to_vec()),
        kept: BTreeMap::new(),
        defect: None,
    }
}

fn without_start(module: &Sections) -> Option<Sections> {
    let mut module = module.clone();
    module.0.retain(|(id, _)| *id != START);
    Some(module)
}

fn reversed(module: &Sections, id: u8) -> Option<Sections> {
    let mut entries = module.entries(id)?;
    entries.reverse();
    Some(module.with_entries(id, &entries))
}
