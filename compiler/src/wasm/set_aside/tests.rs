//! Modules before, between and after the two steps.

use super::*;
use crate::wasm::function_names::without_names;
use crate::wasm::kept::Unfit;

fn parse(text: &str) -> Vec<u8> {
    let wasm = wat::parse_str(text).unwrap();
    crate::validate(wasm.clone()).unwrap();
    wasm
}

fn bare(wasm: &[u8]) -> Vec<u8> {
    without_names(wasm, |_| false).unwrap().0
}

fn spared(functions: &[u32]) -> Spared {
    let functions = functions.iter();
    Spared {
        functions: functions.map(|function| (*function, Unfit::Deep)).collect(),
        ..Spared::default()
    }
}

const MODULE: &str = r#"(module
    (type $void (func))
    (type $other (func (param i64)))
    (import "a" "b" (func $imported))
    (import "a" "m" (memory 1))
    (table $t 1 funcref)
    (global $unused i32 (i32.const 1))
    (global $g (mut i32) (i32.const 2))
    (export "run" (func $kept))
    (start $last)
    (func $first (type $void) call $kept)
    (func $kept (type $void)
        call $imported
        call $last
        (i32.store (i32.const 0) (global.get $g))
        (call_indirect (type $other) (i64.const 1) (i32.const 0)))
    (func $last (type $void)))"#;

#[test]
fn what_is_out_is_an_import_and_what_it_needs_is_exported() {
    let out = r#"(module
        (type $void (func))
        (type $other (func (param i64)))
        (import "a" "b" (func $imported))
        (import "a" "m" (memory 1))
        (import "edgec:set-aside" "2" (func $kept))
        (table $t 1 funcref)
        (global $unused i32 (i32.const 1))
        (global $g (mut i32) (i32.const 2))
        (export "run" (func $kept))
        (export "edgec:kept:f0" (func $imported))
        (export "edgec:kept:f3" (func $last))
        (export "edgec:kept:g1" (global $g))
        (export "edgec:kept:m0" (memory 0))
        (export "edgec:kept:t0" (table $t))
        (start $last)
        (func $first (type $void) call $kept)
        (func $last (type $void)))"#;
    let taken = take_out(&parse(MODULE), &spared(&[2])).unwrap();
    assert_eq!(bare(&taken), bare(&parse(out)));
    let names = without_names(&taken, |_| false)
        .unwrap()
        .1
        .unwrap()
        .functions;
    let names: Vec<&str> = names.values().map(String::as_str).collect();
    assert_eq!(names, ["imported", "kept", "first", "last"]);
}

/// The module as an optimizer may return it: with fewer items, in another order, and without the
/// type that only the function had.
#[test]
fn it_comes_back_wherever_things_are_now() {
    let optimized = r#"(module
        (type $void (func))
        (import "edgec:set-aside" "2" (func $kept))
        (import "a" "b" (func $imported))
        (import "a" "m" (memory 1))
        (table $t 1 funcref)
        (global $g (mut i32) (i32.const 2))
        (export "edgec:kept:t0" (table $t))
        (export "edgec:kept:f0" (func $imported))
        (export "edgec:kept:f3" (func $last))
        (export "run" (func $kept))
        (export "edgec:kept:g1" (global $g))
        (export "edgec:kept:m0" (memory 0))
        (start $last)
        (func $last (type $void)))"#;
    let back = r#"(module
        (type $void (func))
        (type $other (func (param i64)))
        (import "a" "b" (func $imported))
        (import "a" "m" (memory 1))
        (table $t 1 funcref)
        (global $g (mut i32) (i32.const 2))
        (export "run" (func $kept))
        (start $last)
        (func $last (type $void))
        (func $kept (type $void)
            call $imported
            call $last
            (i32.store (i32.const 0) (global.get $g))
            (call_indirect (type $other) (i64.const 1) (i32.const 0))))"#;
    let put = put_back(&parse(MODULE), &spared(&[2]), &parse(optimized)).unwrap();
    assert_eq!(bare(&put), bare(&parse(back)));
    let names = without_names(&put, |_| false).unwrap().1.unwrap().functions;
    let names: Vec<&str> = names.values().map(String::as_str).collect();
    assert_eq!(names, ["imported", "last", "kept"]);
}

#[test]
fn no_type_is_added_twice() {
    let module = r#"(module
        (type $void (func))
        (type $other (func (param i64)))
        (type $same (func (param i64)))
        (table $t 1 funcref)
        (func (export "a") (type $void)
            (call_indirect (type $other) (i64.const 1) (i32.const 0)))
        (func (export "b") (type $void)
            (call_indirect (type $same) (i64.const 2) (i32.const 0))
            (call_indirect (type $void) (i32.const 0))))"#;
    let optimized = r#"(module
        (type $void (func))
        (type $again (func))
        (import "edgec:set-aside" "0" (func $a (type $void)))
        (import "edgec:set-aside" "1" (func $b (type $void)))
        (table $t 1 funcref)
        (export "a" (func $a))
        (export "b" (func $b))
        (export "edgec:kept:t0" (table $t)))"#;
    let back = r#"(module
        (type $void (func))
        (type $again (func))
        (type $other (func (param i64)))
        (table $t 1 funcref)
        (func (export "a") (type $void)
            (call_indirect (type $other) (i64.const 1) (i32.const 0)))
        (func (export "b") (type $void)
            (call_indirect (type $other) (i64.const 2) (i32.const 0))
            (call_indirect (type $void) (i32.const 0))))"#;
    let put = put_back(&parse(module), &spared(&[0, 1]), &parse(optimized)).unwrap();
    assert_eq!(bare(&put), bare(&parse(back)));
}

#[test]
fn what_nothing_uses_any_more_stays_out() {
    let module = r#"(module (func (nop)) (func (export "run")))"#;
    let optimized = r#"(module (func (export "run")))"#;
    let put = put_back(&parse(module), &spared(&[0]), &parse(optimized)).unwrap();
    let put = crate::validate(put).unwrap();
    assert_eq!(Parts::read(put.bytes()).unwrap().bodies.len(), 1);
}

#[test]
fn every_function_may_be_out() {
    let module = parse(r#"(module (func $a (export "a") call $b) (func $b call $a))"#);
    let spared = spared(&[0, 1]);
    let taken = take_out(&module, &spared).unwrap();
    assert!(Parts::read(&taken).unwrap().bodies.is_empty());
    let put = put_back(&module, &spared, &taken).unwrap();
    assert_eq!(bare(&put), bare(&module));
}

#[test]
fn names_that_are_taken_are_not_given_again() {
    let spared = spared(&[0]);
    for text in [
        r#"(module (func) (func (export "edgec:kept:f0")))"#,
        r#"(module (import "edgec:set-aside" "x" (memory 1)) (func))"#,
    ] {
        assert_eq!(take_out(&parse(text), &spared), None);
    }
}
