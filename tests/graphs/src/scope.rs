//! A component that is being written: its modules, its core instances and what they export.

use super::choices::Choices;
use super::features::Features;
use super::module::{self, Import, Module, Shares};
use super::shim::Shim;
use super::signatures::{Kind, Sig};
use super::visible::Extern;

/// A core item of a component, which instances can get.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its identifier.
    pub id: String,
    /// Its type.
    pub item: Extern,
    /// The shims, as bits, that must be filled before it can be called.
    pub waits: u32,
    /// The instance that exports it, and the name there. `None` for functions of the canonical ABI.
    pub origin: Option<(String, String)>,
    /// Whether a shim has its slots in it.
    pub slots: bool,
}

/// A component function.
#[derive(Clone, Debug)]
pub struct Callable {
    /// Its identifier.
    pub id: String,
    /// Its type.
    pub kind: Kind,
    /// Who has it.
    pub owner: Owner,
}

/// Who has a component function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It is imported.
    Outside,
    /// It is lifted in this component.
    Here,
    /// It is an export of a component inside.
    Inside,
}

/// What all components of a graph share.
pub struct Writer<'a> {
    /// Decisions.
    pub choices: &'a mut Choices,
    /// What the graph may contain.
    pub features: Features,
    next: usize,
}

impl<'a> Writer<'a> {
    /// A writer that has written nothing.
    pub fn new(choices: &'a mut Choices) -> Self {
        let features = Features::new(choices);
        Self {
            choices,
            features,
            next: 0,
        }
    }

    /// A new identifier.
    pub fn id(&mut self, what: &str) -> String {
        self.next += 1;
        format!("${what}{}", self.next)
    }
}

/// A component that is being written.
#[derive(Default)]
pub struct Scope {
    /// Its identifier.
    pub id: String,
    /// The fields until now.
    pub text: String,
    /// Core items.
    pub items: Vec<Item>,
    /// Component functions.
    pub functions: Vec<Callable>,
    /// Modules.
    pub modules: Vec<Module>,
    /// Shims.
    pub shims: Vec<Shim>,
    /// The shims that are filled, as bits.
    pub filled: u32,
    /// The exports that are component functions, with their kinds.
    pub exports: Vec<(String, Kind)>,
    /// The resource type that it defines.
    pub resource: Option<String>,
    /// How many components lie around it.
    pub depth: usize,
}

impl Scope {
    /// Adds a field.
    pub fn line(&mut self, text: &str) {
        self.text += text;
        self.text += "\n";
    }

    /// The items that fit, as places in the list.
    pub fn items_of(&self, fits: impl Fn(&Item) -> bool) -> Vec<usize> {
        let all = self.items.iter().enumerate();
        all.filter(|(_, item)| fits(item))
            .map(|(place, _)| place)
            .collect()
    }

    /// One of the items that fit. A later one is likelier.
    pub fn item(&self, writer: &mut Writer<'_>, fits: impl Fn(&Item) -> bool) -> Option<Item> {
        let places = self.items_of(fits);
        let recent = places.len().min(6);
        let place = match places.is_empty() {
            true => return None,
            false if writer.choices.chance(50) => {
                places[places.len() - 1 - writer.choices.below(recent)]
            }
            false => places[writer.choices.below(places.len())],
        };
        Some(self.items[place].clone())
    }

    /// Adds a new module and an instance of it.
    pub fn new_instance(&mut self, writer: &mut Writer<'_>) {
        let items = self.choose(writer);
        let mut imports = Vec::new();
        for item in &items {
            let import = self.named(writer, item, &imports);
            imports.push((import, item.waits));
        }
        let id = writer.id("m");
        let (choices, features) = (&mut *writer.choices, writer.features);
        // Most modules share one memory and one table. What would have more cannot be merged.
        let of = |sort| move |item: &Item| item.item.sort() == sort && !item.slots;
        let share = |sort, first| match self.items.iter().any(of(sort)) {
            true if features.several => 30,
            true => 6,
            false => first,
        };
        let (memory, table) = (share("memory", 75), share("table", 45));
        let when = (self.filled, Shares { memory, table });
        let (module, text) = module::module(choices, features, &id, imports, when);
        self.line(&text);
        self.instantiate(writer, &module, &items);
        self.modules.push(module);
    }

    /// Chooses what a new module imports.
    fn choose(&mut self, writer: &mut Writer<'_>) -> Vec<Item> {
        let mut chosen: Vec<Item> = Vec::new();
        // A module that changes a shim's slots makes it something else.
        let slots = writer.choices.chance(5);
        for (sort, share, times) in [
            ("memory", 75, 1),
            ("table", 55, 1),
            ("global", 45, 2),
            ("func", 90, 5),
            ("tag", 60, 1),
        ] {
            for round in 0..times {
                let several = round == 0 || writer.features.several || sort == "func";
                if !several || !writer.choices.chance(share) {
                    continue;
                }
                let fits = |item: &Item| item.item.sort() == sort && (slots || !item.slots);
                let item = self.item(writer, fits);
                let new = item.filter(|item| chosen.iter().all(|other| other.id != item.id));
                chosen.extend(new);
            }
        }
        let log = |item: &Item| item.item == Extern::Function(Sig::Log);
        if !chosen.iter().any(log) && writer.choices.chance(60) {
            chosen.extend(self.item(writer, log));
        }
        // With the function that makes handles, those that use them.
        if chosen
            .iter()
            .any(|it| it.item == Extern::Function(Sig::New))
        {
            for sig in [Sig::Rep, Sig::Drop] {
                let item = self.item(writer, |item| item.item == Extern::Function(sig));
                let new = item.filter(|item| chosen.iter().all(|other| other.id != item.id));
                chosen.extend(new);
            }
        }
        chosen
    }

    /// The names of an import: those of the instance that exports the item, or new ones.
    fn named(&self, writer: &mut Writer<'_>, item: &Item, others: &[(Import, u32)]) -> Import {
        let own = item.origin.clone().filter(|_| writer.choices.chance(50));
        let (namespace, name) = own.unwrap_or_else(|| {
            let namespace = writer.choices.pick(&["env", "", "host"]);
            (namespace.to_owned(), writer.id("n").replace('$', ""))
        });
        let import = Import {
            namespace: namespace.trim_start_matches('$').to_owned(),
            name,
            item: item.item,
        };
        let taken = others
            .iter()
            .any(|(other, _)| other.namespace == import.namespace && other.name == import.name);
        match taken {
            true => Import {
                name: writer.id("other").replace('$', ""),
                ..import
            },
            false => import,
        }
    }

    /// Adds an instance of a module with these arguments, and aliases of its exports.
    pub fn instantiate(&mut self, writer: &mut Writer<'_>, module: &Module, items: &[Item]) {
        let mut namespaces: Vec<&str> = Vec::new();
        for import in &module.imports {
            if !namespaces.contains(&import.namespace.as_str()) {
                namespaces.push(&import.namespace);
            }
        }
        let mut arguments = String::new();
        for namespace in namespaces {
            let pairs = module.imports.iter().zip(items);
            let pairs: Vec<_> = pairs.filter(|(it, _)| it.namespace == namespace).collect();
            let whole = pairs.iter().all(|(import, item)| {
                let origin = item.origin.as_ref();
                origin.is_some_and(|(instance, name)| {
                    instance.trim_start_matches('$') == namespace && *name == import.name
                })
            });
            if whole && writer.choices.chance(70) {
                arguments += &format!(" (with \"{namespace}\" (instance ${namespace}))");
                continue;
            }
            let exports = pairs.iter().map(|(import, item)| {
                let (name, sort) = (&import.name, import.item.sort());
                format!(" (export \"{name}\" ({sort} {}))", item.id)
            });
            let exports: String = exports.collect();
            arguments += &format!(" (with \"{namespace}\" (instance{exports}))");
        }
        let id = writer.id("i");
        self.line(&format!(
            "(core instance {id} (instantiate {}{arguments}))",
            module.id
        ));
        let waits = items.iter().fold(0, |all, item| all | item.waits);
        for export in &module.exports {
            let waits = match export.item {
                Extern::Function(Sig::Digest) => export.waits,
                Extern::Function(_) => export.waits | waits,
                _ => 0,
            };
            self.alias(writer, &id, &export.name, export.item, waits);
        }
    }

    /// Makes an export of an instance an item, sometimes through another instance.
    pub fn alias(
        &mut self,
        writer: &mut Writer<'_>,
        instance: &str,
        name: &str,
        item: Extern,
        waits: u32,
    ) -> String {
        let sort = item.sort();
        let id = writer.id("x");
        self.line(&format!(
            "(alias core export {instance} \"{name}\" (core {sort} {id}))"
        ));
        let mut origin = (instance.to_owned(), name.to_owned());
        let mut last = id;
        if writer.choices.chance(7) {
            let (bundle, again) = (writer.id("b"), writer.id("x"));
            let export = format!("(export \"again\" ({sort} {last}))");
            self.line(&format!("(core instance {bundle} {export})"));
            self.line(&format!(
                "(alias core export {bundle} \"again\" (core {sort} {again}))"
            ));
            origin = (bundle, "again".to_owned());
            last = again;
        }
        self.items.push(Item {
            id: last.clone(),
            item,
            waits,
            origin: Some(origin),
            slots: false,
        });
        last
    }

    /// Adds another instance of a module that exists, with items of the same types.
    pub fn instance_again(&mut self, writer: &mut Writer<'_>) {
        if self.modules.is_empty() {
            return;
        }
        let module = self.modules[writer.choices.below(self.modules.len())].clone();
        let items: Option<Vec<Item>> = module
            .imports
            .iter()
            .map(|import| self.item(writer, |item| item.item == import.item))
            .collect();
        if let Some(items) = items {
            self.instantiate(writer, &module, &items);
        }
    }
}
