//! `edgec build --init`: the image contains the state after the call, and no other changes.

use edgec_tests::stock;
use edgec_tests::{CLI_GUESTS, Sandbox, guests, repository};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentSection, ComponentTypeSection, ComponentValType, ExportKind,
    InstanceSection, ModuleArg,
};

const BUILD: &[&str] = &["build", "-t", std::env::consts::ARCH, "--key", "key.pem"];

fn squares() -> String {
    let path = repository().join("examples/squares.wat");
    path.to_str().unwrap().to_owned()
}

/// The exit code of a command.
fn run(sandbox: &Sandbox, artifact: &str) -> i32 {
    let output = sandbox.run(&["run", "--key", "key.pub.pem", artifact]);
    output.status.code().unwrap()
}

#[test]
fn the_state_is_in_the_image() {
    let sandbox = Sandbox::new();
    let squares = squares();
    // Four squares that do not occur in the program.
    let made: Vec<u8> = (7000..7004u32)
        .flat_map(|i| (i * i).to_le_bytes())
        .collect();
    let holds = |artifact: &str| {
        let bytes = sandbox.read(artifact);
        bytes.windows(made.len()).any(|at| at == made)
    };
    for level in ["-O0", "-O1", "-O3"] {
        let without = [BUILD, &["-q", &squares, level, "-o", "without.cwasm"]].concat();
        sandbox.ok(&without);
        assert_eq!(run(&sandbox, "without.cwasm"), 1, "{level}");
        assert!(!holds("without.cwasm"));
        for output in ["with.cwasm", "again.cwasm"] {
            let with = [
                BUILD,
                &["-q", &squares, level, "--init", "fill", "-o", output],
            ];
            sandbox.ok(&with.concat());
        }
        assert_eq!(run(&sandbox, "with.cwasm"), 0, "{level}");
        assert!(holds("with.cwasm"));
        assert!(sandbox.read("with.cwasm") == sandbox.read("again.cwasm"));
    }
}

#[test]
fn the_manifest_and_the_report_say_so() {
    let sandbox = Sandbox::new();
    let squares = squares();
    let more = ["--init", "fill", "--format", "json", "-o", "app.cwasm"];
    let report = sandbox.ok(&[BUILD, &[&squares], &more].concat());
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let init = &report["inputs"][0]["built"]["init"];
    assert_eq!(init["function"], "fill");
    assert!(init["componentBytes"].as_u64() > Some(40_000));
    let json = sandbox.ok(&["inspect", "app.cwasm", "--format", "json"]);
    let inspected: serde_json::Value = serde_json::from_str(&json).unwrap();
    let stages = inspected["manifest"]["builder"]["stages"]
        .as_array()
        .unwrap();
    let names: Vec<&str> = stages.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["parse", "init", "optimize", "precompile"]);
    assert_eq!(stages[1]["tool"], "wasmtime-wizer");
    assert_eq!(stages[1]["version"], edgec_compiler::WIZER_VERSION);
    let settings = serde_json::json!({
        "function": "fill", "imports": "trap", "nanCanonicalization": "true"
    });
    assert_eq!(stages[1]["settings"], settings);
    // The component's exports stay the same.
    let exports = &inspected["manifest"]["capabilities"]["exports"];
    assert_eq!(*exports, serde_json::json!(["fill", "wasi:cli/run@0.2.0"]));
}

/// Builds `app.wat` with `--init init`. It must be rejected, and nothing may be written.
fn refused(text: &str, more: &[&str]) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", text);
    let before = sandbox.files();
    let build = [
        BUILD,
        &["app.wat", "-o", "app.cwasm", "--init", "init"],
        more,
    ];
    let stderr = sandbox.fails(1, &build.concat());
    assert!(stderr.starts_with("error[init]: app.wat: "), "{stderr}");
    assert!(stderr.contains("\n  hint: "), "{stderr}");
    assert_eq!(sandbox.files(), before);
    stderr
}

/// A component that exports the core function `init` of this module.
fn component(core: &str) -> String {
    format!(
        r#"(component (core module $m {core}) (core instance $i (instantiate $m))
        (func (export "init") (canon lift (core func $i "init"))))"#
    )
}

#[test]
fn a_function_that_is_not_there() {
    let text = component(r#"(func (export "init"))"#).replace(
        r#"(func (export "init") (c"#,
        r#"(func (export "begin") (c"#,
    );
    let stderr = refused(&text, &[]);
    assert!(stderr.contains("`init` cannot be called"), "{stderr}");
    assert!(stderr.contains("it could be begin"), "{stderr}");
}

#[test]
fn a_function_that_traps() {
    let stderr = refused(
        &component(r#"(func $here (export "init") unreachable)"#),
        &[],
    );
    assert!(stderr.contains("`init` failed: "), "{stderr}");
    assert!(stderr.contains("`unreachable`"), "{stderr}");
    assert!(stderr.contains("(in `here`)"), "{stderr}");
}

#[test]
fn a_function_that_calls_an_import() {
    let stderr = refused(
        r#"(component
        (import "wasi:random/insecure-seed@0.2.0" (instance $random
            (export "insecure-seed" (func (result (tuple u64 u64))))))
        (core module $libc (memory (export "memory") 1))
        (core instance $libc (instantiate $libc))
        (core func $seed (canon lower (func $random "insecure-seed") (memory $libc "memory")))
        (core module $m (import "" "seed" (func $seed (param i32)))
            (func (export "init") (call $seed (i32.const 0))))
        (core instance $i (instantiate $m (with "" (instance (export "seed" (func $seed))))))
        (func (export "init") (canon lift (core func $i "init"))))"#,
        &[],
    );
    let import = "it called the import `wasi:random/insecure-seed@0.2.0#insecure-seed`";
    assert!(stderr.contains(import), "{stderr}");
    assert!(stderr.contains("no random numbers"), "{stderr}");
}

#[test]
fn a_function_that_never_ends() {
    let text = component(r#"(func (export "init") (loop $ever (br $ever)))"#);
    let stderr = refused(&text, &["--compile-timeout", "1"]);
    assert!(stderr.contains("`init` was stopped after 1 s"), "{stderr}");
    assert!(stderr.contains("--compile-timeout"), "{stderr}");
}

/// The worker's memory limit ends the call. The program does not see the limit, which may be
/// different on another machine.
#[cfg(target_os = "linux")]
#[test]
fn a_function_that_takes_all_memory() {
    let text = component(
        r#"(memory 1) (func (export "init")
            (loop $more (br_if $more (i32.ne (memory.grow (i32.const 100)) (i32.const -1)))))"#,
    );
    let stderr = refused(&text, &["--worker-memory", "256"]);
    assert!(stderr.contains("`init` failed: "), "{stderr}");
}

#[test]
fn what_a_snapshot_does_not_hold() {
    let table = r#"(table 1 funcref)
        (func (export "init") (table.set (i32.const 0) (ref.null func)))"#;
    let stderr = refused(&component(table), &[]);
    let said = "cannot be pre-initialized: unsupported `table.set` instruction";
    assert!(stderr.contains(said), "{stderr}");
    assert!(stderr.contains("docs/init.md"), "{stderr}");
    let module = r#"(module (func (export "init")))"#;
    let stderr = refused(module, &[]);
    assert!(stderr.contains("only a component"), "{stderr}");
}

/// The component with one more export: `nothing`, a function of a core module that needs and does
/// nothing.
fn with_nothing(component: &[u8]) -> Vec<u8> {
    let mut validator = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all());
    let types = validator.validate_all(component).unwrap();
    let types = types.as_ref();
    let module = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
    let mut instances = InstanceSection::new();
    instances.instantiate(types.module_count(), [] as [(&str, ModuleArg); 0]);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport {
        instance: types.core_instance_count(),
        kind: ExportKind::Func,
        name: "f",
    });
    let mut function_types = ComponentTypeSection::new();
    function_types
        .function()
        .params([] as [(&str, ComponentValType); 0])
        .result(None);
    let mut lifts = CanonicalFunctionSection::new();
    lifts.lift(types.function_count(), types.component_type_count(), []);
    let mut exports = ComponentExportSection::new();
    exports.export(
        "nothing",
        ComponentExportKind::Func,
        types.component_function_count(),
        None,
    );
    let mut more = Component::new();
    more.section(&wasm_encoder::RawSection {
        id: wasm_encoder::ComponentSectionId::CoreModule.into(),
        data: &module,
    });
    let sections: [&dyn ComponentSection; 5] =
        [&instances, &aliases, &function_types, &lifts, &exports];
    let mut bytes = [component, &more.finish()[8..]].concat();
    for section in sections {
        section.append_to_component(&mut bytes);
    }
    bytes
}

/// A snapshot of a real program after instantiation behaves like the program.
#[test]
fn guests_behave_the_same() {
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    for guest in CLI_GUESTS {
        let wasm = std::fs::read(folder.join(guest.file)).unwrap();
        let input = edgec_compiler::read(wasm).unwrap();
        let adapted = edgec_compiler::adapt(input, edgec_compiler::KindChoice::Component).unwrap();
        let plain = adapted.component.bytes();
        sandbox.write("app.wasm", with_nothing(plain));
        let more = ["-q", "app.wasm", "--init", "nothing", "-o", "app.cwasm"];
        sandbox.ok(&[BUILD, &more].concat());
        let expected = stock::compile_and_run(plain, guest.arguments, guest.stdin);
        let artifact = sandbox.path().join("app.cwasm");
        let found = stock::load_and_run(&artifact, guest.arguments, guest.stdin);
        assert_eq!(found, expected, "{}", guest.file);
    }
}
