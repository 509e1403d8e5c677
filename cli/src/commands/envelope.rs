//! `edgec envelope`: writes the DSSE envelope of an artifact, for other tools. It verifies no
//! signature.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::{Algorithm, Artifact, Envelope, sigstore_bundle};
use edgec_verifier::describe_unsigned;
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::failures::verifier::verify_failure_of;
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::render::{self, Format};
use crate::{Outcome, commands, document, keys};

/// Write an artifact's DSSE envelope, without verifying a signature
///
/// The bytes are exactly those in the artifact, without a final newline. For a sigstore bundle, the
/// image must have the digests that the manifest states.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifact; `-` is standard input
    artifact: PathBuf,
    /// Write the envelope to this file, not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a sigstore bundle (version 0.3) with one of the signatures, for `cosign
    /// verify-blob-attestation`, which compares it with the image: the first bytes of the artifact,
    /// as many as `image.length` of its manifest says
    #[arg(long)]
    sigstore: bool,
    /// The signature for the bundle: a key id, or the file of a public key [default: the first
    /// signature of 64 bytes, as Ed25519 makes them]
    #[arg(long, value_name = "KEY_ID|FILE", requires = "sigstore")]
    signed_by: Option<PathBuf>,
    /// The format of standard output; `json` has the envelope in a document
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    /// The file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The envelope, if no file was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<Value>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.artifact;
    if let Some(output) = &arguments.output {
        files::spare(std::slice::from_ref(path), output, Wanted::Envelope)?;
    }
    let file = files::read_artifact(path)?;
    let artifact = Artifact::decode(&file).map_err(|error| {
        let failure = Failure::rejected("layout", &error).about_safe(render::path(path));
        explain(failure, &file, Wanted::Artifact)
    })?;
    if arguments.sigstore {
        // Other tools know the image by its SHA-256 alone.
        describe_unsigned(&file)
            .map_err(|error| verify_failure_of(&error, &file).about_safe(render::path(path)))?;
    }
    let envelope = match arguments.sigstore {
        true => bundle(artifact.envelope(), arguments)?,
        // An envelope has one spelling: encoding it again gives the bytes of the file.
        false => artifact.envelope().encode(),
    };
    if let Some(output) = &arguments.output {
        files::write(output, &envelope, Wanted::Envelope)?;
    }
    match (arguments.format, &arguments.output) {
        (Format::Text, None) => return commands::inspect::raw(&envelope),
        (Format::Text, Some(_)) => {}
        (_, output) => {
            let shown = match output {
                // An envelope is JSON.
                None => serde_json::from_slice(&envelope).ok(),
                Some(_) => None,
            };
            let report = Report {
                artifact: render::path(path),
                output: output.as_deref().map(render::path),
                envelope: shown,
            };
            document::print(true, &report);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The bundle with the chosen signature.
fn bundle(envelope: &Envelope, arguments: &Arguments) -> Result<Vec<u8>, Failure> {
    let wanted = match &arguments.signed_by {
        Some(named) => keys::named_ids(named)?,
        None => Vec::new(),
    };
    let found = envelope.signatures().iter().find(|signature| {
        // A signature does not state its algorithm.
        let may_be_ed25519 = signature.bytes().len() == Algorithm::Ed25519.signature_len();
        match wanted.is_empty() {
            true => may_be_ed25519,
            false => wanted.iter().any(|id| id == signature.key_id()),
        }
    });
    match found {
        Some(signature) => Ok(sigstore_bundle(envelope, signature)),
        None => {
            let (message, hint) = match wanted.is_empty() {
                true => (
                    "no signature has the 64 bytes of Ed25519",
                    "choose one with --signed-by; `edgec inspect` shows the key ids",
                ),
                false => (
                    "the artifact has no signature by that key",
                    "`edgec inspect` shows the key ids of the signatures",
                ),
            };
            let failure = Failure::new(Exit::Rejected, "no-signature", message);
            Err(failure
                .about_safe(render::path(&arguments.artifact))
                .hint(hint))
        }
    }
}
