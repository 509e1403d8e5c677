//! `edgec release stamp`: states that a release is the newest, for a limited time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Release, Sha256Digest, Timestamp, UnixTime, companion_envelope};
use edgec_packager::UnsignedCompanion;
use serde::Serialize;

use crate::Outcome;
use crate::companion::{SigningArguments, malformed, other_statement};
use crate::document;
use crate::failure::Failure;
use crate::render::{Format, safe};
use crate::time::Limit;
use crate::{files, keys, time};

/// Sign a timestamp of a release
///
/// It states the release's digest, when it was issued and when it expires, and nothing else. So the
/// key can be online: a thief can only repeat a release that the release key has signed. Make a new
/// timestamp before the last one expires, also if there is no new release.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The release
    #[arg(value_name = "RELEASE")]
    release: PathBuf,
    /// When it expires: `+` and a duration from its issue, such as +1d, or a time. With --append,
    /// both times are those of the file
    #[arg(long, value_name = "TIME", value_parser = Limit::parse, required_unless_present = "append", conflicts_with = "append", help_heading = "Timestamp")]
    expires: Option<Limit>,
    /// When it is issued [default: now]. Signing in two steps needs it, in both
    #[arg(long, value_name = "TIME", value_parser = time::parse_date, conflicts_with = "append", help_heading = "Timestamp")]
    issued: Option<UnixTime>,
    #[command(flatten)]
    signing: SigningArguments,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    timestamp: String,
    key_id: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    /// SHA-256 of the release's statement.
    release: String,
    application: String,
    serial: u64,
    issued: u64,
    expires: u64,
    #[serde(skip)]
    times: (UnixTime, UnixTime),
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.release;
    let inputs = std::slice::from_ref(path);
    files::refuse_stdin_twice(&[inputs, &arguments.signing.reads()[..]].concat())?;
    let file = files::read_attestation(path)?;
    let refused = |error| malformed("release-statement", &error, path, &file);
    let envelope = companion_envelope(&file).map_err(refused)?;
    // Not verified: hosts verify the release itself. But a timestamp of something else would mean
    // nothing.
    let release = Release::decode(envelope.payload()).map_err(refused)?;
    let digest = Sha256Digest::of(envelope.payload());
    let timestamp = match arguments.signing.appends_to() {
        Some(earlier) => timestamp_in(earlier, digest)?,
        None => new_timestamp(arguments, digest)?,
    };
    let (issued, expires) = (timestamp.issued, timestamp.expires);
    let unsigned = UnsignedCompanion::timestamp(&timestamp);
    let Some(written) = arguments.signing.sign(unsigned, STATEMENT, inputs)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let report = Report {
        timestamp: written.file,
        key_id: written.key_id,
        more_key_ids: written.more_key_ids,
        release: digest.to_string(),
        application: safe(&release.application),
        serial: release.serial,
        issued: issued.seconds(),
        expires: expires.seconds(),
        times: (issued, expires),
    };
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

/// The failure of a file that is no timestamp.
const STATEMENT: &str = "timestamp-statement";

/// The timestamp that the user describes.
fn new_timestamp(arguments: &Arguments, release: Sha256Digest) -> Result<Timestamp, Failure> {
    let usage = |message: String| Failure::usage("validity", message);
    let issued = match arguments.issued {
        Some(issued) => issued,
        None if arguments.signing.is_in_two_steps() => {
            let message = "without --issued, each of the two steps would state another time";
            return Err(usage(message.to_owned())
                .hint("give --export-pae and --attach the same --issued and --expires"));
        }
        None => time::now()?,
    };
    // clap requires it.
    let expires = arguments.expires.unwrap_or(Limit::At(issued));
    let expires = expires.from(issued).map_err(usage)?;
    if expires <= issued {
        let message = format!("it expires at {expires}, and is issued at {issued}");
        return Err(usage(message).hint("it must expire after it is issued"));
    }
    Timestamp::new(release, issued, expires).map_err(|error| usage(error.to_string()))
}

/// The timestamp in a file, which gets another signature: it must be about the same release.
fn timestamp_in(path: &Path, release: Sha256Digest) -> Result<Timestamp, Failure> {
    let file = files::read_attestation(path)?;
    let refused = |error| malformed(STATEMENT, &error, path, &file);
    let envelope = companion_envelope(&file).map_err(refused)?;
    let timestamp = Timestamp::decode(envelope.payload()).map_err(refused)?;
    match timestamp.release == release {
        true => Ok(timestamp),
        false => Err(other_statement(
            path,
            "the timestamp there is about another release",
        )),
    }
}

impl Report {
    fn text(&self) -> String {
        let (issued, expires) = self.times;
        format!(
            "{}: signed by {}\n  release {} of {} is the newest, as stated at {issued} until {expires}\n",
            self.timestamp,
            keys::listed(&self.key_id, &self.more_key_ids),
            self.serial,
            self.application
        )
    }
}
