//! A core module without the contents of its data segments, and with them again.
//!
//! No pass that edgec runs reads what is in a data segment (`passes.rs`): only whether there is
//! anything. So Binaryen's result for one module is its result for every module that differs in
//! these contents only, with other contents. A JavaScript program on another engine's module is
//! such a case.

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// A module without the contents of its data segments.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bare {
    /// Everything in front of the data section.
    before: Vec<u8>,
    /// Each segment up to its length: its kind, its memory and its offset.
    heads: Vec<Vec<u8>>,
    /// Whether each segment has any contents.
    filled: Vec<bool>,
    /// Everything behind the data section.
    after: Vec<u8>,
}

/// The number of the data section.
const DATA: u8 = 11;

impl Bare {
    /// A module without its data, and the data. `None` if it has no data, or if the module would
    /// not be the same when it is put together again: its numbers may be longer than necessary.
    pub(crate) fn of(module: &[u8]) -> Option<(Self, Vec<&[u8]>)> {
        let mut found = None;
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::DataSection(section) = payload.ok()? {
                found = Some(section);
            }
        }
        let section = found?;
        let range = section.range();
        let (mut heads, mut data) = (Vec::new(), Vec::new());
        for segment in section {
            let segment = segment.ok()?;
            let contents: &[u8] = segment.data;
            let length = number(contents.len()).len().checked_add(contents.len())?;
            let end = segment.range.end.checked_sub(length)?;
            heads.push(module.get(segment.range.start..end)?.to_vec());
            data.push(contents);
        }
        let head = 1usize.checked_add(number(range.len()).len())?;
        let bare = Self {
            before: module.get(..range.start.checked_sub(head)?)?.to_vec(),
            filled: data.iter().map(|contents| !contents.is_empty()).collect(),
            heads,
            after: module.get(range.end..)?.to_vec(),
        };
        (bare.with(&data).as_deref() == Some(module)).then_some((bare, data))
    }

    /// The module with data. `None` if these are not the data of such a module.
    pub(crate) fn with(&self, data: &[&[u8]]) -> Option<Vec<u8>> {
        let filled = data.iter().map(|contents| !contents.is_empty());
        if data.len() != self.heads.len() || !filled.eq(self.filled.iter().copied()) {
            return None;
        }
        let mut section = number(data.len());
        for (head, contents) in self.heads.iter().zip(data) {
            section.extend_from_slice(head);
            section.extend(number(contents.len()));
            section.extend_from_slice(contents);
        }
        let mut module = self.before.clone();
        module.push(DATA);
        module.extend(number(section.len()));
        module.extend(section);
        module.extend_from_slice(&self.after);
        Some(module)
    }
}

/// A number in its shortest form (unsigned LEB128).
fn number(value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    wasm_encoder::Encode::encode(&value, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(one: &str, other: &str) -> Vec<u8> {
        wat::parse_str(format!(
            r#"(module (memory 1) (func (export "f") (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1)))
            (data (i32.const 8) "{one}") (data "{other}") (@custom "after" (after data) "x"))"#
        ))
        .unwrap()
    }

    #[test]
    fn data_come_back() {
        let long = "y".repeat(300);
        let texts = [("a", "b"), ("", ""), (&long, "b"), ("a", &long)];
        for (one, other) in texts {
            let module = module(one, other);
            let (bare, data) = Bare::of(&module).unwrap();
            assert_eq!(data, [one.as_bytes(), other.as_bytes()]);
            assert_eq!(bare.with(&data).unwrap(), module);
        }
    }

    #[test]
    fn contents_do_not_matter_and_everything_else_does() {
        let of = |one: &str, other: &str| Bare::of(&module(one, other)).unwrap().0;
        let bare = of("a", "b");
        assert_eq!(bare, of("xyz", "w"));
        assert_eq!(bare.with(&[b"xyz", b"w"]).unwrap(), module("xyz", "w"));
        assert_ne!(bare, of("", "b"));
        assert_eq!(bare.with(&[b"", b"w"]), None);
        assert_eq!(bare.with(&[b"xyz"]), None);
    }

    #[test]
    fn a_module_in_another_form_is_left() {
        let module = module("a", "b");
        let place = module.iter().rposition(|byte| *byte == b'b').unwrap();
        // The length of the second segment in two bytes.
        let mut longer = module.clone();
        longer.splice(place - 1..place, [0x81, 0x00]);
        assert!(Bare::of(&longer).is_none());
        assert!(Bare::of(&wat::parse_str("(module)").unwrap()).is_none());
        assert!(Bare::of(b"x").is_none());
    }
}
