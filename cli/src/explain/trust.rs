//! Trust: why an artifact or a policy is refused.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Trust",
    about: "Why an artifact or a policy is refused.",
    errors: &[
        Explanation {
            code: "no-signature",
            what: "The artifact has no signature, or not the one that was asked for.",
            remedy: "Sign it with `edgec sign`, or fetch it from its publisher. `edgec inspect` shows \
                 the key ids of the signatures.",
        },
        Explanation {
            code: "bad-signature",
            what: "A signature under a trusted key's id is not that key's signature.",
            remedy: "The signed statement or the signature was changed, or another key signed. Do not \
                 run it. If a signer of your own answered, nothing was written: check which key \
                 it uses.",
        },
        Explanation {
            code: "same-key-twice",
            what: "Two signatures have the same key id.",
            remedy: "edgec writes no such envelope. Fetch the artifact again.",
        },
        Explanation {
            code: "threshold",
            what: "Fewer trusted keys have signed than the policy requires.",
            remedy: "`edgec inspect` shows who signed. Add the missing signature with `edgec sign \
                 --append`, or trust the key in the policy if it should count.",
        },
        Explanation {
            code: "revoked-key",
            what: "The key that signed is revoked.",
            remedy: "The policy says why. Have the artifact signed by a key that is still trusted.",
        },
        Explanation {
            code: "key-validity",
            what: "The key that signed does not count at this time.",
            remedy: "The policy trusts it from a time on or until a time. Sign with the key of the \
                 present, and check the clock of this machine.",
        },
        Explanation {
            code: "key-scope",
            what: "The key that signed is not trusted for this application, target or channel.",
            remedy: "The policy limits what each key may sign. Sign with the key for this artifact, \
                 or change the scope in the policy.",
        },
        Explanation {
            code: "key-algorithm",
            what: "A signer has several keys, and one that must have signed has not.",
            remedy: "The `algorithms` of the `[[key]]` say which keys must have signed; without \
                 them, every key in its `pem`. The signature may have been removed: fetch the \
                 artifact again. The signer adds it with `edgec sign --append --key FILE`, \
                 whose file has both keys.",
        },
        Explanation {
            code: "application",
            what: "The artifact is another application than the one that is wanted.",
            remedy: "Check the name that was asked for (`--name`), and the file. A genuine artifact \
                 of another application must not run in this place.",
        },
        Explanation {
            code: "target",
            what: "The policy does not allow the target of the artifact.",
            remedy: "`[allow] targets` of the policy lists what is allowed. Deploy the artifact for \
                 another CPU, or change the policy.",
        },
        Explanation {
            code: "rollback",
            what: "The version is lower than the lowest one that the policy accepts.",
            remedy: "This is an old release. Deploy a newer one.",
        },
        Explanation {
            code: "revoked-digest",
            what: "The policy revokes this image.",
            remedy: "The policy says why. Deploy another release.",
        },
        Explanation {
            code: "compiler-version",
            what: "The policy does not accept the version of the engine that made the code.",
            remedy: "Build the artifact again with an edgec whose engine the policy accepts. `edgec \
                 version` prints the engine of this edgec.",
        },
        Explanation {
            code: "compiler-denied",
            what: "The policy denies the version of the engine that made the code.",
            remedy: "The policy says why. Build the artifact again with an edgec that has another \
                 engine.",
        },
        Explanation {
            code: "builder-version",
            what: "The edgec that made the artifact is too old for the policy.",
            remedy: "`[builder] minimum` of the policy names the lowest version. Build the program \
                 again with a newer edgec.",
        },
        Explanation {
            code: "advisory",
            what: "The engine that made the code has a known fault which concerns this artifact.",
            remedy: "`edgec advisories ID` describes the fault. Build the artifact again with an \
                 edgec whose engine has the fix.",
        },
        Explanation {
            code: "import",
            what: "The artifact imports what the policy does not allow.",
            remedy: "The message lists the imports. `[allow] imports` of the policy lists what is \
                 allowed. `edgec policy check` shows the difference for several artifacts.",
        },
        Explanation {
            code: "profile",
            what: "The engine profile of the artifact is not one that the host or the policy \
                 accepts.",
            remedy: "Build it with the profile of the host (`--profile`), or change `[allow] \
                 profiles` of the policy.",
        },
        Explanation {
            code: "not-yet-valid",
            what: "The artifact is not valid yet.",
            remedy: "Wait until the time in the message, or check the clock of this machine.",
        },
        Explanation {
            code: "expired",
            what: "The artifact has expired.",
            remedy: "Deploy a newer release. If the artifact should still run, build or sign it again \
                 with a later `--expires`.",
        },
        Explanation {
            code: "expiry-required",
            what: "The artifact has no expiry, and the policy requires one.",
            remedy: "Build it again with `--expires`.",
        },
        Explanation {
            code: "load-mode",
            what: "The policy requires stronger protection of the bytes than this way of loading \
                 gives.",
            remedy: "Load the artifact from a store (`edgec store add`). For fs-verity, the store \
                 needs a file system that has the feature (docs/hosting.md).",
        },
        Explanation {
            code: "clock",
            what: "The clock of this machine does not know the time.",
            remedy: "Without the time, no validity can be checked. Set the clock.",
        },
        Explanation {
            code: "policy-expired",
            what: "The trust policy has expired.",
            remedy: "Fetch the newest version of the policy.",
        },
        Explanation {
            code: "trust-policy",
            what: "The file is not a trust policy, or has a mistake in it.",
            remedy: "The message has the place. docs/policy.md has every field.",
        },
        Explanation {
            code: "policy-signature",
            what: "The trust policy is not signed as required.",
            remedy: "Name the root's public key with `--root`, and sign the policy with `edgec policy \
                 sign`. A signed policy needs a root key, and a policy that demands root keys \
                 (`root`), or for which one is named, must be signed.",
        },
        Explanation {
            code: "policy-rollback",
            what: "The trust policy is older than the newest one that this host has seen, or \
                 differs from it.",
            remedy: "Fetch the newest version. If the policy is yours, raise its `version` with every \
                 change.",
        },
        Explanation {
            code: "policy-state",
            what: "The file that remembers the newest trust policy is damaged.",
            remedy: "Find out what changed it before you remove it: without it, an older policy would \
                 be followed.",
        },
        Explanation {
            code: "policy-state-file",
            what: "Another file is in the place of the lock or of the next content of the \
                 remembered policy.",
            remedy: "Another user may have put it there. Look at it, and remove it.",
        },
        Explanation {
            code: "trust-file",
            what: "A file that decides what a host trusts can be changed by others.",
            remedy: "The file must be a regular file of yours or of root, and only its owner may \
                 write to it: `chmod go-w FILE`. edgec follows no symbolic link there.",
        },
        Explanation {
            code: "trust-folder",
            what: "Others can replace a file that decides what a host trusts.",
            remedy: "The folders above the file must belong to you or to root, and only their owners \
                 may write to them. The message names the folder.",
        },
        Explanation {
            code: "trust-state",
            what: "The variable EDGEC_TRUST_STATE is empty.",
            remedy: "It names the file that remembers the newest policy. Remove the variable if no \
                 file should.",
        },
        Explanation {
            code: "no-trust",
            what: "Nothing says whose signatures count.",
            remedy: "Name a public key with `--key`, or a trust policy with `--trust`.",
        },
        Explanation {
            code: "last-signature",
            what: "The last signature cannot be removed.",
            remedy: "Sign with another key first: `edgec sign --append`.",
        },
        Explanation {
            code: "other-policy",
            what: "The output holds a signed policy of another name, or one that this edgec does \
                 not read.",
            remedy: "Name another output, or remove the old policy first.",
        },
        Explanation {
            code: "same-version",
            what: "A policy with the same version and other content was replaced.",
            remedy: "Hosts that remember the other one refuse this one. Raise `version` in the \
                 policy.",
        },
        Explanation {
            code: "policy-effect",
            what: "A part of the policy has no effect, or another one than its author may think. \
                 This is a warning.",
            remedy: "The message says which part, and the name that was probably meant. `edgec \
                 policy check` looks for such parts; a verification does not.",
        },
    ],
};
