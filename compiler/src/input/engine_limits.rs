//! Finds valid programs that Wasmtime 48 cannot compile.
//!
//! edgec asks the engine's own front end, without compiling a function: the engine knows best what
//! it lacks, and our own list would become outdated. The front end misses only what the code
//! generator refuses inside function bodies. These are reference types with an exact type, of the
//! custom-descriptors proposal, which wasmparser accepts ([`ONLY_SCANNED`]).

use std::any::Any;
use std::panic::catch_unwind;

use edgec_targets::{EngineProfile, EngineSettings};
use wasmparser::{Parser, Validator, WasmFeatures};
use wasmtime_environ::component::{ComponentTypesBuilder, Translator};
use wasmtime_environ::{
    Collector, ModuleEnvironment, ModuleTypesBuilder, ScopeVec, StaticModuleIndex, Tunables,
};

use crate::index::inlining;
use crate::input::engine_faults::{self, ENDLESS_CALL, Faults, TRAPPING_CALL};
use crate::input::features::{ONLY_SCANNED, SUPPORTED};
use crate::{ProgramKind, Resources, ValidateError};

/// The engine's settings, in the form that its front end takes. The list contains what code and its
/// host share. The rest are the engine's defaults, which do not matter here.
pub(crate) fn tunables() -> Tunables {
    let settings = EngineProfile::Default.settings();
    let EngineSettings {
        memory, gc_heap, ..
    } = settings;
    Tunables {
        collector: Some(Collector::Copying),
        epoch_interruption: settings.epoch_interruption,
        consume_fuel: settings.consume_fuel,
        concurrency_support: settings.concurrency_support,
        debug_native: settings.debug_info,
        debug_symbols: settings.debug_symbols,
        memory_reservation: memory.reservation,
        memory_guard_size: memory.guard_size,
        memory_reservation_for_growth: memory.reservation_for_growth,
        memory_may_move: memory.may_move,
        gc_heap_reservation: gc_heap.reservation,
        gc_heap_guard_size: gc_heap.guard_size,
        gc_heap_reservation_for_growth: gc_heap.reservation_for_growth,
        gc_heap_may_move: gc_heap.may_move,
        gc_heap_initial_size: settings.gc_heap_initial_size,
        guard_before_linear_memory: settings.guard_before_linear_memory,
        memory_init_cow: settings.memory_init_cow,
        table_lazy_init: settings.table_lazy_init,
        relaxed_simd_deterministic: settings.relaxed_simd_deterministic,
        signals_based_traps: settings.signals_based_traps,
        ..Tunables::default_u64()
    }
}

/// Asks the engine whether it can compile a valid program, and checks that the code would work.
/// Returns the advisories that affect a program of this shape.
///
/// # Errors
///
/// [`ValidateError::Engine`] with the engine's answer, [`ValidateError::Limit`], or
/// [`ValidateError::Fault`].
pub(crate) fn check(
    wasm: &[u8],
    kind: ProgramKind,
    used: WasmFeatures,
) -> Result<Vec<&'static str>, ValidateError> {
    let faults = ask(wasm, kind, used)?;
    if faults.endless {
        return Err(ValidateError::Fault {
            id: ENDLESS_CALL.into(),
            message: engine_faults::describe(wasm),
        });
    }
    Ok(faults
        .trapping
        .then_some(TRAPPING_CALL)
        .into_iter()
        .collect())
}

/// The faults of the code that the engine would make, or why the engine cannot make code.
fn ask(wasm: &[u8], kind: ProgramKind, used: WasmFeatures) -> Result<Faults, ValidateError> {
    if used.intersects(ONLY_SCANNED) {
        return Err(ValidateError::Engine {
            message: "exact reference types (custom_descriptors) are not supported".to_owned(),
        });
    }
    // First the counts that one pass can make. The remaining work is bounded by these counts or by
    // limits.
    let needs = Resources::of(wasm);
    inlining::within(needs.instantiations, needs.steps)?;
    if kind == ProgramKind::Component {
        inlining::check(wasm)?;
    }
    // The engine asserts that its own code between components is valid. This fails if the code
    // calls between too many memories.
    let answer = catch_unwind(|| translate(wasm, kind));
    let answer = answer.unwrap_or_else(|panic| Err(said(panic.as_ref())));
    answer.map_err(|message| ValidateError::Engine { message })
}

fn translate(wasm: &[u8], kind: ProgramKind) -> Result<Faults, String> {
    let tunables = tunables();
    let mut validator = Validator::new_with_features(SUPPORTED);
    let answer = match kind {
        ProgramKind::Component => {
            let scope = ScopeVec::new();
            let mut types = ComponentTypesBuilder::new(&validator);
            Translator::new(&tunables, &mut validator, &mut types, &scope)
                .translate(wasm)
                .map(|(_, modules)| Faults::of(wasm, modules.values()))
        }
        ProgramKind::Module => {
            let mut parser = Parser::new(0);
            parser.set_features(SUPPORTED);
            let mut types = ModuleTypesBuilder::new(&validator);
            let module = StaticModuleIndex::from_u32(0);
            ModuleEnvironment::new(&tunables, &mut validator, &mut types, module)
                .translate(parser, wasm)
                .map(|_| Faults::default())
        }
    };
    answer.map_err(|error| format!("{error:#}"))
}

/// The message with which the engine's front end gave up, without the offset in the engine's own
/// code.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("it says nothing");
    let text = text.split(" (at offset").next().unwrap_or_default();
    format!("its front end gives up: {text}")
}
