//! What happens while instances are made: start functions, segments, traps, and calls before
//! functions are linked. Each component would behave differently if it were merged wrongly.
//!
//! More than 400 lines: each case is a whole component in text.

use super::*;

/// A component with these fields, which gets the host's `log`.
fn logging(fields: &str) -> String {
    format!(
        r#"(component
        (import "log" (func $log (param "x" u32)))
        (core func $l (canon lower (func $log)))
        (core instance $h (export "log" (func $l)))
        {fields})"#
    )
}

/// The type of a core module's import of `log`.
const LOG: &str = r#"(import "h" "log" (func $log (param i32)))"#;

#[test]
fn start_functions_run_in_their_order() {
    let text = logging(&format!(
        r#"(core module $a {LOG} (global (export "g") (mut i32) (i32.const 1))
            (func $s (call $log (global.get 0)) (global.set 0 (i32.const 10))) (start $s))
        (core module $b {LOG} (import "a" "g" (global $g (mut i32)))
            (func $s (call $log (global.get $g)) (global.set $g (i32.const 20))) (start $s))
        (core module $c {LOG} (import "a" "g" (global $g (mut i32)))
            (func $s (call $log (global.get $g))) (start $s)
            (func (export "run") (result i32) (global.get $g)))
        (core instance $a (instantiate $a (with "h" (instance $h))))
        (core instance $b (instantiate $b (with "h" (instance $h)) (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "h" (instance $h)) (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $c "run")))"#
    ));
    same(&text, 3, 1);
}

#[test]
fn a_start_function_may_be_an_import() {
    let text = logging(&format!(
        r#"(core module $a {LOG} (func (export "f") (call $log (i32.const 5))))
        (core module $b (import "a" "f" (func $f)) (start $f)
            (func (export "run") (result i32) i32.const 1))
        (core instance $a (instantiate $a (with "h" (instance $h))))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run")))"#
    ));
    same(&text, 2, 1);
}

#[test]
fn no_segment_is_written_before_an_earlier_start_function_runs() {
    let text = logging(&format!(
        r#"(core module $a {LOG} (memory (export "m") 1)
            (func $s (call $log (i32.load (i32.const 0)))) (start $s))
        (core module $b (import "a" "m" (memory 1)) (data (i32.const 0) "\07"))
        (core module $c {LOG} (import "a" "m" (memory 1))
            (func (export "run") (result i32) (i32.load (i32.const 0))))
        (core instance $a (instantiate $a (with "h" (instance $h))))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "h" (instance $h)) (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $c "run")))"#
    ));
    let flat = same(&text, 3, 3);
    let expected = [
        (Some(0), Reason::NoGain),
        (Some(1), Reason::SegmentsAfterStart),
        (Some(2), Reason::NoGain),
    ];
    assert_eq!(reasons(&flat), expected);
}

#[test]
fn overlapping_segments_are_written_in_their_order() {
    let text = r#"(component
        (core module $a (memory (export "m") 1) (data (i32.const 0) "\01\02\03\04"))
        (core module $b (import "a" "m" (memory 1)) (data (i32.const 2) "\07\08"))
        (core module $c (import "a" "m" (memory 1)) (data (i32.const 1) "\09\0a")
            (func (export "run") (result i32) (i32.load (i32.const 0))))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $c "run"))))"#;
    same(text, 3, 1);
}

#[test]
fn a_segment_that_traps_keeps_its_moment() {
    // The host is told a number first.
    let text = logging(&format!(
        r#"(core module $a {LOG} (memory (export "m") 1)
            (func $s (call $log (i32.const 1))) (start $s))
        (core module $b (import "a" "m" (memory 1)) (data (i32.const 65536) "x"))
        (core module $c (import "a" "m" (memory 1)) (func (export "run") (result i32) i32.const 1))
        (core instance $a (instantiate $a (with "h" (instance $h))))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $c "run")))"#
    ));
    let flat = same(&text, 3, 3);
    assert!(reasons(&flat).contains(&(Some(1), Reason::SegmentMayTrap)));
    // Data before elements: another trap.
    let text = r#"(component
        (core module $a (memory (export "m") 1) (data (i32.const 65536) "x"))
        (core module $b (table 1 funcref) (func $f) (elem (i32.const 2) $f))
        (core module $c (func (export "run") (result i32) i32.const 1))
        (core module $d (import "c" "run" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core instance (instantiate $a))
        (core instance (instantiate $b))
        (core instance $c (instantiate $c))
        (core instance $d (instantiate $d (with "c" (instance $c))))
        (func (export "run") (result u32) (canon lift (core func $d "run"))))"#;
    same(text, 4, 3);
}

#[test]
fn code_of_another_instance_stays_between() {
    // `$twice` is instantiated more than once, and tells the host about the memory.
    let text = logging(&format!(
        r#"(core module $a (memory (export "m") 1))
        (core module $a2 (import "a" "m" (memory 1)) (data (i32.const 0) "\01"))
        (core module $twice {LOG} (import "a" "m" (memory 1))
            (func $s (call $log (i32.load (i32.const 0)))) (start $s))
        (core module $b (import "a" "m" (memory 1)) (data (i32.const 0) "\02"))
        (core module $c (import "a" "m" (memory 1))
            (func (export "run") (result i32) (i32.load (i32.const 0))))
        (core instance $a (instantiate $a))
        (core instance $a2 (instantiate $a2 (with "a" (instance $a))))
        (core instance (instantiate $twice (with "h" (instance $h)) (with "a" (instance $a))))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "a" (instance $a))))
        (core instance (instantiate $twice (with "h" (instance $h)) (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $c "run")))"#
    ));
    // Two before it, and two after it.
    same(&text, 5, 3);
}

#[test]
fn code_of_a_nested_component_stays_between() {
    let text = logging(&format!(
        r#"(core module $a (memory (export "m") 1) (func (export "f") (result i32)
            (i32.load (i32.const 0))))
        (core module $a2 (import "a" "m" (memory 1)) (data (i32.const 0) "\01"))
        (core module $b (import "a" "m" (memory 1)) (data (i32.const 0) "\02"))
        (core module $c (import "a" "m" (memory 1))
            (func (export "run") (result i32) (i32.load (i32.const 0))))
        (core instance $a (instantiate $a))
        (core instance $a2 (instantiate $a2 (with "a" (instance $a))))
        (func $f (result u32) (canon lift (core func $a "f")))
        (component $inner
            (import "log" (func $log (param "x" u32)))
            (import "f" (func $f (result u32)))
            (core func $l (canon lower (func $log)))
            (core func $g (canon lower (func $f)))
            (core module $m {LOG} (import "h" "f" (func $f (result i32)))
                (func $s (call $log (call $f))) (start $s))
            (core instance $h (export "log" (func $l)) (export "f" (func $g)))
            (core instance (instantiate $m (with "h" (instance $h)))))
        (instance (instantiate $inner (with "log" (func $log)) (with "f" (func $f))))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $c "run")))"#
    ));
    same(&text, 5, 3);
}

/// A program whose start function runs before or after the fixup, and calls through the shim.
fn starts(before: bool) -> String {
    let start = r#"(core instance (instantiate $starter (with "main" (instance $main))))"#;
    let (early, late) = match before {
        true => (start, ""),
        false => ("", start),
    };
    format!(
        r#"(component
        (import "say" (func $say (param "x" string)))
        (core module $shim (type $t (func (param i32 i32))) (type $u (func (result i32)))
            (table (export "t") 2 2 funcref)
            (func (export "0") (type $t)
                local.get 0 local.get 1 i32.const 0 call_indirect (type $t))
            (func (export "1") (type $u) i32.const 1 call_indirect (type $u)))
        (core module $main (import "s" "0" (func $say (param i32 i32)))
            (import "s" "1" (func $adapter (result i32)))
            (memory (export "m") 1) (data (i32.const 8) "hello")
            (func (export "init") (drop (call $adapter)) (call $say (i32.const 8) (i32.const 1)))
            (func (export "run") (result i32) (call $say (i32.const 8) (i32.const 5))
                (call $adapter)))
        (core module $adapter (import "env" "m" (memory 0))
            (func (export "f") (result i32)
                (i32.store8 (i32.const 9) (i32.const 65)) (i32.load (i32.const 8))))
        (core module $starter (import "main" "init" (func $init)) (start $init))
        (core module $fixup (import "" "t" (table 2 2 funcref))
            (import "" "0" (func $a (param i32 i32))) (import "" "1" (func $b (result i32)))
            (elem (i32.const 0) func $a $b))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core instance $adapter (instantiate $adapter (with "env" (instance $main))))
        {early}
        (core func $s (canon lower (func $say) (memory $main "m")))
        (core instance $args (export "t" (table $shim "t")) (export "0" (func $s))
            (export "1" (func $adapter "f")))
        (core instance (instantiate $fixup (with "" (instance $args))))
        {late}
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#
    )
}

#[test]
fn a_call_before_the_fixup_traps_as_before() {
    // The adapter's function is there, but not linked yet. So it is not called directly.
    same(&starts(true), 5, 3);
}

#[test]
fn a_start_function_after_the_fixup_finds_everything_linked() {
    same(&starts(false), 5, 3);
}

#[test]
fn a_start_function_that_calls_nothing_unknown_does_not_matter_before_the_fixup() {
    // The adapter of WASI preview 1 grows the memory by its stack.
    let quiet =
        r#"(func $grow (drop (memory.grow (i32.const 1)))) (func $s (call $grow)) (start $s)"#;
    let text = starts(false).replace(
        r#"(core module $adapter (import "env" "m" (memory 0))"#,
        &format!(r#"(core module $adapter (import "env" "m" (memory 0)) {quiet}"#),
    );
    let flat = same(&text, 5, 3);
    let modules = crate::wasm::modules::core_modules(&flat.program);
    let slots = module::Module::read(modules[0]).unwrap();
    assert_eq!(slots.functions.len(), 1);
    assert_eq!(flat.report.unwrap().starts, [2, 3]);
    // If it might call what is not linked yet, calls go through the slots.
    let loud = quiet.replace(
        "(call $grow)",
        "(call $grow) (if (i32.const 0) (then (call_indirect (i32.const 0))))",
    );
    let text = text.replace(quiet, &format!("(table 1 funcref) {loud}"));
    let flat = same(&text, 5, 3);
    let modules = crate::wasm::modules::core_modules(&flat.program);
    let slots = module::Module::read(modules[0]).unwrap();
    assert_eq!(slots.functions.len(), 2);
}

#[test]
fn a_function_that_could_be_called_at_once_is_not_linked_late() {
    // The start function calls `say`, which uses the memory of the first module. There is no shim.
    let text = r#"(component
        (import "say" (func $say (param "x" string)))
        (core module $a (memory (export "m") 1) (data (i32.const 0) "hello"))
        (core module $b (import "x" "say" (func $say (param i32 i32)))
            (func $s (call $say (i32.const 0) (i32.const 4))) (start $s)
            (func (export "f") (result i32) i32.const 2))
        (core module $c (import "b" "f" (func $f (result i32)))
            (import "x" "say" (func $say (param i32 i32)))
            (func (export "run") (result i32) (call $say (i32.const 1) (i32.const 2)) call $f))
        (core module $d (import "c" "run" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core instance $a (instantiate $a))
        (core func $s (canon lower (func $say) (memory $a "m")))
        (core instance $x (export "say" (func $s)))
        (core instance $b (instantiate $b (with "x" (instance $x))))
        (core instance $c (instantiate $c (with "b" (instance $b)) (with "x" (instance $x))))
        (core instance $d (instantiate $d (with "c" (instance $c))))
        (func (export "run") (result u32) (canon lift (core func $d "run"))))"#;
    // The start function runs after the slots are filled, which it cannot notice.
    same(text, 4, 3);
}

#[test]
fn a_call_out_of_bounds_traps_as_before() {
    // If the tables were one, the call would reach the other module's function.
    let module = |name: &str, result: u32| {
        format!(
            r#"(core module ${name} (type $f (func (result i32))) (table 1 funcref)
            (func $one (type $f) i32.const {result}) (elem (i32.const 0) $one)
            (func (export "f") (param i32) (result i32)
                (call_indirect (type $f) (local.get 0))))"#
        )
    };
    let (a, b) = (module("a", 1), module("b", 2));
    let text = format!(
        r#"(component {a} {b}
        (core module $c (import "a" "f" (func $f (param i32) (result i32)))
            (import "b" "f" (func $g (param i32) (result i32)))
            (func (export "run") (result i32)
                (i32.add (call $f (i32.const 0)) (call $g (i32.const 0))))
            (func (export "run2") (result i32) (call $f (i32.const 1))))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b))
        (core instance $c (instantiate $c (with "a" (instance $a)) (with "b" (instance $b))))
        (func (export "run") (result u32) (canon lift (core func $c "run")))
        (func (export "run2") (result u32) (canon lift (core func $c "run2"))))"#
    );
    let flat = same(&text, 3, 2);
    assert_eq!(reasons(&flat), [(Some(0), Reason::Tables)]);
}

#[test]
fn a_slot_that_changes_is_looked_up_each_time() {
    // The table is written again while the program runs.
    let text = r#"(component
        (core module $shim (type $u (func (result i32))) (table (export "t") 1 1 funcref)
            (func (export "0") (type $u) i32.const 0 call_indirect (type $u)))
        (core module $main (import "s" "0" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core module $fixup (import "s" "t" (table 1 1 funcref))
            (func $one (result i32) (table.set 0 (i32.const 0) (ref.func $two)) i32.const 1)
            (func $two (result i32) i32.const 2)
            (elem (i32.const 0) func $one)
            (elem declare func $two))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core instance (instantiate $fixup (with "s" (instance $shim))))
        (func (export "run") (result u32) (canon lift (core func $main "run")))
        (func (export "run2") (result u32) (canon lift (core func $main "run"))))"#;
    let flat = same(text, 3, 1);
    let modules = crate::wasm::modules::core_modules(&flat.program);
    let merged = module::Module::read(modules[0]).unwrap();
    assert_eq!(merged.tables.len(), 1);
}

#[test]
fn a_slot_that_is_never_filled_traps_as_before() {
    let text = r#"(component
        (core module $shim (type $u (func (result i32))) (table (export "t") 2 2 funcref)
            (func (export "0") (type $u) i32.const 0 call_indirect (type $u))
            (func (export "1") (type $u) i32.const 1 call_indirect (type $u)))
        (core module $main (import "s" "0" (func $f (result i32)))
            (import "s" "1" (func $g (result i32)))
            (func (export "run") (result i32) call $f)
            (func (export "run2") (result i32) call $g))
        (core module $lib (func (export "f") (result i32) i32.const 3))
        (core module $fixup (import "s" "t" (table 2 2 funcref))
            (import "lib" "f" (func $f (result i32))) (elem (i32.const 0) func $f))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core instance $lib (instantiate $lib))
        (core instance (instantiate $fixup (with "s" (instance $shim))
            (with "lib" (instance $lib))))
        (func (export "run") (result u32) (canon lift (core func $main "run")))
        (func (export "run2") (result u32) (canon lift (core func $main "run2"))))"#;
    same(text, 4, 2);
}

#[test]
fn a_function_of_another_type_in_a_slot_traps_as_before() {
    let text = r#"(component
        (core module $shim (type $u (func (result i32))) (table (export "t") 1 1 funcref)
            (func (export "0") (type $u) i32.const 0 call_indirect (type $u)))
        (core module $main (import "s" "0" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core module $fixup (import "s" "t" (table 1 1 funcref))
            (func $f (result i64) i64.const 3) (elem (i32.const 0) func $f))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core instance (instantiate $fixup (with "s" (instance $shim))))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#;
    same(text, 3, 1);
}

#[test]
fn a_memory_that_grows_is_the_same_for_all() {
    let text = r#"(component
        (core module $a (memory (export "m") 1 3)
            (func (export "grow") (result i32) (memory.grow (i32.const 1))))
        (core module $b (import "a" "m" (memory 1)) (import "a" "grow" (func $grow (result i32)))
            (func (export "run") (result i32)
                (drop (call $grow))
                (i32.store (i32.const 65536) (i32.const 5))
                (i32.add (memory.size) (i32.load (i32.const 65536))))
            (func (export "run2") (result i32) (drop (call $grow)) (call $grow)))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run")))
        (func (export "run2") (result u32) (canon lift (core func $b "run2"))))"#;
    same(text, 2, 1);
}

#[test]
fn a_function_with_many_parameters_goes_through_a_slot() {
    let parameters = "i32 ".repeat(24);
    let gets: String = (0..24).map(|it| format!("local.get {it} ")).collect();
    let numbers: String = (0..24)
        .map(|it| format!("(i32.const {}) ", it * 3))
        .collect();
    let text = format!(
        r#"(component
        (import "log" (func $log (param "x" u32)))
        (core module $shim (type $t (func (param {parameters})))
            (table (export "t") 1 1 funcref)
            (func (export "0") (type $t) {gets} i32.const 0 call_indirect (type $t)))
        (core module $main (import "s" "0" (func $f (param {parameters})))
            (func (export "run") (result i32) (call $f {numbers}) i32.const 1))
        (core module $lib (import "h" "log" (func $log (param i32)))
            (func (export "f") (param {parameters})
                (call $log (local.get 0)) (call $log (local.get 17)) (call $log (local.get 23))))
        (core module $fixup (import "s" "t" (table 1 1 funcref))
            (import "lib" "f" (func $f (param {parameters}))) (elem (i32.const 0) func $f))
        (core func $l (canon lower (func $log)))
        (core instance $h (export "log" (func $l)))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core instance $lib (instantiate $lib (with "h" (instance $h))))
        (core instance (instantiate $fixup (with "s" (instance $shim))
            (with "lib" (instance $lib))))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#
    );
    same(&text, 4, 1);
}
