//! The shapes that toolchains make: shims and fixups of several generations of wit-component, and
//! libraries with a shared memory and table.

use super::*;

/// A program and its adapter, with a shim whose table is filled afterwards: wit-component 0.254.
pub(super) const SHIM: &str = r#"(component
    (import "log" (func $log (param "x" u32)))
    (import "say" (func $say (param "x" string)))
    (core module $main
        (import "s" "0" (func $say (param i32 i32)))
        (import "s" "1" (func $adapter (param i32)))
        (memory (export "m") 1)
        (data (i32.const 8) "hello")
        (func $unused (result i32) i32.const 1)
        (func (export "run") (result i32)
            (call $say (i32.const 8) (i32.const 5))
            (call $adapter (i32.const 7))
            (i32.load (i32.const 16))))
    (core module $adapter
        (import "env" "m" (memory 0))
        (import "h" "log" (func $log (param i32)))
        (import "h" "say" (func $say (param i32 i32)))
        (global $calls (mut i32) (i32.const 40))
        (func $log2 (export "f") (param i32)
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (call $say (i32.const 8) (i32.const 2))
            (i32.store (i32.const 16) (i32.add (local.get 0) (global.get $calls)))
            (call $log (local.get 0))))
    (core module $shim
        (type $two (func (param i32 i32)))
        (type $one (func (param i32)))
        (table (export "t") 2 2 funcref)
        (func $indirect-say (export "0") (type $two)
            local.get 0 local.get 1 i32.const 0 call_indirect (type $two))
        (func $adapt-f (export "1") (type $one)
            local.get 0 i32.const 1 call_indirect (type $one)))
    (core module $fixup
        (import "" "t" (table 2 2 funcref))
        (import "" "0" (func $a (param i32 i32)))
        (import "" "1" (func $b (param i32)))
        (elem (i32.const 0) func $a $b))
    (core instance $shim (instantiate $shim))
    (core instance $main (instantiate $main (with "s" (instance $shim))))
    (core func $l (canon lower (func $log)))
    (core instance $h (export "log" (func $l)) (export "say" (func $shim "0")))
    (core instance $adapter (instantiate $adapter
        (with "env" (instance $main)) (with "h" (instance $h))))
    (core func $s (canon lower (func $say) (memory $main "m")))
    (core instance $args (export "t" (table $shim "t")) (export "0" (func $s))
        (export "1" (func $adapter "f")))
    (core instance (instantiate $fixup (with "" (instance $args))))
    (func (export "run") (result u32) (canon lift (core func $main "run")))
    (func (export "run2") (result u32) (canon lift (core func $main "run"))))"#;

#[test]
fn a_shim_keeps_only_what_must_be_linked_late() {
    let flat = same(SHIM, 4, 3);
    let report = flat.report.as_ref().unwrap();
    assert_eq!(report.parts, [vec![], vec![2, 0, 1, 3], vec![]]);
    let parts = parts(&flat);
    let [slots, merged, filler] = [0, 1, 2].map(|part| &parts[part]);
    // The adapter's function is called directly. `say` uses the memory.
    assert_eq!(slots.functions.len(), 1);
    assert_eq!(filler.imports.len(), 2);
    // `say` and `log`; `run` and the adapter's function.
    assert_eq!((merged.imports.len(), merged.functions.len()), (2, 2));
    assert!(merged.tables.is_empty());
    let names = merged.names();
    let names: Vec<&str> = names.functions.values().map(String::as_str).collect();
    assert!(names.contains(&"log2"), "{names:?}");
    assert_eq!(slots.names().functions[&0], "indirect-say");
}

#[test]
fn of_three_modules_nothing_would_be_gained() {
    let text = r#"(component
        (import "say" (func $say (param "x" string)))
        (core module $shim (type $t (func (param i32 i32))) (table (export "t") 1 1 funcref)
            (func (export "0") (type $t)
                local.get 0 local.get 1 i32.const 0 call_indirect (type $t)))
        (core module $main (import "s" "0" (func $say (param i32 i32))) (memory (export "m") 1)
            (func (export "run") (result i32) (call $say (i32.const 0) (i32.const 0)) i32.const 1))
        (core module $fixup (import "" "t" (table 1 1 funcref))
            (import "" "0" (func $a (param i32 i32))) (elem (i32.const 0) func $a))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core func $s (canon lower (func $say) (memory $main "m")))
        (core instance $args (export "t" (table $shim "t")) (export "0" (func $s)))
        (core instance (instantiate $fixup (with "" (instance $args))))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#;
    let flat = flat(text);
    assert_eq!(modules(&flat), (3, 3));
    assert!(
        reasons(&flat)
            .iter()
            .all(|(_, reason)| *reason == Reason::NoGain)
    );
}

/// Later generations: the fixup has the wrappers and the start function, and destructors go through
/// the shim.
const FIXUP_WITH_START: &str = r#"(component
    (import "log" (func $log (param "x" u32)))
    (import "ask" (func $ask (result string)))
    (core module $shim
        (type $ask (func (param i32)))
        (table (export "t") 2 2 funcref)
        (func (export "0") (type $ask) local.get 0 i32.const 0 call_indirect (type $ask))
        (func (export "1") (type $ask) local.get 0 i32.const 1 call_indirect (type $ask)))
    (core module $tls (global $base (mut i32) (i32.const 5))
        (func (export "get") (result i32) global.get $base)
        (func (export "set") (param i32) (global.set $base (local.get 0))))
    (core module $main
        (import "s" "0" (func $ask (param i32)))
        (import "r" "new" (func $new (param i32) (result i32)))
        (import "r" "drop" (func $drop (param i32)))
        (import "tls" "get" (func $get (result i32)))
        (import "tls" "set" (func $set (param i32)))
        (import "h" "log" (func $log (param i32)))
        (memory (export "m") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (i32.const 64))))
        (func (export "init")
            (call $log (i32.const 100))
            (call $ask (i32.const 32))
            (call $set (i32.load (i32.const 36))))
        (func (export "dtor") (param i32) (call $log (local.get 0)))
        (func (export "run") (result i32)
            (call $drop (call $new (i32.const 77)))
            (call $get)))
    (core module $fixup
        (import "shim" "t" (table 2 2 funcref))
        (import "actual" "0" (func $ask (param i32)))
        (import "main" "dtor" (func $dtor (param i32)))
        (import "main" "init" (func $init))
        (import "main" "run" (func $run (result i32)))
        (import "tls" "set" (func $set (param i32)))
        (import "tls" "get" (func $get (result i32)))
        (func $hook (param i32) (call $dtor (i32.add (local.get 0) (i32.const 1))))
        (func $start (call $init))
        (func (export "run") (result i32)
            (call $set (i32.add (call $get) (i32.const 3)))
            (call $run))
        (elem (i32.const 0) func $ask $hook)
        (start $start))
    (core instance $shim (instantiate $shim))
    (core instance $tls (instantiate $tls))
    (type $r (resource (rep i32) (dtor (func $shim "1"))))
    (core func $new (canon resource.new $r))
    (core func $drop (canon resource.drop $r))
    (core instance $rs (export "new" (func $new)) (export "drop" (func $drop)))
    (core func $l (canon lower (func $log)))
    (core instance $h (export "log" (func $l)))
    (core instance $main (instantiate $main (with "s" (instance $shim)) (with "r" (instance $rs))
        (with "tls" (instance $tls)) (with "h" (instance $h))))
    (core func $a (canon lower (func $ask) (memory $main "m") (realloc (func $main "realloc"))))
    (core instance $actual (export "0" (func $a)))
    (core instance $fix (instantiate $fixup (with "shim" (instance $shim))
        (with "actual" (instance $actual)) (with "main" (instance $main))
        (with "tls" (instance $tls))))
    (func (export "run") (result u32) (canon lift (core func $fix "run"))))"#;

#[test]
fn a_start_function_after_the_fixup_runs_last_and_destructors_go_through_slots() {
    let flat = same(FIXUP_WITH_START, 4, 3);
    let parts = parts(&flat);
    let [slots, merged, filler] = [0, 1, 2].map(|part| &parts[part]);
    assert_eq!((slots.functions.len(), slots.tables.len()), (2, 1));
    assert_eq!(merged.start, None);
    assert!(filler.start.is_some());
}

#[test]
fn slots_in_globals_are_understood() {
    // wit-component with `shim_return_call_ref`: the start function fills the slots.
    let text = r#"(component
        (import "say" (func $say (param "x" string)))
        (core module $shim
            (type $t (func (param i32 i32)))
            (type $u (func (param i32) (result i32)))
            (func $stub (type $t) unreachable)
            (func $stub2 (type $u) unreachable)
            (global $g0 (export "g0") (mut (ref $t)) (ref.func $stub))
            (global $g1 (export "g1") (mut (ref $u)) (ref.func $stub2))
            (func (export "0") (type $t) local.get 0 local.get 1 global.get $g0 return_call_ref $t)
            (func (export "1") (type $u) local.get 0 global.get $g1 return_call_ref $u))
        (core module $main
            (import "s" "0" (func $say (param i32 i32)))
            (import "s" "1" (func $adapter (param i32) (result i32)))
            (memory (export "m") 1)
            (data (i32.const 8) "hello")
            (func (export "init") (call $say (i32.const 8) (i32.const 1)))
            (func (export "run") (result i32)
                (call $say (i32.const 8) (i32.const 5))
                (call $adapter (i32.const 7))))
        (core module $adapter (import "env" "m" (memory 0))
            (func (export "f") (param i32) (result i32)
                (i32.add (local.get 0) (i32.load8_u (i32.const 8)))))
        (core module $fixup
            (type $t (func (param i32 i32)))
            (type $u (func (param i32) (result i32)))
            (import "shim" "g0" (global $g0 (mut (ref $t))))
            (import "shim" "g1" (global $g1 (mut (ref $u))))
            (import "actual" "0" (func $a (type $t)))
            (import "adapter" "f" (func $f (type $u)))
            (import "main" "init" (func $init))
            (elem declare func $a $f)
            (func $start
                ref.func $a global.set $g0
                ref.func $f global.set $g1
                call $init)
            (start $start))
        (core instance $shim (instantiate $shim))
        (core instance $main (instantiate $main (with "s" (instance $shim))))
        (core instance $adapter (instantiate $adapter (with "env" (instance $main))))
        (core func $s (canon lower (func $say) (memory $main "m")))
        (core instance $actual (export "0" (func $s)))
        (core instance (instantiate $fixup (with "shim" (instance $shim))
            (with "actual" (instance $actual)) (with "adapter" (instance $adapter))
            (with "main" (instance $main))))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#;
    let flat = same(text, 4, 3);
    let merged = &parts(&flat)[1];
    assert!(merged.globals.is_empty());
    // Without references to functions in types, the optimizer can read what it could not read.
    assert!(
        !flat
            .program
            .features()
            .contains(wasmparser::WasmFeatures::FUNCTION_REFERENCES)
    );
}

/// Libraries with one memory and one table: `wasm-tools component link`, after a snapshot.
const LIBRARIES: &str = r#"(component
    (import "say" (func $say (param "x" string)))
    (core module $env
        (import "p1" "reset" (func $reset))
        (type $f (func (param i32) (result i32)))
        (table (export "table") 8 funcref)
        (memory (export "memory") 1)
        (global (export "__stack_pointer") (mut i32) (i32.const 1000))
        (global (export "a:memory_base") i32 (i32.const 64))
        (global (export "a:table_base") i32 (i32.const 1))
        (global (export "b:memory_base") i32 (i32.const 128))
        (global (export "b:table_base") i32 (i32.const 3))
        (global (export "b:x") (mut i32) (i32.const 68))
        (global (export "a:g") (mut i32) (i32.const 6))
        (data (i32.const 64) "abcdefgh")
        (func (export "g") (type $f) local.get 0 i32.const 6 call_indirect (type $f))
        (func (export "say") (param i32 i32) local.get 0 local.get 1 i32.const 7
            call_indirect (param i32 i32))
        (export "p1:reset" (func $reset)))
    (core module $a
        (import "env" "memory" (memory 1))
        (import "env" "table" (table 2 funcref))
        (import "env" "__stack_pointer" (global $sp (mut i32)))
        (import "env" "__memory_base" (global $base i32))
        (import "env" "__table_base" (global $table i32))
        (import "env" "g" (func $g (param i32) (result i32)))
        (import "GOT.func" "g" (global $gp (mut i32)))
        (type $f (func (param i32) (result i32)))
        (elem (global.get $table) func $one $two)
        (data (i32.add (global.get $base) (i32.const 4)) "XY")
        (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func $two (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
        (func (export "call") (param i32) (result i32)
            (global.set $sp (i32.sub (global.get $sp) (i32.const 16)))
            (i32.add
                (call_indirect (type $f) (local.get 0) (global.get $gp))
                (call $g (global.get $sp)))))
    (core module $b
        (import "env" "memory" (memory 1))
        (import "env" "table" (table 1 funcref))
        (import "env" "__table_base" (global $table i32))
        (import "GOT.mem" "x" (global $x (mut i32)))
        (import "env" "call" (func $call (param i32) (result i32)))
        (import "env" "say" (func $say (param i32 i32)))
        (import "p1" "reset" (func $reset))
        (type $f (func (param i32) (result i32)))
        (elem (global.get $table) func $g)
        (func $g (export "g") (param i32) (result i32)
            (i32.sub (local.get 0) (i32.const 3)))
        (func (export "run") (result i32)
            (call $reset)
            (call $say (global.get $x) (i32.const 2))
            (i32.add (call $call (i32.const 10))
                (call_indirect (type $f) (i32.const 4) (global.get $table)))))
    (core module $p1 (import "env" "memory" (memory 0))
        (func (export "reset") (i32.store8 (i32.const 69) (i32.const 90))))
    (core module $init
        (import "env" "table" (table 0 funcref))
        (import "env" "b:x" (global $x (mut i32)))
        (import "b" "g" (func $g (param i32) (result i32)))
        (import "fix" "say" (func $say (param i32 i32)))
        (func $no-longer-called (global.set $x (i32.const 0)))
        (elem (i32.const 6) func $g $say))
    (core module $shim (type $n (func)) (type $t (func (param i32 i32)))
        (table (export "t") 2 2 funcref)
        (func (export "0") (type $n) i32.const 0 call_indirect (type $n))
        (func (export "1") (type $t) local.get 0 local.get 1 i32.const 1 call_indirect (type $t)))
    (core module $fixup (import "" "t" (table 2 2 funcref)) (import "" "0" (func $a))
        (import "" "1" (func $b (param i32 i32))) (elem (i32.const 0) func $a $b))
    (core instance $shim (instantiate $shim))
    (core instance $p1args (export "reset" (func $shim "0")))
    (core instance $env (instantiate $env (with "p1" (instance $p1args))))
    (core instance $p1 (instantiate $p1 (with "env" (instance $env))))
    (core instance $aenv (export "memory" (memory $env "memory")) (export "table" (table $env "table"))
        (export "__stack_pointer" (global $env "__stack_pointer"))
        (export "__memory_base" (global $env "a:memory_base"))
        (export "__table_base" (global $env "a:table_base")) (export "g" (func $env "g")))
    (core instance $agot (export "g" (global $env "a:g")))
    (core instance $a (instantiate $a (with "env" (instance $aenv))
        (with "GOT.func" (instance $agot))))
    (core instance $benv (export "memory" (memory $env "memory")) (export "table" (table $env "table"))
        (export "__table_base" (global $env "b:table_base")) (export "call" (func $a "call"))
        (export "say" (func $env "say")))
    (core instance $bgot (export "x" (global $env "b:x")))
    (core instance $bp1 (export "reset" (func $env "p1:reset")))
    (core instance $b (instantiate $b (with "env" (instance $benv)) (with "GOT.mem" (instance $bgot))
        (with "p1" (instance $bp1))))
    (core func $s (canon lower (func $say) (memory $env "memory")))
    (core instance $args (export "t" (table $shim "t")) (export "0" (func $p1 "reset"))
        (export "1" (func $s)))
    (core instance (instantiate $fixup (with "" (instance $args))))
    (core instance $fixed (export "say" (func $shim "1")))
    (core instance (instantiate $init (with "env" (instance $env)) (with "b" (instance $b))
        (with "fix" (instance $fixed))))
    (func (export "run") (result u32) (canon lift (core func $b "run")))
    (func (export "run2") (result u32) (canon lift (core func $b "run"))))"#;

#[test]
fn libraries_with_a_shared_table_become_one_module() {
    let flat = same(LIBRARIES, 7, 3);
    let merged = &parts(&flat)[1];
    // Only the stack pointer changes. The table stays, with constant offsets.
    assert_eq!((merged.globals.len(), merged.tables.len()), (1, 1));
    assert_eq!(merged.elements.len(), 3);
    for element in &merged.elements {
        let wasmparser::ElementKind::Active { offset_expr, .. } = &element.kind else {
            panic!("not active");
        };
        let mut operators = offset_expr.get_operators_reader();
        let first = operators.read().unwrap();
        assert!(matches!(first, wasmparser::Operator::I32Const { .. }));
    }
    let exports: Vec<_> = merged.exports.iter().map(|export| export.kind).collect();
    assert_eq!(exports.len(), 2, "{exports:?}");
}

#[test]
fn a_main_module_that_imports_its_memory_gets_it_back() {
    let text = r#"(component
        (import "say" (func $say (param "x" string)))
        (core module $shim (memory (export "m") 1) (type $t (func (param i32 i32)))
            (table (export "t") 1 1 funcref)
            (func (export "0") (type $t)
                local.get 0 local.get 1 i32.const 0 call_indirect (type $t)))
        (core module $main (import "env" "m" (memory 1)) (import "s" "0" (func $say (param i32 i32)))
            (import "d" "say" (func $direct (param i32 i32)))
            (import "l" "twice" (func $twice (param i32) (result i32)))
            (data (i32.const 8) "hello")
            (func (export "run") (result i32) (call $say (i32.const 8) (i32.const 5))
                (call $direct (i32.const 9) (i32.const 2))
                (call $twice (i32.const 4))))
        (core module $lib (func (export "twice") (param i32) (result i32)
            (i32.mul (local.get 0) (i32.const 2))))
        (core module $fixup (import "" "t" (table 1 1 funcref))
            (import "" "0" (func $a (param i32 i32))) (elem (i32.const 0) func $a))
        (core instance $shim (instantiate $shim))
        (core instance $lib (instantiate $lib))
        (core func $s (canon lower (func $say) (memory $shim "m")))
        (core instance $d (export "say" (func $s)))
        (core instance $main (instantiate $main (with "env" (instance $shim))
            (with "s" (instance $shim)) (with "d" (instance $d)) (with "l" (instance $lib))))
        (core instance $args (export "t" (table $shim "t")) (export "0" (func $s)))
        (core instance (instantiate $fixup (with "" (instance $args))))
        (func (export "run") (result u32) (canon lift (core func $main "run"))))"#;
    let flat = same(text, 4, 3);
    let merged = &parts(&flat)[1];
    assert_eq!((merged.memories.len(), merged.data.len()), (1, 1));
    // One slot for both ways to the same function.
    assert_eq!(merged.imports.len(), 1);
}
