//! Every engine setting of the profiles, by name.
//!
//! The values of `default` are Wasmtime 48's defaults on a 64-bit host, so that an unmodified
//! Wasmtime loads the artifacts. They are set all the same, each of them: a default may
//! follow a cargo feature or an environment variable of the builder, and an artifact must
//! not. Where `edge` differs, the setting says so. Left at the engine's defaults, which are
//! constants: the thresholds of inlining, which is off, and branch hinting.
//!
//! Source: `wasmtime` 48, `config.rs`, and `wasmtime-environ` 48, `tunables.rs`.

use edgec_targets::Target;
use wasmparser::WasmFeatures;
use wasmtime::{
    Collector, Config, Inlining, OptLevel, RegallocAlgorithm, Strategy, WasmBacktraceDetails,
};

use crate::EngineProfile;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// What every engine that runs WebAssembly 2.0 has: enabled whether used or not, so that
/// the engine's own adapters between components find it. Not the collector, which
/// wasmparser counts among them: engines differ in which one they have.
const BASE: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::MULTI_MEMORY)
    .difference(WasmFeatures::GC_TYPES);

/// Whether a host can interrupt what runs: all that the profiles do not share.
fn epochs(profile: EngineProfile) -> bool {
    matches!(profile, EngineProfile::Edge)
}

/// A configuration for compiling a program that uses `features` for `target` and `profile`,
/// and for nothing else: no property of this machine gets in.
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
    // Named in the image, and compared at load, only when the program needs a collector.
    config.collector(Collector::Copying);
    config.concurrency_support(true);

    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(OptLevel::Speed);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config.cranelift_debug_verifier(false);
    config.cranelift_nan_canonicalization(false);
    config.relaxed_simd_deterministic(false);
    config.compiler_inlining(Inlining::No);

    config.memory_reservation(4 * GIB);
    config.memory_guard_size(32 * MIB);
    config.memory_reservation_for_growth(2 * GIB);
    config.memory_may_move(true);
    config.guard_before_linear_memory(true);
    config.memory_init_cow(true);
    config.table_lazy_init(true);
    config.gc_heap_reservation(4 * GIB);
    config.gc_heap_guard_size(32 * MIB);
    config.gc_heap_reservation_for_growth(2 * GIB);
    config.gc_heap_may_move(true);
    config.gc_heap_initial_size(0);
    config.signals_based_traps(true);
    config.consume_fuel(false);
    config.epoch_interruption(epochs(profile));

    config.debug_info(false);
    // For the debug file: no image keeps them (`strip.rs`).
    config.debug_symbols(true);
    config.generate_address_map(true);
    // Unused: on Linux the engine walks the stack by frame pointers and its own tables only, for
    // traps and exceptions too (`wasmtime` 48, `vm/traphandlers.rs`, `vm/throw.rs`). A panic of the
    // host is caught before it reaches compiled code.
    config.native_unwind_info(false);
    config.debug_adapter_modules(false);
    config.metadata_for_internal_asserts(false);
    config.metadata_for_gc_heap_corruption(true);
    config.shared_memory(false);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    Ok(config)
}

/// The settings that decide what a host must be like, for the manifest.
pub(crate) fn tunables(
    features: WasmFeatures,
    profile: EngineProfile,
) -> Vec<(&'static str, String)> {
    let collector = if features.contains(WasmFeatures::GC_TYPES) {
        "copying"
    } else {
        "none"
    };
    vec![
        ("collector", collector.to_owned()),
        ("concurrencySupport", "true".to_owned()),
        ("consumeFuel", "false".to_owned()),
        ("debugInfo", "false".to_owned()),
        ("debugSymbols", "true".to_owned()),
        ("epochInterruption", epochs(profile).to_string()),
        ("gcHeapGuardSize", (32 * MIB).to_string()),
        ("gcHeapInitialSize", "0".to_owned()),
        ("gcHeapMayMove", "true".to_owned()),
        ("gcHeapReservation", (4 * GIB).to_string()),
        ("guardBeforeLinearMemory", "true".to_owned()),
        ("inlining", "no".to_owned()),
        ("memoryGuardSize", (32 * MIB).to_string()),
        ("memoryInitCow", "true".to_owned()),
        ("memoryMayMove", "true".to_owned()),
        ("memoryReservation", (4 * GIB).to_string()),
        ("relaxedSimdDeterministic", "false".to_owned()),
        ("signalsBasedTraps", "true".to_owned()),
        ("tableLazyInit", "true".to_owned()),
    ]
}

#[expect(unsafe_code, reason = "CPU features have no other setter")]
fn enable_cpu_features(config: &mut Config, target: &Target) {
    for feature in target.features {
        // SAFETY: the call is unsafe because a flag may change what generated code
        // assumes of its surroundings. These flags only say which instructions may be
        // used; the image records each of them, and an engine refuses the image on a
        // host that lacks one.
        unsafe {
            config.cranelift_flag_enable(feature.cranelift_flag);
        }
    }
}
