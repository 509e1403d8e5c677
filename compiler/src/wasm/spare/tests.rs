//! What is kept from Binaryen, and what is just within the limits.

use super::function::{MOST_IN_EXPRESSION, MOST_LOCALS, MOST_NESTED, MOST_NESTED_RESULTS};
use super::*;

fn spared(text: &str) -> Result<Spared, Failure> {
    let wasm = wat::parse_str(format!("(module {text})")).unwrap();
    crate::validate(wasm.clone()).unwrap();
    Spared::of(&wasm, Reads::Binaryen116)
}

fn functions(text: &str) -> BTreeMap<u32, Unfit> {
    spared(text).unwrap().functions
}

#[test]
fn segments_in_bounds_keep_nothing() {
    for text in [
        r#"(memory 1) (data (i32.const 65535) "x") (data (i32.const 65536) "") (data "passive")"#,
        r#"(import "a" "m" (memory 1)) (data (i32.const 0) "x")"#,
        r#"(import "a" "m" (memory 0)) (data (i32.const 0) "x")"#,
        r#"(import "a" "g" (global i32)) (memory (export "m") 1) (data (global.get 0) "x")"#,
        "(table 2 funcref) (elem (i32.const 1) $f) (elem (i32.const 2) func) (func $f)",
        r#"(import "a" "g" (global i32)) (import "a" "t" (table 0 funcref)) (elem (global.get 0) $f) (func $f)"#,
    ] {
        assert!(spared(text).unwrap().is_empty(), "{text}");
    }
}

#[test]
fn a_memory_or_table_is_used_where_a_segment_may_trap() {
    let memories = |text| spared(text).unwrap().memories;
    assert_eq!(
        memories(r#"(memory 1) (data (i32.const 65536) "x")"#),
        [0].into()
    );
    assert_eq!(
        memories(r#"(memory 1) (data (i32.const -1) "x")"#),
        [0].into()
    );
    let second = r#"(memory 1) (memory 1) (data (memory 1) (i32.const 65536) "x")"#;
    assert_eq!(memories(second), [1].into());
    let unknown = r#"(import "a" "g" (global i32)) (memory 1) (data (global.get 0) "x")"#;
    assert_eq!(memories(unknown), [0].into());
    let table = "(table 1 funcref) (elem (i32.const 1) $f) (func $f)";
    assert_eq!(spared(table).unwrap().tables, [0].into());
}

#[test]
fn each_reason_to_keep_a_module_has_a_case() {
    let may_trap = |kind: &'static str, index| {
        let kind = kind.into();
        Err(Failure::MayTrap { kind, index })
    };
    let empty = r#"(memory 1) (data (i32.const 0) "x") (data (i32.const 65537) "")"#;
    assert_eq!(spared(empty), may_trap("data", 1));
    let unknown = r#"(import "a" "g" (global i32)) (memory 1) (data (global.get 0) "")"#;
    assert_eq!(spared(unknown), may_trap("data", 0));
    let too_long = r#"(memory 0) (data (i32.const 0) "x")"#;
    assert_eq!(spared(too_long), may_trap("data", 0));
    let element = "(table 1 funcref) (elem (i32.const 2) func)";
    assert_eq!(spared(element), may_trap("element", 0));
    let declared = "(elem declare funcref (ref.func $f)) (func $f)";
    assert!(matches!(spared(declared), Err(Failure::Unsupported { .. })));
    let tied =
        r#"(memory 1) (data "x") (func) (func i32.const 1 (block (param i32) drop) (data.drop 0))"#;
    let reason = Unfit::BlockParameters;
    assert_eq!(
        spared(tied),
        Err(Failure::Tied {
            function: 1,
            reason
        })
    );
}

#[test]
fn each_reason_to_keep_a_function_has_a_case() {
    let imported = r#"(import "a" "b" (func)) (table 1 funcref) (table 1 funcref) (func)"#;
    for (body, reason) in [
        (
            "i32.const 1 (loop (param i32) drop)",
            Unfit::BlockParameters,
        ),
        (
            "(drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))",
            Unfit::RelaxedSimd,
        ),
        (
            "(table.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0))",
            Unfit::Unread,
        ),
        (
            "(table.fill 0 (i32.const 0) (ref.null func) (i32.const 0))",
            Unfit::Unread,
        ),
    ] {
        let found = functions(&format!("{imported} (func {body})"));
        assert_eq!(found, [(2, reason)].into(), "{body}");
    }
    // A block with results but without parameters is not kept. Nor is SIMD that is not relaxed.
    let fine = "(block (result i32 i32) i32.const 1 i32.const 2) drop drop
        (drop (i8x16.swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))";
    assert_eq!(functions(&format!("(func {fine})")), BTreeMap::new());
}

#[test]
fn depth_is_counted_and_not_length() {
    let nested = |depth: usize| format!("(func {} {})", "(block ".repeat(depth), ")".repeat(depth));
    assert_eq!(functions(&nested(MOST_NESTED)), BTreeMap::new());
    assert_eq!(
        functions(&nested(MOST_NESTED + 1)),
        [(0, Unfit::Deep)].into()
    );
    let flat = format!("(func {})", "(block)".repeat(5 * MOST_NESTED));
    assert_eq!(functions(&flat), BTreeMap::new());
    // If each block is followed by code, Binaryen cannot move the targets.
    let table = |depth: usize, targets: usize, between: &str| {
        format!(
            "(func {} (br_table {} (i32.const 0)) {})",
            "(block ".repeat(depth),
            "0 ".repeat(targets + 1),
            format!(") {between}").repeat(depth)
        )
    };
    assert_eq!(functions(&table(998, 1000, "")), BTreeMap::new());
    let kept: BTreeMap<u32, Unfit> = [(0, Unfit::Deep)].into();
    assert_eq!(functions(&table(1001, 1000, "")), kept);
    assert_eq!(functions(&table(1001, 1000, "nop")), BTreeMap::new());
    assert_eq!(functions(&table(1, 10_000, "nop")), BTreeMap::new());
}

#[test]
fn expressions_have_a_limit() {
    let kept: BTreeMap<u32, Unfit> = [(0, Unfit::Deep)].into();
    // An expression with this many instructions, whatever its form.
    let wide = |length: usize| {
        let (values, sums) = (length / 2 + 1, length / 2);
        ["local.get 0 ".repeat(values), "i32.add ".repeat(sums)].concat()
    };
    let chain = |length: usize| format!("local.get 0 {}", "i32.eqz ".repeat(length - 1));
    let sum = |length: usize| format!("local.get 0 {}", "local.get 0 i32.add ".repeat(length / 2));
    let set = |expression: &str| functions(&format!("(func (param i32) {expression} local.set 0)"));
    for expression in [
        &wide as &dyn Fn(usize) -> String,
        &chain as &dyn Fn(usize) -> String,
        &sum as &dyn Fn(usize) -> String,
    ] {
        // All three forms have an odd number of instructions.
        assert_eq!(set(&expression(MOST_IN_EXPRESSION - 1)), BTreeMap::new());
        assert_eq!(set(&expression(MOST_IN_EXPRESSION + 1)), kept);
    }
    let short = "local.get 0 i32.eqz local.set 0 ".repeat(MOST_IN_EXPRESSION);
    assert_eq!(set(&format!("{short} local.get 0")), BTreeMap::new());
}

#[test]
fn blocks_of_several_results_nest_less() {
    let nested = |block: &str, depth: usize, values: &str| {
        let (begin, end) = (format!("({block} ").repeat(depth), ")".repeat(depth));
        functions(&format!(
            "(func (result i32) {begin} {values} {end} return)"
        ))
    };
    let two = "block (result i32 i32)";
    let values = "(i32.const 1) (i32.const 2)";
    assert_eq!(nested(two, MOST_NESTED_RESULTS, values), BTreeMap::new());
    let kept: BTreeMap<u32, Unfit> = [(0, Unfit::Deep)].into();
    assert_eq!(nested(two, MOST_NESTED_RESULTS + 1, values), kept);
    // The outer blocks of such a block count, whatever their types.
    let inner = format!("({two} {values}) drop");
    let one = "loop (result i32)";
    assert_eq!(
        nested(one, MOST_NESTED_RESULTS - 1, &inner),
        BTreeMap::new()
    );
    assert_eq!(nested(one, MOST_NESTED_RESULTS, &inner), kept);
    // A single result does not count.
    let single = nested(one, MOST_NESTED_RESULTS + 1, "(i32.const 1)");
    assert_eq!(single, BTreeMap::new());
}

#[test]
fn local_variables_are_counted() {
    let locals = |count: u32| format!("(func (local {}))", "i64 ".repeat(count as usize));
    assert_eq!(functions(&locals(MOST_LOCALS)), BTreeMap::new());
    let kept = [(0, Unfit::ManyLocals)].into();
    assert_eq!(functions(&locals(MOST_LOCALS + 1)), kept);
}
