//! All walls except the one around system calls.

use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior};

use super::Opens;
use super::calls::Signals;
use super::reach::{Reach, Right};

/// Closes all descriptors except the three streams.
pub(super) fn close_inherited() -> bool {
    const FIRST: libc::c_uint = 3;
    const NO_FLAGS: libc::c_int = 0;
    #[expect(
        unsafe_code,
        reason = "no library closes descriptors that it does not own"
    )]
    // SAFETY: a worker calls this before it opens anything or starts a thread, so nothing in this
    // process owns a descriptor beyond the three streams. The call takes no pointer.
    let closed =
        unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, NO_FLAGS) };
    closed == 0
}

/// Forbids core files, and forbids other processes of the same user to read this process's memory.
pub(super) fn forbid_dumps() -> bool {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

/// Whether core files are forbidden, also for a program that this process becomes. (Other processes
/// of the same user can read that program's memory, because it starts as every program does.)
pub(super) fn leaves_no_core() -> bool {
    getrlimit(Resource::Core).current == Some(0)
}

/// Forbids to open files, to use TCP and to send signals to other processes.
pub(super) fn forbid_files(opens: Opens) -> bool {
    matches!(restricted(opens), Ok(status) if status != RulesetStatus::NotEnforced)
}

fn restricted(opens: Opens) -> Result<RulesetStatus, RulesetError> {
    let mut rules_made = rules()?;
    if opens == Opens::Streams {
        // Without a rule, a process may open a memory file or a pipe, and a rule for one is an
        // error. Standard input is a file of the temporary folder if the kernel has no memory
        // files.
        let input = io::stdin();
        let with_input = rules()?.add_rule(PathBeneath::new(input.lock(), AccessFs::ReadFile));
        if let Ok(with_input) = with_input {
            rules_made = with_input;
        }
    }
    rules_made.restrict_self().map(|status| status.ruleset)
}

/// Rules that allow nothing yet.
fn rules() -> Result<RulesetCreated, RulesetError> {
    // An older kernel does not forbid the rights that it does not know.
    Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V4))?
        .scope(Scope::from_all(ABI::V6))?
        .create()
}

/// Forbids the same, except for what is in reach. If this wall stands, returns which signals remain
/// to be forbidden.
pub(super) fn leave(reach: &Reach) -> Option<Signals> {
    let status = restricted_to(reach).ok()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return None;
    }
    Some(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if effective_abi >= ABI::V6 => {
            Signals::InReach
        }
        _ => Signals::ToItself,
    })
}

fn restricted_to(reach: &Reach) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = rules()?;
    let input = io::stdin();
    // Without this rule, less is in reach.
    let _ = (&mut rules).add_rule(PathBeneath::new(input.lock(), AccessFs::ReadFile));
    for (path, right) in reach.paths() {
        // Systems differ in which of these paths exist.
        if let Ok(file) = PathFd::new(path) {
            let _ = (&mut rules).add_rule(PathBeneath::new(file, access(*right)));
        }
    }
    rules.restrict_self()
}

fn access(right: Right) -> BitFlags<AccessFs> {
    match right {
        Right::Run => AccessFs::from_read(ABI::V1),
        Right::Read => AccessFs::ReadFile | AccessFs::ReadDir,
        Right::Write => AccessFs::ReadFile | AccessFs::WriteFile,
    }
}
