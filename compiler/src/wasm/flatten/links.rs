//! Finds out which function is behind a function that only passes calls on.
//!
//! That is known if the place where the function is looked up, an element of a table or a global,
//! is written exactly once, before any code can run that might look there. Nothing outside of the
//! group may see the table or the global. A table or global that only such functions use is
//! *dissolved*: the merged module does not need it.
//!
//! More than 400 lines: the ways from a call to its function share the rules of what is written
//! once.

use std::collections::{BTreeMap, HashMap, HashSet};

use wasmparser::{ElementKind, RefType, TableInit, ValType};

use super::body::Use;
use super::canonical::uses;
use super::facts::Whole;
use super::forward::{Forward, Place};
use super::graph::{Entity, Node, table};
use super::level::What;
use super::module::{Space, at};
use super::value::{Value, value};
use crate::index::spaces::Sort;

/// The functions of a group that only pass calls on.
#[derive(Default)]
pub(super) struct Links {
    links: BTreeMap<(Node, u32), Link>,
    /// For each function behind a link, the first function that leads to it.
    before: HashMap<Entity, (Node, u32)>,
    /// The tables and globals that the merged module does not need.
    dissolved: HashSet<Entity>,
    /// How many instructions are left out at the beginning of an instance's start function: they
    /// write dissolved globals.
    stripped: HashMap<Node, usize>,
}

/// What is behind a function that only passes calls on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The function behind it. `None` if there never is one: a call traps.
    pub(super) content: Option<Entity>,
    /// The entry with which the function is put there.
    pub(super) filled: usize,
    /// Whether no code can run before that.
    pub(super) known: bool,
}

impl Links {
    /// What is behind a function, by its index in an instance.
    pub(super) fn get(&self, node: Node, function: u32) -> Option<Link> {
        self.links.get(&(node, function)).copied()
    }

    /// A function that passes its calls to this one.
    pub(super) fn before(&self, behind: Entity) -> Option<(Node, u32)> {
        self.before.get(&behind).copied()
    }

    pub(super) fn is_dissolved(&self, entity: Entity) -> bool {
        self.dissolved.contains(&entity)
    }

    /// How many instructions are left out at the beginning of an instance's start function.
    pub(super) fn stripped(&self, node: Node) -> usize {
        self.stripped.get(&node).copied().unwrap_or(0)
    }
}

/// A table of the group.
struct Table {
    /// Whether its functions are known: nothing but active segments of the group writes it.
    closed: bool,
    initial: u64,
    slots: HashMap<u64, Slot>,
    /// The functions that call through it.
    callers: HashSet<(Node, u32)>,
    /// Whether it is used in another way.
    used: bool,
}

struct Slot {
    writes: usize,
    content: Option<(Node, u32)>,
    filled: usize,
}

/// A mutable global of the group that holds a function.
#[derive(Default)]
struct Cell {
    closed: bool,
    readers: HashSet<(Node, u32)>,
    /// What start functions set it to before they do anything else.
    sets: Vec<(Node, u32)>,
}

/// Finds the links of a group.
pub(super) fn find(whole: &Whole<'_, '_>, members: &[Node]) -> Links {
    let seen = Seen::of(whole, members);
    let mut finder = Finder {
        whole,
        members,
        set: members.iter().copied().collect(),
        tables: HashMap::new(),
        cells: HashMap::new(),
        links: Links::default(),
    };
    for node in members {
        finder.define(*node, &seen);
    }
    for node in members {
        if finder.read(*node).is_none() {
            // Something is not understood.
            return Links::default();
        }
    }
    finder.link_tables();
    finder.link_cells();
    match finder.links.is_endless() {
        true => Links::default(),
        false => finder.links.complete(),
    }
}

impl Links {
    fn complete(mut self) -> Self {
        for (from, link) in &self.links {
            if let Some(behind) = link.content {
                self.before.entry(behind).or_insert(*from);
            }
        }
        self
    }

    /// Whether following a link may never end.
    fn is_endless(&self) -> bool {
        self.links.keys().any(|start| {
            let mut at = *start;
            for _ in 0..=self.links.len().min(64) {
                match self.links.get(&at).and_then(|link| link.content) {
                    Some(Entity::Own(node, Space::Func, function)) => at = (node, function),
                    _ => return false,
                }
            }
            self.links.contains_key(&at)
        })
    }
}

/// What others than the members of a group see.
struct Seen {
    by_instances: HashSet<Entity>,
    by_functions: HashSet<Entity>,
}

impl Seen {
    fn of(whole: &Whole<'_, '_>, members: &[Node]) -> Self {
        let graph = whole.graph;
        let mut by_instances = HashSet::new();
        for node in graph.instances().filter(|node| !members.contains(node)) {
            by_instances.extend(graph.imports_of(node).iter().copied());
            if graph.module(node).is_none() {
                // It may take everything that it is given.
                for (_, arg) in graph.args(node) {
                    by_instances.extend(graph.exports(*arg).into_iter().map(|(.., it)| it));
                }
            }
        }
        let mut by_functions = HashSet::new();
        let mut see = |sort, index| {
            by_functions.extend(graph.entity_at(whole.level, sort, index));
        };
        for item in &whole.level.items {
            match &item.what {
                What::Canonical(function) | What::Lift(function) => {
                    let used = uses(function).map_or(Vec::new(), |uses| uses.core);
                    used.into_iter().for_each(|(sort, index)| see(sort, index));
                }
                What::Resource(_, destructor) => see(Sort::CoreFunc, *destructor),
                _ => {}
            }
        }
        Self {
            by_instances,
            by_functions,
        }
    }
}

struct Finder<'w, 'l, 'a> {
    whole: &'w Whole<'l, 'a>,
    members: &'w [Node],
    set: HashSet<Node>,
    tables: HashMap<Entity, Table>,
    cells: HashMap<Entity, Cell>,
    links: Links,
}

impl Finder<'_, '_, '_> {
    /// Adds the tables and globals that a member defines.
    fn define(&mut self, node: Node, seen: &Seen) {
        let graph = self.whole.graph;
        let Some(module) = graph.module(node) else {
            return;
        };
        for index in module.imported(Space::Table)..module.total(Space::Table) {
            let entity = Entity::Own(node, Space::Table, index);
            let Some(defined) = table(graph, entity) else {
                continue;
            };
            let is_empty = matches!(defined.init, TableInit::RefNull);
            let of_functions = defined.ty.element_type == RefType::FUNCREF;
            self.tables.insert(
                entity,
                Table {
                    closed: is_empty && of_functions && !seen.by_instances.contains(&entity),
                    initial: defined.ty.initial,
                    slots: HashMap::new(),
                    callers: HashSet::new(),
                    used: seen.by_functions.contains(&entity),
                },
            );
        }
        for index in module.imported(Space::Global)..module.total(Space::Global) {
            let entity = Entity::Own(node, Space::Global, index);
            let Some(ty) = module.global_type(index) else {
                continue;
            };
            if ty.mutable && matches!(ty.content_type, ValType::Ref(_)) {
                let closed = !seen.by_instances.contains(&entity);
                let cell = Cell {
                    closed,
                    ..Cell::default()
                };
                self.cells.insert(entity, cell);
            }
        }
    }

    /// Reads what a member does to tables and globals. `None` if something is not understood.
    fn read(&mut self, node: Node) -> Option<()> {
        let (whole, graph) = (self.whole, self.whole.graph);
        let module = graph.module(node)?;
        for (segment, element) in (0..).zip(&module.elements) {
            if let ElementKind::Active {
                table_index,
                offset_expr,
            } = &element.kind
            {
                let table_index = table_index.unwrap_or(0);
                let entity = graph.resolve(node, Space::Table, table_index)?;
                let offset = value(offset_expr, node, |index| whole.value_in(node, index));
                let items = whole.items(node, segment);
                let Some(table) = self.tables.get_mut(&entity) else {
                    continue;
                };
                let (Some(offset), Some(items)) = (offset.and_then(Value::address), items) else {
                    table.closed = false;
                    continue;
                };
                for (slot, content) in (offset..).zip(items) {
                    let slot = table.slots.entry(slot).or_insert(Slot {
                        writes: 0,
                        content: None,
                        filled: 0,
                    });
                    slot.writes += 1;
                    slot.content = content;
                    slot.filled = graph.item(node);
                }
            }
        }
        let imported = module.imported(Space::Func);
        for (function, place) in (imported..).zip(0..module.functions.len()) {
            let body = whole.body(node, place)?;
            for used in &body.uses {
                self.read_use(node, function, *used)?;
            }
        }
        Some(())
    }

    /// Reads what a function of a member uses.
    fn read_use(&mut self, node: Node, function: u32, used: Use) -> Option<()> {
        let (whole, graph) = (self.whole, self.whole.graph);
        match used {
            Use::CallTable(index) => {
                let entity = graph.resolve(node, Space::Table, index)?;
                if let Some(table) = self.tables.get_mut(&entity) {
                    table.callers.insert((node, function));
                }
            }
            Use::ReadTable(index) | Use::WriteTable(index) => {
                let entity = graph.resolve(node, Space::Table, index)?;
                if let Some(table) = self.tables.get_mut(&entity) {
                    table.used = true;
                    table.closed &= !matches!(used, Use::WriteTable(_));
                }
            }
            Use::Element(segment) => {
                let element = at(&graph.module(node)?.elements, segment)?;
                if let ElementKind::Active { table_index, .. } = &element.kind {
                    let index = table_index.unwrap_or(0);
                    let entity = graph.resolve(node, Space::Table, index)?;
                    if let Some(table) = self.tables.get_mut(&entity) {
                        table.used = true;
                    }
                }
            }
            Use::Read(index) => {
                let entity = graph.resolve(node, Space::Global, index)?;
                if let Some(cell) = self.cells.get_mut(&entity) {
                    cell.readers.insert((node, function));
                }
            }
            Use::Write(index) => {
                let entity = graph.resolve(node, Space::Global, index)?;
                if let Some(cell) = self.cells.get_mut(&entity) {
                    let module = graph.module(node)?;
                    let place = module.definition(Space::Func, function)?;
                    let content = whole.body(node, place)?.sets.content(index);
                    match content.filter(|_| module.start == Some(function)) {
                        Some(content) => cell.sets.push((node, content)),
                        None => cell.closed = false,
                    }
                }
            }
            _ => {}
        }
        Some(())
    }

    /// The type of a function, if it means the same in every module.
    fn type_of(&self, node: Node, function: u32) -> Option<&wasmparser::FuncType> {
        let graph = self.whole.graph;
        let ty = graph.module(node)?.function_type(function)?;
        graph.plain_type(node, ty)
    }

    /// How a function passes its parameters on, if it passes all of them to a function of its own
    /// type.
    fn forward(&self, node: Node, function: u32) -> Option<Forward> {
        let graph = self.whole.graph;
        let place = graph.module(node)?.definition(Space::Func, function)?;
        let forward = self.whole.body(node, place)?.forward?;
        let own = self.type_of(node, function)?;
        let called = graph.plain_type(node, forward.ty)?;
        (own == called && forward.parameters == own.params().len()).then_some(forward)
    }

    /// The link of a function to what is put in its place by this instance.
    fn link(&self, from: (Node, u32), content: (Node, u32), filled: usize) -> Option<Link> {
        let graph = self.whole.graph;
        if self.type_of(from.0, from.1)? != self.type_of(content.0, content.1)? {
            return None;
        }
        if !self.set.contains(&content.0) {
            // It comes from a global of an instance that stays. No member imports the function.
            return None;
        }
        let made = graph.item(from.0);
        Some(Link {
            content: Some(graph.resolve(content.0, Space::Func, content.1)?),
            filled,
            known: !self.whole.runs_between(made, filled),
        })
    }

    fn link_tables(&mut self) {
        let mut found = Links::default();
        for (entity, table) in self.tables.iter().filter(|(_, table)| table.closed) {
            let mut links = HashMap::new();
            for caller in &table.callers {
                if let Some(link) = self.table_link(*entity, table, *caller) {
                    links.insert(*caller, link);
                }
            }
            let dissolves = !table.used && !links.is_empty() && links.len() == table.callers.len();
            if dissolves {
                found.dissolved.insert(*entity);
            } else {
                // The function itself still works, so only what is certain takes its place.
                links.retain(|_, link| link.known && link.content.is_some());
            }
            found.links.extend(links);
        }
        self.links.links.extend(found.links);
        self.links.dissolved.extend(found.dissolved);
    }

    fn table_link(&self, entity: Entity, table: &Table, caller: (Node, u32)) -> Option<Link> {
        let forward = self.forward(caller.0, caller.1)?;
        let Place::Table { table: index, slot } = forward.place else {
            return None;
        };
        let called = self.whole.graph.resolve(caller.0, Space::Table, index)?;
        if called != entity || slot >= table.initial {
            return None;
        }
        let nothing = Link {
            content: None,
            filled: usize::MAX,
            known: true,
        };
        match table.slots.get(&slot) {
            None => Some(nothing),
            Some(Slot {
                writes: 1,
                content: Some(content),
                filled,
            }) => self.link(caller, *content, *filled),
            Some(Slot {
                writes: 1,
                content: None,
                ..
            }) => Some(nothing),
            Some(_) => None,
        }
    }

    fn link_cells(&mut self) {
        let mut found: HashMap<Entity, HashMap<(Node, u32), Link>> = HashMap::new();
        for (entity, cell) in self.cells.iter().filter(|(_, cell)| cell.closed) {
            let [(node, content)] = cell.sets.as_slice() else {
                continue;
            };
            let links = cell.readers.iter().map(|reader| {
                let forward = self.forward(reader.0, reader.1)?;
                let Place::Global(index) = forward.place else {
                    return None;
                };
                let read = self.whole.graph.resolve(reader.0, Space::Global, index)?;
                let filled = self.whole.graph.item(*node);
                let link = self.link(*reader, (*node, *content), filled)?;
                (read == *entity && link.known).then_some((*reader, link))
            });
            let links: Option<HashMap<(Node, u32), Link>> = links.collect();
            if let Some(links) = links.filter(|links| !links.is_empty()) {
                found.insert(*entity, links);
            }
        }
        // The instructions that set them are one piece of the start function.
        for node in self.members {
            let Some(globals) = self.set_by(*node) else {
                continue;
            };
            let all = globals.iter().all(|entity| found.contains_key(entity));
            if all && !globals.is_empty() {
                self.links.stripped.insert(*node, globals.len() * 2);
                for entity in globals {
                    let links = found.remove(&entity).unwrap_or_default();
                    self.links.links.extend(links);
                    self.links.dissolved.insert(entity);
                }
            }
        }
    }

    /// The globals that a start function sets to functions before it does anything else.
    fn set_by(&self, node: Node) -> Option<Vec<Entity>> {
        let graph = self.whole.graph;
        let module = graph.module(node)?;
        let place = module.definition(Space::Func, module.start?)?;
        let pairs = self.whole.body(node, place)?.sets.pairs.iter();
        let globals = pairs.map(|(_, global)| graph.resolve(node, Space::Global, *global));
        globals.collect()
    }
}
