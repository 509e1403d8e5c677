//! The needs of one instance of a program: core instances, memories, tables.
//!
//! A component is a small program that instantiates core modules and other components. This module
//! follows its static index spaces, so the counts are those of a real instantiation. The contents
//! of imported modules and components are unknown, and make the counts incomplete.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use wasmparser::{ComponentInstance, Encoding, Instance, MemoryType, Payload, Result, TableType};

use crate::index::follow::{Meaning, follow};
use crate::index::spaces::{Sort, Spaces};

/// The maximum number of memories and tables that is counted. Nested instantiation can double them
/// at every level, and no pool allows so many.
const MAX_ENTRIES: usize = 10_000;

/// The maximum length of the lists of all components together. Each component has its own list,
/// even if it only instantiates another one: 900 such components, in 20 KB, would take 400 MB.
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
    /// The number of all instances of components and core modules. The engine walks them one by
    /// one.
    pub(crate) instantiations: u64,
    /// The number of entries of components (aliases, canonical functions, instances, types) and of
    /// imports of core modules that the engine walks, once for each instance.
    pub(crate) steps: u64,
}

/// A minimum, and a maximum if one is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// At instantiation.
    pub minimum: u64,
    /// After growth.
    pub maximum: Option<u64>,
}

/// An entry of an index space of core modules or components: its needs, if known.
type Known = Option<Rc<Resources>>;

impl Resources {
    /// Counts the needs of a valid binary.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        let mut count = Count {
            open: Vec::new(),
            whole: None,
            left: MAX_ENTRIES_KEPT,
        };
        let read: Result<()> = follow(wasm, &mut count);
        read.ok().and(count.whole).unwrap_or_default()
    }

    /// The needs of a core module or component that has just begun.
    fn begin(encoding: Encoding) -> Self {
        Self {
            // A core module is one instance of itself.
            core_instances: u64::from(encoding == Encoding::Module),
            instantiations: 1,
            complete: true,
            ..Self::default()
        }
    }

    /// Adds the needs of an instance. `left` is how many more entries may be added to all lists
    /// together.
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

/// Counts the needs of a program.
struct Count {
    /// The modules and components that are being read, the innermost last.
    open: Vec<Resources>,
    /// The needs of the whole program, after it has ended.
    whole: Option<Resources>,
    /// How many more entries may be added to all lists together.
    left: usize,
}

impl Count {
    /// Adds the needs of an instance to the needs of the component that is being read.
    fn add(&mut self, instance: &Known) {
        if let Some(needs) = self.open.last_mut() {
            needs.add(instance, &mut self.left);
        }
    }
}

impl<'a> Meaning<'a> for Count {
    type Known = Known;

    fn enter(&mut self, encoding: Encoding) {
        self.open.push(Resources::begin(encoding));
    }

    fn section(&mut self, _: Encoding, payload: &Payload<'a>) {
        let Some(needs) = self.open.last_mut() else {
            return;
        };
        needs.steps = needs.steps.saturating_add(entries(payload));
        match payload {
            Payload::MemorySection(section) => {
                let memories = section.clone().into_iter().flatten();
                needs.memories.extend(memories.map(in_bytes));
            }
            Payload::TableSection(section) => {
                let tables = section.clone().into_iter().flatten();
                let tables = tables.map(|table| in_elements(table.ty));
                needs.tables.extend(tables);
            }
            _ => {}
        }
    }

    fn leave(&mut self, _: Encoding) -> Known {
        let done = self.open.pop()?;
        if self.open.is_empty() {
            self.whole = Some(done);
            return None;
        }
        Some(Rc::new(done))
    }

    fn instance(&mut self, spaces: &Spaces<Known>, instance: &ComponentInstance<'a>) -> Known {
        if let ComponentInstance::Instantiate {
            component_index, ..
        } = instance
        {
            self.add(&spaces.get(Sort::Component, *component_index));
        }
        // Exports of instances are not followed.
        None
    }

    fn core_instance(&mut self, spaces: &Spaces<Known>, instance: &Instance<'a>) -> Known {
        if let Instance::Instantiate { module_index, .. } = instance {
            self.add(&spaces.get(Sort::Module, *module_index));
        }
        None
    }
}

/// The entries of a section that the engine walks for each instance. In a core module, these are
/// its imports.
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
        // Each component instantiates the one before. The first has 10,000 memories.
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
        // With the outermost component, there are two more lists than the number of the last one.
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
