//! A core module, read once for all of its uses: everything outside of function bodies.

use std::collections::HashMap;

use wasm_encoder::ExportKind;
use wasmparser::{
    CompositeInnerType, ConstExpr, CustomSectionReader, Data, DataKind, Element, ElementItems,
    ElementKind, Export, ExternalKind, FuncType, FunctionBody, Global, GlobalType, Import,
    KnownCustom, MemoryType, Parser, Payload, RecGroup, RefType, SubType, Table, TableInit,
    TagType, TypeRef, ValType,
};

use crate::index::spaces::Sort;
use crate::wasm::function_names::ModuleNames;

/// An index space of a core module whose items can be imported and exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Space {
    Func,
    Table,
    Memory,
    Global,
    Tag,
}

impl Space {
    pub(super) const ALL: [Self; 5] = [
        Self::Func,
        Self::Table,
        Self::Memory,
        Self::Global,
        Self::Tag,
    ];

    pub(super) fn of(kind: ExternalKind) -> Self {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Self::Func,
            ExternalKind::Table => Self::Table,
            ExternalKind::Memory => Self::Memory,
            ExternalKind::Global => Self::Global,
            ExternalKind::Tag => Self::Tag,
        }
    }

    pub(super) fn of_import(ty: &TypeRef) -> Self {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => Self::Func,
            TypeRef::Table(_) => Self::Table,
            TypeRef::Memory(_) => Self::Memory,
            TypeRef::Global(_) => Self::Global,
            TypeRef::Tag(_) => Self::Tag,
        }
    }

    pub(super) fn export_kind(self) -> ExportKind {
        match self {
            Self::Func => ExportKind::Func,
            Self::Table => ExportKind::Table,
            Self::Memory => ExportKind::Memory,
            Self::Global => ExportKind::Global,
            Self::Tag => ExportKind::Tag,
        }
    }

    /// The index space of a component for such items.
    pub(super) fn sort(self) -> Sort {
        match self {
            Self::Func => Sort::CoreFunc,
            Self::Table => Sort::CoreTable,
            Self::Memory => Sort::CoreMemory,
            Self::Global => Sort::CoreGlobal,
            Self::Tag => Sort::CoreTag,
        }
    }
}

/// The sections of a valid core module.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) length: usize,
    /// The recursion groups of its types, with the index of the first type of each.
    pub(super) groups: Vec<(u32, RecGroup)>,
    pub(super) imports: Vec<Import<'a>>,
    /// For each space, the numbers of its imports.
    imported: [Vec<usize>; 5],
    /// The types of the defined functions.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) tags: Vec<TagType>,
    pub(super) globals: Vec<Global<'a>>,
    pub(super) exports: Vec<Export<'a>>,
    by_name: HashMap<&'a str, usize>,
    /// The first name of each item that is exported.
    names: HashMap<(Space, u32), &'a str>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'a>>,
    pub(super) has_data_count: bool,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) data: Vec<Data<'a>>,
    pub(super) customs: Vec<CustomSectionReader<'a>>,
}

/// So many bytes of constant expressions count as one item: most expressions are shorter.
const LONG: usize = 16;

impl<'a> Module<'a> {
    /// Reads a module. `None` if it contains something unknown.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut module = Self {
            length: bytes.len(),
            ..Self::default()
        };
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(payload.ok()?)?;
        }
        (module.functions.len() == module.bodies.len()).then_some(module)
    }

    fn section(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::TypeSection(section) => {
                let mut first = 0u32;
                for group in section {
                    let group = group.ok()?;
                    let types = u32::try_from(group.types().len()).ok()?;
                    self.groups.push((first, group));
                    first = first.checked_add(types)?;
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    let number = self.imports.len();
                    let space = Space::of_import(&import.ty);
                    self.imported.get_mut(space as usize)?.push(number);
                    self.imports.push(import);
                }
            }
            Payload::FunctionSection(section) => self.functions = all(section)?,
            Payload::TableSection(section) => self.tables = all(section)?,
            Payload::MemorySection(section) => self.memories = all(section)?,
            Payload::TagSection(section) => self.tags = all(section)?,
            Payload::GlobalSection(section) => self.globals = all(section)?,
            Payload::ExportSection(section) => {
                self.exports = all(section)?;
                let named = self.exports.iter().enumerate();
                self.by_name = named.map(|(number, it)| (it.name, number)).collect();
                for export in &self.exports {
                    let item = (Space::of(export.kind), export.index);
                    self.names.entry(item).or_insert(export.name);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => self.elements = all(section)?,
            Payload::DataCountSection { .. } => self.has_data_count = true,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(section) => self.data = all(section)?,
            Payload::CustomSection(section) => self.customs.push(section),
            Payload::Version { .. } | Payload::CodeSectionStart { .. } | Payload::End(_) => {}
            _ => return None,
        }
        Some(())
    }

    /// The number of imports in a space.
    pub(super) fn imported(&self, space: Space) -> u32 {
        let imported = self.imported.get(space as usize).map_or(0, Vec::len);
        count(imported)
    }

    /// The number of the import that has this index. `None` if the module defines the item.
    pub(super) fn import(&self, space: Space, index: u32) -> Option<usize> {
        let imported = self.imported.get(space as usize)?;
        at(imported, index).copied()
    }

    /// The number of definitions in a space.
    pub(super) fn defined(&self, space: Space) -> usize {
        match space {
            Space::Func => self.functions.len(),
            Space::Table => self.tables.len(),
            Space::Memory => self.memories.len(),
            Space::Global => self.globals.len(),
            Space::Tag => self.tags.len(),
        }
    }

    /// The number of items in a space.
    pub(super) fn total(&self, space: Space) -> u32 {
        let imported = self.imported.get(space as usize).map_or(0, Vec::len);
        count(imported.saturating_add(self.defined(space)))
    }

    /// The place of an item among the definitions of its space. `None` if it is imported.
    pub(super) fn definition(&self, space: Space, index: u32) -> Option<usize> {
        let defined = index.checked_sub(self.imported(space))?;
        usize::try_from(defined).ok()
    }

    /// The export of this name: its space and index.
    pub(super) fn export(&self, name: &str) -> Option<(Space, u32)> {
        let export = self.exports.get(*self.by_name.get(name)?)?;
        Some((Space::of(export.kind), export.index))
    }

    /// A name under which an item is exported.
    pub(super) fn export_name(&self, space: Space, index: u32) -> Option<&'a str> {
        self.names.get(&(space, index)).copied()
    }

    /// The index of a function's type.
    pub(super) fn function_type(&self, function: u32) -> Option<u32> {
        match self.definition(Space::Func, function) {
            Some(defined) => self.functions.get(defined).copied(),
            None => match self.imports.get(self.import(Space::Func, function)?)?.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => Some(ty),
                _ => None,
            },
        }
    }

    /// A type, by its index.
    pub(super) fn sub_type(&self, ty: u32) -> Option<&SubType> {
        let after = self.groups.partition_point(|(first, _)| *first <= ty);
        let (first, group) = self.groups.get(after.checked_sub(1)?)?;
        let place = usize::try_from(ty.checked_sub(*first)?).ok()?;
        group.types().nth(place)
    }

    /// A function type by its index, if it means the same in every module: it is alone in its
    /// recursion group, has neither supertypes nor subtypes, and has only numbers, `funcref` and
    /// `externref`.
    pub(super) fn plain_type(&self, ty: u32) -> Option<&FuncType> {
        let after = self.groups.partition_point(|(first, _)| *first <= ty);
        let (_, group) = self.groups.get(after.checked_sub(1)?)?;
        // First its length: the way to a type of a long group is long.
        if group.types().len() != 1 {
            return None;
        }
        let sub_type = self.sub_type(ty)?;
        let shared = sub_type.composite_type.shared;
        if !sub_type.is_final || sub_type.supertype_idx.is_some() || shared {
            return None;
        }
        let ty = self.func_type(ty)?;
        let mut values = ty.params().iter().chain(ty.results());
        let plain = values.all(|value| match value {
            ValType::Ref(ty) => *ty == RefType::FUNCREF || *ty == RefType::EXTERNREF,
            _ => true,
        });
        plain.then_some(ty)
    }

    /// A function type, by its index.
    pub(super) fn func_type(&self, ty: u32) -> Option<&FuncType> {
        match &self.sub_type(ty)?.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    pub(super) fn global_type(&self, global: u32) -> Option<GlobalType> {
        match self.definition(Space::Global, global) {
            Some(defined) => Some(self.globals.get(defined)?.ty),
            None => match self.imports.get(self.import(Space::Global, global)?)?.ty {
                TypeRef::Global(ty) => Some(ty),
                _ => None,
            },
        }
    }

    /// Whether a memory, table or global of the module is shared between threads.
    pub(super) fn has_shared(&self) -> bool {
        let imported = self.imports.iter().any(|import| match import.ty {
            TypeRef::Memory(ty) => ty.shared,
            TypeRef::Table(ty) => ty.shared,
            TypeRef::Global(ty) => ty.shared,
            _ => false,
        });
        imported
            || self.memories.iter().any(|ty| ty.shared)
            || self.tables.iter().any(|table| table.ty.shared)
            || self.globals.iter().any(|global| global.ty.shared)
    }

    /// The number of items that are looked at for each instance of the module.
    pub(super) fn size(&self) -> usize {
        let long =
            |expression: &ConstExpr<'_>| expression.get_binary_reader().bytes_remaining() / LONG;
        let elements = self.elements.iter().map(|element| {
            let (items, bytes) = match &element.items {
                ElementItems::Functions(items) => (items.count(), 0),
                ElementItems::Expressions(_, items) => (items.count(), items.range().len()),
            };
            let offset = match &element.kind {
                ElementKind::Active { offset_expr, .. } => long(offset_expr),
                ElementKind::Passive | ElementKind::Declared => 0,
            };
            let items = usize::try_from(items).unwrap_or(usize::MAX);
            items.saturating_add(bytes / LONG).saturating_add(offset)
        });
        let globals = self
            .globals
            .iter()
            .map(|global| 1 + long(&global.init_expr));
        let data = self.data.iter().map(|data| match &data.kind {
            DataKind::Active { offset_expr, .. } => 1 + long(offset_expr),
            DataKind::Passive => 1,
        });
        let tables = self.tables.iter().map(|table| match &table.init {
            TableInit::Expr(init) => long(init),
            TableInit::RefNull => 0,
        });
        let named = [self.imports.len(), self.exports.len()];
        let all = elements
            .chain(globals)
            .chain(data)
            .chain(tables)
            .chain(named);
        all.fold(0, usize::saturating_add)
    }

    /// The names in its name section.
    pub(super) fn names(&self) -> ModuleNames {
        let mut names = ModuleNames::default();
        for custom in &self.customs {
            if let KnownCustom::Name(section) = custom.as_known() {
                names.read(section);
            }
        }
        names
    }
}

fn all<'a, T: wasmparser::FromReader<'a>>(
    section: wasmparser::SectionLimited<'a, T>,
) -> Option<Vec<T>> {
    section.into_iter().collect::<Result<_, _>>().ok()
}

/// An item, by its index in a valid module.
pub(super) fn at<T>(items: &[T], index: u32) -> Option<&T> {
    items.get(usize::try_from(index).ok()?)
}

/// A number of items of a valid module: it fits into 32 bits.
pub(super) fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
