//! The engine settings that code and its host share, as one list.
//!
//! The compiler compiles with them, and the manifest states them. The engine's front end validates
//! and lints with them, `--init` runs with them, and the loader's engines have them. This list has
//! only the values; the crates that know the engine set them. Tests in `edgec-compiler` compare the
//! list with the engine's defaults and with what each crate sets.
//!
//! The garbage collector is not in the list, because the engine has a type for it. It is always the
//! copying one, and an engine compares it at load.
//!
//! Source: `wasmtime-environ` 48, `tunables.rs`, `Tunables::default_u64`.

use crate::EngineProfile;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// The settings of a profile. All except `epoch_interruption` are the defaults of Wasmtime 48 on a
/// 64-bit host, so that an unmodified Wasmtime loads artifacts of the default profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Whether a host can interrupt programs by epochs. Profiles differ only in this.
    pub epoch_interruption: bool,
    /// Whether programs count fuel.
    pub consume_fuel: bool,
    /// Whether the engine supports asynchronous functions of the component model.
    pub concurrency_support: bool,
    /// Whether code has native debug information.
    pub debug_info: bool,
    /// Whether code has symbols when it is compiled. The strip stage removes them.
    pub debug_symbols: bool,
    /// Linear memories.
    pub memory: HeapSettings,
    /// The heap of the garbage collector.
    pub gc_heap: HeapSettings,
    /// The initial size of the heap of the garbage collector, in bytes.
    pub gc_heap_initial_size: u64,
    /// Whether there is a guard region in front of linear memories too.
    pub guard_before_linear_memory: bool,
    /// Whether linear memories begin as copy-on-write images.
    pub memory_init_cow: bool,
    /// Whether an entry of a table is filled at its first use.
    pub table_lazy_init: bool,
    /// Whether relaxed SIMD instructions give the same results on all CPUs.
    pub relaxed_simd_deterministic: bool,
    /// Whether signals of the system become traps.
    pub signals_based_traps: bool,
}

/// The address space of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapSettings {
    /// The reserved address space, in bytes.
    pub reservation: u64,
    /// The guard region behind the memory, in bytes.
    pub guard_size: u64,
    /// What is reserved for further growth when the memory moves, in bytes.
    pub reservation_for_growth: u64,
    /// Whether the memory may move when it grows.
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
