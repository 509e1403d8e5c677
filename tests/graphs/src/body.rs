//! Function bodies of generated modules.
//!
//! A body computes with two local variables, `$a` of 32 and `$b` of 64 bits. Everything that it
//! reads or that a call returns goes into them, and they determine the result. Calls reduce the
//! depth `$d`, and there are no calls in loops, so every call ends.

use super::call;
use super::choices::Choices;
use super::signatures::{DEEP, Sig};
use super::visible::{Content, Function, Number, Slot, Visible};

/// What a body may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The shims, as bits, that are filled. A call of a function that waits for another one traps.
    pub filled: u32,
    /// How many of 100 accesses may trap.
    pub risk: usize,
    /// Whether it may use references to functions.
    pub references: bool,
}

/// A function as text, and what must be known of it.
#[derive(Debug, Default)]
pub struct Written {
    /// The function.
    pub text: String,
    /// The functions that it calls.
    pub called: Vec<String>,
    /// The functions to which it refers by `ref.func`.
    pub referred: Vec<String>,
}

/// A body that is being written.
pub struct Body<'a> {
    /// Decisions.
    pub choices: &'a mut Choices,
    /// What it can name.
    pub seen: &'a Visible,
    limits: Limits,
    /// The function until now.
    pub written: Written,
    /// The rank of the function: see [`Sig::rank`].
    rank: usize,
    /// Whether it is in a loop.
    loops: bool,
    /// The number of calls that it may still make.
    calls: usize,
}

/// Writes a function. `exported` are its exports. `before` and `after` are text at the start and
/// before the result.
pub fn function(
    choices: &mut Choices,
    seen: &Visible,
    limits: Limits,
    (id, sig): (&str, Option<Sig>),
    exported: &str,
    (before, after): (&str, &str),
) -> Written {
    let mut body = Body {
        choices,
        seen,
        limits,
        written: Written::default(),
        rank: sig.map_or(START, Sig::rank),
        loops: false,
        calls: 3,
    };
    let params = sig.map_or(&[][..], Sig::params);
    let mut head = format!("(func {id} {exported}");
    if let Some(sig) = sig {
        head += &format!(" (type {})", sig.type_name());
    }
    for (name, ty) in params {
        head += &format!(" (param {name} {ty})");
    }
    if let Some(sig) = sig.filter(|sig| !sig.results().is_empty()) {
        head += &format!(" (result {})", sig.results().join(" "));
    }
    for (name, ty) in [
        ("$d", "i32"),
        ("$x", "i32"),
        ("$p", "i32"),
        ("$n", "i32"),
        ("$w", "i64"),
    ] {
        if params.iter().all(|(param, _)| *param != name) {
            head += &format!(" (local {name} {ty})");
        }
    }
    head += " (local $a i32) (local $b i64) (local $t i32) (local $u i32)\n";
    body.begin(sig, before);
    let statements = body.choices.pick(&[1, 2, 4, 7]);
    for _ in 0..statements {
        body.statement(0);
    }
    body.push(after);
    body.end(sig);
    let mut written = body.written;
    written.text = format!("{head}{})\n", written.text);
    written
}

impl Body<'_> {
    fn push(&mut self, text: &str) {
        if !text.is_empty() {
            self.written.text += &format!("  {text}\n");
        }
    }

    /// True as often as something may trap.
    pub fn risky(&mut self) -> bool {
        let risk = self.limits.risk;
        self.choices.chance(risk)
    }

    /// A number for messages and arguments.
    pub fn small(&mut self) -> usize {
        self.choices.below(100)
    }

    fn begin(&mut self, sig: Option<Sig>, before: &str) {
        let seed = self.small();
        self.push(&format!("(local.set $a (i32.const {seed}))"));
        match sig {
            Some(sig) if sig.is_deep() => {
                self.push("(local.set $d (i32.and (local.get $d) (i32.const 3)))");
                let early = result(sig);
                self.push(&format!(
                    "(if (i32.eqz (local.get $d)) (then {early} return))"
                ));
            }
            _ => self.push("(local.set $d (i32.const 2))"),
        }
        self.push("(local.set $a (i32.add (local.get $a) (local.get $x)))");
        self.push("(local.set $b (i64.extend_i32_u (local.get $x)))");
        self.push(before);
        match sig {
            Some(Sig::Text | Sig::Say | Sig::Spill) => {
                if let Some(memory) = self.seen.narrow_memory() {
                    self.push(&call::reading(memory));
                }
            }
            Some(Sig::Wide) => self.push("(local.set $b (i64.add (local.get $b) (local.get $w)))"),
            Some(Sig::Float) => self.push(
                "(local.set $b (i64.add (local.get $b) (i64.trunc_sat_f64_s (local.get $f))))",
            ),
            _ => {}
        }
    }

    /// The result, from `$a` and `$b`. Sometimes a tail call computes it.
    fn end(&mut self, sig: Option<Sig>) {
        let Some(sig) = sig else { return };
        if sig == Sig::Say || sig == Sig::Give {
            let place = self.place();
            let memory = self.seen.narrow_memory().unwrap_or_default().to_owned();
            let (first, second) = match sig {
                Sig::Say => ("(local.get $p)", "(local.get $n)"),
                _ => ("(local.get $a)", "(i32.wrap_i64 (local.get $b))"),
            };
            if !memory.is_empty() {
                let (at, next) = (place, place + 4);
                self.push(&format!(
                    "(i32.store {memory} (i32.const {at}) {first}) \
                     (i32.store {memory} (i32.const {next}) {second})"
                ));
            }
            return self.push(&format!("(i32.const {place})"));
        }
        if sig.is_deep() && self.choices.chance(12) {
            let same = self.callable(|function| function.sig == sig);
            if let Some(function) = same {
                let arguments = self.arguments(sig);
                return self.push(&format!("(return_call {} {arguments})", function.id));
            }
        }
        self.push(result(sig));
    }

    /// A function that fits and may be called now.
    pub fn callable(&mut self, fits: impl Fn(&Function) -> bool) -> Option<Function> {
        let too_early = self.risky();
        let (filled, rank) = (self.limits.filled, self.rank);
        let can = |function: &&Function| {
            let below = function.sig.rank() < rank || (function.sig.is_deep() && rank == DEEP_RANK);
            below && fits(function) && (too_early || function.waits & !filled == 0)
        };
        let functions: Vec<&Function> = self.seen.functions.iter().filter(can).collect();
        if functions.is_empty() || self.calls == 0 || self.loops {
            return None;
        }
        self.calls -= 1;
        let function = functions[self.choices.below(functions.len())].clone();
        self.written.called.push(function.id.clone());
        Some(function)
    }

    fn statement(&mut self, level: usize) {
        let nested = if level > 1 { 0 } else { 2 };
        match self
            .choices
            .weighted(&[3, 10, 3, 3, 3, 3, nested, nested, 1])
        {
            0 => {
                let (value, wide) = (self.value(0), self.wide_value());
                self.push(&format!("(local.set $a {value}) (local.set $b {wide})"));
            }
            1 => self.call(),
            2 => self.store(),
            3 => self.set_global(),
            4 => super::bulk::table(self),
            5 => super::bulk::memory(self),
            6 => {
                let condition = self.value(1);
                self.push(&format!("(if {condition} (then"));
                self.statement(level + 1);
                self.push(")(else");
                self.statement(level + 1);
                self.push("))");
            }
            7 if !self.loops => {
                self.loops = true;
                self.push("(local.set $u (i32.const 3)) (loop $again");
                self.statement(level + 1);
                self.push("(br_if $again (local.tee $u (i32.sub (local.get $u) (i32.const 1)))))");
                self.loops = false;
            }
            _ => {
                if self.risky() {
                    let condition = self.value(1);
                    let trap = self.choices.pick(&[
                        "unreachable",
                        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
                        "(drop (i32.trunc_f64_s (f64.const 1e30)))",
                    ]);
                    let trap = match self.seen.tags.first() {
                        Some(tag) => format!("(throw {tag} (local.get $a))"),
                        None => trap.to_owned(),
                    };
                    self.push(&format!("(if {condition} (then {trap}))"));
                }
            }
        }
    }

    fn call(&mut self) {
        let indirect = self.choices.chance(30);
        if indirect && !self.loops && self.calls > 0 && self.rank >= DEEP_RANK {
            return self.call_indirect();
        }
        if self.limits.references
            && self.rank >= DEEP_RANK
            && self.choices.chance(20)
            && self.call_by_reference()
        {
            return;
        }
        // The host sees the order of these calls.
        let log = self.choices.chance(35);
        let log = log.then(|| self.callable(|function| function.sig == Sig::Log));
        let Some(function) = log.flatten().or_else(|| self.callable(|_| true)) else {
            return;
        };
        let text = call::call(self, &function);
        self.push(&text);
    }

    /// A call through a table: of a slot that this module fills, or of any if it may trap.
    fn call_indirect(&mut self) {
        let (filled, seen) = (self.limits.filled, self.seen);
        let slots: Vec<&Slot> = seen
            .slots
            .iter()
            .filter(|slot| seen.waits(&slot.function) & !filled == 0)
            .collect();
        let (table, sig, index) = if self.risky() && !seen.tables.is_empty() {
            let (table, size) = self.table();
            (table, self.choices.pick(&DEEP), self.index(size))
        } else if !slots.is_empty() {
            let slot = slots[self.choices.below(slots.len())];
            self.written.called.push(slot.function.clone());
            (
                slot.table.clone(),
                slot.sig,
                format!("(i32.const {})", slot.index),
            )
        } else {
            return;
        };
        self.calls -= 1;
        let arguments = self.arguments(sig);
        let head = format!("call_indirect {table} (type {})", sig.type_name());
        let text = call::used(sig, &format!("({head} {arguments} {index})"));
        self.push(&text);
    }

    fn call_by_reference(&mut self) -> bool {
        let globals = self.seen.globals.iter();
        let sig = |content| match content {
            Content::Number(_) => None,
            Content::Nullable(sig) | Content::Reference(sig) => Some(sig),
        };
        let globals: Vec<(String, Sig)> = globals
            .filter_map(|global| Some((global.id.clone(), sig(global.content)?)))
            .filter(|(_, sig)| sig.is_deep())
            .collect();
        if globals.is_empty() || self.loops || self.calls == 0 || self.limits.filled != ANY {
            return false;
        }
        self.calls -= 1;
        let (global, sig) = globals[self.choices.below(globals.len())].clone();
        let arguments = self.arguments(sig);
        let called = format!(
            "(call_ref {} {arguments} (global.get {global}))",
            sig.type_name()
        );
        let text = call::used(sig, &called);
        self.push(&text);
        true
    }

    fn store(&mut self) {
        if self.seen.memories.is_empty() {
            return;
        }
        let (memory, wide) = self.memory();
        let operator = self.choices.pick(&["i32.store", "i32.store8", "i64.store"]);
        let address = self.address(wide, 1);
        let value = match operator {
            "i64.store" => self.wide_value(),
            _ => self.value(1),
        };
        self.push(&format!("({operator} {memory} {address} {value})"));
    }

    fn set_global(&mut self) {
        if self.limits.references && self.choices.chance(30) {
            return self.set_reference();
        }
        let number = self.choices.pick(&[Number::I32, Number::I64]);
        let globals = self.seen.globals_of(Content::Number(number), Some(true));
        if globals.is_empty() {
            return;
        }
        let global = &self.seen.globals[globals[self.choices.below(globals.len())]];
        let value = match number {
            Number::I32 => self.value(1),
            Number::I64 => self.wide_value(),
        };
        self.push(&format!("(global.set {} {value})", global.id));
    }

    /// Puts a function into a global, which may be a shim's slot.
    fn set_reference(&mut self) {
        let sig = self.choices.pick(&DEEP);
        let content = self
            .choices
            .pick(&[Content::Nullable(sig), Content::Reference(sig)]);
        let globals = self.seen.globals_of(content, Some(true));
        let functions = self.seen.functions.iter();
        // A shim's own function in its slot would call itself without end.
        let functions: Vec<&Function> = functions
            .filter(|one| one.sig == sig && one.waits == 0)
            .collect();
        if globals.is_empty() || functions.is_empty() {
            return;
        }
        let global = &self.seen.globals[globals[self.choices.below(globals.len())]].id;
        let function = functions[self.choices.below(functions.len())].id.clone();
        self.push(&format!("(global.set {global} (ref.func {function}))"));
        self.written.referred.push(function);
    }

    /// Adds a statement.
    pub fn add(&mut self, text: &str) {
        self.push(text);
    }
}

/// The rank of start functions.
const START: usize = 4;
/// The rank of functions that bound the depth of their calls.
const DEEP_RANK: usize = 2;

/// The value of [`Limits::filled`] for functions that are called only after all shims are filled.
pub const ANY: u32 = u32::MAX;

/// The result of a function, from `$a` and `$b`.
fn result(sig: Sig) -> &'static str {
    match sig.results() {
        ["i32"] => "(i32.add (local.get $a) (i32.wrap_i64 (local.get $b)))",
        ["i64"] => "(i64.xor (local.get $b) (i64.extend_i32_u (local.get $a)))",
        ["f64"] => "(f64.convert_i32_s (i32.add (local.get $a) (i32.wrap_i64 (local.get $b))))",
        ["i32", "i32"] => "(local.get $a) (i32.wrap_i64 (local.get $b))",
        _ => "",
    }
}
