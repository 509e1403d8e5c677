//! Every wall but the one around system calls.

use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::Opens;

/// Closes all descriptors but the three streams.
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

/// Forbids core files, and other processes of the same user to read this one's memory.
pub(super) fn forbid_dumps() -> bool {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

/// Forbids to open files, to use TCP and to send signals to other processes.
pub(super) fn forbid_files(opens: Opens) -> bool {
    matches!(restricted(opens), Ok(status) if status != RulesetStatus::NotEnforced)
}

fn restricted(opens: Opens) -> Result<RulesetStatus, RulesetError> {
    // What an older kernel does not know of these, it does not forbid.
    let rules = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V4))?
            .scope(Scope::from_all(ABI::V6))?
            .create()
    };
    let mut rules_made = rules()?;
    if opens == Opens::Streams {
        // Without a rule a process may open a file of memory or a pipe, and a rule for one is an
        // error. Standard input is a file of the temporary folder where the kernel has no others.
        let input = io::stdin();
        let with_input = rules()?.add_rule(PathBeneath::new(input.lock(), AccessFs::ReadFile));
        if let Ok(with_input) = with_input {
            rules_made = with_input;
        }
    }
    rules_made.restrict_self().map(|status| status.ruleset)
}
