//! Releases, timestamps, notaries, and the chain of policies.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Releases",
    about: "Errors of the statements beside artifacts, and of what a host remembers.",
    errors: &[
        Explanation {
            code: "no-release",
            what: "The policy demands the release that an artifact belongs to, and none was \
                 given; or the store has had releases of this application, and the artifact \
                 came without one.",
            remedy: "Name it with `--release`. `edgec release make` writes it, and the publisher \
                 distributes it beside the artifacts.",
        },
        Explanation {
            code: "release-statement",
            what: "The release is not a statement of this kind in its one spelling.",
            remedy: "Fetch it again. docs/format.md describes it.",
        },
        Explanation {
            code: "release-signature",
            what: "Too few keys with the role `release` that count have signed the release.",
            remedy: "The policy says how many are needed (`release = N`). A mirror that changes a \
                 release cannot sign it: do not use it.",
        },
        Explanation {
            code: "release-application",
            what: "The release is of another application or channel than the artifact, or than the \
                 one that is wanted.",
            remedy: "Fetch the release that belongs to the artifact. `--name` and `--channel` say \
                 what is wanted.",
        },
        Explanation {
            code: "release-mixed",
            what: "The artifact is not the one that the release lists for its target and engine \
                 profile.",
            remedy: "Two releases were mixed, or the file is of another build. Fetch all artifacts \
                 of one release again. If you have built or changed the artifact after its release \
                 was made, make the release again.",
        },
        Explanation {
            code: "release-floor",
            what: "The version may no longer run: the newest release has a higher floor.",
            remedy: "Deploy the newest release. Its publisher stated that older versions must not \
                 run.",
        },
        Explanation {
            code: "release-older",
            what: "The artifact is of an older release than the one that the timestamp is about.",
            remedy: "Fetch the artifacts of the newest release. A host goes back only to a release \
                 that is in its store (`edgec store use`).",
        },
        Explanation {
            code: "release-stale",
            what: "The timestamp of the release has expired, so it is unknown whether a newer \
                 release exists.",
            remedy: "Fetch the newest timestamp. If there is none, the mirror stands still, or the \
                 publisher makes no more timestamps.",
        },
        Explanation {
            code: "release-incomplete",
            what: "The store lacks an artifact of the newest release that its hosts need.",
            remedy: "Add it with `edgec store add`. If the mirror does not have it, it may \
                 withhold it.",
        },
        Explanation {
            code: "release-artifacts",
            what: "The artifacts do not make one release.",
            remedy: "All of them need one program, name, channel and version from 1 on \
                 (`--app-version`), and each target and profile may occur once.",
        },
        Explanation {
            code: "no-timestamp",
            what: "The policy demands a timestamp of the release, and none was given.",
            remedy: "Name it with `--timestamp`. `edgec release stamp` writes it.",
        },
        Explanation {
            code: "timestamp-statement",
            what: "The timestamp is not a statement of this kind in its one spelling.",
            remedy: "Fetch it again. docs/format.md describes it.",
        },
        Explanation {
            code: "timestamp-signature",
            what: "Too few keys with the role `timestamp` that count have signed the timestamp.",
            remedy: "The policy says how many are needed (`timestamp = N`).",
        },
        Explanation {
            code: "timestamp-release",
            what: "The timestamp is about another release.",
            remedy: "Fetch the release and its timestamp together.",
        },
        Explanation {
            code: "issued-ahead",
            what: "The timestamp was issued later than the clock of this machine says, by more \
                 than five minutes.",
            remedy: "Check the clock. If the clock is right, the statement is wrong: it is not \
                 remembered.",
        },
        Explanation {
            code: "clock-behind",
            what: "The clock shows a time that has certainly passed: a statement that was \
                 accepted is newer.",
            remedy: "Set the clock. If a wrong statement was accepted, a policy signed by a root \
                 sets the floor again (`[reset-clock]`).",
        },
        Explanation {
            code: "version-rollback",
            what: "The store has admitted a higher version of the application, and this one is \
                 not in the store.",
            remedy: "Deploy the newest release. `edgec store use` goes back to a version that is \
                 still in the store. A policy signed by a root can set the numbers again \
                 (`[[reset]]`).",
        },
        Explanation {
            code: "serial-rollback",
            what: "The store has taken a newer release of the application.",
            remedy: "A mirror may have brought back an old one. Fetch the newest release.",
        },
        Explanation {
            code: "serial-taken",
            what: "There are two different releases with one serial.",
            remedy: "Each release needs a serial of its own: make it again with a higher \
                 `--serial`.",
        },
        Explanation {
            code: "version-taken",
            what: "The store has another artifact of this version for the same target and engine \
                 profile.",
            remedy: "Build with a higher `--app-version`. To compile a version again, for a fault \
                 of the engine, make a release with a higher serial.",
        },
        Explanation {
            code: "no-notary",
            what: "The policy demands that a notary has rebuilt the artifact, and no statement \
                 was given.",
            remedy: "Name the statement with `--notary`. `edgec notarize` writes it. A signature \
                 on the artifact is no substitute.",
        },
        Explanation {
            code: "notary-statement",
            what: "The file is not the statement of a notary in its one spelling.",
            remedy: "Fetch it again, or make it again with `edgec notarize`.",
        },
        Explanation {
            code: "notary-signature",
            what: "Too few keys with the role `notary` that count have signed statements about \
                 the artifact.",
            remedy: "The policy says how many are needed (`notary = N`).",
        },
        Explanation {
            code: "notary-subject",
            what: "The notary's statement is about another artifact.",
            remedy: "Each artifact needs a statement of its own. If the artifact was signed again, \
                 its manifest is the same, and so is the statement.",
        },
        Explanation {
            code: "key-role",
            what: "A trusted key has signed the artifact, and the policy trusts it for other \
                 statements only.",
            remedy: "`roles` of the key in the policy says what it counts for.",
        },
        Explanation {
            code: "policy-root",
            what: "Too few root keys have signed the trust policy.",
            remedy: "The next edition is signed by the root keys of the edition before it, and by \
                 its own (`root = N`). `edgec policy update` follows a chain of editions.",
        },
        Explanation {
            code: "policy-chain",
            what: "The policies are no chain that a host can follow.",
            remedy: "A policy that others can follow has a `name`, a `version`, and root keys \
                 (`root = N`). At most 1024 policies can be offered at once: leave out those that \
                 the host has followed.",
        },
        Explanation {
            code: "policy-expiry",
            what: "The trust policy states no `expires`, and the edition before it demands that.",
            remedy: "State `expires` in the policy.",
        },
        Explanation {
            code: "other-statement",
            what: "The output file has signatures on another statement.",
            remedy: "Leave out `--append` to replace it.",
        },
    ],
};
