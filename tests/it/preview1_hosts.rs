//! The effect of a program's kind on hosts: verbs report a change of kind, and hosts run core
//! modules.

#![cfg(target_os = "linux")]

use edgec_loader::store::{
    Application, ArtifactStore, Deployment, LoadFromStore as _, RefreshError,
};
use edgec_loader::{EngineProfile, HostEngine, LoadError, Verdict};
use edgec_tests::Sandbox;
use edgec_tests::stock::State;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use crate::preview1::{ARCH, EXIT, HELLO, MEMORY, WRITE, build, command};

/// A sandbox with two builds of one program, one of each kind.
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
    assert!(
        diff.contains("the kind differs: a is a component, b is a module"),
        "{diff}"
    );

    let key = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    sandbox.write(
        "policy.toml",
        format!("threshold = 1\n[[key]]\nname = \"k\"\npem = \"\"\"\n{key}\"\"\"\n[allow]\nimports = [\"wasi:*\"]\n"),
    );
    let check = [
        "policy",
        "check",
        "policy.toml",
        "component.cwasm",
        "module.cwasm",
    ];
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

/// A store with a program that was built with these options.
fn admitted(sandbox: &Sandbox, text: &str, version: &str, options: &[&str]) -> ArtifactStore {
    sandbox.write("app.wat", text);
    let build = [
        "build",
        "-q",
        "app.wat",
        "-t",
        ARCH,
        "--profile",
        "edge",
        "--key",
        "key.pem",
    ];
    let named = [
        "--name",
        "acme/command",
        "--app-version",
        version,
        "-o",
        "app.cwasm",
    ];
    sandbox.ok(&[&build[..], &named, options].concat());
    sandbox.admit("app.cwasm");
    ArtifactStore::open(sandbox.path().join("store")).unwrap()
}

fn hello_and_exit(code: i32) -> String {
    let start = format!("{HELLO} (call $proc_exit (i32.const {code}))");
    command(&[WRITE, EXIT], MEMORY, &start)
}

fn edge() -> HostEngine {
    HostEngine::builder(EngineProfile::Edge).build().unwrap()
}

/// In the way of docs/hosting.md.
fn run_command(
    engine: &HostEngine,
    store: &ArtifactStore,
    sandbox: &Sandbox,
) -> wasmtime::Result<(String, i32)> {
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
    let output = sandbox.run(&[
        "run",
        "--store",
        "store",
        "acme/command",
        "--key",
        "key.pub.pem",
    ]);
    assert_eq!(
        (output.stdout, output.status.code()),
        (b"hello\n".to_vec(), Some(10))
    );
    // A deadline ends a program that does not end by itself.
    let spins = command(
        &[EXIT],
        MEMORY,
        "(loop (br 0)) (call $proc_exit (i32.const 10))",
    );
    let store = admitted(&sandbox, &spins, "2", &[]);
    let ticker = engine.tick(std::time::Duration::from_millis(1));
    let error = run_command(&engine, &store, &sandbox).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&wasmtime::Trap::Interrupt));
    drop(ticker);
}

/// A component that is at work stays, and the host learns that the new version is of the other
/// kind.
#[test]
fn a_deployment_names_another_kind() {
    let sandbox = Sandbox::new();
    let store = admitted(&sandbox, &hello_and_exit(1), "1", &["--kind", "component"]);
    let engine = edge();
    let policy = sandbox.policy();
    let mut linker = wasmtime::component::Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    let application = Application::new("acme/command");
    let deployment = Deployment::new(&store, &engine, application, policy, linker).unwrap();
    admitted(&sandbox, &hello_and_exit(10), "2", &[]);
    let error = deployment.refresh().unwrap_err();
    let RefreshError::Kept(reason @ LoadError::Kind { .. }) = &error else {
        panic!("{error:?}");
    };
    let said = reason.to_string();
    assert!(
        said.starts_with("the artifact holds a module, a component is wanted"),
        "{said}"
    );
    assert_eq!(deployment.current().unwrap().manifest().version, 1);
}

/// If the host stops a program, the error has the cause first, only once, and then the backtrace.
#[test]
fn a_stop_begins_with_its_cause() {
    let sandbox = Sandbox::new();
    let clock = ("clock_time_get", "(param i32 i64 i32) (result i32)");
    let ask = "(drop (call $clock_time_get (i32.const 99) (i64.const 0) (i32.const 0)))";
    let exit = "(call $proc_exit (i32.const 256))";
    let start_section = command(&[EXIT], MEMORY, "").replace(
        "(func (export",
        &format!("(func $s {exit}) (start $s) (func (export"),
    );
    let cases = [
        (
            command(&[EXIT], MEMORY, exit),
            "exit with invalid exit status outside of [0..126)",
            "0 to 125",
        ),
        (
            start_section,
            "exit with invalid exit status outside of [0..126)",
            "0 to 125",
        ),
        (
            command(&[WRITE], "(memory 1)", HELLO),
            "missing required memory export",
            "an exported memory of the name `memory`",
        ),
        (
            command(&[clock], MEMORY, ask),
            "In func wasi_snapshot_preview1::clock_time_get at convert Clockid: Invalid enum value Clockid",
            "",
        ),
    ];
    for (text, cause, hint) in cases {
        sandbox.write("app.wat", &text);
        build(&sandbox, "app.wat", &["--kind", "module"]);
        let stderr = sandbox.fails(1, &["run", "--key", "key.pub.pem", "app.cwasm"]);
        let first = format!("error[stopped]: app.cwasm: the program was stopped: {cause}");
        assert_eq!(stderr.lines().next(), Some(first.as_str()), "{stderr}");
        assert!(stderr.contains("\n  | "), "no backtrace: {stderr}");
        assert!(stderr.contains(hint), "{stderr}");
        let last = cause.rsplit(": ").next().unwrap();
        assert_eq!(stderr.matches(last).count(), 1, "{stderr}");
    }
}
