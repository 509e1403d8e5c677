//! What is known about each core instance before instances are put into groups: whether it may be
//! merged at all, the values of its globals, its segments, and what its functions use.
//!
//! More than 400 lines: each check of an instance looks at the same facts.

use std::collections::HashSet;

use wasmparser::{DataKind, ElementItems, ElementKind, TableInit, ValType};

use super::body::{Body, Use};
use super::canonical::tells_task;
use super::graph::{Entity, Graph, Node, memory_type, table};
use super::level::{Level, Runs, What};
use super::module::{Module, Space, at};
use super::reason::Reason;
use super::value::{Value, may_trap, value};
use crate::input::bodies;

/// A component, and everything that is known about it.
pub(super) struct Whole<'l, 'a> {
    pub(super) level: &'l Level<'a>,
    pub(super) graph: &'l Graph<'a>,
    /// One for each core instance.
    facts: Vec<Facts>,
    /// The numbers of the entries that may run code when they are made, ascending.
    runs: Vec<usize>,
    /// The instances whose start functions call nothing but known functions of merged modules, none
    /// of them through a table.
    quiet: HashSet<Node>,
    /// Whether functions may find out in which task they run.
    pub(super) tells_tasks: bool,
    /// Whether a module may have a segment that only declares functions.
    pub(super) declares: bool,
}

/// What is known about the program, and about the optimizer.
pub(super) struct Context<'c> {
    /// Whether the optimizer can read a core module.
    pub(super) optimizable: &'c dyn Fn(&[u8]) -> bool,
    /// Whether the program uses the feature that has segments which only declare functions.
    pub(super) declares: bool,
    pub(super) apart: Apart,
}

/// Whether modules that the optimizer can read are kept apart from those that it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apart {
    Yes,
    No,
}

/// What is known about a core instance.
#[derive(Default)]
pub(super) struct Facts {
    /// Why it cannot be merged.
    pub(super) reason: Option<Reason>,
    /// What its segments and first values do when it is made.
    pub(super) segments: Segments,
    /// The first values of the globals that it defines.
    globals: Vec<Option<Value>>,
    /// Its functions. Empty if it cannot be merged.
    pub(super) bodies: Vec<Body>,
}

/// What the active segments of an instance, and its first values, do when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segments {
    /// There are none.
    #[default]
    None,
    /// They write into memories and tables of the instance, within their bounds.
    Own,
    /// They write into those of other instances too, within their bounds.
    Others,
    /// One of them may be out of bounds, or the computation of a first value may trap.
    MayTrap,
}

impl<'l, 'a> Whole<'l, 'a> {
    /// Finds out what is known.
    pub(super) fn new(level: &'l Level<'a>, graph: &'l Graph<'a>, context: &Context<'_>) -> Self {
        let mut whole = Self {
            level,
            graph,
            facts: Vec::new(),
            runs: Vec::new(),
            quiet: HashSet::new(),
            tells_tasks: level.items.iter().any(
                |item| matches!(&item.what, What::Canonical(function) if tells_task(function)),
            ),
            declares: context.declares,
        };
        for number in 0..graph.nodes.len() {
            let facts = whole.of(Node(number));
            whole.facts.push(facts);
        }
        if context.apart == Apart::Yes {
            whole.keep_apart(context.optimizable);
        }
        let quiet = graph.instances().filter(|node| whole.starts_quietly(*node));
        whole.quiet = quiet.collect();
        whole.runs = whole.entries_that_run();
        whole
    }

    /// Whether the start function of an instance certainly calls no function that is looked up.
    fn starts_quietly(&self, node: Node) -> bool {
        let Some(start) = self.graph.module(node).and_then(|module| module.start) else {
            return false;
        };
        let mut seen = HashSet::from([(node, start)]);
        let mut left = vec![(node, start)];
        while let Some((node, function)) = left.pop() {
            let Some(Entity::Own(node, Space::Func, function)) =
                self.graph.resolve(node, Space::Func, function)
            else {
                return false;
            };
            let place = self.graph.module(node);
            let place = place.and_then(|module| module.definition(Space::Func, function));
            let Some(body) = place.and_then(|place| self.body(node, place)) else {
                return false;
            };
            for used in &body.uses {
                match used {
                    Use::Call(called) if seen.insert((node, *called)) => left.push((node, *called)),
                    Use::Call(_) | Use::Type(_) | Use::Memory(_) | Use::Data(_) => {}
                    Use::Read(global) | Use::Write(global) if self.is_number(node, *global) => {}
                    _ => return false,
                }
            }
        }
        true
    }

    /// Whether a global holds a number.
    fn is_number(&self, node: Node, global: u32) -> bool {
        let module = self.graph.module(node);
        let ty = module.and_then(|module| module.global_type(global));
        ty.is_some_and(|ty| !matches!(ty.content_type, ValType::Ref(_)))
    }

    /// Whether the start function of an instance certainly calls no function that is looked up.
    pub(super) fn is_quiet(&self, node: Node) -> bool {
        self.quiet.contains(&node)
    }

    fn of(&self, node: Node) -> Facts {
        let Some(module) = self.graph.module(node) else {
            return Facts {
                reason: self
                    .graph
                    .definition(node)
                    .map_or(Some(Reason::DefinedElsewhere), |_| Some(Reason::Unread)),
                segments: Segments::MayTrap,
                ..Facts::default()
            };
        };
        let globals = self.globals(node, module);
        let global = |index| self.value_with(&globals, node, index);
        let segments = self.segments(node, module, &global);
        let mut reason = self.reason(node, module, segments);
        let mut found = Vec::new();
        if reason.is_none() {
            let read = bodies::map(&module.bodies, Body::read);
            match read.into_iter().collect::<Option<Vec<Body>>>() {
                Some(read) => found = read,
                None => reason = Some(Reason::Unread),
            }
        }
        Facts {
            reason,
            segments,
            globals,
            bodies: found,
        }
    }

    fn reason(&self, node: Node, module: &Module<'a>, segments: Segments) -> Option<Reason> {
        let again = self.graph.definition(node)?.instances > 1;
        if again {
            Some(Reason::InstantiatedAgain)
        } else if module.has_shared() || self.uses_shared(node) {
            Some(Reason::SharedMemory)
        } else if segments == Segments::MayTrap {
            Some(Reason::SegmentMayTrap)
        } else {
            None
        }
    }

    /// Whether a memory that an instance imports is shared, although its import may not say so.
    fn uses_shared(&self, node: Node) -> bool {
        let imports = self.graph.imports_of(node).iter();
        let mut memories = imports.filter_map(|entity| memory_type(self.graph, *entity));
        memories.any(|memory| memory.shared)
    }

    /// The first values of the globals that a module defines.
    fn globals(&self, node: Node, module: &Module<'a>) -> Vec<Option<Value>> {
        let mut values: Vec<Option<Value>> = Vec::with_capacity(module.globals.len());
        for global in &module.globals {
            let found = value(&global.init_expr, node, |index| {
                self.value_with(&values, node, index)
            });
            values.push(found);
        }
        values
    }

    /// The first value of a global of an instance, given the values of those that it defines.
    fn value_with(&self, own: &[Option<Value>], node: Node, index: u32) -> Option<Value> {
        match self.graph.resolve(node, Space::Global, index)? {
            Entity::Own(defined_by, Space::Global, index) if defined_by == node => {
                let place = self.graph.module(node)?.definition(Space::Global, index)?;
                own.get(place).copied().flatten()
            }
            entity => self.first_value(entity),
        }
    }

    /// The first value of a global.
    pub(super) fn first_value(&self, entity: Entity) -> Option<Value> {
        let Entity::Own(node, Space::Global, index) = entity else {
            return None;
        };
        let place = self.graph.module(node)?.definition(Space::Global, index)?;
        let facts = self.facts.get(node.0)?;
        facts.globals.get(place).copied().flatten()
    }

    /// The first value of a global of an instance, by its index there.
    pub(super) fn value_in(&self, node: Node, index: u32) -> Option<Value> {
        self.first_value(self.graph.resolve(node, Space::Global, index)?)
    }

    fn segments(
        &self,
        node: Node,
        module: &Module<'a>,
        global: &impl Fn(u32) -> Option<Value>,
    ) -> Segments {
        let mut found = match values_may_trap(module) {
            true => Segments::MayTrap,
            false => Segments::None,
        };
        for data in &module.data {
            if let DataKind::Active {
                memory_index,
                offset_expr,
            } = &data.kind
            {
                let entity = self.graph.resolve(node, Space::Memory, *memory_index);
                let memory = entity.and_then(|entity| memory_type(self.graph, entity));
                let bytes = memory.and_then(|memory| {
                    let page = 1u64.checked_shl(memory.page_size_log2.unwrap_or(16))?;
                    memory.initial.checked_mul(page)
                });
                let offset = value(offset_expr, node, global);
                let written = within(entity, node, bytes, offset, data.data.len() as u64);
                found = found.max(written);
            }
        }
        for element in &module.elements {
            if let ElementKind::Active {
                table_index,
                offset_expr,
            } = &element.kind
            {
                let table_index = table_index.unwrap_or(0);
                let entity = self.graph.resolve(node, Space::Table, table_index);
                let elements = entity.and_then(|entity| table(self.graph, entity));
                let elements = elements.map(|table| table.ty.initial);
                let offset = value(offset_expr, node, global);
                let items = match &element.items {
                    ElementItems::Functions(items) => items.count(),
                    ElementItems::Expressions(_, items) => items.count(),
                };
                found = found.max(within(entity, node, elements, offset, items.into()));
            }
        }
        found
    }

    /// Of the modules that the optimizer can read and those that it cannot read, the smaller part
    /// is kept apart. Modules that only pass calls on belong to neither.
    fn keep_apart(&mut self, optimizable: &dyn Fn(&[u8]) -> bool) {
        let graph = self.graph;
        let nodes = graph.instances().filter(|node| {
            let facts = self.facts.get(node.0);
            facts.is_some_and(|facts| {
                let works = |body: &Body| body.forward.is_none();
                facts.reason.is_none() && facts.bodies.iter().any(works)
            })
        });
        let read = |node: Node| {
            let definition = graph.definition(node)?;
            let item = self.level.items.get(definition.item)?;
            Some((node, item.bytes.len(), optimizable(item.bytes)))
        };
        let read: Vec<(Node, usize, bool)> = nodes.filter_map(read).collect();
        let length = |of: bool| {
            let part = read.iter().filter(|(_, _, optimizable)| *optimizable == of);
            part.map(|(_, length, _)| length).sum::<usize>()
        };
        let larger = length(true) >= length(false);
        for (node, _, optimizable) in read {
            if optimizable != larger
                && let Some(facts) = self.facts.get_mut(node.0)
            {
                facts.reason = Some(Reason::Unoptimizable);
                facts.bodies = Vec::new();
            }
        }
    }

    fn entries_that_run(&self) -> Vec<usize> {
        let items = self.level.items.iter().enumerate();
        let runs = items.filter(|(number, item)| match &item.what {
            What::Other(runs) | What::Section(runs) => *runs == Runs::Code,
            What::CoreInstance(_) => self.starts(*number),
            _ => false,
        });
        runs.map(|(number, _)| number).collect()
    }

    /// Whether a core instance has a start function, or may have one.
    fn starts(&self, item: usize) -> bool {
        let Some(node) = self.graph.node_of(Some(item)) else {
            return true;
        };
        match &self.graph.node(node).map(|node| &node.kind) {
            Some(super::graph::Kind::Group(..)) => false,
            _ => match self.graph.module(node) {
                Some(module) => module.start.is_some(),
                None => true,
            },
        }
    }

    /// Whether code may run after the first of these entries is made, or with it, and before the
    /// second is, that may call functions which are looked up.
    pub(super) fn runs_between(&self, first: usize, second: usize) -> bool {
        let from = self.runs.partition_point(|run| *run < first);
        let runs = self.runs.iter().skip(from);
        let mut runs = runs.take_while(|run| **run < second);
        runs.any(|run| {
            let node = self.graph.node_of(Some(*run));
            !node.is_some_and(|node| self.is_quiet(node))
        })
    }

    pub(super) fn facts(&self, node: Node) -> Option<&Facts> {
        self.facts.get(node.0)
    }

    /// The body of a function that an instance defines, by its place among the definitions.
    pub(super) fn body(&self, node: Node, place: usize) -> Option<&Body> {
        self.facts.get(node.0)?.bodies.get(place)
    }

    /// Whether making this instance can be observed by nothing: it may be made earlier or later.
    pub(super) fn is_inert(&self, node: Node) -> bool {
        let starts = self.graph.module(node).is_none_or(|it| it.start.is_some());
        let segments = self.facts.get(node.0).map(|facts| facts.segments);
        !starts && segments.is_some_and(|segments| segments <= Segments::Own)
    }

    /// How many different memories or tables an instance has, imported ones among them.
    pub(super) fn distinct(&self, node: Node, space: Space) -> HashSet<Entity> {
        let total = self.graph.module(node).map_or(0, |it| it.total(space));
        let entities = (0..total).filter_map(|index| self.graph.resolve(node, space, index));
        entities.collect()
    }

    /// The functions of an element segment of an instance, item by item. `None` if they are not
    /// known.
    pub(super) fn items(&self, node: Node, segment: u32) -> Option<Vec<Option<(Node, u32)>>> {
        let module = self.graph.module(node)?;
        let mut found = Vec::new();
        match &at(&module.elements, segment)?.items {
            ElementItems::Functions(functions) => {
                for function in functions.clone() {
                    found.push(Some((node, function.ok()?)));
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions.clone() {
                    let global = |index| self.value_in(node, index);
                    found.push(match value(&expression.ok()?, node, global)? {
                        Value::Function(node, function) => Some((node, function)),
                        Value::Null(_) => None,
                        _ => return None,
                    });
                }
            }
        }
        Some(found)
    }
}

/// Whether the computation of a first value of a global or table, or of an item of a segment, may
/// trap. An item is computed even if nothing uses its segment.
fn values_may_trap(module: &Module<'_>) -> bool {
    let mut globals = module.globals.iter();
    let mut tables = module.tables.iter();
    let mut elements = module.elements.iter();
    globals.any(|global| may_trap(&global.init_expr))
        || tables.any(|table| match &table.init {
            TableInit::Expr(init) => may_trap(init),
            TableInit::RefNull => false,
        })
        || elements.any(|element| match &element.items {
            ElementItems::Expressions(_, items) => {
                let mut items = items.clone().into_iter();
                items.any(|item| item.is_ok_and(|item| may_trap(&item)))
            }
            ElementItems::Functions(_) => false,
        })
}

/// What a segment does that writes so many bytes or elements at an offset.
fn within(
    entity: Option<Entity>,
    node: Node,
    size: Option<u64>,
    offset: Option<Value>,
    length: u64,
) -> Segments {
    let end = offset.and_then(Value::address);
    let end = end.and_then(|offset| offset.checked_add(length));
    match (end, size) {
        (Some(end), Some(size)) if end <= size => match entity {
            Some(Entity::Own(owner, ..)) if owner == node => Segments::Own,
            _ => Segments::Others,
        },
        _ => Segments::MayTrap,
    }
}
