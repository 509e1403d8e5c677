//! Shims and fixups, as generations of toolchains make them.
//!
//! A shim is instantiated first. Each of its functions calls what a slot holds. A slot is an entry
//! of a table, or a mutable global. A fixup fills the slots when the functions exist that belong
//! there. The shapes are those of `wit-component` 0.254 to 0.263: a table and an element segment;
//! with accessors of a thread's base address; with the program's memory; with globals, which a
//! start function fills, and which begin with a function that traps.

use super::choices::Choices;
use super::features::Features;
use super::module::{Export, Module, types};
use super::signatures::Sig;
use super::visible::{Content, Extern, Limits};

/// Where a shim has its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In a table.
    Table {
        /// Its size, which may be larger than the number of slots.
        limits: Limits,
    },
    /// In globals that are null at first.
    Nullable,
    /// In globals that hold a function that traps at first.
    Stub,
}

/// A shim in a component.
#[derive(Clone, Debug)]
pub struct Shim {
    /// Its bit in the masks of what functions wait for.
    pub bit: u32,
    /// Where the slots are.
    pub form: Form,
    /// The signature of each slot's function.
    pub slots: Vec<Sig>,
    /// The identifiers, in the component, of the table or of the globals.
    pub places: Vec<String>,
    /// Whether a fixup has filled all slots.
    pub filled: bool,
}

/// The name of the exported table.
pub const TABLE: &str = "$imports";

/// Writes the module of a shim with these slots.
pub fn shim(
    choices: &mut Choices,
    features: Features,
    id: &str,
    slots: &[Sig],
    bit: u32,
) -> (Module, Form, String) {
    let form = match features.references && choices.chance(60) {
        true => choices.pick(&[Form::Stub, Form::Nullable]),
        false => {
            let size = slots.len() as u32;
            let min = size + choices.pick(&[0, 0, 0, 2]);
            let max = choices.pick(&[Some(min), Some(min), None]);
            Form::Table {
                limits: Limits { min, max },
            }
        }
    };
    let mut exports = Vec::new();
    let mut text = String::new();
    let mut export = |name: String, item, waits| exports.push(Export { name, item, waits });
    if let Form::Table { limits } = form {
        let table = Extern::Table(limits);
        text += &format!("{}\n", table.declared("$slots"));
        text += &format!("(export \"{TABLE}\" (table $slots))\n");
        export(TABLE.to_owned(), table, 0);
    }
    for (number, sig) in slots.iter().enumerate() {
        let ty = sig.type_name();
        let arguments = (0..sig.params().len()).map(|number| format!("(local.get {number})"));
        let arguments = arguments.collect::<Vec<_>>().join(" ");
        let call = match form {
            Form::Table { .. } => {
                format!("(call_indirect $slots (type {ty}) {arguments} (i32.const {number}))")
            }
            Form::Nullable | Form::Stub => {
                let content = slot_content(form, *sig);
                let (contains, init) = match form {
                    Form::Stub => (content.text(), format!("(ref.func $stub{number})")),
                    _ => (content.text(), format!("(ref.null {ty})")),
                };
                if form == Form::Stub {
                    text += &format!("(func $stub{number} (type {ty}) unreachable)\n");
                }
                text += &format!(
                    "(global $g{number} (export \"g{number}\") (mut {contains}) {init})\n"
                );
                let item = Extern::Global {
                    content,
                    mutable: true,
                };
                export(format!("g{number}"), item, 0);
                format!("(return_call_ref {ty} {arguments} (global.get $g{number}))")
            }
        };
        text += &format!("(func (export \"{number}\") (type {ty}) {call})\n");
        export(number.to_string(), Extern::Function(*sig), bit);
    }
    if choices.chance(15) {
        text += &format!(
            "(global $base (mut i32) (i32.const 0))\n\
             (func (export \"get-base\") (type {}) (global.get $base))\n\
             (func (export \"set-base\") (type {}) (global.set $base (local.get 0)))\n",
            Sig::Give.type_name(),
            Sig::Post.type_name()
        );
        export("get-base".to_owned(), Extern::Function(Sig::Give), 0);
        export("set-base".to_owned(), Extern::Function(Sig::Post), 0);
    }
    if choices.chance(10) {
        let memory = Extern::Memory {
            limits: Limits { min: 1, max: None },
            wide: false,
        };
        text += &format!("{}\n", memory.declared("$memory"));
        text += "(export \"memory\" (memory $memory))\n";
        export("memory".to_owned(), memory, 0);
    }
    let module = Module {
        id: id.to_owned(),
        imports: Vec::new(),
        exports,
    };
    let text = format!("(core module {id}\n{}{text})\n", types(&text));
    (module, form, text)
}

/// The content of the globals of a shim of this form.
pub fn slot_content(form: Form, sig: Sig) -> Content {
    match form {
        Form::Stub => Content::Reference(sig),
        _ => Content::Nullable(sig),
    }
}

/// Writes the module of a fixup. `fills` are the slots with what fills them: a slot's number, and
/// the identifier of a core function in the component. `first` is a function that runs after the
/// slots are filled, with its signature. Returns the text of the module, and of its arguments.
pub fn fixup(
    choices: &mut Choices,
    id: &str,
    shim: &Shim,
    fills: &[(usize, String)],
    first: Option<(&str, Sig)>,
) -> (String, String) {
    let mut text = String::new();
    let mut arguments = String::new();
    let mut import = |name: String, item: Extern, place: &str, local: &str| {
        arguments += &format!(" (export \"{name}\" ({} {place}))", item.sort());
        format!("(import \"\" \"{name}\" {})\n", item.declared(local))
    };
    for (number, function) in fills {
        let item = Extern::Function(shim.slots[*number]);
        text += &import(number.to_string(), item, function, &format!("$f{number}"));
    }
    if let Some((function, sig)) = first {
        text += &import(
            "first".to_owned(),
            Extern::Function(sig),
            function,
            "$first",
        );
    }
    let mut start = String::new();
    match shim.form {
        Form::Table { limits } => {
            let table = Extern::Table(limits);
            text += &import(TABLE.to_owned(), table, &shim.places[0], "$slots");
            let (segments, code) = filled_table(choices, fills);
            text += &segments;
            start += &code;
        }
        form => {
            for (number, _) in fills {
                let item = Extern::Global {
                    content: slot_content(form, shim.slots[*number]),
                    mutable: true,
                };
                let (name, place) = (format!("g{number}"), &shim.places[*number]);
                text += &import(name, item, place, &format!("$g{number}"));
                start += &format!("(global.set $g{number} (ref.func $f{number}))\n");
            }
            let functions = fills.iter().map(|(number, _)| format!("$f{number}"));
            let functions = functions.collect::<Vec<_>>().join(" ");
            text += &format!("(elem declare func {functions})\n");
        }
    }
    if let Some((_, sig)) = first {
        let zeros = sig.params().iter().map(|_| "(i32.const 2)");
        start += &format!("(call $first {})\n", zeros.collect::<Vec<_>>().join(" "));
    }
    if !start.is_empty() {
        text += &format!("(start $start)\n(func $start\n{start})\n");
    }
    let text = format!("(core module {id}\n{}{text})\n", types(&text));
    (text, format!("(with \"\" (instance{arguments}))"))
}

/// Fills entries of a table: by element segments, or by a start function. Returns the segments, and
/// the code of the start function.
fn filled_table(choices: &mut Choices, fills: &[(usize, String)]) -> (String, String) {
    let one_after_the_other = fills
        .iter()
        .enumerate()
        .all(|(place, fill)| place == fill.0);
    let functions = fills.iter().map(|(number, _)| format!("$f{number}"));
    let functions: Vec<String> = functions.collect();
    let all = functions.join(" ");
    let length = fills.len();
    match choices.weighted(&[16, 1, 1, 1]) {
        0 if one_after_the_other => {
            let segment = format!("(elem (table $slots) (i32.const 0) func {all})\n");
            (segment, String::new())
        }
        1 if one_after_the_other => (
            format!("(elem $list func {all})\n"),
            format!("(table.init $slots $list (i32.const 0) (i32.const 0) (i32.const {length}))\n"),
        ),
        2 => {
            let set = |(number, _): &(usize, String)| {
                format!("(table.set $slots (i32.const {number}) (ref.func $f{number}))\n")
            };
            let code = fills.iter().map(set).collect();
            (format!("(elem declare func {all})\n"), code)
        }
        _ => {
            let segment = |(number, _): &(usize, String)| {
                format!("(elem (table $slots) (i32.const {number}) func $f{number})\n")
            };
            (fills.iter().map(segment).collect(), String::new())
        }
    }
}
