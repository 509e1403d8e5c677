//! Splits a core module into its sections, and writes it again with other functions, imports and
//! exports.
//!
//! Modules with types of garbage collection are not supported, because Binaryen 116 never gets
//! them.

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, DataCountSection, ExportSection, FunctionSection, ImportSection, NameSection,
    Section, StartSection, TypeSection,
};
use wasmparser::{
    CustomSectionReader, DataSectionReader, ElementSectionReader, Export, FuncType, FunctionBody,
    GlobalSectionReader, Import, KnownCustom, MemorySectionReader, Parser, Payload,
    TableSectionReader, TagSectionReader, TypeRef,
};

/// The sections of a valid core module.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    pub(crate) types: Vec<FuncType>,
    pub(crate) imports: Vec<Import<'a>>,
    /// The types of the imported functions.
    imported: Vec<u32>,
    /// The types of the defined functions.
    functions: Vec<u32>,
    tables: Option<TableSectionReader<'a>>,
    memories: Option<MemorySectionReader<'a>>,
    tags: Option<TagSectionReader<'a>>,
    globals: Option<GlobalSectionReader<'a>>,
    pub(crate) exports: Vec<Export<'a>>,
    start: Option<u32>,
    elements: Option<ElementSectionReader<'a>>,
    data_count: Option<u32>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    data: Option<DataSectionReader<'a>>,
    pub(crate) customs: Vec<CustomSectionReader<'a>>,
}

/// The sections that a stage replaces. In all other sections, a stage only renumbers.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) types: TypeSection,
    pub(crate) imports: ImportSection,
    pub(crate) functions: FunctionSection,
    pub(crate) exports: ExportSection,
    pub(crate) code: CodeSection,
    pub(crate) names: NameSection,
}

impl<'a> Parts<'a> {
    /// Reads a module. `None` if it contains something that is not supported here.
    pub(crate) fn read(module: &'a [u8]) -> Option<Self> {
        let mut parts = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.ok()? {
                Payload::TypeSection(section) => {
                    let types: Result<_, _> = section.into_iter_err_on_gc_types().collect();
                    parts.types = types.ok()?;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                            parts.imported.push(ty);
                        }
                        parts.imports.push(import);
                    }
                }
                Payload::FunctionSection(section) => {
                    let functions: Result<_, _> = section.into_iter().collect();
                    parts.functions = functions.ok()?;
                }
                Payload::TableSection(section) => parts.tables = Some(section),
                Payload::MemorySection(section) => parts.memories = Some(section),
                Payload::TagSection(section) => parts.tags = Some(section),
                Payload::GlobalSection(section) => parts.globals = Some(section),
                Payload::ExportSection(section) => {
                    let exports: Result<_, _> = section.into_iter().collect();
                    parts.exports = exports.ok()?;
                }
                Payload::StartSection { func, .. } => parts.start = Some(func),
                Payload::ElementSection(section) => parts.elements = Some(section),
                Payload::DataCountSection { count, .. } => parts.data_count = Some(count),
                Payload::CodeSectionEntry(body) => parts.bodies.push(body),
                Payload::DataSection(section) => parts.data = Some(section),
                Payload::CustomSection(section) => parts.customs.push(section),
                Payload::Version { .. } | Payload::CodeSectionStart { .. } | Payload::End(_) => {}
                _ => return None,
            }
        }
        (parts.functions.len() == parts.bodies.len()).then_some(parts)
    }

    /// The number of imported functions.
    pub(crate) fn imported_functions(&self) -> usize {
        self.imported.len()
    }

    /// The type of a function, by its index.
    pub(crate) fn function_type(&self, function: u32) -> Option<u32> {
        let function = usize::try_from(function).ok()?;
        let ty = match function.checked_sub(self.imported.len()) {
            Some(defined) => self.functions.get(defined),
            None => self.imported.get(function),
        };
        ty.copied()
    }

    /// The body of a function, by its index.
    pub(crate) fn body(&self, function: u32) -> Option<&FunctionBody<'a>> {
        let function = usize::try_from(function).ok()?;
        self.bodies.get(function.checked_sub(self.imported.len())?)
    }

    /// The defined functions: index, type and body.
    pub(crate) fn defined(&self) -> impl Iterator<Item = (u32, u32, &FunctionBody<'a>)> {
        // The function indices of a valid module fit into 32 bits.
        let imported = u32::try_from(self.imported_functions()).unwrap_or(u32::MAX);
        let functions = self.functions.iter().zip(&self.bodies);
        let functions = (imported..).zip(functions);
        functions.map(|(index, (ty, body))| (index, *ty, body))
    }

    /// Writes the module with the changed sections. Copies custom sections, except for names.
    pub(crate) fn encode<R: Reencode>(
        &self,
        to: &mut R,
        changed: &Changed,
    ) -> Result<Vec<u8>, reencode::Error<R::Error>> {
        let mut module = wasm_encoder::Module::new();
        if !changed.types.is_empty() {
            module.section(&changed.types);
        }
        if !changed.imports.is_empty() {
            module.section(&changed.imports);
        }
        if !changed.functions.is_empty() {
            module.section(&changed.functions);
        }
        renumber(&mut module, &self.tables, |new, old| {
            to.parse_table_section(new, old)
        })?;
        renumber(&mut module, &self.memories, |new, old| {
            to.parse_memory_section(new, old)
        })?;
        renumber(&mut module, &self.tags, |new, old| {
            to.parse_tag_section(new, old)
        })?;
        renumber(&mut module, &self.globals, |new, old| {
            to.parse_global_section(new, old)
        })?;
        if !changed.exports.is_empty() {
            module.section(&changed.exports);
        }
        if let Some(function) = self.start {
            module.section(&StartSection {
                function_index: to.start_section(function)?,
            });
        }
        renumber(&mut module, &self.elements, |new, old| {
            to.parse_element_section(new, old)
        })?;
        if let Some(count) = self.data_count {
            let count = to.data_count(count)?;
            module.section(&DataCountSection { count });
        }
        if !changed.code.is_empty() {
            module.section(&changed.code);
        }
        renumber(&mut module, &self.data, |new, old| {
            to.parse_data_section(new, old)
        })?;
        for custom in &self.customs {
            if !matches!(custom.as_known(), KnownCustom::Name(_)) {
                let section = to.custom_section(custom.clone())?;
                module.section(&section);
            }
        }
        module.section(&changed.names);
        Ok(module.finish())
    }
}

/// Writes a section in which only numbers change, if the module has this section.
fn renumber<S: Section + Default, T: Clone, E>(
    module: &mut wasm_encoder::Module,
    section: &Option<T>,
    parse: impl FnOnce(&mut S, T) -> Result<(), E>,
) -> Result<(), E> {
    let Some(section) = section else {
        return Ok(());
    };
    let mut new = S::default();
    parse(&mut new, section.clone())?;
    module.section(&new);
    Ok(())
}

/// Whether an import is a function.
pub(crate) fn is_function(import: &Import<'_>) -> bool {
    matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))
}
