//! Other CPUs than this machine's: QEMU's user-mode emulation, which `tests/aarch64/setup.sh`
//! installs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skipped;

/// If this variable is set, a test without an emulator fails.
const REQUIRED: &str = "EDGEC_REQUIRE_EMULATION";

/// The folder in which `setup.sh` put the aarch64 system, if it exists.
///
/// # Panics
///
/// If it does not exist, and `EDGEC_REQUIRE_EMULATION` is set.
pub fn aarch64_system() -> Option<PathBuf> {
    let named = std::env::var_os("EDGEC_AARCH64_ROOT").map(PathBuf::from);
    let cached = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/edgec/aarch64"));
    let root = named.or(cached).filter(|root| root.join("ready").exists());
    if root.is_none() {
        skipped(REQUIRED, "tests/aarch64/setup.sh makes the emulated system");
    }
    root
}

/// A program of the aarch64 system, on this CPU model (`qemu-aarch64-static -cpu help`).
pub fn aarch64(root: &Path, cpu: &str, program: &str) -> Command {
    let mut command = Command::new("qemu-aarch64-static");
    command.args(["-cpu", cpu, "-L"]).arg(root);
    command.arg(root.join(program));
    command
}

/// Whether programs of this machine can run on other x86-64 models.
///
/// # Panics
///
/// If this machine is x86-64, they cannot run, and `EDGEC_REQUIRE_EMULATION` is set.
pub fn has_x86_64() -> bool {
    if cfg!(not(target_arch = "x86_64")) {
        eprintln!("SKIPPED: this machine's programs are not x86-64's");
        return false;
    }
    let found = Command::new("qemu-x86_64-static").arg("--version").output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        skipped(REQUIRED, "qemu-x86_64-static is not installed");
    }
    found
}

/// A program of this machine, on this CPU model (`qemu-x86_64-static -cpu help`).
pub fn x86_64(cpu: &str, program: &Path) -> Command {
    let mut command = Command::new("qemu-x86_64-static");
    command.args(["-cpu", cpu]).arg(program);
    command
}
