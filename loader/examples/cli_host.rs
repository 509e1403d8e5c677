//! A host of `wasi:cli` programs: takes one from a store by its name, and runs it for a minute at
//! most. It reads its policy again while the program runs, and ends the program if that is not
//! trusted any more.
//!
//! `cargo run -p edgec-loader --example cli_host -- (--root KEY... | --no-root) (--state FILE |
//! --no-state) STORE NAME POLICY [ARGUMENT]...`, for artifacts of `edgec build --profile edge`. The
//! policy must be signed by each root key (`edgec policy sign`). The state file remembers the newest
//! policy: then no later run follows an older one, and the policy must state a version.

#[path = "common/trust.rs"]
mod trust;

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use edgec_loader::store::{
    ArtifactStore, Deployment, Distrusted, Preparation, StoreError, Versions,
};
use edgec_loader::{EngineProfile, HostEngine, LoadError, Status, error_chain, wasmtime};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Trap, UpdateDeadline};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

/// How often the engine looks whether a program's time is over, and whether it is still trusted.
const TICK: Duration = Duration::from_millis(100);
/// How many of these ticks a program has.
const DEADLINE: u64 = 600;
/// How often the policy is read again.
const REFRESH: Duration = Duration::from_secs(1);
/// If the last reading is longer ago, for instance as the disk does not answer, nothing is trusted.
const STALE_AFTER: Duration = Duration::from_secs(30);

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
    let trust = error.downcast_ref().map(Distrusted::code);
    load.or(store).or(trust).unwrap_or("host")
}

fn host(arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let trust = trust::read(arguments)?;
    let rest = trust.rest;
    let [store, name, policy, program @ ..] = rest else {
        let options = trust::OPTIONS;
        return Err(format!("usage: cli_host {options} STORE NAME POLICY [ARGUMENT]...").into());
    };

    // What this host trusts, and where it keeps what was verified.
    let policy = trust.policy(policy);
    let store = ArtifactStore::open(store)?;

    // Once a process: the engine that artifacts of the edge profile fit, and what it offers to
    // programs.
    let engine = HostEngine::builder(EngineProfile::Edge).build()?;
    let _ticker = engine.tick(TICK);
    let mut linker = Linker::<Run>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;

    // Once a program: found, judged and mapped. What the policy only warns about is the host's to
    // log.
    let versions = Versions::in_store(&store, name.as_str());
    let preparation = Preparation::component_as(linker, CommandPre::new);
    let deployment = Deployment::of(versions, &engine, policy, preparation)?;
    let deployment = Arc::new(deployment.stale_after(STALE_AFTER));
    let version = deployment.current()?;
    for check in version.checks() {
        if check.status == Status::Warned {
            log(format!("warning[{}]: {}", check.name, check.evidence));
        }
    }
    let refreshed = Arc::clone(&deployment);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(REFRESH);
            if let Err(error) = refreshed.refresh() {
                log(format!("refresh: {}", error_chain(&error)));
            }
        }
    });

    // Once a run: an instance of its own, and a deadline.
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio().arg(name).args(program);
    let run = Run {
        wasi: wasi.build(),
        table: ResourceTable::new(),
    };
    let mut run = wasmtime::Store::new(&engine, run);
    run.set_epoch_deadline(1);
    let mut left = DEADLINE;
    run.epoch_deadline_callback(move |_| {
        deployment.current()?;
        left -= 1;
        Ok(match left {
            0 => UpdateDeadline::Interrupt,
            _ => UpdateDeadline::Continue(1),
        })
    });
    let instance = version.program().instantiate(&mut run);
    let result = instance.and_then(|command| command.wasi_cli_run().call_run(&mut run));
    let error = match result {
        Ok(Ok(())) => return Ok(ExitCode::SUCCESS),
        Ok(Err(())) => return Ok(ExitCode::FAILURE),
        Err(error) => error,
    };
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return Ok(ExitCode::from((code & 0xff) as u8));
    }
    if let Some(distrusted) = error.downcast_ref::<Distrusted>() {
        return Err(distrusted.clone().into());
    }
    Err(match error.downcast_ref() {
        Some(Trap::Interrupt) => "the program's time is over".into(),
        _ => error.into(),
    })
}
