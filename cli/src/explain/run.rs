//! Running: `run`, and hosts that load artifacts with the loader.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Running",
    about: "Errors of `run`, and of hosts that load artifacts with the loader.",
    errors: &[
        Explanation {
            code: "argument",
            what: "An argument of the program is not UTF-8.",
            remedy: "WebAssembly programs get text only.",
        },
        Explanation {
            code: "env",
            what: "A variable for the program cannot be passed on.",
            remedy: "Write `--env NAME=VALUE`, or `--env NAME` to pass on a variable that is set.",
        },
        Explanation {
            code: "dir",
            what: "A folder for the program cannot be opened.",
            remedy: "`--dir` takes a folder that exists.",
        },
        Explanation {
            code: "instantiate",
            what: "The program cannot be instantiated here.",
            remedy: "It imports what this host does not offer, or needs more memory than there is. It \
                 is for another host: one that offers these imports beside WASI.",
        },
        Explanation {
            code: "not-a-command",
            what: "The program is not a command.",
            remedy: "`edgec run` calls `wasi:cli/run` or `_start`. Build it as a command, or use the \
                 host that it is for.",
        },
        Explanation {
            code: "trap",
            what: "The program trapped.",
            remedy: "The message has the trap and a backtrace. It is the program's fault, or that of \
                 its arguments. `edgec symbolize` finds the names of functions with a debug file.",
        },
        Explanation {
            code: "stopped",
            what: "The program was stopped.",
            remedy: "The message has the reason and a backtrace. `edgec symbolize` finds the names of \
                 functions with a debug file.",
        },
        Explanation {
            code: "build-failed",
            what: "`edgec dev` cannot build the program.",
            remedy: "The lines above it say why. The version that is served goes on: change the \
                 program, and edgec builds it again.",
        },
        Explanation {
            code: "not-served",
            what: "`edgec dev` has built the program, and its server does not take it.",
            remedy: "The lines above it say why. The program must be a component that exports \
                 `wasi:http`.",
        },
        Explanation {
            code: "engine",
            what: "The engine refused the image, or cannot be made.",
            remedy: "The artifact and the engine of this host do not fit together. `edgec check` says \
                 why.",
        },
        Explanation {
            code: "link",
            what: "The program does not have the imports and exports that this host supports.",
            remedy: "Check that the host is the one that the program was written for. \
                     `edgec serve` takes programs that export `wasi:http/handler` or \
                     `wasi:http/incoming-handler`, and `edgec run` takes commands. `edgec check` \
                     says what a program needs.",
        },
        Explanation {
            code: "undeclared-import",
            what: "The program has an import that its manifest does not state.",
            remedy: "No policy has checked it. Do not run it.",
        },
        Explanation {
            code: "engine-untested",
            what: "Images of the edge profile were not tested with the engine of this host.",
            remedy: "Run the tests with that engine, and state it in the host (docs/edge.md), or \
                 build with the profile `standard`.",
        },
        Explanation {
            code: "mixed-releases",
            what: "The artifacts belong to different releases.",
            remedy: "Name artifacts of one application, channel and version.",
        },
        Explanation {
            code: "declined",
            what: "The host does not take the program, by rules of its own.",
            remedy: "The message has the rule. `edgec serve` takes no program whose instances start \
                 with more memory or more elements of tables than its limits allow: raise `memory` or \
                 `table-elements` for the application, or make the program smaller.",
        },
        Explanation {
            code: "artifact-source",
            what: "The host's own source of artifacts failed.",
            remedy: "The error's cause has the reason.",
        },
        Explanation {
            code: "policy-source",
            what: "The host's own source of policies failed.",
            remedy: "The error's cause has the reason.",
        },
        Explanation {
            code: "cancelled",
            what: "The asynchronous runtime ended before the work began.",
            remedy: "Load programs before the runtime shuts down.",
        },
        Explanation {
            code: "stale",
            what: "No refresh has read the trust policy for too long.",
            remedy: "Refresh the deployment regularly: the thread that did so may have ended \
                 (docs/hosting.md).",
        },
        Explanation {
            code: "undecided",
            what: "The last refresh of a deployment did not finish.",
            remedy: "Refresh it again. Until then, no request gets the program.",
        },
    ],
};
