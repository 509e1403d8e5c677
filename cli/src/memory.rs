//! How much memory this machine can give to a build.

use edgec_loader::machine_memory;

/// The memory that is assumed if the system does not say how much it has, in bytes (4 GiB).
const ASSUMED: u64 = 4 << 30;

/// The memory that programs which are built at a time may take together, in bytes: three quarters
/// of what is available now, to the machine and to the control group (container) of this process.
/// The rest is for the system, and for estimates that are too low.
pub(crate) fn for_programs() -> u64 {
    let available = machine_memory::available().unwrap_or(ASSUMED);
    available / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_memory_for_programs() {
        assert!(for_programs() > 0);
    }
}
