//! Data and element segments of generated modules: active ones, also overlapping ones and such that
//! do not fit, and passive ones.

use super::choices::Choices;
use super::features::Features;
use super::visible::{Content, Number, Slot, Visible};

/// More entries and more bytes than tables and memories have at the start.
const BEYOND: u32 = 140_000;

/// The segments of a module.
pub struct Segments {
    /// Their text.
    pub text: String,
    /// The functions in them, to which `ref.func` may refer.
    pub functions: Vec<String>,
}

/// Writes segments. The passive ones become visible, and the entries of tables that get functions.
pub fn segments(choices: &mut Choices, features: Features, seen: &mut Visible) -> Segments {
    let mut segments = Segments {
        text: String::new(),
        functions: Vec::new(),
    };
    for (memory, wide) in seen.memories.clone() {
        for _ in 0..choices.pick(&[1, 0, 2]) {
            let content = content(choices);
            let last = 65536 - content.1;
            let offset = offset(choices, features, seen, (last, wide));
            segments.text += &format!("(data (memory {memory}) {offset} \"{}\")\n", content.0);
        }
    }
    if !seen.memories.is_empty() && choices.chance(25) {
        let content = content(choices);
        segments.text += &format!("(data $passive \"{}\")\n", content.0);
        seen.data.push(("$passive".to_owned(), content.1));
    }
    for (table, size) in seen.tables.clone() {
        for _ in 0..choices.pick(&[1, 0, 2]) {
            let functions = functions(choices, seen);
            let most = size as usize;
            let functions: Vec<_> = functions.into_iter().take(most).collect();
            let last = size - functions.len() as u32;
            let offset = offset(choices, features, seen, (last, false));
            let ids: Vec<&str> = functions.iter().map(|(id, _)| id.as_str()).collect();
            segments.text += &format!("(elem (table {table}) {offset} func {})\n", ids.join(" "));
            slots(seen, &table, &offset, &functions);
            segments
                .functions
                .extend(functions.into_iter().map(|it| it.0));
        }
    }
    if !seen.tables.is_empty() && choices.chance(25) {
        let functions = functions(choices, seen);
        let ids: Vec<&str> = functions.iter().map(|(id, _)| id.as_str()).collect();
        segments.text += &format!("(elem $list func {})\n", ids.join(" "));
        let length = functions.len() as u32;
        seen.elements.push(("$list".to_owned(), length));
        segments
            .functions
            .extend(functions.into_iter().map(|it| it.0));
    }
    segments
}

/// Declares the functions to which bodies refer, and that no segment has.
pub fn declared(segments: &Segments, mut referred: Vec<String>) -> String {
    referred.sort();
    referred.dedup();
    referred.retain(|function| !segments.functions.contains(function));
    match referred.is_empty() {
        true => String::new(),
        false => format!("(elem declare func {})\n", referred.join(" ")),
    }
}

/// The content of a data segment, escaped, and its length.
fn content(choices: &mut Choices) -> (String, u32) {
    let length = choices.pick(&[4, 0, 1, 40]);
    let first = choices.below(200);
    let bytes = (0..length).map(|number| format!("\\{:02x}", (first + number * 7) % 251));
    (bytes.collect(), length as u32)
}

fn functions(choices: &mut Choices, seen: &Visible) -> Vec<(String, super::signatures::Sig)> {
    let length = choices.pick(&[2, 1, 0, 3]);
    let all = &seen.functions;
    (0..length)
        .filter(|_| !all.is_empty())
        .map(|_| {
            let function = &all[choices.below(all.len())];
            (function.id.clone(), function.sig)
        })
        .collect()
}

/// The offset of a segment: a number, a global, or a sum. `last` is the last one that fits.
fn offset(
    choices: &mut Choices,
    features: Features,
    seen: &Visible,
    (last, wide): (u32, bool),
) -> String {
    let misfits = features.misfits;
    if choices.chance(misfits) {
        let beyond = choices.pick(&[last + 1, last + BEYOND, u32::MAX]);
        return constant(beyond, wide);
    }
    let globals = seen.globals_of(Content::Number(Number::I32), Some(false));
    if !globals.is_empty() && !wide && choices.chance(30) {
        let global = &seen.globals[globals[choices.below(globals.len())]].id;
        return match (last > 100, choices.below(3)) {
            (true, 2) => format!("(offset (i32.add (global.get {global}) (i32.const 12)))"),
            (true, _) => format!("(offset (global.get {global}))"),
            // Globals are not as small as tables.
            _ => format!("(offset (i32.mul (global.get {global}) (i32.const 0)))"),
        };
    }
    let offset = match choices.below(4) {
        0 => 0,
        1 => last,
        _ => choices.below(64).min(last as usize) as u32,
    };
    constant(offset, wide)
}

fn constant(offset: u32, wide: bool) -> String {
    match wide {
        true => format!("(offset (i64.const {offset}))"),
        false => format!("(offset (i32.const {}))", offset.cast_signed()),
    }
}

/// Notes which functions are in which entries of the table.
fn slots(
    seen: &mut Visible,
    table: &str,
    offset: &str,
    functions: &[(String, super::signatures::Sig)],
) {
    let number = offset
        .strip_prefix("(offset (i32.const ")
        .and_then(|rest| rest.trim_end_matches(')').parse::<u32>().ok());
    let first = match offset.contains("global.get") {
        true => Some(0),
        // A segment that does not fit fills nothing.
        false => number.filter(|number| *number < BEYOND),
    };
    let Some(first) = first else { return };
    for (index, (function, sig)) in (first..).zip(functions) {
        seen.slots
            .retain(|slot| slot.table != table || slot.index != index);
        if sig.is_deep() {
            seen.slots.push(Slot {
                table: table.to_owned(),
                index,
                function: function.clone(),
                sig: *sig,
            });
        }
    }
}
