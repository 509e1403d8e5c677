//! `edgec notarize`: rebuilds an artifact from its program, and states that it is the same.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::RebuildStatement;
use edgec_packager::UnsignedCompanion;
use edgec_verifier::{Unsigned, VerifyError, describe_unsigned, examine};
use serde::Serialize;

use crate::Outcome;
use crate::companion::SigningArguments;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::failures::verifier::verify_failure_of;
use crate::rebuild::Rebuild;
use crate::render::{self, Format, safe};
use crate::trust::TrustArguments;
use crate::wit::WitArguments;
use crate::workers::WorkerArguments;
use crate::{differences, files, keys, time};

/// Rebuild an artifact from its program, and sign a statement that it is the same
///
/// The program is compiled with the settings in the manifest. Only if image and manifest are the
/// same, bit for bit, the notary's key signs a statement of its own
/// (docs/releases-and-timestamps.md). The artifact's own signatures need not be trusted; with
/// --trust, a policy must accept the artifact first. Exit codes: 0 signed; 1 refused, or something
/// differs; 2 usage; 3 a file cannot be read or written.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifact
    artifact: PathBuf,
    /// The program that it was made from
    #[arg(
        long,
        value_name = "FILE",
        required = true,
        help_heading = "Rebuilding"
    )]
    rebuild: PathBuf,
    #[command(flatten, next_help_heading = "Rebuilding")]
    wit: WitArguments,
    /// The policy that the artifact must satisfy, except for the statements that it demands beside
    /// the artifact
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    trust: Option<PathBuf>,
    /// A public key that must have signed the policy; if repeated, all must have signed
    #[arg(
        long,
        value_name = "PUBLIC_KEY",
        requires = "trust",
        help_heading = "Trust"
    )]
    root: Vec<PathBuf>,
    /// The expected application; any other is refused
    #[arg(long, requires = "trust", help_heading = "Trust")]
    name: Option<String>,
    #[command(flatten)]
    signing: SigningArguments,
    #[command(flatten, next_help_heading = "Limits and tools")]
    workers: WorkerArguments,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    statement: String,
    key_id: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    application: String,
    version: u64,
    target: String,
    image: String,
    input: String,
    edgec: &'static str,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.artifact;
    let inputs = [path.clone(), arguments.rebuild.clone()];
    files::refuse_stdin_twice(&[&inputs[..], &arguments.signing.reads()].concat())?;
    let shown = render::path(path);
    let quiet = arguments.format != Format::Text;
    let rebuild = Rebuild::new(
        &arguments.rebuild,
        arguments.wit.source()?,
        &arguments.workers,
        quiet,
    )?;
    let file = files::read_artifact(path)?;
    let refused = |error: &VerifyError| verify_failure_of(error, &file).about_safe(&shown);
    // Without a policy, a notary need not trust the signer: it states only what it has compiled
    // itself.
    if let Some(policy) = &arguments.trust {
        let trust = TrustArguments::of_notary(policy, &arguments.root, arguments.name.as_deref())?;
        let verified = examine(&file, &trust.policy, &trust.expected, time::now()?);
        verified.map_err(|rejection| refused(&rejection.error))?;
    }
    let Unsigned {
        manifest,
        image,
        payload,
        ..
    } = describe_unsigned(&file).map_err(|error| refused(&error))?;
    let found = rebuild.differences(&manifest, image)?;
    if !found.is_empty() {
        let message = differences::told(&found, rebuild.input());
        let failure = Failure::new(Exit::Rejected, "rebuild", message).with_safe_message();
        let hint = "nothing was signed: `edgec verify --rebuild` says what the cause may be";
        return Err(failure.hint(hint).about_safe(&shown));
    }
    let edgec = env!("CARGO_PKG_VERSION");
    let statement = RebuildStatement::of(&manifest, &payload, edgec);
    let unsigned = UnsignedCompanion::rebuild(&statement);
    let Some(written) = arguments
        .signing
        .sign(unsigned, "notary-statement", &inputs)?
    else {
        return Ok(ExitCode::SUCCESS);
    };
    let report = Report {
        artifact: shown,
        statement: written.file,
        key_id: written.key_id,
        more_key_ids: written.more_key_ids,
        application: safe(&manifest.name),
        version: manifest.version,
        target: safe(&manifest.target.id),
        image: manifest.image.fsverity.to_string(),
        input: manifest.source.input.sha256.to_string(),
        edgec,
    };
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn text(&self) -> String {
        format!(
            "{}: rebuilt bit for bit; {} is signed by {}\n  {} version {}, {}, image fs-verity {}\n  from the input {}, with edgec {}\n",
            self.artifact,
            self.statement,
            keys::listed(&self.key_id, &self.more_key_ids),
            self.application,
            self.version,
            self.target,
            self.image,
            self.input,
            self.edgec
        )
    }
}
