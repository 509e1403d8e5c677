//! Core modules of generated components.
//!
//! A module gets its imports, and defines memories, tables, globals, segments and functions of its
//! own, and sometimes a start function.

use super::body::{self, ANY, Limits as BodyLimits, Written};
use super::choices::Choices;
use super::features::Features;
use super::segments;
use super::signatures::{ALL, DEEP, Sig};
use super::visible::{Content, Extern, Limits, Number, Visible};

/// An import of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The first name.
    pub namespace: String,
    /// The second name.
    pub name: String,
    /// The type.
    pub item: Extern,
}

/// An export of a module.
#[derive(Clone, Debug)]
pub struct Export {
    /// The name.
    pub name: String,
    /// The type.
    pub item: Extern,
    /// The shims, as bits, that must be filled before it can be called.
    pub waits: u32,
}

/// A module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its identifier in the component.
    pub id: String,
    /// Its imports.
    pub imports: Vec<Import>,
    /// Its exports.
    pub exports: Vec<Export>,
}

/// How many of 100 modules define memories and tables if they import none.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// A memory.
    pub memory: usize,
    /// A table.
    pub table: usize,
}

/// A module that is being written.
struct Making<'a> {
    choices: &'a mut Choices,
    features: Features,
    seen: Visible,
    exports: Vec<Export>,
    text: String,
}

/// Writes a module with these imports, each with the shims for which it waits. `filled` are the
/// shims that will be filled when the module is instantiated, and `shares` says how often it has
/// its own memory and table. Returns also its text.
pub fn module(
    choices: &mut Choices,
    features: Features,
    id: &str,
    imports: Vec<(Import, u32)>,
    (filled, shares): (u32, Shares),
) -> (Module, String) {
    let mut making = Making {
        choices,
        features,
        seen: Visible::default(),
        exports: Vec::new(),
        text: String::new(),
    };
    let mut again = Vec::new();
    for (number, (import, waits)) in imports.iter().enumerate() {
        let id = format!("${}{number}", import.item.sort());
        making.seen.add(&id, import.item, *waits);
        let declared = import.item.declared(&id);
        let (namespace, name) = (&import.namespace, &import.name);
        making.line(&format!("(import \"{namespace}\" \"{name}\" {declared})"));
        if making.choices.chance(8) {
            again.push((id, import.item, *waits));
        }
    }
    for (id, item, waits) in again {
        making.export_again(&id, item, waits);
    }
    making.memories(shares.memory);
    making.tables(shares.table);
    making.globals();
    making.tag();
    making.functions(filled);
    let text = format!(
        "(core module {id}\n{}{})\n",
        types(&making.text),
        making.text
    );
    let module = Module {
        id: id.to_owned(),
        imports: imports.into_iter().map(|(import, _)| import).collect(),
        exports: making.exports,
    };
    (module, text)
}

/// The definitions of the types that a module's text names.
pub fn types(text: &str) -> String {
    let named = |sig: &&Sig| {
        let name = sig.type_name();
        let ends = |rest: &str| rest.starts_with([')', ' ']);
        text.match_indices(&name)
            .any(|(place, _)| ends(&text[place + name.len()..]))
    };
    let types = ALL.iter().filter(named);
    types.map(|sig| sig.type_definition() + "\n").collect()
}

impl Making<'_> {
    fn line(&mut self, text: &str) {
        self.text += text;
        self.text += "\n";
    }

    /// Defines an item, and exports it in `share` of 100 cases.
    fn define(&mut self, id: &str, item: Extern, share: usize, definition: &str) {
        if self.choices.chance(share) {
            let name = id.trim_start_matches('$').to_owned();
            self.line(&format!("(export \"{name}\" ({} {id}))", item.sort()));
            self.exports.push(Export {
                name,
                item,
                waits: 0,
            });
        }
        self.line(definition);
        self.seen.add(id, item, 0);
    }

    /// Exports an imported item.
    fn export_again(&mut self, id: &str, item: Extern, waits: u32) {
        let name = id.trim_start_matches('$').to_owned();
        self.line(&format!("(export \"{name}\" ({} {id}))", item.sort()));
        self.exports.push(Export { name, item, waits });
    }

    fn memories(&mut self, share: usize) {
        let here = self.seen.memories.len();
        let wanted = match here {
            0 => usize::from(self.choices.chance(share)),
            _ => usize::from(self.features.several && self.choices.chance(40)),
        };
        for number in 0..wanted {
            let wide = self.features.wide && self.choices.chance(60);
            let min = self.choices.pick(&[1, 1, 1, 2]);
            let max = self.choices.pick(&[Some(3), None, Some(min), Some(6)]);
            let limits = Limits { min, max };
            let item = Extern::Memory { limits, wide };
            let id = format!("$memory-{number}");
            let text = item.declared(&id);
            self.define(&id, item, 85, &text);
        }
    }

    fn tables(&mut self, share: usize) {
        let wanted = match self.seen.tables.len() {
            0 => usize::from(self.choices.chance(share)),
            _ => usize::from(self.features.several && self.choices.chance(40)),
        };
        for number in 0..wanted {
            let min = self.choices.pick(&[4, 1, 9]);
            let max = self.choices.pick(&[None, Some(min), Some(min + 2)]);
            let item = Extern::Table(Limits { min, max });
            let id = format!("$table-{number}");
            let text = item.declared(&id);
            self.define(&id, item, 75, &text);
        }
    }

    fn globals(&mut self) {
        for number in 0..self.choices.below(4) {
            let content = Content::Number(self.choices.pick(&[Number::I32, Number::I64]));
            let mutable = self.choices.chance(60);
            let item = Extern::Global { content, mutable };
            let id = format!("$global-{number}");
            let constants = self.seen.globals_of(content, Some(false));
            let init = match constants.is_empty() || self.choices.chance(60) {
                true => {
                    let number = self.choices.below(40);
                    format!("({}.const {number})", content.text())
                }
                false => {
                    let global = constants[self.choices.below(constants.len())];
                    format!("(global.get {})", self.seen.globals[global].id)
                }
            };
            let ty = content.text();
            let text = match mutable {
                true => format!("(global {id} (mut {ty}) {init})"),
                false => format!("(global {id} {ty} {init})"),
            };
            self.define(&id, item, 65, &text);
        }
        if self.features.references && self.choices.chance(50) {
            let content = Content::Nullable(self.choices.pick(&[Sig::Plain, Sig::Wide]));
            let item = Extern::Global {
                content,
                mutable: true,
            };
            let id = "$reference";
            let ty = content.text();
            let heap = ty.trim_start_matches("(ref null ").trim_end_matches(')');
            let text = format!("(global {id} (mut {ty}) (ref.null {heap}))");
            self.define(id, item, 70, &text);
        }
    }

    fn tag(&mut self) {
        if self.features.exceptions && self.seen.tags.is_empty() && self.choices.chance(60) {
            let text = Extern::Tag.declared("$tag-0");
            self.define("$tag-0", Extern::Tag, 90, &text);
        }
    }

    /// The signatures of the functions that this module defines.
    fn signatures(&mut self) -> Vec<Sig> {
        let mut signatures = Vec::new();
        for _ in 0..self.choices.pick(&[1, 2, 3]) {
            let sig = DEEP[self.choices.weighted(&[8, 3, 3, 2, 2, 1, 1])];
            let allowed = sig != Sig::Grouped || self.features.groups;
            signatures.push(if allowed { sig } else { Sig::Plain });
        }
        if self.seen.narrow_memory().is_some() {
            for (sig, share) in [
                (Sig::Realloc, 70),
                (Sig::Say, 25),
                (Sig::Text, 15),
                (Sig::Give, 15),
                (Sig::Spill, 15),
            ] {
                if self.choices.chance(share) {
                    signatures.push(sig);
                }
            }
        }
        if self.choices.chance(20) {
            signatures.push(Sig::Post);
        }
        let makes = self.seen.functions.iter().any(|one| one.sig == Sig::New);
        if makes && self.choices.chance(80) {
            signatures.push(Sig::Make);
        }
        signatures
    }

    fn functions(&mut self, filled: u32) {
        let mut functions: Vec<(String, Sig)> = Vec::new();
        for (number, sig) in self.signatures().into_iter().enumerate() {
            let id = format!("${}{number}", format!("{sig:?}").to_lowercase());
            self.seen.add(&id, Extern::Function(sig), 0);
            functions.push((id, sig));
        }
        let segments = segments::segments(self.choices, self.features, &mut self.seen);
        let risk = self.choices.pick(&[0, self.features.risk]);
        let limits = BodyLimits {
            filled: ANY,
            risk,
            references: self.features.references,
        };
        let mut written: Vec<(String, Written)> = Vec::new();
        for (id, sig) in functions {
            let exported = self.choices.chance(85);
            let name = id.trim_start_matches('$').to_owned();
            let export = match exported {
                true => format!("(export \"{name}\")"),
                false => String::new(),
            };
            let one = self.function(limits, (&id, sig), &export);
            if exported {
                let item = Extern::Function(sig);
                self.exports.push(Export {
                    name,
                    item,
                    waits: 0,
                });
            }
            written.push((id, one));
        }
        self.settle(&written);
        let start = self.choices.chance(35).then(|| {
            let limits = BodyLimits {
                filled,
                risk: self.choices.pick(&[0, 0, 0, self.features.risk]),
                ..limits
            };
            self.text += "(start $start)\n";
            let head = ("$start", None);
            body::function(self.choices, &self.seen, limits, head, "", ("", ""))
        });
        written.extend(start.map(|start| ("$start".to_owned(), start)));
        let (mut text, mut referred) = (String::new(), Vec::new());
        for (_, one) in &written {
            text += &one.text;
            referred.extend(one.referred.iter().cloned());
        }
        self.text += &segments::declared(&segments, referred);
        self.text += &segments.text;
        self.text += &text;
        self.digest();
    }

    fn function(&mut self, limits: BodyLimits, head: (&str, Sig), export: &str) -> Written {
        let (id, sig) = head;
        let seen = &self.seen;
        if sig == Sig::Realloc {
            let memory = seen.narrow_memory().unwrap_or_default();
            return Written {
                text: realloc(id, export, memory, self.choices),
                ..Written::default()
            };
        }
        let make = seen.functions.iter().find(|one| one.sig == Sig::New);
        if let (Sig::Make, Some(new)) = (sig, make) {
            let ty = sig.type_name();
            return Written {
                text: format!(
                    "(func {id} {export} (type {ty}) (param $x i32) (result i32)\n  \
                     (call {} (local.get $x)))\n",
                    new.id
                ),
                called: vec![new.id.clone()],
                ..Written::default()
            };
        }
        let head = (id, Some(sig));
        body::function(self.choices, seen, limits, head, export, ("", ""))
    }

    /// Finds for which shims each function waits, through the functions that it calls.
    fn settle(&mut self, written: &[(String, Written)]) {
        for _ in 0..written.len() {
            for (id, one) in written {
                let called = one.called.iter().map(|called| self.seen.waits(called));
                let waits = called.fold(0, |all, waits| all | waits);
                for function in self.seen.functions.iter_mut().filter(|it| it.id == *id) {
                    function.waits |= waits;
                }
            }
        }
        for export in &mut self.exports {
            export.waits = self.seen.waits(&format!("${}", export.name));
        }
    }

    /// A function that reads everything that calls can change.
    fn digest(&mut self) {
        if !self.choices.chance(65) {
            return;
        }
        let text = super::digest::digest("$digest", &self.seen);
        self.line(&text);
        self.exports.push(Export {
            name: "digest".to_owned(),
            item: Extern::Function(Sig::Digest),
            waits: 0,
        });
    }
}

/// An allocator that never frees. It grows the memory if that is full.
fn realloc(id: &str, export: &str, memory: &str, choices: &mut Choices) -> String {
    let begin = choices.pick(&[32768, 40000, 65500]);
    let ty = Sig::Realloc.type_name();
    format!(
        "(global $next (mut i32) (i32.const {begin}))
(func {id} {export} (type {ty}) (param $old i32) (param $was i32) (param $align i32)
  (param $size i32) (result i32) (local $new i32)
  (local.set $new (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (global.set $next (i32.add (local.get $new) (local.get $size)))
  (block $fits
    (br_if $fits (i32.le_u (global.get $next)
      (i32.shl (memory.size {memory}) (i32.const 16))))
    (br_if $fits (i32.ne (memory.grow {memory} (i32.const 1)) (i32.const -1)))
    unreachable)
  (memory.copy {memory} {memory} (local.get $new) (local.get $old) (local.get $was))
  (local.get $new))
"
    )
}
