//! `edgec release make`: states which artifacts belong together.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::{MAX_VERSION, Release};
use edgec_packager::UnsignedCompanion;
use serde::Serialize;

use crate::Outcome;
use crate::companion::{FLOOR, SERIAL, SigningArguments, release_of};
use crate::document;
use crate::failure::Failure;
use crate::number::number;
use crate::render::{Format, safe};
use crate::{files, keys};

/// Sign a release of artifacts
///
/// All artifacts must have one name, channel and version, and one program. Their signatures are not
/// verified: do that first, with `edgec verify`. Exit codes: 0 done; 1 the artifacts do not belong
/// together; 2 usage; 3 a file cannot be read or written.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Every artifact of the release, for all CPUs
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// A number that grows with every release of the application in the channel
    #[arg(long, value_name = "NUMBER", value_parser = number(1..=MAX_VERSION, SERIAL), help_heading = "Release")]
    serial: u64,
    /// The lowest version that may still run [default: 0]
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=MAX_VERSION, FLOOR), help_heading = "Release")]
    floor: Option<u64>,
    #[command(flatten)]
    signing: SigningArguments,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    release: String,
    key_id: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    version: u64,
    serial: u64,
    floor: u64,
    /// SHA-256 of the statement, which a timestamp names.
    sha256: String,
    artifacts: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let inputs = &arguments.artifacts;
    let read = [&inputs[..], &arguments.signing.reads()].concat();
    files::refuse_stdin_twice(&read)?;
    let release = release(arguments)?;
    let unsigned = UnsignedCompanion::release(&release);
    let Some(written) = arguments
        .signing
        .sign(unsigned, "release-statement", inputs)?
    else {
        return Ok(ExitCode::SUCCESS);
    };
    let report = Report {
        release: written.file,
        key_id: written.key_id,
        more_key_ids: written.more_key_ids,
        application: safe(&release.application),
        channel: release.channel.as_deref().map(safe),
        version: release.version,
        serial: release.serial,
        floor: release.floor,
        sha256: release.digest().to_string(),
        artifacts: release
            .artifacts
            .iter()
            .map(|it| safe(&it.fits()))
            .collect(),
    };
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

fn release(arguments: &Arguments) -> Result<Release, Failure> {
    let paths = &arguments.artifacts;
    let files: Result<Vec<Vec<u8>>, Failure> = paths
        .iter()
        .map(|path| files::read_artifact(path))
        .collect();
    let files = files?;
    let names = paths.iter().map(|path| path.display().to_string());
    let floor = arguments.floor.unwrap_or(0);
    let named = names.zip(files.iter().map(Vec::as_slice));
    release_of(named, arguments.serial, floor)
}

impl Report {
    fn text(&self) -> String {
        let channel = self.channel.as_ref().map(|it| format!(" ({it})"));
        let mut text = format!(
            "{}: signed by {}\n  release {} of {}{}, version {}; at least version {} may run\n",
            self.release,
            keys::listed(&self.key_id, &self.more_key_ids),
            self.serial,
            self.application,
            channel.unwrap_or_default(),
            self.version,
            self.floor
        );
        for artifact in &self.artifacts {
            text.push_str(&format!("  {artifact}\n"));
        }
        text
    }
}
