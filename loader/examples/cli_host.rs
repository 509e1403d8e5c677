//! A host of `wasi:cli` programs: takes one from a store by its name, and runs it for a minute at
//! most.
//!
//! `cargo run -p edgec-loader --example cli_host -- [--state FILE] STORE NAME POLICY
//! [ARGUMENT]...`, for artifacts of `edgec build --profile edge`. The state file remembers the
//! newest policy: then no later run follows an older one, and the policy must state a version.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use edgec_loader::store::{LoadFromStore as _, PolicyFile, PolicySourceError, Store, StoreError};
use edgec_loader::{EngineProfile, Limits, LoadError, Status, engine, error_chain, wasmtime};
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
        log(format!(
            "error[{}]: {}",
            code(&*error),
            error_chain(&*error)
        ));
        ExitCode::FAILURE
    })
}

/// To standard error; lost if that is closed, where `eprintln!` panics.
fn log(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The short name that the library's errors have.
fn code(error: &(dyn Error + 'static)) -> &'static str {
    let load = error.downcast_ref().map(LoadError::code);
    let store = error.downcast_ref().map(StoreError::code);
    let policy = error.downcast_ref().map(PolicySourceError::code);
    load.or(store).or(policy).unwrap_or("host")
}

fn host(arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let (state, arguments) = match arguments {
        [option, file, others @ ..] if option == "--state" => (Some(file), others),
        others => (None, others),
    };
    let [store, name, policy, program @ ..] = arguments else {
        return Err("usage: cli_host [--state FILE] STORE NAME POLICY [ARGUMENT]...".into());
    };

    // What this host trusts, and where it keeps what was verified.
    let mut policy = PolicyFile::new(policy);
    if let Some(state) = state {
        policy = policy.remembered_in(state);
    }
    let policy = policy.read()?;
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
            log(format!("warning[{}]: {}", check.name, check.evidence));
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
