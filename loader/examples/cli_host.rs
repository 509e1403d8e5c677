//! A host of `wasi:cli` programs. It takes a program from a store by its name, and runs it for at
//! most a minute. While the program runs, the host reads its policy again. It ends the program if
//! the policy no longer trusts it.
//!
//! `cargo run -p edgec-loader --example cli_host -- (--root KEY... | --no-root) (--state FILE |
//! --no-state) STORE NAME POLICY [ARGUMENT]...`, for artifacts of `edgec build --profile edge`.
//! Each root key must have signed the policy (`edgec policy sign`). The state file remembers the
//! newest policy. With it, a later run refuses older policies, and the policy must state a version.

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

/// The interval at which the engine checks a program's deadline and whether the program is still
/// trusted.
const TICK: Duration = Duration::from_millis(100);
/// The number of ticks until a program's deadline.
const DEADLINE: u64 = 600;
/// The interval at which the policy is read again.
const REFRESH: Duration = Duration::from_secs(1);
/// If the last reading is older, for instance because the disk does not answer, nothing is trusted.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// The state of one run of a program.
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

/// Writes to standard error. If that is closed, the line is lost, and `eprintln!` would panic.
fn log(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The stable code of the library's errors.
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

    // The trust policy of this host, and the store of its verified artifacts.
    let policy = trust.policy(policy);
    let store = ArtifactStore::open(store)?;

    // Once for the process: an engine for artifacts of the edge profile, and the imports that it
    // gives to programs.
    let engine = HostEngine::builder(EngineProfile::Edge).build()?;
    let _ticker = engine.tick(TICK);
    let mut linker = Linker::<Run>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;

    // Once for each program: it is found, judged and mapped. The host must log the policy's
    // warnings.
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

    // Once for each run: a new instance with a deadline.
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
