//! What one instance of a program needs: core instances, memories, tables.
//!
//! A component is a small program that instantiates core modules and other components. This module
//! follows its static index spaces, so the counts are those of a real instantiation. Imported
//! modules and components cannot be seen, and make the counts incomplete.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Instance, MemoryType, Parser, Payload, TableType,
};

/// More memories and tables than this are counted as this many: nested instantiation
/// can double at every level, and no pool allows so many.
const MAX_ENTRIES: usize = 10_000;

/// How many entries the lists of all components have together. Each component has its own, also one
/// that only instantiates another: 900 such components, 20 KB, would take 400 MB.
const MAX_ENTRIES_KEPT: usize = 1_000_000;

/// The needs of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// How many core instances are made from core modules.
    pub core_instances: u64,
    /// The limits in bytes of each linear memory that is defined, not imported.
    pub memories: Vec<Limits>,
    /// The limits in elements of each table that is defined, not imported.
    pub tables: Vec<Limits>,
    /// Whether everything could be counted.
    pub complete: bool,
    /// How many instances of components and core modules are made in all. The engine walks
    /// them one by one.
    pub(crate) instantiations: u64,
    /// How many entries of components (aliases, canonical functions, instances, types) and imports
    /// of core modules are walked for that: once for each instance.
    pub(crate) steps: u64,
}

/// A minimum and, where one is stated, a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// At instantiation.
    pub minimum: u64,
    /// After growth.
    pub maximum: Option<u64>,
}

/// An entry of an index space of core modules or components: what it needs, when known.
type Known = Option<Rc<Resources>>;

/// A module or component that is being read.
struct Level {
    encoding: Encoding,
    needs: Resources,
    modules: Vec<Known>,
    components: Vec<Known>,
}

impl Resources {
    /// Counts the needs of a valid binary.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        let mut levels: Vec<Level> = Vec::new();
        let mut left = MAX_ENTRIES_KEPT;
        for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
            match payload {
                Payload::Version { encoding, .. } => levels.push(Level::new(encoding)),
                Payload::End(_) => {
                    let Some(done) = levels.pop() else { break };
                    match levels.last_mut() {
                        Some(outer) => outer.define(done),
                        None => return done.needs,
                    }
                }
                payload => Level::read(&mut levels, payload, &mut left),
            }
        }
        Self::default()
    }

    /// Adds the needs of an instance. `left` is how many entries may still be added to any list.
    fn add(&mut self, other: &Known, left: &mut usize) {
        let Some(other) = other else {
            self.complete = false;
            return;
        };
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
        self.instantiations = self.instantiations.saturating_add(other.instantiations);
        self.steps = self.steps.saturating_add(other.steps);
        self.complete &= other.complete;
        for (mine, theirs) in [
            (&mut self.memories, &other.memories),
            (&mut self.tables, &other.tables),
        ] {
            let room = MAX_ENTRIES.saturating_sub(mine.len()).min(*left);
            let added = theirs.len().min(room);
            mine.extend(theirs.iter().take(added));
            *left = left.saturating_sub(added);
            self.complete &= added == theirs.len();
        }
    }
}

impl Level {
    fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            needs: Resources {
                // A core module is one instance of itself.
                core_instances: u64::from(encoding == Encoding::Module),
                instantiations: 1,
                complete: true,
                ..Resources::default()
            },
            modules: Vec::new(),
            components: Vec::new(),
        }
    }

    /// Enters a finished inner module or component into the index space.
    fn define(&mut self, inner: Level) {
        match inner.encoding {
            Encoding::Module => self.modules.push(Some(Rc::new(inner.needs))),
            Encoding::Component => self.components.push(Some(Rc::new(inner.needs))),
        }
    }

    fn read(levels: &mut [Level], payload: Payload<'_>, left: &mut usize) {
        if let Some(level) = levels.last_mut() {
            level.needs.steps = level.needs.steps.saturating_add(entries(&payload));
        }
        if let Payload::ComponentAliasSection(section) = payload {
            for alias in section.into_iter().flatten() {
                Self::alias(levels, &alias);
            }
            return;
        }
        let Some(level) = levels.last_mut() else {
            return;
        };
        match payload {
            Payload::MemorySection(section) => {
                let memories = section.into_iter().flatten();
                level.needs.memories.extend(memories.map(in_bytes));
            }
            Payload::TableSection(section) => {
                let tables = section.into_iter().flatten();
                level
                    .needs
                    .tables
                    .extend(tables.map(|table| in_elements(table.ty)));
            }
            Payload::InstanceSection(section) => {
                for instance in section.into_iter().flatten() {
                    if let Instance::Instantiate { module_index, .. } = instance {
                        let module = at(&level.modules, module_index);
                        level.needs.add(&module, left);
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.into_iter().flatten() {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance
                    {
                        let component = at(&level.components, component_index);
                        level.needs.add(&component, left);
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.into_iter().flatten() {
                    match import.ty {
                        ComponentTypeRef::Module(_) => level.modules.push(None),
                        ComponentTypeRef::Component(_) => level.components.push(None),
                        _ => {}
                    }
                }
            }
            // An export is a new entry of its index space.
            Payload::ComponentExportSection(section) => {
                for export in section.into_iter().flatten() {
                    match export.kind {
                        ComponentExternalKind::Module => {
                            level.modules.push(at(&level.modules, export.index));
                        }
                        ComponentExternalKind::Component => {
                            level.components.push(at(&level.components, export.index));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn alias(levels: &mut [Level], alias: &ComponentAlias<'_>) {
        let outer = |count: u32, index: u32, of: fn(&Level) -> &[Known]| {
            let count = usize::try_from(count).ok()?;
            let level = levels.iter().rev().nth(count)?;
            at(of(level), index)
        };
        let (module, component) = match *alias {
            ComponentAlias::Outer { kind, count, index } => match kind {
                ComponentOuterAliasKind::CoreModule => {
                    (Some(outer(count, index, |level| &level.modules)), None)
                }
                ComponentOuterAliasKind::Component => {
                    (None, Some(outer(count, index, |level| &level.components)))
                }
                _ => (None, None),
            },
            // What an instance exports is not followed.
            ComponentAlias::InstanceExport { kind, .. } => match kind {
                ComponentExternalKind::Module => (Some(None), None),
                ComponentExternalKind::Component => (None, Some(None)),
                _ => (None, None),
            },
            ComponentAlias::CoreInstanceExport { .. } => (None, None),
        };
        if let Some(level) = levels.last_mut() {
            level.modules.extend(module);
            level.components.extend(component);
        }
    }
}

/// The entries of a section that are walked for each instance. Of a core module those are its
/// imports.
fn entries(payload: &Payload<'_>) -> u64 {
    u64::from(match payload {
        Payload::InstanceSection(section) => section.count(),
        Payload::CoreTypeSection(section) => section.count(),
        Payload::ComponentInstanceSection(section) => section.count(),
        Payload::ComponentAliasSection(section) => section.count(),
        Payload::ComponentTypeSection(section) => section.count(),
        Payload::ComponentCanonicalSection(section) => section.count(),
        Payload::ComponentImportSection(section) => section.count(),
        Payload::ComponentExportSection(section) => section.count(),
        Payload::ImportSection(section) => section.count(),
        _ => 0,
    })
}

fn at(space: &[Known], index: u32) -> Known {
    let index = usize::try_from(index).ok()?;
    space.get(index).cloned().flatten()
}

fn in_bytes(memory: MemoryType) -> Limits {
    let page = 1u64 << memory.page_size_log2.unwrap_or(16).min(16);
    Limits {
        minimum: memory.initial.saturating_mul(page),
        maximum: memory.maximum.map(|pages| pages.saturating_mul(page)),
    }
}

fn in_elements(table: TableType) -> Limits {
    Limits {
        minimum: table.initial,
        maximum: table.maximum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Resources {
        Resources::of(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn a_module_is_one_instance() {
        let needs = of("(module (memory 1 2) (table 3 funcref))");
        assert_eq!((needs.core_instances, needs.complete), (1, true));
        assert_eq!(needs.memories[0].minimum, 65536);
        assert_eq!(needs.memories[0].maximum, Some(131_072));
        assert_eq!(needs.tables[0].minimum, 3);
    }

    #[test]
    fn instantiations_are_followed() {
        let needs = of("(component
            (core module $m (memory 1))
            (core instance (instantiate $m))
            (component $c
                (alias outer 1 $m (core module $n))
                (core instance (instantiate $n))
                (core instance (instantiate $n)))
            (instance (instantiate $c))
            (instance (instantiate $c)))");
        assert_eq!((needs.core_instances, needs.complete), (5, true));
        assert_eq!(needs.memories.len(), 5);
    }

    #[test]
    fn what_is_imported_is_not_known() {
        let needs = of("(component (import \"m\" (core module $m))
            (core instance (instantiate $m)))");
        assert!(!needs.complete);
    }

    #[test]
    fn lists_of_all_components_stay_bounded() {
        // Each component instantiates the one before, which has 10,000 memories.
        let chain = |last: usize| {
            let memories = "(memory 1)".repeat(100);
            let instances = "(core instance (instantiate $n))".repeat(100);
            let others = (1..=last).map(|at| {
                let before = at - 1;
                format!(
                    "(component $c{at} (alias outer 1 $c{before} (component $c)) \
                     (instance (instantiate $c)))"
                )
            });
            format!(
                "(component (core module $m {memories}) \
                 (component $c0 (alias outer 1 $m (core module $n)) {instances}) {} \
                 (instance (instantiate $c{last})))",
                others.collect::<String>()
            )
        };
        // With the outermost component, there are two lists more than the number of the last.
        for (last, memories, complete) in [(98, MAX_ENTRIES, true), (99, 0, false)] {
            let needs = of(&chain(last));
            assert_eq!((needs.memories.len(), needs.complete), (memories, complete));
            assert_eq!(needs.core_instances, 100);
        }
    }

    #[test]
    fn doubling_at_every_level_stays_bounded() {
        let mut text =
            "(component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))"
                .to_owned();
        for level in 1..80 {
            let inner = level - 1;
            text = format!(
                "(component $c{level} {text} \
                 (instance (instantiate $c{inner})) (instance (instantiate $c{inner})))"
            );
        }
        let needs = of(&text);
        assert_eq!(needs.core_instances, u64::MAX);
        assert_eq!((needs.memories.len(), needs.complete), (MAX_ENTRIES, false));
    }
}
