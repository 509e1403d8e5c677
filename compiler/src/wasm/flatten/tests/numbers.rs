//! What is renumbered, and what is written in another place.

use super::*;
use crate::wasm::flatten::graph::Graph;
use crate::wasm::flatten::level::Level;

#[test]
fn a_lifted_function_between_members_comes_after_the_merged_instance() {
    let text = r#"(component
        (core module $a (func (export "f") (result i32) i32.const 3))
        (core module $b (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core instance $a (instantiate $a))
        (func $early (result u32) (canon lift (core func $a "f")))
        (export "run2" (func $early))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run"))))"#;
    same(text, 2, 1);
}

#[test]
fn an_instance_that_stays_gets_what_it_imports() {
    // `$twice` is instantiated more than once, and imports of merged instances.
    let text = r#"(component
        (import "log" (func $log (param "x" u32)))
        (core module $a (memory (export "m") 1) (global (export "g") (mut i32) (i32.const 2))
            (func (export "f") (result i32) i32.const 3) (func (export "h") (result i32) i32.const 4))
        (core module $b (import "a" "g" (global $g (mut i32))) (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) (i32.add (call $f) (global.get $g))))
        (core module $twice (import "x" "m" (memory 1)) (import "x" "g" (global $g (mut i32)))
            (import "x" "h" (func $h (result i32)))
            (func (export "up") (result i32)
                (global.set $g (i32.add (global.get $g) (call $h)))
                (global.get $g)))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $one (instantiate $twice (with "x" (instance $a))))
        (core instance $two (instantiate $twice (with "x" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $one "up")))
        (func (export "run2") (result u32) (canon lift (core func $two "up")))
        (func (export "run3") (result u32) (canon lift (core func $b "run"))))"#;
    let flat = same(text, 3, 2);
    assert_eq!(
        reasons(&flat),
        [
            (Some(2), Reason::InstantiatedAgain),
            (Some(2), Reason::InstantiatedAgain)
        ]
    );
}

#[test]
fn very_many_arguments_with_the_same_items_are_one_instance() {
    // A component may have a thousand instances.
    let imports: String = (0..1200)
        .map(|it| format!(r#"(import "m{it}" "f" (func $f{it} (result i32)))"#))
        .collect();
    let args: String = (0..1200)
        .map(|it| format!(r#"(with "m{it}" (instance $a))"#))
        .collect();
    let text = format!(
        r#"(component
        (core module $a (func (export "f") (result i32) i32.const 3))
        (core module $b (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core module $twice {imports}
            (func (export "run") (result i32) (i32.add (call $f0) (call $f1199))))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (core instance $one (instantiate $twice {args}))
        (core instance $two (instantiate $twice {args}))
        (func (export "run") (result u32) (canon lift (core func $one "run")))
        (func (export "run2") (result u32) (canon lift (core func $b "run"))))"#
    );
    same(&text, 3, 2);
}

#[test]
fn a_reference_to_a_function_stays_declared() {
    // The only declaration was an export that nothing needs any more.
    let text = r#"(component
        (core module $a (func $f (export "f") (result i32) i32.const 3)
            (table $t 1 funcref) (type $r (func (result i32)))
            (func (export "set") (table.set $t (i32.const 0) (ref.func $f)))
            (func (export "call") (result i32) (call_indirect (type $r) (i32.const 0))))
        (core module $b (import "a" "set" (func $set)) (import "a" "call" (func $call (result i32)))
            (func (export "run") (result i32) call $set call $call))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run"))))"#;
    let flat = same(text, 2, 1);
    let merged = &parts(&flat)[0];
    // The component exports `run`. A segment that declares functions would need another feature.
    assert_eq!((merged.exports.len(), merged.elements.len()), (2, 0));
    let with = text.replace(
        "(table $t 1 funcref)",
        "(table $t 1 funcref) (elem $e func) (func (elem.drop $e))",
    );
    let flat = same(&with, 2, 1);
    let merged = &parts(&flat)[0];
    assert_eq!((merged.exports.len(), merged.elements.len()), (1, 1));
}

#[test]
fn passive_segments_and_tags_are_renumbered() {
    let text = r#"(component
        (core module $a
            (tag $t (param i32))
            (data $d "aaaa")
            (memory $m (export "m") 1)
            (func (export "f") (result i32)
                (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4))
                (data.drop $d)
                (block $h (result i32)
                    (try_table (catch $t $h) (throw $t (i32.load (i32.const 0))))
                    unreachable)))
        (core module $b
            (import "a" "m" (memory $m 1))
            (tag $unused)
            (tag $t (param i32))
            (data $other "unused")
            (data $d "bbbb")
            (func (export "f") (result i32)
                (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4))
                (data.drop $d)
                (block $h (result i32)
                    (try_table (catch $t $h) (throw $t (i32.load (i32.const 0))))
                    unreachable)))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $a "f")))
        (func (export "run2") (result u32) (canon lift (core func $b "f"))))"#;
    let flat = same(text, 2, 1);
    let merged = &parts(&flat)[0];
    assert_eq!((merged.tags.len(), merged.data.len()), (2, 2));
}

#[test]
fn imports_lead_through_groups_and_exports_of_imports() {
    let text = r#"(component
        (core module $a (func (export "f")))
        (core module $b (import "x" "f" (func $f)) (export "again" (func $f)))
        (core instance $a (instantiate $a))
        (core instance $group (export "f" (func $a "f")))
        (core instance $b (instantiate $b (with "x" (instance $group))))
        (core instance $last (export "g" (func $b "again"))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let level = Level::read(&wasm).unwrap();
    let graph = Graph::build(&level).unwrap();
    let last = graph.exports(graph::Node(graph.nodes.len() - 1));
    let own = graph::Entity::Own(graph::Node(0), module::Space::Func, 0);
    assert_eq!(last, [("g", module::Space::Func, own)]);
}
