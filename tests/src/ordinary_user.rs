//! An ordinary user, for tests that root runs, because root may do everything.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::geteuid;

use crate::{Sandbox, binary, present, skipped};

/// The number of a user who has no other files and processes.
pub const USER: u32 = 65531;

/// Whether root runs the tests and can become this user. If not, says so.
///
/// # Panics
///
/// If not, and `EDGEC_REQUIRE_ROOT` is set.
pub fn root_becomes_user() -> bool {
    let can = geteuid().is_root() && present("setpriv");
    if !can {
        skipped("EDGEC_REQUIRE_ROOT", "only root can become another user");
    }
    can
}

/// A program that this user runs. If root does not run the tests, the current user runs it.
pub fn as_user(program: impl AsRef<OsStr>) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &USER.to_string(), "--clear-groups"]);
    command.arg(program);
    command
}

/// Gives a sandbox to this user, and copies the binary into it, because perhaps only root can enter
/// the binary's folder. Returns the binary's path.
pub fn give(sandbox: &Sandbox) -> PathBuf {
    if geteuid().is_root() {
        sandbox.tool("chown", &["-R", &USER.to_string(), "."]);
    }
    let own = sandbox.path().join("edgec");
    if std::fs::hard_link(binary(), &own).is_err() {
        std::fs::copy(binary(), &own).expect("a copy of the binary");
    }
    own
}
