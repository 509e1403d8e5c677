//! The custom sections of a merged module: names of functions, so that backtraces have them, and
//! producers. All other custom sections are left out, because they may contain offsets or numbers
//! that changed, or belong to a linker.

use std::collections::{BTreeMap, HashSet};

use wasm_encoder::{NameSection, ProducersField, ProducersSection};
use wasmparser::KnownCustom;

use crate::wasm::flatten::facts::Whole;
use crate::wasm::flatten::graph::{Entity, Node};
use crate::wasm::flatten::group::{Group, Target};
use crate::wasm::flatten::layout::Layout;
use crate::wasm::flatten::module::Space;
use crate::wasm::function_names::ModuleNames;

/// The names of the members' functions, under their new indices. The module has the name of its
/// longest member that has one. `None` if there are no names.
pub(super) fn names(whole: &Whole<'_, '_>, group: &Group, layout: &Layout) -> Option<NameSection> {
    let mut merged = ModuleNames::default();
    let mut longest = 0;
    for node in &group.members {
        let Some(module) = whole.graph.module(*node) else {
            continue;
        };
        let names = module.names();
        if names.module.is_some() && module.length > longest {
            longest = module.length;
            merged.module = names.module;
        }
        for (function, name) in names.functions {
            if let Some(index) = named(whole, group, layout, *node, function) {
                merged.functions.entry(index).or_insert(name);
            }
        }
    }
    (merged != ModuleNames::default()).then(|| merged.section())
}

/// The new index of a function that has a name. `None` if another function takes its place.
fn named(
    whole: &Whole<'_, '_>,
    group: &Group,
    layout: &Layout,
    node: Node,
    function: u32,
) -> Option<u32> {
    let entity = whole.graph.resolve(node, Space::Func, function)?;
    let own = Target::Member(node, Space::Func, function);
    let is_own = group.inside(entity).target == own;
    let is_outside = !matches!(entity, Entity::Own(owner, ..) if group.has(owner));
    match is_own || is_outside {
        true => layout.index(node, Space::Func, function),
        false => None,
    }
}

/// Who made the members, each once. `None` if they do not say so.
pub(super) fn producers(whole: &Whole<'_, '_>, group: &Group) -> Option<ProducersSection> {
    let mut fields: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut known = HashSet::new();
    for node in &group.members {
        let customs = whole.graph.module(*node).map(|module| &module.customs);
        for custom in customs.into_iter().flatten() {
            let KnownCustom::Producers(section) = custom.as_known() else {
                continue;
            };
            for field in section.into_iter().flatten() {
                let values = fields.entry(field.name).or_default();
                for value in field.values.into_iter().flatten() {
                    if known.insert((field.name, value.name, value.version)) {
                        values.push((value.name, value.version));
                    }
                }
            }
        }
    }
    if fields.is_empty() {
        return None;
    }
    let mut section = ProducersSection::new();
    for (name, values) in fields {
        let mut field = ProducersField::new();
        for (name, version) in values {
            field.value(name, version);
        }
        section.field(name, &field);
    }
    Some(section)
}
