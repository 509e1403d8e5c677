//! Writes core entries when something needs them, and knows their new indices.
//!
//! More than 400 lines: each kind of entry is written by one match.

use std::collections::{BTreeMap, HashMap};

use wasm_encoder::{
    Alias, ComponentAliasSection, ComponentSectionId, ExportKind, InstanceSection, ModuleArg,
};
use wasmparser::FuncType;

use super::{Rewritten, Source};
use crate::index::spaces::Sort;
use crate::wasm::component_writer::Writer;
use crate::wasm::flatten::canonical::{Moved, uses, write};
use crate::wasm::flatten::facts::Whole;
use crate::wasm::flatten::graph::{Entity, Kind, Node};
use crate::wasm::flatten::group::{Group, Key, Target, owners};
use crate::wasm::flatten::layout::Layout;
use crate::wasm::flatten::legality::{Starts, needs_filler};
use crate::wasm::flatten::level::What;
use crate::wasm::flatten::merge::{IMPORTED, merge};
use crate::wasm::flatten::module::Space;
use crate::wasm::flatten::plan::Plan;
use crate::wasm::flatten::reach::Border;
use crate::wasm::flatten::slot_modules::{self, TABLE};
use crate::wasm::function_names::ModuleNames;

/// Writes core entries.
pub(super) struct Emitter<'w, 'l, 'a> {
    whole: &'w Whole<'l, 'a>,
    plan: &'w Plan,
    layouts: &'w [Layout],
    /// The number of each member's group.
    owners: HashMap<Node, usize>,
    pub(super) out: Writer,
    /// The new indices of what was written.
    cores: HashMap<Core, u32>,
    instances: HashMap<Node, u32>,
    modules: HashMap<usize, u32>,
    /// The merged instances and those with slots, by group.
    merged: Vec<Option<u32>>,
    slots: Vec<Option<u32>>,
    /// The next index of each core space, of core instances and of core modules.
    next: [u32; 5],
    next_instance: u32,
    next_module: u32,
    sources: Vec<Source>,
}

/// An item of an instance that puts items together: its name, kind and index.
type Named = (String, ExportKind, u32);

/// What an instance imports, by the name of the argument and its own name.
type Taken<'a> = HashMap<&'a str, BTreeMap<&'a str, (Space, Entity)>>;

/// What is known about the arguments of an instance that stays.
struct Given<'a> {
    /// `None` if its module cannot be read.
    taken: Option<Taken<'a>>,
    /// The instances that put items together for it.
    together: HashMap<Vec<Named>, u32>,
}

/// A core item of the component.
#[derive(PartialEq, Eq, Hash)]
enum Core {
    Of(Entity),
    Slot(usize, Key),
}

impl<'w, 'l, 'a> Emitter<'w, 'l, 'a> {
    pub(super) fn new(whole: &'w Whole<'l, 'a>, plan: &'w Plan, layouts: &'w [Layout]) -> Self {
        let length = whole.level.items.iter().map(|item| item.bytes.len());
        Self {
            whole,
            plan,
            layouts,
            owners: owners(&plan.groups),
            out: Writer::new(length.fold(0, usize::saturating_add)),
            cores: HashMap::new(),
            instances: HashMap::new(),
            modules: HashMap::new(),
            merged: vec![None; plan.groups.len()],
            slots: vec![None; plan.groups.len()],
            next: [0; 5],
            next_instance: 0,
            next_module: 0,
            sources: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Option<Rewritten> {
        Some(Rewritten {
            bytes: self.out.finish(),
            sources: self.sources,
            instances: usize::try_from(self.next_instance).ok()?,
        })
    }

    /// Whether an instance is a member of a group.
    pub(super) fn is_member(&self, node: Node) -> bool {
        self.owners.contains_key(&node)
    }

    /// Whether the merged instance of a group was made.
    pub(super) fn is_made(&self, number: usize) -> bool {
        self.merged.get(number).copied().flatten().is_some()
    }

    fn group(&self, number: usize) -> Option<(&'w Group, &'w Layout, &'w Border, &'w Starts)> {
        Some((
            self.plan.groups.get(number)?,
            self.layouts.get(number)?,
            self.plan.reached.borders.get(number)?,
            self.plan.starts.get(number)?,
        ))
    }

    /// The new index of a core item that the entry of this number uses.
    pub(super) fn core(&mut self, entity: Entity, number: usize) -> Option<u32> {
        if let Entity::Own(node, ..) = entity
            && let Some(owner) = self.owners.get(&node).copied()
        {
            return match self.plan.groups.get(owner)?.seen_from(entity, number) {
                Target::Member(node, space, index) => {
                    self.member(owner, Entity::Own(node, space, index), space)
                }
                Target::Slot(key) => self.slot(owner, key),
                Target::Outside(behind) => self.core(behind, number),
            };
        }
        if let Some(known) = self.cores.get(&Core::Of(entity)) {
            return Some(*known);
        }
        let index = match entity {
            Entity::Canonical(function) => self.canonical(function)?,
            Entity::Own(node, space, index) => {
                let name = self.whole.graph.module(node)?.export_name(space, index)?;
                let instance = self.instance(node)?;
                self.alias(instance, space, name)?
            }
            Entity::Unknown(number) => {
                let (node, space, name) = self.whole.graph.unknown(number)?;
                let instance = self.instance(node)?;
                self.alias(instance, space, name)?
            }
        };
        self.cores.insert(Core::Of(entity), index);
        Some(index)
    }

    /// The new index of an export of a merged instance.
    fn member(&mut self, owner: usize, entity: Entity, space: Space) -> Option<u32> {
        if let Some(known) = self.cores.get(&Core::Of(entity)) {
            return Some(*known);
        }
        let name = self.layouts.get(owner)?.export_name(entity)?;
        let instance = self.merged.get(owner).copied().flatten()?;
        let index = self.alias(instance, space, &name)?;
        self.cores.insert(Core::Of(entity), index);
        Some(index)
    }

    /// The new index of a function that calls what is in a slot.
    fn slot(&mut self, owner: usize, key: Key) -> Option<u32> {
        if let Some(known) = self.cores.get(&Core::Slot(owner, key)) {
            return Some(*known);
        }
        let name = self.layouts.get(owner)?.slot_name(key)?;
        let instance = self.slots.get(owner).copied().flatten()?;
        let index = self.alias(instance, Space::Func, &name)?;
        self.cores.insert(Core::Slot(owner, key), index);
        Some(index)
    }

    fn next(&mut self, space: Space) -> Option<u32> {
        let next = self.next.get_mut(space as usize)?;
        let index = *next;
        *next = next.checked_add(1)?;
        Some(index)
    }

    fn alias(&mut self, instance: u32, space: Space, name: &str) -> Option<u32> {
        let mut section = ComponentAliasSection::new();
        section.alias(Alias::CoreInstanceExport {
            instance,
            kind: space.export_kind(),
            name,
        });
        self.out.encoded(&section)?;
        self.next(space)
    }

    fn canonical(&mut self, number: usize) -> Option<u32> {
        let (level, graph) = (self.whole.level, self.whole.graph);
        let What::Canonical(function) = &level.items.get(number)?.what else {
            return None;
        };
        let mut moved = Moved::new();
        for (sort, index) in uses(function)?.core {
            let entity = graph.entity_at(level, sort, index)?;
            moved.insert((sort, index), self.core(entity, number)?);
        }
        self.out.encoded(&write(function.clone(), &moved)?)?;
        self.next(Space::Func)
    }

    /// The new index of an instance that stays.
    pub(super) fn instance(&mut self, node: Node) -> Option<u32> {
        if let Some(known) = self.instances.get(&node) {
            return Some(*known);
        }
        let graph = self.whole.graph;
        let item = graph.item(node);
        let what = &self.whole.level.items.get(item)?.what;
        let What::CoreInstance(wasmparser::Instance::Instantiate { module_index, .. }) = what
        else {
            return None;
        };
        let module = self.whole.level.item(Sort::Module, *module_index)?;
        let mut given = self.given(node);
        let mut args = Vec::new();
        for (name, arg) in graph.args(node) {
            let index = self.arg(node, name, *arg, &mut given)?;
            args.push((*name, ModuleArg::Instance(index)));
        }
        let module = self.module(module)?;
        let index = self.instantiate(module, args)?;
        self.instances.insert(node, index);
        Some(index)
    }

    fn given(&self, node: Node) -> Given<'a> {
        let graph = self.whole.graph;
        let taken = graph.module(node).map(|module| {
            let mut taken: Taken<'a> = HashMap::new();
            for (import, entity) in module.imports.iter().zip(graph.imports_of(node)) {
                let space = Space::of_import(&import.ty);
                let from = taken.entry(import.module).or_default();
                // The same name may be imported more than once.
                from.insert(import.name, (space, *entity));
            }
            taken
        });
        Given {
            taken,
            together: HashMap::new(),
        }
    }

    /// An argument of an instance that stays.
    fn arg(&mut self, node: Node, name: &str, arg: Node, given: &mut Given<'a>) -> Option<u32> {
        let graph = self.whole.graph;
        let is_of = matches!(graph.node(arg)?.kind, Kind::Of { .. });
        if is_of && !self.is_member(arg) {
            return self.instance(arg);
        }
        let taken: Vec<(&str, Space, Entity)> = match &given.taken {
            Some(taken) => {
                let items = taken.get(name).into_iter().flatten();
                items
                    .map(|(name, (space, entity))| (*name, *space, *entity))
                    .collect()
            }
            None => graph.exports(arg),
        };
        let mut items = Vec::new();
        for (name, space, entity) in taken {
            let index = self.core(entity, graph.item(node))?;
            items.push((name.to_owned(), space.export_kind(), index));
        }
        // Arguments with the same items are the same: a component may have only a thousand
        // instances.
        if let Some(known) = given.together.get(&items) {
            return Some(*known);
        }
        let index = self.put_together(&items)?;
        given.together.insert(items, index);
        Some(index)
    }

    fn put_together(&mut self, items: &[Named]) -> Option<u32> {
        let mut section = InstanceSection::new();
        let items = items.iter();
        section.export_items(items.map(|(name, kind, index)| (name.as_str(), *kind, *index)));
        self.out.encoded(&section)?;
        self.count_instance()
    }

    fn instantiate(&mut self, module: u32, args: Vec<(&str, ModuleArg)>) -> Option<u32> {
        let mut section = InstanceSection::new();
        section.instantiate(module, args);
        self.out.encoded(&section)?;
        self.count_instance()
    }

    fn count_instance(&mut self) -> Option<u32> {
        let index = self.next_instance;
        self.next_instance = index.checked_add(1)?;
        Some(index)
    }

    /// The new index of the core module of an entry.
    fn module(&mut self, item: usize) -> Option<u32> {
        if let Some(known) = self.modules.get(&item) {
            return Some(*known);
        }
        let found = self.whole.level.items.get(item)?;
        let index = match found.what {
            What::Module => self.define(found.bytes, Source::Item(item))?,
            What::SameModule(same) => self.module(same)?,
            _ => return None,
        };
        self.modules.insert(item, index);
        Some(index)
    }

    fn define(&mut self, bytes: &[u8], source: Source) -> Option<u32> {
        self.out
            .section(ComponentSectionId::CoreModule.into(), bytes);
        self.sources.push(source);
        let index = self.next_module;
        self.next_module = index.checked_add(1)?;
        Some(index)
    }

    /// A core module that is instantiated nowhere stays.
    pub(super) fn unused_module(&mut self, item: usize) -> Option<()> {
        let definitions = &self.whole.graph.definitions;
        let mut definitions = definitions.iter().filter(|it| it.item == item);
        match definitions.next()?.instances {
            0 => self.module(item).map(drop),
            _ => Some(()),
        }
    }

    /// A core module from outside.
    pub(super) fn other_module(&mut self, item: usize) -> Option<()> {
        let found = self.whole.level.items.get(item)?;
        self.out.entry(found.section, found.bytes);
        self.modules.insert(item, self.next_module);
        self.next_module = self.next_module.checked_add(1)?;
        Some(())
    }

    /// A component in the component.
    pub(super) fn component(&mut self, item: usize, bytes: &[u8]) {
        self.out
            .section(ComponentSectionId::Component.into(), bytes);
        self.sources.push(Source::Item(item));
    }

    /// The instance with the slots of a group, if there are any.
    pub(super) fn slots(&mut self, number: usize) -> Option<()> {
        let (group, layout, ..) = self.group(number)?;
        if layout.slots.is_empty() {
            return Some(());
        }
        let mut names = HashMap::new();
        let slots = layout.slots.iter().map(|key| {
            Some(slot_modules::Slot {
                ty: self.slot_type(group, *key)?,
                name: self.slot_name(group, *key, &mut names),
                is_tail: self.is_tail(*key),
            })
        });
        let bytes = slot_modules::slots(&slots.collect::<Option<Vec<_>>>()?)?;
        let module = self.define(&bytes, Source::New)?;
        let index = self.instantiate(module, Vec::new())?;
        *self.slots.get_mut(number)? = Some(index);
        Some(())
    }

    fn slot_type(&self, group: &Group, key: Key) -> Option<&'w FuncType> {
        let whole: &'w Whole<'l, 'a> = self.whole;
        let (node, ty) = group.slot_type(whole, key)?;
        whole.graph.plain_type(node, ty)
    }

    /// Whether the function that passes calls to a slot's function did so with a tail call.
    fn is_tail(&self, key: Key) -> bool {
        let Key::Behind(node, function) = key else {
            // It leaves the program: the stack does not grow call by call.
            return false;
        };
        let module = self.whole.graph.module(node);
        let place = module.and_then(|module| module.definition(Space::Func, function));
        let body = place.and_then(|place| self.whole.body(node, place));
        body.and_then(|body| body.forward)
            .is_some_and(|forward| forward.is_tail)
    }

    /// The name that a toolchain gave to the function that passes calls on.
    fn slot_name(
        &self,
        group: &Group,
        key: Key,
        names: &mut HashMap<Node, ModuleNames>,
    ) -> Option<String> {
        let function = match key {
            Key::Behind(node, function) => Some((node, function)),
            Key::Canonical(number) => group.links.before(Entity::Canonical(number)),
        };
        let (node, function) = function?;
        let module = self.whole.graph.module(node)?;
        let names = names.entry(node).or_insert_with(|| module.names());
        names.functions.get(&function).cloned()
    }

    /// The merged instance of a group.
    pub(super) fn merged(&mut self, number: usize) -> Option<()> {
        let whole = self.whole;
        let (group, layout, _, starts) = self.group(number)?;
        let first = group.first(whole);
        let mut items = Vec::new();
        for (place, import) in layout.imports.iter().enumerate() {
            let index = match import.target {
                Target::Slot(key) => self.slot(number, key)?,
                Target::Outside(entity) => self.core(entity, first)?,
                Target::Member(..) => return None,
            };
            items.push((place.to_string(), import.space.export_kind(), index));
        }
        let args = match items.as_slice() {
            [] => Vec::new(),
            items => vec![(IMPORTED, ModuleArg::Instance(self.put_together(items)?))],
        };
        let bytes = merge(whole, group, &self.plan.reached, layout, starts)?;
        let module = self.define(&bytes, Source::Group(number))?;
        let index = self.instantiate(module, args)?;
        *self.merged.get_mut(number)? = Some(index);
        Some(())
    }

    /// The instance that fills the slots of a group and runs late start functions, if it is
    /// necessary.
    pub(super) fn filler(&mut self, number: usize) -> Option<()> {
        let (group, layout, border, starts) = self.group(number)?;
        if !needs_filler(border, group, starts) {
            return Some(());
        }
        let mut filled = Vec::new();
        let mut functions = Vec::new();
        for (slot, key) in layout.slots.iter().enumerate() {
            if let Some(content) = group.content(*key) {
                filled.push((slot, self.slot_type(group, *key)?));
                functions.push(self.core(content, usize::MAX)?);
            }
        }
        for node in &starts.after {
            let graph = self.whole.graph;
            let start = graph.module(*node)?.start?;
            let entity = graph.resolve(*node, Space::Func, start)?;
            functions.push(match group.inside(entity).target {
                Target::Member(node, space, index) => {
                    self.member(number, Entity::Own(node, space, index), space)?
                }
                Target::Slot(key) => self.slot(number, key)?,
                Target::Outside(entity) => self.core(entity, usize::MAX)?,
            });
        }
        let mut items = Vec::new();
        if !filled.is_empty() {
            let slots = self.slots.get(number).copied().flatten()?;
            let table = self.alias(slots, Space::Table, TABLE)?;
            items.push((TABLE.to_owned(), ExportKind::Table, table));
        }
        for (place, function) in functions.into_iter().enumerate() {
            items.push((place.to_string(), ExportKind::Func, function));
        }
        let args = self.put_together(&items)?;
        let bytes = slot_modules::filler(layout.slots.len(), &filled, starts.after.len())?;
        let module = self.define(&bytes, Source::New)?;
        let args = vec![(IMPORTED, ModuleArg::Instance(args))];
        self.instantiate(module, args)?;
        Some(())
    }
}
