//! Failures of this machine.
//!
//! The input is not at fault. So the exit code is 3, and the message names the folder, the limit or
//! the signal.

use std::error::Error;
use std::io;

use edgec_compiler::{Limit, MachineError};

use crate::failure::Failure;

/// The failure that `cause` led to. `error` says which work was not done.
pub(crate) fn machine_failure(error: &dyn Error, cause: &MachineError) -> Failure {
    if let MachineError::Program { program, .. } = cause {
        let hint = format!(
            "`{}` is the program that --wasm-opt names: check that it is complete and runs here; \
             it reads /dev/stdin and writes /dev/stdout, opens no other files, and starts only programs of \
             the system, of its own folder and of PATH (docs/environment.md)",
            program.display()
        );
        return Failure::environment(cause.code(), error).hint(hint);
    }
    let hint = match cause {
        MachineError::Temporary { .. } => TEMPORARY,
        MachineError::Limit { limit } => match limit {
            Limit::FileSize => "raise the limit where edgec is started: ulimit -f unlimited",
            Limit::CpuTime => "raise the limit where edgec is started: ulimit -t unlimited",
            Limit::Stack => "raise the limit where edgec is started: ulimit -s 8192",
            Limit::OpenFiles => "raise the limit where edgec is started: ulimit -n 1024",
            Limit::Processes => {
                "raise the limit where edgec is started (ulimit -u), or that of the container"
            }
            Limit::Memory => {
                "raise the limit where edgec is started: ulimit -v unlimited; ulimit -d unlimited"
            }
            _ => "raise the limit where edgec is started",
        },
        MachineError::Signal { signal } if signal == "SIGKILL" => {
            "often the system was short of memory: give the machine or the container more, or build with a \
             lower --worker-memory; then run it again"
        }
        MachineError::Signal { .. } => "nothing was written; run it again",
        MachineError::Stuck { .. } => {
            "often it got no threads or no memory: raise the limits where edgec is started (ulimit -u, -v and -d), \
             or those of the container; then run it again"
        }
        MachineError::Walls { .. } => WALLS,
        MachineError::Worker { .. } => {
            "edgec's processes need /proc, /dev/stdin and /dev/stdout: give the container these, then run it again"
        }
        _ => "edgec starts itself for this work; run it again",
    };
    Failure::environment(cause.code(), error).hint(hint)
}

/// The failure of a thread that did not start.
pub(crate) fn no_thread(error: io::Error) -> Failure {
    let cause = MachineError::of_thread(error);
    machine_failure(&cause, &cause)
}

/// What to do when a process must be confined, and the system cannot do it.
const WALLS: &str = "Landlock needs Linux 5.13 and a kernel that has it switched on (`landlock` in \
    /sys/kernel/security/lsm), closed descriptors need Linux 5.9;\n\
    in a container or sandbox, its seccomp profile must allow the calls landlock_create_ruleset, \
    landlock_add_rule, landlock_restrict_self, close_range, prctl and seccomp;\n\
    `edgec host` says what is missing; without --require-confinement, edgec works with the walls that \
    exist (docs/environment.md)";

/// What to do when the temporary folder cannot be written to.
const TEMPORARY: &str = "set the variable TMPDIR to a folder that can be written to and has space";
