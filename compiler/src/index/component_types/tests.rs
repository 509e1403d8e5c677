//! The parts, uses and depth of types.

use wasmparser::{Encoding, Parser};

use super::*;

/// How many parts are walked for the sections of a component.
fn used(wasm: &[u8]) -> u64 {
    let mut types = ComponentTypes::default();
    let mut used = 0;
    let mut in_module = false;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::Version { encoding, .. } => {
                in_module = encoding == Encoding::Module;
                if !in_module {
                    types.begin();
                }
            }
            Payload::End(_) if in_module => in_module = false,
            Payload::End(offset) => types.end(offset),
            payload => used += types.read(wasm, &payload).unwrap(),
        }
    }
    assert_eq!(types.too_deep, None);
    used
}

fn used_of(text: &str) -> u64 {
    let wasm = wat::parse_str(text).unwrap();
    crate::validate(wasm.clone()).unwrap();
    used(&wasm)
}

#[test]
fn a_type_has_the_parts_of_all_that_it_refers_to() {
    for (types, parts) in [
        ("(type $t u8)", 1),
        ("(type $t (tuple u8 u8))", 3),
        ("(type $t (list u8))", 2),
        ("(type $t (option (list u8)))", 3),
        ("(type $t (result u8 (error (list u8))))", 4),
        (
            "(type $a (tuple u8 u8)) (type $b (tuple $a $a)) (type $t (tuple $b $b))",
            15,
        ),
        (
            "(type $t (instance (export \"r\" (type $r (sub resource))) \
             (export \"f\" (func (param \"r\" (borrow $r))))))",
            // The instance, the resource, the function and its parameter.
            1 + 10 + 2,
        ),
    ] {
        let kind = match types.contains("instance") {
            true => "instance",
            false => "func",
        };
        let (import, more) = match kind {
            // The exports of the type are used as well.
            "instance" => ("(import \"i\" (instance (type $t)))".to_owned(), 10 + 2),
            _ => ("(import \"i\" (func (param \"p\" $t)))".to_owned(), 1),
        };
        let text = format!("(component {types} {import})");
        assert_eq!(used_of(&text), parts + more, "{text}");
    }
}

#[test]
fn what_has_a_type_is_followed_to_it() {
    let ty = "(type $t (tuple u8 u8 u8 u8))";
    let import = "(import \"t\" (type $i (eq $t)))";
    // As part of an instance, as an outer alias, and by the name of an export.
    for (text, expected) in [
        (format!("(component {ty} {import})"), 5),
        (
            format!(
                "(component {ty} (type $j (instance (alias outer 1 $t (type $u)) \
                     (export \"e\" (type (eq $u))))) (import \"a\" (instance $x (type $j))) \
                     (alias export $x \"e\" (type $e)) (import \"b\" (type (eq $e))))"
            ),
            // The outer alias, the exports of the instance's type, the instance, and the type.
            5 + 5 + 6 + 5,
        ),
        (
            format!(
                "(component {ty} (component $c (alias outer 1 $t (type $u)) \
                     (import \"a\" (type (eq $u)))))"
            ),
            5 + 5,
        ),
    ] {
        assert_eq!(used_of(&text), expected, "{text}");
    }
}

#[test]
fn imports_and_exports_of_a_component_type_are_uses() {
    let text = "(component (type (component \
         (type $t (instance (export \"r\" (type (sub resource))))) \
         (import \"a\" (instance (type $t))) (export \"b\" (instance (type $t))))))";
    assert_eq!(used_of(text), 10 + 11 + 11);
}

#[test]
fn canonical_functions_use_what_they_pass() {
    for (function, parts) in [
        ("stream.read $s async", 6),
        ("future.read $f async", 6),
        ("task.return (result $t)", 5),
    ] {
        let text = format!(
            "(component (type $t (tuple u8 u8 u8 u8)) (type $s (stream $t)) (type $f (future $t)) \
             (core module $m (memory (export \"m\") 1)) (core instance $i (instantiate $m)) \
             (alias core export $i \"m\" (core memory $m)) \
             (core func (canon {function} (memory $m))))"
        );
        assert_eq!(used_of(&text), parts, "{function}");
    }
}

/// A component with this many nested instance types.
fn nested(depth: usize) -> Vec<u8> {
    let types = [
        &[0x01_u8][..],
        &[0x42, 0x01, 0x01].repeat(depth - 1),
        &[0x42, 0x00],
    ]
    .concat();
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::RawSection {
        id: wasm_encoder::ComponentSectionId::Type.into(),
        data: &types,
    });
    component.finish()
}

#[test]
fn types_are_nested_so_deep_and_no_deeper() {
    crate::validate(nested(MAX_NESTING)).unwrap();
    for depth in [MAX_NESTING + 1, 5000, 1_000_000] {
        let error = crate::validate(nested(depth)).unwrap_err();
        let error = error.to_string();
        let begins = "component types are nested more than 100 deep (at offset 0x";
        assert!(error.starts_with(begins), "{error}");
    }
}

#[test]
fn types_that_refer_to_each_other_are_nested() {
    let instances = |depth: usize| {
        let types = (1..depth).map(|at| {
            format!(
                "(type $t{at} (instance (alias outer 1 $t{} (type $u)) \
                 (export \"e\" (instance (type $u)))))",
                at - 1
            )
        });
        format!(
            "(component (type $t0 (instance)) {})",
            types.collect::<String>()
        )
    };
    // The program itself contains nothing: its components are not exported.
    let components = |depth: usize| {
        let components = (1..depth).map(|at| {
            format!(
                "(component $c{at} (alias outer 1 $c{} (component $d)) \
                 (export \"e\" (component $d)))",
                at - 1
            )
        });
        format!(
            "(component (component $c0) {})",
            components.collect::<String>()
        )
    };
    let text = [&instances as &dyn Fn(usize) -> String, &components];
    for text in text {
        let wasm = |depth| wat::parse_str(text(depth)).unwrap();
        crate::validate(wasm(MAX_NESTING)).unwrap();
        // The validator would panic from the second one on.
        for depth in [MAX_NESTING + 1, 128, 400] {
            let error = crate::validate(wasm(depth)).unwrap_err().to_string();
            let begins = "component types are nested more than 100 deep (at offset 0x";
            assert!(error.starts_with(begins), "{error}");
        }
    }
}

#[test]
fn types_that_double_are_cheap_until_they_are_used() {
    let types = |levels: usize| {
        let doubled = (1..=levels).map(|at| format!("(type $t{at} (tuple $t{0} $t{0}))", at - 1));
        format!("(type $t0 (tuple u8 u8)) {}", doubled.collect::<String>())
    };
    let imports = |count: usize| {
        let import = |at| format!("(import \"f{at}\" (func (param \"p\" $t12)))");
        (0..count).map(import).collect::<String>()
    };
    let component = |count| format!("(component {} {})", types(12), imports(count));
    // The tuple has 2^14 - 1 parts, the function one more.
    assert_eq!(used_of(&component(10)), 10 << 14);
    let wasm = wat::parse_str(component(70)).unwrap();
    let error = crate::validate(wasm).unwrap_err().to_string();
    let begins = "more than 1000000 parts of types, counted again for each use, are not supported";
    assert!(error.starts_with(begins), "{error}");
}
