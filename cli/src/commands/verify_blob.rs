//! `edgec verify-blob`: checks a file that is no artifact against its attestation.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::BLOB_PREDICATE_TYPE;
use edgec_verifier::{ExpectedBlob, TrustedKey, VerifiedBlob, verify_blob};
use serde::Serialize;

use super::sign_blob::{attestation_of, signed_name};
use crate::Outcome;
use crate::document;
use crate::failure::Failure;
use crate::failures::verifier::blob_failure;
use crate::number::number;
use crate::render::{self, Format, safe};
use crate::{files, keys};

/// Verify a file that is no artifact (docs/blobs.md)
///
/// The name and the SHA-256 of the file must have been signed by the given keys, in a DSSE envelope
/// beside the file. The file itself is not read into memory.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file; `-` is standard input
    file: PathBuf,
    /// The attestation [default: FILE.dsse.json]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A public key that must have signed: a file, `-`, or `env:NAME`; repeatable
    #[arg(long, value_name = "PUBLIC_KEY", required = true)]
    key: Vec<PathBuf>,
    /// How many of the keys must have signed [default: all]
    #[arg(long, value_name = "NUMBER", value_parser = number(1..=64, THRESHOLD))]
    threshold: Option<u64>,
    /// The name that must have been signed [default: the file's name without folders]
    #[arg(long)]
    name: Option<String>,
    /// What must have been stated about the file: the type of the predicate
    #[arg(long = "type", value_name = "URI", default_value = BLOB_PREDICATE_TYPE)]
    predicate_type: String,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What `--threshold` takes.
const THRESHOLD: &str = "write how many keys must have signed";

/// A file that is the attested one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    file: String,
    attestation: String,
    #[serde(flatten)]
    blob: VerifiedBlob,
    threshold: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.file;
    let name = signed_name(path, arguments.name.as_deref())?;
    let bundle = match &arguments.bundle {
        Some(bundle) => bundle.clone(),
        None => attestation_of(path)?,
    };
    let read = [&[path.clone(), bundle.clone()][..], &arguments.key[..]].concat();
    files::refuse_stdin_twice(&read)?;
    let keys: Result<Vec<TrustedKey>, Failure> = arguments
        .key
        .iter()
        .map(|path| {
            let (keys, _) = keys::read_public(path)?;
            Ok(TrustedKey::new(path.display().to_string(), keys))
        })
        .collect();
    let keys = keys?;
    let threshold = threshold(arguments.threshold, keys.len())?;
    let attestation = files::read_attestation(&bundle)?;
    let (sha256, _) = files::digest(path)?;
    let expected = ExpectedBlob::new(name, sha256, &arguments.predicate_type);
    let blob = verify_blob(&attestation, &keys, threshold, &expected)
        .map_err(|error| blob_failure(&error, &attestation).about(path.display()))?;
    let report = Verified {
        file: render::path(path),
        attestation: render::path(&bundle),
        blob,
        threshold,
    };
    document::answer(true, &report, arguments.format, Verified::text);
    Ok(ExitCode::SUCCESS)
}

impl Verified {
    fn text(&self) -> String {
        let ids: Vec<String> = self
            .blob
            .signed_by
            .iter()
            .map(ToString::to_string)
            .collect();
        format!(
            "{}: verified\n  {}, sha256 {}\n  {} of {} required: {}\n  it was stated: {}\n",
            self.file,
            safe(&self.blob.name),
            self.blob.sha256,
            self.blob.signers,
            self.threshold,
            ids.join(", "),
            safe(&self.blob.predicate_type)
        )
    }
}

/// How many keys must have signed: all of them, unless a lower number is given.
fn threshold(asked: Option<u64>, keys: usize) -> Result<usize, Failure> {
    let Some(asked) = asked else {
        return Ok(keys);
    };
    let fits = usize::try_from(asked).ok().filter(|asked| *asked <= keys);
    fits.ok_or_else(|| {
        let keys = render::count(keys, "key");
        let message = format!("--threshold {asked} cannot be reached with {keys}");
        Failure::usage("threshold", message).hint("name each key with --key")
    })
}
