//! The cost of comparing operands.

use wasmparser::Parser;

use super::*;
use crate::validate;

/// A chain of types. Each has one more supertype than the one before, and the last one has `depth`.
fn chain(depth: usize) -> String {
    let types = (1..=depth).map(|at| format!("(type $t{at} (sub $t{} (struct)))", at - 1));
    format!("(type $t0 (sub (struct))){}", types.collect::<String>())
}

/// A module with a jump table of this many targets. Each target takes `length` references to a
/// type. The operands are subtypes of it, `depth` levels down.
pub(crate) fn jumps(length: usize, depth: usize, targets: usize) -> Vec<u8> {
    let results = "(ref null $t0)".repeat(length);
    let operands = format!("(ref.null $t{depth})").repeat(length);
    let targets = "0 ".repeat(targets);
    let text = format!(
        "(module {} (func (result {results}) \
         {operands} i32.const 0 br_table {targets} 0))",
        chain(depth)
    );
    wat::parse_str(text).unwrap()
}

fn steps(wasm: &[u8]) -> u64 {
    let mut operands = Operands::default();
    let payloads = Parser::new(0).parse_all(wasm);
    payloads
        .map(|payload| operands.read(&payload.unwrap()).unwrap())
        .sum()
}

fn steps_of(text: &str) -> u64 {
    let wasm = wat::parse_str(text).unwrap();
    validate(wasm.clone()).unwrap();
    steps(&wasm)
}

#[test]
fn a_jump_table_costs_its_targets_times_operands_times_supertypes() {
    // The default target counts too, and the function ends with the same list.
    assert_eq!(steps(&jumps(1000, 63, 99)), 101 * (1000 + 1000 * 63));
    assert_eq!(steps(&jumps(129, 0, 99)), 101 * 129);
    // Short lists are not counted.
    assert_eq!(steps(&jumps(128, 0, 99)), 0);
    assert_eq!(steps(&jumps(2, 63, 99)), 0);
    assert_eq!(steps(&jumps(3, 63, 99)), 101 * 3 * 64);
}

#[test]
fn every_way_to_take_many_operands_is_counted() {
    let many = "i32 ".repeat(200);
    let fields = "(field i32)".repeat(200);
    for code in [
        "call $f",
        "return_call $f",
        "call_indirect (type $f)",
        "return_call_indirect (type $f)",
        "call_ref $f",
        "return_call_ref $f",
        "throw $e",
        "struct.new $s drop",
        "array.new_fixed $a 200 drop",
    ] {
        let text = format!(
            "(module (type $f (func (param {many}))) (type $s (struct {fields})) \
             (type $a (array i32)) (table 1 funcref) (tag $e (type $f)) (func $f (type $f)) \
             (func unreachable {code}))"
        );
        // `$f` itself begins with the list.
        assert_eq!(steps_of(&text), 200 + 200, "{code}");
    }
    // The length of an array counts even without a long list.
    let wasm = |length: u32| {
        let text = "(module (type $a (array i32)) (func unreachable array.new_fixed $a";
        wat::parse_str(format!("{text} {length} drop))")).unwrap()
    };
    assert_eq!(steps(&wasm(u32::MAX)), u64::from(u32::MAX));
    assert_eq!(steps(&wasm(128)), 0);
}

#[test]
fn every_way_to_put_many_operands_onto_the_stack_is_counted() {
    let many = "i32 ".repeat(200);
    let ty = format!("(type $f (func (result {many})))");
    let function = "(func $f (type $f) unreachable)";
    let drop = "drop ".repeat(200);
    let table = "(table 1 funcref) (elem declare func $f)";
    for (code, expected) in [
        (format!("call $f {drop}"), 200),
        (
            format!("(call_indirect (type $f) (i32.const 0)) {drop}"),
            200,
        ),
        (format!("(call_ref $f (ref.func $f)) {drop}"), 200),
        (format!("(block (type $f) unreachable) {drop}"), 400),
        (format!("(loop (type $f) unreachable) {drop}"), 400),
        (
            format!("(if (type $f) (i32.const 0) (then unreachable) (else unreachable)) {drop}"),
            600,
        ),
        (format!("(try_table (type $f) unreachable) {drop}"), 400),
        (format!("(block (type $f) call $f br 0) {drop}"), 800),
        (
            format!("(block (type $f) call $f i32.const 0 br_if 0) {drop}"),
            800,
        ),
    ] {
        let text = format!("(module {ty} {function} {table} (func {code}))");
        // `$f` itself ends with the list.
        assert_eq!(steps_of(&text), 200 + expected, "{code}");
    }
    for text in [
        format!("(module (func (param {many})))"),
        format!("(module (func (result {many}) unreachable))"),
    ] {
        assert_eq!(steps_of(&text), 200, "{text}");
    }
    // Without a long list, the code is not read.
    let text = "(module (type $f (func (result i32 i32))) (func $f (type $f) unreachable) \
                (func call $f drop drop))";
    assert_eq!(steps_of(text), 0);
}
