//! A component for each reason for which an instance is not merged.

use super::*;

/// Checks that an instance of this core module stays for this reason.
fn stays(text: &str, module: Option<usize>, reason: Reason) {
    let flat = flat(text);
    let found = reasons(&flat);
    assert!(found.contains(&(module, reason)), "{found:?} {text:.2000}");
    #[cfg(feature = "precompile")]
    if !text.contains("(import \"not-in-the-host\"") {
        assert_eq!(run::run(&program(text)), run::run(&flat.program));
    }
}

/// Two modules that are merged with each other, `$f` and `$g`, and the fields in `more`.
fn beside(more: &str) -> String {
    format!(
        r#"(component
        (core module $f (func (export "f") (result i32) i32.const 3))
        (core module $g (import "f" "f" (func $f (result i32)))
            (func (export "g") (result i32) call $f))
        (core instance $f (instantiate $f))
        (core instance $g (instantiate $g (with "f" (instance $f))))
        {more})"#
    )
}

#[test]
fn a_module_from_outside_stays() {
    let text = format!(
        r#"(component (component $c
            (import "m" (core module $m (export "x" (func (result i32)))))
            {}
            (core instance $x (instantiate $m))
            (func (export "run") (result u32) (canon lift (core func $x "x"))))
        (core module $m (func (export "x") (result i32) i32.const 1))
        (instance $c (instantiate $c (with "m" (core module $m))))
        (export "run" (func $c "run")))"#,
        beside("")
            .trim_start_matches("(component")
            .trim_end_matches(')')
    );
    stays(&text, None, Reason::DefinedElsewhere);
}

#[test]
fn a_module_that_is_instantiated_again_stays() {
    let text = beside(
        r#"(core module $m (global $g (mut i32) (i32.const 0)) (func (export "x") (result i32)
            (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))
        (core instance $x (instantiate $m)) (core instance $y (instantiate $m))
        (func (export "run") (result u32) (canon lift (core func $x "x")))
        (func (export "run2") (result u32) (canon lift (core func $y "x")))"#,
    );
    stays(&text, Some(2), Reason::InstantiatedAgain);
}

#[test]
fn modules_that_are_passed_on_keep_their_numbers() {
    for more in [
        r#"(export "m" (core module $f))"#,
        "(component (alias outer 1 $f (core module)))",
        "(component (component (alias outer 2 $f (core module))))",
        "(component (alias outer 1 $f (core module)) (component (alias outer 1 0 (core module))))",
    ] {
        let flat = flat(&beside(more));
        assert_eq!(modules(&flat), (2, 2));
        assert!(
            reasons(&flat)
                .iter()
                .all(|(_, reason)| *reason == Reason::ModulesByIndex)
        );
    }
}

#[test]
fn what_only_some_can_read_is_kept_apart() {
    let text = beside(
        r#"(core module $m (tag $t) (func (export "x") (result i32)
            (block $h (try_table (catch_all $h) (throw $t))) i32.const 7))
        (core instance $x (instantiate $m))
        (func (export "run") (result u32) (canon lift (core func $x "x")))
        (func (export "run2") (result u32) (canon lift (core func $g "g")))"#,
    );
    stays(&text, Some(2), Reason::Unoptimizable);
    // The optimizer that reads everything gets one module.
    let all = flatten(program(&text), Reads::Everything);
    assert_eq!(modules(&all), (3, 1));
}

#[test]
fn a_shared_memory_stays() {
    let text = beside(
        r#"(import "not-in-the-host" (func))
        (core module $m (memory (export "m") 1 1 shared))
        (core module $n (import "m" "m" (memory 1 1 shared)))
        (core instance $m (instantiate $m))
        (core instance $n (instantiate $n (with "m" (instance $m))))"#,
    );
    stays(&text, Some(2), Reason::SharedMemory);
    stays(&text, Some(3), Reason::SharedMemory);
}

#[test]
fn a_segment_that_may_be_out_of_bounds_stays() {
    for (segment, name) in [
        (r#"(memory 1) (data (i32.const 65535) "ab")"#, "data"),
        (
            "(table 1 funcref) (func $x) (elem (i32.const 1) $x)",
            "elements",
        ),
        (r#"(memory 0) (data (i32.const -1) "")"#, "an empty segment"),
    ] {
        let text = beside(&format!(
            "(core module $m {segment}) (core instance (instantiate $m))"
        ));
        let flat = flat(&text);
        let found = reasons(&flat);
        assert!(
            found.contains(&(Some(2), Reason::SegmentMayTrap)),
            "{name}: {found:?}"
        );
    }
    // These just fit.
    let text = beside(
        r#"(core module $m (memory 1) (data (i32.const 65535) "a") (table 1 funcref) (func $x)
            (elem (i32.const 0) $x) (elem (i32.const 1)))
        (core instance (instantiate $m))
        (func (export "run") (result u32) (canon lift (core func $g "g")))"#,
    );
    same(&text, 3, 1);
}

#[test]
fn a_first_value_that_may_trap_stays() {
    // Nothing uses them, but they are computed.
    for values in [
        "(global (ref $a) (array.new_default $a (i32.const -1)))",
        "(table 1 (ref null $a) (array.new_default $a (i32.const -1)))",
        "(table 1 (ref null $a)) (elem (i32.const 0) (ref null $a) (item (array.new_default $a
            (i32.const -1))))",
    ] {
        let text = beside(&format!(
            "(core module $m (type $a (array (mut i64))) {values}) (core instance (instantiate $m))"
        ));
        stays(&text, Some(2), Reason::SegmentMayTrap);
    }
    let text = beside(
        "(core module $m (type $a (array (mut i64)))
            (global (ref $a) (array.new_default $a (i32.const 9))))
        (core instance (instantiate $m))",
    );
    let all = flatten(program(&text), Reads::Everything);
    assert_eq!(modules(&all), (3, 1));
}

#[test]
fn a_global_without_a_known_value_stays() {
    let text = r#"(component
        (core module $a (type $s (struct (field i32)))
            (global (export "g") (ref $s) (struct.new $s (i32.const 5)))
            (func (export "f") (result i32) i32.const 1))
        (core module $b (type $s (struct (field i32))) (import "a" "g" (global $g (ref $s)))
            (global $h (ref $s) (global.get $g))
            (func (export "run") (result i32) (struct.get $s 0 (global.get $h))))
        (core module $c (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run")))
        (func (export "run2") (result u32) (canon lift (core func $c "run"))))"#;
    let flat = flatten(program(text), Reads::Everything);
    assert_eq!(reasons(&flat), [(Some(1), Reason::GlobalNotConstant)]);
    assert_eq!(modules(&flat), (3, 2));
    #[cfg(feature = "precompile")]
    assert_eq!(run::run(&program(text)), run::run(&flat.program));
}

#[test]
fn a_function_within_a_larger_first_value_stays() {
    // The global of `$a` becomes one of the merged module, and no number takes its place.
    let text = r#"(component
        (core module $a (func $f (export "f") (result i32) i32.const 1)
            (global (export "g") funcref (ref.func $f)))
        (core module $b (type $s (struct (field funcref))) (import "a" "g" (global $g funcref))
            (global $h (ref $s) (struct.new $s (global.get $g)))
            (func (export "run") (result i32) (ref.is_null (struct.get $s 0 (global.get $h)))))
        (core module $c (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $c (instantiate $c (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run")))
        (func (export "run2") (result u32) (canon lift (core func $c "run"))))"#;
    let flat = flatten(program(text), Reads::Everything);
    assert_eq!(reasons(&flat), [(Some(1), Reason::GlobalNotConstant)]);
    assert_eq!(modules(&flat), (3, 2));
    #[cfg(feature = "precompile")]
    assert_eq!(run::run(&program(text)), run::run(&flat.program));
}

#[test]
fn a_function_from_a_global_outside_is_taken_from_there() {
    for takes in [
        "(table 1 funcref) (elem (i32.const 0) funcref (item (global.get $g)))",
        "(table 1 funcref (global.get $g))",
        "(table 1 funcref) (global $own funcref (global.get $g))
            (func $s (table.set (i32.const 0) (global.get $own))) (start $s)",
    ] {
        let text = format!(
            r#"(component
            (core module $twice (func $f (result i32) i32.const 7)
                (global (export "g") funcref (ref.func $f)))
            (core module $a (func (export "f") (result i32) i32.const 1))
            (core module $b (import "t" "g" (global $g funcref))
                (import "a" "f" (func $f (result i32)))
                (type $t (func (result i32)))
                {takes}
                (func (export "run") (result i32)
                    (i32.add (call $f) (call_indirect (type $t) (i32.const 0)))))
            (core instance $one (instantiate $twice))
            (core instance $two (instantiate $twice))
            (core instance $a (instantiate $a))
            (core instance $b (instantiate $b (with "t" (instance $one))
                (with "a" (instance $a))))
            (func (export "run") (result u32) (canon lift (core func $b "run"))))"#
        );
        let flat = flatten(program(&text), Reads::Everything);
        assert_eq!(modules(&flat), (3, 2), "{:?} {text}", reasons(&flat));
        #[cfg(feature = "precompile")]
        assert_eq!(run::run(&program(&text)), run::run(&flat.program));
    }
}

#[test]
fn an_import_with_two_types_stays() {
    // Without a run: a debug build of the engine takes no subtype for an import.
    let types = "(type $plain (func (result i32))) (type $super (sub (func (result i32))))
        (type $sub (sub $super (func (result i32))))";
    let text = |first: &str, second: &str| {
        format!(
            r#"(component
            (core module $twice {types} (func (export "f") (type $sub) (i32.const 7)))
            (core module $a {types} (import "t" "f" (func $f (type {first})))
                (func (export "get") (type $plain) call $f))
            (core module $b {types} (import "t" "f" (func $f (type {second})))
                (import "a" "get" (func $get (type $plain)))
                (elem declare func $f)
                (func (export "run") (type $plain)
                    (i32.add (call $get) (call_ref {second} (ref.func $f)))))
            (core instance $one (instantiate $twice))
            (core instance $two (instantiate $twice))
            (core instance $a (instantiate $a (with "t" (instance $one))))
            (core instance $b (instantiate $b (with "t" (instance $one))
                (with "a" (instance $a))))
            (func (export "run") (result u32) (canon lift (core func $b "run"))))"#
        )
    };
    for (first, second) in [("$super", "$sub"), ("$sub", "$super")] {
        let flat = flatten(program(&text(first, second)), Reads::Everything);
        assert!(reasons(&flat).contains(&(Some(2), Reason::Unread)));
    }
}

#[test]
fn segments_after_a_start_function_stay() {
    let text = r#"(component
        (core module $a (memory (export "m") 1) (func $s (i32.store (i32.const 0) (i32.const 5)))
            (start $s))
        (core module $b (import "a" "m" (memory 1)) (data (i32.const 0) "\07"))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a)))))"#;
    stays(text, Some(1), Reason::SegmentsAfterStart);
}

#[test]
fn a_start_function_between_two_fixups_stays() {
    let fixup = |name: &str, slot: u32| {
        format!(
            r#"(core module ${name} (import "" "t" (table 2 2 funcref))
            (import "" "f" (func $f (param i32 i32))) (elem (i32.const {slot}) func $f))"#
        )
    };
    let (first, second) = (fixup("first", 0), fixup("second", 1));
    let text = format!(
        r#"(component
        (import "say" (func $say (param "x" string)))
        (core module $shim (type $t (func (param i32 i32))) (table (export "t") 2 2 funcref)
            (func (export "0") (type $t)
                local.get 0 local.get 1 i32.const 0 call_indirect (type $t))
            (func (export "1") (type $t)
                local.get 0 local.get 1 i32.const 1 call_indirect (type $t)))
        (core module $main (import "s" "0" (func $f (param i32 i32)))
            (import "s" "1" (func $g (param i32 i32)))
            (memory (export "m") 1) (data (i32.const 0) "hello")
            (func (export "init") (call $f (i32.const 0) (i32.const 3)))
            (func (export "run") (result i32) (call $g (i32.const 0) (i32.const 2)) i32.const 1))
        (core module $starter (import "main" "init" (func $f)) (start $f))
        {first} {second}
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core func $l (canon lower (func $say) (memory $main "m")))
        (core func $l2 (canon lower (func $say) (memory $main "m")))
        (core instance $args (export "t" (table $shim "t")) (export "f" (func $l)))
        (core instance $args2 (export "t" (table $shim "t")) (export "f" (func $l2)))
        (core instance (instantiate $first (with "" (instance $args))))
        (core instance (instantiate $starter (with "main" (instance $main))))
        (core instance (instantiate $second (with "" (instance $args2))))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#
    );
    stays(&text, Some(2), Reason::StartBetweenFills);
}

#[test]
fn a_path_through_an_instance_that_stays_is_not_closed() {
    let text = r#"(component
        (core module $a (func (export "f") (result i32) i32.const 3))
        (core module $twice (import "a" "f" (func $f (result i32)))
            (func (export "g") (result i32) (i32.mul (call $f) (i32.const 2))))
        (core module $b (import "t" "g" (func $g (result i32)))
            (func (export "run") (result i32) call $g))
        (core instance $a (instantiate $a))
        (core instance $t (instantiate $twice (with "a" (instance $a))))
        (core instance $u (instantiate $twice (with "a" (instance $a))))
        (core instance $b (instantiate $b (with "t" (instance $t))))
        (func (export "run") (result u32) (canon lift (core func $b "run")))
        (func (export "run2") (result u32) (canon lift (core func $u "g"))))"#;
    stays(text, Some(2), Reason::ThroughAnother);
}

#[test]
fn memories_are_not_put_into_one_module() {
    let text = r#"(component
        (core module $a (memory 1) (func (export "f") (result i32) (i32.load (i32.const 0))))
        (core module $b (memory 1) (data (i32.const 0) "\05") (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) (i32.add (call $f) (i32.load (i32.const 0)))))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run"))))"#
        .replace(
            r#"(memory 1) (data (i32.const 0) "\05") (import "a" "f" (func $f (result i32)))"#,
            r#"(import "a" "f" (func $f (result i32))) (memory 1) (data (i32.const 0) "\05")"#,
        );
    stays(&text, Some(0), Reason::Memories);
    stays(&text, Some(1), Reason::Memories);
}

#[test]
fn tables_are_not_put_into_one_module() {
    let table = "(table 1 funcref) (func $x) (elem (i32.const 0) $x)";
    let text = beside(&format!(
        r#"(core module $m {table} (func (export "x") nop (call_indirect (i32.const 0))))
        (core module $n {table} (import "m" "x" (func $y)) (func (export "x") (result i32)
            (call $y) (call_indirect (i32.const 0)) i32.const 1))
        (core instance $m (instantiate $m))
        (core instance $n (instantiate $n (with "m" (instance $m))))
        (func (export "run") (result u32) (canon lift (core func $n "x")))"#
    ))
    .replace(
        &format!(r#"(core module $n {table} (import "m" "x" (func $y))"#),
        &format!(r#"(core module $n (import "m" "x" (func $y)) {table}"#),
    );
    stays(&text, Some(2), Reason::Tables);
}

#[test]
fn the_search_ends_if_many_instances_stay() {
    let modules: String = (0..40)
        .map(|it| {
            format!(
                "(core module $m{it} (table 1 funcref) (func $x) (elem (i32.const 0) $x)
                (func (export \"f{it}\") nop (call_indirect (i32.const 0))))
                (core instance (instantiate $m{it}))"
            )
        })
        .collect();
    let found = flat(&beside(&modules));
    let given_up = |reason: &(Option<usize>, Reason)| reason.1 == Reason::TooManyReasons;
    assert!(reasons(&found).iter().any(given_up));
}
