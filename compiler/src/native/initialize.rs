//! Pre-initialization: calls a function of the component at build time, and makes the resulting
//! memories and globals the component's initial state.
//!
//! Wizer adds accessors for a component's state, and writes the new state into the component. In
//! between, the component runs here, in an engine without a host. Every import is a trap.
//! Otherwise, state from a clock, random numbers or an environment would be signed as the program's
//! own, and two builds would differ. If the component may change something that a snapshot does not
//! contain (handles of resources, tasks, tables), it is refused before anything runs.
//!
//! Source: `wasmtime-wizer` 48, `lib.rs` and `component/`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmparser::{CanonicalFunction, CanonicalOption, Parser, Payload, WasmFeatures};
use wasmtime::component::types::{self, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Linker};
use wasmtime::{Collector, Config, Engine, Store, Strategy, WasmBacktrace};
use wasmtime::{WasmBacktraceDetails, error::Error};
use wasmtime_wizer::Wizer;

use crate::native::instance_state::{GrowthOrTrap, State};
use crate::native::precompile::chain;
use crate::worker::limits::limits_address_space;
use crate::{EngineProfile, ValidComponent};

/// The version of the crate that makes snapshots.
pub const WIZER_VERSION: &str = "48.0.8";

/// Why a component was not initialized.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The component may change something that a snapshot does not contain.
    Unsupported(String),
    /// The function does not exist, or cannot be called.
    Function(String),
    /// The call or the instantiation failed.
    Failed(String),
    /// The system lacks something that the engine needs, such as space for memories.
    Machine(String),
}

/// Calls `function` of a component, and returns the component with the resulting state. The result
/// is not validated yet.
pub(crate) fn initialize(program: &ValidComponent, function: &str) -> Result<Vec<u8>, Refusal> {
    let unsupported = |error: Error| Refusal::Unsupported(chain(&error));
    check(program)?;
    let mut wizer = Wizer::new();
    // The component's interface stays the same: the function stays exported. Otherwise Wizer would
    // also remove exports of core modules with the same name.
    wizer.init_func(function).keep_init_func(true);
    let (context, instrumented) = wizer
        .instrument_component(program.bytes())
        .map_err(unsupported)?;

    let engine = Engine::new(&config(program.features())).map_err(unsupported)?;
    let component = Component::new(&engine, instrumented).map_err(unsupported)?;
    let export = find(&engine, &component, function).map_err(Refusal::Function)?;
    let mut store = Store::new(&engine, GrowthOrTrap);
    store.limiter(|state| state);
    let mut linker = Linker::new(&engine);
    linker
        .define_unknown_imports_as_traps(&component)
        .map_err(unsupported)?;
    let failed = |error: Error| match is_of_the_system(&error) {
        true => Refusal::Machine(chain(&error)),
        false => Refusal::Failed(cause(&error)),
    };
    let instance = linker.instantiate(&mut store, &component).map_err(failed)?;
    let missing = || Refusal::Function("it is not a function".to_owned());
    let func = instance.get_func(&mut store, export).ok_or_else(missing)?;
    func.call(&mut store, &[], &mut []).map_err(failed)?;

    let mut state = State::new(store, instance);
    let snapshot = now(wizer.snapshot_component(&context, &mut state));
    if let Some(error) = state.failure() {
        return Err(Refusal::Unsupported(format!(
            "its state cannot be read: {}",
            cause(error)
        )));
    }
    match snapshot {
        Some(snapshot) => snapshot.map_err(unsupported),
        None => Err(Refusal::Unsupported("its state is missing".to_owned())),
    }
}

/// Refuses programs that Wizer accepts although a snapshot cannot contain all of their state.
fn check(program: &ValidComponent) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::Unsupported(what.to_owned()));
    if program.features().contains(WasmFeatures::MEMORY64) {
        return refuse("it has 64-bit memories or tables");
    }
    for payload in Parser::new(0).parse_all(program.bytes()) {
        let Ok(Payload::ComponentCanonicalSection(section)) = payload else {
            continue;
        };
        for function in section.into_iter().flatten() {
            match function {
                CanonicalFunction::Lift { options, .. }
                | CanonicalFunction::Lower { options, .. } => {
                    if options.contains(&CanonicalOption::Async) {
                        return refuse("it has asynchronous functions");
                    }
                }
                // These need a handle, which comes from the host or from the next kind.
                CanonicalFunction::ResourceDrop { .. } | CanonicalFunction::ResourceRep { .. } => {}
                CanonicalFunction::ResourceNew { .. } => {
                    return refuse(
                        "it makes handles of resources of its own, which no snapshot holds",
                    );
                }
                _ => return refuse("it uses tasks, streams or threads, which no snapshot holds"),
            }
        }
    }
    Ok(())
}

/// The engine that runs the instrumented component. The result decides bytes that will be signed,
/// so nothing may depend on this machine. Therefore the results of relaxed SIMD and the bits of
/// NaNs are the same on all CPUs, unlike in compiled programs. Settings that are missing here have
/// the engine's defaults, which are also in the list of settings.
pub(crate) fn config(used: WasmFeatures) -> Config {
    let mut config = Config::new();
    // Wizer's accessors may import several memories.
    let base = WasmFeatures::WASM2.union(WasmFeatures::MULTI_MEMORY);
    let enabled = used.union(base.difference(WasmFeatures::GC_TYPES));
    config.wasm_features(WasmFeatures::all().difference(enabled), false);
    config.wasm_features(enabled, true);
    config.collector(Collector::Copying);
    config.concurrency_support(EngineProfile::Default.settings().concurrency_support);
    config.strategy(Strategy::Cranelift);
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.shared_memory(false);
    config.max_wasm_stack(1 << 19);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// The export to call: `name`, or `interface.name`, as Wizer writes it.
fn find(
    engine: &Engine,
    component: &Component,
    function: &str,
) -> Result<ComponentExportIndex, String> {
    let found = component.get_export(None, function).or_else(|| {
        // A function's name has no dot. The version of an interface has dots.
        let (instance, name) = function.rsplit_once('.')?;
        let (_, instance) = component.get_export(None, instance)?;
        component.get_export(Some(&instance), name)
    });
    match found {
        Some((ComponentItem::ComponentFunc(ty), index)) if callable(&ty) => Ok(index),
        Some((ComponentItem::ComponentFunc(_), _)) => {
            Err("it has parameters or a result, or is asynchronous".to_owned())
        }
        Some(_) => Err("it is not a function".to_owned()),
        None => Err(match candidates(engine, component).as_slice() {
            [] => "the component has no such export, and none that could be called".to_owned(),
            names => format!(
                "the component has no such export; it could be {}",
                names.join(", ")
            ),
        }),
    }
}

fn callable(ty: &types::ComponentFunc) -> bool {
    !ty.async_() && ty.params().len() == 0 && ty.results().len() == 0
}

/// The exports that could be called.
fn candidates(engine: &Engine, component: &Component) -> Vec<String> {
    let mut names = Vec::new();
    for (name, export) in component.component_type().exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(ty) if callable(&ty) => names.push(name.to_owned()),
            ComponentItem::ComponentInstance(instance) => {
                for (inner, export) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(ty) = export.ty
                        && callable(&ty)
                        && name != ACCESS
                    {
                        names.push(format!("{name}.{inner}"));
                    }
                }
            }
            _ => {}
        }
    }
    names
}

/// The instance that Wizer adds, to read the state.
const ACCESS: &str = "wasmtime:wizer/access";

/// The result of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Whether the system refused something that the worker's own limit allows. Then an inherited limit
/// is the cause.
fn is_of_the_system(error: &Error) -> bool {
    let mut causes = error.chain().take_while(|_| limits_address_space());
    causes.any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>())
}

/// Why the program was stopped, and where.
fn cause(error: &Error) -> String {
    let cause = error.root_cause().to_string();
    let import = cause
        .strip_prefix("unknown import: `")
        .and_then(|rest| rest.strip_suffix("` has not been defined"));
    let cause = match import {
        Some(import) => format!("it called the import `{import}`"),
        None => cause,
    };
    let frames = error.downcast_ref::<WasmBacktrace>();
    match frames.and_then(|trace| trace.frames().first()?.func_name()) {
        Some(function) => format!("{cause} (in `{function}`)"),
        None => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;

    fn run(text: &str, function: &str) -> Result<ValidComponent, Refusal> {
        let program = validate(wat::parse_str(text).unwrap()).unwrap();
        initialize(&program, function).map(|bytes| validate(bytes).unwrap())
    }

    /// A component with a core function `f` that has this body and is lifted as `init`.
    fn component(core: &str, lift: &str) -> String {
        format!(
            r#"(component (core module $m {core}) (core instance $i (instantiate $m))
            (func (export "init") {lift} (canon lift (core func $i "init"))))"#
        )
    }

    #[test]
    fn the_state_is_in_the_component() {
        let text = component(
            r#"(memory 1) (global $g (mut i64) (i64.const 0)) (func $start (memory.grow (i32.const 1)) drop)
            (start $start) (data (i32.const 8) "old text")
            (func (export "init") (i32.store (i32.const 65536) (i32.const 0x64636261))
                (i32.store8 (i32.const 8) (i32.const 0x4f)) (global.set $g (i64.const 77)))"#,
            "",
        );
        let snapshot = run(&text, "init").unwrap();
        let holds = |bytes: &[u8]| snapshot.bytes().windows(bytes.len()).any(|at| at == bytes);
        assert!(holds(b"abcd") && holds(b"Old text") && !holds(b"old text"));
        assert_eq!(snapshot.resources().memories[0].minimum, 2 << 16);
        let again = run(&text, "init").unwrap();
        assert_eq!(again.bytes(), snapshot.bytes());
        // The function is still exported, and can be called again.
        assert!(snapshot.interface().exports.contains("init"));
    }

    #[test]
    fn a_function_of_an_interface_is_found() {
        let text = r#"(component (core module $m (memory 1)
                (func (export "f") (i32.store (i32.const 0) (i32.const 0x64636261))))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $in (export "f" (func $f)))
            (export "a:b/c@1.2.3" (instance $in)))"#;
        run(text, "a:b/c@1.2.3.f").unwrap();
        let Err(Refusal::Function(reason)) = run(text, "f") else {
            panic!("found");
        };
        assert!(reason.ends_with("it could be a:b/c@1.2.3.f"), "{reason}");
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        let text = component(
            r#"(func (export "init") (param i32))"#,
            r#"(param "x" u32)"#,
        );
        assert!(matches!(run(&text, "init"), Err(Refusal::Function(_))));
        let none = run(&text, "other");
        let reason = "the component has no such export, and none that could be called";
        assert_eq!(none.unwrap_err(), Refusal::Function(reason.to_owned()));
        let text = r#"(component (type $t u8) (export "init" (type $t)))"#;
        let reason = "it is not a function";
        assert_eq!(
            run(text, "init").unwrap_err(),
            Refusal::Function(reason.to_owned())
        );
    }

    #[test]
    fn a_trap_and_a_call_of_an_import_end_it() {
        let text = component(r#"(func $here (export "init") unreachable)"#, "");
        let Err(Refusal::Failed(reason)) = run(&text, "init") else {
            panic!("no trap");
        };
        assert!(
            reason.contains("unreachable") && reason.contains("`here`"),
            "{reason}"
        );
        let text = r#"(component (import "wasi:x/y" (instance $y (export "z" (func))))
            (core func $z (canon lower (func $y "z")))
            (core module $m (import "" "z" (func $z)) (func (export "init") call $z))
            (core instance $i (instantiate $m (with "" (instance (export "z" (func $z))))))
            (func (export "init") (canon lift (core func $i "init"))))"#;
        let Err(Refusal::Failed(reason)) = run(text, "init") else {
            panic!("an import answered");
        };
        assert!(
            reason.starts_with("it called the import `wasi:x/y#z`"),
            "{reason}"
        );
    }

    #[test]
    fn what_a_snapshot_does_not_hold_is_refused() {
        for (core, what) in [
            (
                r#"(table 1 funcref) (func (export "init") (table.set (i32.const 0) (ref.null func)))"#,
                "table.set",
            ),
            (
                r#"(memory 1 1) (func (export "init"))"#,
                "state cannot be read",
            ),
            (r#"(memory i64 1) (func (export "init"))"#, "64-bit"),
            (
                r#"(global (mut v128) (v128.const i64x2 0 0)) (func (export "init"))"#,
                "v128",
            ),
        ] {
            let Err(Refusal::Unsupported(reason)) = run(&component(core, ""), "init") else {
                panic!("{what}");
            };
            assert!(reason.contains(what), "{reason}");
        }
        let twice = r#"(component (core module $m (func (export "init")))
            (core instance (instantiate $m)) (core instance $i (instantiate $m))
            (func (export "init") (canon lift (core func $i "init"))))"#;
        let handles = r#"(component (core module $m (func (export "init")))
            (core instance $i (instantiate $m)) (type $r (resource (rep i32)))
            (core func (canon resource.new $r))
            (func (export "init") (canon lift (core func $i "init"))))"#;
        for text in [twice, handles] {
            assert!(
                matches!(run(text, "init"), Err(Refusal::Unsupported(_))),
                "{text}"
            );
        }
    }
}
