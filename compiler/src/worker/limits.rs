//! Limits on processes: inherited ones, and those that a worker sets itself.
//!
//! Source: `getrlimit(2)`, `prctl(2)`.

/// How much memory a process can use if it limits itself to `memory` bytes. This is less if this
/// process inherited lower limits.
#[cfg(target_os = "linux")]
pub(crate) fn allowed_memory(memory: u64) -> u64 {
    use rustix::process::{Resource, getrlimit};
    let limits = [Resource::As, Resource::Data].map(|limited| getrlimit(limited).current);
    limits.into_iter().flatten().fold(memory, u64::min)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn allowed_memory(memory: u64) -> u64 {
    memory
}

/// Whether the inherited limits allow less than `memory` bytes of memory.
pub(crate) fn allows_less_memory_than(memory: u64) -> bool {
    allowed_memory(memory) < memory
}

/// Below this limit, in bytes (256 MiB), a thread that does not start lacks memory for its stack.
const ENOUGH_FOR_THREADS: u64 = 256 << 20;

/// Whether a process that limits itself to `memory` bytes has too little for its threads. The
/// system reports this in the same way as a limit on threads.
pub(crate) fn has_little_memory(memory: u64) -> bool {
    allowed_memory(memory) < ENOUGH_FOR_THREADS
}

/// Whether this process inherited a limit on its address space. A worker does not set one itself:
/// it limits only the memory that it writes.
#[cfg(all(feature = "precompile", target_os = "linux"))]
pub(crate) fn limits_address_space() -> bool {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::As).current.is_some()
}

#[cfg(all(feature = "precompile", not(target_os = "linux")))]
pub(crate) fn limits_address_space() -> bool {
    false
}

/// The limit on the CPU time of a process, in seconds, if there is one.
#[cfg(unix)]
pub(crate) fn cpu_seconds() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    let limits = getrlimit(Resource::Cpu);
    limits.current.into_iter().chain(limits.maximum).min()
}

#[cfg(not(unix))]
pub(crate) fn cpu_seconds() -> Option<u64> {
    None
}

/// What a worker process does first: it limits itself to `memory` bytes, leaves no core file, and
/// ends when its parent process ends. Then it puts up [`crate::worker::walls`]. Only Linux has a
/// limit that counts every private writable page, so other systems have no limit.
pub(crate) fn limit(memory: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
        let at_most = |resource, most: u64| {
            // If the existing limit is lower, it stays.
            let most = getrlimit(resource)
                .maximum
                .map_or(most, |old| old.min(most));
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            let _ = setrlimit(resource, limit);
        };
        at_most(Resource::Data, memory);
        at_most(Resource::Core, 0);
        // It writes only what it has in memory.
        at_most(Resource::Fsize, memory);
        // If a build is stopped, its workers are no longer needed.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_is_less_than_threads_take() {
        assert!(has_little_memory(ENOUGH_FOR_THREADS - 1) && !has_little_memory(u64::MAX));
    }
}
