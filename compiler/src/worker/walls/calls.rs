//! The system calls that a worker may make.
//!
//! The list says what is allowed. So a call of a later kernel, or of another convention (x32 on
//! x86-64), is forbidden too. A forbidden call fails with `EPERM`, but does not end the process:
//! libraries ask for things that they can do without, such as the number of processors.
//!
//! Source: `seccomp(2)`; `arch/*/entry/syscalls` of Linux; what strace shows for the workers.

mod program_calls;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::Opens;

/// Whose calls are allowed.
#[derive(Clone, Copy)]
pub(super) enum Calls {
    /// The calls of a worker that opens this.
    Worker(Opens),
    /// The calls of a program that the user named ([`program_calls`]).
    Program(Signals),
}

/// The processes to which a program that the user named may send signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signals {
    /// Landlock keeps signals behind the walls.
    InReach,
    /// Only to the first process: an older kernel has no such rule, and a filter knows only that
    /// process's number. A child that aborts then ends by another signal than `SIGABRT`.
    ToItself,
}

/// Allowed with any operands, to workers and to programs that the user named.
const ALLOWED: &[libc::c_long] = &[
    // Its streams.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    libc::SYS_ppoll,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_membarrier,
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
    // The C library starts a thread with this call. Its operands are in memory, which a filter
    // cannot read: see `CLONE3`.
    libc::SYS_clone3,
    // The process's own signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time, random numbers, and facts about the machine.
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

/// Only for workers: the engine makes images of memories in files without a name.
const OF_WORKERS: &[libc::c_long] = &[libc::SYS_memfd_create, libc::SYS_ftruncate];

/// For Binaryen, which opens its streams by name. Landlock forbids every other file.
const OPENS: &[libc::c_long] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];

/// `PR_SET_NAME`, for the names of threads.
pub(super) const SET_NAME: u64 = 15;

/// What `fcntl` may do: copy a descriptor, read and set its flags, lock a part of a file, and read
/// and set the seals of memory. `F_SETOWN` and `F_SETSIG` are left out: with them, a pipe sends
/// signals to any process of the user.
const OF_FCNTL: &[u64] = &[0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1033, 1034];

/// Forbids all other calls, for all threads of this process.
pub(super) fn forbid(calls: Calls) -> bool {
    // If two filters disagree, the kernel applies the stricter one, in any order.
    let filters = [CLONE3, Filter::Allowed(calls)].map(program);
    filters
        .into_iter()
        .all(|program| program.is_ok_and(|program| apply_filter_all_threads(&program).is_ok()))
}

enum Filter {
    /// Allows the calls of the lists.
    Allowed(Calls),
    /// Answers a call like a kernel that does not have it.
    Unknown(libc::c_long),
}

/// The C library then uses `clone`, whose flags a filter can read.
const CLONE3: Filter = Filter::Unknown(libc::SYS_clone3);

fn program(filter: Filter) -> Result<BpfProgram, BackendError> {
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    let error = |number: libc::c_int| SeccompAction::Errno(number.unsigned_abs());
    let (rules, otherwise, action) = match filter {
        Filter::Allowed(calls) => (allowed(calls)?, error(libc::EPERM), SeccompAction::Allow),
        Filter::Unknown(call) => {
            let rules = BTreeMap::from([(call, Vec::new())]);
            (rules, SeccompAction::Allow, error(libc::ENOSYS))
        }
    };
    SeccompFilter::new(rules, otherwise, action, target)?.try_into()
}

/// Calls with conditions on their operands. If a call has rules, one of them must hold.
pub(super) type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// The calls that are allowed.
fn allowed(calls: Calls) -> Result<Rules, BackendError> {
    let mut rules: Rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_fcntl, Only::one_of(OF_FCNTL, 1)?);
    // The limits of the process itself.
    rules.insert(libc::SYS_prlimit64, Only::Is(0).rules(0)?);
    match calls {
        Calls::Worker(opens) => add_those_of_a_worker(&mut rules, opens)?,
        Calls::Program(signals) => program_calls::add(&mut rules, signals)?,
    }
    Ok(rules)
}

fn add_those_of_a_worker(rules: &mut Rules, opens: Opens) -> Result<(), BackendError> {
    let opens = match opens {
        Opens::Nothing => &[],
        Opens::Streams => OPENS,
    };
    let calls = OF_WORKERS.iter().chain(opens);
    rules.extend(calls.map(|call| (*call, Vec::new())));
    let own = u64::from(std::process::id());
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let empty_path = u64::from(libc::AT_EMPTY_PATH.unsigned_abs());
    for (call, operand, only) in [
        // A new thread, not a new process.
        (libc::SYS_clone, 0, Only::With(thread)),
        // `abort` sends a signal to its own thread.
        (libc::SYS_tgkill, 0, Only::Is(own)),
        (libc::SYS_prctl, 0, Only::Is(SET_NAME)),
        // Facts about an open file.
        (libc::SYS_newfstatat, 3, Only::With(empty_path)),
        (libc::SYS_statx, 2, Only::With(empty_path)),
    ] {
        rules.insert(call, only.rules(operand)?);
    }
    Ok(())
}

/// A condition on an operand. Only its lower half counts.
pub(super) enum Only {
    /// It is this number.
    Is(u64),
    /// It has these bits.
    With(u64),
    /// It has none of these bits.
    Without(u64),
}

impl Only {
    /// The condition on operand number `operand`, from 0.
    pub(super) fn rules(self, operand: u8) -> Result<Vec<SeccompRule>, BackendError> {
        let (operator, value) = match self {
            Only::Is(value) => (SeccompCmpOp::Eq, value),
            Only::With(bits) => (SeccompCmpOp::MaskedEq(bits), bits),
            Only::Without(bits) => (SeccompCmpOp::MaskedEq(bits), 0),
        };
        let condition = SeccompCondition::new(operand, SeccompCmpArgLen::Dword, operator, value)?;
        Ok(vec![SeccompRule::new(vec![condition])?])
    }

    /// The condition that operand number `operand` is one of these numbers.
    pub(super) fn one_of(values: &[u64], operand: u8) -> Result<Vec<SeccompRule>, BackendError> {
        let mut rules = Vec::with_capacity(values.len());
        for value in values {
            rules.extend(Only::Is(*value).rules(operand)?);
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Calls; 4] = [
        Calls::Worker(Opens::Nothing),
        Calls::Worker(Opens::Streams),
        Calls::Program(Signals::InReach),
        Calls::Program(Signals::ToItself),
    ];

    #[test]
    fn the_filters_are_programs() {
        for filter in ALL.map(Filter::Allowed).into_iter().chain([CLONE3]) {
            let program = program(filter).unwrap();
            // The kernel takes no more instructions.
            assert!((1..4096).contains(&program.len()), "{}", program.len());
        }
    }

    #[test]
    fn no_call_reaches_a_file_by_name_unless_the_worker_opens_its_streams() {
        let nothing = allowed(Calls::Worker(Opens::Nothing)).unwrap();
        assert!(OPENS.iter().all(|call| !nothing.contains_key(call)));
        let streams = allowed(Calls::Worker(Opens::Streams)).unwrap();
        assert!(OPENS.iter().all(|call| streams.contains_key(call)));
        for call in [libc::SYS_execve, libc::SYS_kill] {
            assert!(!streams.contains_key(&call), "{call}");
        }
    }

    #[test]
    fn no_call_reaches_the_network_or_another_process() {
        for calls in ALL {
            let allowed = allowed(calls).unwrap();
            for call in [
                libc::SYS_socket,
                libc::SYS_connect,
                libc::SYS_bind,
                libc::SYS_listen,
                libc::SYS_sendto,
                libc::SYS_sendmsg,
                libc::SYS_ptrace,
                libc::SYS_process_vm_readv,
                libc::SYS_process_vm_writev,
                libc::SYS_pidfd_open,
                libc::SYS_pidfd_getfd,
                libc::SYS_pidfd_send_signal,
                libc::SYS_rt_sigqueueinfo,
                libc::SYS_rt_tgsigqueueinfo,
                libc::SYS_io_uring_setup,
                libc::SYS_unshare,
                libc::SYS_setns,
            ] {
                assert!(!allowed.contains_key(&call), "{call}");
            }
            // No condition means every operand.
            for call in [
                libc::SYS_clone,
                libc::SYS_fcntl,
                libc::SYS_ioctl,
                libc::SYS_prctl,
                libc::SYS_prlimit64,
                libc::SYS_socketpair,
            ] {
                let rules = allowed.get(&call);
                assert!(rules.is_none_or(|rules| !rules.is_empty()), "{call}");
            }
        }
    }
}
