//! What a core module does at every level of the optimizer, beside stock Wasmtime on the same module: whether it can be
//! instantiated, what its function gives, and what memories hold then, also where it stopped at a trap.
//!
//! Every program is of a kind that Binaryen 116 changes, or takes too long for (`docs/optimizer.md`).

use std::path::Path;

use edgec_tests::Sandbox;
use wasmtime::{
    Engine, Extern, Func, Global, GlobalType, Linker, Memory, MemoryType, Module, Mutability, Ref,
    RefType, Store, Table, TableType, Trap, Val, ValType,
};

const LEVELS: [&str; 7] = ["0", "1", "2", "3", "4", "s", "z"];

/// Builds every program at every level, and compares with stock. The report of the build at `-O2`.
fn check(programs: &[(&str, String)]) -> serde_json::Value {
    let engine = Engine::default();
    let stock = |text: &String| behaviour(&engine, &Module::new(&engine, text).unwrap());
    let stock: Vec<String> = programs.iter().map(|(_, text)| stock(text)).collect();
    let (levels, report) = at_every_level(programs);
    for (level, behaviours) in LEVELS.iter().zip(levels) {
        for (((name, _), built), stock) in programs.iter().zip(behaviours).zip(&stock) {
            assert_eq!(built, *stock, "{name} at -O{level}");
        }
    }
    report
}

/// What every program does at every level, and the report of the build at `-O2`.
fn at_every_level(programs: &[(&str, String)]) -> (Vec<Vec<String>>, serde_json::Value) {
    let sandbox = Sandbox::new();
    let engine = Engine::default();
    let mut report = serde_json::Value::Null;
    let levels = LEVELS.map(|level| {
        let option = format!("-O{level}");
        let mut arguments = vec!["build", "-t", std::env::consts::ARCH, "--key", "key.pem"];
        arguments.extend([&option, "-o", "out/", "--format", "json"]);
        let files: Vec<String> = programs.iter().map(|(name, _)| format!("{name}.wat")).collect();
        for ((_, text), file) in programs.iter().zip(&files) {
            sandbox.write(file, text);
            arguments.push(file);
        }
        let json = sandbox.ok(&arguments);
        if level == "2" {
            report = serde_json::from_str(&json).unwrap();
        }
        let built = programs.iter().map(|(name, _)| {
            let built = format!("out/{name}.{}.cwasm", std::env::consts::ARCH);
            behaviour(&engine, &load(&engine, &sandbox.path().join(built)))
        });
        built.collect()
    });
    (levels.into(), report)
}

#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn load(engine: &Engine, path: &Path) -> Module {
    // SAFETY: the file was built a moment ago, and nobody writes it.
    unsafe { Module::deserialize_file(engine, path) }.unwrap()
}

/// Everything that can be seen of a module, as text.
fn behaviour(engine: &Engine, module: &Module) -> String {
    let mut seen = String::new();
    let mut store = Store::new(engine, ());
    let mut linker = Linker::new(engine);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let ty = TableType::new(RefType::FUNCREF, 4, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    let ty = GlobalType::new(ValType::I32, Mutability::Const);
    let far = Global::new(&mut store, ty.clone(), Val::I32(70_000)).unwrap();
    let near = Global::new(&mut store, ty, Val::I32(2)).unwrap();
    let next = Func::wrap(&mut store, |value: i32| value.wrapping_mul(3) + 1);
    let items: [(&str, Extern); 5] = [
        ("memory", memory.into()),
        ("table", table.into()),
        ("far", far.into()),
        ("near", near.into()),
        ("next", next.into()),
    ];
    for (name, item) in items {
        linker.define(&store, "env", name, item).unwrap();
    }
    let mut memories = vec![("imported", memory)];
    match linker.instantiate(&mut store, module) {
        Err(error) => seen += &format!("not instantiated: {}\n", kind(&error)),
        Ok(instance) => {
            if let Some(run) = instance.get_func(&mut store, "run") {
                for argument in [0, 1, 7] {
                    let parameters = run.ty(&store).params().len();
                    let arguments = vec![Val::I32(argument); parameters];
                    let mut results = vec![Val::I32(0); run.ty(&store).results().len()];
                    let outcome = match run.call(&mut store, &arguments, &mut results) {
                        Ok(()) => format!("{results:?}"),
                        Err(error) => kind(&error),
                    };
                    seen += &format!("run({argument}): {outcome}\n");
                }
            }
            memories.extend(
                instance
                    .get_memory(&mut store, "memory")
                    .map(|memory| ("exported", memory)),
            );
        }
    }
    // What a module left in a table before it stopped can still be called.
    if let Some(Ref::Func(Some(left))) = table.get(&mut store, 0) {
        let left = left.typed::<(), i32>(&store).unwrap();
        let outcome = left.call(&mut store, ());
        seen += &format!("left in the table: {:?}\n", outcome.map_err(|error| kind(&error)));
    }
    for (name, memory) in memories {
        let bytes = memory.data(&store);
        let written = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
        let written: Vec<_> = written.take(64).collect();
        seen += &format!("{name} memory of {}: {written:?}\n", bytes.len());
    }
    seen
}

fn kind(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => format!("{trap:?}"),
        None => panic!("{error:?}"),
    }
}

fn programs<const N: usize>(programs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    let programs = programs.into_iter();
    let texts = programs.map(|(name, text)| (name, format!("(module {text})")));
    texts.collect()
}

/// A function, so that there is something to be seen of a module that is instantiated.
const RUN: &str = r#"(func (export "run") (result i32) i32.const 42)"#;

#[test]
fn segments_that_may_be_out_of_bounds_keep_their_trap() {
    let mut all = programs([
        ("empty_data", r#"(memory 16 17) (data (i32.const -1) "")"#),
        ("empty_data_at_the_end", r#"(memory 1) (data (i32.const 65536) "")"#),
        ("unused_memory", r#"(memory 1) (data (i32.const 65536) "x")"#),
        ("half_out", r#"(memory 1) (data (i32.const 65535) "xy")"#),
        ("zeros", r#"(memory (export "memory") 1) (data (i32.const 65530) "\00\00\00\00\00\00\00\00")"#),
        ("no_pages", r#"(memory 0) (data (i32.const 0) "\00")"#),
        ("second_memory", r#"(memory (export "memory") 1) (memory 1) (data (memory 1) (i32.const 65536) "x")"#),
        ("element", r#"(table 1 funcref) (elem (i32.const 5) $f) (func $f)"#),
        ("empty_element", r#"(table 1 funcref) (elem (i32.const 2) func)"#),
        ("empty_element_at_the_end", r#"(table 1 funcref) (elem (i32.const 1) func)"#),
        ("nulls", r#"(table 1 funcref) (elem (i32.const 1) funcref (ref.null func))"#),
        ("far_data", r#"(import "env" "far" (global $far i32)) (memory 1) (data (global.get $far) "x")"#),
        ("near_data", r#"(import "env" "near" (global $near i32)) (memory 1) (data (global.get $near) "x")"#),
        ("far_empty_data", r#"(import "env" "far" (global $far i32)) (memory 1) (data (global.get $far) "")"#),
        ("near_empty_data", r#"(import "env" "near" (global $near i32)) (memory 1) (data (global.get $near) "")"#),
        ("far_element", r#"(import "env" "far" (global $far i32)) (table 9 funcref) (elem (global.get $far) $f) (func $f)"#),
        ("computed", r#"(import "env" "near" (global $near i32)) (memory 1)
            (data (i32.add (global.get $near) (i32.const 65534)) "x")"#),
        ("imported_memory", r#"(import "env" "memory" (memory 1)) (data (i32.const 8) "A") (data (i32.const 65535) "xy")"#),
        ("imported_memory_empty", r#"(import "env" "memory" (memory 1)) (data (i32.const 8) "A") (data (i32.const 65537) "")"#),
        ("imported_memory_of_less", r#"(import "env" "memory" (memory 0)) (data (i32.const 9) "A")"#),
        ("imported_memory_of_less_empty", r#"(import "env" "memory" (memory 0)) (data (i32.const 9) "")"#),
        ("imported_table", r#"(import "env" "table" (table 1 funcref)) (elem (i32.const 4) $f) (func $f)"#),
        ("imported_table_empty", r#"(import "env" "table" (table 1 funcref)) (elem (i32.const 5) func)"#),
        ("used_by_dead_code", r#"(memory 1) (data (i32.const 65536) "x")
            (func $dead (result i32) (i32.load (i32.const 0)))"#),
        ("start_too", r#"(import "env" "memory" (memory 1)) (memory 1) (data (memory 1) (i32.const 65536) "x")
            (func $start (i32.store (i32.const 0) (i32.const 7))) (start $start)"#),
    ]);
    for (_, text) in &mut all {
        text.insert_str(text.len() - 1, RUN);
    }
    check(&all);
}

/// What was written before the trap can be seen where memories and tables outlive the module.
#[test]
fn what_is_written_before_a_trap_is_what_stock_writes() {
    check(&programs([
        ("in_order", r#"(import "env" "memory" (memory 1)) (data (i32.const 0) "AAAA")
            (data (i32.const 65530) "B\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")"#),
        ("by_the_table", r#"(import "env" "table" (table 1 funcref)) (memory 1) (elem (i32.const 0) $peek)
            (data (i32.const 8) "A\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00B")
            (data (i32.const 65530) "C\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
            (func $peek (result i32) (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 65530))))"#),
        ("later_over_earlier", r#"(memory (export "memory") 1) (data (i32.const 0) "AAAA") (data (i32.const 1) "\00\00")"#),
        ("init_past_the_end", r#"(memory (export "memory") 1) (data $d "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00AA")
            (func (export "run") (param i32)
                (i32.store (i32.const 65520) (i32.const -1))
                (memory.init $d (i32.const 65515) (i32.const 0) (i32.const 26)))"#),
        ("init_and_drop", r#"(memory (export "memory") 1) (data $d "AB\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00CD")
            (func (export "run") (param i32)
                (memory.init $d (local.get 0) (i32.const 0) (i32.const 26))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (data.drop $d))))"#),
        ("init_of_what_was_active", r#"(memory (export "memory") 1) (data $d (i32.const 3) "AB")
            (func (export "run") (param i32) (memory.init $d (i32.const 9) (i32.const 0) (local.get 0)))"#),
        ("all_of_memory", r#"(memory 65536) (data $d "AB")
            (func (export "run") (param i32) (memory.init $d (i32.const 9) (i32.const 0) (i32.const 0)))"#),
    ]));
}

#[test]
fn tables_are_what_they_are_when_they_are_called() {
    check(&programs([
        ("null_over_a_function", r#"(table 2 funcref) (elem (i32.const 0) $f) (elem (i32.const 0) funcref (ref.null func))
            (func $f (result i32) i32.const 1)
            (func (export "run") (result i32) (call_indirect (result i32) (i32.const 0)))"#),
        ("grown", r#"(table 1 10 funcref) (elem (i32.const 0) $f)
            (func $f (result i32) i32.const 1)
            (func (export "run") (result i32)
                (drop (table.grow (ref.func $f) (i32.const 1)))
                (call_indirect (result i32) (i32.const 1)))"#),
        ("copied_and_filled", r#"(table $t 4 funcref) (table $u 4 funcref) (elem (table $t) (i32.const 0) func $f $g)
            (type $f (func (result i32)))
            (func $f (result i32) i32.const 1)
            (func $g (result i32) i32.const 2)
            (func $null (result funcref) (ref.null func))
            (func (export "run") (param i32) (result i32)
                (table.copy $u $t (i32.const 1) (i32.const 0) (i32.const 2))
                (if (local.get 0) (then (table.fill $t (i32.const 0) (call $null) (i32.const 2))))
                (i32.add
                    (call_indirect $u (type $f) (i32.const 2))
                    (call_indirect $t (type $f) (i32.const 1))))"#),
        ("initialized", r#"(table 4 funcref) (elem $e func $f)
            (func $f (result i32) i32.const 1)
            (func (export "run") (param i32) (result i32)
                (table.init $e (i32.const 2) (i32.const 0) (i32.const 1))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (elem.drop $e)))
                (call_indirect (result i32) (i32.const 2)))"#),
        ("declared", r#"(elem declare funcref (ref.func $f)) (table 1 funcref)
            (func $f (result i32) i32.const 1)
            (func (export "run") (result i32)
                (table.set (i32.const 0) (ref.func $f))
                (call_indirect (result i32) (i32.const 0)))"#),
    ]));
}

/// Binaryen forgets the parameters of blocks: what they take is still there for it.
#[test]
fn blocks_with_parameters() {
    let report = check(&programs([
        ("jumps", r#"(func (export "run") (result i32) i32.const 1 i32.const 5 (block (param i32) (br 0)))"#),
        ("in_a_loop", r#"(func (export "run") (param i32) (result i32)
            i32.const 100
            local.get 0
            (loop (param i32) (result i32)
                (i32.add (i32.const -1))
                local.tee 0
                (i32.gt_s (local.get 0) (i32.const 0))
                br_if 0)
            i32.add)"#),
        ("in_an_if", r#"(func (export "run") (param i32) (result i32)
            i32.const 3 i32.const 4
            local.get 0
            (if (param i32) (result i32) (then (i32.mul (i32.const 2))) (else drop (i32.const 9)))
            i32.sub)"#),
        ("of_many", r#"(func $two (export "two") (param i32) (result i32 i64) local.get 0 i64.const 6)
            (func (export "run") (param i32) (result i32)
                (call $two (local.get 0))
                (block (param i32 i64) (result i32) i32.wrap_i64 i32.sub))"#),
    ]));
    let kept = &report["inputs"][0]["built"]["functionsKept"][0];
    assert_eq!(kept["module"], 0);
    assert_eq!(kept["function"], 0);
    assert!(kept["reason"].as_str().unwrap().contains("parameters"), "{kept}");
}

/// Whatever the CPU gives, at every level. Functions with relaxed SIMD are kept from Binaryen, the rest is not.
#[test]
fn relaxed_vectors_are_computed_by_the_cpu() {
    let vector = |name, instruction: &str, lane: &str| {
        (name, format!(r#"(module (func (export "run") (result i32) ({lane} 0 ({instruction}))))"#))
    };
    let mut all = vec![
        vector("swizzle", "i8x16.relaxed_swizzle (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16) (v128.const i8x16 0x12 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0)", "i8x16.extract_lane_u"),
        vector("trunc", "i32x4.relaxed_trunc_f32x4_s (v128.const f32x4 nan 3e9 -3e9 1)", "i32x4.extract_lane"),
        vector("trunc_u", "i32x4.relaxed_trunc_f32x4_u (v128.const f32x4 -1 5e9 nan 1)", "i32x4.extract_lane"),
        vector("min", "f32x4.relaxed_min (v128.const f32x4 -0 nan 1 2) (v128.const f32x4 0 1 nan 3)", "i32x4.extract_lane"),
        vector("madd", "f32x4.relaxed_madd (v128.const f32x4 1.0000001 0 0 0) (v128.const f32x4 1.0000001 0 0 0) (v128.const f32x4 -1.0000002 0 0 0)", "i32x4.extract_lane"),
        vector("select", "i8x16.relaxed_laneselect (v128.const i32x4 1 2 3 4) (v128.const i32x4 5 6 7 8) (v128.const i32x4 0x0f0f0f0f 0 0 0)", "i32x4.extract_lane"),
        vector("q15", "i16x8.relaxed_q15mulr_s (v128.const i16x8 -32768 0 0 0 0 0 0 0) (v128.const i16x8 -32768 0 0 0 0 0 0 0)", "i16x8.extract_lane_u"),
        vector("dot", "i16x8.relaxed_dot_i8x16_i7x16_s (v128.const i8x16 -128 -128 0 0 0 0 0 0 0 0 0 0 0 0 0 0) (v128.const i8x16 -1 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 0)", "i16x8.extract_lane_u"),
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
    // Stock compiles for all that this CPU can do, and may get other values: the levels are compared with each other.
    let (levels, report) = at_every_level(&all);
    for (level, behaviours) in LEVELS.iter().zip(&levels) {
        assert_eq!(*behaviours, levels[0], "-O{level}");
    }
    let kept = &report["inputs"][8]["built"]["functionsKept"];
    assert_eq!(kept.as_array().unwrap().len(), 1, "{kept}");
    assert_eq!(kept[0]["name"], "vector");
    assert_eq!(report["inputs"][8]["built"]["modulesKept"], serde_json::json!([]));
}

/// The sign of a load is that of its uses, not of what is computed from it.
#[test]
fn signs_of_loads() {
    check(&programs([
        ("extended_after_a_shift", r#"(memory 1) (data (i32.const 0) "\ff")
            (func (export "run") (result i32) (local i32)
                (local.set 0 (i32.load8_u (i32.const 0)))
                (i32.extend8_s (i32.shr_u (local.get 0) (i32.const 1))))"#),
        ("extended_at_once", r#"(memory 1) (data (i32.const 0) "\ff")
            (func (export "run") (result i32) (local i32)
                (local.set 0 (i32.load8_u (i32.const 0)))
                (i32.extend8_s (local.get 0)))"#),
    ]));
}

/// A function that is kept may be all kinds of things to its module.
#[test]
fn a_function_that_is_kept_is_what_it_was_to_the_rest() {
    let report = check(&programs([("kept", r#"(import "env" "next" (func $next (param i32) (result i32)))
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
                (call_indirect (param i32) (result i32) (local.get 0) (i32.and (local.get 0) (i32.const 1)))))"#)]));
    let kept = report["inputs"][0]["built"]["functionsKept"].as_array().unwrap();
    let names: Vec<_> = kept.iter().map(|kept| kept["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "second"]);
}

/// Nested too deeply for Binaryen, in one function of two. What is not nested is optimized.
#[test]
fn a_deep_function_is_kept_and_no_other() {
    let depth = 1200;
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
    assert!(built["functionsKept"][0]["reason"].as_str().unwrap().contains("nesting"));
}
