//! Finds the exports of core modules that a component uses, in one walk through it.
//!
//! Source: component model, `Explainer.md`, "Instance Definitions" and "Alias Definitions".

use std::collections::{BTreeSet, HashMap};

use wasmparser::{
    ComponentExport, ComponentExternalKind, ComponentInstance, Encoding, Instance, Payload,
};

use crate::index::follow::{Meaning, follow};
use crate::index::spaces::{Sort, Spaces};

/// What a component uses of a core module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Used<'a> {
    /// Everything, perhaps.
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

/// For an entry of an index space: the number, in file order, of the core module that the entry is,
/// or is an instance of. `None` if that is unknown.
type Known = Option<usize>;

#[derive(Default)]
struct Uses<'a> {
    definitions: Vec<Definition<'a>>,
    /// Whether everything was understood.
    failed: bool,
}

/// What is used of each core module of a valid component, in file order. `None` if the component
/// contains something unknown.
pub(super) fn used(component: &[u8]) -> Option<Vec<Used<'_>>> {
    let mut uses = Uses::default();
    follow(component, &mut uses).ok()?;
    let definitions = uses.definitions.into_iter();
    let used = definitions.map(|definition| definition.used).collect();
    (!uses.failed).then_some(used)
}

impl<'a> Meaning<'a> for Uses<'a> {
    type Known = Known;

    fn enter(&mut self, encoding: Encoding) {
        if encoding == Encoding::Module {
            self.definitions.push(Definition {
                imports: HashMap::new(),
                used: Used::Names(BTreeSet::new()),
            });
        }
    }

    fn section(&mut self, _: Encoding, payload: &Payload<'a>) {
        match payload {
            // The core module that is being read is the last one.
            Payload::ImportSection(section) => {
                let Some(definition) = self.definitions.last_mut() else {
                    self.failed = true;
                    return;
                };
                for import in section.clone().into_imports() {
                    let Ok(import) = import else {
                        self.failed = true;
                        return;
                    };
                    let names = definition.imports.entry(import.module).or_default();
                    names.insert(import.name);
                }
            }
            Payload::UnknownSection { .. } => self.failed = true,
            _ => {}
        }
    }

    fn leave(&mut self, encoding: Encoding) -> Known {
        match encoding {
            Encoding::Module => self.definitions.len().checked_sub(1),
            Encoding::Component => None,
        }
    }

    fn export(&mut self, spaces: &Spaces<Known>, export: &ComponentExport<'a>) -> Known {
        self.give(spaces, export.kind, export.index)
    }

    fn core_alias(&mut self, instance: &Known, name: &'a str) -> Known {
        if let Some(giver) = *instance {
            self.mark(giver, Used::Names(BTreeSet::from([name])));
        }
        None
    }

    fn instance(&mut self, spaces: &Spaces<Known>, instance: &ComponentInstance<'a>) -> Known {
        match instance {
            ComponentInstance::Instantiate { args, .. } => {
                for item in args.iter() {
                    self.give(spaces, item.kind, item.index);
                }
            }
            ComponentInstance::FromExports(exports) => {
                for item in exports.iter() {
                    self.give(spaces, item.kind, item.index);
                }
            }
        }
        None
    }

    fn core_instance(&mut self, spaces: &Spaces<Known>, instance: &Instance<'a>) -> Known {
        let Instance::Instantiate { module_index, args } = instance else {
            // Its items were taken from other instances by aliases.
            return None;
        };
        let module = spaces.get(Sort::Module, *module_index);
        for argument in args.iter() {
            let Some(giver) = spaces.get(Sort::CoreInstance, argument.index) else {
                continue;
            };
            let names = match module.and_then(|number| self.definitions.get(number)) {
                Some(taker) => {
                    let asked = taker.imports.get(argument.name);
                    Used::Names(asked.cloned().unwrap_or_default())
                }
                // Its imports are unknown here.
                None => Used::All,
            };
            self.mark(giver, names);
        }
        module
    }
}

impl<'a> Uses<'a> {
    /// A module that cannot be followed any further keeps all exports.
    fn give(&mut self, spaces: &Spaces<Known>, kind: ComponentExternalKind, index: u32) -> Known {
        if kind != ComponentExternalKind::Module {
            return None;
        }
        let module = spaces.get(Sort::Module, index);
        if let Some(number) = module {
            self.mark(number, Used::All);
        }
        module
    }

    fn mark(&mut self, number: usize, more: Used<'a>) {
        let Some(definition) = self.definitions.get_mut(number) else {
            self.failed = true;
            return;
        };
        match (&mut definition.used, more) {
            (Used::All, _) => {}
            (Used::Names(names), Used::Names(more)) => names.extend(more),
            (used, Used::All) => *used = Used::All,
        }
    }
}
