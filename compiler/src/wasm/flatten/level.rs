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

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasm_encoder::{CanonicalFunctionSection, ComponentSectionId};
use wasmparser::{
    BinaryReader, CanonicalFunction, ComponentAlias, ComponentExport, ComponentExternalKind,
    ComponentImport, ComponentInstance, ComponentOuterAliasKind, ComponentType, ComponentTypeRef,
    CustomSectionReader, Encoding, ExternalKind, FromReader, Instance, Payload, SectionLimited,
    ValType,
};

use crate::index::follow::Meaning;
use crate::index::spaces::{Sort, Spaces};
use crate::wasm::sections::{Section, sections};

/// The number of an entry. `None` if an index means something further out, or nothing that is
/// followed.
pub(super) type Known = Option<usize>;

/// A component.
pub(super) struct Level<'a> {
    /// Its entries, and its custom sections.
    pub(super) items: Vec<Item<'a>>,
    /// What each index means.
    spaces: Spaces<Known>,
    /// Whether an entry that keeps its bytes names a core module by its index.
    pub(super) names_modules: bool,
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
                self.names_modules |= takes_modules(inner, 1);
                let known = self.push(What::Component);
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
        let inner = component.and_then(|number| self.items.get(number));
        match inner {
            Some(Item {
                what: What::Component,
                bytes,
                ..
            }) if runs_nothing(bytes) => Runs::Nothing,
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

/// The entries of a section, each with its bytes.
fn entries<'a, T: FromReader<'a>>(
    component: &'a [u8],
    section: SectionLimited<'a, T>,
) -> impl Iterator<Item = Option<(T, &'a [u8])>> {
    let end = section.range().end;
    let mut entries = section.into_iter_with_offsets().peekable();
    std::iter::from_fn(move || {
        let (start, entry) = match entries.next()? {
            Ok(entry) => entry,
            Err(_) => return Some(None),
        };
        let end = match entries.peek() {
            Some(Ok((next, _))) => *next,
            _ => end,
        };
        Some(component.get(start..end).map(|bytes| (entry, bytes)))
    })
}

/// Whether a component takes core modules from the component `levels` further out. Also if it
/// cannot be read.
fn takes_modules(component: &[u8], levels: u32) -> bool {
    sections(component).any(|section| {
        let Some(section) = section else { return true };
        match (section.payload, section.nested) {
            (Payload::ComponentAliasSection(aliases), _) => {
                aliases.into_iter().any(|alias| match alias {
                    Ok(ComponentAlias::Outer {
                        kind: ComponentOuterAliasKind::CoreModule,
                        count,
                        ..
                    }) => count == levels,
                    Ok(_) => false,
                    Err(_) => true,
                })
            }
            (Payload::ComponentSection { .. }, Some(inner)) => takes_modules(inner, levels + 1),
            _ => false,
        }
    })
}

/// Whether a component certainly runs no code when it is instantiated.
fn runs_nothing(component: &[u8]) -> bool {
    sections(component).all(|section| {
        section.is_some_and(|section| match section.payload {
            Payload::InstanceSection(_)
            | Payload::ComponentInstanceSection(_)
            | Payload::ComponentStartSection { .. } => false,
            _ => true,
        })
    })
}

/// The indices that a canonical function uses: those of core items, and of others.
pub(super) fn uses(function: &CanonicalFunction) -> Option<Uses> {
    let mut uses = Uses::default();
    // The re-encoder of wasm-encoder 0.254 does not ask for the indices of these types.
    match function {
        CanonicalFunction::StreamCancelRead { ty, .. }
        | CanonicalFunction::StreamCancelWrite { ty, .. }
        | CanonicalFunction::FutureCancelRead { ty, .. }
        | CanonicalFunction::FutureCancelWrite { ty, .. } => uses.others.push((Sort::Type, *ty)),
        _ => {}
    }
    let mut section = CanonicalFunctionSection::new();
    uses.parse_component_canonical(&mut section, function.clone())
        .ok()?;
    Some(uses)
}

/// The indices that a canonical function uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Of core functions, memories and tables.
    pub(super) core: Vec<(Sort, u32)>,
    /// Of functions and types of the component.
    pub(super) others: Vec<(Sort, u32)>,
}

type Error = reencode::Error<std::convert::Infallible>;

impl Reencode for Uses {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        self.core.push((Sort::CoreFunc, index));
        Ok(index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error> {
        self.core.push((Sort::CoreMemory, index));
        Ok(index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error> {
        self.core.push((Sort::CoreTable, index));
        Ok(index)
    }
}

impl ReencodeComponent for Uses {
    fn component_func_index(&mut self, index: u32) -> u32 {
        self.others.push((Sort::Func, index));
        index
    }

    fn component_type_index(&mut self, index: u32) -> u32 {
        self.others.push((Sort::Type, index));
        index
    }
}

/// Reads an unsigned number at the beginning of some bytes. Returns it with the rest.
pub(super) fn leading_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut reader = BinaryReader::new(bytes, 0);
    let number = reader.read_var_u32().ok()?;
    Some((number, bytes.get(reader.original_position()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &str = r#"(component
        (import "f" (func $f (param "x" string)))
        (core module $m (memory (export "m") 1) (func (export "r") (param i32 i32 i32 i32)
            (result i32) unreachable) (func (export "d") (param i32)))
        (core instance $i (instantiate $m))
        (alias core export $i "d" (core func $d))
        (type $r (resource (rep i32) (dtor (func $d))))
        (core func $l (canon lower (func $f) (memory $i "m") (realloc (func $i "r"))))
        (core func $n (canon resource.new $r))
        (component $c)
        (instance (instantiate $c)))"#;

    #[test]
    fn entries_are_read_in_order_with_their_bytes() {
        let wasm = wat::parse_str(COMPONENT).unwrap();
        let level = Level::read(&wasm).unwrap();
        let kinds = level.items.iter().map(|item| kind(&item.what));
        // The text format adds a section of names.
        let kinds: Vec<&str> = kinds.filter(|kind| *kind != "custom").collect();
        // The text format makes the aliases and the type that it needs.
        let expected = [
            "other",
            "other",
            "module",
            "instance",
            "export",
            "resource",
            "export",
            "export",
            "canonical",
            "canonical",
            "component",
            "other",
        ];
        assert_eq!(kinds, expected);
        assert!(!level.names_modules);
        // The index of a function is that of its entry.
        let lowered = level.item(Sort::CoreFunc, 2).unwrap();
        let What::Canonical(function) = &level.items[lowered].what else {
            panic!("not a lowered function");
        };
        let used = uses(function).unwrap();
        assert_eq!(used.core.len(), 2);
        assert_eq!(used.others, [(Sort::Func, 0)]);
        assert_eq!(level.item(Sort::CoreFunc, 99), None);
    }

    fn kind(what: &What<'_>) -> &'static str {
        match what {
            What::Module => "module",
            What::SameModule(_) => "same",
            What::OtherModule => "other module",
            What::CoreInstance(_) => "instance",
            What::CoreExport { .. } => "export",
            What::Canonical(_) => "canonical",
            What::Lift(_) => "lift",
            What::Resource(..) => "resource",
            What::Component => "component",
            What::Other(_) => "other",
            What::Section(_) => "section",
            What::Custom(_) => "custom",
        }
    }

    #[test]
    fn a_component_that_may_run_code_is_known() {
        let runs = |inner: &str| {
            let text = format!("(component (component $c {inner}) (instance (instantiate $c)))");
            let wasm = wat::parse_str(text).unwrap();
            let level = Level::read(&wasm).unwrap();
            let mut others = level.items.iter().filter_map(|item| match item.what {
                What::Other(runs) => Some(runs),
                _ => None,
            });
            others.next().unwrap()
        };
        assert_eq!(runs("(type u8) (core module (func))"), Runs::Nothing);
        let instance = "(core module $m) (core instance (instantiate $m))";
        assert_eq!(runs(instance), Runs::Code);
        let nested = format!("(component $d {instance}) (instance (instantiate $d))");
        assert_eq!(runs(&nested), Runs::Code);
    }

    #[test]
    fn uses_of_modules_by_index_are_known() {
        let names = |text: &str| {
            let wasm = wat::parse_str(format!("(component (core module $m) {text})")).unwrap();
            Level::read(&wasm).unwrap().names_modules
        };
        assert!(!names(
            "(core instance (instantiate $m)) (component (core module))"
        ));
        for text in [
            r#"(export "m" (core module $m))"#,
            r#"(instance (export "m" (core module $m)))"#,
            r#"(component $c (import "m" (core module)))
               (instance (instantiate $c (with "m" (core module $m))))"#,
            "(component (alias outer 1 $m (core module)))",
            "(component (component (alias outer 2 $m (core module))))",
        ] {
            assert!(names(text), "{text}");
        }
        // That is a module of the component itself.
        let own = "(component (core module $n) (component (alias outer 1 $n (core module))))";
        assert!(!names(own));
    }
}
