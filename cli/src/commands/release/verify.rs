//! `edgec release verify`: says whether a policy accepts a release and its timestamp.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_verifier::{AcceptedSignature, VerifiedRelease, verify_release, verify_timestamp};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failures::verifier::release_failure;
use crate::render::{self, Format, safe};
use crate::trust::ReleaseTrustArguments;
use crate::{files, time};

/// Verify a release and its timestamp, without its artifacts
///
/// `edgec verify --release FILE --timestamp FILE ARTIFACT…` verifies artifacts with both. Exit
/// codes: 0 verified; 1 refused; 2 usage; 3 a file cannot be read.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The release
    #[arg(value_name = "RELEASE")]
    release: PathBuf,
    /// Its timestamp
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    timestamp: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Trust")]
    trust: ReleaseTrustArguments,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    release: String,
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    version: u64,
    serial: u64,
    floor: u64,
    sha256: String,
    artifacts: Vec<String>,
    signatures: Vec<AcceptedSignature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip)]
    fresh: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let (policy, wanted) = arguments.trust.resolve()?;
    let (path, now) = (&arguments.release, time::now()?);
    let file = files::read_attestation(path)?;
    let refused = |error| release_failure(&error);
    let verified = verify_release(&file, &policy, now)
        .and_then(|verified| verified.check_expected(&wanted).map(|()| verified))
        .map_err(|error| refused(error).about(path.display()))?;
    let mut report = Report::new(render::path(path), &verified);
    if let Some(path) = &arguments.timestamp {
        let file = files::read_attestation(path)?;
        let stamp = verify_timestamp(&file, &verified, &policy, now)
            .map_err(|error| refused(error).about(path.display()))?;
        arguments.trust.remember(&policy, &stamp)?;
        let (issued, expires) = (stamp.timestamp.issued, stamp.timestamp.expires);
        report.issued = Some(issued.seconds());
        report.expires = Some(expires.seconds());
        report.fresh = format!("the newest, as stated at {issued} until {expires}");
    }
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn new(shown: String, verified: &VerifiedRelease) -> Self {
        let release = &verified.release;
        Self {
            release: shown,
            application: safe(&release.application),
            channel: release.channel.as_deref().map(safe),
            version: release.version,
            serial: release.serial,
            floor: release.floor,
            sha256: verified.digest.to_string(),
            artifacts: release
                .artifacts
                .iter()
                .map(|it| safe(&it.fits()))
                .collect(),
            signatures: verified.accepted.clone(),
            issued: None,
            expires: None,
            fresh: "no timestamp was given: a newer one may exist".to_owned(),
        }
    }

    fn text(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        // A signer may have signed with two keys.
        for signature in &self.signatures {
            let name = safe(&signature.key_name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut text = format!(
            "{}: verified, signed by {}\n  release {} of {}, version {}; at least version {} may run\n  {}\n",
            self.release,
            names.join(", "),
            self.serial,
            self.application,
            self.version,
            self.floor,
            self.fresh
        );
        for artifact in &self.artifacts {
            text.push_str(&format!("  {artifact}\n"));
        }
        text
    }
}
