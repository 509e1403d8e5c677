//! The machine and the command line.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "The machine and the command line",
    about: "The exit code is 3 if the machine is at fault, and 2 if the command line is.",
    errors: &[
        Explanation {
            code: "temporary-folder",
            what: "The temporary folder cannot be written to.",
            remedy: "Set TMPDIR to a folder that can be written to and has space.",
        },
        Explanation {
            code: "limit",
            what: "A limit of the system stopped the work.",
            remedy: "The hint has the `ulimit` command that raises it where edgec is started. In a \
                 container, its own limits count as well.",
        },
        Explanation {
            code: "killed",
            what: "A signal ended a process of edgec.",
            remedy: "Often the system was short of memory: give the machine or the container more, or \
                 build with a lower `--worker-memory`. Then run it again.",
        },
        Explanation {
            code: "worker",
            what: "A process of edgec could not be started or confined.",
            remedy: "edgec starts itself for this work, and needs /proc, /dev/stdin and /dev/stdout. \
                 `edgec host` says which walls the system lacks (docs/environment.md).",
        },
        Explanation {
            code: "signals",
            what: "edgec could not install its handlers of signals.",
            remedy: "The environment forbids a call that every program may make. Nothing was done.",
        },
        Explanation {
            code: "usage",
            what: "The command line is wrong.",
            remedy: "The hint has what is possible, and the verb's `--help` shows its usage.",
        },
        Explanation {
            code: "unknown-advisory",
            what: "This edgec does not know the advisory.",
            remedy: "`edgec advisories` lists those that it knows.",
        },
        Explanation {
            code: "unknown-code",
            what: "This edgec does not know the code.",
            remedy: "`edgec explain` lists those that it knows. A code of a newer edgec is explained \
                 by that edgec.",
        },
    ],
};
