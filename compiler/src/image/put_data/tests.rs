//! An image with data put into it is the image that the compiler makes.

use super::*;
use crate::native::precompile::engine;
use crate::{EngineProfile, Names};

/// A component with nested components, adapters between them, and modules of every kind of data.
const COMPONENT: &str = r#"(component
    (core module $first
        (memory (export "memory") 2)
        (func (export "f") (result i32) (i32.load (i32.const 16)))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (data (i32.const 16) "{one}"))
    (component $inner
        (core module $second
            (memory (export "memory") 1)
            (func (export "g") (param i32 i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 9)
            (data (i32.const 3) "{two}") (data (i32.const 9000) "\00\00{two}"))
        (core module $passive
            (memory 1)
            (func (export "h") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))
            (data "passive") (data (i32.const 5) "active"))
        (core instance $i (instantiate $second))
        (core instance (instantiate $passive))
        (func (export "g") (param "text" string) (result u32)
            (canon lift (core func $i "g") (memory $i "memory") (realloc (func $i "realloc")))))
    (component $outer
        (import "g" (func $g (param "text" string) (result u32)))
        (core module $caller
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8)
            (data (i32.const 1) "{two}"))
        (core instance $c (instantiate $caller))
        (core func $lowered (canon lower (func $g) (memory $c "memory") (realloc (func $c "realloc"))))
        (core module $user
            (import "" "g" (func (param i32 i32) (result i32)))
            (func (export "run") (result i32) (call 0 (i32.const 1) (i32.const 2))))
        (core instance $u (instantiate $user
            (with "" (instance (export "g" (func $lowered))))))
        (func (export "run") (result u32) (canon lift (core func $u "run"))))
    (instance $a (instantiate $inner))
    (instance $b (instantiate $outer (with "g" (func $a "g"))))
    (core instance $m (instantiate $first))
    (core module $last (memory 1) (func nop) (func (export "k") (result i32)
        (i32.load (i32.const 3))) (data (i32.const 0) "\00\00\00{one}"))
    (core instance (instantiate $last))
    (func (export "run") (alias export $b "run")) )"#;

const MODULE: &str = r#"(module
    (memory (export "memory") 4)
    (func (export "f") (result i32) (i32.load (i32.const 16)))
    (data (i32.const 70000) "{one}") (data (i32.const 95000) "{two}"))"#;

fn program(text: &str, one: &str, two: &str) -> ValidComponent {
    let text = text.replace("{one}", one).replace("{two}", two);
    let text = text.replace(
        "(func (export \"run\") (alias export $b \"run\"))",
        r#"(export "run" (func $b "run"))"#,
    );
    crate::validate(wat::parse_str(text).unwrap()).unwrap()
}

/// The image of a program and its debug information: compiled as a whole, and from its code.
fn both_ways(
    whole: &ValidComponent,
    target: &str,
    profile: EngineProfile,
) -> [(Vec<u8>, Vec<u8>); 2] {
    let target = edgec_targets::find(target).unwrap();
    let finished = |mut image: NativeImage, debug: DebugSections| {
        image.trim(whole).unwrap();
        let mut info = debug.debug_info(&Names::default()).unwrap();
        info.place(image.bytes(), [0; 32]).unwrap();
        (image.into_bytes(), info.write())
    };
    let mut image = crate::precompile(whole, target, profile).unwrap();
    let debug = image.strip().unwrap();
    let at_once = finished(image, debug);

    let bare = bare_program(whole).unwrap();
    let mut image = crate::precompile(&bare, target, profile).unwrap();
    let mut debug = image.strip().unwrap();
    let engine = engine(whole, target, profile, None).unwrap();
    image.put_data(&mut debug, whole, &engine).unwrap();
    [at_once, finished(image, debug)]
}

#[test]
fn an_image_from_code_and_data_is_the_image_of_the_program() {
    let long = "z".repeat(20_000);
    for text in [COMPONENT, MODULE] {
        for (one, two) in [("a", "b"), ("text", &long), (&long, "\\01")] {
            let whole = program(text, one, two);
            for target in ["x86_64", "aarch64"] {
                for profile in [EngineProfile::Default, EngineProfile::Edge] {
                    let [at_once, joined] = both_ways(&whole, target, profile);
                    assert!(at_once == joined, "{target} {profile:?} {one:.5} {two:.5}");
                }
            }
        }
    }
}

#[test]
fn programs_that_differ_in_data_have_the_same_code() {
    let of = |one: &str, two: &str| bare_program(&program(COMPONENT, one, two)).unwrap();
    assert_eq!(of("a", "b").bytes(), of("other", "longer text").bytes());
    assert!(bare_program(&program("(component)", "", "")).is_none());
}

#[test]
fn the_image_of_another_program_is_refused() {
    let target = edgec_targets::find("x86_64").unwrap();
    let whole = program(MODULE, "a", "b");
    let engine = engine(&whole, target, EngineProfile::Edge, None).unwrap();
    let others = [
        // The data begins elsewhere in memory.
        MODULE.replace("70000", "1000"),
        // It has no data.
        "(module (memory 4))".to_owned(),
    ];
    for other in others {
        let other = program(&other, "a", "b");
        let mut image = crate::precompile(&other, target, EngineProfile::Edge).unwrap();
        let mut debug = image.strip().unwrap();
        assert!(image.put_data(&mut debug, &whole, &engine).is_none());
    }
}
