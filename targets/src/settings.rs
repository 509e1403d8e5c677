//! The engine settings that code and its host share, as one list.
//!
//! The compiler compiles with them, the manifest states them, the engine's front end validates and
//! lints with them, `--init` runs with them, and the loader's engines have them. The crates that
//! know the engine set them; this list only has the values. Tests in `edgec-compiler` hold it
//! against the engine's own defaults and against what each of them sets.
//!
//! Not in the list is the garbage collector, which the engine has a type for. Everywhere it is the
//! copying one, and an engine compares it at load.
//!
//! Source: `wasmtime-environ` 48, `tunables.rs`, `Tunables::default_u64`.

use crate::EngineProfile;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// The settings of a profile. All but `epoch_interruption` are the defaults of Wasmtime 48 on a
/// 64-bit host, so that an unmodified Wasmtime loads artifacts of the default profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Whether a host can interrupt what runs by epochs. This is all in which profiles differ.
    pub epoch_interruption: bool,
    /// Whether what runs counts fuel.
    pub consume_fuel: bool,
    /// Whether the engine supports asynchronous functions of the component model.
    pub concurrency_support: bool,
    /// Whether code has native debug information.
    pub debug_info: bool,
    /// Whether code has symbols when it is compiled. The strip stage takes them out.
    pub debug_symbols: bool,
    /// Linear memories.
    pub memory: HeapSettings,
    /// The heap of the garbage collector.
    pub gc_heap: HeapSettings,
    /// The size with which the heap of the garbage collector begins, in bytes.
    pub gc_heap_initial_size: u64,
    /// Whether linear memories have a guard region in front of them too.
    pub guard_before_linear_memory: bool,
    /// Whether linear memories begin as copy-on-write images.
    pub memory_init_cow: bool,
    /// Whether tables are filled when an entry is first used.
    pub table_lazy_init: bool,
    /// Whether relaxed SIMD instructions give the same results on all CPUs.
    pub relaxed_simd_deterministic: bool,
    /// Whether signals of the system become traps.
    pub signals_based_traps: bool,
}

/// How much address space a memory gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapSettings {
    /// What is reserved for it, in bytes.
    pub reservation: u64,
    /// The guard region behind it, in bytes.
    pub guard_size: u64,
    /// What is reserved for its growth when it moves, in bytes.
    pub reservation_for_growth: u64,
    /// Whether it may move when it grows.
    pub may_move: bool,
}

const HEAP: HeapSettings = HeapSettings {
    reservation: 4 * GIB,
    guard_size: 32 * MIB,
    reservation_for_growth: 2 * GIB,
    may_move: true,
};

impl EngineProfile {
    /// The profile's settings.
    pub const fn settings(self) -> EngineSettings {
        EngineSettings {
            epoch_interruption: matches!(self, Self::Edge),
            consume_fuel: false,
            concurrency_support: true,
            debug_info: false,
            debug_symbols: true,
            memory: HEAP,
            gc_heap: HEAP,
            gc_heap_initial_size: 0,
            guard_before_linear_memory: true,
            memory_init_cow: true,
            table_lazy_init: true,
            relaxed_simd_deterministic: false,
            signals_based_traps: true,
        }
    }
}
