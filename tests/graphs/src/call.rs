//! Calls of functions in generated bodies: arguments that fit, and what is done with the results.

use super::body::Body;
use super::signatures::Sig;
use super::visible::Function;

/// Reads the words to which the parameter `$p` points, into `$a`.
pub fn reading(memory: &str) -> String {
    format!(
        "(local.set $u (i32.const 4)) (loop $read \
         (local.set $a (i32.add (i32.mul (local.get $a) (i32.const 31)) \
         (i32.load8_u {memory} (i32.and (i32.add (local.get $p) (local.get $u)) \
         (i32.const 0xffff))))) \
         (br_if $read (local.tee $u (i32.sub (local.get $u) (i32.const 1)))))"
    )
}

/// A call with its arguments. The results go into `$a` and `$b`.
pub fn call(body: &mut Body<'_>, function: &Function) -> String {
    let (id, sig) = (&function.id, function.sig);
    if sig.is_deep() {
        let arguments = body.arguments(sig);
        let text = used(sig, &format!("(call {id} {arguments})"));
        return caught(body, sig, id, &arguments).unwrap_or(text);
    }
    match sig {
        Sig::Realloc => {
            let size = body.small();
            let zeros = "(i32.const 0) (i32.const 0)";
            used(
                sig,
                &format!("(call {id} {zeros} (i32.const 8) (i32.const {size}))"),
            )
        }
        Sig::Digest | Sig::Give => used(sig, &format!("(call {id})")),
        Sig::Text | Sig::Say => {
            let (before, text) = string(body);
            before + &used(sig, &format!("(call {id} {text})"))
        }
        Sig::Echo => {
            let (before, text) = string(body);
            let place = 1024 + body.place();
            let call = format!("(call {id} {text} (i32.const {place}))");
            format!("{before} {call} {}", looked_at(body, place))
        }
        Sig::Into => {
            let place = 1024 + body.place();
            let text = format!("(call {id} (i32.const {place}))");
            format!("{text} {}", looked_at(body, place))
        }
        Sig::Spill => {
            let place = body.place();
            let number = body.value(1);
            let before = match body.seen.narrow_memory() {
                Some(memory) => format!("(i32.store {memory} (i32.const {place}) {number})"),
                None => String::new(),
            };
            before + &used(sig, &format!("(call {id} (i32.const {place}))"))
        }
        Sig::Log => {
            let (what, value) = (body.small(), body.value(1));
            format!("(call {id} (i32.const {what}) {value})")
        }
        Sig::New => resource(body, id),
        Sig::Rep | Sig::Drop if !body.risky() => String::new(),
        _ => {
            let value = body.value(1);
            used(sig, &format!("(call {id} {value})"))
        }
    }
}

/// What is done with the results of a call.
pub fn used(sig: Sig, call: &str) -> String {
    match sig.results() {
        ["i32"] => {
            format!("(local.set $a (i32.xor (i32.mul (local.get $a) (i32.const 31)) {call}))")
        }
        ["i64"] => {
            format!("(local.set $b (i64.add (i64.rotl (local.get $b) (i64.const 7)) {call}))")
        }
        ["f64"] => format!("(local.set $b (i64.xor (local.get $b) (i64.trunc_sat_f64_s {call})))"),
        ["i32", "i32"] => format!(
            "{call} (local.set $t) \
             (local.set $a (i32.add (i32.mul (i32.const 3)) (local.get $t)))"
        ),
        _ => call.to_owned(),
    }
}

/// A call in a block that catches an exception. Only if the module has one, and not always.
fn caught(body: &mut Body<'_>, sig: Sig, id: &str, arguments: &str) -> Option<String> {
    let tag = body.seen.tags.first()?.clone();
    if sig.results() != ["i32"] || !body.choices.chance(50) {
        return None;
    }
    let text = format!(
        "(block $caught (result i32) \
         (try_table (result i32) (catch {tag} $caught) (call {id} {arguments})))"
    );
    Some(used(sig, &text))
}

/// Stores a string that is valid in every encoding. Returns the code for it, and the arguments that
/// pass it. Sometimes they pass whatever lies in memory.
fn string(body: &mut Body<'_>) -> (String, String) {
    let place = body.place();
    let length = body.choices.below(5);
    let arguments = |length: usize| format!("(i32.const {place}) (i32.const {length})");
    if body.risky() {
        return (String::new(), arguments(length * 7));
    }
    let first = body.small();
    let text = 0x6867_6665_6463_6261 + first as u64 % 16;
    match body.seen.narrow_memory() {
        Some(memory) => (
            format!("(i64.store {memory} (i32.const {place}) (i64.const {text}))"),
            arguments(length),
        ),
        None => (String::new(), arguments(0)),
    }
}

/// Reads two words and the byte to which the first points.
fn looked_at(body: &Body<'_>, place: usize) -> String {
    let Some(memory) = body.seen.narrow_memory() else {
        return String::new();
    };
    let (first, second) = (
        format!("(i32.load {memory} (i32.const {place}))"),
        format!("(i32.load {memory} offset=4 (i32.const {place}))"),
    );
    format!(
        "(local.set $t (i32.load8_u {memory} (i32.and {first} (i32.const 0xffff)))) \
         (local.set $a (i32.add (i32.mul (local.get $a) (i32.const 31)) \
         (i32.add (local.get $t) {second})))"
    )
}

/// Makes a resource, looks at it and drops it, as far as the module can.
fn resource(body: &mut Body<'_>, new: &str) -> String {
    let functions = &body.seen.functions;
    let of = |sig| functions.iter().find(|function| function.sig == sig);
    let (rep, drop) = (of(Sig::Rep).cloned(), of(Sig::Drop).cloned());
    let value = body.value(1);
    let mut text = format!("(local.set $t (call {new} {value}))");
    if let Some(rep) = rep {
        text += &format!(
            " (local.set $a (i32.add (local.get $a) (call {} (local.get $t))))",
            rep.id
        );
    }
    if let Some(drop) = drop {
        text += &format!(" (call {} (local.get $t))", drop.id);
    }
    text
}
