//! Artifacts of the default profile load in an unmodified Wasmtime.

use edgec_tests::programs::COLLECTED;
use edgec_tests::{Sandbox, repository, stock};

/// The crate with its default features and its default configuration.
#[test]
fn an_unmodified_wasmtime_loads_the_whole_artifact() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let behaviour = stock::load_and_run(&sandbox.path().join("hello.cwasm"), &[], "");
    assert_eq!(behaviour.stdout, b"Hello from the edge!\n");
    assert_eq!(behaviour.code, 0);
}

#[test]
#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn also_a_core_module_and_one_that_needs_a_collector() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "plain.wat",
        "(module (func (export \"f\") (result i32) i32.const 7))",
    );
    sandbox.write("gc.wat", COLLECTED);
    for name in ["plain", "gc"] {
        sandbox.build(&format!("{name}.wat"), std::env::consts::ARCH, "a.cwasm");
        let engine = wasmtime::Engine::default();
        let path = sandbox.path().join("a.cwasm");
        // SAFETY: the file was built a moment ago, and nothing else writes it.
        let module = unsafe { wasmtime::Module::deserialize_file(&engine, &path) }.unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 7, "{name}");
    }
}

/// `edgec run` does the same as stock Wasmtime: arguments, environment, folders, exit code.
#[test]
fn a_program_sees_what_is_given_to_it_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.write("exit.wat", EXIT);
    let example = |name: &str| {
        sandbox.build(name, std::env::consts::ARCH, "a.cwasm");
    };
    example("exit.wat");
    // The program succeeds with three arguments, without counting its name, of which none is for
    // `edgec`.
    for (arguments, code) in [
        (&[][..], 1),
        (&["a"], 1),
        (&["a", "--key", "-x"], 0),
        (&["--", "--key", "-x", "--"], 0),
        (&["-x", "--key", "--"], 0),
        // Options may follow the artifact, up to `--` or to the first word that is not an option.
        (&["--env", "A=b", "--", "--key", "-x", "y"], 0),
        (&["--env", "A=b", "a", "--env", "b"], 0),
        (&["--env", "A=b", "--", "a"], 1),
    ] {
        let mut all = vec!["run", "--key", "key.pub.pem", "a.cwasm"];
        all.extend(arguments);
        assert_eq!(sandbox.run(&all).status.code(), Some(code), "{all:?}");
        let mut all = vec!["run", "a.cwasm", "--key", "key.pub.pem"];
        all.extend(arguments);
        assert_eq!(sandbox.run(&all).status.code(), Some(code), "{all:?}");
    }
    sandbox.write("world.wat", WORLD);
    example("world.wat");
    // The program succeeds with one variable and one folder.
    std::fs::create_dir(sandbox.path().join("data")).unwrap();
    let run = |options: &[&str]| {
        let mut all = vec!["run", "--key", "key.pub.pem"];
        all.extend(options);
        all.push("a.cwasm");
        let mut command = sandbox.command(&all);
        command.env("FROM_OUTSIDE", "x");
        command.output().unwrap().status.code()
    };
    assert_eq!(run(&[]), Some(1));
    assert_eq!(run(&["--dir", "data"]), Some(1));
    assert_eq!(run(&["--env", "A=b"]), Some(1));
    assert_eq!(run(&["--env", "A=b", "--dir", "data::/guest"]), Some(0));
    assert_eq!(run(&["--env", "FROM_OUTSIDE", "--dir", "data"]), Some(0));
    assert_eq!(run(&["--env", "NOT_THERE", "--dir", "data"]), Some(2));
    assert_eq!(run(&["--env", "A=b", "--dir", "missing"]), Some(3));
    sandbox.write("trap.wat", TRAP);
    example("trap.wat");
    let output = sandbox.run(&["run", "--key", "key.pub.pem", "a.cwasm"]);
    assert_eq!(output.status.code(), Some(134));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unreachable"));
}

/// If the program is not a command, `run` says so.
#[test]
fn what_cannot_be_run_is_refused_with_a_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("library.wat", "(component)");
    sandbox.write("module.wat", "(module)");
    for (name, error) in [
        ("library", "error[not-a-command]"),
        ("module", "error[not-a-command]"),
    ] {
        sandbox.build(&format!("{name}.wat"), std::env::consts::ARCH, "a.cwasm");
        let stderr = sandbox.fails(1, &["run", "--key", "key.pub.pem", "a.cwasm"]);
        assert!(stderr.starts_with(error), "{stderr}");
    }
    let other = edgec_targets::all().find(|target| target.arch.name() != std::env::consts::ARCH);
    let hello = repository().join("examples/hello.wat");
    sandbox.build(hello.to_str().unwrap(), other.unwrap().id, "a.cwasm");
    let stderr = sandbox.fails(1, &["run", "--key", "key.pub.pem", "a.cwasm"]);
    assert!(stderr.starts_with("error[host]"), "{stderr}");
}

const EXIT: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get"
        (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
        (call $proc_exit (i32.ne (i32.load (i32.const 0)) (i32.const 4)))))"#;

/// Exits with 0 if it has exactly one variable and a first folder.
const WORLD: &str = r#"(module
    (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $environ_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get"
        (func $fd_prestat_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))
        (call $proc_exit (i32.or
            (i32.ne (i32.load (i32.const 0)) (i32.const 1))
            (i32.ne (call $fd_prestat_get (i32.const 3) (i32.const 8)) (i32.const 0))))))"#;

const TRAP: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") unreachable))"#;
