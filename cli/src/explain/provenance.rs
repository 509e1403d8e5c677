//! Provenances, and signed files that are no artifacts.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Provenance and signed files",
    about: "Errors of provenances (docs/provenance.md) and of signed files that are no artifacts \
            (docs/blobs.md).",
    errors: &[
        Explanation {
            code: "no-provenance",
            what: "The policy requires the provenance of the artifact, and none was given.",
            remedy: "`edgec build --provenance` writes it beside the artifact. Name it with \
                     `--provenance`, or keep it with the artifact in the store.",
        },
        Explanation {
            code: "provenance",
            what: "The file is not the provenance of a build by edgec.",
            remedy: "Name the file that `edgec build --provenance` wrote: NAME.TARGET.provenance.json. \
                     A store has the provenances of its artifacts, so `store verify` takes none.",
        },
        Explanation {
            code: "provenance-signature",
            what: "No key that counts for the artifact has signed its provenance.",
            remedy: "The keys that may sign it are those of the policy, within their scope and their \
                     time. Build with such a key, or add its key to the policy.",
        },
        Explanation {
            code: "provenance-subject",
            what: "The provenance is about another image.",
            remedy: "Each artifact has its own provenance, also each target. Name the one that was \
                     written beside it.",
        },
        Explanation {
            code: "provenance-builder",
            what: "The policy does not accept the builder.",
            remedy: "`[provenance]` in the policy lists the builders. Build where the policy expects \
                     it, and name the builder with `--builder-id`.",
        },
        Explanation {
            code: "provenance-source",
            what: "The policy does not accept the source, or the provenance states none.",
            remedy: "`[provenance]` in the policy lists the repositories. `--source-repository` and \
                     `--source-revision` state the source when the artifact is built.",
        },
        Explanation {
            code: "no-log-proof",
            what: "The policy names a transparency log, and no proof was given that the log has \
                 the artifact.",
            remedy: "Fetch the proof from the log, or from where the artifact comes from, and name \
                 it with `--bundle`. A store keeps the proof with which an artifact was \
                 admitted.",
        },
        Explanation {
            code: "log-proof",
            what: "The proof does not show that the log of the policy has this artifact.",
            remedy: "It is no proof of C2SP's form, the log has not signed its checkpoint, or the \
                 entry is another statement. The entry is the payload of the artifact's \
                 envelope, which signatures do not change. Fetch the proof again; if it stays \
                 wrong, the artifact was never logged.",
        },
        Explanation {
            code: "log-witnesses",
            what: "Too few of the policy's witnesses have seen the log's tree.",
            remedy: "A log could show this host another tree than the others see; witnesses prevent \
                 that. Fetch a proof with a newer checkpoint, which they have cosigned.",
        },
        Explanation {
            code: "uri",
            what: "The text is not a URI, or it holds a password.",
            remedy: "Write it as `https://example.com/acme/shop`, without a user or a token: it is \
                     published with the artifact.",
        },
        Explanation {
            code: "source",
            what: "The texts about the source are too long for a manifest.",
            remedy: "Name a shorter repository and revision.",
        },
        Explanation {
            code: "source-revision",
            what: "The revision is not one short word.",
            remedy: "Write the id of a commit: `git rev-parse HEAD`.",
        },
        Explanation {
            code: "github",
            what: "A variable of GitHub Actions is not set.",
            remedy: "The value `github` takes the word from a variable that a workflow has. Elsewhere, \
                     write the value itself.",
        },
        Explanation {
            code: "attestation",
            what: "The file is not an attestation.",
            remedy: "An attestation is a DSSE envelope, as `edgec sign-blob` and `edgec build \
                     --provenance` write it. The message says what the file is instead.",
        },
        Explanation {
            code: "blob-digest",
            what: "The file is not the one that was signed.",
            remedy: "Do not use it: it was changed, or the attestation belongs to another file. \
                     Download both again.",
        },
        Explanation {
            code: "blob-name",
            what: "The file was signed under another name.",
            remedy: "A signed file must not take the place of another. If the file was renamed on \
                     purpose, `--name` says the name that must have been signed.",
        },
        Explanation {
            code: "other-blob",
            what: "The attestation that should get another signature is about another file or name.",
            remedy: "`--append` keeps the signatures on the same statement only. Leave it out to \
                     replace the attestation.",
        },
    ],
};
