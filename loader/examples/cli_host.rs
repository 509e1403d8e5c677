//! A host of `wasi:cli` programs: takes one from a store by its name, and runs it for a minute at
//! most.
//!
//! `cargo run -p edgec-loader --example cli_host -- STORE NAME POLICY [ARGUMENT]...`, for artifacts
//! of `edgec build --profile edge`.

#![expect(clippy::print_stderr, reason = "a program, not a library")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edgec_loader::store::Store;
use edgec_loader::{
    EngineProfile, Limits, LoadError, Status, TrustPolicy, engine, error_chain, wasmtime,
};
use wasmtime::Trap;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

/// How often the engine looks whether a program's time is over.
const TICK: Duration = Duration::from_millis(100);
/// How many of these ticks a program has.
const DEADLINE: u64 = 600;

/// What belongs to one run of a program.
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

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    host(&arguments).unwrap_or_else(|error| {
        let code = error.downcast_ref().map_or("host", LoadError::code);
        eprintln!("error[{code}]: {}", error_chain(&*error));
        ExitCode::FAILURE
    })
}

fn host(arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let [store, name, policy, program @ ..] = arguments else {
        return Err("usage: cli_host STORE NAME POLICY [ARGUMENT]...".into());
    };

    // Whom this host trusts, and where it keeps what was verified.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let policy = TrustPolicy::read(Path::new(policy), &[], now)?;
    let store = Store::open(store)?;

    // Once a process: the engine that artifacts of the edge profile fit, and what it offers to
    // programs.
    let engine = engine(EngineProfile::Edge, &Limits::OnDemand)?;
    let _ticker = engine.tick(TICK);
    let mut linker = Linker::<Run>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;

    // Once a program: found, judged and mapped. What the policy only warns about is the host's to
    // log.
    let loaded = store.load(&engine, name.as_str(), &policy)?;
    for check in loaded.checks() {
        if check.status == Status::Warned {
            eprintln!("warning[{}]: {}", check.name, check.evidence);
        }
    }
    let command = loaded.instantiate_pre(&linker)?.try_map(CommandPre::new)?;

    // Once a run: an instance of its own, and a deadline.
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio().arg(name).args(program);
    let run = Run {
        wasi: wasi.build(),
        table: ResourceTable::new(),
    };
    let mut run = wasmtime::Store::new(&engine, run);
    run.set_epoch_deadline(DEADLINE);
    let instance = command.program().instantiate(&mut run);
    let result = instance.and_then(|command| command.wasi_cli_run().call_run(&mut run));
    Ok(match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(())) => ExitCode::FAILURE,
        Err(error) => match (error.downcast_ref(), error.downcast_ref()) {
            (Some(I32Exit(code)), _) => ExitCode::from((code & 0xff) as u8),
            (_, Some(Trap::Interrupt)) => return Err("the program's time is over".into()),
            _ => return Err(error.into()),
        },
    })
}
