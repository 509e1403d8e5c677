//! Finds what of the merged modules is used: by what the component makes of it, by instances that
//! stay, by segments, and by start functions.
//!
//! All groups of a component are followed together, since one may use another. A canonical function
//! that nothing uses is left out, and with it what only it uses.
//!
//! More than 400 lines: all kinds of items are followed in one walk, which shares its lists.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use wasmparser::{DataKind, Element, ElementItems, ElementKind, TableInit};

use super::body::{Use, expression, is_empty_after, uses_after};
use super::canonical::uses;
use super::facts::Whole;
use super::graph::{Entity, Node};
use super::group::{Group, Key, Target, owners};
use super::level::What;
use super::module::{Space, at, count};
use super::value::Value;
use crate::index::spaces::Sort;

/// What is used.
pub(super) struct Reached {
    /// For each core instance, what of its definitions is used.
    live: Vec<Live>,
    /// The globals that used functions may write.
    written: HashSet<Entity>,
    /// For each group, what it shares with the rest.
    pub(super) borders: Vec<Border>,
}

/// What of an instance's definitions is used, by place.
#[derive(Default)]
struct Live {
    functions: Vec<bool>,
    globals: Vec<bool>,
    tags: Vec<bool>,
    elements: Vec<bool>,
    data: Vec<bool>,
}

/// What a group shares with the rest of the component.
#[derive(Default)]
pub(super) struct Border {
    /// What the merged module imports.
    pub(super) imported: HashSet<Target>,
    /// What it exports.
    pub(super) exported: BTreeSet<(Node, Space, u32)>,
    pub(super) slots: BTreeMap<Key, Slot>,
}

/// How a slot is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    /// Whether a member has the function without a slot of the toolchain. It can call it at once.
    pub(super) direct: bool,
    /// The entries with which the toolchain's slots for it were filled.
    pub(super) filled: BTreeSet<usize>,
}

/// What is to be looked at.
enum Work {
    Function(Node, usize),
    Global(Node, usize),
    Element(Node, u32),
    Canonical(usize),
    Slot(usize, Key),
}

/// Finds what is used. `None` if something is not understood.
pub(super) fn reach(whole: &Whole<'_, '_>, groups: &[Group]) -> Option<Reached> {
    let mut search = Search {
        whole,
        groups,
        group_of: owners(groups),
        reached: Reached {
            live: Vec::new(),
            written: HashSet::new(),
            borders: groups.iter().map(|_| Border::default()).collect(),
        },
        functions: HashSet::new(),
        work: Vec::new(),
    };
    search.prepare();
    search.roots_outside()?;
    for number in 0..groups.len() {
        search.roots_inside(number)?;
    }
    while let Some(work) = search.work.pop() {
        search.look(work)?;
    }
    Some(search.reached)
}

impl Reached {
    fn is(list: Option<&Vec<bool>>, place: usize) -> bool {
        list.and_then(|list| list.get(place)).copied() == Some(true)
    }

    /// Whether a function is used, by its place among the definitions of an instance. The same for
    /// the other methods.
    pub(super) fn function(&self, node: Node, place: usize) -> bool {
        Self::is(self.live.get(node.0).map(|live| &live.functions), place)
    }

    pub(super) fn global(&self, node: Node, place: usize) -> bool {
        Self::is(self.live.get(node.0).map(|live| &live.globals), place)
    }

    pub(super) fn tag(&self, node: Node, place: usize) -> bool {
        Self::is(self.live.get(node.0).map(|live| &live.tags), place)
    }

    pub(super) fn element(&self, node: Node, place: usize) -> bool {
        Self::is(self.live.get(node.0).map(|live| &live.elements), place)
    }

    pub(super) fn data(&self, node: Node, place: usize) -> bool {
        Self::is(self.live.get(node.0).map(|live| &live.data), place)
    }

    /// Whether used functions may write a global.
    pub(super) fn writes(&self, entity: Entity) -> bool {
        self.written.contains(&entity)
    }
}

/// Whether an instance's start function does anything that the merged one must do.
pub(super) fn starts(whole: &Whole<'_, '_>, group: &Group, node: Node) -> bool {
    let Some(module) = whole.graph.module(node) else {
        return true;
    };
    let Some(start) = module.start else {
        return false;
    };
    let place = module.definition(Space::Func, start);
    let body = place.and_then(|place| module.bodies.get(place));
    let stripped = group.links.stripped(node);
    !(stripped > 0 && body.is_some_and(|body| is_empty_after(body, stripped)))
}

/// Whether an element segment fills a table that is dissolved.
pub(super) fn is_dissolved(
    whole: &Whole<'_, '_>,
    group: &Group,
    node: Node,
    element: &Element<'_>,
) -> bool {
    let ElementKind::Active { table_index, .. } = &element.kind else {
        return false;
    };
    let entity = whole
        .graph
        .resolve(node, Space::Table, table_index.unwrap_or(0));
    entity.is_some_and(|entity| group.links.is_dissolved(entity))
}

struct Search<'w, 'l, 'a> {
    whole: &'w Whole<'l, 'a>,
    groups: &'w [Group],
    group_of: HashMap<Node, usize>,
    reached: Reached,
    /// The canonical functions that are used.
    functions: HashSet<usize>,
    work: Vec<Work>,
}

impl Search<'_, '_, '_> {
    fn prepare(&mut self) {
        let graph = self.whole.graph;
        let live = (0..graph.nodes.len()).map(|number| {
            let module = graph.module(Node(number));
            let module = module.filter(|_| self.group_of.contains_key(&Node(number)));
            module.map_or_else(Live::default, |module| Live {
                functions: vec![false; module.functions.len()],
                globals: vec![false; module.globals.len()],
                tags: vec![false; module.tags.len()],
                elements: vec![false; module.elements.len()],
                data: vec![false; module.data.len()],
            })
        });
        self.reached.live = live.collect();
    }

    /// What the component itself and the instances that stay use.
    fn roots_outside(&mut self) -> Option<()> {
        let (level, graph) = (self.whole.level, self.whole.graph);
        for (number, item) in level.items.iter().enumerate() {
            match &item.what {
                What::Lift(function) => self.used_by(uses(function)?.core, number)?,
                What::Resource(_, destructor) => {
                    self.used_by(vec![(Sort::CoreFunc, *destructor)], number)?;
                }
                What::CoreInstance(_) => {
                    let node = graph.node_of(Some(number))?;
                    if self.group_of.contains_key(&node) {
                        continue;
                    }
                    for entity in graph.imports_of(node) {
                        self.outside(*entity, number)?;
                    }
                    if graph.module(node).is_none() {
                        for (_, arg) in graph.args(node) {
                            for (.., entity) in graph.exports(*arg) {
                                self.outside(entity, number)?;
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn used_by(&mut self, used: Vec<(Sort, u32)>, number: usize) -> Option<()> {
        for (sort, index) in used {
            let entity = self.whole.graph.entity_at(self.whole.level, sort, index)?;
            self.outside(entity, number)?;
        }
        Some(())
    }

    /// What a merged instance does when it is made.
    fn roots_inside(&mut self, number: usize) -> Option<()> {
        let (whole, graph) = (self.whole, self.whole.graph);
        let group = self.groups.get(number)?;
        for node in &group.members {
            let module = graph.module(*node)?;
            for (place, data) in module.data.iter().enumerate() {
                if let DataKind::Active { memory_index, .. } = &data.kind {
                    self.set(|live| live.data.get_mut(place), *node);
                    self.inside(number, graph.resolve(*node, Space::Memory, *memory_index)?)?;
                }
            }
            for (place, element) in (0..).zip(&module.elements) {
                if let ElementKind::Active { table_index, .. } = &element.kind
                    && !is_dissolved(whole, group, *node, element)
                {
                    let table = table_index.unwrap_or(0);
                    self.inside(number, graph.resolve(*node, Space::Table, table)?)?;
                    self.element(*node, place);
                }
            }
            for (index, table) in (module.imported(Space::Table)..).zip(&module.tables) {
                let entity = Entity::Own(*node, Space::Table, index);
                if let TableInit::Expr(init) = &table.init
                    && !group.links.is_dissolved(entity)
                {
                    self.expression(number, *node, expression(init)?)?;
                }
            }
            if let Some(start) = module.start
                && starts(whole, group, *node)
            {
                self.inside(number, graph.resolve(*node, Space::Func, start)?)?;
            }
        }
        Some(())
    }

    /// Marks a definition. Whether it was not marked before.
    fn set(&mut self, place: impl FnOnce(&mut Live) -> Option<&mut bool>, node: Node) -> bool {
        let live = self.reached.live.get_mut(node.0);
        match live.and_then(place) {
            Some(live) => !std::mem::replace(live, true),
            None => false,
        }
    }

    fn element(&mut self, node: Node, segment: u32) {
        let place = usize::try_from(segment).unwrap_or(usize::MAX);
        if self.set(|live| live.elements.get_mut(place), node) {
            self.work.push(Work::Element(node, segment));
        }
    }

    fn mark(&mut self, node: Node, space: Space, index: u32) -> Option<()> {
        let place = self.whole.graph.module(node)?.definition(space, index)?;
        match space {
            Space::Func => {
                if self.set(|live| live.functions.get_mut(place), node) {
                    self.work.push(Work::Function(node, place));
                }
            }
            Space::Global => {
                if self.set(|live| live.globals.get_mut(place), node) {
                    self.work.push(Work::Global(node, place));
                }
            }
            Space::Tag => {
                self.set(|live| live.tags.get_mut(place), node);
            }
            // They are there, used or not.
            Space::Table | Space::Memory => {}
        }
        Some(())
    }

    /// A reference from a member of a group.
    fn inside(&mut self, number: usize, entity: Entity) -> Option<()> {
        let group = self.groups.get(number)?;
        let found = group.inside(entity);
        match found.target {
            Target::Member(node, space, index) => return self.mark(node, space, index),
            Target::Slot(key) => {
                let direct = found.filled.is_none() && matches!(key, Key::Canonical(_));
                self.slot(number, key, direct, found.filled)?;
            }
            Target::Outside(_) => {}
        }
        let border = self.reached.borders.get_mut(number)?;
        let is_new = border.imported.insert(found.target);
        if let (true, Target::Outside(entity)) = (is_new, found.target) {
            let first = group.first(self.whole);
            self.outside(entity, first)?;
        }
        Some(())
    }

    fn slot(&mut self, number: usize, key: Key, direct: bool, filled: Option<usize>) -> Option<()> {
        let border = self.reached.borders.get_mut(number)?;
        let is_new = !border.slots.contains_key(&key);
        let slot = border.slots.entry(key).or_default();
        slot.direct |= direct;
        slot.filled.extend(filled);
        if is_new {
            self.work.push(Work::Slot(number, key));
        }
        Some(())
    }

    /// A reference from the entry of this number, which is not a member of a group.
    fn outside(&mut self, entity: Entity, number: usize) -> Option<()> {
        if let Entity::Canonical(function) = entity {
            if self.functions.insert(function) {
                self.work.push(Work::Canonical(function));
            }
            return Some(());
        }
        let Entity::Own(node, ..) = entity else {
            return Some(());
        };
        let Some(owner) = self.group_of.get(&node).copied() else {
            return Some(());
        };
        let group = self.groups.get(owner)?;
        match group.seen_from(entity, number) {
            Target::Member(node, space, index) => {
                let border = self.reached.borders.get_mut(owner)?;
                border.exported.insert((node, space, index));
                self.mark(node, space, index)
            }
            Target::Slot(key) => {
                let filled = match key {
                    Key::Behind(node, function) => group.links.get(node, function),
                    Key::Canonical(_) => None,
                };
                let filled = filled.filter(|link| link.content.is_some());
                self.slot(owner, key, false, filled.map(|link| link.filled))
            }
            // What is behind a link may be of any kind.
            Target::Outside(behind) if behind != entity => self.outside(behind, number),
            Target::Outside(_) => Some(()),
        }
    }

    fn look(&mut self, work: Work) -> Option<()> {
        let (whole, graph) = (self.whole, self.whole.graph);
        match work {
            Work::Canonical(number) => {
                let What::Canonical(function) = &whole.level.items.get(number)?.what else {
                    return None;
                };
                self.used_by(uses(function)?.core, number)
            }
            Work::Slot(number, key) => match self.groups.get(number)?.content(key) {
                // It is put there after everything.
                Some(content) => self.outside(content, usize::MAX),
                None => Some(()),
            },
            Work::Function(node, place) => {
                let number = self.group_of.get(&node).copied()?;
                let module = graph.module(node)?;
                let index = module.imported(Space::Func).checked_add(count(place))?;
                let stripped = self.groups.get(number)?.links.stripped(node);
                if module.start == Some(index) && stripped > 0 {
                    let rest = uses_after(module.bodies.get(place)?, stripped)?;
                    return self.all(number, node, &rest);
                }
                self.all(number, node, &whole.body(node, place)?.uses)
            }
            Work::Global(node, place) => {
                let number = self.group_of.get(&node).copied()?;
                let module = graph.module(node)?;
                let index = module.imported(Space::Global).checked_add(count(place))?;
                match whole.first_value(Entity::Own(node, Space::Global, index)) {
                    Some(Value::Function(of, function)) if self.groups.get(number)?.has(of) => {
                        self.inside(number, graph.resolve(of, Space::Func, function)?)
                    }
                    // A function of another instance is taken from a global of that instance.
                    Some(Value::Function(..)) | None => {
                        let init = &module.globals.get(place)?.init_expr;
                        self.expression(number, node, expression(init)?)
                    }
                    Some(_) => Some(()),
                }
            }
            Work::Element(node, segment) => {
                let number = self.group_of.get(&node).copied()?;
                let group = self.groups.get(number)?;
                let items = whole.items(node, segment);
                let has_all = |items: &Vec<Option<(Node, u32)>>| {
                    let mut functions = items.iter().flatten();
                    functions.all(|(node, _)| group.has(*node))
                };
                if let Some(items) = items.filter(has_all) {
                    for (node, function) in items.into_iter().flatten() {
                        self.inside(number, graph.resolve(node, Space::Func, function)?)?;
                    }
                    return Some(());
                }
                let element = at(&graph.module(node)?.elements, segment)?;
                let ElementItems::Expressions(_, items) = &element.items else {
                    return None;
                };
                for item in items.clone() {
                    self.expression(number, node, expression(&item.ok()?)?)?;
                }
                Some(())
            }
        }
    }

    /// What a constant expression uses, whether its value is known or not.
    fn expression(&mut self, number: usize, node: Node, used: Box<[Use]>) -> Option<()> {
        for used in used {
            // A known global of a member is replaced by its value.
            if let Use::Read(index) = used
                && let Some(Value::Function(of, function)) = self.whole.value_in(node, index)
                && self.groups.get(number)?.has(of)
            {
                let entity = self.whole.graph.resolve(of, Space::Func, function)?;
                self.inside(number, entity)?;
            }
            self.one(number, node, used)?;
        }
        Some(())
    }

    fn all(&mut self, number: usize, node: Node, used: &[Use]) -> Option<()> {
        used.iter().try_for_each(|it| self.one(number, node, *it))
    }

    fn one(&mut self, number: usize, node: Node, used: Use) -> Option<()> {
        let (space, index) = match used {
            Use::Type(_) => return Some(()),
            Use::Call(index) | Use::Function(index) => (Space::Func, index),
            Use::Read(index) | Use::Write(index) => (Space::Global, index),
            Use::CallTable(index) | Use::ReadTable(index) | Use::WriteTable(index) => {
                (Space::Table, index)
            }
            Use::Memory(index) => (Space::Memory, index),
            Use::Tag(index) => (Space::Tag, index),
            Use::Data(index) => {
                let place = usize::try_from(index).ok()?;
                self.set(|live| live.data.get_mut(place), node);
                return Some(());
            }
            Use::Element(index) => {
                self.element(node, index);
                return Some(());
            }
        };
        let entity = self.whole.graph.resolve(node, space, index)?;
        if matches!(used, Use::Write(_)) {
            self.reached.written.insert(entity);
        }
        self.inside(number, entity)
    }
}
