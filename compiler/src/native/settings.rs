//! Every engine setting of the profiles, by name.
//!
//! What code and its host share is one list in [`edgec_targets`]. The values for `default` are
//! Wasmtime 48's defaults on a 64-bit host, so that an unmodified Wasmtime loads the artifacts. All
//! of them are set nevertheless: a default may depend on a cargo feature or an environment variable
//! of the builder, and an artifact must not. The list also shows where `edge` differs. Two settings
//! stay at the engine's defaults, which are constants: the thresholds of inlining, which is off,
//! and branch hinting.
//!
//! Source: `wasmtime` 48, `config.rs`, and `wasmtime-environ` 48, `tunables.rs`.

#[cfg(test)]
mod tests;

use edgec_targets::{EngineSettings, Target};
use wasmparser::WasmFeatures;
use wasmtime::{
    Collector, Config, Inlining, OptLevel, RegallocAlgorithm, Strategy, WasmBacktraceDetails,
};

use crate::EngineProfile;

/// The features of every engine that runs WebAssembly 2.0. They are enabled even if the program
/// does not use them, because the engine's own adapters between components need them. wasmparser
/// counts the collector among them, but it is not enabled here: engines differ in their collector.
const BASE: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::MULTI_MEMORY)
    .difference(WasmFeatures::GC_TYPES);

/// A configuration to compile a program that uses `features` for `target` and `profile`. It depends
/// on nothing else, and on no property of this machine.
pub(crate) fn config(
    target: &Target,
    features: WasmFeatures,
    profile: EngineProfile,
) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.target(target.triple())?;
    enable_cpu_features(&mut config, target);

    let enabled = features.union(BASE);
    config.wasm_features(WasmFeatures::all().difference(enabled), false);
    config.wasm_features(enabled, true);
    // The image names the collector, and a load compares it, only if the program needs one.
    config.collector(Collector::Copying);
    share(&mut config, &profile.settings());

    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(OptLevel::Speed);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config.cranelift_debug_verifier(false);
    config.cranelift_nan_canonicalization(false);
    config.compiler_inlining(Inlining::No);

    // For the debug file. No image keeps it (`strip.rs`).
    config.generate_address_map(true);
    // Not needed: on Linux the engine walks the stack only by frame pointers and its own tables,
    // also for traps and exceptions (`wasmtime` 48, `vm/traphandlers.rs`, `vm/throw.rs`). A panic
    // of the host is caught before it reaches compiled code.
    config.native_unwind_info(false);
    config.debug_adapter_modules(false);
    config.metadata_for_internal_asserts(false);
    config.metadata_for_gc_heap_corruption(true);
    config.shared_memory(false);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    Ok(config)
}

/// Sets what code and its host share.
fn share(config: &mut Config, settings: &EngineSettings) {
    let EngineSettings {
        memory, gc_heap, ..
    } = settings;
    config.concurrency_support(settings.concurrency_support);
    config.relaxed_simd_deterministic(settings.relaxed_simd_deterministic);

    config.memory_reservation(memory.reservation);
    config.memory_guard_size(memory.guard_size);
    config.memory_reservation_for_growth(memory.reservation_for_growth);
    config.memory_may_move(memory.may_move);
    config.guard_before_linear_memory(settings.guard_before_linear_memory);
    config.memory_init_cow(settings.memory_init_cow);
    config.table_lazy_init(settings.table_lazy_init);
    config.gc_heap_reservation(gc_heap.reservation);
    config.gc_heap_guard_size(gc_heap.guard_size);
    config.gc_heap_reservation_for_growth(gc_heap.reservation_for_growth);
    config.gc_heap_may_move(gc_heap.may_move);
    config.gc_heap_initial_size(settings.gc_heap_initial_size);
    config.signals_based_traps(settings.signals_based_traps);
    config.consume_fuel(settings.consume_fuel);
    config.epoch_interruption(settings.epoch_interruption);

    config.debug_info(settings.debug_info);
    // For the debug file. No image keeps them (`strip.rs`).
    config.debug_symbols(settings.debug_symbols);
}

/// The settings that a host must share, for the manifest.
pub(crate) fn tunables(
    features: WasmFeatures,
    profile: EngineProfile,
) -> Vec<(&'static str, String)> {
    let collector = if features.contains(WasmFeatures::GC_TYPES) {
        "copying"
    } else {
        "none"
    };
    let settings = profile.settings();
    let EngineSettings {
        memory, gc_heap, ..
    } = settings;
    vec![
        ("collector", collector.to_owned()),
        (
            "concurrencySupport",
            settings.concurrency_support.to_string(),
        ),
        ("consumeFuel", settings.consume_fuel.to_string()),
        ("debugInfo", settings.debug_info.to_string()),
        ("debugSymbols", settings.debug_symbols.to_string()),
        ("epochInterruption", settings.epoch_interruption.to_string()),
        ("gcHeapGuardSize", gc_heap.guard_size.to_string()),
        (
            "gcHeapInitialSize",
            settings.gc_heap_initial_size.to_string(),
        ),
        ("gcHeapMayMove", gc_heap.may_move.to_string()),
        ("gcHeapReservation", gc_heap.reservation.to_string()),
        (
            "guardBeforeLinearMemory",
            settings.guard_before_linear_memory.to_string(),
        ),
        ("inlining", "no".to_owned()),
        ("memoryGuardSize", memory.guard_size.to_string()),
        ("memoryInitCow", settings.memory_init_cow.to_string()),
        ("memoryMayMove", memory.may_move.to_string()),
        ("memoryReservation", memory.reservation.to_string()),
        (
            "relaxedSimdDeterministic",
            settings.relaxed_simd_deterministic.to_string(),
        ),
        (
            "signalsBasedTraps",
            settings.signals_based_traps.to_string(),
        ),
        ("tableLazyInit", settings.table_lazy_init.to_string()),
    ]
}

#[expect(unsafe_code, reason = "CPU features have no other setter")]
fn enable_cpu_features(config: &mut Config, target: &Target) {
    for feature in target.features {
        // SAFETY: the call is unsafe because a flag may change what generated code assumes about
        // its environment. These flags only say which instructions may be used. The image records
        // each of them, and an engine refuses the image on a host that lacks one.
        unsafe {
            config.cranelift_flag_enable(feature.cranelift_flag);
        }
    }
}
