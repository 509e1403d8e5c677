//! At every level of the optimizer, programs do the same as in stock Wasmtime without an optimizer.
//! Binaryen 116 would change each of these programs (`docs/optimizer.md`).

use edgec_tests::levels::{check, programs};

/// A function, so that the test can observe the instance.
const RUN: &str = r#"(func (export "run") (result i32) i32.const 42)"#;

#[test]
fn segments_that_may_be_out_of_bounds_keep_their_trap() {
    let mut all = programs([
        ("empty_data", r#"(memory 16 17) (data (i32.const -1) "")"#),
        (
            "empty_data_at_the_end",
            r#"(memory 1) (data (i32.const 65536) "")"#,
        ),
        (
            "unused_memory",
            r#"(memory 1) (data (i32.const 65536) "x")"#,
        ),
        ("half_out", r#"(memory 1) (data (i32.const 65535) "xy")"#),
        (
            "zeros",
            r#"(memory (export "memory") 1) (data (i32.const 65530) "\00\00\00\00\00\00\00\00")"#,
        ),
        ("no_pages", r#"(memory 0) (data (i32.const 0) "\00")"#),
        (
            "second_memory",
            r#"(memory (export "memory") 1) (memory 1) (data (memory 1) (i32.const 65536) "x")"#,
        ),
        (
            "element",
            r#"(table 1 funcref) (elem (i32.const 5) $f) (func $f)"#,
        ),
        (
            "empty_element",
            r#"(table 1 funcref) (elem (i32.const 2) func)"#,
        ),
        (
            "empty_element_at_the_end",
            r#"(table 1 funcref) (elem (i32.const 1) func)"#,
        ),
        (
            "nulls",
            r#"(table 1 funcref) (elem (i32.const 1) funcref (ref.null func))"#,
        ),
        (
            "far_data",
            r#"(import "env" "far" (global $far i32)) (memory 1) (data (global.get $far) "x")"#,
        ),
        (
            "near_data",
            r#"(import "env" "near" (global $near i32)) (memory 1) (data (global.get $near) "x")"#,
        ),
        (
            "far_empty_data",
            r#"(import "env" "far" (global $far i32)) (memory 1) (data (global.get $far) "")"#,
        ),
        (
            "near_empty_data",
            r#"(import "env" "near" (global $near i32)) (memory 1) (data (global.get $near) "")"#,
        ),
        (
            "far_element",
            r#"(import "env" "far" (global $far i32)) (table 9 funcref) (elem (global.get $far) $f) (func $f)"#,
        ),
        (
            "computed",
            r#"(import "env" "near" (global $near i32)) (memory 1)
            (data (i32.add (global.get $near) (i32.const 65534)) "x")"#,
        ),
        (
            "imported_memory",
            r#"(import "env" "memory" (memory 1)) (data (i32.const 8) "A") (data (i32.const 65535) "xy")"#,
        ),
        (
            "imported_memory_empty",
            r#"(import "env" "memory" (memory 1)) (data (i32.const 8) "A") (data (i32.const 65537) "")"#,
        ),
        (
            "imported_memory_of_less",
            r#"(import "env" "memory" (memory 0)) (data (i32.const 9) "A")"#,
        ),
        (
            "imported_memory_of_less_empty",
            r#"(import "env" "memory" (memory 0)) (data (i32.const 9) "")"#,
        ),
        (
            "imported_table",
            r#"(import "env" "table" (table 1 funcref)) (elem (i32.const 4) $f) (func $f)"#,
        ),
        (
            "imported_table_empty",
            r#"(import "env" "table" (table 1 funcref)) (elem (i32.const 5) func)"#,
        ),
        (
            "used_by_dead_code",
            r#"(memory 1) (data (i32.const 65536) "x")
            (func $dead (result i32) (i32.load (i32.const 0)))"#,
        ),
        (
            "start_too",
            r#"(import "env" "memory" (memory 1)) (memory 1) (data (memory 1) (i32.const 65536) "x")
            (func $start (i32.store (i32.const 0) (i32.const 7))) (start $start)"#,
        ),
    ]);
    for (_, text) in &mut all {
        text.insert_str(text.len() - 1, RUN);
    }
    check(&all);
}

/// Writes before a trap are visible if memories and tables outlive the module.
#[test]
fn what_is_written_before_a_trap_is_what_stock_writes() {
    check(&programs([
        (
            "in_order",
            r#"(import "env" "memory" (memory 1)) (data (i32.const 0) "AAAA")
            (data (i32.const 65530) "B\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")"#,
        ),
        (
            "by_the_table",
            r#"(import "env" "table" (table 1 funcref)) (memory 1) (elem (i32.const 0) $peek)
            (data (i32.const 8) "A\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00B")
            (data (i32.const 65530) "C\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
            (func $peek (result i32) (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 65530))))"#,
        ),
        (
            "later_over_earlier",
            r#"(memory (export "memory") 1) (data (i32.const 0) "AAAA") (data (i32.const 1) "\00\00")"#,
        ),
        (
            "init_past_the_end",
            r#"(memory (export "memory") 1) (data $d "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00AA")
            (func (export "run") (param i32)
                (i32.store (i32.const 65520) (i32.const -1))
                (memory.init $d (i32.const 65515) (i32.const 0) (i32.const 26)))"#,
        ),
        (
            "init_and_drop",
            r#"(memory (export "memory") 1) (data $d "AB\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00CD")
            (func (export "run") (param i32)
                (memory.init $d (local.get 0) (i32.const 0) (i32.const 26))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (data.drop $d))))"#,
        ),
        (
            "init_of_what_was_active",
            r#"(memory (export "memory") 1) (data $d (i32.const 3) "AB")
            (func (export "run") (param i32) (memory.init $d (i32.const 9) (i32.const 0) (local.get 0)))"#,
        ),
        (
            "all_of_memory",
            r#"(memory 65536) (data $d "AB")
            (func (export "run") (param i32) (memory.init $d (i32.const 9) (i32.const 0) (i32.const 0)))"#,
        ),
    ]));
}

#[test]
fn tables_are_what_they_are_when_they_are_called() {
    check(&programs([
        (
            "null_over_a_function",
            r#"(table 2 funcref) (elem (i32.const 0) $f) (elem (i32.const 0) funcref (ref.null func))
            (func $f (result i32) i32.const 1)
            (func (export "run") (result i32) (call_indirect (result i32) (i32.const 0)))"#,
        ),
        (
            "grown",
            r#"(table 1 10 funcref) (elem (i32.const 0) $f)
            (func $f (result i32) i32.const 1)
            (func (export "run") (result i32)
                (drop (table.grow (ref.func $f) (i32.const 1)))
                (call_indirect (result i32) (i32.const 1)))"#,
        ),
        (
            "copied_and_filled",
            r#"(table $t 4 funcref) (table $u 4 funcref) (elem (table $t) (i32.const 0) func $f $g)
            (type $f (func (result i32)))
            (func $f (result i32) i32.const 1)
            (func $g (result i32) i32.const 2)
            (func $null (result funcref) (ref.null func))
            (func (export "run") (param i32) (result i32)
                (table.copy $u $t (i32.const 1) (i32.const 0) (i32.const 2))
                (if (local.get 0) (then (table.fill $t (i32.const 0) (call $null) (i32.const 2))))
                (i32.add
                    (call_indirect $u (type $f) (i32.const 2))
                    (call_indirect $t (type $f) (i32.const 1))))"#,
        ),
        (
            "initialized",
            r#"(table 4 funcref) (elem $e func $f)
            (func $f (result i32) i32.const 1)
            (func (export "run") (param i32) (result i32)
                (table.init $e (i32.const 2) (i32.const 0) (i32.const 1))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (elem.drop $e)))
                (call_indirect (result i32) (i32.const 2)))"#,
        ),
        (
            "declared",
            r#"(elem declare funcref (ref.func $f)) (table 1 funcref)
            (func $f (result i32) i32.const 1)
            (func (export "run") (result i32)
                (table.set (i32.const 0) (ref.func $f))
                (call_indirect (result i32) (i32.const 0)))"#,
        ),
    ]));
}

/// The sign of a load is the sign that its uses need, not the sign of values computed from it.
#[test]
fn signs_of_loads() {
    check(&programs([
        (
            "extended_after_a_shift",
            r#"(memory 1) (data (i32.const 0) "\ff")
            (func (export "run") (result i32) (local i32)
                (local.set 0 (i32.load8_u (i32.const 0)))
                (i32.extend8_s (i32.shr_u (local.get 0) (i32.const 1))))"#,
        ),
        (
            "extended_at_once",
            r#"(memory 1) (data (i32.const 0) "\ff")
            (func (export "run") (result i32) (local i32)
                (local.set 0 (i32.load8_u (i32.const 0)))
                (i32.extend8_s (local.get 0)))"#,
        ),
    ]));
}

/// The sign of the zero that a minimum or a maximum gives. With some compilers, Binaryen computes
/// the wrong sign.
#[test]
fn signs_of_zeros() {
    let of = |name, instruction: &str| {
        let call = format!("(i32.reinterpret_f32 ({instruction}))");
        (
            name,
            format!(r#"(module (func (export "run") (result i32) {call}))"#),
        )
    };
    check(&[
        of("min", "f32.min (f32.const -0) (f32.const 0)"),
        of("min_too", "f32.min (f32.const 0) (f32.const -0)"),
        of("max", "f32.max (f32.const -0) (f32.const 0)"),
        of("max_too", "f32.max (f32.const 0) (f32.const -0)"),
    ]);
}
