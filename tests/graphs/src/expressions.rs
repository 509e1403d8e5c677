//! Expressions in generated bodies.

use super::body::Body;
use super::signatures::Sig;
use super::visible::{Content, Number};

impl Body<'_> {
    /// A place in memory for what the canonical ABI reads or writes.
    pub fn place(&mut self) -> usize {
        let place = 16 * (1 + self.choices.below(60));
        match self.risky() {
            true => place + 1,
            false => place,
        }
    }

    /// The arguments of a function whose first parameter is a depth.
    pub fn arguments(&mut self, sig: Sig) -> String {
        let mut text = "(i32.sub (local.get $d) (i32.const 1))".to_owned();
        for (number, (_, ty)) in sig.params().iter().enumerate().skip(1) {
            text += " ";
            text += &match (*ty, number) {
                ("i32", ..2) => self.value(1),
                ("i32", _) => format!("(i32.const {})", self.small()),
                ("i64", _) => self.wide_value(),
                _ => format!("(f64.convert_i32_s {})", self.value(1)),
            };
        }
        text
    }

    /// An expression of type i32.
    pub fn value(&mut self, level: usize) -> String {
        let seen = self.seen;
        let leaf = if level > 2 { 0 } else { 3 };
        match self.choices.weighted(&[3, 3, 1, leaf, 2, 2, 1, 1]) {
            0 => format!("(i32.const {})", self.small()),
            1 => "(local.get $a)".to_owned(),
            2 => "(i32.wrap_i64 (local.get $b))".to_owned(),
            3 => {
                let operator = self
                    .choices
                    .pick(&["add", "sub", "xor", "mul", "rotl", "lt_u"]);
                let (one, two) = (self.value(level + 1), self.value(level + 1));
                format!("(i32.{operator} {one} {two})")
            }
            4 if !seen.memories.is_empty() => {
                let (memory, wide) = self.memory();
                let operator = self.choices.pick(&["load", "load8_u", "load16_s"]);
                let address = self.address(wide, level + 1);
                format!("(i32.{operator} {memory} offset=4 {address})")
            }
            5 => {
                let globals = seen.globals_of(Content::Number(Number::I32), None);
                match globals.is_empty() {
                    true => "(local.get $x)".to_owned(),
                    false => {
                        let global = globals[self.choices.below(globals.len())];
                        format!("(global.get {})", seen.globals[global].id)
                    }
                }
            }
            6 if !seen.memories.is_empty() => {
                let (memory, wide) = self.memory();
                narrowed(&format!("(memory.size {memory})"), wide)
            }
            7 if !seen.tables.is_empty() => format!("(table.size {})", self.table().0),
            _ => "(local.get $x)".to_owned(),
        }
    }

    /// An expression of type i64.
    pub fn wide_value(&mut self) -> String {
        let globals = self.seen.globals_of(Content::Number(Number::I64), None);
        match self.choices.below(3) {
            0 => "(local.get $b)".to_owned(),
            1 => format!("(i64.extend_i32_u {})", self.value(2)),
            _ if globals.is_empty() => "(i64.const 77)".to_owned(),
            _ => {
                let global = globals[self.choices.below(globals.len())];
                format!("(global.get {})", self.seen.globals[global].id)
            }
        }
    }

    /// A memory, and whether its addresses have 64 bits.
    pub fn memory(&mut self) -> (String, bool) {
        self.seen.memories[self.choices.below(self.seen.memories.len())].clone()
    }

    /// A table and its size.
    pub fn table(&mut self) -> (String, u32) {
        self.seen.tables[self.choices.below(self.seen.tables.len())].clone()
    }

    /// An address, which is within the first page unless it may trap.
    pub fn address(&mut self, wide: bool, level: usize) -> String {
        let value = self.value(level);
        let address = match self.risky() {
            true => value,
            false => format!("(i32.and {value} (i32.const 0x3fff))"),
        };
        widened(&address, wide)
    }

    /// An index of a table.
    pub fn index(&mut self, size: u32) -> String {
        match (self.risky(), size) {
            (false, 1..) => format!("(i32.const {})", self.choices.below(size as usize)),
            _ => format!("(i32.and {} (i32.const 15))", self.value(2)),
        }
    }

    /// `ref.func` of a function, or a null reference.
    pub fn reference(&mut self) -> String {
        let functions = &self.seen.functions;
        if functions.is_empty() || self.choices.chance(20) {
            return "(ref.null func)".to_owned();
        }
        let function = functions[self.choices.below(functions.len())].id.clone();
        let text = format!("(ref.func {function})");
        self.written.referred.push(function);
        text
    }
}

/// A 32-bit number as an address of this width.
pub fn widened(text: &str, wide: bool) -> String {
    match wide {
        true => format!("(i64.extend_i32_u {text})"),
        false => text.to_owned(),
    }
}

/// A number of this width as a 32-bit number.
pub fn narrowed(text: &str, wide: bool) -> String {
    match wide {
        true => format!("(i32.wrap_i64 {text})"),
        false => text.to_owned(),
    }
}
