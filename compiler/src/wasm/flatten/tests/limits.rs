//! Components that are too large to be merged.

use super::*;

#[test]
fn a_component_with_very_many_imports_stays() {
    let items = "$f ".repeat(100_000);
    let again = "(core instance (instantiate $m))".repeat(90);
    let text = format!(
        "(component (core module $m (table 100000 funcref) (func $f) (elem (i32.const 0) {items}))
        {again})"
    );
    let found = flat(&text);
    assert_eq!(reasons(&found).len(), 90);
    assert!(reasons(&found).contains(&(Some(0), Reason::TooLarge)));
}

#[test]
fn a_component_with_very_many_runs_stays() {
    // Something of each run is looked at for each other one.
    let text = |functions: usize| {
        let functions = "(core func (canon lower (func $log)))".repeat(functions);
        let runs: String = (0..200)
            .map(|it| {
                format!(
                    r#"(core module $a{it} (func (export "f")))
                    (core module $b{it} (import "a" "f" (func)))
                    (core instance $a{it} (instantiate $a{it}))
                    (core instance (instantiate $b{it} (with "a" (instance $a{it}))))
                    (core instance (instantiate $between))"#
                )
            })
            .collect();
        format!(
            r#"(component (import "log" (func $log (param "x" u32)))
            (core module $between (func $s) (start $s)) {functions} {runs})"#
        )
    };
    assert_eq!(modules(&flat(&text(10))), (401, 201));
    let found = flat(&text(90_000));
    assert!(reasons(&found).contains(&(Some(1), Reason::TooLarge)));
    assert_eq!(modules(&found), (401, 401));
}

#[test]
fn a_merged_module_is_not_larger_than_modules_may_be() {
    let text = |segments: usize| {
        let segments = r#"(data (i32.const 0) "")"#.repeat(segments);
        format!(
            r#"(component
            (core module $a (memory (export "m") 1) {segments})
            (core module $b (import "a" "m" (memory 1)) {segments}
                (func (export "run") (result i32) (i32.load (i32.const 0))))
            (core instance $a (instantiate $a))
            (core instance $b (instantiate $b (with "a" (instance $a))))
            (func (export "run") (result u32) (canon lift (core func $b "run"))))"#
        )
    };
    assert_eq!(modules(&flat(&text(10))), (2, 1));
    let found = flat(&text(50_001));
    assert!(reasons(&found).contains(&(Some(1), Reason::TooLarge)));
}

#[test]
fn an_instance_stays_as_small_as_a_pool_allows() {
    // So many globals that a function writes.
    let globals = |number: usize| {
        let globals = "(global (mut i32) (i32.const 0))".repeat(number);
        let sets: String = (0..number)
            .map(|it| format!("(global.set {it} (i32.const 1))"))
            .collect();
        format!(r#"{globals} (func (export "f") {sets})"#)
    };
    let text = |number: usize| {
        let globals = globals(number);
        format!(
            r#"(component (core module $a {globals})
            (core module $b {globals} (func (export "g")))
            (core instance $a (instantiate $a)) (core instance $b (instantiate $b))
            (func (export "run") (canon lift (core func $a "f")))
            (func (export "run2") (canon lift (core func $b "f"))))"#
        )
    };
    let small = flat(&text(1000));
    assert_eq!(modules(&small), (2, 1));
    let large = flat(&text(20_000));
    assert!(reasons(&large).contains(&(Some(1), Reason::InstanceSize)));
}

#[test]
fn there_are_not_more_slots_than_a_pool_allows() {
    let text = |slots: usize| {
        let lowered: String = (0..slots)
            .map(|it| format!(r#"(core func $l{it} (canon lower (func $say) (memory $a "m")))"#))
            .collect();
        let given: String = (0..slots)
            .map(|it| format!(r#"(export "{it}" (func $l{it}))"#))
            .collect();
        let taken: String = (0..slots)
            .map(|it| format!(r#"(import "x" "{it}" (func (param i32 i32)))"#))
            .collect();
        let calls: String = (0..slots)
            .map(|it| format!("(call {it} (i32.const 0) (i32.const 0))"))
            .collect();
        format!(
            r#"(component
            (import "say" (func $say (param "x" string)))
            (core module $a (memory (export "m") 1))
            (core module $b {taken} (func (export "run") {calls}))
            (core module $c (import "b" "run" (func $f)) (func (export "run") call $f))
            (core module $d (import "c" "run" (func $f)) (func (export "run") call $f))
            (core instance $a (instantiate $a))
            {lowered}
            (core instance $x {given})
            (core instance $b (instantiate $b (with "x" (instance $x))))
            (core instance $c (instantiate $c (with "b" (instance $b))))
            (core instance $d (instantiate $d (with "c" (instance $c))))
            (func (export "run") (canon lift (core func $d "run"))))"#
        )
    };
    assert_eq!(modules(&flat(&text(10))), (4, 3));
    let many = flat(&text(20_001));
    assert!(
        reasons(&many)
            .iter()
            .any(|(_, reason)| *reason == Reason::Slots)
    );
}
