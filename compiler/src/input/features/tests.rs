//! The fast ways to the used set have the same results as the slow ones.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use super::*;
use crate::input::found::used;

fn check(text: &str, expected: &[&str]) {
    let wasm = wat::parse_str(text).unwrap();
    let used = used(&wasm);
    assert!(valid(&wasm, used));
    assert_eq!(names(used), expected, "{text}");
}

#[test]
fn the_used_set_is_small() {
    check("(module (func (local f32)))", &[]);
    check("(module (memory i64 1))", &["memory64"]);
    check(
        "(module (func (result i32) i32.const 0 i32.extend8_s))",
        &["sign_extension"],
    );
    check("(module (func (local v128)))", &["simd"]);
    check(
        "(module (func (param i32) (result i32 i32) local.get 0 local.get 0))",
        &["multi_value"],
    );
    check("(component)", &["component_model"]);
}

/// Fragments that need a feature, alone or together with others, nearly always outside of code.
const FRAGMENTS: [&str; 14] = [
    r#"(global (export "g") (mut i32) (i32.const 0))"#,
    "(type (func (result i32 i32)))",
    "(memory i64 1)",
    "(memory 1)",
    "(memory 1 1 shared)",
    "(table 1 funcref)",
    "(table 1 externref)",
    "(type (struct (field i32)))",
    // Function references or garbage collection: one of the two is enough.
    "(type $t (func)) (global (ref null $t) (ref.null $t))",
    "(tag)",
    "(type (func (param v128)))",
    "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    r#"(data "passive")"#,
    "(func (drop (i32.extend8_s (i32.const 0))))",
];

fn valid(wasm: &[u8], features: WasmFeatures) -> bool {
    walk::is_valid(wasm, features)
}

/// The expected result of [`smallest`], found by validating without every single feature.
fn shrink(keep: WasmFeatures, holds: impl Fn(WasmFeatures) -> bool) -> WasmFeatures {
    let start = SUPPORTED.union(keep);
    assert!(holds(start));
    latest_first(SUPPORTED)
        .into_iter()
        .fold(start, |set, flag| {
            let smaller = set.difference(flag).union(keep);
            if smaller != set && holds(smaller) {
                smaller
            } else {
                set
            }
        })
}

/// Checks that both fast ways to the used set have the same results as the slow ones. Returns how
/// often the program was validated to its end.
fn is_exact(wasm: &[u8], what: &str) -> usize {
    let in_code = ALWAYS | scan_code(wasm).unwrap();
    let passed = Cell::new(0);
    let outside = |set| {
        let valid = walk::outside(wasm, set);
        passed.set(passed.get() + usize::from(valid.is_ok()));
        valid
    };
    let (found, _) = smallest(SUPPORTED, in_code, outside).unwrap();
    let passed = passed.get();
    let exact = shrink(in_code, |set| walk::outside(wasm, set).is_ok());
    assert_eq!(names(found), names(exact), "{what}");
    let exact = with_collector(shrink(ALWAYS, |set| valid(wasm, set)));
    assert_eq!(names(asked(wasm)), names(exact), "{what}");
    passed
}

#[test]
fn the_short_way_to_the_used_set_ends_where_the_long_way_does() {
    let mut modules = Vec::new();
    for set in 0u32..1 << FRAGMENTS.len() {
        if set.count_ones() <= 2 || set + 1 == 1 << FRAGMENTS.len() {
            let fragments = FRAGMENTS.iter().zip(0u32..);
            let fragments = fragments.filter(|(_, number)| set & (1u32 << *number) != 0);
            modules.push(fragments.map(|(text, _)| *text).collect::<String>());
        }
    }
    for module in &modules {
        for text in [
            format!("(module {module})"),
            format!("(component (core module {module}))"),
        ] {
            let wasm = wat::parse_str(&text).unwrap();
            // The validator always says which feature is missing. So the one necessary validation
            // succeeds, and seldom one that shows that a feature can be replaced.
            let passed = is_exact(&wasm, &text);
            assert!((1..=2).contains(&passed), "{passed}: {text}");
        }
    }
}

#[test]
fn so_it_does_for_whole_programs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut programs = 0;
    for folder in [
        "examples",
        "fuzz/seeds/component",
        "fuzz/seeds/reencode",
        "fuzz/regressions/reencode",
    ] {
        for file in fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            if kind == Some("wat") || kind == Some("wasm") {
                let wasm = wat::parse_file(&path).unwrap();
                if valid(&wasm, SUPPORTED) {
                    is_exact(&wasm, &path.display().to_string());
                    programs += 1;
                }
            }
        }
    }
    for text in [
        "(component (type (stream u8)))",
        "(module (type $a (sub (struct))) (type $b (sub $a (struct (field i32)))) \
         (func (result (ref null $a)) (ref.null $b)))",
        "(module (rec (type $a (struct (field (ref null $b)))) (type $b (array (mut i8)))) \
         (global (ref null $a) (ref.null $a)))",
        // Neither the table nor the code alone shows which proposal its references belong to.
        "(module (type $t (func)) (table 1 (ref null $t)) \
         (func (param (ref null $t)) (call_ref $t (local.get 0))))",
        "(module (tag $e (param i32)) (func (throw $e (i32.const 0))))",
        "(module (memory i64 1) (memory 1) (func (drop (i64.load (i64.const 0)))))",
    ] {
        is_exact(&wat::parse_str(text).unwrap(), text);
        programs += 1;
    }
    assert!(programs > 12, "{programs}");
}

#[test]
fn what_is_not_valid_uses_nothing() {
    for text in [
        "(module (export \"a\" (func 0)))",
        "(module (memory 1 (pagesize 1)))",
    ] {
        let wasm = wat::parse_str(text).unwrap();
        assert!(scanned(&wasm, None).is_none(), "{text}");
    }
}

#[test]
fn exact_types_in_code_are_found_and_refused() {
    for body in [
        "(drop (ref.null (exact $s)))",
        "(local (ref null (exact $s)))",
    ] {
        let text = format!("(module (type $s (struct)) (func {body}))");
        let wasm = wat::parse_str(text).unwrap();
        assert!(used(&wasm).intersects(ONLY_SCANNED), "{body}");
        let refused = crate::validate(wasm);
        let by_engine = matches!(refused, Err(crate::ValidateError::Engine { .. }));
        assert!(by_engine, "{body}");
    }
}

#[test]
fn garbage_collection_is_told_from_function_tables() {
    let gc = |text: &str| used(&wat::parse_str(text).unwrap()).contains(WasmFeatures::GC_TYPES);
    assert!(!gc("(module (table 1 funcref))"));
    assert!(gc("(module (table 1 externref))"));
    assert!(gc("(module (type (struct)))"));
    assert!(gc("(module (func (local externref)))"));
    assert!(gc("(module (tag))"));
}
