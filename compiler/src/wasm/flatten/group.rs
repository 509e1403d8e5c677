//! A group of core instances that become one, and what a reference means from inside and outside.
//!
//! The merged instance is made at one place in the component. Some of the functions that it imports
//! can be made only after it: those that use its memory, for instance. Such a function is *late*.
//! The merged module calls it through a *slot*, an element of a table of its own, which is filled
//! when the function exists. That is how the toolchain's own modules did it.
//!
//! An entry that keeps its order and uses something of the merged instance ends the entries before
//! it: whatever needs an entry after it is late, too.

use std::collections::{HashMap, HashSet};

use wasmparser::TypeRef;

use super::canonical::uses;
use super::facts::Whole;
use super::graph::{Entity, Node};
use super::level::What;
use super::links::Links;
use super::module::Space;
use crate::index::spaces::Sort;

/// A group of core instances that become one.
pub(super) struct Group {
    /// The instances, in their order.
    pub(super) members: Vec<Node>,
    set: HashSet<Node>,
    pub(super) links: Links,
    /// The canonical functions that can be made only after the merged instance, by their entries.
    late_functions: HashSet<usize>,
    /// Other instances that can be made only after it.
    late_instances: HashSet<Node>,
    /// For each canonical function that a member imports, a member and the type in its module.
    types: HashMap<usize, (Node, u32)>,
    /// The entry before which the merged instance is made.
    pub(super) place: usize,
}

/// What a reference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    /// A definition of a member.
    Member(Node, Space, u32),
    /// A function behind a slot.
    Slot(Key),
    /// Something outside of the group.
    Outside(Entity),
}

/// Which function is behind a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// A canonical function, by the number of its entry.
    Canonical(usize),
    /// What a function of a member passes its calls to.
    Behind(Node, u32),
}

/// How a reference from inside came to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) target: Target,
    /// The entry with which the toolchain's slot for it was filled. `None` if there was none, or if
    /// nothing is ever put there.
    pub(super) filled: Option<usize>,
}

/// The number of each member's group.
pub(super) fn owners(groups: &[Group]) -> HashMap<Node, usize> {
    let numbered = groups.iter().enumerate();
    let owners = numbered.flat_map(|(number, group)| {
        let members = group.members.iter();
        members.map(move |node| (*node, number))
    });
    owners.collect()
}

impl Group {
    pub(super) fn new(whole: &Whole<'_, '_>, members: Vec<Node>, links: Links) -> Self {
        let last = members.last().map_or(0, |node| whole.graph.item(*node));
        let mut group = Self {
            set: members.iter().copied().collect(),
            members,
            links,
            late_functions: HashSet::new(),
            late_instances: HashSet::new(),
            types: HashMap::new(),
            place: usize::MAX,
        };
        group.find_types(whole);
        group.find_late(whole);
        group.place = group.place.min(last);
        group
    }

    pub(super) fn has(&self, node: Node) -> bool {
        self.set.contains(&node)
    }

    /// The entry of the first member.
    pub(super) fn first(&self, whole: &Whole<'_, '_>) -> usize {
        let first = self.members.first();
        first.map_or(usize::MAX, |node| whole.graph.item(*node))
    }

    /// The entry of the last member.
    pub(super) fn last(&self, whole: &Whole<'_, '_>) -> usize {
        let last = self.members.last();
        last.map_or(0, |node| whole.graph.item(*node))
    }

    /// Every canonical function that a module gets is an import of the module. Its type must be the
    /// one that the import states.
    fn find_types(&mut self, whole: &Whole<'_, '_>) {
        for node in &self.members {
            let Some(module) = whole.graph.module(*node) else {
                continue;
            };
            let imports = module.imports.iter().zip(whole.graph.imports_of(*node));
            for (import, entity) in imports {
                if let (TypeRef::Func(ty) | TypeRef::FuncExact(ty), Entity::Canonical(number)) =
                    (import.ty, entity)
                {
                    self.types.entry(*number).or_insert((*node, ty));
                }
            }
        }
    }

    /// The type of the function behind a slot: an instance, and the index of a type in its module.
    pub(super) fn slot_type(&self, whole: &Whole<'_, '_>, key: Key) -> Option<(Node, u32)> {
        match key {
            Key::Behind(node, function) => {
                Some((node, whole.graph.module(node)?.function_type(function)?))
            }
            Key::Canonical(number) => self.types.get(&number).copied(),
        }
    }

    /// Reads the entries in order, and finds what can be made only after the merged instance.
    fn find_late(&mut self, whole: &Whole<'_, '_>) {
        let (level, graph) = (whole.level, whole.graph);
        for (number, item) in level.items.iter().enumerate() {
            match &item.what {
                What::Canonical(function) => {
                    let Some(used) = uses(function) else {
                        self.late_functions.insert(number);
                        continue;
                    };
                    let after = |(sort, index): &(Sort, u32)| {
                        let defined = level.item(*sort, *index);
                        defined.is_some_and(|defined| defined >= self.place)
                    };
                    if used.others.iter().any(after) || self.uses_late(whole, &used.core, number) {
                        self.late_functions.insert(number);
                    }
                }
                What::Lift(function) => {
                    let used = uses(function).map_or(Vec::new(), |uses| uses.core);
                    if self.uses_late(whole, &used, number) {
                        self.place = self.place.min(number);
                    }
                }
                What::Resource(_, destructor)
                    if self.uses_late(whole, &[(Sort::CoreFunc, *destructor)], number) =>
                {
                    self.place = self.place.min(number);
                }
                What::CoreInstance(_) => {
                    let Some(node) = graph.node_of(Some(number)) else {
                        continue;
                    };
                    if !self.has(node) && self.instance_is_late(whole, node, number) {
                        self.late_instances.insert(node);
                    }
                }
                _ => {}
            }
        }
    }

    fn uses_late(&self, whole: &Whole<'_, '_>, used: &[(Sort, u32)], number: usize) -> bool {
        used.iter().any(|(sort, index)| {
            let entity = whole.graph.entity_at(whole.level, *sort, *index);
            entity.is_none_or(|entity| self.is_late_for(whole, entity, number))
        })
    }

    fn instance_is_late(&self, whole: &Whole<'_, '_>, node: Node, number: usize) -> bool {
        let graph = whole.graph;
        let late = |entity: &Entity| self.is_late_for(whole, *entity, number);
        if graph.imports_of(node).iter().any(late) {
            return true;
        }
        // A module that cannot be read may take everything that it is given.
        let mut args = graph.args(node).iter().map(|(_, arg)| *arg);
        graph.module(node).is_none()
            && args.any(|arg| {
                self.has(arg) || graph.exports(arg).iter().any(|(.., entity)| late(entity))
            })
    }

    /// Whether something that the entry of this number uses can be made only after the merged
    /// instance.
    fn is_late_for(&self, whole: &Whole<'_, '_>, entity: Entity, number: usize) -> bool {
        match self.seen_from(entity, number) {
            Target::Member(..) => true,
            Target::Slot(_) => false,
            Target::Outside(entity) => self.is_late(whole, entity),
        }
    }

    /// Whether something outside of the group can be made only after the merged instance.
    pub(super) fn is_late(&self, whole: &Whole<'_, '_>, entity: Entity) -> bool {
        match entity {
            Entity::Canonical(number) => self.late_functions.contains(&number),
            Entity::Own(node, ..) => self.late_instances.contains(&node),
            Entity::Unknown(number) => {
                let instance = whole.graph.unknown(number);
                instance.is_none_or(|(node, ..)| self.late_instances.contains(&node))
            }
        }
    }

    /// Whether an instance that is not a member can be made only after the merged instance.
    pub(super) fn instance_waits(&self, node: Node) -> bool {
        self.late_instances.contains(&node)
    }

    /// What a reference from a member means.
    pub(super) fn inside(&self, mut entity: Entity) -> Found {
        let mut filled = None;
        let target = loop {
            match entity {
                Entity::Own(node, Space::Func, function) if self.has(node) => {
                    let Some(link) = self.links.get(node, function) else {
                        break Target::Member(node, Space::Func, function);
                    };
                    match link.content {
                        Some(content) if link.known => {
                            filled = Some(link.filled);
                            entity = content;
                        }
                        Some(_) => {
                            filled = Some(link.filled);
                            break Target::Slot(Key::Behind(node, function));
                        }
                        None => break Target::Slot(Key::Behind(node, function)),
                    }
                }
                Entity::Own(node, space, index) if self.has(node) => {
                    break Target::Member(node, space, index);
                }
                Entity::Canonical(number) if self.late_functions.contains(&number) => {
                    break Target::Slot(Key::Canonical(number));
                }
                entity => break Target::Outside(entity),
            }
        };
        Found { target, filled }
    }

    /// What a reference from the entry of this number means. That entry is not a member.
    pub(super) fn seen_from(&self, mut entity: Entity, number: usize) -> Target {
        loop {
            match entity {
                Entity::Own(node, Space::Func, function) if self.has(node) => {
                    match self.links.get(node, function) {
                        None => return Target::Member(node, Space::Func, function),
                        Some(link) => match link.content {
                            Some(content) if link.filled < number => entity = content,
                            _ => return Target::Slot(Key::Behind(node, function)),
                        },
                    }
                }
                Entity::Own(node, space, index) if self.has(node) => {
                    return Target::Member(node, space, index);
                }
                entity => return Target::Outside(entity),
            }
        }
    }

    /// What is behind a slot.
    pub(super) fn content(&self, key: Key) -> Option<Entity> {
        match key {
            Key::Canonical(number) => Some(Entity::Canonical(number)),
            Key::Behind(node, function) => self.links.get(node, function)?.content,
        }
    }
}
