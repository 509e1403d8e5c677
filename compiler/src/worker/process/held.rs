//! How much memory a process held when it was last checked.
//!
//! Binaryen aborts without a message if it gets no memory for one of its arenas (`MixedArena`).
//! Only the memory that the process held tells this from other silent aborts.
//!
//! Source: `proc_pid_status(5)`, field `VmData`, which `RLIMIT_DATA` limits. Systems other than
//! Linux do not tell.

/// The most memory that a process held at any check, in bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Held(u64);

impl Held {
    /// Checks a process that has not been waited for.
    pub(super) fn check(&mut self, process: u32) {
        self.0 = self.0.max(data(process).unwrap_or(0));
    }

    /// Whether the process may have ended because it could hold only `limit` bytes. Between two
    /// checks it can have asked for much, so half of the limit counts.
    pub(super) fn is_near(self, limit: u64) -> bool {
        self.0 >= limit / 2
    }
}

#[cfg(target_os = "linux")]
fn data(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix("VmData:"))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(not(target_os = "linux"))]
fn data(_: u32) -> Option<u64> {
    None
}
