//! Artifacts of the `edge` profile: only hosts of that profile load them, they can be interrupted,
//! and a host has everything that it needs.

use std::path::Path;
use std::time::Duration;

use edgec_loader::{EngineProfile, Expected, HostEngine, LoadError, Unfit, load, load_module};
use edgec_tests::{Sandbox, repository};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Instance, Module, Store, Trap, WasmBacktrace};

fn build(sandbox: &Sandbox, input: &Path, profile: &str, output: &str) {
    let input = input.to_str().unwrap();
    let arch = std::env::consts::ARCH;
    sandbox.ok(&[
        "build",
        "-q",
        input,
        "-t",
        arch,
        "--profile",
        profile,
        // One of the programs uses the collector.
        "--allow-advisory",
        "GHSA-43j2-gcp4-m22g",
        "--key",
        "key.pem",
        "-o",
        output,
    ]);
}

/// An unmodified Wasmtime with the one setting that the profile requires.
fn with_epochs() -> Engine {
    let mut config = Config::new();
    config.epoch_interruption(true);
    Engine::new(&config).unwrap()
}

#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn component(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was built a moment ago, and no process writes it.
    unsafe { Component::deserialize_file(engine, path) }
}

#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn module(engine: &Engine, path: &Path) -> Module {
    // SAFETY: the file was built a moment ago, and no process writes it.
    unsafe { Module::deserialize_file(engine, path) }.unwrap()
}

#[test]
fn each_profile_is_for_its_own_hosts() {
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let other = [
        (EngineProfile::Default, EngineProfile::Edge),
        (EngineProfile::Edge, EngineProfile::Default),
    ];
    for (profile, other) in other {
        let name = format!("{}.cwasm", profile.name());
        build(&sandbox, &hello, profile.name(), &name);
        let path = sandbox.path().join(&name);
        let load = |profile| {
            let engine = HostEngine::builder(profile).build().unwrap();
            load(&engine, &path, &sandbox.policy(), &Expected::anything()).map(|_| ())
        };
        load(profile).unwrap();
        let error = load(other).unwrap_err();
        assert!(
            matches!(error, LoadError::Unfit(Unfit::Profile { .. })),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(&format!("`{}`", profile.name())),
            "{error}"
        );
        let output = sandbox.ok(&["run", "--key", "key.pub.pem", &name]);
        assert_eq!(output, "Hello from the edge!\n");
        let manifest = sandbox.ok(&["inspect", "--format", "json", &name]);
        let epochs = format!(
            "\"epochInterruption\": \"{}\"",
            profile == EngineProfile::Edge
        );
        assert!(manifest.contains(&epochs), "{manifest}");
    }
    // If nothing checks the profile, the engine refuses the artifact with its own message.
    let stock = Engine::default();
    component(&stock, &sandbox.path().join("default.cwasm")).unwrap();
    let refused = component(&stock, &sandbox.path().join("edge.cwasm")).map(|_| ());
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("epoch interruption"), "{refused}");
    component(&with_epochs(), &sandbox.path().join("edge.cwasm")).unwrap();
}

#[test]
fn an_endless_loop_is_interrupted() {
    let sandbox = Sandbox::new();
    let endless = "(module (func (export \"f\") (loop (br 0))))";
    let input = sandbox.write("endless.wat", endless);
    build(&sandbox, &input, "edge", "endless.cwasm");
    let engine = HostEngine::builder(EngineProfile::Edge).build().unwrap();
    let path = sandbox.path().join("endless.cwasm");
    let loaded = load_module(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    let _ticker = engine.tick(Duration::from_millis(5));
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(2);
    let instance = Instance::new(&mut store, loaded.program(), &[]).unwrap();
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let error = f.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{error:?}");
}

/// Functions that escape in every way, others between them, and calls of all of them.
const MODULE: &str = r#"(module
    (import "host" "look" (func $look))
    (type $t (func (param i32) (result i32)))
    (table (export "table") 4 funcref)
    (global $ref (export "ref") (mut funcref) (ref.func $in_global))
    (tag $tag (param i32))
    (func $inner (type $t) call $look (i32.add (local.get 0) (i32.const 1)))
    (func (export "by_call") (type $t) (call $inner (local.get 0)))
    (func $thrower (type $t) (throw $tag (local.get 0)))
    (func $in_table (type $t) (call $inner (i32.mul (local.get 0) (i32.const 2))))
    (func $unused (type $t) unreachable)
    (func $in_global (type $t) (call $inner (i32.mul (local.get 0) (i32.const 3))))
    (func $late (type $t) (call $inner (i32.mul (local.get 0) (i32.const 5))))
    (func (export "by_table") (type $t)
        (call_indirect (type $t) (local.get 0) (i32.const 1)))
    (func (export "by_reference") (type $t)
        (table.set (i32.const 2) (ref.func $late))
        (call_indirect (type $t) (local.get 0) (i32.const 2)))
    (func (export "by_exception") (type $t)
        (block $caught (result i32)
            (try_table (result i32) (catch $tag $caught) (call $thrower (local.get 0)))))
    (func (export "by_trap") (type $t) (i32.div_u (call $inner (local.get 0)) (i32.const 0)))
    (elem (i32.const 1) $in_table)
    (elem declare func $late))"#;

/// Calls of the engine's API beyond running a program return less, but never fail.
#[test]
fn nothing_that_was_cut_is_missed() {
    let sandbox = Sandbox::new();
    let input = sandbox.write("m.wat", MODULE);
    build(&sandbox, &input, "edge", "m.cwasm");
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_exceptions(true);
    // A host that requests backtraces although the profile has none gets shorter ones.
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    let engine = Engine::new(&config).unwrap();
    let module = module(&engine, &sandbox.path().join("m.cwasm"));
    let functions: Vec<_> = module.functions().collect();
    assert!(
        !functions.is_empty() && functions.len() < 12,
        "{}",
        functions.len()
    );
    assert!(functions.iter().all(|function| function.name.is_none()));

    let mut store = Store::new(&engine, 0_usize);
    store.set_epoch_deadline(1000);
    let look = wasmtime::Func::wrap(&mut store, |mut caller: wasmtime::Caller<'_, usize>| {
        *caller.data_mut() += WasmBacktrace::force_capture(&caller).frames().len();
    });
    let instance = Instance::new(&mut store, &module, &[look.into()]).unwrap();
    let mut call = |name: &str| {
        let f = instance
            .get_typed_func::<i32, i32>(&mut store, name)
            .unwrap();
        f.call(&mut store, 7)
    };
    assert_eq!(call("by_call").unwrap(), 8);
    assert_eq!(call("by_table").unwrap(), 15);
    assert_eq!(call("by_reference").unwrap(), 36);
    assert_eq!(call("by_exception").unwrap(), 7);
    let trap = call("by_trap").unwrap_err();
    assert_eq!(trap.downcast_ref(), Some(&Trap::IntegerDivisionByZero));
    assert!(trap.downcast_ref::<WasmBacktrace>().is_some());
    let reference = instance
        .get_global(&mut store, "ref")
        .unwrap()
        .get(&mut store);
    let reference = *reference.unwrap_funcref().unwrap();
    let reference = reference.typed::<i32, i32>(&store).unwrap();
    assert_eq!(reference.call(&mut store, 7).unwrap(), 22);
    let table = instance.get_table(&mut store, "table").unwrap();
    let entry = table.get(&mut store, 1).unwrap();
    let entry = entry
        .unwrap_func()
        .unwrap()
        .typed::<i32, i32>(&store)
        .unwrap();
    assert_eq!(entry.call(&mut store, 7).unwrap(), 15);
    assert!(*store.data() > 0, "the functions that are kept are seen");
}

/// A core module that a component exports keeps its type, and the names with which a host links it.
#[test]
fn modules_that_are_exported_keep_their_names() {
    let sandbox = Sandbox::new();
    let text = r#"(component
        (core module $kept
            (import "env" "f" (func $f (result i32)))
            (func (export "g") (result i32) call $f))
        (core module $inside (func (export "h") (result i32) i32.const 7))
        (core instance $i (instantiate $inside))
        (func (export "run") (result u32) (canon lift (core func $i "h")))
        (export "kept" (core module $kept)))"#;
    let input = sandbox.write("c.wat", text);
    build(&sandbox, &input, "edge", "c.cwasm");
    let engine = with_epochs();
    let component = component(&engine, &sandbox.path().join("c.cwasm")).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(1000);
    let linker = Linker::new(&engine);
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let run = instance
        .get_typed_func::<(), (u32,)>(&mut store, "run")
        .unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), (7,));
    let kept = instance.get_module(&mut store, "kept").unwrap();
    let import = kept.imports().next().unwrap();
    assert_eq!((import.module(), import.name()), ("env", "f"));
    let f = wasmtime::Func::wrap(&mut store, || 5_i32);
    let instance = Instance::new(&mut store, &kept, &[f.into()]).unwrap();
    let g = instance.get_typed_func::<(), i32>(&mut store, "g").unwrap();
    assert_eq!(g.call(&mut store, ()).unwrap(), 5);
    let ty = component.component_type();
    assert_eq!(ty.exports(&engine).count(), 2);
}
