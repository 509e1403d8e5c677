//! What is kept from Binaryen: decided from the module alone, before anything runs.
//!
//! Binaryen 116 changes what some programs do, and takes too long for others. As little as possible is kept from it:
//! single functions, where those are the matter ([`crate::set_aside`]), and the whole module only where nothing less helps.
//! A memory or table is declared in use where one of its segments may be out of bounds, so that the segment keeps its trap.
//!
//! `docs/optimizer.md` has the list, with the change of Binaryen that mended each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wasmparser::{
    BlockType, CompositeInnerType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind,
    ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef, WasmFeatures,
};

use crate::binaryen::{BINARYEN_VERSION, Failure, Reads};
use crate::features;

/// Nested blocks, loops and ifs of a function that Binaryen gets. Real programs have a few hundred: the main loop of an
/// interpreter nests one block for each of its instructions.
const MOST_NESTED: usize = 1000;
/// Targets of jump tables, each counted once for every level that it is nested: passes visit a target at each.
const MOST_TARGETS: u64 = 1_000_000;

/// Why a function is kept from Binaryen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Unfit {
    /// It has a block with parameters.
    BlockParameters,
    /// It has an instruction of relaxed SIMD.
    RelaxedSimd,
    /// It has an instruction that Binaryen 116 does not read.
    Unread,
    /// It is nested deeply, or has large jump tables in deep nesting.
    Deep,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = BINARYEN_VERSION;
        match self {
            Self::BlockParameters => {
                write!(
                    f,
                    "blocks with parameters, which Binaryen {version} misreads"
                )
            }
            Self::RelaxedSimd => write!(
                f,
                "relaxed SIMD, which Binaryen {version} computes unlike the CPU"
            ),
            Self::Unread => write!(
                f,
                "table.copy or table.fill, which Binaryen {version} does not read"
            ),
            Self::Deep => write!(
                f,
                "deep nesting, for which Binaryen {version} takes too long"
            ),
        }
    }
}

/// What is kept from Binaryen of a module that it gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Spared {
    /// Functions, by index.
    pub(crate) functions: BTreeMap<u32, Unfit>,
    /// Memories that it must take to be in use.
    pub(crate) memories: BTreeSet<u32>,
    /// Tables that it must take to be in use.
    pub(crate) tables: BTreeSet<u32>,
}

impl Spared {
    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.memories.is_empty() && self.tables.is_empty()
    }

    /// What is kept of a valid core module.
    ///
    /// # Errors
    ///
    /// Why the whole module is.
    pub(crate) fn of(module: &[u8], reads: Reads) -> Result<Self, Failure> {
        let mut reader = Reader {
            reads,
            ..Reader::default()
        };
        for payload in Parser::new(0).parse_all(module) {
            // The module is valid: what cannot be read is kept.
            let payload = payload.map_err(|error| unreadable(&error));
            reader.payload(payload?)?;
        }
        Ok(reader.spared)
    }
}

fn unreadable(error: &wasmparser::Error) -> Failure {
    Failure::Invalid {
        message: error.to_string(),
    }
}

/// A memory or a table.
struct Space {
    imported: bool,
    exported: bool,
    /// Bytes or elements that it has at least.
    minimum: u64,
}

#[derive(Default)]
struct Reader {
    reads: Reads,
    spared: Spared,
    /// Of each type, whether it is a function's with parameters.
    parameters: Vec<bool>,
    memories: Vec<Space>,
    tables: Vec<Space>,
    /// The next function's index.
    function: u32,
}

impl Reader {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Failure> {
        let read = |error| unreadable(&error);
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let types = group.map_err(read)?.into_types();
                    let parameters = types.map(|ty| match ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => !ty.params().is_empty(),
                        _ => false,
                    });
                    self.parameters.extend(parameters);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import.map_err(read)?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.function += 1,
                        TypeRef::Memory(ty) => self.memories.push(memory(&ty, true)),
                        TypeRef::Table(ty) => self.tables.push(table(&ty, true)),
                        _ => {}
                    }
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables
                        .push(self::table(&table.map_err(read)?.ty, false));
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories
                        .push(self::memory(&memory.map_err(read)?, false));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(read)?;
                    let spaces = match export.kind {
                        ExternalKind::Memory => &mut self.memories,
                        ExternalKind::Table => &mut self.tables,
                        _ => continue,
                    };
                    if let Some(space) = at(spaces, export.index) {
                        space.exported = true;
                    }
                }
            }
            Payload::ElementSection(section) => {
                for (index, element) in (0..).zip(section) {
                    self.element(index, &element.map_err(read)?)?;
                }
            }
            Payload::DataSection(section) => {
                for (index, data) in (0..).zip(section) {
                    self.data(index, &data.map_err(read)?)?;
                }
            }
            Payload::CodeSectionEntry(body) => {
                let contents = self.contents(&body).map_err(read)?;
                if let Some(reason) = contents.unfit {
                    if contents.tied {
                        let function = self.function;
                        return Err(Failure::Tied { function, reason });
                    }
                    self.spared.functions.insert(self.function, reason);
                }
                self.function += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, index: u32, data: &Data<'_>) -> Result<(), Failure> {
        let DataKind::Active {
            memory_index,
            offset_expr,
        } = &data.kind
        else {
            return Ok(());
        };
        let length = data.data.len() as u64;
        let spaces = &mut self.memories;
        match fate(at(spaces, *memory_index), offset_expr, length) {
            Fate::Stays => {}
            Fate::Unused => {
                self.spared.memories.insert(*memory_index);
            }
            Fate::Lost => {
                return Err(Failure::MayTrap {
                    kind: "data",
                    index,
                });
            }
        }
        Ok(())
    }

    fn element(&mut self, index: u32, element: &Element<'_>) -> Result<(), Failure> {
        let (length, expressions) = match &element.items {
            ElementItems::Functions(items) => (items.count(), false),
            ElementItems::Expressions(_, items) => (items.count(), true),
        };
        match &element.kind {
            ElementKind::Active {
                table_index,
                offset_expr,
            } => {
                let table = table_index.unwrap_or(0);
                let spaces = &mut self.tables;
                match fate(at(spaces, table), offset_expr, length.into()) {
                    Fate::Stays => {}
                    Fate::Unused => {
                        self.spared.tables.insert(table);
                    }
                    Fate::Lost => {
                        let kind = "element";
                        return Err(Failure::MayTrap { kind, index });
                    }
                }
            }
            ElementKind::Declared if expressions && self.reads == Reads::Binaryen116 => {
                return Err(Failure::Unsupported {
                    features: "declarations of functions by expressions".to_owned(),
                });
            }
            ElementKind::Passive | ElementKind::Declared => {}
        }
        Ok(())
    }
}

/// What Binaryen's `remove-unused-module-elements` may do to an active segment.
enum Fate {
    /// Nothing that a program could tell.
    Stays,
    /// It is lost with its trap, unless its memory or table is in use.
    Unused,
    /// It is lost with its trap.
    Lost,
}

fn fate(space: Option<&mut Space>, offset: &ConstExpr<'_>, length: u64) -> Fate {
    let Some(space) = space else {
        return Fate::Lost;
    };
    let end = constant(offset).and_then(|offset| offset.checked_add(length));
    match end {
        Some(end) if end <= space.minimum => Fate::Stays,
        _ if length == 0 => Fate::Lost,
        _ if space.imported || space.exported => Fate::Stays,
        _ => Fate::Unused,
    }
}

/// An offset that is one number. Addresses are unsigned.
fn constant(offset: &ConstExpr<'_>) -> Option<u64> {
    let mut operators = offset.get_operators_reader();
    let value = match operators.read().ok()? {
        Operator::I32Const { value } => value.cast_unsigned().into(),
        Operator::I64Const { value } => value.cast_unsigned(),
        _ => return None,
    };
    matches!(operators.read().ok()?, Operator::End).then_some(value)
}

fn memory(ty: &wasmparser::MemoryType, imported: bool) -> Space {
    let page = 1u64.checked_shl(ty.page_size_log2.unwrap_or(16));
    Space {
        imported,
        exported: false,
        minimum: ty.initial.saturating_mul(page.unwrap_or(0)),
    }
}

fn table(ty: &wasmparser::TableType, imported: bool) -> Space {
    Space {
        imported,
        exported: false,
        minimum: ty.initial,
    }
}

fn at(spaces: &mut [Space], index: u32) -> Option<&mut Space> {
    spaces.get_mut(usize::try_from(index).ok()?)
}

/// What a function's body is.
struct Contents {
    unfit: Option<Unfit>,
    /// Whether it refers to what cannot be kept for it: segments, and functions as values.
    tied: bool,
}

impl Reader {
    fn contents(&self, body: &FunctionBody<'_>) -> wasmparser::Result<Contents> {
        let mut unfit = None;
        let mut tied = false;
        let mut depth = 0usize;
        let mut targets = 0u64;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let mut found = None;
            match &operator {
                Operator::Block { blockty }
                | Operator::Loop { blockty }
                | Operator::If { blockty } => {
                    depth += 1;
                    if self.has_parameters(*blockty) {
                        found = Some(Unfit::BlockParameters);
                    }
                    if depth > MOST_NESTED {
                        found = Some(Unfit::Deep);
                    }
                }
                Operator::TryTable { .. } => depth += 1,
                Operator::End => depth = depth.saturating_sub(1),
                Operator::BrTable { targets: table } => {
                    let here = u64::from(table.len()).saturating_mul(depth as u64);
                    targets = targets.saturating_add(here);
                    if targets > MOST_TARGETS {
                        found = Some(Unfit::Deep);
                    }
                }
                Operator::RefFunc { .. }
                | Operator::MemoryInit { .. }
                | Operator::DataDrop { .. } => tied = true,
                Operator::TableInit { .. } | Operator::ElemDrop { .. } => {
                    tied = true;
                    found = Some(Unfit::Unread);
                }
                Operator::TableCopy { .. } | Operator::TableFill { .. } => {
                    found = Some(Unfit::Unread);
                }
                _ if features::proposal(&operator).contains(WasmFeatures::RELAXED_SIMD) => {
                    found = Some(Unfit::RelaxedSimd);
                }
                _ => {}
            }
            if self.reads == Reads::Everything && found == Some(Unfit::Unread) {
                found = None;
            }
            unfit = unfit.or(found);
        }
        Ok(Contents { unfit, tied })
    }

    fn has_parameters(&self, block: BlockType) -> bool {
        let BlockType::FuncType(ty) = block else {
            return false;
        };
        let ty = usize::try_from(ty).ok();
        let parameters = ty.and_then(|ty| self.parameters.get(ty));
        parameters.copied().unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spared(text: &str) -> Result<Spared, Failure> {
        let wasm = wat::parse_str(format!("(module {text})")).unwrap();
        crate::validate(wasm.clone()).unwrap();
        Spared::of(&wasm, Reads::Binaryen116)
    }

    fn functions(text: &str) -> BTreeMap<u32, Unfit> {
        spared(text).unwrap().functions
    }

    #[test]
    fn segments_in_bounds_keep_nothing() {
        for text in [
            r#"(memory 1) (data (i32.const 65535) "x") (data (i32.const 65536) "") (data "passive")"#,
            r#"(import "a" "m" (memory 1)) (data (i32.const 0) "x")"#,
            r#"(import "a" "m" (memory 0)) (data (i32.const 0) "x")"#,
            r#"(import "a" "g" (global i32)) (memory (export "m") 1) (data (global.get 0) "x")"#,
            "(table 2 funcref) (elem (i32.const 1) $f) (elem (i32.const 2) func) (func $f)",
            r#"(import "a" "g" (global i32)) (import "a" "t" (table 0 funcref)) (elem (global.get 0) $f) (func $f)"#,
        ] {
            assert!(spared(text).unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn a_memory_or_table_is_used_where_a_segment_may_trap() {
        let memories = |text| spared(text).unwrap().memories;
        assert_eq!(memories(r#"(memory 1) (data (i32.const 65536) "x")"#), [0].into());
        assert_eq!(memories(r#"(memory 1) (data (i32.const -1) "x")"#), [0].into());
        let second = r#"(memory 1) (memory 0) (data (memory 1) (i32.const 0) "x")"#;
        assert_eq!(memories(second), [1].into());
        let unknown = r#"(import "a" "g" (global i32)) (memory 1) (data (global.get 0) "x")"#;
        assert_eq!(memories(unknown), [0].into());
        let table = "(table 1 funcref) (elem (i32.const 1) $f) (func $f)";
        assert_eq!(spared(table).unwrap().tables, [0].into());
    }

    #[test]
    fn each_reason_to_keep_a_module_has_a_case() {
        let may_trap = |kind, index| Err(Failure::MayTrap { kind, index });
        let empty = r#"(memory 1) (data (i32.const 0) "x") (data (i32.const 65537) "")"#;
        assert_eq!(spared(empty), may_trap("data", 1));
        let unknown = r#"(import "a" "g" (global i32)) (memory 1) (data (global.get 0) "")"#;
        assert_eq!(spared(unknown), may_trap("data", 0));
        let element = "(table 1 funcref) (elem (i32.const 2) func)";
        assert_eq!(spared(element), may_trap("element", 0));
        let declared = "(elem declare funcref (ref.func $f)) (func $f)";
        assert!(matches!(spared(declared), Err(Failure::Unsupported { .. })));
        let tied = r#"(memory 1) (data "x") (func) (func i32.const 1 (block (param i32) drop) (data.drop 0))"#;
        let reason = Unfit::BlockParameters;
        assert_eq!(spared(tied), Err(Failure::Tied { function: 1, reason }));
    }

    #[test]
    fn each_reason_to_keep_a_function_has_a_case() {
        let imported = r#"(import "a" "b" (func)) (table 1 funcref) (table 1 funcref) (func)"#;
        for (body, reason) in [
            ("i32.const 1 (loop (param i32) drop)", Unfit::BlockParameters),
            ("(drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))", Unfit::RelaxedSimd),
            ("(table.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0))", Unfit::Unread),
            ("(table.fill 0 (i32.const 0) (ref.null func) (i32.const 0))", Unfit::Unread),
        ] {
            let found = functions(&format!("{imported} (func {body})"));
            assert_eq!(found, [(2, reason)].into(), "{body}");
        }
        // Results alone are no parameters, and nothing of these is kept.
        let fine = "(block (result i32 i32) i32.const 1 i32.const 2) drop drop
            (drop (i8x16.swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))";
        assert_eq!(functions(&format!("(func {fine})")), BTreeMap::new());
    }

    #[test]
    fn depth_is_counted_and_not_length() {
        let nested = |depth: usize| format!("(func {} {})", "(block ".repeat(depth), ")".repeat(depth));
        assert_eq!(functions(&nested(MOST_NESTED)), BTreeMap::new());
        assert_eq!(functions(&nested(MOST_NESTED + 1)), [(0, Unfit::Deep)].into());
        let flat = format!("(func {})", "(block)".repeat(5 * MOST_NESTED));
        assert_eq!(functions(&flat), BTreeMap::new());
        let table = |depth: usize, targets: usize| {
            format!(
                "(func {} (br_table {} (i32.const 0)) {})",
                "(block ".repeat(depth),
                "0 ".repeat(targets + 1),
                ")".repeat(depth)
            )
        };
        assert_eq!(functions(&table(500, 2000)), BTreeMap::new());
        assert_eq!(functions(&table(500, 2001)), [(0, Unfit::Deep)].into());
        assert_eq!(functions(&table(1, 100_000)), BTreeMap::new());
    }
}
