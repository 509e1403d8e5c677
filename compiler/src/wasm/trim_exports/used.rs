//! Which exports of core modules a component uses, in one walk through it.
//!
//! Source: component model, `Explainer.md`, "Instance Definitions" and "Alias Definitions".

use std::collections::{BTreeSet, HashMap};

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Instance, Parser, Payload,
};

/// What a component uses of a core module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Used<'a> {
    /// Perhaps everything.
    All,
    /// The exports of these names.
    Names(BTreeSet<&'a str>),
}

/// A core module's definition.
struct Definition<'a> {
    /// The names of its imports, by the module that they name.
    imports: HashMap<&'a str, BTreeSet<&'a str>>,
    used: Used<'a>,
}

/// An entry of an index space: the number of the definition, in file order, when it is one.
type Known = Option<usize>;

/// A binary that is being read.
enum Level {
    Module(usize),
    Component {
        modules: Vec<Known>,
        /// Core instances, by the modules that they are instances of.
        instances: Vec<Known>,
    },
}

struct Reader<'a> {
    definitions: Vec<Definition<'a>>,
    levels: Vec<Level>,
}

/// What is used of each core module of a valid component, in file order; `None` when the
/// component has something that is not understood.
pub(super) fn used(component: &[u8]) -> Option<Vec<Used<'_>>> {
    let mut reader = Reader {
        definitions: Vec::new(),
        levels: Vec::new(),
    };
    for payload in Parser::new(0).parse_all(component) {
        reader.read(payload.ok()?)?;
    }
    let definitions = reader.definitions.into_iter();
    Some(definitions.map(|definition| definition.used).collect())
}

impl<'a> Reader<'a> {
    fn read(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding),
            Payload::End(_) => self.leave()?,
            Payload::ImportSection(section) => {
                let Some(Level::Module(number)) = self.levels.last() else {
                    return None;
                };
                let definition = self.definitions.get_mut(*number)?;
                for import in section.into_imports() {
                    let import = import.ok()?;
                    let names = definition.imports.entry(import.module).or_default();
                    names.insert(import.name);
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    let of = self.instantiate(&instance.ok()?)?;
                    self.spaces()?.1.push(of);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias.ok()?)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    self.component_instance(&instance.ok()?)?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    if let ComponentTypeRef::Module(_) = import.ok()?.ty {
                        self.spaces()?.0.push(None);
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    let given = self.give(export.kind, export.index)?;
                    if export.kind == ComponentExternalKind::Module {
                        // An export is a new entry of its index space.
                        self.spaces()?.0.push(given);
                    }
                }
            }
            Payload::UnknownSection { .. } => return None,
            // The rest names core items by indices that an alias made.
            _ => {}
        }
        Some(())
    }

    fn enter(&mut self, encoding: Encoding) {
        self.levels.push(match encoding {
            Encoding::Module => {
                self.definitions.push(Definition {
                    imports: HashMap::new(),
                    used: Used::Names(BTreeSet::new()),
                });
                Level::Module(self.definitions.len() - 1)
            }
            Encoding::Component => Level::Component {
                modules: Vec::new(),
                instances: Vec::new(),
            },
        });
    }

    fn leave(&mut self) -> Option<()> {
        if let Level::Module(number) = self.levels.pop()? {
            self.spaces()?.0.push(Some(number));
        }
        Some(())
    }

    /// The index spaces of core modules and core instances of the component that is read.
    fn spaces(&mut self) -> Option<(&mut Vec<Known>, &mut Vec<Known>)> {
        match self.levels.last_mut()? {
            Level::Component { modules, instances } => Some((modules, instances)),
            Level::Module(_) => None,
        }
    }

    /// What the new core instance is one of.
    fn instantiate(&mut self, instance: &Instance<'a>) -> Option<Known> {
        let Instance::Instantiate { module_index, args } = instance else {
            // Its items were taken out of other instances by aliases.
            return Some(None);
        };
        let module = at(self.spaces()?.0, *module_index)?;
        for argument in args {
            let Some(giver) = at(self.spaces()?.1, argument.index)? else {
                continue;
            };
            let names = match module {
                Some(number) => {
                    let asked = self.definitions.get(number)?.imports.get(argument.name);
                    Used::Names(asked.cloned().unwrap_or_default())
                }
                // What it imports is not known here.
                None => Used::All,
            };
            self.mark(giver, names)?;
        }
        Some(module)
    }

    fn component_instance(&mut self, instance: &ComponentInstance<'a>) -> Option<()> {
        let items: Vec<_> = match instance {
            ComponentInstance::Instantiate { args, .. } => {
                args.iter().map(|item| (item.kind, item.index)).collect()
            }
            ComponentInstance::FromExports(exports) => {
                exports.iter().map(|item| (item.kind, item.index)).collect()
            }
        };
        for (kind, index) in items {
            self.give(kind, index)?;
        }
        Some(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Option<()> {
        match *alias {
            ComponentAlias::CoreInstanceExport {
                instance_index,
                name,
                ..
            } => {
                if let Some(giver) = at(self.spaces()?.1, instance_index)? {
                    self.mark(giver, Used::Names(BTreeSet::from([name])))?;
                }
            }
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::CoreModule,
                count,
                index,
            } => {
                let level = self.levels.iter().rev().nth(usize::try_from(count).ok()?)?;
                let Level::Component { modules, .. } = level else {
                    return None;
                };
                let module = at(modules, index)?;
                self.spaces()?.0.push(module);
            }
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Module,
                ..
            } => self.spaces()?.0.push(None),
            _ => {}
        }
        Some(())
    }

    /// A module that goes where it cannot be followed keeps everything.
    fn give(&mut self, kind: ComponentExternalKind, index: u32) -> Option<Known> {
        if kind != ComponentExternalKind::Module {
            return Some(None);
        }
        let module = at(self.spaces()?.0, index)?;
        if let Some(number) = module {
            self.mark(number, Used::All)?;
        }
        Some(module)
    }

    fn mark(&mut self, number: usize, more: Used<'a>) -> Option<()> {
        let used = &mut self.definitions.get_mut(number)?.used;
        match (used, more) {
            (Used::All, _) => {}
            (Used::Names(names), Used::Names(more)) => names.extend(more),
            (used, Used::All) => *used = Used::All,
        }
        Some(())
    }
}

fn at(space: &[Known], index: u32) -> Option<Known> {
    space.get(usize::try_from(index).ok()?).copied()
}
