//! Reads small components.

use super::*;
use crate::wasm::flatten::canonical::uses;

const COMPONENT: &str = r#"(component
    (import "f" (func $f (param "x" string)))
    (core module $m (memory (export "m") 1) (func (export "r") (param i32 i32 i32 i32)
        (result i32) unreachable) (func (export "d") (param i32)))
    (core instance $i (instantiate $m))
    (alias core export $i "d" (core func $d))
    (type $r (resource (rep i32) (dtor (func $d))))
    (core func $l (canon lower (func $f) (memory $i "m") (realloc (func $i "r"))))
    (core func $n (canon resource.new $r))
    (component $c)
    (instance (instantiate $c)))"#;

#[test]
fn entries_are_read_in_order_with_their_bytes() {
    let wasm = wat::parse_str(COMPONENT).unwrap();
    let level = Level::read(&wasm).unwrap();
    let kinds = level.items.iter().map(|item| kind(&item.what));
    // The text format adds a section of names.
    let kinds: Vec<&str> = kinds.filter(|kind| *kind != "custom").collect();
    // The text format makes the aliases and the type that it needs.
    let expected = [
        "other",
        "other",
        "module",
        "instance",
        "export",
        "resource",
        "export",
        "export",
        "canonical",
        "canonical",
        "component",
        "other",
    ];
    assert_eq!(kinds, expected);
    assert!(!level.names_modules);
    // The index of a function is that of its entry.
    let lowered = level.item(Sort::CoreFunc, 2).unwrap();
    let What::Canonical(function) = &level.items[lowered].what else {
        panic!("not a lowered function");
    };
    let used = uses(function).unwrap();
    assert_eq!(used.core.len(), 2);
    assert_eq!(used.others, [(Sort::Func, 0)]);
    assert_eq!(level.item(Sort::CoreFunc, 99), None);
}

fn kind(what: &What<'_>) -> &'static str {
    match what {
        What::Module => "module",
        What::SameModule(_) => "same",
        What::OtherModule => "other module",
        What::CoreInstance(_) => "instance",
        What::CoreExport { .. } => "export",
        What::Canonical(_) => "canonical",
        What::Lift(_) => "lift",
        What::Resource(..) => "resource",
        What::Component => "component",
        What::Other(_) => "other",
        What::Section(_) => "section",
        What::Custom(_) => "custom",
    }
}

#[test]
fn a_component_that_may_run_code_is_known() {
    let runs = |inner: &str| {
        let text = format!("(component (component $c {inner}) (instance (instantiate $c)))");
        let wasm = wat::parse_str(text).unwrap();
        let level = Level::read(&wasm).unwrap();
        let mut others = level.items.iter().filter_map(|item| match item.what {
            What::Other(runs) => Some(runs),
            _ => None,
        });
        others.next().unwrap()
    };
    assert_eq!(runs("(type u8) (core module (func))"), Runs::Nothing);
    let instance = "(core module $m) (core instance (instantiate $m))";
    assert_eq!(runs(instance), Runs::Code);
    let nested = format!("(component $d {instance}) (instance (instantiate $d))");
    assert_eq!(runs(&nested), Runs::Code);
}

#[test]
fn uses_of_modules_by_index_are_known() {
    let names = |text: &str| {
        let wasm = wat::parse_str(format!("(component (core module $m) {text})")).unwrap();
        Level::read(&wasm).unwrap().names_modules
    };
    assert!(!names(
        "(core instance (instantiate $m)) (component (core module))"
    ));
    for text in [
        r#"(export "m" (core module $m))"#,
        r#"(instance (export "m" (core module $m)))"#,
        r#"(component $c (import "m" (core module)))
           (instance (instantiate $c (with "m" (core module $m))))"#,
    ] {
        assert!(names(text), "{text}");
    }
}

#[test]
fn core_modules_from_further_out_are_known() {
    let takes = |text: &str| {
        let text = format!("(component $top (core module $m) (component $c {text}))");
        let wasm = wat::parse_str(text).unwrap();
        let level = Level::read(&wasm).unwrap();
        assert!(level.takes.is_empty());
        let mut inner = level.items.iter();
        let inner = inner.find(|item| matches!(item.what, What::Component));
        let inner = Level::read(inner.unwrap().bytes).unwrap();
        inner.takes.into_iter().collect::<Vec<u32>>()
    };
    assert!(takes("(core module)").is_empty());
    assert_eq!(takes("(alias outer $top $m (core module))"), [1]);
    // That is a module of the component itself.
    let own = "(core module $n) (alias outer $c $n (core module))";
    assert!(takes(own).is_empty());
}
