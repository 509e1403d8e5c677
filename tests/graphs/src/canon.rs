//! Functions of the canonical ABI in generated components: lowered, lifted, and about resources.

use super::scope::{Callable, Item, Owner, Scope, Writer};
use super::signatures::{Kind, Sig};
use super::visible::Extern;

impl Scope {
    /// The options of a lowered or lifted function, if the items for them exist.
    fn options(&self, writer: &mut Writer<'_>, needs: Needs) -> Option<String> {
        let mut text = String::new();
        if needs.encoding && writer.features.encodings {
            text += writer.choices.pick(&[
                "",
                " string-encoding=utf16",
                " string-encoding=latin1+utf16",
            ]);
        }
        let mut owner = None;
        if needs.memory {
            let memory = self.item(writer, |item| {
                matches!(item.item, Extern::Memory { wide: false, .. })
            })?;
            text += &format!(" (memory {})", memory.id);
            owner = memory.origin.map(|(instance, _)| instance);
        }
        if needs.realloc {
            let of = |item: &Item| item.item == Extern::Function(Sig::Realloc);
            let same = |item: &Item| {
                let origin = item.origin.as_ref().map(|(instance, _)| instance);
                of(item) && origin == owner.as_ref()
            };
            let realloc = match writer.choices.chance(90) {
                true => self.item(writer, same).or_else(|| self.item(writer, of)),
                false => self.item(writer, of),
            }?;
            text += &format!(" (realloc (core func {}))", realloc.id);
        }
        // Without a memory, there is little to release.
        let share = if needs.memory { 50 } else { 8 };
        if needs.post && writer.choices.chance(share) {
            let post = self.item(writer, |item| item.item == Extern::Function(Sig::Post));
            if let Some(post) = post {
                text += &format!(" (post-return (core func {}))", post.id);
            }
        }
        Some(text)
    }

    /// Lowers a component function. Returns the core function, if its options exist.
    pub fn lower(&mut self, writer: &mut Writer<'_>, function: &Callable) -> Option<String> {
        let kind = function.kind;
        let needs = Needs {
            memory: kind.lowers_with_memory(),
            realloc: kind.lowers_with_realloc(),
            encoding: kind.has_string(),
            post: false,
        };
        let options = self.options(writer, needs)?;
        let id = writer.id("l");
        let of = &function.id;
        self.line(&format!(
            "(core func {id} (canon lower (func {of}){options}))"
        ));
        self.items.push(Item {
            id: id.clone(),
            item: Extern::Function(kind.lowered()),
            waits: 0,
            origin: None,
            slots: false,
        });
        Some(id)
    }

    /// Lowers one of the functions.
    pub fn lower_any(&mut self, writer: &mut Writer<'_>) {
        // A component that calls itself traps.
        let itself = writer.choices.chance(3);
        let functions = self.functions.iter();
        let functions: Vec<Callable> = functions
            .filter(|function| itself || function.owner != Owner::Here)
            .cloned()
            .collect();
        if !functions.is_empty() {
            let function = &functions[writer.choices.below(functions.len())];
            self.lower(writer, function);
        }
    }

    /// Lowers a function from outside that has this signature then.
    pub fn lowered_as(&mut self, writer: &mut Writer<'_>, sig: Sig) -> Option<String> {
        let functions = self.functions.iter();
        let functions: Vec<Callable> = functions
            .filter(|function| function.owner != Owner::Here && function.kind.lowered() == sig)
            .cloned()
            .collect();
        let function = match functions.is_empty() {
            true => return None,
            false => &functions[writer.choices.below(functions.len())],
        };
        self.lower(writer, function)
    }

    /// Lifts an item, if it can be lifted.
    pub fn lift(&mut self, writer: &mut Writer<'_>, item: &Item) {
        let Extern::Function(sig) = item.item else {
            return;
        };
        let kinds = Kind::of_lifted(sig);
        if kinds.is_empty() {
            return;
        }
        let kind = writer.choices.pick(kinds);
        let needs = Needs {
            memory: kind.lifts_with_memory(),
            realloc: kind.lifts_with_realloc(),
            encoding: kind.has_string(),
            post: kind.lifts_with_post(),
        };
        let Some(options) = self.options(writer, needs) else {
            return;
        };
        let id = writer.id("f");
        let (ty, core) = (kind.ty(), &item.id);
        self.line(&format!(
            "(func {id} {ty} (canon lift (core func {core}){options}))"
        ));
        self.functions.push(Callable {
            id,
            kind,
            owner: Owner::Here,
        });
    }

    /// Lifts any item.
    pub fn lift_any(&mut self, writer: &mut Writer<'_>) {
        let liftable = |item: &Item| match item.item {
            Extern::Function(sig) => sig != Sig::Digest && !Kind::of_lifted(sig).is_empty(),
            _ => false,
        };
        if let Some(item) = self.item(writer, liftable) {
            self.lift(writer, &item);
        }
    }

    /// Defines a resource type, with its functions.
    pub fn define_resource(&mut self, writer: &mut Writer<'_>) {
        if self.resource.is_some() || self.depth > 0 {
            return;
        }
        let id = writer.id("r");
        let destructor = match writer.choices.chance(80) {
            true => self.item(writer, |item| item.item == Extern::Function(Sig::Post)),
            false => None,
        };
        let destructor = match destructor {
            Some(item) => format!(" (dtor (core func {}))", item.id),
            None => String::new(),
        };
        self.line(&format!("(type {id} (resource (rep i32){destructor}))"));
        for (name, sig) in [("new", Sig::New), ("rep", Sig::Rep), ("drop", Sig::Drop)] {
            let function = writer.id(name);
            self.line(&format!(
                "(core func {function} (canon resource.{name} {id}))"
            ));
            self.items.push(Item {
                id: function,
                item: Extern::Function(sig),
                waits: 0,
                origin: None,
                slots: false,
            });
        }
        self.resource = Some(id);
    }

    /// Exports the resource type, with functions that make and look at resources.
    pub fn export_resource(&mut self, writer: &mut Writer<'_>) {
        let Some(id) = self.resource.clone() else {
            return;
        };
        let exported = writer.id("r");
        self.line(&format!("(export {exported} \"thing\" (type {id}))"));
        let make = self.item(writer, |item| item.item == Extern::Function(Sig::Make));
        if let Some(make) = make {
            self.line(&format!(
                "(func $make (param \"x\" u32) (result (own {exported})) \
                 (canon lift (core func {})))\n(export \"make\" (func $make))",
                make.id
            ));
        }
        let look = self.item(writer, |item| item.item == Extern::Function(Sig::Plain));
        if let Some(look) = look {
            self.line(&format!(
                "(func $look (param \"self\" (borrow {exported})) (param \"x\" u32) (result u32) \
                 (canon lift (core func {})))\n(export \"look\" (func $look))",
                look.id
            ));
        }
    }

    /// Lifts every digest.
    pub fn lift_digests(&mut self, writer: &mut Writer<'_>) {
        for place in self.items_of(|item| item.item == Extern::Function(Sig::Digest)) {
            let item = self.items[place].clone();
            self.lift(writer, &item);
        }
    }

    /// Exports most functions.
    pub fn export(&mut self, writer: &mut Writer<'_>) {
        for function in self.functions.clone() {
            let share = match (function.owner, function.kind) {
                // The engine cannot export what is imported.
                (Owner::Outside, _) => continue,
                (_, Kind::Digest) => 100,
                _ => 85,
            };
            if !writer.choices.chance(share) {
                continue;
            }
            let name = writer.id(&function.kind.name()).replace('$', "");
            self.line(&format!("(export \"{name}\" (func {}))", function.id));
            self.exports.push((name, function.kind));
        }
    }
}

/// What a function of the canonical ABI needs.
#[derive(Clone, Copy)]
struct Needs {
    memory: bool,
    realloc: bool,
    encoding: bool,
    post: bool,
}
