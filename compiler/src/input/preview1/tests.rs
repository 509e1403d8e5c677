//! The results of the rule for modules that each have one deciding property.

mod allocators;

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

fn obstacle(text: &str) -> Obstacle {
    judged(text).component.expect_err(text)
}

/// The result for a component that behaves the same.
fn proved() -> Judgement {
    Judgement {
        component: Ok(()),
        lacks: Vec::new(),
    }
}

#[test]
fn a_memory_that_no_function_asks_about_is_the_programs_alone() {
    for memory in [
        "1",
        "2 4",
        // The adapter needs two of the 65,536 pages that a memory can have.
        "65534",
        "65534 65536",
    ] {
        let memory = format!(r#"(memory (export "memory") {memory})"#);
        assert_eq!(judged(&command(&memory)), proved(), "{memory}");
    }
}

/// Each function of the adapter is a listed function of WASI, or one of the adapter's own.
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

/// The import of a function, with its type in the adapter.
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

#[test]
fn with_component_types_memory_and_start_decide() {
    let judged = |text: &str| judge_with_types(&wat::parse_str(text).unwrap());
    // Other imports and reserved exports belong to the world.
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
    // Only commands have exit codes.
    let exits = format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        {MEMORY} (func (export "_start") (call $exit (i32.const 10))))"#
    );
    assert_eq!(judged(&exits).lacks, [Obstacle::ExitCode]);
    assert!(judged(&exits.replace("_start", "go")).lacks.is_empty());
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
    // No function in the table leads to an import.
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
            "with the type (i64) -> (i32); in WASI preview 1 it has (i32) -> (i32)",
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
