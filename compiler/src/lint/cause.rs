//! Finds the segment that stops the engine, and why.
//!
//! The engine decides whether a path is lost. This module reads the program again to find the
//! reason, and gives [`Reason::Unknown`] if it finds none.
//!
//! Source: `wasmtime-environ` 48, `compile/module_environ.rs`, `try_static_init` and
//! `try_func_table_init`.

use wasmparser::{DataKind, ElementKind, Parser, Payload};
use wasmtime_environ::{
    ConstExpr, ConstOp, MemoryInit, MemoryInitializer, ModuleTranslation, TableSegment,
    TableSegmentElements, WasmHeapTopType,
};

use super::{Cause, Item, Reason};

/// The same constant as in `try_func_table_init`.
const MAX_FUNC_TABLE_SIZE: u64 = 1024 * 1024;

/// The places of items in a core module: index and offset.
#[derive(Default)]
pub(super) struct Places {
    active_data: Vec<(u32, u64)>,
    active_elements: Vec<(u32, u64)>,
    /// The first passive element segment.
    pub(super) passive_elements: Option<(u32, u64)>,
}

impl Places {
    /// Reads a valid core module that begins at `start` in the program.
    pub(super) fn of(wasm: &[u8], start: u64) -> Self {
        let mut places = Self::default();
        let at = |offset: usize| start.saturating_add(offset as u64);
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            match payload {
                Payload::DataSection(section) => {
                    for (index, segment) in (0u32..).zip(section).map_while(valid) {
                        if let DataKind::Active { .. } = segment.kind {
                            places.active_data.push((index, at(segment.range.start)));
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    for (index, segment) in (0u32..).zip(section).map_while(valid) {
                        let place = (index, at(segment.range.start));
                        match segment.kind {
                            ElementKind::Active { .. } => places.active_elements.push(place),
                            ElementKind::Passive => {
                                places.passive_elements.get_or_insert(place);
                            }
                            ElementKind::Declared => {}
                        }
                    }
                }
                _ => {}
            }
        }
        places
    }

    fn cause(&self, item: Item, number: usize, reason: Reason) -> Option<Cause> {
        let places = match item {
            Item::Data => &self.active_data,
            _ => &self.active_elements,
        };
        let &(index, offset) = places.get(number)?;
        Some(Cause {
            item,
            index,
            name: None,
            offset: Some(offset),
            reason,
        })
    }
}

fn valid<T>((index, item): (u32, wasmparser::Result<T>)) -> Option<(u32, T)> {
    Some((index, item.ok()?))
}

/// The data segment because of which a module's memories cannot be mapped, if there is one. Call
/// this before the engine finalizes the translation, which removes the segments.
pub(super) fn of_data(translation: &ModuleTranslation<'_>, places: &Places) -> Option<Cause> {
    let MemoryInit::Unprocessed(segments) = &translation.memory_init else {
        return None;
    };
    let blocking = segments.iter().enumerate();
    let blocking = blocking.filter_map(|(number, segment)| {
        let reason = data_reason(translation, segment)?;
        places.cause(Item::Data, number, reason)
    });
    blocking.into_iter().next().or_else(|| {
        // Each of them fits, but together they do not.
        let (number, _) = segments
            .iter()
            .enumerate()
            .filter_map(|(number, segment)| Some((number, constant(&segment.offset)?)))
            .max_by_key(|(_, offset)| *offset)?;
        places.cause(Item::Data, number, Reason::Sparse)
    })
}

fn data_reason(
    translation: &ModuleTranslation<'_>,
    segment: &MemoryInitializer<'_>,
) -> Option<Reason> {
    let module = &translation.module;
    if module.is_imported_memory(segment.memory_index) {
        return Some(Reason::ImportedMemory);
    }
    let memory = module.memories.get(segment.memory_index)?;
    let Some(start) = constant(&segment.offset) else {
        return Some(Reason::ComputedOffset);
    };
    let end = start.checked_add(segment.data.len() as u64);
    let fits = end.is_some_and(|end| memory.minimum_byte_size().is_ok_and(|size| end <= size));
    (!fits).then_some(Reason::OutOfBounds)
}

/// The constant value of an offset. Its type is the memory's or the table's, because the module is
/// valid.
fn constant(offset: &ConstExpr) -> Option<u64> {
    match offset.ops() {
        [ConstOp::I32Const(offset)] => Some(offset.cast_unsigned().into()),
        [ConstOp::I64Const(offset)] => Some(offset.cast_unsigned()),
        _ => None,
    }
}

/// The first element segment that the engine did not apply. After this one, it applies no other.
/// Call this after the engine finalized the translation.
pub(super) fn of_elements(translation: &ModuleTranslation<'_>, places: &Places) -> Option<Cause> {
    let left = &translation.table_initialization.segments;
    let first = left.iter().next()?;
    let number = places.active_elements.len().checked_sub(left.len())?;
    places.cause(Item::Element, number, element_reason(translation, first))
}

fn element_reason(translation: &ModuleTranslation<'_>, segment: &TableSegment) -> Reason {
    let module = &translation.module;
    if module.is_imported_table(segment.table_index) {
        return Reason::ImportedTable;
    }
    let Some(offset) = constant(&segment.offset) else {
        return Reason::ComputedOffset;
    };
    let Some(table) = module.tables.get(segment.table_index) else {
        return Reason::Unknown;
    };
    let top = offset.saturating_add(segment.elements.len());
    if top > table.limits.min {
        Reason::OutOfBounds
    } else if top > MAX_FUNC_TABLE_SIZE {
        Reason::TooLarge
    } else if !matches!(table.ref_type.heap_type.top(), WasmHeapTopType::Func) {
        Reason::NotFunctions
    } else if matches!(segment.elements, TableSegmentElements::Expressions { .. }) {
        Reason::Expressions
    } else {
        // The initial value of the table remains to be computed.
        Reason::InitialValue
    }
}
