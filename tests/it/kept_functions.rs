//! Functions that are kept from Binaryen: they and the rest of the program behave as before, and
//! the build names them.

use edgec_tests::Sandbox;
use edgec_tests::levels::{LEVELS, at_every_level, check, programs};

/// Binaryen loses the parameters of blocks, so their operands would stay on the stack.
#[test]
fn blocks_with_parameters() {
    let report = check(&programs([
        (
            "jumps",
            r#"(func (export "run") (result i32) i32.const 1 i32.const 5 (block (param i32) (br 0)))"#,
        ),
        (
            "in_a_loop",
            r#"(func (export "run") (param i32) (result i32)
            i32.const 100
            local.get 0
            (loop (param i32) (result i32)
                (i32.add (i32.const -1))
                local.tee 0
                (i32.gt_s (local.get 0) (i32.const 0))
                br_if 0)
            i32.add)"#,
        ),
        (
            "in_an_if",
            r#"(func (export "run") (param i32) (result i32)
            i32.const 3 i32.const 4
            local.get 0
            (if (param i32) (result i32) (then (i32.mul (i32.const 2))) (else drop (i32.const 9)))
            i32.sub)"#,
        ),
        (
            "of_many",
            r#"(func $two (export "two") (param i32) (result i32 i64) local.get 0 i64.const 6)
            (func (export "run") (param i32) (result i32)
                (call $two (local.get 0))
                (block (param i32 i64) (result i32) i32.wrap_i64 i32.sub))"#,
        ),
    ]));
    let kept = &report["inputs"][0]["built"]["functionsKept"][0];
    assert_eq!(kept["module"], 0);
    assert_eq!(kept["function"], 0);
    assert!(
        kept["reason"].as_str().unwrap().contains("parameters"),
        "{kept}"
    );
}

/// Every level gives the CPU's results. Functions with relaxed SIMD are kept from Binaryen, and
/// others are not.
#[test]
fn relaxed_vectors_are_computed_by_the_cpu() {
    let vector = |name, instruction: &str, lane: &str| {
        (
            name,
            format!(r#"(module (func (export "run") (result i32) ({lane} 0 ({instruction}))))"#),
        )
    };
    let mut all = vec![
        vector(
            "swizzle",
            "i8x16.relaxed_swizzle (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16) (v128.const i8x16 0x12 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0)",
            "i8x16.extract_lane_u",
        ),
        vector(
            "trunc",
            "i32x4.relaxed_trunc_f32x4_s (v128.const f32x4 nan 3e9 -3e9 1)",
            "i32x4.extract_lane",
        ),
        vector(
            "trunc_u",
            "i32x4.relaxed_trunc_f32x4_u (v128.const f32x4 -1 5e9 nan 1)",
            "i32x4.extract_lane",
        ),
        vector(
            "min",
            "f32x4.relaxed_min (v128.const f32x4 -0 nan 1 2) (v128.const f32x4 0 1 nan 3)",
            "i32x4.extract_lane",
        ),
        vector(
            "madd",
            "f32x4.relaxed_madd (v128.const f32x4 1.0000001 0 0 0) (v128.const f32x4 1.0000001 0 0 0) (v128.const f32x4 -1.0000002 0 0 0)",
            "i32x4.extract_lane",
        ),
        vector(
            "select",
            "i8x16.relaxed_laneselect (v128.const i32x4 1 2 3 4) (v128.const i32x4 5 6 7 8) (v128.const i32x4 0x0f0f0f0f 0 0 0)",
            "i32x4.extract_lane",
        ),
        vector(
            "q15",
            "i16x8.relaxed_q15mulr_s (v128.const i16x8 -32768 0 0 0 0 0 0 0) (v128.const i16x8 -32768 0 0 0 0 0 0 0)",
            "i16x8.extract_lane_u",
        ),
        vector(
            "dot",
            "i16x8.relaxed_dot_i8x16_i7x16_s (v128.const i8x16 -128 -128 0 0 0 0 0 0 0 0 0 0 0 0 0 0) (v128.const i8x16 -1 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 0)",
            "i16x8.extract_lane_u",
        ),
    ];
    all.extend(programs([("mixed", r#"(global $g (mut i32) (i32.const 4))
        (memory (export "memory") 1)
        (func $unused (result i32) i32.const 9)
        (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
        (func $again (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
        (func $vector (param i32) (result i32)
            (global.set $g (i32.add (global.get $g) (call $again (local.get 0))))
            (v128.store (i32.const 16)
                (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (f32.convert_i32_s (call $twice (global.get $g))))))
            (i32.load (i32.const 20)))
        (func (export "run") (param i32) (result i32)
            (i32.add (call $vector (local.get 0)) (call $twice (i32.const 5))))"#)]));
    // Stock compiles for all features of this CPU, and may get other results. So the levels are
    // compared with each other.
    let (levels, report) = at_every_level(&all);
    for (level, behaviours) in LEVELS.iter().zip(&levels) {
        assert_eq!(*behaviours, levels[0], "-O{level}");
    }
    let kept = &report["inputs"][8]["built"]["functionsKept"];
    assert_eq!(kept.as_array().unwrap().len(), 1, "{kept}");
    assert_eq!(kept[0]["name"], "vector");
    assert_eq!(
        report["inputs"][8]["built"]["modulesKept"],
        serde_json::json!([])
    );
}

/// The rest of a module may refer to a kept function in every way.
#[test]
fn a_function_that_is_kept_is_what_it_was_to_the_rest() {
    let report = check(&programs([(
        "kept",
        r#"(import "env" "next" (func $next (param i32) (result i32)))
        (import "env" "memory" (memory 1))
        (type $unlike (func (param i64 i32) (result i32)))
        (global $count (mut i32) (i32.const 0))
        (table 3 funcref) (elem (i32.const 0) $first $second $unlike)
        (func $start (i32.store (i32.const 4) (i32.const 11)) (call $note (i32.const 9)))
        (start $start)
        (func $unused (drop (call $first (i32.const 1))))
        (func $first (param i32) (result i32)
            local.get 0
            (block (param i32) (result i32) (i32.add (i32.const 1)) (call $next))
            (if (result i32) (then (call_indirect (type $unlike) (i64.const 4) (local.get 0) (i32.const 2)))
                (else (call $second (i32.const 3)))))
        (func $second (export "second") (param i32) (result i32)
            (call $note (local.get 0))
            local.get 0
            (block (param i32) (result i32 i32) (i32.const 2))
            i32.add
            (i32.add (global.get $count)))
        (func $note (param i32)
            (global.set $count (i32.add (global.get $count) (local.get 0))))
        (func $unlike (type $unlike) (i32.add (i32.wrap_i64 (local.get 0)) (local.get 1)))
        (func (export "run") (param i32) (result i32)
            (i32.add (call $first (local.get 0))
                (call_indirect (param i32) (result i32) (local.get 0) (i32.and (local.get 0) (i32.const 1)))))"#,
    )]));
    let kept = report["inputs"][0]["built"]["functionsKept"]
        .as_array()
        .unwrap();
    let names: Vec<_> = kept
        .iter()
        .map(|kept| kept["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["first", "second"]);
}

/// One of two functions is nested too deeply for Binaryen. The other is optimized.
#[test]
fn a_deep_function_is_kept_and_no_other() {
    let depth = 3200;
    let nested = format!(
        r#"(module
        (func $deep (param i32) (result i32) (local i32)
            {} (br_if {} (local.get 0)) (local.set 1 (i32.const 5)) {}
            (local.get 1))
        (func $removed (param i32) (result i32) (call $removed (local.get 0)))
        (func (export "run") (param i32) (result i32) (call $deep (local.get 0))))"#,
        "(block ".repeat(depth),
        depth / 2,
        ") (local.set 1 (i32.add (local.get 1) (i32.const 1)))".repeat(depth),
    );
    let report = check(&[("deep", nested)]);
    let built = &report["inputs"][0]["built"];
    assert_eq!(built["functionsKept"].as_array().unwrap().len(), 1);
    assert_eq!(built["functionsKept"][0]["name"], "deep");
    assert!(
        built["functionsKept"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("nesting")
    );
}

/// Blocks with several results: at the limit on their depth, Binaryen gets the function; above it,
/// it does not.
#[test]
fn nested_blocks_of_several_results() {
    let nested = |depth: usize| {
        format!(
            "(param i32) (result i32)
            {} local.get 0 (i64.const 7) (br_if {} (local.get 0)) {}
            i32.wrap_i64 i32.add",
            "(block (result i32 i64) ".repeat(depth),
            depth / 2,
            "i32.wrap_i64 i32.add (i64.const 3))".repeat(depth),
        )
    };
    let text = format!(
        r#"(module (func $at {}) (func $above {})
        (func $unused {})
        (func (export "run") (param i32) (result i32)
            (i32.sub (call $at (local.get 0)) (call $above (local.get 0)))))"#,
        nested(300),
        nested(301),
        // Without it, the optimized module would be longer, and would not be used.
        "(drop (i64.const 0x7fffffffffff))".repeat(1000),
    );
    let report = check(&[("results", text)]);
    let kept = report["inputs"][0]["built"]["functionsKept"].as_array();
    let names: Vec<_> = kept.unwrap().iter().map(|kept| &kept["name"]).collect();
    assert_eq!(names, ["above"]);
}

const NAMED: &str = r#"(module
    (import "env" "memory" (memory 1))
    (import "env" "next" (func $next (param i32) (result i32)))
    (func (export "unnamed") (call $"größe"))
    (func $"größe" (loop (br_if 0 (call $next (i32.const 1)))))
    (func $swapped (param i32) (result i32)
        (local.get 0) (block (param i32) (result i32) (call $next)))
    (func (export "run") (param i32) (result i32) (call $swapped (local.get 0)))
    (start $"größe"))"#;

/// Reports use the program's own names, even if the optimizer has others. Functions that are kept
/// from Binaryen have names, and a rebuild gives the same artifact.
#[test]
fn what_is_said_of_functions_names_them_as_the_program_does() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", NAMED);
    for level in ["-O2", "-Oz"] {
        let (stdout, stderr) = built_twice(&sandbox, level);
        assert!(
            stdout.contains("1 of 1 core module, all but 1 function, 1 unused import"),
            "{stdout}"
        );
        let note = "note: a.wat: core module 0: not optimized: function `swapped`, because of blocks with parameters";
        assert!(stderr.contains(note), "{stderr}");
        assert!(stderr.contains("function `größe`"), "{stderr}");
        let json = sandbox.ok(&["inspect", "a.cwasm", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        let stages = report["manifest"]["builder"]["stages"].as_array().unwrap();
        let optimize = stages
            .iter()
            .find(|stage| stage["name"] == "optimize")
            .unwrap();
        assert_eq!(optimize["settings"]["functionsKept"], "0:1");
        assert_eq!(optimize["settings"]["passes"], "edgec-6");
    }
}

/// If a whole module is kept from Binaryen, the build says so and why.
#[test]
fn a_module_that_is_kept_says_why() {
    let sandbox = Sandbox::new();
    let text = r#"(module (memory 1) (data (i32.const 65537) "") (func (export "run")))"#;
    sandbox.write("a.wat", text);
    let (_, stderr) = built_twice(&sandbox, "-O2");
    let reason = "active data segment 0 may be out of bounds, and Binaryen would drop its trap";
    assert!(stderr.contains(reason), "{stderr}");
}

/// Builds `a.wat` at a level, and checks that a rebuild gives the same artifact. Returns the output
/// of the build.
fn built_twice(sandbox: &Sandbox, level: &str) -> (String, String) {
    let cpu = std::env::consts::ARCH;
    let build = ["build", "a.wat", "-t", cpu, "-o", "a.cwasm", level];
    let build = [&build[..], &["--key", "key.pem"]].concat();
    let output = sandbox.run(&build);
    assert!(output.status.success());
    let verify = ["verify", "a.cwasm", "--rebuild", "a.wat"];
    sandbox.ok(&[&verify[..], &["--key", "key.pub.pem"]].concat());
    let text = |printed| String::from_utf8(printed).unwrap();
    (text(output.stdout), text(output.stderr))
}
