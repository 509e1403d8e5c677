//! Keeping a store current: `sync`.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Sync",
    about: "Errors of `sync`, also inside `serve`. They are in its lines, and in its status. \
            docs/sync.md describes the work.",
    errors: &[
        Explanation {
            code: "sync-config",
            what: "The FLEET.toml cannot be used.",
            remedy: "The message has the place and says what to write. docs/sync.md describes \
                 every name, and docs/schema/fleet.toml.json is the schema.",
        },
        Explanation {
            code: "sync-busy",
            what: "Another process keeps the store current.",
            remedy: "Two of them would undo each other's work. End one, or give it a store of its \
                 own. `edgec serve` with `[sync]` is such a process too.",
        },
        Explanation {
            code: "sync-state",
            what: "A file of the state is damaged, or other users can change it.",
            remedy: "Remove the file that the message names. The newest release then counts as one \
                 that this host has not seen. The folder must belong to this user or to root.",
        },
        Explanation {
            code: "sync-not-bad",
            what: "`--retry` names an application that has no release to try again.",
            remedy: "Only the newest release can be tried again, and only if its gate has refused \
                 it: the status has it as `bad`, and as `newest` too. A newer release is tried by \
                 itself.",
        },
        Explanation {
            code: "sync-no-release",
            what: "The reference has artifacts, and no signed release.",
            remedy: "A release says which artifacts belong together and which are newer, so `sync` \
                 follows nothing else. Make one with `edgec release make`, and push it with the \
                 artifacts.",
        },
        Explanation {
            code: "sync-release",
            what: "The release under the reference is refused.",
            remedy: "The message says why: its signatures do not count under the policy, it is of \
                 another application or channel, or its timestamp has expired. The version that \
                 this host has stays.",
        },
        Explanation {
            code: "sync-timestamp",
            what: "The store does not take a newer timestamp about its newest release.",
            remedy: "The message says why. Once the older timestamp expires, a policy that demands \
                 fresh ones lets no version load. Make another timestamp with `edgec release \
                 stamp`.",
        },
        Explanation {
            code: "sync-older",
            what: "The registry offers an older release than this host has seen.",
            remedy: "A cache is behind, or a release was withdrawn. Hosts never follow that: to go \
                 back on all of them, publish the old version again as a release with a higher \
                 serial.",
        },
        Explanation {
            code: "sync-chosen",
            what: "A newer version was admitted, and a version that was chosen by hand stays \
                 current.",
            remedy: "`edgec store use` has chosen it. Choose the newest version with `edgec store \
                 use`: then newer releases become current again.",
        },
        Explanation {
            code: "sync-lacks",
            what: "A newer version was admitted, and lacks an artifact for hosts of the current \
                 one.",
            remedy: "The store has the current version for several kinds of hosts, and the release \
                 not for all of them. Remove what no host of this store needs, or publish a \
                 release with all targets.",
        },
        Explanation {
            code: "sync-lower",
            what: "A release was admitted whose version is lower than the current one.",
            remedy: "Publish a release with a higher version, or remove the higher version with \
                 `edgec store rm`.",
        },
        Explanation {
            code: "sync-standing",
            what: "A release was admitted, and does not become current.",
            remedy: "The message says why. `edgec store ls` shows what the store has.",
        },
        Explanation {
            code: "http-slow",
            what: "A page of a host did not come in time.",
            remedy: "A gate reads the metrics of `edgec serve`, and `[[watch]]` the status of \
                 other hosts. Check the address, and whether the host is overloaded.",
        },
        Explanation {
            code: "http-long",
            what: "A page of a host is too long.",
            remedy: "Check that the address is that of an `edgec serve` or `edgec sync`.",
        },
        Explanation {
            code: "http-malformed",
            what: "What answers at an address does not speak HTTP, or broke off.",
            remedy: "Check that the address is that of an `edgec serve` or `edgec sync`.",
        },
        Explanation {
            code: "http-status",
            what: "A page of a host was answered with an error.",
            remedy: "Check the path of the address: `/metrics` of the admin interface of `edgec \
                 serve`, or `/status` of `edgec sync`.",
        },
    ],
};
