//! Core modules of WASI preview 1: the kinds that they become, that they run as in stock Wasmtime,
//! and edgec's reports.
//!
//! More than 400 lines: the texts of many small programs.

use std::collections::BTreeMap;

use edgec_tests::{CLI_GUESTS, Sandbox, guests, stock};
use serde_json::Value;

pub(crate) const ARCH: &str = std::env::consts::ARCH;

/// Builds `input`. Returns the report on it.
pub(crate) fn build(sandbox: &Sandbox, input: &str, options: &[&str]) -> Value {
    let build = ["build", input, "-t", ARCH, "--key", "key.pem", "-o"];
    let more = ["app.cwasm", "--format", "json"];
    let report = sandbox.ok(&[&build[..], &more, options].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    report["inputs"][0]["built"].clone()
}

pub(crate) fn run(sandbox: &Sandbox) -> stock::Behaviour {
    let output = sandbox.run(&["run", "app.cwasm", "--key", "key.pub.pem"]);
    output.into()
}

/// Builds `app.wat` as `app.cwasm`.
pub(crate) const BUILD: &[&str] = &[
    "build",
    "-q",
    "app.wat",
    "-t",
    ARCH,
    "--key",
    "key.pem",
    "-o",
    "app.cwasm",
];

/// Builds `app.wat`, a program that exits with another code than 0 and 1, as a component. A
/// component has no such codes, and the build warns of it.
pub(crate) fn loses_its_exit_code(sandbox: &Sandbox, options: &[&str]) {
    let output = sandbox.run(&[BUILD, options].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && stderr.contains("other codes than 0 and 1"),
        "{stderr}"
    );
    assert_eq!(run(sandbox).code, 1);
}

/// A command with these imports and fields, and with `start` as the body of `_start`.
pub(crate) fn command(imports: &[(&str, &str)], fields: &str, start: &str) -> String {
    let imports = imports.iter().map(|(name, ty)| {
        format!(r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} {ty}))"#)
    });
    let imports: String = imports.collect();
    format!(r#"(module {imports} {fields} (func (export "_start") {start}))"#)
}

pub(crate) const WRITE: (&str, &str) = ("fd_write", "(param i32 i32 i32 i32) (result i32)");
const SIZES: (&str, &str) = ("args_sizes_get", "(param i32 i32) (result i32)");
pub(crate) const EXIT: (&str, &str) = ("proc_exit", "(param i32)");
pub(crate) const MEMORY: &str = r#"(memory (export "memory") 1) (data (i32.const 16) "hello\n")"#;

/// Prints `hello`.
pub(crate) const HELLO: &str =
    "(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))";

/// Programs that run in stock Wasmtime, each with the kind that edgec chooses.
fn programs() -> Vec<(&'static str, String, &'static str)> {
    let takes_all = "(memory.fill (i32.const 4096) (i32.const 0xaa)
        (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4096)))";
    let counts = "(drop (memory.grow (i32.const 1)))
        (memory.fill (i32.const 65536) (i32.const 0xaa) (i32.const 65536))";
    let ask = "(drop (call $args_sizes_get (i32.const 8) (i32.const 12)))";
    let start_section = format!(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $fd_write {}))
        {MEMORY} (func $s {HELLO}) (start $s) (func (export "_start")))"#,
        WRITE.1
    );
    let reactor = command(&[WRITE], MEMORY, HELLO).replace("_start", "_initialize");
    let fixed = MEMORY.replace(") 1)", ") 1 1)");
    vec![
        ("static", command(&[WRITE], MEMORY, HELLO), "component"),
        (
            "takes all memory",
            command(&[WRITE, SIZES], MEMORY, &format!("{ask}{takes_all}{HELLO}")),
            "module",
        ),
        (
            "counts its pages",
            command(&[WRITE, SIZES], MEMORY, &format!("{ask}{counts}{HELLO}")),
            "module",
        ),
        (
            "a memory that cannot grow",
            command(&[WRITE], &fixed, HELLO),
            "module",
        ),
        ("a start section", start_section, "module"),
        ("a library", reactor, "module"),
        (
            "a 64-bit memory",
            command(
                &[EXIT],
                r#"(memory (export "memory") i64 1)"#,
                "(call $proc_exit (i32.const 0))",
            ),
            "module",
        ),
        (
            "exits with 10",
            command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 10))"),
            "module",
        ),
        (
            "exits with 1",
            command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 1))"),
            "component",
        ),
        (
            "exits in vain",
            command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 200))"),
            "module",
        ),
        (
            "traps",
            command(&[WRITE], MEMORY, "unreachable"),
            "component",
        ),
        (
            "traps as a module",
            command(
                &[EXIT],
                MEMORY,
                "(call $proc_exit (i32.div_u (i32.const 7) (i32.const 0)))",
            ),
            "module",
        ),
        (
            "exits in its start section",
            format!(
                r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $x (param i32)))
                {MEMORY} (func $s (call $x (i32.const 3))) (start $s) (func (export "_start")))"#
            ),
            "module",
        ),
        (
            "gives something back",
            format!(
                r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                {MEMORY} (func (export "_initialize") (drop (call 0))) (func (export "_start")))"#
            ),
            "module",
        ),
    ]
}

#[test]
fn programs_run_as_under_stock_at_every_level() {
    let sandbox = Sandbox::new();
    for (what, text, kind) in programs() {
        let wasm = wat::parse_str(&text).unwrap();
        let expected = stock::compile_and_run(&wasm, &[], "");
        sandbox.write("app.wat", &text);
        for options in [
            &["-O0"][..],
            &["-O1"],
            &["-O2"],
            &["-O3"],
            &["-O4"],
            &["-Os"],
            &["-Oz"],
            &["--profile", "edge"],
        ] {
            let built = build(&sandbox, "app.wat", options);
            assert_eq!(built["kindChoice"]["chosen"], kind, "{what}: {built}");
            let found = run(&sandbox);
            assert_eq!(
                (found.code, &found.stdout),
                (expected.code, &expected.stdout),
                "{what} {options:?}: {}",
                String::from_utf8_lossy(&found.stderr)
            );
        }
    }
}

/// Neither stock nor edgec runs these programs. Both the build and the run name the reason.
#[test]
fn programs_that_cannot_run_say_why() {
    // These imports are exported too. Otherwise, the optimizer would remove them as unused.
    let imports = |more: &str| {
        command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 0))")
            .replace("(module", &format!("(module {more}"))
    };
    let exit = "(call $proc_exit (i32.const 0))";
    let threads = r#"(func (export "used") (import "wasi" "thread-spawn") (param i32) (result i32))
        (import "env" "memory" (memory 1 10 shared))"#;
    let cases = [
        (
            command(&[EXIT], MEMORY, exit).replace("\"_start\")", "\"_start\") (param i32)"),
            "its `_start` is a function (i32) -> ()",
            "not-a-command",
            "its `_start` is a function (i32) -> ()",
        ),
        (
            command(&[EXIT], "", exit),
            "it exports no memory as `memory`",
            "stopped",
            "exported memory of the name `memory`",
        ),
        (
            command(&[EXIT], r#"(memory (export "mem") 1)"#, exit),
            "(it exports one as `mem`)",
            "stopped",
            "exported memory of the name `memory`",
        ),
        (
            imports(r#"(func (export "used") (import "wasi_snapshot_preview1" "thread-spawn"))"#),
            "`wasi_snapshot_preview1::thread-spawn`, which WASI preview 1 does not have",
            "instantiate",
            "`wasi_snapshot_preview1::thread-spawn`",
        ),
        (
            imports(threads).replace(MEMORY, r#"(export "memory" (memory 0))"#),
            "`wasi::thread-spawn`",
            "instantiate",
            "`wasi::thread-spawn`, `env::memory`",
        ),
        (
            imports(
                r#"(func (export "used") (import "wasi_snapshot_preview1" "fd_close") (param i64))"#,
            ),
            "with the type (i64) -> (); in WASI preview 1 it has (i32) -> (i32)",
            "instantiate",
            "wasi_snapshot_preview1::fd_close",
        ),
    ];
    let sandbox = Sandbox::new();
    for (text, because, code, said) in cases {
        sandbox.write("app.wat", &text);
        let built = build(&sandbox, "app.wat", &[]);
        let reason = built["kindChoice"]["because"].as_str().unwrap();
        assert!(reason.contains(because), "{reason}");
        let stderr = sandbox.fails(1, &["run", "app.cwasm", "--key", "key.pub.pem"]);
        assert!(stderr.starts_with(&format!("error[{code}]")), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        // If the user asks for a component, this is an error with the same reason.
        let component = [
            "build",
            "app.wat",
            "--kind",
            "component",
            "--key",
            "key.pem",
        ];
        let stderr = sandbox.fails(1, &component);
        assert!(stderr.contains(because), "{stderr}");
        assert!(stderr.contains("--kind module"), "{stderr}");
    }
}

/// A component that would behave differently is never made. A component that only lacks exit codes
/// is made if the user asks for it, with a warning.
#[test]
fn a_component_that_is_asked_for_is_safe() {
    let sandbox = Sandbox::new();
    let refused = |text: &str, because: &str| {
        sandbox.write("app.wat", text);
        let stderr = sandbox.fails(
            1,
            &[
                "build",
                "app.wat",
                "-t",
                ARCH,
                "--kind",
                "component",
                "--key",
                "key.pem",
                "-o",
                "no.cwasm",
            ],
        );
        assert!(stderr.starts_with("error[kind]"), "{stderr}");
        assert!(stderr.contains(because), "{stderr}");
        assert!(stderr.contains("--kind module"), "{stderr}");
        assert!(!stderr.contains("offset"), "{stderr}");
    };
    for (what, text, kind) in programs() {
        match (kind, what) {
            ("component", _) | (_, "exits with 10" | "exits in vain" | "traps as a module") => {}
            _ => refused(&text, "the core module cannot become a component: "),
        }
    }
    refused("(module)", "it would export nothing");
    refused(r#"(module (import "env" "f" (func)))"#, "`env::f`");
    assert!(!sandbox.files().contains(&"no.cwasm".to_owned()));

    sandbox.write(
        "app.wat",
        command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 10))"),
    );
    loses_its_exit_code(&sandbox, &["--kind", "component"]);
    sandbox.ok(BUILD);
    assert_eq!(run(&sandbox).code, 10);
}

/// Core modules for other hosts need no option.
#[test]
fn a_module_for_another_host_stays_one() {
    let sandbox = Sandbox::new();
    let timer = command(&[WRITE], MEMORY, HELLO)
        .replace("(module", r#"(module (import "bench" "start" (func))"#);
    sandbox.write("app.wat", timer);
    let built = build(&sandbox, "app.wat", &[]);
    assert_eq!(built["kind"], "core module");
    assert_eq!(
        built["kindChoice"]["because"],
        "it imports `bench::start`, which does not belong to WASI preview 1"
    );
    let summary = sandbox.ok(&[
        "build", "app.wat", "-t", ARCH, "--key", "key.pem", "-o", "a.cwasm",
    ]);
    assert!(summary.contains("kind"), "{summary}");
    assert!(
        summary.contains("core module: it imports `bench::start`"),
        "{summary}"
    );
}

/// The manifest contains the choice, and a rebuild makes the same choice.
#[test]
fn a_rebuild_comes_to_the_same_choice() {
    let sandbox = Sandbox::new();
    for (what, text, kind) in programs() {
        if !matches!(what, "static" | "takes all memory" | "exits with 10") {
            continue;
        }
        let input = sandbox.write("app.wat", &text);
        for asked in ["auto", kind] {
            build(&sandbox, "app.wat", &["--kind", asked]);
            let report = sandbox.ok(&["inspect", "app.cwasm", "--format", "json"]);
            let report: Value = serde_json::from_str(&report).unwrap();
            let manifest = &report["manifest"];
            assert_eq!(manifest["kind"], kind);
            let stages = manifest["builder"]["stages"].as_array().unwrap();
            let stage = stages.iter().find(|stage| stage["name"] == "kind").unwrap();
            assert_eq!(stage["settings"]["asked"], asked);
            assert_eq!(stage["settings"]["chosen"], kind);
            sandbox.ok(&[
                "verify",
                "app.cwasm",
                "--key",
                "key.pub.pem",
                "--rebuild",
                input.to_str().unwrap(),
            ]);
        }
    }
}

/// The result of the rule for the real programs beside the repository.
#[test]
fn the_choice_for_every_guest() {
    let Some(folder) = guests() else { return };
    let mut choices = BTreeMap::new();
    for guest in CLI_GUESTS {
        for asked in [
            edgec_compiler::KindChoice::Auto,
            edgec_compiler::KindChoice::Component,
        ] {
            let wasm = std::fs::read(folder.join(guest.file)).unwrap();
            let input = edgec_compiler::read(wasm).unwrap();
            let adapted = edgec_compiler::adapt(input, asked).unwrap();
            let Some(choice) = adapted.choice else {
                continue;
            };
            let kind = adapted.component.kind();
            println!(
                "{} ({}): {kind:?}: {}",
                guest.file,
                asked.name(),
                choice.why
            );
            choices.insert((guest.file, asked.name()), kind);
        }
    }
    for guest in ["rust-worker-p1", "c-cmark", "c-minigzip", "c-quickjs"] {
        let file = format!("{guest}.wasm");
        // They may exit with any code, and their allocators are known.
        let kind = |asked| choices.get(&(&*file, asked)).copied();
        assert_eq!(
            kind("auto"),
            Some(edgec_compiler::ProgramKind::Module),
            "{guest}"
        );
        assert_eq!(
            kind("component"),
            Some(edgec_compiler::ProgramKind::Component),
            "{guest}"
        );
    }
}
