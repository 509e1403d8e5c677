//! Which entries of a component are used: marked from those that stay in any case.
//!
//! A core instance that only puts items together does not use them. Those that take it use what
//! they import.

use std::collections::HashMap;

use wasmparser::{
    ComponentAlias, ComponentInstance, ComponentOuterAliasKind, ComponentType, Instance, Parser,
    Payload,
};

use super::encode::uses;
use super::entries::{Entries, Entry, Item};
use crate::index::spaces::Sort;

/// The entries that are used.
pub(super) struct Live {
    items: Vec<bool>,
    /// For each core instance that puts items together, which of them are used.
    bundles: HashMap<usize, Vec<bool>>,
}

impl Live {
    /// Whether the entry of this number is used.
    pub(super) fn has(&self, number: usize) -> bool {
        self.items.get(number).copied().unwrap_or(false)
    }

    /// Whether an item of the core instance of this number is used, by its place.
    pub(super) fn has_item(&self, number: usize, place: usize) -> bool {
        let bundle = self.bundles.get(&number);
        bundle
            .and_then(|used| used.get(place))
            .copied()
            .unwrap_or(false)
    }
}

/// What of a component is used. `None` if it contains something that is not understood.
pub(super) fn live(entries: &Entries<'_>) -> Option<Live> {
    let mut marker = Marker::new(entries);
    for (number, item) in entries.items.iter().enumerate() {
        if stays(item) {
            marker.mark(number);
        }
    }
    while let Some(number) = marker.waiting.pop() {
        marker.follow(number)?;
    }
    let bundles = marker.bundles.into_iter();
    Some(Live {
        items: marker.live,
        bundles: bundles
            .map(|(number, bundle)| (number, bundle.used))
            .collect(),
    })
}

/// Whether an entry stays even if nothing uses it: a host can see it, or it has an effect, or other
/// stages count it.
fn stays(item: &Item<'_>) -> bool {
    match &item.entry {
        Entry::Module
        | Entry::Component
        | Entry::Export(_)
        | Entry::CoreTypes
        | Entry::Custom(_)
        | Entry::CoreInstance(Instance::Instantiate { .. })
        | Entry::Instance(ComponentInstance::Instantiate { .. })
        | Entry::Type(ComponentType::Resource { dtor: Some(_), .. })
        // Core types keep their indices.
        | Entry::Alias(ComponentAlias::Outer {
            kind: ComponentOuterAliasKind::CoreType,
            ..
        }) => true,
        Entry::CoreInstance(Instance::FromExports(_))
        | Entry::Instance(ComponentInstance::FromExports(_))
        | Entry::Type(_)
        | Entry::Alias(_)
        | Entry::Canonical(_)
        | Entry::Import(_) => false,
    }
}

/// The names that a core module imports, by the module that it names.
type Imports<'a> = HashMap<&'a str, Vec<&'a str>>;

/// A core instance that puts items together.
struct Bundle<'a> {
    /// The places of its items.
    places: HashMap<&'a str, usize>,
    /// What each item is.
    items: Vec<(Sort, u32)>,
    used: Vec<bool>,
}

struct Marker<'e, 'a> {
    entries: &'e Entries<'a>,
    live: Vec<bool>,
    bundles: HashMap<usize, Bundle<'a>>,
    /// What core modules import, by their entries. Each is read once.
    imports: HashMap<usize, Imports<'a>>,
    /// The entries that are marked, and whose uses are not.
    waiting: Vec<usize>,
}

impl<'e, 'a> Marker<'e, 'a> {
    fn new(entries: &'e Entries<'a>) -> Self {
        let items = entries.items.iter().enumerate();
        let bundles = items.filter_map(|(number, item)| match &item.entry {
            Entry::CoreInstance(Instance::FromExports(exports)) => {
                let places = exports.iter().enumerate();
                let items = exports.iter();
                let bundle = Bundle {
                    places: places.map(|(place, export)| (export.name, place)).collect(),
                    items: items
                        .map(|export| (Sort::of_core(export.kind), export.index))
                        .collect(),
                    used: vec![false; exports.len()],
                };
                Some((number, bundle))
            }
            _ => None,
        });
        Self {
            entries,
            live: vec![false; entries.items.len()],
            bundles: bundles.collect(),
            imports: HashMap::new(),
            waiting: Vec::new(),
        }
    }

    fn mark(&mut self, number: usize) {
        if let Some(live) = self.live.get_mut(number)
            && !std::mem::replace(live, true)
        {
            self.waiting.push(number);
        }
    }

    /// Marks the entry that an index means. Returns its number.
    fn mark_index(&mut self, sort: Sort, index: u32) -> Option<usize> {
        let number = self.entries.number(sort, index)?;
        self.mark(number);
        Some(number)
    }

    /// Marks what an entry uses.
    fn follow(&mut self, number: usize) -> Option<()> {
        let entries = self.entries;
        let item = entries.items.get(number)?;
        match &item.entry {
            Entry::CoreInstance(Instance::Instantiate { module_index, args }) => {
                let module = self.mark_index(Sort::Module, *module_index)?;
                for argument in args.iter() {
                    let instance = self.mark_index(Sort::CoreInstance, argument.index)?;
                    self.take(instance, module, argument.name)?;
                }
            }
            // Those that take its items mark them.
            Entry::CoreInstance(Instance::FromExports(_)) => {}
            Entry::Alias(ComponentAlias::CoreInstanceExport {
                instance_index,
                name,
                ..
            }) => {
                let instance = self.mark_index(Sort::CoreInstance, *instance_index)?;
                self.mark_item(instance, name)?;
            }
            _ => {
                for (sort, index) in uses(item)? {
                    self.mark_index(sort, index)?;
                }
            }
        }
        Some(())
    }

    /// Marks what a core module takes from an instance that it gets under this name.
    fn take(&mut self, instance: usize, module: usize, name: &str) -> Option<()> {
        let Some(bundle) = self.bundles.get(&instance) else {
            return Some(());
        };
        let Some(definition) = self.definition(module) else {
            // Its imports are unknown here.
            for place in 0..bundle.items.len() {
                self.mark_place(instance, place)?;
            }
            return Some(());
        };
        if !self.imports.contains_key(&definition) {
            let item = self.entries.items.get(definition)?;
            self.imports.insert(definition, imports(item.bytes)?);
        }
        let names = self.imports.get(&definition)?.get(name);
        for name in names.cloned().unwrap_or_default() {
            self.mark_item(instance, name)?;
        }
        Some(())
    }

    /// Marks an item of a core instance, if the instance puts items together.
    fn mark_item(&mut self, instance: usize, name: &str) -> Option<()> {
        let Some(bundle) = self.bundles.get(&instance) else {
            return Some(());
        };
        let place = *bundle.places.get(name)?;
        self.mark_place(instance, place)
    }

    fn mark_place(&mut self, instance: usize, place: usize) -> Option<()> {
        let bundle = self.bundles.get_mut(&instance)?;
        let (sort, index) = *bundle.items.get(place)?;
        *bundle.used.get_mut(place)? = true;
        self.mark_index(sort, index).map(drop)
    }

    /// The entry that has the bytes of a core module. `None` if the module comes from outside.
    fn definition(&self, module: usize) -> Option<usize> {
        let mut number = module;
        loop {
            number = match self.entries.items.get(number)?.entry {
                Entry::Module => return Some(number),
                // Such an alias means an earlier entry.
                Entry::Alias(ComponentAlias::Outer {
                    count: 0, index, ..
                }) => self.entries.number(Sort::Module, index)?,
                _ => return None,
            }
        }
    }
}

/// What a core module imports.
fn imports(module: &[u8]) -> Option<Imports<'_>> {
    let mut found = Imports::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    found.entry(import.module).or_default().push(import.name);
                }
                break;
            }
            // Imports come before.
            Payload::FunctionSection(_) | Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    Some(found)
}
