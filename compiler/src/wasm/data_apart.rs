//! A core module without its data, and with its data again.
//!
//! No pass of Binaryen that edgec runs reads what is in a data segment (`passes.rs`), and code does
//! not depend on it either. So the work on a module is the same for all modules that differ only in
//! their data, and Binaryen need not read the data at all. A JavaScript program on another one's
//! engine is such a case.
//!
//! While the data is away, one segment of one byte stands in for it. The segment begins where the
//! first byte that is not 0 was, because the compiler knows the page of that byte.

use std::ops::Range;

use wasm_encoder::Section as _;
use wasmparser::{Data, DataKind, FunctionBody, MemoryType, Operator, Parser, Payload};

/// The numbers of sections.
const MEMORIES: u8 = 5;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;
/// The size of WebAssembly's usual pages, as a power of 2. The engine initializes a memory with
/// smaller pages in another way.
const PAGE: u32 = 16;
/// The engine makes an image of a memory if no more than half of it is between segments, or if it
/// is shorter than this, in bytes (`wasmtime` 48, `Config::memory_guaranteed_dense_image_size`).
const SMALL_IMAGE: u64 = 16 << 20;

/// The places of a module's sections, and what its data says about its memory.
#[derive(Default)]
struct Sections {
    /// The number of each section, all of its bytes with the head, and its content.
    all: Vec<(u8, Range<usize>, Range<usize>)>,
    memory: Option<MemoryType>,
    /// Where the first byte that is not 0 is in the memory.
    first: Option<Address>,
}

/// An address in a memory of 32 or 64 bits.
#[derive(Clone, Copy)]
enum Address {
    Narrow(i32),
    Wide(i64),
}

/// The module with a stand-in for its data. `None` if the data may decide more than what the
/// module's memory holds at the start: if a segment is passive, out of bounds or named in the code,
/// if segments overlap, or if the memory is imported, shared, or not the only one.
pub(crate) fn without_data(module: &[u8]) -> Option<Vec<u8>> {
    let sections = Sections::read(module)?;
    let stand_in = stand_in(sections.first?);
    sections.rewritten(module, |number, bytes| match number {
        DATA => Some(&stand_in),
        DATA_COUNT => None,
        _ => Some(bytes),
    })
}

/// The module `bare` with the data of `original` in the place of the stand-in. `bare` is what the
/// optimizer made of `original` without its data. If the optimizer removed the memory, it needs no
/// data. `None` if there is a memory without the stand-in.
pub(crate) fn with_data(bare: &[u8], original: &[u8]) -> Option<Vec<u8>> {
    let (sections, data) = (Sections::read(original)?, Sections::places(bare)?);
    let (_, whole, _) = sections.all.iter().find(|(number, ..)| *number == DATA)?;
    let whole = original.get(whole.clone())?;
    let stand_in = stand_in(sections.first?);
    let mut found = false;
    let with = data.rewritten(bare, |number, bytes| match number {
        DATA if bytes == stand_in => {
            found = true;
            Some(whole)
        }
        DATA_COUNT => None,
        _ => Some(bytes),
    })?;
    let has = |wanted| data.all.iter().any(|(number, ..)| *number == wanted);
    (found || !has(MEMORIES) && !has(DATA)).then_some(with)
}

/// The module with nothing but its memory and the data in it. `None` where [`without_data`] gives
/// `None`.
#[cfg(any(test, feature = "precompile"))]
pub(crate) fn only_data(module: &[u8]) -> Option<Vec<u8>> {
    let sections = Sections::read(module)?;
    sections.first?;
    sections.rewritten(module, |number, bytes| {
        matches!(number, MEMORIES | DATA).then_some(bytes)
    })
}

/// A data section with one byte at an address.
fn stand_in(address: Address) -> Vec<u8> {
    let offset = match address {
        Address::Narrow(address) => wasm_encoder::ConstExpr::i32_const(address),
        Address::Wide(address) => wasm_encoder::ConstExpr::i64_const(address),
    };
    let mut section = wasm_encoder::DataSection::new();
    section.active(0, &offset, [1]);
    let mut bytes = Vec::new();
    section.append_to(&mut bytes);
    bytes
}

impl Sections {
    /// The sections of a module, without a look into them.
    fn places(module: &[u8]) -> Option<Self> {
        let mut sections = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            sections.place(&payload.ok()?);
        }
        Some(sections)
    }

    fn place(&mut self, payload: &Payload<'_>) {
        if let Some((number, content)) = payload.as_section() {
            // Sections follow each other, after the 8 bytes of the module's own head.
            let start = self.all.last().map_or(8, |(_, whole, _)| whole.end);
            self.all.push((number, start..content.end, content));
        }
    }

    /// The sections of a module whose data decides only what its memory holds.
    fn read(module: &[u8]) -> Option<Self> {
        let mut sections = Self::default();
        let (mut bodies, mut counted) = (Vec::new(), false);
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.ok()?;
            sections.place(&payload);
            match payload {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        if let wasmparser::TypeRef::Memory(_) = import.ok()?.ty {
                            return None;
                        }
                    }
                }
                Payload::MemorySection(memories) => {
                    let mut memories = memories.into_iter();
                    let memory = memories.next()?.ok()?;
                    let plain = !memory.shared && memory.page_size_log2.unwrap_or(PAGE) == PAGE;
                    sections.memory = Some(memory).filter(|_| plain && memories.next().is_none());
                }
                Payload::DataCountSection { .. } => counted = true,
                Payload::CodeSectionEntry(body) => bodies.push(body),
                Payload::DataSection(data) => {
                    let segments: Result<Vec<Data<'_>>, _> = data.into_iter().collect();
                    sections.first = first(sections.memory?, &segments.ok()?);
                }
                _ => {}
            }
        }
        sections.first?;
        // Without the count of segments, no instruction may name one.
        (!counted || !bodies.into_iter().any(names_a_segment)).then_some(sections)
    }

    /// The module with other sections, or without some.
    fn rewritten<'b>(
        &self,
        module: &'b [u8],
        mut change: impl FnMut(u8, &'b [u8]) -> Option<&'b [u8]>,
    ) -> Option<Vec<u8>> {
        let mut out = module.get(..8)?.to_vec();
        for (number, whole, _) in &self.all {
            if let Some(bytes) = change(*number, module.get(whole.clone())?) {
                out.extend_from_slice(bytes);
            }
        }
        Some(out)
    }
}

/// Where the first byte that is not 0 is, if the engine makes an image of the memory at build time.
fn first(memory: MemoryType, segments: &[Data<'_>]) -> Option<Address> {
    let limit = memory.initial.checked_mul(1 << PAGE)?;
    let (mut first, mut start, mut end, mut size) = (None, None, 0, 0_u64);
    for segment in segments {
        let address = address(segment)?;
        let length = segment.data.len() as u64;
        let after = address.checked_add(length)?;
        if after > limit || address < end {
            return None;
        }
        if length == 0 {
            continue;
        }
        if first.is_none() {
            let zeros = segment.data.iter().position(|byte| *byte != 0);
            first = zeros.and_then(|zeros| address.checked_add(zeros as u64));
        }
        start.get_or_insert(address);
        (end, size) = (after, size + length);
    }
    let span = end.checked_sub(start?)?;
    let dense = span < size.saturating_mul(2) || span < SMALL_IMAGE;
    let first = first.filter(|_| dense)?;
    Some(match memory.memory64 {
        false => Address::Narrow(u32::try_from(first).ok()?.cast_signed()),
        true => Address::Wide(first.cast_signed()),
    })
}

/// The constant address of an active segment in the first memory.
fn address(segment: &Data<'_>) -> Option<u64> {
    let DataKind::Active {
        memory_index: 0,
        offset_expr,
    } = &segment.kind
    else {
        return None;
    };
    let mut operators = offset_expr.get_operators_reader();
    let address = match operators.read().ok()? {
        Operator::I32Const { value } => u64::from(value.cast_unsigned()),
        Operator::I64Const { value } => value.cast_unsigned(),
        _ => return None,
    };
    matches!(operators.read().ok()?, Operator::End).then_some(address)
}

/// Whether a function names a data segment, or cannot be read.
fn names_a_segment(body: FunctionBody<'_>) -> bool {
    let names = || -> wasmparser::Result<bool> {
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            if let Operator::MemoryInit { .. }
            | Operator::DataDrop { .. }
            | Operator::ArrayNewData { .. }
            | Operator::ArrayInitData { .. } = operators.read()?
            {
                return Ok(true);
            }
        }
        Ok(false)
    };
    names().unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(memory: &str, data: &str, code: &str) -> Vec<u8> {
        wat::parse_str(format!(
            r#"(module {memory} (func (export "f") (result i32) {code} (i32.load (i32.const 8)))
            {data} (@custom "after" (after data) "x"))"#
        ))
        .unwrap()
    }

    fn plain(data: &str) -> Vec<u8> {
        module("(memory 1)", data, "")
    }

    #[test]
    fn modules_that_differ_only_in_data_are_one_without_it() {
        let one = plain(r#"(data (i32.const 8) "\00\00abc") (data (i32.const 100) "d")"#);
        let other = plain(r#"(data (i32.const 10) "x") (data (i32.const 4000) "yz\00")"#);
        let bare = without_data(&one).unwrap();
        assert_eq!(without_data(&other).unwrap(), bare);
        assert_eq!(with_data(&bare, &one).unwrap(), one);
        assert_eq!(with_data(&bare, &other).unwrap(), other);
        crate::validate(bare).unwrap();
        let elsewhere = plain(r#"(data (i32.const 8) "x")"#);
        assert_ne!(without_data(&elsewhere), without_data(&one));
    }

    #[test]
    fn a_memory_of_64_bits_has_data_too() {
        let code = "(drop (i32.load (i64.const 1)))";
        let text = format!(
            r#"(module (memory i64 1) (func {code}) (data (i64.const 70000) "x") (data (i64.const 3) "y"))"#
        );
        assert!(without_data(&wat::parse_str(&text).unwrap()).is_none());
        let text = text.replace("70000", "2");
        let module = wat::parse_str(text).unwrap();
        let bare = without_data(&module).unwrap();
        crate::validate(bare.clone()).unwrap();
        assert_eq!(with_data(&bare, &module).unwrap(), module);
    }

    #[test]
    fn data_that_may_decide_more_stays() {
        let some = r#"(data (i32.const 8) "x")"#;
        let init = "(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))";
        let far = r#"(data (i32.const 8) "x") (data (i32.const 19000000) "x")"#;
        let cases = [
            (
                "a passive segment",
                module("(memory 1)", r#"(data "x")"#, ""),
            ),
            ("an overlap", plain(&some.repeat(2))),
            ("out of bounds", plain(r#"(data (i32.const 65536) "x")"#)),
            ("only zeros", plain(r#"(data (i32.const 8) "\00")"#)),
            ("no data", plain("")),
            ("an empty segment", plain(r#"(data (i32.const 8) "")"#)),
            ("named", module("(memory 1)", some, init)),
            ("dropped", module("(memory 1)", some, "(data.drop 0)")),
            (
                "imported",
                module(r#"(import "m" "m" (memory 1))"#, some, ""),
            ),
            (
                "not the only memory",
                module("(memory 1) (memory 1)", some, ""),
            ),
            ("shared", module("(memory 1 1 shared)", some, "")),
            ("sparse", module("(memory 300)", far, "")),
        ];
        for (what, module) in cases {
            assert!(without_data(&module).is_none(), "{what}");
            assert!(only_data(&module).is_none(), "{what}");
        }
        let global = r#"(global $g i32 (i32.const 8)) (memory 1)"#;
        let moving = module(global, r#"(data (global.get $g) "x")"#, "");
        assert!(without_data(&moving).is_none());
    }

    #[test]
    fn a_result_without_memory_needs_no_data_and_another_is_refused() {
        let original = plain(r#"(data (i32.const 8) "x")"#);
        let without_memory = wat::parse_str("(module)").unwrap();
        assert_eq!(
            with_data(&without_memory, &original).unwrap(),
            without_memory
        );
        let other = plain(r#"(data (i32.const 9) "x")"#);
        for wrong in [plain(""), other] {
            assert!(with_data(&wrong, &original).is_none());
        }
    }

    #[test]
    fn only_the_memory_and_its_data_remain() {
        let original = plain(r#"(data (i32.const 8) "x")"#);
        let only = only_data(&original).unwrap();
        let expected = r#"(module (memory 1) (data (i32.const 8) "x"))"#;
        assert_eq!(only, wat::parse_str(expected).unwrap());
    }
}
