//! The entries of the outermost component, in the order of the file, with what each index means.
//!
//! Unlike the merge of core modules (`flatten/level.rs`), this stage reads the entries of a
//! component as well, because it may remove any of them.
//!
//! Source: component model, `Binary.md` and `Explainer.md`, "Index Spaces".

use wasm_encoder::ComponentSectionId;
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExport, ComponentImport, ComponentInstance,
    ComponentOuterAliasKind, ComponentType, CustomSectionReader, Instance, Payload,
};

use crate::index::spaces::{Scope, Sort};
use crate::wasm::sections::{Section, entries, sections};

/// A component.
pub(super) struct Entries<'a> {
    /// Its entries and its custom sections.
    pub(super) items: Vec<Item<'a>>,
    spaces: Scope<Option<usize>>,
}

/// An entry of a component.
pub(super) struct Item<'a> {
    /// The section that it is in.
    pub(super) section: u8,
    /// Its bytes in the section. For a core module or component: its own bytes. For core types: all
    /// entries of the section, with their number in front. For a custom section: all of it.
    pub(super) bytes: &'a [u8],
    pub(super) entry: Entry<'a>,
    /// The index space that it adds to. `None` if it adds to none that is followed.
    pub(super) defines: Option<Sort>,
}

/// What an entry is.
pub(super) enum Entry<'a> {
    Module,
    Component,
    CoreInstance(Instance<'a>),
    Instance(ComponentInstance<'a>),
    Alias(ComponentAlias<'a>),
    Type(ComponentType<'a>),
    Canonical(CanonicalFunction),
    Import(ComponentImport<'a>),
    Export(ComponentExport<'a>),
    CoreTypes,
    Custom(CustomSectionReader<'a>),
}

impl<'a> Entries<'a> {
    /// Reads a valid component. `None` if it contains something that is not followed: values, start
    /// functions or unknown sections.
    pub(super) fn read(component: &'a [u8]) -> Option<Self> {
        let mut read = Self {
            items: Vec::new(),
            spaces: Scope::default(),
        };
        for section in sections(component) {
            read.section(component, &section?)?;
        }
        Some(read)
    }

    /// The number of the entry that an index means.
    pub(super) fn number(&self, sort: Sort, index: u32) -> Option<usize> {
        self.spaces.get(sort, index)
    }

    fn section(&mut self, component: &'a [u8], section: &Section<'a>) -> Option<()> {
        use ComponentSectionId as Id;
        match (&section.payload, section.nested) {
            (Payload::Version { .. }, _) => {}
            (Payload::CustomSection(custom), _) => {
                let entry = Entry::Custom(custom.clone());
                self.push(Id::CoreCustom, section.bytes, entry, None);
            }
            (Payload::ModuleSection { .. }, Some(module)) => {
                self.push(Id::CoreModule, module, Entry::Module, Some(Sort::Module));
            }
            (Payload::ComponentSection { .. }, Some(inner)) => {
                let sort = Some(Sort::Component);
                self.push(Id::Component, inner, Entry::Component, sort);
            }
            (Payload::CoreTypeSection(types), _) => {
                let bytes = component.get(types.range())?;
                self.push(Id::CoreType, bytes, Entry::CoreTypes, None);
            }
            (Payload::InstanceSection(instances), _) => {
                for one in entries(component, instances.clone()) {
                    let (instance, bytes) = one?;
                    let entry = Entry::CoreInstance(instance);
                    self.push(Id::CoreInstance, bytes, entry, Some(Sort::CoreInstance));
                }
            }
            (Payload::ComponentInstanceSection(instances), _) => {
                for one in entries(component, instances.clone()) {
                    let (instance, bytes) = one?;
                    let entry = Entry::Instance(instance);
                    self.push(Id::Instance, bytes, entry, Some(Sort::Instance));
                }
            }
            (Payload::ComponentAliasSection(aliases), _) => {
                for one in entries(component, aliases.clone()) {
                    let (alias, bytes) = one?;
                    let sort = sort_of_alias(&alias)?;
                    self.push(Id::Alias, bytes, Entry::Alias(alias), sort);
                }
            }
            (Payload::ComponentTypeSection(types), _) => {
                for one in entries(component, types.clone()) {
                    let (ty, bytes) = one?;
                    self.push(Id::Type, bytes, Entry::Type(ty), Some(Sort::Type));
                }
            }
            (Payload::ComponentCanonicalSection(functions), _) => {
                for one in entries(component, functions.clone()) {
                    let (function, bytes) = one?;
                    let sort = Some(Sort::of_canonical(&function));
                    let entry = Entry::Canonical(function);
                    self.push(Id::CanonicalFunction, bytes, entry, sort);
                }
            }
            (Payload::ComponentImportSection(imports), _) => {
                for one in entries(component, imports.clone()) {
                    let (import, bytes) = one?;
                    let sort = Some(Sort::of(import.ty.kind())?);
                    self.push(Id::Import, bytes, Entry::Import(import), sort);
                }
            }
            (Payload::ComponentExportSection(exports), _) => {
                for one in entries(component, exports.clone()) {
                    let (export, bytes) = one?;
                    let sort = Some(Sort::of(export.kind)?);
                    self.push(Id::Export, bytes, Entry::Export(export), sort);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn push(
        &mut self,
        section: ComponentSectionId,
        bytes: &'a [u8],
        entry: Entry<'a>,
        defines: Option<Sort>,
    ) {
        if let Some(sort) = defines {
            self.spaces.add(sort, Some(self.items.len()));
        }
        self.items.push(Item {
            section: section.into(),
            bytes,
            entry,
            defines,
        });
    }
}

/// The index space that an alias adds to; within it, `None` for core types. `None` for values.
fn sort_of_alias(alias: &ComponentAlias<'_>) -> Option<Option<Sort>> {
    match alias {
        ComponentAlias::InstanceExport { kind, .. } => Sort::of(*kind).map(Some),
        ComponentAlias::CoreInstanceExport { kind, .. } => Some(Some(Sort::of_core(*kind))),
        ComponentAlias::Outer {
            kind: ComponentOuterAliasKind::CoreType,
            ..
        } => Some(None),
        ComponentAlias::Outer { kind, .. } => Sort::of_outer(*kind).map(Some),
    }
}
