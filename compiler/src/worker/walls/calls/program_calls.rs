//! The system calls that the user's program may make: an external `wasm-opt`.
//!
//! The program may be anything that runs Binaryen: a shell script with the programs that it starts,
//! or JavaScript. So it may do more than a worker of edgec. A filter is installed before the
//! program starts, so it must allow `execve`, any number of times.
//!
//! If a hostile module exploits a defect of such a program, it can start other programs. Landlock
//! decides which ones, and all of them are behind the same walls: a filter, a ruleset and
//! `no_new_privs` are inherited and cannot be removed. These programs can read the programs and
//! libraries of the system, and can write only the answer. From metadata (`stat`) they can learn
//! whether a file with a given name exists. They can start any number of processes. These outlive
//! the build if they do not use its streams, and each of them has the memory of a worker.
//!
//! The list leaves out calls that Landlock does not restrict, or not in every version: those that
//! change the metadata of files by name (`chmod`, `utimensat`, `setxattr`, `truncate`), those that
//! act on other processes (`ptrace`, `pidfd_open`, `sched_setaffinity` and more), and those that
//! make calls without this filter (`io_uring`).

use seccompiler::BackendError;

use super::{Only, Rules, SET_NAME, Signals};

/// Allowed with any operands, in addition to what workers may do.
const ALLOWED: &[libc::c_long] = &[
    // Files, as far as Landlock allows them.
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_umask,
    // Descriptors that the program has.
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_copy_file_range,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_shutdown,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_delete,
    // Programs and processes.
    libc::SYS_execve,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_setpgid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getgroups,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_capget,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigpending,
    libc::SYS_setitimer,
    libc::SYS_getitimer,
    libc::SYS_times,
    libc::SYS_getrlimit,
];

/// Calls that only x86-64 has: older forms of calls, and the place of a thread's own memory.
#[cfg(target_arch = "x86_64")]
const OF_ARCHITECTURE: &[libc::c_long] = &[
    libc::SYS_arch_prctl,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_getpgrp,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_time,
];

#[cfg(not(target_arch = "x86_64"))]
const OF_ARCHITECTURE: &[libc::c_long] = &[];

/// What `prctl` may do: `PR_SET_NAME`, `PR_GET_NAME`, and `PR_SET_VMA`, which names memory.
const OF_PRCTL: &[u64] = &[SET_NAME, 16, 0x5356_4d41];

/// What `ioctl` may do: `TCGETS` and `TIOCGWINSZ`, which ask whether a stream is a terminal and how
/// large it is; `FIONREAD`, `FIONBIO`, `FIONCLEX` and `FIOCLEX`. None of them types into a
/// terminal.
const OF_IOCTL: &[u64] = &[0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451];

/// `AF_UNIX`: two ends that are connected only to each other. JavaScript starts programs with such
/// streams.
const PAIRS: u64 = 1;

/// The kinds of namespaces. In a new user namespace, a process has rights that it does not have
/// here.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Adds what such a program may do in addition to a worker.
pub(super) fn add(rules: &mut Rules, signals: Signals) -> Result<(), BackendError> {
    let calls = ALLOWED.iter().chain(OF_ARCHITECTURE);
    rules.extend(calls.map(|call| (*call, Vec::new())));
    let namespaces = u64::from(NAMESPACES.unsigned_abs());
    rules.insert(libc::SYS_clone, Only::Without(namespaces).rules(0)?);
    rules.insert(libc::SYS_prctl, Only::one_of(OF_PRCTL, 0)?);
    rules.insert(libc::SYS_ioctl, Only::one_of(OF_IOCTL, 1)?);
    rules.insert(libc::SYS_socketpair, Only::Is(PAIRS).rules(0)?);
    let own = u64::from(std::process::id());
    for call in [libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill] {
        let to = match signals {
            Signals::InReach => Vec::new(),
            Signals::ToItself => Only::Is(own).rules(0)?,
        };
        rules.insert(call, to);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rule_of_landlock_signals_stay_in_the_process() {
        for (signals, free) in [(Signals::InReach, true), (Signals::ToItself, false)] {
            let mut rules = Rules::new();
            add(&mut rules, signals).unwrap();
            for call in [libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill] {
                let rules = rules.get(&call).unwrap();
                assert_eq!(rules.is_empty(), free, "{call}, {signals:?}");
            }
        }
    }
}
