//! The core instances of a component, and what each of their imports is: a definition of another
//! instance, or a canonical function.
//!
//! Imports lead through aliases, through instances that only put items together, and through
//! modules that export what they import. All of them are followed once, in the order of the file:
//! an entry refers only to entries before it.

use std::collections::HashMap;

use wasmparser::Instance;

use super::level::{Known, Level, What};
use super::module::{Module, Space};
use super::reason::Reason;
use crate::index::spaces::Sort;

/// The maximum number of imports, globals, segments and their items that all instances of a
/// component have together. A program with 75 instances has some 20,000 of them.
const MOST: usize = 8 << 20;

/// A core instance of a component, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(pub(super) usize);

/// What a name in a core instance finally means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Entity {
    /// A definition of an instance, by its index in the instance's module.
    Own(Node, Space, u32),
    /// A canonical function, by the number of its entry.
    Canonical(usize),
    /// An export of an instance whose module cannot be read, by its number in [`Graph`].
    Unknown(usize),
}

/// A core module that the component defines.
pub(super) struct Definition<'a> {
    /// The number of its entry.
    pub(super) item: usize,
    /// `None` if it cannot be read.
    pub(super) module: Option<Module<'a>>,
    /// How often it is instantiated.
    pub(super) instances: usize,
}

/// A core instance.
pub(super) struct CoreInstance<'a> {
    /// The number of its entry.
    pub(super) item: usize,
    pub(super) kind: Kind<'a>,
}

pub(super) enum Kind<'a> {
    /// It puts existing items together. Names, and what they mean.
    Group(Vec<(&'a str, Space, Entity)>, HashMap<&'a str, usize>),
    /// It is an instance of a core module.
    Of {
        /// The number of the definition. `None` for a module from outside.
        definition: Option<usize>,
        args: Vec<(&'a str, Node)>,
        /// What each import of the module means. Empty if the module cannot be read.
        imports: Vec<Entity>,
    },
}

/// The core instances of a component.
pub(super) struct Graph<'a> {
    pub(super) definitions: Vec<Definition<'a>>,
    pub(super) nodes: Vec<CoreInstance<'a>>,
    /// What each entry means, if it is an alias of an export or a canonical function.
    entities: Vec<Option<Entity>>,
    unknown: Vec<(Node, Space, &'a str)>,
    node_of: HashMap<usize, Node>,
    definition_of: HashMap<usize, usize>,
    size: usize,
}

impl<'a> Graph<'a> {
    /// Follows the core instances of a component.
    ///
    /// # Errors
    ///
    /// The reason, if there are too many imports, or if something is not understood.
    pub(super) fn build(level: &Level<'a>) -> Result<Self, Reason> {
        let mut graph = Self {
            definitions: Vec::new(),
            nodes: Vec::new(),
            entities: vec![None; level.items.len()],
            unknown: Vec::new(),
            node_of: HashMap::new(),
            definition_of: HashMap::new(),
            size: 0,
        };
        for (number, item) in level.items.iter().enumerate() {
            let entity = match &item.what {
                What::Module => {
                    graph.definition_of.insert(number, graph.definitions.len());
                    graph.definitions.push(Definition {
                        item: number,
                        module: Module::read(item.bytes),
                        instances: 0,
                    });
                    None
                }
                What::SameModule(same) => {
                    if let Some(definition) = graph.definition_of.get(same).copied() {
                        graph.definition_of.insert(number, definition);
                    }
                    None
                }
                What::CoreInstance(instance) => {
                    let kind = graph.instance(level, instance)?;
                    graph.node_of.insert(number, Node(graph.nodes.len()));
                    graph.nodes.push(CoreInstance { item: number, kind });
                    None
                }
                What::CoreExport {
                    instance,
                    kind,
                    name,
                } => {
                    let node = graph.node_of(*instance).ok_or(Reason::Unread)?;
                    let entity = graph.export(node, Space::of(*kind), name);
                    Some(entity.ok_or(Reason::Unread)?)
                }
                What::Canonical(_) => Some(Entity::Canonical(number)),
                _ => None,
            };
            if let Some(place) = graph.entities.get_mut(number) {
                *place = entity;
            }
        }
        Ok(graph)
    }

    fn instance(&mut self, level: &Level<'a>, instance: &Instance<'a>) -> Result<Kind<'a>, Reason> {
        match instance {
            Instance::FromExports(exports) => {
                let (mut items, mut by_name) = (Vec::new(), HashMap::new());
                for export in exports.iter() {
                    let space = Space::of(export.kind);
                    let item = level.item(space.sort(), export.index);
                    let entity = item.and_then(|item| self.entity(item));
                    by_name.insert(export.name, items.len());
                    items.push((export.name, space, entity.ok_or(Reason::Unread)?));
                }
                self.add(items.len())?;
                Ok(Kind::Group(items, by_name))
            }
            Instance::Instantiate { module_index, args } => {
                let module = level.item(Sort::Module, *module_index);
                let definition = module.and_then(|item| self.definition_of.get(&item).copied());
                let mut given = Vec::new();
                for arg in args.iter() {
                    let node = self.node_of(level.item(Sort::CoreInstance, arg.index));
                    given.push((arg.name, node.ok_or(Reason::Unread)?));
                }
                let imports = self.imports(definition, &given)?;
                Ok(Kind::Of {
                    definition,
                    args: given,
                    imports,
                })
            }
        }
    }

    /// What the imports of a module mean.
    fn imports(
        &mut self,
        definition: Option<usize>,
        args: &[(&'a str, Node)],
    ) -> Result<Vec<Entity>, Reason> {
        if let Some(definition) = definition.and_then(|number| self.definitions.get_mut(number)) {
            definition.instances += 1;
        }
        let definition = definition.and_then(|number| self.definitions.get(number));
        let Some(module) = definition.and_then(|definition| definition.module.as_ref()) else {
            // Everything that it is given is looked at.
            let given = args.iter().map(|(_, arg)| self.number_of_exports(*arg));
            let given = given.fold(0, usize::saturating_add);
            self.add(given)?;
            return Ok(Vec::new());
        };
        let size = module.size();
        let imports: Vec<(&'a str, &'a str, Space)> = module
            .imports
            .iter()
            .map(|it| (it.module, it.name, Space::of_import(&it.ty)))
            .collect();
        self.add(size)?;
        let by_name: HashMap<&str, Node> = args.iter().copied().collect();
        let mut found = Vec::with_capacity(imports.len());
        for (from, name, space) in imports {
            let node = by_name.get(from).copied().ok_or(Reason::Unread)?;
            let entity = self.export(node, space, name);
            found.push(entity.ok_or(Reason::Unread)?);
        }
        Ok(found)
    }

    /// The number of imports, globals, segments and their items of all instances together.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    fn add(&mut self, more: usize) -> Result<(), Reason> {
        self.size = self.size.saturating_add(more);
        match self.size > MOST {
            true => Err(Reason::TooLarge),
            false => Ok(()),
        }
    }

    /// What an export of an instance means.
    fn export(&mut self, node: Node, space: Space, name: &'a str) -> Option<Entity> {
        match &self.node(node)?.kind {
            Kind::Group(items, by_name) => {
                let (_, found, entity) = items.get(*by_name.get(name)?)?;
                (*found == space).then_some(*entity)
            }
            Kind::Of { imports, .. } => match self.module(node) {
                Some(module) => {
                    let (found, index) = module.export(name)?;
                    if found != space {
                        return None;
                    }
                    match module.import(space, index) {
                        Some(import) => imports.get(import).copied(),
                        None => Some(Entity::Own(node, space, index)),
                    }
                }
                None => {
                    let number = self.unknown.len();
                    self.unknown.push((node, space, name));
                    Some(Entity::Unknown(number))
                }
            },
        }
    }

    /// What an entry means, if it is an alias of an export or a canonical function.
    pub(super) fn entity(&self, item: usize) -> Option<Entity> {
        self.entities.get(item).copied().flatten()
    }

    /// What an index of the component means.
    pub(super) fn entity_at(&self, level: &Level<'_>, sort: Sort, index: u32) -> Option<Entity> {
        self.entity(level.item(sort, index)?)
    }

    pub(super) fn node(&self, node: Node) -> Option<&CoreInstance<'a>> {
        self.nodes.get(node.0)
    }

    /// The instance that an entry makes.
    pub(super) fn node_of(&self, item: Known) -> Option<Node> {
        self.node_of.get(&item?).copied()
    }

    /// All instances of core modules.
    pub(super) fn instances(&self) -> impl Iterator<Item = Node> {
        let nodes = self.nodes.iter().enumerate();
        let of = nodes.filter(|(_, node)| matches!(node.kind, Kind::Of { .. }));
        of.map(|(number, _)| Node(number))
    }

    /// The number of the entry that makes an instance.
    pub(super) fn item(&self, node: Node) -> usize {
        self.node(node).map_or(usize::MAX, |node| node.item)
    }

    /// The definition of an instance's core module.
    pub(super) fn definition(&self, node: Node) -> Option<&Definition<'a>> {
        match &self.node(node)?.kind {
            Kind::Of { definition, .. } => self.definitions.get((*definition)?),
            Kind::Group(..) => None,
        }
    }

    /// The core module of an instance, if it can be read.
    pub(super) fn module(&self, node: Node) -> Option<&Module<'a>> {
        self.definition(node)?.module.as_ref()
    }

    /// What the imports of an instance mean.
    pub(super) fn imports_of(&self, node: Node) -> &[Entity] {
        match self.node(node).map(|node| &node.kind) {
            Some(Kind::Of { imports, .. }) => imports,
            _ => &[],
        }
    }

    /// The arguments of an instance.
    pub(super) fn args(&self, node: Node) -> &[(&'a str, Node)] {
        match self.node(node).map(|node| &node.kind) {
            Some(Kind::Of { args, .. }) => args,
            _ => &[],
        }
    }

    /// What an index in the module of an instance means.
    pub(super) fn resolve(&self, node: Node, space: Space, index: u32) -> Option<Entity> {
        match self.module(node)?.import(space, index) {
            Some(import) => self.imports_of(node).get(import).copied(),
            None => Some(Entity::Own(node, space, index)),
        }
    }

    /// The instance, the kind and the name of an export of an unknown module.
    pub(super) fn unknown(&self, number: usize) -> Option<(Node, Space, &'a str)> {
        self.unknown.get(number).copied()
    }

    /// How many exports an instance has, if its module is known.
    fn number_of_exports(&self, node: Node) -> usize {
        match self.node(node).map(|node| &node.kind) {
            Some(Kind::Group(items, _)) => items.len(),
            _ => self.module(node).map_or(0, |module| module.exports.len()),
        }
    }

    /// All exports of an instance, and what they mean. Empty for an instance of an unknown module.
    pub(super) fn exports(&self, node: Node) -> Vec<(&'a str, Space, Entity)> {
        let Some(instance) = self.node(node) else {
            return Vec::new();
        };
        match &instance.kind {
            Kind::Group(items, _) => items.clone(),
            Kind::Of { .. } => {
                let exports = self.module(node).map_or(&[][..], |module| &module.exports);
                let meant = exports.iter().filter_map(|export| {
                    let space = Space::of(export.kind);
                    let entity = self.resolve(node, space, export.index)?;
                    Some((export.name, space, entity))
                });
                meant.collect()
            }
        }
    }

    /// A function type of an instance's module, if it means the same in every module.
    pub(super) fn plain_type(&self, node: Node, ty: u32) -> Option<&wasmparser::FuncType> {
        self.module(node)?.plain_type(ty)
    }

    /// The definition that an entity is, with its module and its place there.
    pub(super) fn own(&self, entity: Entity) -> Option<(&Module<'a>, Space, usize)> {
        let Entity::Own(node, space, index) = entity else {
            return None;
        };
        let module = self.module(node)?;
        Some((module, space, module.definition(space, index)?))
    }
}

/// The memory that an entity is, if its type is known.
pub(super) fn memory_type(graph: &Graph<'_>, entity: Entity) -> Option<wasmparser::MemoryType> {
    let (module, Space::Memory, place) = graph.own(entity)? else {
        return None;
    };
    module.memories.get(place).copied()
}

/// The table that an entity is, if its definition is known.
pub(super) fn table<'g, 'a>(
    graph: &'g Graph<'a>,
    entity: Entity,
) -> Option<&'g wasmparser::Table<'a>> {
    let (module, Space::Table, place) = graph.own(entity)? else {
        return None;
    };
    module.tables.get(place)
}
