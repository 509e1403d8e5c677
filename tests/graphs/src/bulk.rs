//! Statements that change tables, and that change much of a memory.

use super::body::Body;
use super::expressions::{narrowed, widened};

/// A statement about a table.
pub fn table(body: &mut Body<'_>) {
    if body.seen.tables.is_empty() {
        return;
    }
    let (table, size) = body.table();
    let index = body.index(size);
    let elements = body.seen.elements.clone();
    let text = match body.choices.weighted(&[3, 2, 2, 1, 1, 2, 1]) {
        0 => {
            let reference = body.reference();
            format!("(table.set {table} {index} {reference})")
        }
        1 => format!(
            "(local.set $a (i32.add (i32.shl (local.get $a) (i32.const 1)) \
             (ref.is_null (table.get {table} {index}))))"
        ),
        2 => {
            let reference = body.reference();
            let more = body.choices.below(3);
            format!(
                "(local.set $a (i32.xor (local.get $a) \
                 (table.grow {table} {reference} (i32.const {more}))))"
            )
        }
        3 => {
            let reference = body.reference();
            let length = usize::from(body.risky());
            format!("(table.fill {table} {index} {reference} (i32.const {length}))")
        }
        4 => {
            let (from, size) = body.table();
            let source = body.index(size);
            format!("(table.copy {table} {from} {index} {source} (i32.const 1))")
        }
        5 if !elements.is_empty() => {
            let (segment, length) = &elements[body.choices.below(elements.len())];
            let length = (*length).min(size);
            format!(
                "(table.init {table} {segment} (i32.const 0) (i32.const 0) (i32.const {length}))"
            )
        }
        6 if !elements.is_empty() => {
            if !body.risky() {
                return;
            }
            let (segment, _) = &elements[body.choices.below(elements.len())];
            format!("(elem.drop {segment})")
        }
        _ => return,
    };
    body.add(&text);
}

/// A statement about a memory.
pub fn memory(body: &mut Body<'_>) {
    if body.seen.memories.is_empty() {
        return;
    }
    let (memory, wide) = body.memory();
    let data = body.seen.data.clone();
    let text = match body.choices.weighted(&[3, 2, 2, 2, 1]) {
        0 => {
            let more = body.choices.below(2);
            let more = widened(&format!("(i32.const {more})"), wide);
            let grown = narrowed(&format!("(memory.grow {memory} {more})"), wide);
            format!("(local.set $a (i32.add (local.get $a) {grown}))")
        }
        1 => {
            let (address, value) = (body.address(wide, 1), body.value(1));
            let length = widened(&format!("(i32.const {})", body.small()), wide);
            format!("(memory.fill {memory} {address} {value} {length})")
        }
        2 => {
            let (to, from) = (body.address(wide, 1), body.address(wide, 1));
            let length = widened(&format!("(i32.const {})", body.small()), wide);
            format!("(memory.copy {memory} {memory} {to} {from} {length})")
        }
        3 if !data.is_empty() => {
            let (segment, length) = &data[body.choices.below(data.len())];
            let address = body.address(wide, 1);
            format!("(memory.init {memory} {segment} {address} (i32.const 0) (i32.const {length}))")
        }
        4 if !data.is_empty() => {
            if !body.risky() {
                return;
            }
            let (segment, _) = &data[body.choices.below(data.len())];
            format!("(data.drop {segment})")
        }
        _ => return,
    };
    body.add(&text);
}
