//! The reference: an unmodified Wasmtime in its default configuration, in this process.

use std::path::Path;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Module, Precompiled, Store};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The behaviour of a program.
#[derive(Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Everything on standard output.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: Vec<u8>,
    /// The exit code.
    pub code: i32,
}

impl From<std::process::Output> for Behaviour {
    fn from(output: std::process::Output) -> Self {
        Self {
            stdout: output.stdout,
            stderr: output.stderr,
            code: output.status.code().expect("no signal ended it"),
        }
    }
}

/// A host's state for a component.
pub struct State {
    /// What the component may use.
    pub wasi: WasiCtx,
    /// The component's resources.
    pub table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Compiles a component or a core module with the defaults of `wasmtime compile`, and runs it.
pub fn compile_and_run(wasm: &[u8], arguments: &[&str], stdin: &str) -> Behaviour {
    let engine = Engine::default();
    match wasmparser::Parser::is_component(wasm) {
        true => run(
            &engine,
            &Component::new(&engine, wasm).unwrap(),
            arguments,
            stdin,
        ),
        false => run_module(
            &engine,
            &Module::new(&engine, wasm).unwrap(),
            arguments,
            stdin,
        ),
    }
}

/// Loads an artifact as an unmodified host does, without verifying it, and runs it.
#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
pub fn load_and_run(artifact: &Path, arguments: &[&str], stdin: &str) -> Behaviour {
    let engine = Engine::default();
    match Engine::detect_precompiled_file(artifact).unwrap() {
        Some(Precompiled::Module) => {
            // SAFETY: this test built the artifact from its own fixture a moment ago, and nothing
            // else writes it.
            let module = unsafe { Module::deserialize_file(&engine, artifact) }.unwrap();
            run_module(&engine, &module, arguments, stdin)
        }
        _ => {
            // SAFETY: as above.
            let component = unsafe { Component::deserialize_file(&engine, artifact) }.unwrap();
            run(&engine, &component, arguments, stdin)
        }
    }
}

/// Runs a component of an engine.
pub fn run(engine: &Engine, component: &Component, arguments: &[&str], stdin: &str) -> Behaviour {
    let mut linker = Linker::<State>::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    let (mut wasi, output) = world(arguments, stdin);
    let state = State {
        wasi: wasi.build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, state);
    let command = Command::instantiate(&mut store, component, &linker).unwrap();
    let code = match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => ended(&error),
    };
    drop(store);
    output.behaviour(code)
}

/// Runs a core module of WASI preview 1 as `wasmtime run` does: `_initialize`, then `_start`.
pub fn run_module(engine: &Engine, module: &Module, arguments: &[&str], stdin: &str) -> Behaviour {
    let mut linker = wasmtime::Linker::<WasiP1Ctx>::new(engine);
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |wasi| wasi).unwrap();
    let (mut wasi, output) = world(arguments, stdin);
    let mut store = Store::new(engine, wasi.build_p1());
    let done = linker.instantiate(&mut store, module).and_then(|instance| {
        for name in ["_initialize", "_start"] {
            if let Some(function) = instance.get_func(&mut store, name) {
                function.typed::<(), ()>(&store)?.call(&mut store, ())?;
            }
        }
        Ok(())
    });
    let code = done.map_or_else(|error| ended(&error), |()| 0);
    drop(store);
    output.behaviour(code)
}

/// The exit code of a program that trapped.
pub const TRAPPED: i32 = 134;

/// The exit code of a program that did not return, as with `wasmtime run`.
fn ended(error: &wasmtime::Error) -> i32 {
    match error.downcast_ref::<I32Exit>() {
        Some(exit) => exit.0,
        None if error.is::<wasmtime::Trap>() => TRAPPED,
        None => 1,
    }
}

struct Output {
    stdout: MemoryOutputPipe,
    stderr: MemoryOutputPipe,
}

fn world(arguments: &[&str], stdin: &str) -> (WasiCtxBuilder, Output) {
    let output = Output {
        stdout: MemoryOutputPipe::new(64 << 20),
        stderr: MemoryOutputPipe::new(64 << 20),
    };
    let mut wasi = WasiCtxBuilder::new();
    wasi.arg("guest")
        .args(arguments)
        .stdin(MemoryInputPipe::new(stdin.to_owned()))
        .stdout(output.stdout.clone())
        .stderr(output.stderr.clone());
    (wasi, output)
}

impl Output {
    fn behaviour(&self, code: i32) -> Behaviour {
        Behaviour {
            stdout: self.stdout.contents().to_vec(),
            stderr: self.stderr.contents().to_vec(),
            code,
        }
    }
}
