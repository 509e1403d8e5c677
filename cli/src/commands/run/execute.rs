//! Runs the command in a verified program: a component of `wasi:cli`, or a core module of WASI
//! preview 1. Both behave as with Wasmtime's command line.

use std::process::ExitCode;

use edgec_loader::{EngineProfile, HostEngine, LoadedComponent, LoadedModule};
use edgec_targets::import_text;
use wasmtime::component::{self, ResourceTable};
use wasmtime::{ExternType, FuncType, Linker, Store, Trap, Val, WasmBacktrace};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p0, p1, p2};

use super::environment;
use crate::Outcome;
use crate::failure::{Exit, Failure, trace};
use crate::render;

/// The exit code of a program that trapped, as with Wasmtime's command line (128 + SIGABRT).
const TRAPPED: u8 = 134;

/// The export of a command, without the end of the version.
const COMMAND: &str = "wasi:cli/run@0.2.";

/// How many exports a message lists if the required one is missing.
const MOST_EXPORTS: usize = 20;

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

/// Runs a component of the `wasi:cli` world. `shown` is its name in messages.
pub(super) fn component(
    engine: &HostEngine,
    loaded: &LoadedComponent,
    mut wasi: WasiCtxBuilder,
    shown: &str,
) -> Outcome {
    // The exports come from the program itself, because a manifest may have only their digest.
    let program = loaded.program().component_type();
    let exports = || program.exports(engine.engine()).map(|(name, _)| name);
    if !exports().any(|name| name.starts_with(COMMAND)) {
        return Err(not_a_command(
            "it does not export `wasi:cli/run`",
            exports(),
        ));
    }
    let mut linker = component::Linker::<State>::new(engine.engine());
    p2::add_to_linker_sync(&mut linker).map_err(|error| environment(&error))?;
    let state = State {
        wasi: wasi.build(),
        table: ResourceTable::new(),
    };
    let mut store = store(engine, state);
    let command = match Command::instantiate(&mut store, loaded.program(), &linker) {
        Ok(command) => command,
        Err(error) => return instantiation(error, shown),
    };
    match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::FAILURE),
        Err(error) => ended(&error, shown),
    }
}

/// Runs a core module of preview 1 or its predecessor `wasi_unstable`. Calls `_initialize` first,
/// if it exists. `shown` is the module's name in messages.
pub(super) fn module(
    engine: &HostEngine,
    loaded: &LoadedModule,
    mut wasi: WasiCtxBuilder,
    shown: &str,
) -> Outcome {
    let module = loaded.program();
    let initialize = takes_nothing(module, "_initialize")?;
    // Wasmtime's command line also runs an export with the empty name.
    let start = match takes_nothing(module, "")? {
        Some(start) => Some(start),
        None => takes_nothing(module, "_start")?,
    };
    if initialize.is_none() && start.is_none() {
        let exports = module.exports().map(|export| export.name());
        return Err(not_a_command("it exports no `_start`", exports));
    }
    let mut linker = Linker::<WasiP1Ctx>::new(engine.engine());
    p1::add_to_linker_sync(&mut linker, |wasi| wasi).map_err(|error| environment(&error))?;
    p0::add_to_linker_sync(&mut linker, |wasi| wasi).map_err(|error| environment(&error))?;
    let mut store = store(engine, wasi.build_p1());
    let missing: Vec<String> = module
        .imports()
        .filter(|import| linker.get_by_import(&mut store, import).is_none())
        .map(|import| format!("`{}`", import_text(import.module(), import.name())))
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "the program imports {}, which WASI preview 1 does not have",
            missing.join(", ")
        );
        return Err(Failure::new(Exit::Rejected, "instantiate", message).hint(
            "it is for another host: one that offers these beside WASI, or links its parts together",
        ));
    }
    let instance = loaded.instantiate_pre(&linker);
    let instance = instance.and_then(|program| program.instantiate(&mut store));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return instantiation(error, shown),
    };
    for name in [initialize, start].into_iter().flatten() {
        let function = instance.get_func(&mut store, name);
        let Some(function) = function else { continue };
        // The results are not used.
        let ty = function.ty(&store);
        let results: Option<Vec<Val>> = ty.results().map(|ty| ty.default_value()).collect();
        let mut results = results.unwrap_or_default();
        if let Err(error) = function.call(&mut store, &[], &mut results) {
            return ended(&error, shown);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The name, if such an export exists. It must be a function without parameters.
fn takes_nothing<'n>(module: &wasmtime::Module, name: &'n str) -> Result<Option<&'n str>, Failure> {
    let is = match module.get_export(name) {
        None => return Ok(None),
        Some(ExternType::Func(ty)) if ty.params().len() == 0 => return Ok(Some(name)),
        Some(ExternType::Func(ty)) => format!("a function {}", signature(&ty)),
        Some(_) => "not a function".to_owned(),
    };
    let message = format!("its `{name}` is {is}; that of a command is a function () -> ()");
    Err(Failure::new(Exit::Rejected, "not-a-command", message)
        .hint("for `edgec run`, build it as a command (`wasm32-wasip1`); its own host can call its exports"))
}

/// `(i32) -> ()`.
fn signature(ty: &FuncType) -> String {
    let list = |types: Vec<String>| format!("({})", types.join(", "));
    let params = list(ty.params().map(|ty| ty.to_string()).collect());
    let results = list(ty.results().map(|ty| ty.to_string()).collect());
    format!("{params} -> {results}")
}

fn store<T: 'static>(engine: &HostEngine, state: T) -> Store<T> {
    let mut store = Store::new(engine.engine(), state);
    if engine.profile() == EngineProfile::Edge {
        // Nothing advances the epoch here: the program runs until it ends.
        store.set_epoch_deadline(1);
    }
    store
}

fn not_a_command<'e>(why: &str, exports: impl Iterator<Item = &'e str>) -> Failure {
    let mut exports: Vec<&str> = exports.collect();
    exports.sort_unstable();
    let more = match exports.len().saturating_sub(MOST_EXPORTS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    exports.truncate(MOST_EXPORTS);
    let message = format!("this program is not a command: {why}");
    let hint = match exports.as_slice() {
        [] => "it exports nothing".to_owned(),
        exports => format!("it exports: {}{more}", exports.join(", ")),
    };
    Failure::new(Exit::Rejected, "not-a-command", message).hint(hint)
}

/// A failed instantiation: this host lacks an import or has too little memory, or the program's
/// start function exited or trapped.
fn instantiation(error: wasmtime::Error, shown: &str) -> Outcome {
    // The error has a backtrace if the start function ran.
    if error.is::<I32Exit>() || error.is::<Trap>() || error.is::<WasmBacktrace>() {
        return ended(&error, shown);
    }
    if error
        .chain()
        .any(<dyn std::error::Error>::is::<std::io::Error>)
    {
        return Err(environment(&error).hint(
            "an instance reserves address space: raise the limit where edgec is started (ulimit -v unlimited)",
        ));
    }
    let message = format!("the program cannot be instantiated: {}", causes(&error));
    Err(Failure::new(Exit::Rejected, "instantiate", message).hint(
        "`edgec run` offers what `wasi:cli` programs and those of WASI preview 1 import; \
         `edgec inspect` lists the imports",
    ))
}

/// The outcome of a program that exited, trapped or was stopped. `shown` is its name in messages.
fn ended(error: &wasmtime::Error, shown: &str) -> Outcome {
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        // A shell sees only the low byte of an exit code.
        return Ok(ExitCode::from((code & 0xff) as u8));
    }
    if !error.is::<Trap>() {
        return Err(stopped(error));
    }
    // Names of functions come from the program.
    let trace = trace(error);
    let lines = trace
        .lines()
        .map(|line| format!("  {}\n", render::safe(line)));
    eprint!(
        "error[trap]: {shown}: the program trapped\n{}",
        lines.collect::<String>()
    );
    Ok(ExitCode::from(TRAPPED))
}

/// Messages of the engine's WASI about some faults, and what they mean for the program. Source:
/// `wasmtime-wasi` 48, `p1.rs`.
const EXPLAINED: [(&str, &str); 2] = [
    (
        "missing required memory export",
        "WASI preview 1 needs an exported memory of the name `memory`, which the program lacks",
    ),
    (
        "exit with invalid exit status outside of [0..126)",
        "its exit code is above 125: WASI preview 1 passes on 0 to 125",
    ),
];

/// WASI stopped the program, for example because of an invalid exit code. The cause comes first,
/// the backtrace last.
fn stopped(error: &wasmtime::Error) -> Failure {
    let cause = causes(error);
    let mut message = format!("the program was stopped: {cause}");
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        message.push_str(&format!("\n{backtrace}"));
    }
    let failure = Failure::new(Exit::Rejected, "stopped", message);
    match EXPLAINED.iter().find(|(text, _)| cause.ends_with(*text)) {
        Some((_, hint)) => failure.hint(*hint),
        None => failure,
    }
}

/// The causes of an error on one line, without repetitions, and without the backtrace that the
/// engine puts before them.
fn causes(error: &wasmtime::Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let backtrace = backtrace.map(ToString::to_string);
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if backtrace.as_ref() == Some(&cause) || (!text.is_empty() && text.ends_with(&cause)) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}
