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
            code: "provenance-sbom",
            what: "A bill of materials is required or was given, and the provenance lists none.",
            remedy: "`edgec build --provenance --sbom cyclonedx` writes one and lists its digest in \
                     the provenance. Nothing else binds a bill of materials to an artifact.",
        },
        Explanation {
            code: "no-sbom",
            what: "The policy requires the bill of materials of the artifact, and none was given.",
            remedy: "`edgec build --sbom` writes it beside the artifact. Name it with `--sbom`, or \
                     keep it with the artifact in the store.",
        },
        Explanation {
            code: "sbom",
            what: "A bill of materials would be bound to nothing, or is named to a store that has \
                   its own.",
            remedy: "`edgec build --sbom` needs `--provenance`, which lists the bill's digest. \
                     `store verify` takes none. `edgec sbom` writes one without an artifact.",
        },
        Explanation {
            code: "sbom-digest",
            what: "The bill of materials is not one that the provenance lists.",
            remedy: "Another build wrote it, or it was changed. Fetch the file that was written with \
                     this artifact: NAME.cdx.json or NAME.spdx.json.",
        },
        Explanation {
            code: "sbom-input",
            what: "The input of `edgec sbom` is not WebAssembly in the binary format.",
            remedy: "Give the component or core module that `edgec build` takes.",
        },
        Explanation {
            code: "sbom-artifact",
            what: "An artifact has native code and no program in it, so no bill of materials can \
                   be made from it.",
            remedy: "`edgec build --sbom` writes one beside the artifact. Otherwise give `edgec sbom` \
                     the program that the artifact was built from; `edgec inspect` shows its digest.",
        },
        Explanation {
            code: "sbom-malformed",
            what: "The sections of the program cannot be read. The message has the byte offset.",
            remedy: "`edgec validate` says more about the program.",
        },
        Explanation {
            code: "sbom-section",
            what: "A section about the program is malformed: `producers`, `.dep-v0`, or one of the \
                   texts for registries. The message has the byte offset.",
            remedy: "Fix the tool that wrote it, or remove the section.",
        },
        Explanation {
            code: "sbom-limit",
            what: "The program lists more than a bill of materials may have.",
            remedy: "docs/sbom.md has the limits. No real program comes near them.",
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
