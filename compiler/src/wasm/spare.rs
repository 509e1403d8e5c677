//! Decides what Binaryen does not get. The module alone decides, before anything runs.
//!
//! Binaryen 116 changes what some programs do, and takes too long for others. As little as possible
//! is kept from it: single functions if that is enough ([`crate::wasm::set_aside`]), else the whole
//! module. If a segment may be out of bounds, its memory or table is declared to be in use, so that
//! the segment keeps its trap.
//!
//! `docs/optimizer.md` has the list, with the change in Binaryen that fixed each case.

mod function;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind,
    ExportSectionReader, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef,
};

use self::function::Contents;
use crate::wasm::kept::{Failure, Unfit};
use crate::wasm::reads::Reads;

/// What is kept from Binaryen if it gets the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spared {
    /// Functions, by index.
    pub(crate) functions: BTreeMap<u32, Unfit>,
    /// Memories that Binaryen must take to be in use.
    pub(crate) memories: BTreeSet<u32>,
    /// Tables that Binaryen must take to be in use.
    pub(crate) tables: BTreeSet<u32>,
}

impl Spared {
    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.memories.is_empty() && self.tables.is_empty()
    }

    /// Decides for a valid core module.
    ///
    /// # Errors
    ///
    /// The reason, if the whole module is kept from Binaryen.
    pub(crate) fn of(module: &[u8], reads: Reads) -> Result<Self, Failure> {
        let mut reader = Reader {
            reads,
            ..Reader::default()
        };
        for payload in Parser::new(0).parse_all(module) {
            // A valid module can be read. If it could not, the whole module would be kept from
            // Binaryen.
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
    /// Its minimum number of bytes or elements.
    minimum: u64,
}

#[derive(Default)]
struct Reader {
    reads: Reads,
    spared: Spared,
    /// For each type, whether it is a function type with parameters.
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
            Payload::ExportSection(section) => self.exports(section)?,
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
            Payload::CodeSectionEntry(body) => self.code(&body)?,
            _ => {}
        }
        Ok(())
    }

    fn exports(&mut self, section: ExportSectionReader<'_>) -> Result<(), Failure> {
        for export in section {
            let export = export.map_err(|error| unreadable(&error))?;
            let spaces = match export.kind {
                ExternalKind::Memory => &mut self.memories,
                ExternalKind::Table => &mut self.tables,
                _ => continue,
            };
            if let Some(space) = at(spaces, export.index) {
                space.exported = true;
            }
        }
        Ok(())
    }

    fn code(&mut self, body: &FunctionBody<'_>) -> Result<(), Failure> {
        let contents = Contents::of(body, &self.parameters, self.reads);
        let contents = contents.map_err(|error| unreadable(&error))?;
        if let Some(reason) = contents.unfit {
            if contents.tied {
                let function = self.function;
                return Err(Failure::Tied { function, reason });
            }
            self.spared.functions.insert(self.function, reason);
        }
        self.function += 1;
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
        let may_trap = Err(Failure::MayTrap {
            kind: "data".into(),
            index,
        });
        let memory = at(spaces, *memory_index);
        // The segment can never fit. Binaryen calls such a module invalid.
        if matches!(&memory, Some(memory) if !memory.imported && length > memory.minimum) {
            return may_trap;
        }
        match fate(memory, offset_expr, length) {
            Fate::Stays => {}
            Fate::Unused => {
                self.spared.memories.insert(*memory_index);
            }
            Fate::Lost => return may_trap,
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
                        let kind = "element".into();
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
    /// Nothing that a program could observe.
    Stays,
    /// The segment and its trap are removed, unless its memory or table is in use.
    Unused,
    /// The segment and its trap are removed.
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

/// The value of an offset that is a single constant. Addresses are unsigned.
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
