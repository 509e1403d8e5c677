//! Hosts and fleets: why a host cannot load an artifact.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Hosts and fleets",
    about: "Why a host cannot load an artifact.",
    errors: &[
        Explanation {
            code: "host",
            what: "The CPU or the pages of the host do not fit the artifact.",
            remedy: "`edgec targets --host` says which targets run on this machine. Build an artifact \
                 for one of them.",
        },
        Explanation {
            code: "engine-version",
            what: "The engine of the host and that of the artifact do not fit together.",
            remedy: "Build the artifact again with an edgec that has the engine of the host, or \
                 change the host's engine.",
        },
        Explanation {
            code: "pool-limits",
            what: "An instance of the program does not fit into the host's pool.",
            remedy: "`edgec store plan` computes a pool for all programs of a store. `edgec serve` \
                 makes the pool that a program needs: in `[limits]`, lower `instances` or \
                 `reserved-instances`, or raise `memory`, as the message says.",
        },
        Explanation {
            code: "no-fit",
            what: "No artifact of the release can be loaded on this host.",
            remedy: "Build one for its CPU and its engine profile. `edgec check` shows why each does \
                 not fit.",
        },
        Explanation {
            code: "fleet",
            what: "The file of the fleet has a mistake, or no host in it.",
            remedy: "docs/targets.md has its fields. The message has the place.",
        },
        Explanation {
            code: "host-profile",
            what: "The file does not describe a host, or has a mistake.",
            remedy: "`edgec host --save FILE` writes one on the host.",
        },
        Explanation {
            code: "same-host",
            what: "Two hosts have the same name.",
            remedy: "`name` in a host's profile sets its name.",
        },
    ],
};
