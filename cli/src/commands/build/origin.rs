//! Where a build comes from: its source, its builder and its run, as the caller states them.
//!
//! edgec checks none of it. The words are signed, so the holder of the key answers for them. The
//! variables of GitHub Actions are read only for an option whose value is `github`.
//!
//! Source of the variables:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>.

use std::path::{Path, PathBuf};

use edgec_artifact::{BuildSource, Material, UNNAMED_BUILDER, is_unseen};
use edgec_builder::{Origin, Tools};
use edgec_compiler::Tool;

use crate::bill;
use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::files;
use crate::naming::{self, Job};

/// What the caller states about a build.
#[derive(clap::Args)]
pub(super) struct OriginArguments {
    /// Write the provenance of each artifact beside it, signed by the same key:
    /// NAME.TARGET.provenance.json (docs/provenance.md)
    #[arg(long)]
    pub(super) provenance: bool,
    /// Write a bill of materials of the program beside its artifacts, NAME.cdx.json or
    /// NAME.spdx.json, and list it in the provenance (docs/sbom.md); with commas, both
    #[arg(long, value_name = "cyclonedx|spdx", value_delimiter = ',', value_parser = bill::format())]
    pub(super) sbom: Vec<edgec_sbom::Format>,
    /// Who builds, for the provenance; `github` names the workflow, from the variables of GitHub
    /// Actions
    #[arg(long, value_name = "URI|github", requires = "provenance")]
    builder_id: Option<String>,
    /// This run of the build, for the provenance; `github` names the run and its attempt
    #[arg(long, value_name = "URI|github", requires = "provenance")]
    invocation_id: Option<String>,
    /// The repository of the program's source, for the manifest and the provenance
    #[arg(long, value_name = "URI|github")]
    source_repository: Option<String>,
    /// The revision of the program's source, such as the id of a commit
    #[arg(long, value_name = "REVISION|github")]
    source_revision: Option<String>,
}

/// What the caller states, checked.
pub(super) struct Stated {
    /// The source, which the manifest has as well.
    pub(super) source: BuildSource,
    builder: String,
    invocation: Option<String>,
    tools: Vec<Material>,
}

/// The longest URI, in bytes.
const MAX_URI_LEN: usize = 1024;
/// The longest revision, in bytes.
const MAX_REVISION_LEN: usize = 256;
/// The value that asks for the variables of GitHub Actions.
const GITHUB: &str = "github";

impl OriginArguments {
    pub(super) fn stated(&self) -> Result<Stated, Failure> {
        let repository = stated(&self.source_repository, repository_of_github)?;
        let revision = stated(&self.source_revision, || variable("GITHUB_SHA"))?;
        let builder = stated(&self.builder_id, builder_of_github)?;
        let invocation = stated(&self.invocation_id, run_of_github)?;
        for (option, uri) in [
            ("--source-repository", &repository),
            ("--builder-id", &builder),
            ("--invocation-id", &invocation),
        ] {
            uri.as_deref()
                .map_or(Ok(()), |uri| check_uri(option, uri))?;
        }
        revision.as_deref().map_or(Ok(()), check_revision)?;
        Ok(Stated {
            source: BuildSource::new(repository, revision),
            builder: builder.unwrap_or_else(|| UNNAMED_BUILDER.to_owned()),
            invocation,
            tools: Vec::new(),
        })
    }
}

impl Stated {
    /// Adds the programs that the user named, with their digests. It reads them before they run.
    pub(super) fn with_tools(mut self, tools: &Tools) -> Result<Self, Failure> {
        let optimizer = &tools.optimizer;
        if optimizer.tool == Tool::WasmOpt {
            let path = &optimizer.program;
            // A name without a folder is looked up on the path, so its file is not known here.
            let is_file = path.components().count() > 1 || path.is_file();
            let name = optimizer.tool.name();
            self.tools.push(match is_file {
                true => Material::of_bytes(name, files::digest(path)?.0),
                false => Material::at(name, "file:wasm-opt"),
            });
        }
        Ok(self)
    }

    /// What is known about the build of one input.
    pub(super) fn of(&self, job: &Job) -> Origin {
        let files = job.outputs.iter().map(|(_, path)| file_name(path));
        let mut origin = Origin::new(
            file_name(&job.input),
            self.builder.as_str(),
            files.collect(),
        );
        origin.source = self.source.clone();
        origin.invocation.clone_from(&self.invocation);
        origin.tools.clone_from(&self.tools);
        origin
    }
}

/// Refuses to write a provenance over an input or over another kind of file.
pub(super) fn spare(job: &Job, read: &[PathBuf]) -> Result<(), Failure> {
    let mut outputs = job.outputs.iter();
    outputs.try_for_each(|(_, path)| {
        let provenance = naming::provenance_file(path)?;
        files::spare(read, &provenance, Wanted::Attestation)
    })
}

/// A path's file name, with a mark for bytes that are not UTF-8. Folders are the machine's affair.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// The value of an option; for the word `github`, what the variables say.
fn stated(
    option: &Option<String>,
    of_github: impl FnOnce() -> Result<String, Failure>,
) -> Result<Option<String>, Failure> {
    match option.as_deref() {
        None => Ok(None),
        Some(GITHUB) => of_github().map(Some),
        Some(text) => Ok(Some(text.to_owned())),
    }
}

fn repository_of_github() -> Result<String, Failure> {
    let server = variable("GITHUB_SERVER_URL")?;
    Ok(format!("{server}/{}", variable("GITHUB_REPOSITORY")?))
}

fn builder_of_github() -> Result<String, Failure> {
    let server = variable("GITHUB_SERVER_URL")?;
    Ok(format!("{server}/{}", variable("GITHUB_WORKFLOW_REF")?))
}

fn run_of_github() -> Result<String, Failure> {
    let (run, attempt) = (variable("GITHUB_RUN_ID")?, variable("GITHUB_RUN_ATTEMPT")?);
    let repository = repository_of_github()?;
    Ok(format!(
        "{repository}/actions/runs/{run}/attempts/{attempt}"
    ))
}

fn variable(name: &str) -> Result<String, Failure> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        Failure::usage("github", format!("the variable {name} is not set"))
            .hint("GitHub Actions sets it; elsewhere, write the value instead of `github`")
    })
}

/// Checks that a text is a URI without a password. The message does not repeat the text: it may
/// hold a token.
fn check_uri(option: &str, uri: &str) -> Result<(), Failure> {
    let wrong = |message: String, hint: &str| {
        let failure = Failure::usage("uri", message).about(option);
        Err(failure.hint(hint.to_owned()))
    };
    if uri.len() > MAX_URI_LEN {
        let message = format!("{} bytes, and {MAX_URI_LEN} is the limit", uri.len());
        return wrong(message, "name a shorter URI");
    }
    let scheme = uri.split_once(':').filter(|(scheme, rest)| {
        let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        begins && scheme.chars().all(is_of_scheme) && !rest.is_empty()
    });
    let Some((scheme, rest)) = scheme.filter(|_| uri.bytes().all(|byte| byte.is_ascii_graphic()))
    else {
        let hint = "write it as https://example.com/acme/shop, or ssh://git@example.com/acme/shop";
        return wrong("this is not a URI".to_owned(), hint);
    };
    // RFC 3986, section 3.2.1.
    let authority = rest.strip_prefix("//").unwrap_or_default();
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let is_web = scheme.ends_with("http") || scheme.ends_with("https");
    if user.is_some_and(|user| is_web || user.contains(':')) {
        let message = "the URI holds a user or a password, and it would be published".to_owned();
        return wrong(message, "remove everything between `//` and `@`");
    }
    Ok(())
}

fn check_revision(revision: &str) -> Result<(), Failure> {
    let is_wrong = |c: char| c.is_whitespace() || is_unseen(c);
    if revision.is_empty() || revision.len() > MAX_REVISION_LEN || revision.contains(is_wrong) {
        let message =
            format!("a revision has 1 to {MAX_REVISION_LEN} bytes, and no white space in it");
        return Err(Failure::usage("source-revision", message)
            .about("--source-revision")
            .hint("write the id of a commit: git rev-parse HEAD"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_told_from_other_texts_and_from_secrets() {
        for uri in [
            "https://github.com/acme/shop",
            "git+https://github.com/acme/shop@refs/heads/main",
            "ssh://git@github.com/acme/shop",
            "urn:uuid:0b5f",
            "https://example.com/a?b=c@d",
        ] {
            assert!(check_uri("--x", uri).is_ok(), "{uri}");
        }
        for text in [
            "",
            "shop",
            "git@github.com:acme/shop.git",
            "1a:b",
            "https:",
            "https://example.com/a b",
            "https://example.com/\u{e9}",
            "https://token@example.com/shop",
            "https://user:token@example.com/shop",
            "git+https://token@example.com/shop",
            "ssh://user:token@example.com/shop",
            &format!("https://example.com/{}", "x".repeat(1024)),
        ] {
            let failure = check_uri("--x", text).unwrap_err();
            assert_eq!(failure.code(), "uri", "{text}");
            assert!(!failure.message().contains("token"), "{text}");
        }
    }

    #[test]
    fn a_revision_is_one_short_word() {
        for revision in ["4ac1", "v1.2.3", "r4711", &"4a".repeat(32)] {
            assert!(check_revision(revision).is_ok(), "{revision}");
        }
        for text in ["", "a b", "a\n", "a\u{200b}", &"x".repeat(257)] {
            assert!(check_revision(text).is_err(), "{text}");
        }
    }
}
