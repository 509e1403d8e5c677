//! Recognizes known allocators among the functions that ask for the memory's size or for more
//! memory.
//!
//! It recognizes them by parts of their code, because compilers inline and arrange the rest in many
//! ways. So this is no proof: a program with the same parts may still use the result of
//! `memory.size` or `memory.grow(0)`. A component of such a program is made only with a warning.
//!
//! `sbrk` is recognized by its code. A caller may use its result in a good or bad way, so the
//! callers are checked too. They must be the seven calls in `sys_alloc` of `dlmalloc`, each with
//! the source's use of the result. `sys_alloc` compares the new memory with the end of its own
//! memory. If they are not adjacent, `sys_alloc` makes a new segment of the new memory. Before
//! wasi-sdk 20 there is an eighth call, which takes everything up to the end of the memory at the
//! start.
//!
//! Zig's allocator grows the memory in two places: for big blocks, which go to the caller, and for
//! pages, which it divides.
//!
//! Source: Zig, `lib/std/heap/WasmAllocator.zig` (`allocBigPages`, `alloc`); wasi-libc,
//! `libc-bottom-half/sources/sbrk.c`, `dlmalloc/src/malloc.c` (`sys_alloc`, `try_init_allocator`)
//! and `libc-bottom-half/sources/preopens.c` (`assert_invariants`); wasi-libc commit f2aac5f3
//! removed the eighth call.

use std::borrow::Cow;

use wasmparser::{FunctionBody, Operator};

use super::facts::{Asker, Code, Facts};
use super::{Allocator, Obstacle};

/// The allocator of a program. `None` proves that no function asks where the memory ends.
pub(super) fn recognized(facts: &Facts<'_>, code: &Code) -> Result<Option<Allocator>, Obstacle> {
    let askers = &code.askers;
    if askers.is_empty() {
        return Ok(None);
    }
    let words_of = |asker: &Asker| facts.body(asker.function).and_then(words);
    if let [asker] = askers.as_slice()
        && words_of(asker).is_some_and(|words| is_zig(&words))
    {
        return Ok(Some(Allocator::Zig));
    }
    let mut sbrk = None;
    for asker in askers {
        let known = match words_of(asker) {
            Some(words) if sbrk.is_none() && is_sbrk(&words) => {
                sbrk = Some(asker);
                true
            }
            Some(words) => asker.grows == 0 && assertions(&words) == asker.sizes,
            None => false,
        };
        if !known {
            return Err(obstacle(asker, facts));
        }
    }
    match sbrk {
        Some(sbrk) if is_called_by_dlmalloc_alone(sbrk.function, facts, code) != Some(true) => {
            Err(obstacle(sbrk, facts))
        }
        // Assertions alone take no memory.
        _ => Ok(Some(Allocator::WasiLibc)),
    }
}

fn obstacle(asker: &Asker, facts: &Facts<'_>) -> Obstacle {
    Obstacle::Allocator {
        function: facts.named(asker.function),
        asks: Cow::Borrowed(match (asker.sizes, asker.grows) {
            (_, 0) => "asks for the memory's size",
            (0, _) => "asks for more memory",
            _ => "asks for the memory's size and for more",
        }),
    }
}

/// The operators of a function, as words. Operators that occur in no pattern are empty words.
fn words(body: &FunctionBody<'_>) -> Option<Vec<String>> {
    let operators = body.get_operators_reader().ok()?;
    let words = operators
        .into_iter()
        .map(|operator| operator.ok().map(|it| word(&it)));
    words.collect()
}

fn word(operator: &Operator<'_>) -> String {
    let known = match operator {
        Operator::LocalGet { local_index } => return format!("get {local_index}"),
        Operator::LocalSet { local_index } => return format!("set {local_index}"),
        Operator::LocalTee { local_index } => return format!("tee {local_index}"),
        Operator::I32Const { value } => return format!("const {value}"),
        Operator::I64Const { value } => return format!("long {value}"),
        Operator::BrIf { relative_depth } => return format!("br_if {relative_depth}"),
        Operator::Call { function_index } => return format!("call {function_index}"),
        Operator::CallIndirect { .. } | Operator::CallRef { .. } => "call what",
        Operator::ReturnCall { .. }
        | Operator::ReturnCallIndirect { .. }
        | Operator::ReturnCallRef { .. } => "call what",
        Operator::I32Load { memarg } => return format!("load {}", memarg.offset),
        Operator::I32Store { .. } => "store",
        Operator::MemorySize { .. } => "size",
        Operator::MemoryGrow { .. } => "grow",
        Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => "block",
        Operator::Try { .. } | Operator::TryTable { .. } => "block",
        Operator::End => "end",
        Operator::Return => "return",
        Operator::Unreachable => "unreachable",
        Operator::Drop => "drop",
        Operator::Select => "select",
        Operator::I32Add => "add",
        Operator::I32Sub => "sub",
        Operator::I32And => "and",
        Operator::I32Shl => "shl",
        Operator::I32ShrU => "shr_u",
        Operator::I32Eq => "eq",
        Operator::I32Ne => "ne",
        Operator::I32LeS => "le_s",
        Operator::I32GeU => "ge_u",
        Operator::I32LtU => "lt_u",
        Operator::I64ExtendI32U => "extend",
        Operator::I64Shl => "long shl",
        Operator::I64LeU => "long le_u",
        _ => "",
    };
    known.to_owned()
}

/// Whether code begins with the words of a pattern. In the pattern, `*` stands for any number. `$a`
/// also stands for any number, but for the same one in all places. `a|b` stands for either word.
fn begins(code: &[String], pattern: &str) -> bool {
    let mut known: Vec<(&str, &str)> = Vec::new();
    let mut code = code.iter();
    pattern.split(';').map(str::trim).all(|wanted| {
        let Some(found) = code.next() else {
            return false;
        };
        wanted.split('|').any(|wanted| {
            let (Some((word, number)), Some((found_word, found_number))) =
                (wanted.split_once(' '), found.split_once(' '))
            else {
                return wanted == found;
            };
            if number == "*" {
                return word == found_word;
            }
            if !number.starts_with('$') {
                return wanted == found;
            }
            if word != found_word {
                return false;
            }
            match known.iter().find(|(name, _)| *name == number) {
                Some((_, value)) => *value == found_number,
                None => {
                    known.push((number, found_number));
                    true
                }
            }
        })
    })
}

/// `sbrk(0)` returns the end of the memory. A positive number of whole pages grows the memory. Any
/// other argument aborts.
const SBRK: &str = "block; get 0; br_if 0; size; const 16; shl; return; end; \
    block; get 0; const 65535; and; br_if 0; get 0; const -1; le_s; br_if 0; \
    block; get 0; const 16; shr_u; grow; tee 0; const -1; ne; br_if 0; \
    const 0; const *; store; const -1; return; end; \
    get 0; const 16; shl; return; end; call *; unreachable; end";

fn is_sbrk(code: &[String]) -> bool {
    code.len() == SBRK.split(';').count() && begins(code, SBRK)
}

/// Both uses take the address of the pages that `memory.grow` returned, or end if it failed.
const ZIG: [&str; 2] = [
    "const 0; get *; grow; tee $p; const 16; shl; get $p; const -1; eq; select; return",
    "const 1; grow; tee $p; const 1; add; const 2; lt_u; br_if *; get $p; const 16; shl; set *; end; \
     get *; get *; get *; add; store; get *; return",
];

/// Whether a function is Zig's allocator. It grows the memory in two places, and never asks for its
/// size.
fn is_zig(code: &[String]) -> bool {
    let asks = code
        .iter()
        .filter(|word| *word == "grow" || *word == "size");
    let places = || (0..code.len()).filter_map(|place| code.get(place..));
    let once = |pattern| places().filter(|rest| begins(rest, pattern)).count() == 1;
    asks.count() == ZIG.len() && ZIG.into_iter().all(once)
}

/// How often code contains `assert(pre->prefix < memory_size * PAGESIZE)`. If the assertion fails,
/// the program aborts.
fn assertions(code: &[String]) -> usize {
    const COMPARISON: &str = "size; extend; long 16; long shl; get *; extend; long le_u; br_if 0";
    let mut assertions = 0;
    // The code is read backwards, so that each word is read only once. These variables say whether
    // the code after the current word begins with an abort, and whether it did at the end of each
    // open block.
    let mut aborts = false;
    let mut behind = Vec::new();
    let mut next = "";
    for (place, word) in code.iter().enumerate().rev() {
        let word = word.as_str();
        match word {
            "end" => behind.push(aborts),
            "block" => {
                behind.pop();
            }
            "size" => {
                let rest = code.get(place..).unwrap_or_default();
                // `br_if` leaves the innermost block.
                let is_one = behind.last() == Some(&true) && begins(rest, COMPARISON);
                assertions += usize::from(is_one);
            }
            _ => {}
        }
        if word != "end" && !word.starts_with("const ") {
            aborts = word.starts_with("call ") && next == "unreachable";
        }
        next = word;
    }
    assertions
}

/// How `sys_alloc` uses each call of `sbrk`: the words before and after the call. `sys_alloc` makes
/// each of these calls once.
const CALLS: [(&str, &str); 7] = [
    // Asks where the memory ends.
    ("const 0", "tee $a; const -1; eq; br_if *"),
    // Asks whether the new memory begins there.
    ("get *", "tee *; get *; ne|eq; br_if *"),
    // Asks whether it continues the segment (the segment's base and size).
    (
        "get *",
        "tee *; get $p; load 0; get $p; load 4; add; eq|ne; br_if *",
    ),
    // Takes a little more memory after it.
    ("get *", "const -1; eq|ne; br_if *"),
    // Gives it back, which aborts.
    ("sub", "drop"),
    // Makes a new segment, from its start
    (
        "get *",
        "set $a; const 0; call *; set $b; get $a; const -1; eq; br_if *; \
         get $b; const -1; eq; br_if *; get $a; get $b; ge_u; br_if *",
    ),
    // to the end of the memory.
    (
        "const 0",
        "set $b; get $a; const -1; eq; br_if *; get $b; const -1; eq; br_if *; get $a; get $b; ge_u; br_if *",
    ),
];

/// Whether the program calls `sbrk` only as `dlmalloc` does, and does nothing else with it.
fn is_called_by_dlmalloc_alone(sbrk: u32, facts: &Facts<'_>, all: &Code) -> Option<bool> {
    let exported = facts
        .exports
        .iter()
        .any(|export| export.kind == wasmparser::ExternalKind::Func && export.index == sbrk);
    if exported || facts.start == Some(sbrk) || all.referenced.contains(&sbrk) {
        return Some(false);
    }
    let mut callers = Vec::new();
    for body in &facts.bodies {
        let mut calls = false;
        for operator in body.get_operators_reader().ok()? {
            match operator.ok()? {
                Operator::Call { function_index } => calls |= function_index == sbrk,
                Operator::ReturnCall { function_index } if function_index == sbrk => {
                    return Some(false);
                }
                _ => {}
            }
        }
        if calls {
            callers.push(body);
        }
    }
    let [caller] = callers.as_slice() else {
        return Some(false);
    };
    let code = words(caller)?;
    let call = format!("call {sbrk}");
    let mut left: Vec<_> = CALLS.to_vec();
    // No other function may be called between the first and the last call. So no WASI function
    // runs, and nothing else takes memory in between.
    let mut first = None;
    let mut last = 0;
    for (place, _) in code.iter().enumerate().filter(|(_, word)| **word == call) {
        first.get_or_insert(place);
        last = place;
        let before = code.get(place.checked_sub(1)?..)?;
        let behind = code.get(place + 1..)?;
        let found = left.iter().position(|(before_it, behind_it)| {
            begins(before, before_it) && begins(behind, behind_it)
        })?;
        left.remove(found);
    }
    let between = code.get(first?..=last)?;
    let others = between
        .iter()
        .any(|word| word.starts_with("call ") && *word != call);
    Some(left.is_empty() && !others && first_comparison(&code, &call))
}

/// Whether `sys_alloc` compares the new memory with the end that its first call returned.
fn first_comparison(code: &[String], call: &str) -> bool {
    let pattern = format!("const 0; {call}; tee $a; const -1; eq; br_if *");
    let mut places = (0..code.len()).filter_map(|place| code.get(place..));
    let Some(first) = places.find(|rest| begins(rest, &pattern)) else {
        return false;
    };
    let end = first.get(2).and_then(|word| word.split_once(' '));
    let Some((_, end)) = end else { return false };
    let second = format!("{call}; tee *; get {end}; ne|eq; br_if *");
    (0..first.len())
        .filter_map(|place| first.get(place..))
        .any(|rest| begins(rest, &second))
}
