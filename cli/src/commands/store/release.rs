//! `edgec store release`: takes a newer release or timestamp of an application.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_loader::LoadError;
use edgec_loader::store::ArtifactStore;
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::failures::loader::load_failure;
use crate::files;
use crate::render::{self, Format, safe};
use crate::trust::ReleaseTrustArguments;

/// Take a newer release and its timestamp; the artifacts follow with `add`
///
/// From then on, the store admits no older release. What the store lacks of the release is listed:
/// add it, and then run this again with --complete. Exit codes: 0 done; 1 the release is refused,
/// or with --complete, an artifact is missing; 2 usage; 3 a file cannot be read or written.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The release
    #[arg(value_name = "RELEASE")]
    release: PathBuf,
    /// Its timestamp
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    timestamp: Option<PathBuf>,
    /// Fail if the store lacks an artifact of the release: a mirror that has none withholds it
    #[arg(long, help_heading = "Trust")]
    complete: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    /// The artifacts that hosts need and that are not there.
    missing: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip)]
    fresh: String,
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let (policy, expected) = arguments.trust.resolve()?;
    let path = &arguments.release;
    let release = files::read_attestation(path)?;
    let timestamp = arguments.timestamp.as_deref().map(files::read_attestation);
    let timestamp = timestamp.transpose()?;
    let taken = store.add_release(&release, timestamp.as_deref(), &policy, &expected);
    let taken =
        taken.map_err(|error| load_failure(&LoadError::from(error)).about(path.display()))?;
    if let Some(stamp) = &taken.timestamp {
        arguments.trust.remember(&policy, stamp)?;
    }
    let stated = &taken.release.release;
    let fresh = taken.timestamp.as_ref().map_or_else(
        || "no timestamp".to_owned(),
        |it| format!("the newest until {}", it.timestamp.expires),
    );
    let missing: Vec<String> = taken.missing.iter().map(|it| safe(it)).collect();
    let error = (arguments.complete && !missing.is_empty()).then(|| {
        let message = format!("there is no artifact of it for {}", missing.join(", "));
        let failure = Failure::new(Exit::Rejected, "release-incomplete", message);
        failure.with_safe_message().about(path.display()).hint(
            "add it with `edgec store add`; if the mirror does not have it, the mirror withholds it",
        )
    });
    let report = Report {
        release: render::path(path),
        application: safe(&stated.application),
        channel: stated.channel.as_deref().map(safe),
        version: stated.version,
        serial: stated.serial,
        expires: taken
            .timestamp
            .as_ref()
            .map(|it| it.timestamp.expires.seconds()),
        missing,
        error,
        fresh,
    };
    document::answer(
        report.error.is_none(),
        &report,
        arguments.format,
        Report::text,
    );
    if let Some(failure) = &report.error {
        failure.tell(arguments.format);
    }
    Ok(match report.error {
        Some(_) => code(Exit::Rejected),
        None => ExitCode::SUCCESS,
    })
}

impl Report {
    fn text(&self) -> String {
        let channel = self.channel.as_ref().map(|it| format!(" ({it})"));
        let mut text = format!(
            "{}: taken as release {} of {}{}, version {}; {}\n",
            self.release,
            self.serial,
            self.application,
            channel.unwrap_or_default(),
            self.version,
            self.fresh
        );
        if self.error.is_none() {
            for fits in &self.missing {
                text.push_str(&format!("  lacks {fits}: `edgec store add` adds it\n"));
            }
        }
        text
    }
}
