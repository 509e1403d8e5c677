//! Wrong passes, which the comparison must notice.
//!
//! Each changes core modules as a faulty merge would. What a list of faults of other tools has is
//! here too, as far as a change of single modules can show it.

use std::collections::BTreeMap;

use edgec_compiler::{ValidComponent, map_modules};

use super::pass::{Flatten, Flattened};
use crate::differential::sections::{CODE, DATA, ELEMENTS, Sections, operators, sized};

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
        changes!(&|module| with_operator(module, &$old, &$new))
    };
}

/// Wrong passes, by what they do.
pub const WRONG: &[(&str, Flatten)] = &[
    ("forgets start functions", changes!(&without_start)),
    (
        "loses the last data segment",
        changes!(&|module| without_last(module, DATA)),
    ),
    (
        "loses the last element segment",
        changes!(&|module| without_last(module, ELEMENTS)),
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

fn changed(program: &ValidComponent, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Flattened {
    let bytes = map_modules(program, &mut |module| change(module));
    Flattened {
        bytes: bytes.unwrap_or_else(|| program.bytes().to_vec()),
        kept: BTreeMap::new(),
        defect: None,
    }
}

fn without_start(module: &[u8]) -> Option<Vec<u8>> {
    let mut sections = Sections::of(module);
    sections.0.retain(|(id, _)| *id != START);
    Some(sections.bytes())
}

fn without_last(module: &[u8], id: u8) -> Option<Vec<u8>> {
    let sections = Sections::of(module);
    let mut entries = sections.entries(id)?;
    entries.pop()?;
    Some(sections.with_entries(id, &entries).bytes())
}

fn reversed(module: &[u8], id: u8) -> Option<Vec<u8>> {
    let sections = Sections::of(module);
    let mut entries = sections.entries(id)?;
    entries.reverse();
    Some(sections.with_entries(id, &entries).bytes())
}

/// The module, with `new` for every operator that begins with `old`.
fn with_operator(module: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let sections = Sections::of(module);
    let bodies = sections.entries(CODE)?;
    let bodies = bodies.iter().map(|body| {
        let (locals, operators) = operators(body).expect("a function");
        let operators = operators
            .iter()
            .map(|operator| match operator.starts_with(old) {
                true => new,
                false => operator.as_slice(),
            });
        let operators: Vec<&[u8]> = operators.collect();
        sized(&[locals, operators.concat()].concat())
    });
    let bodies: Vec<_> = bodies.collect();
    Some(sections.with_entries(CODE, &bodies).bytes())
}
