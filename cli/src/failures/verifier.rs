//! Failures of verification: refused artifacts, refused policies, and files that other users may
//! have written.

use std::path::{Path, PathBuf};

use edgec_verifier::{
    Advisory, BlobError, CompanionRefusal, ENGINE_VERSION, GuardError, LogRefusal, NotaryRefusal,
    PolicyChainError, PolicyFileError, PolicyStateError, ProvenanceRefusal, ReleaseRefusal,
    SHIPPED, VerifyError,
};

use crate::failure::{Exit, Failure, chain};
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files;

/// What core modules of WASI preview 1 import.
const PREVIEW1: &str = "wasi_snapshot_preview1::";

/// Why a file is refused. If it is not an artifact at all, the failure says what it is.
pub(crate) fn verify_failure_of(error: &VerifyError, file: &[u8]) -> Failure {
    match error {
        VerifyError::Layout(_) => explain(verify_failure(error), file, Wanted::Artifact),
        _ => verify_failure(error),
    }
}

/// The failure with a hint.
pub(crate) fn verify_failure(error: &VerifyError) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    let hint = match error {
        VerifyError::Layout(_) => "the file is damaged or something else; build or fetch it again",
        VerifyError::Threshold { .. } => "`edgec inspect` shows the key ids of the signatures",
        VerifyError::BadSignature { .. } => {
            "the signed statement or the signature was changed: do not run it"
        }
        VerifyError::NoSignature => "sign it with `edgec sign`, or fetch it from its publisher",
        VerifyError::ImageSha256 { .. } => {
            "do not run it, and ask the signer: other tools would take it for another file"
        }
        VerifyError::ImageDigest { .. } | VerifyError::ImageLength { .. } => {
            "image and manifest do not belong together: do not run it"
        }
        VerifyError::Advisory { id, .. } => {
            let advisory = SHIPPED.iter().find(|advisory| advisory.id == *id);
            let Some(fix) = advisory.map(fix) else {
                return failure;
            };
            return failure.hint(format!("{fix} (`edgec advisories {id}`)"));
        }
        VerifyError::CompilerVersion { .. }
        | VerifyError::CompilerUnknown { .. }
        | VerifyError::CompilerDenied { .. } => {
            "build it again with an edgec whose engine the policy accepts"
        }
        VerifyError::PolicyExpired { .. } => "fetch the newest version of the policy",
        VerifyError::Import { imports } if imports.iter().any(|it| it.starts_with(PREVIEW1)) => {
            "the program is a core module: one that was a component has these imports now (docs/preview1.md); \
             `[allow] imports` of the policy lists what is allowed"
        }
        VerifyError::Import { .. } => "`[allow] imports` of the policy lists what is allowed",
        VerifyError::Provenance(ProvenanceRefusal::Missing) => {
            "name its provenance with --provenance; `edgec build --provenance` writes it beside the \
             artifact"
        }
        VerifyError::Provenance(ProvenanceRefusal::Subject) => {
            "each artifact has a provenance of its own: NAME.TARGET.provenance.json"
        }
        VerifyError::Provenance(ProvenanceRefusal::SbomAlone) => {
            "name the provenance that lists it with --provenance"
        }
        VerifyError::Provenance(ProvenanceRefusal::SbomNotListed) => {
            "build it with `--provenance --sbom cyclonedx`: the provenance then lists it"
        }
        VerifyError::Provenance(ProvenanceRefusal::SbomMissing) => {
            "name it with --sbom; `edgec build --sbom` writes it beside the artifact"
        }
        VerifyError::Provenance(ProvenanceRefusal::OtherSbom { .. }) => {
            "fetch the bill of materials that was written with this artifact"
        }
        VerifyError::Provenance(_) => "`[provenance]` of the policy lists what is accepted",
        VerifyError::Release(refusal) => match release_remedy(refusal) {
            Some(remedy) => remedy,
            None => return failure,
        },
        VerifyError::Notary(refusal) => match notary_remedy(refusal) {
            Some(remedy) => remedy,
            None => return failure,
        },
        VerifyError::Log(LogRefusal::Missing { .. }) => "name the proof with --bundle",
        VerifyError::Audit { .. } => "`edgec audit` lists the findings; do not run it",
        VerifyError::Rollback { .. } => "this is an old release: deploy a newer one",
        VerifyError::Expired { .. } => "deploy a newer release",
        VerifyError::NoExpiry => "build it with `--expires`",
        VerifyError::NotYetValid { .. } => "wait until then, or check the clock of this machine",
        _ => return failure,
    };
    failure.hint(hint)
}

/// Why a release or a timestamp is refused.
pub(crate) fn release_failure(error: &ReleaseRefusal) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    match release_remedy(error) {
        Some(remedy) => failure.hint(remedy),
        None => failure,
    }
}

fn release_remedy(error: &ReleaseRefusal) -> Option<&'static str> {
    Some(match error {
        ReleaseRefusal::NoRelease => {
            "name its release with --release; `edgec release make` writes it"
        }
        ReleaseRefusal::NoTimestamp => {
            "name the timestamp of the release with --timestamp; `edgec release stamp` writes it"
        }
        ReleaseRefusal::NotListed { .. } => {
            "the mirror may have mixed two releases: fetch all artifacts of one release again"
        }
        ReleaseRefusal::BelowFloor { .. } | ReleaseRefusal::Older { .. } => {
            "deploy the newest release"
        }
        ReleaseRefusal::OtherManifest { .. } => {
            "the artifact was built or changed after the release was made: make the release again, \
             or fetch its artifacts"
        }
        ReleaseRefusal::OtherRelease { .. } => "fetch the release and its timestamp together",
        ReleaseRefusal::OlderTimestamp { .. } => "fetch the newest timestamp",
        ReleaseRefusal::OtherApplication { .. } => "name the release of the artifact",
        ReleaseRefusal::Unexpected { .. } => {
            "name the release of what you want, or change --name and --channel"
        }
        ReleaseRefusal::Stale { .. } => {
            "fetch the newest timestamp; if the mirror has none, it may stand still"
        }
        ReleaseRefusal::Ahead { .. } => "check the clock of this machine",
        ReleaseRefusal::Statement {
            source: CompanionRefusal::Malformed(_),
            ..
        } => "fetch it again, or name the right file",
        ReleaseRefusal::Statement { .. } => {
            "the policy says which keys sign it (`roles`); a mirror cannot sign, so do not use it"
        }
        _ => return None,
    })
}

/// What to do if too few notaries have rebuilt an artifact.
fn notary_remedy(error: &NotaryRefusal) -> Option<&'static str> {
    Some(match error {
        NotaryRefusal::Missing => "`edgec notarize` writes the statement; name it with --notary",
        NotaryRefusal::Subject => {
            "each artifact has a statement of its own: name the one about this file"
        }
        NotaryRefusal::Statement(CompanionRefusal::Malformed(_)) => {
            "fetch it again, or name the right file"
        }
        NotaryRefusal::Statement(_) | NotaryRefusal::Threshold { .. } => {
            "the policy says how many notaries are needed (`notary`), and which keys they have"
        }
        _ => return None,
    })
}

/// Why a chain of policies is not followed. `offered` are the files.
pub(crate) fn chain_failure(error: &PolicyChainError, offered: &[PathBuf]) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    let failure = match error {
        PolicyChainError::Broken { index, .. }
        | PolicyChainError::NoNextRoots { index }
        | PolicyChainError::NoExpiry { index, .. } => match offered.get(*index) {
            Some(path) => failure.about(path.display()),
            None => failure,
        },
        _ => failure,
    };
    match error {
        PolicyChainError::TooMany { .. } => {
            failure.hint("leave out the editions that the host has followed")
        }
        PolicyChainError::NoExpiry { .. } => failure.hint("state `expires` in the policy"),
        PolicyChainError::NoRoots | PolicyChainError::NoNextRoots { .. } => failure
            .hint("list root keys (`roles = [\"root\"]`), and state `root = N` (docs/policy.md)"),
        PolicyChainError::Broken { .. } => failure.hint(
            "offer every edition since the host's own: each is signed by the root keys of the one \
             before it",
        ),
        PolicyChainError::Expired { .. } => failure.hint("fetch the newest version of the policy"),
        _ => failure,
    }
}

/// Why a file is not the attested one. `bytes` are the attestation.
pub(crate) fn blob_failure(error: &BlobError, bytes: &[u8]) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    let hint = match error {
        BlobError::Attestation(_) => return explain(failure, bytes, Wanted::Attestation),
        BlobError::NoSignature | BlobError::Threshold { .. } => {
            "get the public key from the publisher, not from where the file came from"
        }
        BlobError::Statement(_) => "--type names the type that you want to be stated",
        BlobError::Digest { .. } => {
            "the file was changed, or the attestation is about another one: do not use it"
        }
        BlobError::Name { .. } => "if you renamed the file, name it with --name",
        _ => return failure,
    };
    failure.hint(hint)
}

/// Which engine version has the fix of an advisory, and what this means for the user.
pub(crate) fn fix(advisory: &Advisory) -> String {
    match advisory.fixed_in(ENGINE_VERSION) {
        Some(fixed) if !advisory.is_fix_published(ENGINE_VERSION) => {
            let line = ENGINE_VERSION.major;
            format!(
                "no wasmtime {line} with the fix is published yet ({fixed} will have it): change \
                 the program, or run it only where the fault does no harm"
            )
        }
        Some(fixed) => {
            format!("wasmtime {fixed} has the fix: build again with an edgec that has it")
        }
        None => {
            let line = ENGINE_VERSION.major;
            format!("no wasmtime {line} has the fix: change the program")
        }
    }
}

/// What to do about code that an advisory affects.
pub(crate) fn remedy(advisory: &Advisory) -> String {
    let policy = match advisory.shape {
        Some(_) => "no policy can refuse such code",
        None => "a policy with `advisories = true` under [compiler] refuses this code",
    };
    format!("{}; {policy}", fix(advisory))
}

/// Why the newest seen policy, in the file `state`, could not be compared or stored.
pub(crate) fn state_failure(error: &PolicyStateError, state: &Path) -> Failure {
    let exit = match error {
        PolicyStateError::Io { .. }
        | PolicyStateError::Guard {
            source: GuardError::Io(_),
            ..
        } => Exit::Environment,
        _ => Exit::Rejected,
    };
    // Nothing was seen if this file does not exist.
    let seen = format!("the newest policy seen is in {}", state.display());
    let seen = Some(seen).filter(|_| state.symlink_metadata().is_ok());
    let failure = Failure::new(exit, error.code(), chain(error));
    let hints: Vec<String> = state_remedy(error).into_iter().chain(seen).collect();
    match hints.is_empty() {
        true => failure,
        false => failure.hint(hints.join("\n")),
    }
}

/// What to do if the newest seen policy cannot be stored.
fn state_remedy(error: &PolicyStateError) -> Option<String> {
    match error {
        PolicyStateError::NoVersion => Some(
            "give the policy a `name` and a `version` (docs/policy.md), or name no file that \
             remembers the newest one"
                .to_owned(),
        ),
        PolicyStateError::Roots { .. } => Some(
            "`edgec policy update` follows a chain of policies whose root keys change".to_owned(),
        ),
        PolicyStateError::Clock(_) => Some("set the clock of this machine".to_owned()),
        PolicyStateError::Io { source, .. } => files::remedy(source.kind()).map(str::to_owned),
        PolicyStateError::Guard {
            source: GuardError::Way(error),
            ..
        } => Some(files::remedy_of_way(error)),
        PolicyStateError::Beside { path, source } => Some(match source {
            GuardError::Readable { .. } => format!("chmod 600 {}", path.display()),
            _ => format!(
                "another user may have put it there: inspect it, and remove {}",
                path.display()
            ),
        }),
        _ => None,
    }
}

/// Why the policy in a file is not followed.
pub(crate) fn policy_failure(error: &PolicyFileError, path: &Path) -> Failure {
    let failure = Failure::rejected(error.code(), error).in_file(path);
    let failure = match error {
        PolicyFileError::Policy(_) => failure.quoting(),
        _ => failure,
    };
    match error {
        PolicyFileError::Guard { source, .. } => guard_failure(source, path, Wanted::Policy),
        PolicyFileError::NotText { .. }
        | PolicyFileError::Policy(_)
        | PolicyFileError::Envelope(_) => explain_file(failure, path, Wanted::Policy),
        PolicyFileError::NoRoot => failure.hint("name the root's public key with --root"),
        PolicyFileError::Unsigned => {
            let failure = failure.hint("sign it with `edgec policy sign`");
            explain_file(failure, path, Wanted::Policy)
        }
        PolicyFileError::Expired { .. } => failure.hint("fetch the newest version of the policy"),
        _ => failure,
    }
}

/// The failure for a file that decides what a host trusts, and that another user may have written.
pub(crate) fn guard_failure(error: &GuardError, path: &Path, wanted: Wanted) -> Failure {
    let is_stdin = path.as_os_str() == files::STDIN && path.symlink_metadata().is_err();
    let failure = match error {
        GuardError::Io(_) if is_stdin => {
            Failure::rejected(GuardError::NotAFile.code(), &GuardError::NotAFile)
        }
        GuardError::Io(error) => return files::cannot("read", path, error),
        // Such as `<(…)` in a shell, which is a link to a pipe.
        GuardError::SymbolicLink if leads_to_no_file(path) => {
            Failure::rejected(error.code(), &GuardError::NotAFile)
        }
        error => Failure::rejected(error.code(), error),
    };
    let failure = failure.in_file(path);
    let no_file = "write it to a file of your own first: edgec cannot know who writes to a pipe";
    match error {
        GuardError::Io(_) => failure.hint(no_file),
        GuardError::SymbolicLink if leads_to_no_file(path) => failure.hint(no_file),
        GuardError::Writable { .. } => failure.hint(format!("chmod go-w {}", path.display())),
        GuardError::Owner { .. } => {
            failure.hint("the file must belong to you or to root: chown it, or copy it")
        }
        GuardError::SymbolicLink => failure.hint("name the file that it leads to"),
        GuardError::Way(error) => failure.hint(files::remedy_of_way(error)),
        GuardError::NotAFile if path.is_dir() => failure.hint(files::NAME_THE_FILES),
        GuardError::NotAFile => failure.hint(no_file),
        GuardError::TooLong => explain_file(failure, path, wanted),
        _ => failure,
    }
}

/// Whether the path leads, through links, to something that is neither a file nor a folder.
fn leads_to_no_file(path: &Path) -> bool {
    let there = path.metadata();
    there.is_ok_and(|there| !there.is_file() && !there.is_dir())
}
