//! Shims and fixups in a component that is being written.

use super::module::{Export, Module, types};
use super::scope::{Item, Owner, Scope, Writer};
use super::shim::{self, Form, Shim};
use super::signatures::{DEEP, Sig};
use super::visible::Extern;

impl Scope {
    /// Adds a shim, whose slots are filled later.
    pub fn new_shim(&mut self, writer: &mut Writer<'_>) {
        if self.shims.len() >= 4 {
            return;
        }
        let mut sigs = DEEP[..5].to_vec();
        sigs.extend([Sig::Post, Sig::Text, Sig::Realloc]);
        let outside = self.functions.iter();
        let outside = outside.filter(|function| function.owner == Owner::Outside);
        // Mostly for what needs a memory that does not exist yet.
        let lowered: Vec<Sig> = outside.map(|it| it.kind.lowered()).collect();
        let mut slots = Vec::new();
        for _ in 0..writer.choices.pick(&[2, 1, 3, 5]) {
            slots.push(match lowered.is_empty() || writer.choices.chance(35) {
                true => writer.choices.pick(&sigs),
                false => writer.choices.pick(&lowered),
            });
        }
        let bit = 1 << self.shims.len();
        let id = writer.id("m");
        let (choices, features) = (&mut *writer.choices, writer.features);
        let (module, form, text) = shim::shim(choices, features, &id, &slots, bit);
        self.line(&text);
        let before = self.items.len();
        self.instantiate(writer, &module, &[]);
        for item in &mut self.items[before..] {
            item.slots = matches!(item.item, Extern::Table(_) | Extern::Global { .. });
        }
        let made = &self.items[before..];
        let exports = module.exports.iter().zip(made);
        let place = |wanted: &str| {
            let mut found = exports.clone().filter(|(export, _)| export.name == wanted);
            found.next().map(|(_, item)| item.id.clone())
        };
        let places = match form {
            Form::Table { .. } => place(shim::TABLE).into_iter().collect(),
            _ => (0..slots.len())
                .filter_map(|number| place(&format!("g{number}")))
                .collect(),
        };
        self.shims.push(Shim {
            bit,
            form,
            slots,
            places,
            filled: false,
        });
    }

    /// Fills the slots of a shim, with functions that do not wait for it.
    pub fn fix(&mut self, writer: &mut Writer<'_>, place: usize) {
        let shim = self.shims[place].clone();
        let mut fills = Vec::new();
        for (number, sig) in shim.slots.iter().enumerate() {
            if writer.choices.chance(2) {
                continue;
            }
            // No slot forwards to itself, through other shims either: such a call would never end.
            let (wanted, filled) = (Extern::Function(*sig), self.filled);
            let fits = |item: &Item| {
                let ready = match shim.filled {
                    true => item.waits == 0,
                    false => item.waits & !filled == 0,
                };
                item.item == wanted && ready
            };
            let found = match self.items_of(fits).is_empty() || writer.choices.chance(40) {
                true => self.lowered_as(writer, *sig),
                false => None,
            };
            let found = found.or_else(|| self.item(writer, fits).map(|item| item.id));
            let found = found.or_else(|| self.provider(writer, *sig));
            fills.extend(found.map(|function| (number, function)));
        }
        let waits = self.filled | shim.bit;
        let first = match writer.choices.chance(25) {
            true => self.item(writer, |item| {
                item.item == Extern::Function(Sig::Void) && item.waits & !waits == 0
            }),
            false => None,
        };
        let all = fills.len() == shim.slots.len();
        let first = first.filter(|_| all);
        let first = first.as_ref().map(|item| (item.id.as_str(), Sig::Void));
        let id = writer.id("m");
        let (module, arguments) = shim::fixup(writer.choices, &id, &shim, &fills, first);
        self.line(&module);
        let instance = writer.id("i");
        self.line(&format!(
            "(core instance {instance} (instantiate {id} {arguments}))"
        ));
        self.shims[place].filled = true;
        if all {
            self.filled |= shim.bit;
        }
    }

    /// Adds a module with a function of this signature, which does nothing, and an instance.
    fn provider(&mut self, writer: &mut Writer<'_>, sig: Sig) -> Option<String> {
        if !sig.is_of_modules() || !writer.choices.chance(85) {
            return None;
        }
        let ty = sig.type_name();
        let results = sig.results().iter().map(|ty| format!("({ty}.const 7)"));
        let results = results.collect::<Vec<_>>().join(" ");
        let function = format!("(func (export \"f\") (type {ty}) {results})\n");
        let id = writer.id("m");
        let module = Module {
            id: id.clone(),
            imports: Vec::new(),
            exports: vec![Export {
                name: "f".to_owned(),
                item: Extern::Function(sig),
                waits: 0,
            }],
        };
        self.line(&format!(
            "(core module {id}\n{}{function})",
            types(&function)
        ));
        self.instantiate(writer, &module, &[]);
        self.items.last().map(|item| item.id.clone())
    }
}
