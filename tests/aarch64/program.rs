//! A program's expected and actual behaviour.

use std::error::Error;
use std::path::Path;

use edgec_loader::{EngineProfile, HostEngine, LoadedComponent, wasmtime};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use crate::Outcome;

/// The maximum output: more than any program here prints.
const ROOM: usize = 16 << 20;

/// A program's input, and its behaviour on x86-64.
pub(crate) struct Example {
    arguments: Vec<String>,
    stdin: Vec<u8>,
    stdout: Vec<u8>,
    code: i32,
}

impl Example {
    /// Reads the files `arguments` (one per line), `stdin`, `stdout` and `code`.
    pub(crate) fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let text = |name| std::fs::read_to_string(folder.join(name));
        Ok(Self {
            arguments: text("arguments")?.lines().map(str::to_owned).collect(),
            stdin: std::fs::read(folder.join("stdin"))?,
            stdout: std::fs::read(folder.join("stdout"))?,
            code: text("code")?.trim().parse()?,
        })
    }

    /// Runs the program, which must behave the same.
    pub(crate) fn repeat(&self, engine: &HostEngine, program: &LoadedComponent) -> Outcome {
        let (stdout, code) = self.run(engine, program)?;
        if (&stdout, code) == (&self.stdout, self.code) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&stdout);
        Err(format!("exit code {code}, not {}; it printed {text:?}", self.code).into())
    }

    fn run(
        &self,
        engine: &HostEngine,
        loaded: &LoadedComponent,
    ) -> wasmtime::Result<(Vec<u8>, i32)> {
        let mut linker = Linker::<Run>::new(engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let stdout = MemoryOutputPipe::new(ROOM);
        let wasi = WasiCtx::builder()
            .arg("guest")
            .args(&self.arguments)
            .stdin(MemoryInputPipe::new(self.stdin.clone()))
            .stdout(stdout.clone())
            .build();
        let table = ResourceTable::new();
        let mut store = wasmtime::Store::new(engine, Run { wasi, table });
        if engine.profile() == EngineProfile::Edge {
            // Nothing advances the epoch here: the program runs until it ends.
            store.set_epoch_deadline(1);
        }
        let command = Command::instantiate(&mut store, loaded.program(), &linker)?;
        let code = match command.wasi_cli_run().call_run(&mut store) {
            Ok(Ok(())) => 0,
            Ok(Err(())) => 1,
            Err(error) => match error.downcast_ref() {
                Some(I32Exit(code)) => *code,
                None => return Err(error),
            },
        };
        drop(store);
        Ok((stdout.contents().to_vec(), code))
    }
}

struct Run {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Run {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = (&mut self.wasi, &mut self.table);
        WasiCtxView { ctx, table }
    }
}
