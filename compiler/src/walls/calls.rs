//! The system calls that a worker may make.
//!
//! The list is of what is allowed, so that a call of a later kernel, or of another convention (x32
//! on x86-64), is forbidden too. A forbidden call fails with `EPERM`. It does not end the process:
//! libraries ask for things that they can do without, such as the number of processors.
//!
//! Source: `seccomp(2)`; `arch/*/entry/syscalls` of Linux; what strace shows of the workers.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::Opens;

/// Allowed with any operands.
const ALLOWED: &[libc::c_long] = &[
    // Its streams. Other descriptors there are none.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_ppoll,
    // Memory. The engine makes images of memories in files without a name.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    // Threads. `clone` is restricted below.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // A thread of the C library starts with this. What it asks for is in memory, which a filter
    // cannot read: see `CLONE3`.
    libc::SYS_clone3,
    // Signals of its own.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time, chance, and what machine this is.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
];

/// For Binaryen, which opens its streams by name. Landlock forbids every other file.
const OPENS: &[libc::c_long] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];

/// `PR_SET_NAME`, for the names of threads.
const SET_NAME: u64 = 15;

/// Forbids all other calls, for all threads of this process.
pub(super) fn forbid(opens: Opens) -> bool {
    // The kernel takes the stricter answer of two filters, whichever came last.
    let filters = [CLONE3, Filter::Allowed(opens)].map(program);
    filters
        .into_iter()
        .all(|program| program.is_ok_and(|program| apply_filter_all_threads(&program).is_ok()))
}

enum Filter {
    /// Lets through the calls of the lists.
    Allowed(Opens),
    /// Answers a call as a kernel does that does not have it.
    Unknown(libc::c_long),
}

/// The C library then takes `clone`, whose flags a filter can read.
const CLONE3: Filter = Filter::Unknown(libc::SYS_clone3);

fn program(filter: Filter) -> Result<BpfProgram, BackendError> {
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    let error = |number: libc::c_int| SeccompAction::Errno(number.unsigned_abs());
    let (rules, otherwise, action) = match filter {
        Filter::Allowed(opens) => (allowed(opens)?, error(libc::EPERM), SeccompAction::Allow),
        Filter::Unknown(call) => {
            let rules = BTreeMap::from([(call, Vec::new())]);
            (rules, SeccompAction::Allow, error(libc::ENOSYS))
        }
    };
    SeccompFilter::new(rules, otherwise, action, target)?.try_into()
}

/// The calls that are allowed, with conditions on their operands.
fn allowed(opens: Opens) -> Result<BTreeMap<libc::c_long, Vec<SeccompRule>>, BackendError> {
    let opens = match opens {
        Opens::Nothing => &[],
        Opens::Streams => OPENS,
    };
    let calls = ALLOWED.iter().chain(opens);
    let mut rules: BTreeMap<_, _> = calls.map(|call| (*call, Vec::new())).collect();
    let own = u64::from(std::process::id());
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let empty_path = u64::from(libc::AT_EMPTY_PATH.unsigned_abs());
    for (call, operand, only) in [
        // A new thread, not a new process.
        (libc::SYS_clone, 0, Only::With(thread)),
        // `abort` sends a signal to its own thread.
        (libc::SYS_tgkill, 0, Only::Is(own)),
        (libc::SYS_prctl, 0, Only::Is(SET_NAME)),
        // Its own limits.
        (libc::SYS_prlimit64, 0, Only::Is(0)),
        // What is known of an open file.
        (libc::SYS_newfstatat, 3, Only::With(empty_path)),
        (libc::SYS_statx, 2, Only::With(empty_path)),
    ] {
        rules.insert(call, vec![only.rule(operand)?]);
    }
    Ok(rules)
}

/// A condition on an operand.
enum Only {
    /// It is this number.
    Is(u64),
    /// It has these bits.
    With(u64),
}

impl Only {
    fn rule(self, operand: u8) -> Result<SeccompRule, BackendError> {
        let (operator, value) = match self {
            Only::Is(value) => (SeccompCmpOp::Eq, value),
            Only::With(bits) => (SeccompCmpOp::MaskedEq(bits), bits),
        };
        let condition = SeccompCondition::new(operand, SeccompCmpArgLen::Dword, operator, value)?;
        SeccompRule::new(vec![condition])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_programs() {
        for filter in [
            CLONE3,
            Filter::Allowed(Opens::Nothing),
            Filter::Allowed(Opens::Streams),
        ] {
            let program = program(filter).unwrap();
            // The kernel takes no more instructions.
            assert!((1..4096).contains(&program.len()), "{}", program.len());
        }
    }

    #[test]
    fn no_call_reaches_a_file_by_name_unless_the_worker_opens_its_streams() {
        let nothing = allowed(Opens::Nothing).unwrap();
        assert!(OPENS.iter().all(|call| !nothing.contains_key(call)));
        let streams = allowed(Opens::Streams).unwrap();
        assert!(OPENS.iter().all(|call| streams.contains_key(call)));
        for call in [
            libc::SYS_execve,
            libc::SYS_socket,
            libc::SYS_kill,
            libc::SYS_ptrace,
        ] {
            assert!(!streams.contains_key(&call), "{call}");
        }
    }
}
