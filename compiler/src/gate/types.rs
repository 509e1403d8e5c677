//! The types of a component and of a world, read together, so that they can be compared.
//!
//! Both are validated in one pass, as two components in a third one, without their function bodies.

use std::collections::HashMap;

use wasmparser::collections::IndexMap;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentItem, ComponentType, ComponentTypeId,
    ResourceId,
};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Encoding, Parser, Validator, WasmFeatures};

/// Imports or exports, by name.
pub(super) type Items = IndexMap<String, ComponentItem>;

/// The version in the header of a component, as wasmparser reads it.
const COMPONENT_VERSION: u16 = 0x0d;

/// Validates components as parts of one component, in this order.
pub(super) fn read(components: &[&[u8]]) -> wasmparser::Result<Types> {
    // A valid program stays valid with more features, and a world may need them.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let header = 0..wasm_encoder::Component::HEADER.len();
    validator.version(COMPONENT_VERSION, Encoding::Component, &header)?;
    for component in components {
        validator.component_section(&header)?;
        for payload in Parser::new(0).parse_all(component) {
            // Function bodies are only counted.
            validator.payload(&payload?)?;
        }
    }
    validator.end(header.end)
}

/// The type of the component with this number.
pub(super) fn component<'a>(types: TypesRef<'a>, number: u32) -> Option<&'a ComponentType> {
    match number < types.component_count() {
        true => types.get(types.component_at(number)),
        false => None,
    }
}

/// The type of a component of the world that the component with this number describes
/// (`World::encoded`).
pub(super) fn world<'a>(types: TypesRef<'a>, number: u32) -> Option<&'a ComponentType> {
    let (_, item) = component(types, number)?.exports.get_index(0)?;
    let ComponentEntityType::Type { created, .. } = item.ty else {
        return None;
    };
    let ComponentAnyTypeId::Component(holder) = created else {
        return None;
    };
    let (_, item) = types.get::<ComponentTypeId>(holder)?.exports.get_index(0)?;
    match item.ty {
        ComponentEntityType::Component(world) => types.get(world),
        _ => None,
    }
}

/// The names of the functions of an import.
pub(super) fn functions<'a>(types: TypesRef<'a>, item: &ComponentItem) -> Vec<&'a str> {
    let ComponentEntityType::Instance(instance) = item.ty else {
        return Vec::new();
    };
    let exports = types.get(instance).map(|instance| instance.exports.iter());
    let exports = exports.into_iter().flatten();
    let functions = exports.filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)));
    functions.map(|(name, _)| name.as_str()).collect()
}

/// Resources that stand for others.
pub(super) type SameResources = HashMap<ResourceId, ResourceId>;

/// For each resource of one side that a `path` leads to, the resource in the same place on the
/// other side. `other` finds the other side of an import or export. The second value says whether
/// some resource has no counterpart.
///
/// A path is a list of indices: of an import or export, and then of the exports of instances
/// (`ComponentType::imported_resources`).
pub(super) fn same_resources(
    types: TypesRef<'_>,
    resources: &[(ResourceId, Vec<usize>)],
    items: &Items,
    other: impl Fn(&str) -> Option<ComponentEntityType>,
) -> (SameResources, bool) {
    let mut same = SameResources::new();
    for (resource, path) in resources {
        if let Some(counterpart) = counterpart(types, path, items, &other) {
            same.insert(*resource, counterpart);
        }
    }
    let is_incomplete = same.len() < resources.len();
    (same, is_incomplete)
}

fn counterpart(
    types: TypesRef<'_>,
    path: &[usize],
    items: &Items,
    other: impl Fn(&str) -> Option<ComponentEntityType>,
) -> Option<ResourceId> {
    let (first, rest) = path.split_first()?;
    let (name, item) = items.get_index(*first)?;
    let (mut here, mut there) = (item.ty, other(name)?);
    for index in rest {
        let (ComponentEntityType::Instance(one), ComponentEntityType::Instance(two)) =
            (here, there)
        else {
            return None;
        };
        let (name, item) = types.get(one)?.exports.get_index(*index)?;
        here = item.ty;
        there = types.get(two)?.exports.get(name.as_str())?.ty;
    }
    let ComponentEntityType::Type { created, .. } = there else {
        return None;
    };
    match created {
        ComponentAnyTypeId::Resource(resource) => Some(resource.resource()),
        _ => None,
    }
}
