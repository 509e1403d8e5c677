//! An unmodified Wasmtime in its default configuration, in this process: the reference.

use std::path::Path;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Everything on standard output.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: Vec<u8>,
    /// The exit code.
    pub code: i32,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Compiles a component as `wasmtime compile` does by default, and runs it.
pub fn compile_and_run(wasm: &[u8], arguments: &[&str], stdin: &str) -> Behaviour {
    let engine = Engine::default();
    let component = Component::new(&engine, wasm).unwrap();
    run(&engine, &component, arguments, stdin)
}

/// Loads an artifact as an unmodified host does, trusting it, and runs it.
#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
pub fn load_and_run(artifact: &Path, arguments: &[&str], stdin: &str) -> Behaviour {
    let engine = Engine::default();
    // SAFETY: the artifact was built by this test from its own fixture a moment ago, and
    // nobody writes it.
    let component = unsafe { Component::deserialize_file(&engine, artifact) }.unwrap();
    run(&engine, &component, arguments, stdin)
}

/// Runs a component that an engine holds.
pub fn run(engine: &Engine, component: &Component, arguments: &[&str], stdin: &str) -> Behaviour {
    let mut linker = Linker::<State>::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    let stdout = MemoryOutputPipe::new(64 << 20);
    let stderr = MemoryOutputPipe::new(64 << 20);
    let wasi = WasiCtxBuilder::new()
        .arg("guest")
        .args(arguments)
        .stdin(MemoryInputPipe::new(stdin.to_owned()))
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .build();
    let state = State {
        wasi,
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, state);
    let command = Command::instantiate(&mut store, component, &linker).unwrap();
    let code = match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => error.downcast_ref::<I32Exit>().map_or(134, |exit| exit.0),
    };
    drop(store);
    Behaviour {
        stdout: stdout.contents().to_vec(),
        stderr: stderr.contents().to_vec(),
        code,
    }
}
