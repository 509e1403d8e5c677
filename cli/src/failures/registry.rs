//! Failures of registries: of reaching them, of pushes, pulls and copies.

use edgec_loader::store::AdmissionError;
use edgec_registry::{CopyError, PullError, PushError, ReferenceError, RegistryError};
use edgec_verifier::{ArtifactFileError, LoadModeError, ReleaseRefusal, VerifyError};

use super::loader::store_failure;
use super::verifier::{release_failure, verify_failure};
use crate::failure::{Exit, Failure};
use crate::files;

/// Why a text is not a reference.
pub(crate) fn reference_failure(error: &ReferenceError) -> Failure {
    Failure::usage(error.code(), error.to_string()).hint(
        "write REGISTRY/REPOSITORY:TAG, such as registry.example/shop:v1, or oci-layout:DIR:TAG",
    )
}

/// Why a registry does not do what it was asked for.
pub(crate) fn registry_failure(error: &RegistryError) -> Failure {
    let exit = match error {
        RegistryError::Digest { .. }
        | RegistryError::Size { .. }
        | RegistryError::TooLong { .. }
        | RegistryError::TooManyReferrers { .. }
        | RegistryError::Answer { .. }
        | RegistryError::TokenMoved { .. }
        | RegistryError::OtherPlace { .. }
        | RegistryError::Descriptor { .. }
        | RegistryError::Layout { .. } => Exit::Rejected,
        _ => Exit::Environment,
    };
    let failure = Failure::new(exit, error.code(), crate::failure::chain(error));
    let hint = match error {
        RegistryError::Absent { .. } => "check the name and the tag; `edgec push` writes a tag",
        RegistryError::Denied {
            had_credentials: false,
            ..
        } => "log in with `docker login` or `podman login`: edgec reads their configuration",
        RegistryError::Denied { .. } => {
            "these credentials do not allow it: log in as another user, or ask for the right"
        }
        RegistryError::Refused { status: 404, .. } => {
            "check the name: the repository may have to be made first (docs/registries.md)"
        }
        RegistryError::Refused { .. } => "docs/registries.md says what each registry lacks",
        RegistryError::Unavailable { .. } | RegistryError::CutShort { .. } => {
            "try again later: what was sent or fetched whole is not sent or fetched again"
        }
        RegistryError::Unreachable { .. } => "check the name, the port and the network",
        RegistryError::Silent { .. } => {
            "try again later; if it stays, look at the registry, or at a proxy in front of it"
        }
        RegistryError::Answer { .. } => {
            "check that this is an OCI registry, and that no proxy in front of it changes answers"
        }
        RegistryError::TokenMoved { .. } => {
            "name the address to which it redirects in the registry's configuration (`realm`)"
        }
        RegistryError::Tls { .. } => {
            "name the registry's certificate authority with --ca; --plain-http is for registries \
             without TLS"
        }
        RegistryError::Digest { .. } | RegistryError::Size { .. } => {
            "the registry or something on the way has changed it: do not use it, and push it again"
        }
        // It may be a file of this machine, or anything else.
        RegistryError::Insecure { address, .. } if !address.starts_with("http://") => {
            "the registry is misconfigured, or means harm: no option allows such an address"
        }
        RegistryError::Insecure { .. } => {
            "the registry's configuration is wrong; --plain-http allows it for every registry of \
             this command"
        }
        RegistryError::OtherPlace { .. } => "edgec takes content only from the named repository",
        RegistryError::Credentials { .. } => {
            "repair the configuration of Docker or Podman, or log in again"
        }
        RegistryError::Ca { .. } => "write the certificate in PEM or DER",
        RegistryError::Layout { .. } => "name a folder that `edgec push --output` has written",
        RegistryError::Io { source, .. } | RegistryError::Sink(source) => {
            match files::remedy(source.kind()) {
                Some(remedy) => remedy,
                None => return failure,
            }
        }
        _ => return failure,
    };
    failure.hint(hint)
}

/// What to do if the portable program is a text. Artifacts state the digest of what `edgec build`
/// has read, so the binary form of the same text is another program.
const NOT_WASM: &str = "a registry has the binary form: `wasm-tools parse` makes it from a text. \
                        Build the artifacts from that file, and name it";

/// Why artifacts are not pushed.
pub(crate) fn push_failure(error: &PushError) -> Failure {
    let rejected = || Failure::rejected(error.code(), error);
    let failure = match error {
        PushError::Registry(error) => registry_failure(error),
        PushError::Artifact { source, .. } => verify_failure(source),
        PushError::NoArtifact => Failure::usage(error.code(), error.to_string()),
        PushError::DigestGiven => Failure::usage(error.code(), error.to_string())
            .hint("name a tag: edgec prints the digest"),
        PushError::NoComponent => Failure::usage(error.code(), error.to_string())
            .hint("name it with --component, or leave out --layout"),
        PushError::TimestampAlone => {
            Failure::usage(error.code(), error.to_string()).hint("name the release with --release")
        }
        PushError::Unsigned { .. } => rejected().hint("sign it with `edgec sign`"),
        PushError::OtherApplication { .. } => {
            rejected().hint("push each application and version under a tag of its own")
        }
        PushError::SameTarget { .. } => rejected().hint("name one artifact for each target"),
        PushError::NotWasm { .. } => rejected().hint(NOT_WASM),
        PushError::OtherProgram { .. } => {
            rejected().hint("name the file from which `edgec build` made the artifacts")
        }
        PushError::AboutNothing { .. } => rejected()
            .hint("each artifact has a file of its own: name all artifacts that it is about"),
        PushError::TooMuch { .. } => rejected().hint("leave some of these files out"),
        PushError::Unlisted { .. } => {
            rejected().hint("make the release of these artifacts: `edgec release make`")
        }
        PushError::Incomplete { .. } => rejected().hint("name these artifacts too"),
        PushError::OtherRelease { .. } => {
            rejected().hint("make a timestamp of this release: `edgec release stamp`")
        }
        PushError::Base { source, .. } => {
            let failure = pull_failure(source);
            failure.hint("name a reference with native images, or an artifact")
        }
        PushError::Temporary(source) => {
            let failure = Failure::environment(error.code(), error);
            let hint = "set TMPDIR to a folder with room for the compressed images";
            failure.hint(files::remedy(source.kind()).unwrap_or(hint))
        }
        _ => rejected(),
    };
    match error.file() {
        Some(file) => failure.or_about(file),
        None => failure,
    }
}

/// Why artifacts are not pulled.
pub(crate) fn pull_failure(error: &PullError) -> Failure {
    let rejected = || Failure::rejected(error.code(), error);
    match error {
        PullError::Registry(error) => registry_failure(error),
        PullError::Verify { fits, source } => {
            let failure = verify_failure(source).or_about(fits);
            match source {
                VerifyError::Release(source) => unreleased(failure, source),
                _ => failure,
            }
        }
        PullError::Release(source) => unreleased(release_failure(source), source),
        PullError::Admission(error) => admission_failure(error),
        PullError::NotEdgec { .. } => rejected().hint("`edgec push` writes what this verb reads"),
        PullError::NoNatives { .. } => rejected()
            .hint("if it was pushed with --layout split, name its tag, and copy TAG.edgec with it"),
        PullError::OtherSubject { .. } => {
            rejected().hint("a push may be under way: try again in a minute")
        }
        PullError::NoFit { unfit, .. } if !unfit.is_empty() => rejected().hint(unfit.join("\n")),
        PullError::NoFit { .. } => {
            rejected().hint("build and push an artifact for this CPU and engine profile")
        }
        PullError::NoTarget { .. } => rejected().hint("`edgec targets` lists the names of targets"),
        PullError::Mixed { .. } | PullError::Incomplete { .. } => rejected()
            .hint("a push or a mirror has mixed two releases: push all artifacts of one again"),
        PullError::Misplaced { .. } | PullError::Malformed { .. } | PullError::TooLong { .. } => {
            rejected().hint("push it again with `edgec push`")
        }
        PullError::OtherProgram { .. } => rejected()
            .hint("a push or a mirror has replaced it: do not use it, and push the right one"),
        PullError::OtherBytes { .. } | PullError::Length { .. } | PullError::Compressed { .. } => {
            rejected()
                .hint("do not use it: what is under the tag is not what was signed; push again")
        }
        PullError::Io { source, .. } => {
            let failure = Failure::environment(error.code(), error);
            match files::remedy(source.kind()) {
                Some(remedy) => failure.hint(remedy),
                None => failure,
            }
        }
        _ => rejected(),
    }
}

/// A pull takes the release and its timestamp from the reference: it has no options for them.
fn unreleased(failure: Failure, error: &ReleaseRefusal) -> Failure {
    match error {
        ReleaseRefusal::NoRelease => {
            failure.hint("push it with its release: `edgec push --release FILE`")
        }
        ReleaseRefusal::NoTimestamp => {
            failure.hint("push it with its timestamp: `edgec push --release FILE --timestamp FILE`")
        }
        _ => failure,
    }
}

fn admission_failure(error: &AdmissionError) -> Failure {
    match error {
        AdmissionError::Verify(error) => match error {
            VerifyError::Release(source) => unreleased(verify_failure(error), source),
            _ => verify_failure(error),
        },
        AdmissionError::Store(error) => store_failure(error),
        AdmissionError::Mode(LoadModeError { .. }) => Failure::rejected(error.code(), error)
            .hint("fs-verity is for a file system that has the feature"),
        AdmissionError::File(ArtifactFileError::Io { .. }) => {
            Failure::environment(error.code(), error)
        }
        _ => Failure::rejected(error.code(), error),
    }
}

/// Why something is not copied.
pub(crate) fn copy_failure(error: &CopyError) -> Failure {
    match error {
        CopyError::Registry(error) => registry_failure(error),
        CopyError::OtherDigest { .. } => Failure::usage(error.code(), error.to_string())
            .hint("name a tag, or the digest of the source"),
        CopyError::TooDeep { .. } | CopyError::TooMany { .. } | CopyError::TooLong { .. } => {
            Failure::rejected(error.code(), error).hint(
                "no push of edgec writes that: check what the reference names, or copy it with \
                 another tool, such as `oras cp -r`",
            )
        }
        _ => Failure::rejected(error.code(), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pull has no option for a release.
    #[test]
    fn a_pull_without_a_release_names_the_push() {
        let hint = |failure: Failure| serde_json::to_value(&failure).unwrap()["hint"].to_string();
        for (error, option) in [
            (ReleaseRefusal::NoRelease, "edgec push --release"),
            (ReleaseRefusal::NoTimestamp, "--timestamp"),
        ] {
            let hint = hint(pull_failure(&PullError::Release(error)));
            assert!(
                hint.contains("push it with") && hint.contains(option),
                "{hint}"
            );
        }
        let error = PullError::Verify {
            fits: "x86_64 (edge)".to_owned(),
            source: VerifyError::Release(ReleaseRefusal::NoRelease),
        };
        assert!(hint(pull_failure(&error)).contains("edgec push --release"));
        let error = VerifyError::Release(ReleaseRefusal::NoRelease);
        let error = PullError::Admission(AdmissionError::Verify(error));
        assert!(hint(pull_failure(&error)).contains("edgec push --release"));
    }

    /// `--plain-http` allows addresses without TLS, and nothing else: a registry could name a file
    /// of this machine.
    #[test]
    fn no_option_is_suggested_for_addresses_without_a_network() {
        let hint = |address: &str| {
            let failure = registry_failure(&RegistryError::Insecure {
                host: "r.example".to_owned(),
                address: address.to_owned(),
            });
            serde_json::to_value(&failure).unwrap()["hint"].to_string()
        };
        assert!(hint("http://r.example/blob").contains("--plain-http"));
        for address in ["file:///etc/shadow", "ftp://r.example/blob", "HTTP:/x", ""] {
            let hint = hint(address);
            assert!(hint.contains("no option allows"), "{address}: {hint}");
        }
    }
}
