//! The index spaces of a merged module, and the new index of each item of its members.
//!
//! Imports come first, in the order in which the members have them. Definitions follow in the order
//! of the members, and keep their order within each. Nothing is sorted, so a change of one function
//! stays a change of one function.

use std::collections::{BTreeSet, HashMap};

use wasmparser::ElementKind;

use super::facts::Whole;
use super::graph::{Entity, Node};
use super::group::{Group, Key, Target};
use super::module::{Module, Space, at, count};
use super::reach::{Reached, is_dissolved};
use super::value::Value;

/// The index spaces of a merged module.
pub(super) struct Layout {
    pub(super) imports: Vec<Import>,
    /// What is exported, in the order of the definitions, with the new index. The names are the
    /// numbers of the entries.
    pub(super) exports: Vec<(Entity, Space, u32)>,
    /// The functions behind slots, in order. The names of the slots are the numbers of the entries.
    pub(super) slots: Vec<Key>,
    /// The new indices, for each member.
    pub(super) members: Vec<Member>,
    place_of: HashMap<Node, usize>,
}

/// An import of a merged module.
pub(super) struct Import {
    pub(super) target: Target,
    pub(super) space: Space,
    pub(super) ty: ImportType,
}

/// Where the type of an import is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum ImportType {
    /// In this import of a member.
    Of(Node, usize),
    /// It is this function type of a member.
    Function(Node, u32),
}

/// The new indices of the items of a member, by their old indices. `None` for items that the merged
/// module does not have.
pub(super) struct Member {
    pub(super) node: Node,
    spaces: [Vec<Option<u32>>; 5],
    /// The values of globals that are constant.
    pub(super) constants: Vec<Option<Value>>,
    pub(super) elements: Vec<Option<u32>>,
    pub(super) data: Vec<Option<u32>>,
}

impl Member {
    /// The new index of an item.
    pub(super) fn index(&self, space: Space, old: u32) -> Option<u32> {
        at(self.spaces.get(space as usize)?, old).copied().flatten()
    }
}

impl Layout {
    /// Lays out the module of the group of this number. `None` if something is not understood.
    pub(super) fn new(
        whole: &Whole<'_, '_>,
        group: &Group,
        reached: &Reached,
        number: usize,
    ) -> Option<Self> {
        let border = reached.borders.get(number)?;
        let imports = imports(whole, group, &border.imported.iter().copied().collect())?;
        let mut spaces = Spaces::default();
        let mut imported = HashMap::new();
        for import in &imports {
            imported.insert(import.target, spaces.next(import.space));
        }
        let defined = define(whole, group, reached, &mut spaces)?;
        let mut members = Vec::new();
        let (mut elements, mut data) = (0, 0);
        for node in &group.members {
            let module = whole.graph.module(*node)?;
            let index = |space: Space| -> Option<Vec<Option<u32>>> {
                let old = 0..module.total(space);
                let new = old.map(|old| {
                    let entity = whole.graph.resolve(*node, space, old)?;
                    Some(match group.inside(entity).target {
                        Target::Member(node, space, index) => {
                            defined.get(&Entity::Own(node, space, index)).copied()
                        }
                        target => imported.get(&target).copied(),
                    })
                });
                new.collect()
            };
            let [func, table, memory, global, tag] = Space::ALL.map(index);
            let segments = module.elements.iter().enumerate().map(|(place, element)| {
                let is_active = matches!(element.kind, ElementKind::Active { .. });
                let stays = is_active && !is_dissolved(whole, group, *node, element);
                next_if(&mut elements, stays || reached.element(*node, place))
            });
            let elements = segments.collect();
            let segments = 0..module.data.len();
            let segments = segments.map(|place| next_if(&mut data, reached.data(*node, place)));
            members.push(Member {
                node: *node,
                spaces: [func?, table?, memory?, global?, tag?],
                constants: constants(whole, group, reached, *node, module),
                elements,
                data: segments.collect(),
            });
        }
        let exports = border.exported.iter().map(|(node, space, index)| {
            let entity = Entity::Own(*node, *space, *index);
            Some((entity, *space, *defined.get(&entity)?))
        });
        let place_of = group.members.iter().enumerate();
        Some(Self {
            exports: exports.collect::<Option<_>>()?,
            slots: border.slots.keys().copied().collect(),
            place_of: place_of.map(|(place, node)| (*node, place)).collect(),
            imports,
            members,
        })
    }

    /// The place of an instance among the members.
    pub(super) fn place(&self, node: Node) -> Option<usize> {
        self.place_of.get(&node).copied()
    }

    /// The new index of an item of a member's module.
    pub(super) fn index(&self, node: Node, space: Space, old: u32) -> Option<u32> {
        let member = self.members.get(self.place(node)?)?;
        member.index(space, old)
    }

    /// The name under which a definition is exported.
    pub(super) fn export_name(&self, entity: Entity) -> Option<String> {
        let exported = |(exported, ..): &(Entity, Space, u32)| *exported;
        let place = self.exports.binary_search_by_key(&entity, exported);
        Some(place.ok()?.to_string())
    }

    /// The name of a slot.
    pub(super) fn slot_name(&self, key: Key) -> Option<String> {
        Some(self.slots.binary_search(&key).ok()?.to_string())
    }
}

/// The next free index of each space.
#[derive(Default)]
struct Spaces([u32; 5]);

impl Spaces {
    fn next(&mut self, space: Space) -> u32 {
        match self.0.get_mut(space as usize) {
            Some(next) => {
                let index = *next;
                *next = next.saturating_add(1);
                index
            }
            None => u32::MAX,
        }
    }
}

fn next_if(next: &mut u32, wanted: bool) -> Option<u32> {
    let index = *next;
    wanted.then(|| {
        *next = next.saturating_add(1);
        index
    })
}

/// What the merged module imports, in the order in which its members import it.
fn imports(whole: &Whole<'_, '_>, group: &Group, wanted: &BTreeSet<Target>) -> Option<Vec<Import>> {
    let mut left = wanted.clone();
    let mut imports = Vec::new();
    for node in &group.members {
        let module = whole.graph.module(*node)?;
        let entities = whole.graph.imports_of(*node).iter();
        for (number, (import, entity)) in module.imports.iter().zip(entities).enumerate() {
            let target = group.inside(*entity).target;
            if left.remove(&target) {
                let ty = match target {
                    Target::Slot(key) => {
                        let (node, ty) = group.slot_type(whole, key)?;
                        ImportType::Function(node, ty)
                    }
                    _ => ImportType::Of(*node, number),
                };
                imports.push(Import {
                    target,
                    space: Space::of_import(&import.ty),
                    ty,
                });
            }
        }
    }
    // Functions that members reach only through functions of their own.
    for target in left {
        let key = match target {
            Target::Slot(key) => key,
            Target::Outside(Entity::Canonical(number)) => Key::Canonical(number),
            _ => return None,
        };
        let (node, ty) = group.slot_type(whole, key)?;
        imports.push(Import {
            target,
            space: Space::Func,
            ty: ImportType::Function(node, ty),
        });
    }
    Some(imports)
}

/// The new indices of the definitions that the merged module has.
fn define(
    whole: &Whole<'_, '_>,
    group: &Group,
    reached: &Reached,
    spaces: &mut Spaces,
) -> Option<HashMap<Entity, u32>> {
    let mut defined = HashMap::new();
    for node in &group.members {
        let module = whole.graph.module(*node)?;
        for space in Space::ALL {
            for place in 0..module.defined(space) {
                let index = module.imported(space).checked_add(count(place))?;
                let entity = Entity::Own(*node, space, index);
                let stays = match space {
                    Space::Func => reached.function(*node, place),
                    Space::Global => {
                        reached.global(*node, place) && !is_only_value(whole, reached, entity)
                    }
                    Space::Tag => reached.tag(*node, place),
                    Space::Table | Space::Memory => !group.links.is_dissolved(entity),
                };
                if stays {
                    defined.insert(entity, spaces.next(space));
                }
            }
        }
    }
    Some(defined)
}

/// Whether a global of a member is replaced by its value wherever it is used.
fn is_only_value(whole: &Whole<'_, '_>, reached: &Reached, entity: Entity) -> bool {
    let Entity::Own(node, space, index) = entity else {
        return false;
    };
    let mut borders = reached.borders.iter();
    !borders.any(|border| border.exported.contains(&(node, space, index)))
        && constant(whole, reached, entity).is_some()
}

/// The value of a global of a member, if it never has another one.
fn constant(whole: &Whole<'_, '_>, reached: &Reached, entity: Entity) -> Option<Value> {
    let Entity::Own(node, Space::Global, index) = entity else {
        return None;
    };
    let ty = whole.graph.module(node)?.global_type(index)?;
    let mut borders = reached.borders.iter();
    // Whoever sees a global that can be written may write it.
    let seen = borders.any(|border| border.exported.contains(&(node, Space::Global, index)));
    if ty.mutable && (seen || reached.writes(entity)) {
        return None;
    }
    let value = whole.first_value(entity)?;
    value.instruction().is_some().then_some(value)
}

/// The values of the constant globals of a member, imported ones among them.
fn constants(
    whole: &Whole<'_, '_>,
    group: &Group,
    reached: &Reached,
    node: Node,
    module: &Module<'_>,
) -> Vec<Option<Value>> {
    let globals = 0..module.total(Space::Global);
    let value = |index| {
        let entity = whole.graph.resolve(node, Space::Global, index)?;
        match entity {
            Entity::Own(owner, ..) if group.has(owner) => constant(whole, reached, entity),
            _ => None,
        }
    };
    globals.map(value).collect()
}
