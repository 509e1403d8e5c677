//! Compares a component with a world: each import and each export on its own, so that one run finds
//! all differences.
//!
//! A component fits a world if the world offers all of its imports, and if it has all exports of
//! the world. It may import less and export more. An interface may have another version on the
//! other side, if the versions are compatible ([`super::version`]). Then the types decide: the
//! interface that is offered must have every function that the other side asks for, with the same
//! type.
//!
//! Source: component model, `Subtyping.md`; wasmparser 0.254, `validator/component_types.rs`,
//! `SubtypeCx::component_type`, which stops at the first difference and compares whole names.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentEntityType, ComponentItem, ComponentType, Remap as _, Remapping, SubtypeCx,
};
use wasmparser::types::TypesRef;

use super::types::{Items, SameResources, functions, same_resources};
use super::version::{track, without_version};
use super::violation::{Functions, Violation, Violations};

/// Adds every difference between the program and the world of this name.
pub(super) fn compare(
    name: &str,
    types: TypesRef<'_>,
    program: &ComponentType,
    world: &ComponentType,
    found: &mut Violations,
) {
    let imported = imports(name, types, program, world, found);
    exports(name, types, program, world, imported, found);
}

/// Compares the imports. Returns the resources of the program's imports, as the world calls them.
fn imports(
    name: &str,
    types: TypesRef<'_>,
    program: &ComponentType,
    world: &ComponentType,
    found: &mut Violations,
) -> Resources {
    let offer = Offer::of(&world.imports);
    let offered = |import: &str| {
        let item = program.imports.get(import)?;
        Some(offer.find(import, item)?.1.ty)
    };
    let resources = &program.imported_resources;
    let (same, is_incomplete) = same_resources(types, resources, &program.imports, offered);
    let resources = Resources {
        same,
        is_incomplete,
    };
    let mut pair = Pair::new(types, &Resources::default(), &resources);
    for (import, item) in program.imports.iter() {
        let (world, import) = (name.to_owned(), import.clone());
        let Some((offered, other)) = offer.find(&import, item) else {
            found.add(Violation::WorldImport {
                world,
                functions: Functions::of(functions(types, item)),
                other: offer.another(&import),
                import,
            });
            continue;
        };
        for difference in pair.differences(other.ty, item.ty) {
            let (world, import) = (world.clone(), import.clone());
            let offered = offered.to_owned();
            found.add(match difference {
                Difference::Missing(item) => Violation::WorldImportItem {
                    world,
                    import,
                    offered,
                    item,
                },
                Difference::Type(item, reason) => Violation::WorldImportType {
                    world,
                    import,
                    offered,
                    item,
                    reason,
                },
            });
        }
    }
    resources
}

/// Compares the exports.
fn exports(
    name: &str,
    types: TypesRef<'_>,
    program: &ComponentType,
    world: &ComponentType,
    imported: Resources,
    found: &mut Violations,
) {
    let offer = Offer::of(&program.exports);
    let offered = |export: &str| {
        let item = world.exports.get(export)?;
        Some(offer.find(export, item)?.1.ty)
    };
    let resources = &world.defined_resources;
    let (mut same, is_incomplete) = same_resources(types, resources, &world.exports, offered);
    // An export of the program may be a resource that it imports.
    for resource in same.values_mut() {
        *resource = imported.same.get(&*resource).copied().unwrap_or(*resource);
    }
    let is_incomplete = is_incomplete || imported.is_incomplete;
    let defined = Resources {
        same,
        is_incomplete,
    };
    let mut pair = Pair::new(types, &imported, &defined);
    for (export, item) in world.exports.iter() {
        let (world, export) = (name.to_owned(), export.clone());
        let Some((offered, other)) = offer.find(&export, item) else {
            found.add(Violation::WorldExport {
                world,
                other: offer.another(&export),
                export,
            });
            continue;
        };
        for difference in pair.differences(other.ty, item.ty) {
            let (world, export) = (world.clone(), export.clone());
            let has = offered.to_owned();
            found.add(match difference {
                Difference::Missing(item) => Violation::WorldExportItem {
                    world,
                    export,
                    found: has,
                    item,
                },
                Difference::Type(item, reason) => Violation::WorldExportType {
                    world,
                    export,
                    found: has,
                    item,
                    reason,
                },
            });
        }
    }
}

/// Imports or exports that can be found under each compatible version.
struct Offer<'a> {
    items: &'a Items,
    by_track: HashMap<String, (&'a str, &'a ComponentItem)>,
    by_interface: HashMap<&'a str, &'a str>,
}

impl<'a> Offer<'a> {
    fn of(items: &'a Items) -> Self {
        let (mut by_track, mut by_interface) = (HashMap::new(), HashMap::new());
        for (name, item) in items.iter() {
            let name = name.as_str();
            by_track.insert(track(name, item.version_suffix.as_deref()), (name, item));
            if let Some(interface) = without_version(name) {
                by_interface.insert(interface, name);
            }
        }
        Self {
            items,
            by_track,
            by_interface,
        }
    }

    /// The item of this name, else the one with a compatible version.
    fn find(&self, name: &str, item: &ComponentItem) -> Option<(&'a str, &'a ComponentItem)> {
        if let Some((name, item)) = self.items.get_key_value(name) {
            return Some((name.as_str(), item));
        }
        let wanted = track(name, item.version_suffix.as_deref());
        self.by_track.get(&wanted).copied()
    }

    /// The same interface in a version that is not compatible.
    fn another(&self, name: &str) -> Option<String> {
        let other = self.by_interface.get(without_version(name)?)?;
        Some((*other).to_owned())
    }
}

/// Resources of one side, and what they are on the other side.
#[derive(Default)]
struct Resources {
    same: SameResources,
    /// Whether a resource has no counterpart. The import or export that has it is a difference
    /// already.
    is_incomplete: bool,
}

impl Resources {
    fn remapping(&self) -> Remapping {
        let mut remapping = Remapping::default();
        for (resource, same) in &self.same {
            remapping.add(*resource, *same);
        }
        remapping
    }
}

/// A difference between two imports or exports of the same name.
enum Difference {
    /// The offered interface lacks a function or type.
    Missing(String),
    /// A function or type of the interface, or the import or export itself, has another type. The
    /// second text says how.
    Type(Option<String>, String),
}

/// What is offered beside what is expected. The resources of both are replaced by those that both
/// sides know.
struct Pair<'a> {
    types: TypesRef<'a>,
    context: SubtypeCx<'a>,
    offered: Remapping,
    expected: Remapping,
    is_incomplete: bool,
}

impl<'a> Pair<'a> {
    fn new(types: TypesRef<'a>, offered: &Resources, expected: &Resources) -> Self {
        Self {
            types,
            context: SubtypeCx::new_with_refs(types, types),
            offered: offered.remapping(),
            expected: expected.remapping(),
            is_incomplete: offered.is_incomplete || expected.is_incomplete,
        }
    }

    fn differences(
        &mut self,
        offered: ComponentEntityType,
        expected: ComponentEntityType,
    ) -> Vec<Difference> {
        let types = self.types;
        let instances = match (offered, expected) {
            (ComponentEntityType::Instance(one), ComponentEntityType::Instance(two)) => {
                types.get(one).zip(types.get(two))
            }
            _ => None,
        };
        let Some((offered_instance, expected_instance)) = instances else {
            let reason = self.difference(offered, expected);
            let difference = reason.map(|reason| Difference::Type(None, reason));
            return difference.into_iter().collect();
        };
        let mut found = Vec::new();
        for (name, expected) in expected_instance.exports.iter() {
            match offered_instance.exports.get(name.as_str()) {
                None => found.push(Difference::Missing(name.clone())),
                Some(offered) => {
                    let reason = self.difference(offered.ty, expected.ty);
                    let of = |reason| Difference::Type(Some(name.clone()), reason);
                    found.extend(reason.map(of));
                }
            }
        }
        found
    }

    /// How a type differs from the expected one.
    fn difference(
        &mut self,
        mut offered: ComponentEntityType,
        mut expected: ComponentEntityType,
    ) -> Option<String> {
        let context = &mut self.context;
        let (a, b) = (&mut context.a, &mut context.b);
        a.remap_component_entity(&mut offered, &mut self.offered);
        b.remap_component_entity(&mut expected, &mut self.expected);
        let compared = context.component_entity_type(&offered, &expected, 0);
        let reason = one_line(compared.err()?.message());
        // What the resource belongs to is missing, and is a difference of its own.
        let follows = self.is_incomplete && reason.contains("resource types are not the same");
        (!follows).then_some(reason)
    }
}

/// A message with its causes on one line. The identifiers of resources, which it may end with, are
/// numbers inside wasmparser.
fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    let line = lines.join(": ");
    match line.split_once(" (ResourceId") {
        Some((before, _)) => before.to_owned(),
        None => line,
    }
}
