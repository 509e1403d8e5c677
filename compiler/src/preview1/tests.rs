//! What the rule says about modules that each have one deciding property.

use super::*;

fn judged(text: &str) -> Judgement {
    judge(&wat::parse_str(text).unwrap())
}

/// A command with these fields beside its import and its start.
fn command(fields: &str) -> String {
    format!(
        r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        {fields} (func (export "_start")))"#
    )
}

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

/// `sbrk`, as wasi-libc has it; `$i` is the index of the function that is called when it aborts.
const SBRK: &str = r#"
    (func $abort unreachable)
    (func $sbrk (param i32) (result i32)
        block local.get 0 br_if 0 memory.size i32.const 16 i32.shl return end
        block
            local.get 0 i32.const 65535 i32.and br_if 0
            local.get 0 i32.const -1 i32.le_s br_if 0
            block
                local.get 0 i32.const 16 i32.shr_u memory.grow
                local.tee 0 i32.const -1 i32.ne br_if 0
                i32.const 0 i32.const 48 i32.store offset=1024
                i32.const -1 return
            end
            local.get 0 i32.const 16 i32.shl return
        end
        call $abort unreachable)"#;

/// What `sys_alloc` does with it, one call a line.
const CALLS: [&str; 6] = [
    "i32.const 0 call $sbrk local.tee 0 i32.const -1 i32.eq br_if 0",
    "local.get 1 call $sbrk local.tee 2 local.get 0 i32.ne br_if 0",
    "local.get 1 call $sbrk local.tee 2 local.get 3 i32.load local.get 3 i32.load offset=4 i32.add i32.eq br_if 0",
    "local.get 1 call $sbrk i32.const -1 i32.eq br_if 0",
    "i32.const 0 local.get 1 i32.sub call $sbrk drop",
    "local.get 1 call $sbrk local.set 2 i32.const 0 call $sbrk local.set 3
        local.get 2 i32.const -1 i32.eq br_if 0 local.get 3 i32.const -1 i32.eq br_if 0
        local.get 2 local.get 3 i32.ge_u br_if 0",
];

fn allocator(calls: &[&str]) -> String {
    let calls = calls.join("\n");
    command(&format!(
        "{MEMORY} {SBRK} (func $malloc (local i32 i32 i32 i32) block {calls} end)"
    ))
}

fn obstacle(text: &str) -> Obstacle {
    judged(text).component.expect_err(text)
}

/// A component behaves the same.
fn proved() -> Judgement {
    Judgement {
        component: Ok(()),
        lacks: Vec::new(),
    }
}

/// A component works, and behaves the same if the allocator is what it looks like.
fn likely(like: Allocator) -> Judgement {
    Judgement {
        component: Ok(()),
        lacks: vec![Obstacle::LikelyAllocator { like }],
    }
}

#[test]
fn a_memory_that_nobody_asks_about_is_the_programs_alone() {
    for memory in [
        "1",
        "2 4",
        // The adapter needs two pages of the 65,536 that a memory can have.
        "65534",
        "65534 65536",
    ] {
        let memory = format!(r#"(memory (export "memory") {memory})"#);
        assert_eq!(judged(&command(&memory)), proved(), "{memory}");
    }
}

#[test]
fn wasi_libc_is_recognized_but_not_proved() {
    assert_eq!(judged(&allocator(&CALLS)), likely(Allocator::WasiLibc));
    let exits = allocator(&CALLS).replace(
        "(module",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#,
    );
    let exits = exits.replace(
        r#"(func (export "_start"))"#,
        r#"(func (export "_start") (call $exit (i32.const 10)))"#,
    );
    let lacks = judged(&exits).lacks;
    let like = Allocator::WasiLibc;
    assert_eq!(
        lacks,
        [Obstacle::ExitCode, Obstacle::LikelyAllocator { like }]
    );
}

/// Both places of Zig's allocator, in a function that is given 0 pages: then `memory.grow` returns
/// the memory's size.
#[test]
fn zig_is_recognized_but_not_proved() {
    let zig = command(&format!(
        "{MEMORY} (func $z (param $n i32) (result i32) (local $p i32) (local $q i32) (local $x i32)
            (if (i32.lt_s (local.get $n) (i32.const 1000)) (then
                i32.const 0 local.get $n memory.grow local.tee $p i32.const 16 i32.shl
                local.get $p i32.const -1 i32.eq select return))
            block $b
                i32.const 1 memory.grow local.tee $p i32.const 1 i32.add i32.const 2 i32.lt_u
                br_if $b local.get $p i32.const 16 i32.shl local.set $q
            end
            local.get $x local.get $q local.get $n i32.add i32.store local.get $q return)
        (func (drop (call $z (i32.const 0))))"
    ));
    assert_eq!(judged(&zig), likely(Allocator::Zig));
    let other = zig.replace("i32.const 2 i32.lt_u", "i32.const 3 i32.lt_u");
    assert!(matches!(obstacle(&other), Obstacle::Allocator { .. }));
}

/// Each function of the adapter is one of WASI that is listed, or one of the adapter's own.
#[test]
fn every_function_of_the_adapter_is_known() {
    let adapter = Facts::of(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER).unwrap();
    let listed = functions::SAME.iter().chain(&functions::DIFFERENT);
    let listed: Vec<&str> = listed.copied().collect();
    for name in &listed {
        assert!(adapter.export(name, ExternalKind::Func).is_some(), "{name}");
        assert_eq!(listed.iter().filter(|it| *it == name).count(), 1, "{name}");
    }
    for export in &adapter.exports {
        let own = ["adapter_", "reset_adapter_state", "cabi_", "wasi:cli/run@"];
        let own = own.iter().any(|own| export.name.starts_with(own));
        let function = export.kind == ExternalKind::Func;
        assert!(
            !function || own != functions::exists(export.name),
            "{}",
            export.name
        );
    }
}

/// The import of a function, with its type of the adapter.
fn import_of(name: &str) -> String {
    let adapter = Facts::of(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER).unwrap();
    let function = adapter.export(name, ExternalKind::Func).unwrap();
    let ty = adapter.function_type(function).unwrap();
    let list = |types: &[wasmparser::ValType]| {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        types.join(" ")
    };
    format!(
        r#"(import "wasi_snapshot_preview1" "{name}" (func (param {}) (result {})))"#,
        list(ty.params()),
        list(ty.results())
    )
}

#[test]
fn functions_that_the_adapter_answers_differently_are_named() {
    let with =
        |imports: &str| judged(&command(MEMORY).replace("(module", &format!("(module {imports}")));
    for name in functions::SAME {
        assert_eq!(with(&import_of(name)), proved(), "{name}");
    }
    for name in functions::DIFFERENT {
        let imports = vec![format!("wasi_snapshot_preview1::{name}")];
        let expected = Judgement {
            component: Ok(()),
            lacks: vec![Obstacle::DifferentFunction { imports }],
        };
        let import = import_of(name);
        assert_eq!(with(&import), expected, "{name}");
        assert_eq!(with(&format!("{import}{import}")), expected, "{name} twice");
    }
    let several = import_of("sock_send") + &import_of("fd_sync");
    let several = with(&several).lacks;
    let [several] = several.as_slice() else {
        panic!("{several:?}");
    };
    assert_eq!(
        several.to_string(),
        "it imports `wasi_snapshot_preview1::fd_sync`, `wasi_snapshot_preview1::sock_send`, which \
         the adapter answers differently"
    );
}

/// What the rule says about a module with component types and this memory.
#[test]
fn component_types_are_judged_by_memory_and_start_alone() {
    let judged = |text: &str| judge_with_types(&wat::parse_str(text).unwrap());
    // Other imports and reserved exports are the world's.
    let world = command(MEMORY)
        .replace("(module", r#"(module (import "test:app/a" "f" (func $f))"#)
        .replace(
            "(func (export",
            r#"(func (export "_initialize")) (func (export"#,
        );
    assert_eq!(judged(&world), proved());
    let named = command(r#"(memory (export "cm32p2_memory") 1)"#);
    assert_eq!(judged(&named), proved());
    let asks = "(func (drop (memory.size)))";
    let realloc = "(param i32 i32 i32 i32) (result i32) i32.const 0)";
    for fields in [
        format!("{MEMORY} {asks}"),
        "(memory 1)".to_owned(),
        r#"(memory (export "memory") 1 2)"#.to_owned(),
        r#"(memory (export "memory") 65535)"#.to_owned(),
        format!("{MEMORY} (func $s (drop (call $yield))) (start $s)"),
    ] {
        let text = command(&fields);
        assert!(judged(&text).component.is_err(), "{text}");
        for name in REALLOC {
            let text = command(&format!(r#"{fields} (func (export "{name}") {realloc}"#));
            assert_eq!(judged(&text).component, Ok(()), "{text}");
        }
    }
    // Only a command has exit codes.
    let exits = format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        {MEMORY} (func (export "_start") (call $exit (i32.const 10))))"#
    );
    assert_eq!(judged(&exits).lacks, [Obstacle::ExitCode]);
    assert!(judged(&exits.replace("_start", "go")).lacks.is_empty());
}

/// If a part is missing, added or changed, the allocator is no longer recognized.
#[test]
fn what_is_nearly_wasi_libc_is_not() {
    let mut wrong = Vec::new();
    for (index, call) in CALLS.iter().enumerate() {
        let mut calls = CALLS.to_vec();
        calls.remove(index);
        wrong.push(allocator(&calls));
        let mut calls = CALLS.to_vec();
        calls.push(call);
        wrong.push(allocator(&calls));
    }
    // wasi-sdk up to 19: all memory up to its end is taken at the start.
    let all =
        "i32.const 0 call $sbrk i32.const 4096 i32.sub local.tee 1 i32.const 89 i32.lt_u br_if 0";
    wrong.push(allocator(&[&[all], &CALLS[..]].concat()));
    // The new memory is not compared with the end of the old.
    let other_local = CALLS[1].replace("local.get 0", "local.get 3");
    let mut calls = CALLS.to_vec();
    calls[1] = &other_local;
    wrong.push(allocator(&calls));
    // Another function is called in between, and may call WASI.
    for call in ["call $abort", "i32.const 0 call_indirect (type 0)"] {
        let mut calls = CALLS.to_vec();
        calls.insert(1, call);
        let text = allocator(&calls).replace("(memory", "(table 1 funcref) (memory");
        wrong.push(text.replace("(module", "(module (type (func))"));
    }
    let good = allocator(&CALLS);
    // `sbrk` is called elsewhere, exported, or referred to.
    for more in [
        "(func (drop (call $sbrk (i32.const 65536))))",
        "(func (param i32) (result i32) (return_call $sbrk (local.get 0)))",
        r#"(export "sbrk" (func $sbrk))"#,
        "(table funcref (elem $sbrk))",
        "(func (drop (ref.func $sbrk))) (elem declare func $sbrk)",
        "(func (drop (memory.size)))",
        "(func (drop (memory.grow (i32.const 1))))",
    ] {
        wrong.push(good.replace("(func $malloc", &format!("{more} (func $malloc")));
    }
    // It is not quite `sbrk`.
    for (it, other) in [
        (
            "i32.const 16 i32.shl return end\n        block",
            "i32.const 15 i32.shl return end\n        block",
        ),
        ("i32.const 65535 i32.and", "i32.const 65534 i32.and"),
        ("call $abort unreachable)", "call $abort i32.const 0)"),
        (
            "local.get 0 i32.const 16 i32.shl return",
            "i32.const 0 i32.const 16 i32.shl return",
        ),
    ] {
        assert!(good.contains(it), "{it}");
        wrong.push(good.replace(it, other));
    }
    for text in wrong {
        assert!(
            matches!(obstacle(&text), Obstacle::Allocator { .. }),
            "{text}"
        );
    }
}

/// The assertion in wasi-libc's `preopens.c`. It is no proof either: it tells a program where the
/// memory ends, if the program looks for that.
#[test]
fn an_assertion_is_recognized_but_not_proved() {
    let assertion = |then: &str| {
        command(&format!(
            "{MEMORY} (func $fail (param i32)) (func (local i32)
                block memory.size i64.extend_i32_u i64.const 16 i64.shl local.get 0
                i64.extend_i32_u i64.le_u br_if 0 return end i32.const 3 {then})"
        ))
    };
    let aborts = judged(&assertion("call $fail unreachable"));
    assert_eq!(aborts, likely(Allocator::WasiLibc));
    for goes_on in ["call $fail", "drop"] {
        assert!(matches!(
            obstacle(&assertion(goes_on)),
            Obstacle::Allocator { .. }
        ));
    }
}

#[test]
fn whoever_takes_memory_by_itself_is_an_obstacle_with_its_name() {
    let asks = |code: &str| obstacle(&command(&format!("{MEMORY} (func $heap (drop ({code})))")));
    let Obstacle::Allocator {
        function,
        asks: what,
    } = asks("memory.size")
    else {
        panic!();
    };
    assert_eq!(function, "function 1 `heap`");
    assert_eq!(what, "asks for the memory's size");
    assert!(matches!(
        asks("memory.grow (i32.const 1)"),
        Obstacle::Allocator { .. }
    ));
}

#[test]
fn exit_codes_that_are_0_or_1_are_no_matter() {
    let exits = |code: &str| {
        judged(&format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            {MEMORY} (func (export "_start") {code}))"#
        ))
        .lacks
    };
    for code in [
        "",
        "(call $exit (i32.const 0))",
        "(call $exit (i32.const 1))",
        "(local i32) (call $exit (i32.ne (local.get 0) (i32.const 4)))",
    ] {
        assert!(exits(code).is_empty(), "{code}");
    }
    for code in [
        "(call $exit (i32.const 10))",
        "(return_call $exit (i32.const 2))",
        "(local i32) (call $exit (local.get 0))",
        "i32.const 7 block (param i32) (result i32) i32.const 1 i32.add end call $exit",
        "(i32.const 7) (block (br_if 0 (i32.const 1))) call $exit",
    ] {
        assert_eq!(exits(code), [Obstacle::ExitCode], "{code}");
    }
    let referred = judged(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (table funcref (elem $exit)) (func (export "_start")))"#,
    );
    assert_eq!(referred.lacks, [Obstacle::ExitCode]);
}

#[test]
fn a_start_section_that_may_call_wasi_is_an_obstacle() {
    let start = |fields: &str| judged(&command(&format!("{MEMORY} {fields} (start $s)"))).component;
    assert_eq!(start("(func $s)"), Ok(()));
    // The table holds nothing that leads to an import.
    let indirect =
        "(type $t (func)) (table 1 funcref) (func $s (call_indirect (type $t) (i32.const 0)))";
    assert_eq!(start(indirect), Ok(()));
    for fields in [
        "(func $s (drop (call $yield)))",
        "(func $s (call $t)) (func $t (drop (call $yield)))",
        &format!("{indirect} (elem (i32.const 0) $t) (func $t (drop (call $yield)))"),
        &format!("{indirect} (elem declare func $yield)"),
        "(type $t (func (result i32))) (func $s (drop (call_ref $t (ref.func $yield)))) (elem declare func $yield)",
    ] {
        let expected = Obstacle::StartSection {
            import: "wasi_snapshot_preview1::sched_yield".to_owned(),
        };
        assert_eq!(start(fields), Err(expected), "{fields}");
    }
}

#[test]
fn each_obstacle_has_a_case_and_names_what_is_in_the_way() {
    let with = |old: &str, new: &str| command(MEMORY).replace(old, new);
    let memory = |memory: &str| command(memory);
    let start = |start: &str| with(r#"(func (export "_start"))"#, start);
    let import = |import: &str| with("(module", &format!("(module {import}"));
    for (text, said) in [
        (
            import(r#"(import "env" "memory" (memory 1))"#),
            "`env::memory`",
        ),
        (
            import(r#"(import "wasi" "thread-spawn" (func))"#),
            "`wasi::thread-spawn`",
        ),
        (
            import(r#"(import "wasi_snapshot_preview1" "thread-spawn" (func))"#),
            "`wasi_snapshot_preview1::thread-spawn`, which WASI preview 1 does not have",
        ),
        (
            import(r#"(import "wasi_snapshot_preview1" "fd_close" (global i32))"#),
            "`wasi_snapshot_preview1::fd_close`",
        ),
        (
            import(
                r#"(import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))"#,
            ),
            "with the type (i64) -> (i32), WASI preview 1 has it as (i32) -> (i32)",
        ),
        (start(""), "it exports no `_start`"),
        (
            start(r#"(func (export "_start") (param i32))"#),
            "a function (i32) -> ()",
        ),
        (
            start(r#"(global (export "_start") i32 (i32.const 0))"#),
            "no function",
        ),
        (memory(""), "it exports no memory as `memory`"),
        (
            memory(r#"(memory (export "mem") 1)"#),
            "(it exports one as `mem`)",
        ),
        (memory(r#"(memory (export "memory") i64 1)"#), "64-bit"),
        (memory(r#"(memory (export "memory") 1 4 shared)"#), "shared"),
        (
            memory(r#"(memory (export "memory") 1) (memory 1)"#),
            "one of several",
        ),
        (
            memory(r#"(memory (export "memory") 2 2)"#),
            "2 pages and may have 2",
        ),
        (
            memory(r#"(memory (export "memory") 2 3)"#),
            "2 pages and may have 3",
        ),
        (
            memory(r#"(memory (export "memory") 65535)"#),
            "65535 pages and may have 65536",
        ),
        (
            memory(r#"(memory (export "memory") 65536)"#),
            "65536 pages and may have 65536",
        ),
        (
            import(
                r#"(import "wasi_snapshot_preview1" "adapter_close_badfd"
                    (func (param i32) (result i32)))"#,
            ),
            "`wasi_snapshot_preview1::adapter_close_badfd`, which WASI preview 1 does not have",
        ),
        (
            memory(r#"(memory (export "memory") 2 9) (func (drop (memory.grow (i32.const 1))))"#),
            "at most 9 pages",
        ),
        (
            memory(r#"(memory (export "memory") 2) (func (export "_initialize"))"#),
            "it exports `_initialize`",
        ),
        (
            memory(r#"(memory (export "memory") 2) (func (export "cabi_realloc"))"#),
            "it exports `cabi_realloc`",
        ),
    ] {
        let found = obstacle(&text).to_string();
        assert!(found.contains(said), "{text}: {found}");
    }
}
