//! Row 38 of `docs/threat-model.md`: if totals cost much more than their bytes, the program is
//! refused before anything walks them. `docs/limits.md` lists the totals.
#![cfg(unix)]

use edgec_tests::Sandbox;
use edgec_tests::corpus::bombs::{
    doubling_arguments, doubling_by_another, doubling_captures, instances_with_imports,
    jumps_through_supertypes, modules_behind_names, modules_in_components, nested_types,
    resources_imported,
};
use edgec_tests::corpus::refused;

const BUILD: &[&str] = &[
    "build", "-q", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
];

/// Each error has a name, and says which total, how large it is, where, and what to do. No file
/// remains.
#[test]
fn row_38_totals_have_limits() {
    let sandbox = Sandbox::new();
    for (program, says) in [
        (
            modules_in_components(5, 1_000),
            "more than 1000 core modules and components are not supported: the program has 5006 \
             and passes the limit (at offset 0x",
        ),
        (
            modules_in_components(1, 999),
            "more than 1000 core modules and components are not supported: the program has 1001 \
             and passes the limit (at offset 0x",
        ),
        (
            modules_behind_names(5_000, 900),
            "more than 4000000 imports and exports of components, counted again for each core \
             module and component after them, are not supported: the program has 4505000 ",
        ),
        (
            instances_with_imports(1_000, 4_001).into_bytes(),
            "more than 4000000 imports of core modules, counted again for each instance, are not \
             supported: the program has 4001000 ",
        ),
        (
            instances_with_imports(0, 10_000).into_bytes(),
            "more than 10000 instances of core modules and components are not supported: the \
             program has 10001 ",
        ),
        (
            jumps_through_supertypes(1_000, 63, 15_000).into_bytes(),
            "more than 200000000 comparisons of operands with long lists of parameters or results \
             are not supported: the program has 960064000 and passes the limit",
        ),
        (
            b"(module (type $a (array i32)) (func unreachable array.new_fixed $a 4000000000 drop))"
                .to_vec(),
            "more than 200000000 comparisons of operands with long lists of parameters or results \
             are not supported: the program has 4000000000 and passes the limit",
        ),
        (
            nested_types(100_000),
            "component types are nested more than 100 deep (at offset 0x",
        ),
        (
            resources_imported(500, 400).into_bytes(),
            "more than 1000000 parts of types, counted again for each use, are not supported: the \
             program has 2005400 and passes the limit",
        ),
        (
            doubling_arguments(40).into_bytes(),
            "instantiating it copies more than 1000000 entries of instances and components",
        ),
        (
            doubling_captures(40).into_bytes(),
            "instantiating it copies more than 1000000 entries of instances and components",
        ),
        (
            doubling_by_another(40).into_bytes(),
            "instantiating it makes more than 10000 instances",
        ),
    ] {
        sandbox.write("in.wasm", program);
        for verb in [&["validate"][..], BUILD] {
            let stderr = refused(&sandbox, &[verb, &["in.wasm"]].concat(), "unsupported");
            assert!(stderr.contains(says), "{says}: {stderr}");
            assert!(stderr.contains("hint: "), "{stderr}");
        }
    }
}

/// edgec counts first, so it does not blame the engine. A text has no offsets, so the error names a
/// core module, a component or a function as the place.
#[test]
fn row_38_a_limit_has_a_place_and_a_cure() {
    let sandbox = Sandbox::new();
    for (text, count, place, advice) in [
        (
            format!("(component {})", "(core module)".repeat(1_000)),
            "has 1001",
            "in core module 999",
            "build it as several programs",
        ),
        (
            instances_with_imports(0, 10_000),
            "has 10001",
            "in the outermost component",
            "build it as several programs",
        ),
        (
            "(module (type $a (array i32)) (func)
                (func unreachable array.new_fixed $a 4000000000 drop))"
                .to_owned(),
            "has 4000000000",
            "in function 1",
            "pass a struct in their place, or shorten the jump tables",
        ),
    ] {
        sandbox.write("in.wat", &text);
        sandbox.write("in.wasm", wat::parse_str(&text).unwrap());
        for (input, is_text) in [("in.wat", true), ("in.wasm", false)] {
            let stderr = refused(&sandbox, &["validate", input], "unsupported");
            let begins =
                format!("error[unsupported]: {input}: beyond a limit of edgec: more than ");
            assert!(stderr.starts_with(&begins), "{stderr}");
            assert!(stderr.contains(count), "{stderr}");
            assert!(stderr.contains(&format!("{place})\n")), "{stderr}");
            assert_eq!(stderr.contains("at offset 0x"), !is_text, "{stderr}");
            let hint = format!("  hint: {advice}; docs/limits.md has the limits\n");
            let more = "  more: edgec explain unsupported\n";
            assert!(stderr.ends_with(&(hint + more)), "{stderr}");
            assert_eq!(stderr.matches(advice).count(), 1, "{stderr}");
        }
    }
}

/// Programs just within the limits are built.
#[test]
fn row_38_totals_within_the_limits() {
    let sandbox = Sandbox::new();
    for program in [
        modules_in_components(1, 998),
        modules_in_components(3, 332),
        modules_behind_names(5_000, 799),
        instances_with_imports(100, 900).into_bytes(),
        jumps_through_supertypes(1_000, 63, 100).into_bytes(),
        nested_types(50),
        resources_imported(50, 40).into_bytes(),
        doubling_arguments(10).into_bytes(),
        doubling_captures(10).into_bytes(),
        doubling_by_another(6).into_bytes(),
    ] {
        sandbox.write("in.wasm", program);
        sandbox.ok(&["validate", "in.wasm"]);
    }
    sandbox.write("in.wasm", modules_in_components(1, 998));
    sandbox.ok(&[BUILD, &["-O0", "in.wasm"]].concat());
    sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);
}
