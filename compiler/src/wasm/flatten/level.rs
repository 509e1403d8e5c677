//! One component as a list of its entries, in the order of the file. Components in it are entries
//! without contents.
//!
//! The entries of a component fall into two kinds. *Core* entries (core modules, core instances,
//! aliases of their exports, functions that are lowered or built in) may be moved, because edgec
//! numbers them anew. All others keep their order, so their numbers stay, and so does every type
//! that refers to them. Of these, only lifted functions and the destructors of resources refer to
//! core entries.
//!
//! Source: component model, `Binary.md` and `Explainer.md`, "Index Spaces".
//!
//! More than 400 lines: each kind of section is read by one match.

use std::collections::{BTreeSet, HashSet};

use wasm_encoder::ComponentSectionId;
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExport, ComponentExternalKind, ComponentImport,
    ComponentInstance, ComponentOuterAliasKind, ComponentType, ComponentTypeRef,
    CustomSectionReader, Encoding, ExternalKind, Instance, Payload, ValType,
};

use crate::index::follow::Meaning;
use crate::index::spaces::{Sort, Spaces};
use crate::wasm::sections::{Section, entries, sections};

/// The number of an entry. `None` if an index means something further out, or nothing that is
/// followed.
pub(super) type Known = Option<usize>;

/// A component.
pub(super) struct Level<'a> {
    /// Its entries, and its custom sections.
    pub(super) items: Vec<Item<'a>>,
    /// What each index means.
    spaces: Spaces<Known>,
    /// Whether an entry that keeps its bytes names a core module by its index. The components in it
    /// may do so, too: see their `takes`.
    pub(super) names_modules: bool,
    /// How far out the components are whose core modules it takes by their indices.
    pub(super) takes: BTreeSet<u32>,
}

/// An entry of a component.
pub(super) struct Item<'a> {
    /// The section that it is in.
    pub(super) section: u8,
    /// Its bytes in the section. For a core module or component: its own bytes. For whole sections:
    /// all entries, with their number in front.
    pub(super) bytes: &'a [u8],
    pub(super) what: What<'a>,
}

/// What an entry is.
pub(super) enum What<'a> {
    /// A core module.
    Module,
    /// A core module that another entry defines.
    SameModule(usize),
    /// A core module from outside.
    OtherModule,
    CoreInstance(Instance<'a>),
    /// An export of a core instance.
    CoreExport {
        instance: Known,
        kind: ExternalKind,
        name: &'a str,
    },
    /// A function that is lowered or built in.
    Canonical(CanonicalFunction),
    /// A function that is lifted.
    Lift(CanonicalFunction),
    /// A resource type with a destructor, by the destructor's index.
    Resource(ValType, u32),
    /// A component.
    Component,
    /// Any other entry. Whether code may run when it is made.
    Other(Runs),
    /// A whole section without entries that are followed.
    Section(Runs),
    Custom(CustomSectionReader<'a>),
}

/// Whether code may run when an entry is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    Nothing,
    Code,
}

impl<'a> Level<'a> {
    /// Reads a valid component. `None` if it contains something unknown.
    pub(super) fn read(component: &'a [u8]) -> Option<Self> {
        let mut reader = Reader {
            items: Vec::new(),
            entry: Entry::default(),
            names_modules: false,
            takes: BTreeSet::new(),
            without_code: HashSet::new(),
        };
        let mut spaces = Spaces::default();
        spaces.begin();
        for section in sections(component) {
            reader.read(component, &section?, &mut spaces)?;
        }
        Some(Self {
            items: reader.items,
            spaces,
            names_modules: reader.names_modules,
            takes: reader.takes,
        })
    }

    /// The entry that an index means.
    pub(super) fn item(&self, sort: Sort, index: u32) -> Known {
        self.spaces.get(sort, index)
    }
}

/// The entry that is being read.
#[derive(Default)]
struct Entry<'a> {
    section: u8,
    bytes: &'a [u8],
    /// For an alias of an export of a core instance.
    kind: Option<ExternalKind>,
    /// Whether an alias is a core module that an instance exports.
    is_module: bool,
}

struct Reader<'a> {
    items: Vec<Item<'a>>,
    entry: Entry<'a>,
    names_modules: bool,
    takes: BTreeSet<u32>,
    /// The components that certainly run no code when they are instantiated. Each is read once,
    /// although it may be instantiated often.
    without_code: HashSet<usize>,
}

impl<'a> Reader<'a> {
    /// Reads a section.
    fn read(
        &mut self,
        component: &'a [u8],
        section: &Section<'a>,
        spaces: &mut Spaces<Known>,
    ) -> Option<()> {
        let (nested, payload) = (section.nested, &section.payload);
        match (payload, nested) {
            (Payload::Version { .. }, _) => {}
            (Payload::CustomSection(custom), _) => {
                let custom = custom.clone();
                self.entry = entry(ComponentSectionId::CoreCustom, section.bytes);
                self.push(What::Custom(custom));
            }
            (Payload::ModuleSection { .. }, Some(module)) => {
                self.entry = entry(ComponentSectionId::CoreModule, module);
                let known = self.push(What::Module);
                spaces.add(Sort::of_definition(Encoding::Module), known);
            }
            (Payload::ComponentSection { .. }, Some(inner)) => {
                self.entry = entry(ComponentSectionId::Component, inner);
                let known = self.push(What::Component);
                if runs_nothing(inner) {
                    self.without_code.extend(known);
                }
                spaces.add(Sort::of_definition(Encoding::Component), known);
            }
            (Payload::ComponentAliasSection(aliases), _) => {
                for one in entries(component, aliases.clone()) {
                    let (alias, bytes) = one?;
                    self.entry = entry(ComponentSectionId::Alias, bytes);
                    self.read_alias(&alias, spaces);
                }
            }
            (Payload::ComponentTypeSection(types), _) => {
                for one in entries(component, types.clone()) {
                    let (ty, bytes) = one?;
                    self.entry = entry(ComponentSectionId::Type, bytes);
                    let known = self.push(match ty {
                        ComponentType::Resource {
                            rep,
                            dtor: Some(function),
                        } => What::Resource(rep, function),
                        _ => What::Other(Runs::Nothing),
                    });
                    spaces.add(Sort::Type, known);
                }
            }
            (Payload::CoreTypeSection(types), _) => {
                let bytes = component.get(types.range())?;
                self.entry = entry(ComponentSectionId::CoreType, bytes);
                self.push(What::Section(Runs::Nothing));
            }
            (Payload::ComponentStartSection { range, .. }, _) => {
                let bytes = component.get(range.clone())?;
                self.entry = entry(ComponentSectionId::Start, bytes);
                self.push(What::Section(Runs::Code));
            }
            (Payload::InstanceSection(instances), _) => {
                for one in entries(component, instances.clone()) {
                    let (instance, bytes) = one?;
                    self.entry = entry(ComponentSectionId::CoreInstance, bytes);
                    let known = self.push(What::CoreInstance(instance));
                    spaces.add(Sort::CoreInstance, known);
                }
            }
            (Payload::ComponentInstanceSection(instances), _) => {
                for one in entries(component, instances.clone()) {
                    let (instance, bytes) = one?;
                    self.entry = entry(ComponentSectionId::Instance, bytes);
                    let known = self.instance(spaces, &instance);
                    spaces.add(Sort::Instance, known);
                }
            }
            (Payload::ComponentCanonicalSection(functions), _) => {
                for one in entries(component, functions.clone()) {
                    let (function, bytes) = one?;
                    self.entry = entry(ComponentSectionId::CanonicalFunction, bytes);
                    let known = self.canonical(spaces, &function);
                    spaces.add(Sort::of_canonical(&function), known);
                }
            }
            (Payload::ComponentImportSection(imports), _) => {
                for one in entries(component, imports.clone()) {
                    let (import, bytes) = one?;
                    self.entry = entry(ComponentSectionId::Import, bytes);
                    let known = self.import(spaces, &import);
                    spaces.add_item(import.ty.kind(), known);
                }
            }
            (Payload::ComponentExportSection(exports), _) => {
                for one in entries(component, exports.clone()) {
                    let (export, bytes) = one?;
                    self.entry = entry(ComponentSectionId::Export, bytes);
                    let known = self.export(spaces, &export);
                    spaces.add_item(export.kind, known);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn read_alias(&mut self, alias: &ComponentAlias<'a>, spaces: &mut Spaces<Known>) {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, .. } => self.entry.kind = Some(*kind),
            ComponentAlias::InstanceExport { kind, .. } => {
                self.entry.is_module = *kind == ComponentExternalKind::Module;
            }
            // Core types are not followed.
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::CoreType,
                ..
            } => {
                self.push(What::Other(Runs::Nothing));
                return;
            }
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::CoreModule,
                count,
                ..
            } if *count > 0 => {
                self.takes.insert(*count);
            }
            ComponentAlias::Outer { .. } => {}
        }
        spaces.alias(alias, self);
    }

    fn push(&mut self, what: What<'a>) -> Known {
        let number = self.items.len();
        let Entry { section, bytes, .. } = self.entry;
        self.items.push(Item {
            section,
            bytes,
            what,
        });
        Some(number)
    }

    /// Whether code may run when a component is instantiated.
    fn runs(&self, component: Known) -> Runs {
        match component {
            Some(number) if self.without_code.contains(&number) => Runs::Nothing,
            _ => Runs::Code,
        }
    }
}

impl<'a> Meaning<'a> for Reader<'a> {
    type Known = Known;

    fn import(&mut self, _: &Spaces<Known>, import: &ComponentImport<'a>) -> Known {
        self.push(match import.ty {
            ComponentTypeRef::Module(_) => What::OtherModule,
            _ => What::Other(Runs::Nothing),
        })
    }

    fn export(&mut self, _: &Spaces<Known>, export: &ComponentExport<'a>) -> Known {
        self.names_modules |= export.kind == ComponentExternalKind::Module;
        self.push(What::Other(Runs::Nothing))
    }

    fn alias(&mut self, _: &Known, _: &'a str) -> Known {
        self.push(match self.entry.is_module {
            true => What::OtherModule,
            false => What::Other(Runs::Nothing),
        })
    }

    fn core_alias(&mut self, instance: &Known, name: &'a str) -> Known {
        let kind = self.entry.kind?;
        self.push(What::CoreExport {
            instance: *instance,
            kind,
            name,
        })
    }

    fn outer(&mut self, sort: Sort, known: Known) -> Known {
        let what = match (sort, known) {
            (Sort::Module, Some(number)) => match self.items.get(number).map(|item| &item.what) {
                Some(What::Module) => What::SameModule(number),
                Some(What::SameModule(number)) => What::SameModule(*number),
                _ => What::OtherModule,
            },
            (Sort::Module, None) => What::OtherModule,
            _ => What::Other(Runs::Nothing),
        };
        self.push(what)
    }

    fn instance(&mut self, spaces: &Spaces<Known>, instance: &ComponentInstance<'a>) -> Known {
        let module = ComponentExternalKind::Module;
        let runs = match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                self.names_modules |= args.iter().any(|it| it.kind == module);
                self.runs(spaces.get(Sort::Component, *component_index))
            }
            ComponentInstance::FromExports(items) => {
                self.names_modules |= items.iter().any(|it| it.kind == module);
                Runs::Nothing
            }
        };
        self.push(What::Other(runs))
    }

    fn canonical(&mut self, _: &Spaces<Known>, function: &CanonicalFunction) -> Known {
        let function = function.clone();
        self.push(match function {
            CanonicalFunction::Lift { .. } => What::Lift(function),
            _ => What::Canonical(function),
        })
    }
}

fn entry(section: ComponentSectionId, bytes: &[u8]) -> Entry<'_> {
    Entry {
        section: section.into(),
        bytes,
        kind: None,
        is_module: false,
    }
}

/// Whether a component certainly runs no code when it is instantiated.
fn runs_nothing(component: &[u8]) -> bool {
    sections(component).all(|section| {
        let runs = |section: Section<'_>| {
            matches!(
                section.payload,
                Payload::InstanceSection(_)
                    | Payload::ComponentInstanceSection(_)
                    | Payload::ComponentStartSection { .. }
            )
        };
        section.is_some_and(|section| !runs(section))
    })
}

#[cfg(test)]
mod tests;
