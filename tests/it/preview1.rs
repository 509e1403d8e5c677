//! Core modules of WASI preview 1: what they become, that they run as under stock, and who is told.

use std::collections::BTreeMap;

use edgec_tests::{CLI_GUESTS, Sandbox, shared, stock};
use serde_json::Value;

const ARCH: &str = std::env::consts::ARCH;

/// Builds `app.wasm` or `app.wat`; the report on it.
fn build(sandbox: &Sandbox, input: &str, options: &[&str]) -> Value {
    let build = ["build", input, "-t", ARCH, "--key", "key.pem", "-o"];
    let more = ["app.cwasm", "--format", "json"];
    let report = sandbox.ok(&[&build[..], &more, options].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    report["inputs"][0]["built"].clone()
}

fn run(sandbox: &Sandbox) -> stock::Behaviour {
    let output = sandbox.run(&["run", "app.cwasm", "--key", "key.pub.pem"]);
    stock::Behaviour {
        stdout: output.stdout,
        stderr: output.stderr,
        code: output.status.code().unwrap(),
    }
}

/// A command that imports these functions, has these fields, and does this.
fn command(imports: &[(&str, &str)], fields: &str, start: &str) -> String {
    let imports = imports.iter().map(|(name, ty)| {
        format!(r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} {ty}))"#)
    });
    let imports: String = imports.collect();
    format!(r#"(module {imports} {fields} (func (export "_start") {start}))"#)
}

const WRITE: (&str, &str) = ("fd_write", "(param i32 i32 i32 i32) (result i32)");
const SIZES: (&str, &str) = ("args_sizes_get", "(param i32 i32) (result i32)");
const EXIT: (&str, &str) = ("proc_exit", "(param i32)");
const MEMORY: &str = r#"(memory (export "memory") 1) (data (i32.const 16) "hello\n")"#;

/// Prints `hello`.
const HELLO: &str = "(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))";

/// Each runs under stock; what it is, and how it ends there is asked.
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
        ("takes all memory", command(&[WRITE, SIZES], MEMORY, &format!("{ask}{takes_all}{HELLO}")), "module"),
        ("counts its pages", command(&[WRITE, SIZES], MEMORY, &format!("{ask}{counts}{HELLO}")), "module"),
        ("a memory that cannot grow", command(&[WRITE], &fixed, HELLO), "module"),
        ("a start section", start_section, "module"),
        ("a library", reactor, "module"),
        ("a 64-bit memory", command(&[EXIT], r#"(memory (export "memory") i64 1)"#, "(call $proc_exit (i32.const 0))"), "module"),
        ("exits with 10", command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 10))"), "module"),
        ("exits with 1", command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 1))"), "component"),
        ("exits in vain", command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 200))"), "module"),
        ("traps", command(&[WRITE], MEMORY, "unreachable"), "component"),
        ("traps as a module", command(&[EXIT], MEMORY, "(call $proc_exit (i32.div_u (i32.const 7) (i32.const 0)))"), "module"),
        ("exits in its start section",
            format!(r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $x (param i32)))
                {MEMORY} (func $s (call $x (i32.const 3))) (start $s) (func (export "_start")))"#), "module"),
        ("gives something back",
            format!(r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                {MEMORY} (func (export "_initialize") (drop (call 0))) (func (export "_start")))"#), "module"),
    ]
}

#[test]
fn programs_run_as_under_stock_at_every_level() {
    let sandbox = Sandbox::new();
    for (what, text, kind) in programs() {
        let wasm = wat::parse_str(&text).unwrap();
        let expected = stock::compile_and_run(&wasm, &[], "");
        sandbox.write("app.wat", &text);
        for options in [&["-O0"][..], &["-O1"], &["-O2"], &["-O3"], &["-O4"], &["-Os"], &["-Oz"], &["--profile", "edge"]] {
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

/// Neither stock nor edgec runs these. What is in the way is named when they are built, and when they are run.
#[test]
fn what_nobody_runs_says_why() {
    let imports = |more: &str| {
        command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 0))")
            .replace("(module", &format!("(module {more}"))
    };
    let exit = "(call $proc_exit (i32.const 0))";
    let threads = r#"(import "wasi" "thread-spawn" (func (param i32) (result i32)))
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
            imports(r#"(import "wasi_snapshot_preview1" "thread-spawn" (func))"#),
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
            imports(r#"(import "wasi_snapshot_preview1" "fd_close" (func (param i64)))"#),
            "with the type (i64) -> (), WASI preview 1 has it as (i32) -> (i32)",
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
        // Asked for, it is an error with the same reason.
        let component = ["build", "app.wat", "--kind", "component", "--key", "key.pem"];
        let stderr = sandbox.fails(1, &component);
        assert!(stderr.contains(because), "{stderr}");
        assert!(stderr.contains("--kind module"), "{stderr}");
    }
}

/// A component that would not do the same is not made, whoever asks for it; one that would lack exit codes is, with a warning.
#[test]
fn a_component_that_is_asked_for_is_safe() {
    let sandbox = Sandbox::new();
    let refused = |text: &str, because: &str| {
        sandbox.write("app.wat", text);
        let stderr = sandbox.fails(
            1,
            &["build", "app.wat", "--kind", "component", "--key", "key.pem", "-o", "no.cwasm"],
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

    sandbox.write("app.wat", command(&[EXIT], MEMORY, "(call $proc_exit (i32.const 10))"));
    let build = ["build", "-q", "app.wat", "-t", ARCH, "--key", "key.pem", "-o", "app.cwasm"];
    let output = sandbox.run(&[&build[..], &["--kind", "component"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("other codes than 0 and 1"), "{stderr}");
    assert_eq!(run(&sandbox).code, 1);
    sandbox.ok(&build);
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
        "it imports `bench::start`, which is not of WASI preview 1"
    );
    let summary = sandbox.ok(&["build", "app.wat", "-t", ARCH, "--key", "key.pem", "-o", "a.cwasm"]);
    assert!(summary.contains("kind"), "{summary}");
    assert!(summary.contains("core module: it imports `bench::start`"), "{summary}");
}

/// The manifest has the choice and the reason, and whoever builds again comes to the same.
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
                "verify", "app.cwasm", "--key", "key.pub.pem", "--rebuild", input.to_str().unwrap(),
            ]);
        }
    }
}

/// Two builds of one program, of two kinds.
fn two_kinds() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", command(&[WRITE], MEMORY, HELLO));
    for kind in ["component", "module"] {
        build(&sandbox, "app.wat", &["--kind", kind]);
        std::fs::rename(
            sandbox.path().join("app.cwasm"),
            sandbox.path().join(format!("{kind}.cwasm")),
        )
        .unwrap();
    }
    sandbox
}

#[test]
fn that_a_program_changed_its_kind_is_named() {
    let sandbox = two_kinds();
    let output = sandbox.run(&["diff", "component.cwasm", "module.cwasm"]);
    let diff = String::from_utf8(output.stdout).unwrap();
    assert!(diff.contains("the kind differs: a is a component, b is a module"), "{diff}");

    let key = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    sandbox.write(
        "policy.toml",
        format!("threshold = 1\n[[key]]\nname = \"k\"\npem = \"\"\"\n{key}\"\"\"\n[allow]\nimports = [\"wasi:*\"]\n"),
    );
    let check = ["policy", "check", "policy.toml", "component.cwasm", "module.cwasm"];
    let output = sandbox.run(&check);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    for line in [
        "component.cwasm: a component, not verified; its imports are allowed",
        "module.cwasm: a module, not verified; its imports are not allowed: wasi_snapshot_preview1::fd_write",
        "the kind differs: component.cwasm is a component, module.cwasm is a module",
    ] {
        assert!(said.contains(line), "{said}");
    }
    sandbox.ok(&check[..4]);
    let stderr = sandbox.fails(1, &["verify", "module.cwasm", "--trust", "policy.toml"]);
    assert!(stderr.contains("the program is a core module"), "{stderr}");
}

/// What the rule says of the real programs beside the repository.
#[test]
fn the_choice_for_every_guest() {
    let Some(folder) = shared("guests") else {
        assert!(std::env::var_os("EDGEC_REQUIRE_GUESTS").is_none());
        eprintln!("skipped: no guests beside the repository");
        return;
    };
    let mut choices = BTreeMap::new();
    for guest in CLI_GUESTS {
        for asked in [edgec_compiler::KindChoice::Auto, edgec_compiler::KindChoice::Component] {
            let wasm = std::fs::read(folder.join(guest.file)).unwrap();
            let input = edgec_compiler::read(&wasm).unwrap();
            let adapted = edgec_compiler::adapt(input, asked).unwrap();
            let Some(choice) = adapted.choice else { continue };
            let kind = adapted.component.kind();
            println!("{} ({}): {kind:?}: {}", guest.file, asked.name(), choice.why);
            choices.insert((guest.file, asked.name()), kind);
        }
    }
    for guest in ["rust-worker-p1", "c-cmark", "c-minigzip", "c-quickjs"] {
        let file = format!("{guest}.wasm");
        // They exit with any code; and their allocators are known.
        let kind = |asked| choices.get(&(&*file, asked)).copied();
        assert_eq!(kind("auto"), Some(edgec_compiler::Kind::Module), "{guest}");
        assert_eq!(kind("component"), Some(edgec_compiler::Kind::Component), "{guest}");
    }
}

#[cfg(target_os = "linux")]
mod hosts {
    use edgec_loader::store::{Application, Deployment, RefreshError, Store};
    use edgec_loader::{EngineProfile, HostEngine, Limits, LoadError, Verdict};
    use edgec_tests::Sandbox;
    use wasmtime_wasi::p1::WasiP1Ctx;
    use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
    use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

    use super::{ARCH, EXIT, HELLO, MEMORY, WRITE, command};

    /// A store with a program in it, built with these options.
    fn admitted(sandbox: &Sandbox, text: &str, version: &str, options: &[&str]) -> Store {
        sandbox.write("app.wat", text);
        let build = ["build", "-q", "app.wat", "-t", ARCH, "--profile", "edge", "--key", "key.pem"];
        let named = ["--name", "acme/command", "--app-version", version, "-o", "app.cwasm"];
        sandbox.ok(&[&build[..], &named, options].concat());
        sandbox.ok(&["store", "--store", "store", "add", "--key", "key.pub.pem", "app.cwasm"]);
        Store::open(sandbox.path().join("store")).unwrap()
    }

    fn hello_and_exit(code: i32) -> String {
        let start = format!("{HELLO} (call $proc_exit (i32.const {code}))");
        command(&[WRITE, EXIT], MEMORY, &start)
    }

    fn edge() -> HostEngine {
        edgec_loader::engine(EngineProfile::Edge, &Limits::OnDemand).unwrap()
    }

    /// As docs/hosting.md shows it.
    fn run_command(engine: &HostEngine, store: &Store, sandbox: &Sandbox) -> wasmtime::Result<(String, i32)> {
        let policy = sandbox.policy();
        let mut linker = wasmtime::Linker::<WasiP1Ctx>::new(engine);
        wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |wasi| wasi)?;
        let loaded = store.load_module(engine, "acme/command", &policy)?;
        let program = loaded.instantiate_pre(&linker)?;
        assert_eq!(program.report().verdict, loaded.report().verdict);

        let stdout = MemoryOutputPipe::new(1 << 16);
        let wasi = WasiCtxBuilder::new().stdout(stdout.clone()).build_p1();
        let mut run = wasmtime::Store::new(engine, wasi);
        run.set_epoch_deadline(100);
        let instance = program.instantiate(&mut run)?;
        let start = instance.get_typed_func::<(), ()>(&mut run, "_start")?;
        let ended = start.call(&mut run, ());
        let code = match ended {
            Ok(()) => 0,
            Err(error) => error.downcast::<I32Exit>()?.0,
        };
        drop(run);
        Ok((String::from_utf8(stdout.contents().to_vec())?, code))
    }

    #[test]
    fn a_host_runs_core_modules_from_a_store() {
        let sandbox = Sandbox::new();
        let store = admitted(&sandbox, &hello_and_exit(10), "1", &[]);
        let engine = edge();
        let ran = run_command(&engine, &store, &sandbox).unwrap();
        assert_eq!(ran, ("hello\n".to_owned(), 10));
        let again = store.load_module(&engine, "acme/command", &sandbox.policy());
        assert_eq!(again.unwrap().report().verdict, Verdict::Cached);
        let output = sandbox.run(&["run", "--store", "store", "acme/command", "--key", "key.pub.pem"]);
        assert_eq!((output.stdout, output.status.code()), (b"hello\n".to_vec(), Some(10)));
        // A deadline ends one that does not end.
        let spins = command(&[EXIT], MEMORY, "(loop (br 0)) (call $proc_exit (i32.const 10))");
        let store = admitted(&sandbox, &spins, "2", &[]);
        let ticker = engine.tick(std::time::Duration::from_millis(1));
        let error = run_command(&engine, &store, &sandbox).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&wasmtime::Trap::Interrupt));
        drop(ticker);
    }

    /// A component at work stays, and the host is told that the new version is of the other kind.
    #[test]
    fn a_deployment_names_another_kind() {
        let sandbox = Sandbox::new();
        let store = admitted(&sandbox, &hello_and_exit(1), "1", &["--kind", "component"]);
        let engine = edge();
        let policy = sandbox.policy();
        let mut linker = wasmtime::component::Linker::<super::Host>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        let application = Application::new("acme/command");
        let deployment = Deployment::new(&store, &engine, application, &policy, linker).unwrap();
        admitted(&sandbox, &hello_and_exit(10), "2", &[]);
        let error = deployment.refresh(&policy).unwrap_err();
        let RefreshError::Kept(reason @ LoadError::Kind { .. }) = &error else {
            panic!("{error:?}");
        };
        let said = reason.to_string();
        assert!(said.starts_with("the artifact holds a module, a component is wanted"), "{said}");
        assert_eq!(deployment.current().manifest().version, 1);
    }
}

/// What a host of components keeps for one.
#[cfg(target_os = "linux")]
struct Host {
    wasi: wasmtime_wasi::WasiCtx,
    table: wasmtime::component::ResourceTable,
}

#[cfg(target_os = "linux")]
impl wasmtime_wasi::WasiView for Host {
    fn ctx(&mut self) -> wasmtime_wasi::WasiCtxView<'_> {
        wasmtime_wasi::WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
