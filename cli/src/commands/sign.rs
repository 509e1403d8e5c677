//! `edgec sign`: adds a signature to an existing artifact, or removes one.
//!
//! If the key is at hand, it takes one step. Otherwise it takes two: write the bytes to sign, and
//! later attach the signature.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::SignerKeys;
use edgec_builder::self_check;
use edgec_packager::{PackageError, SignedArtifact, UnsignedArtifact, remove_signatures};
use serde::Serialize;

use crate::document;
use crate::failure::Failure;
use crate::failures::builder::self_check_failure;
use crate::failures::packager::package_failure;
use crate::file_kind::{Wanted, explain_file};
use crate::files;
use crate::render::{self, Format, safe};
use crate::signer::SignerArguments;
use crate::two_steps::TwoSteps;
use crate::{Outcome, keys};

/// Sign an existing artifact, or remove a signature
///
/// The image and the manifest must agree. The new signature replaces the existing ones; with
/// --append, they stay.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifact; `-` is standard input
    artifact: PathBuf,
    /// Keep the existing signatures
    #[arg(long, conflicts_with = "export_pae", help_heading = "Signatures")]
    append: bool,
    /// Write the signed artifact to this file instead of replacing the artifact
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    #[command(flatten)]
    steps: TwoSteps,
    /// Remove the signature of this key: a key id, or the file of a public key
    #[arg(long, value_name = "KEY_ID|FILE", conflicts_with_all = ["SignerArguments", "attach", "append", "export_pae"], help_heading = "Signatures")]
    remove: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArguments,
}

/// A signed artifact.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    artifact: String,
    key_id: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    /// The key ids whose signatures were removed.
    dropped: Vec<String>,
    /// What the signer signs for: this application, not a path.
    name: String,
    version: u64,
    target: String,
    fsverity: String,
}

/// An artifact from which a signature was removed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    artifact: String,
    removed: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_removed: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.artifact;
    let output = arguments.output.as_ref().unwrap_or(path);
    let mut read = arguments.signer.reads();
    read.extend(arguments.steps.attached().map(Path::to_owned));
    read.extend(arguments.remove.clone());
    let all = [&read[..], std::slice::from_ref(path)].concat();
    files::refuse_stdin_twice(&all)?;
    if arguments.steps.is_export() {
        return export(arguments, &all);
    }
    // Only an artifact may be written over its own input. Whether the input is an artifact is
    // checked later.
    if arguments.output.is_none() || files::same(path, output) {
        files::spare_inputs(&read, output)?;
    } else {
        files::spare(&read, output, Wanted::Artifact)?;
    }
    if let Some(removed) = &arguments.remove {
        return remove(arguments, removed, output);
    }
    let (signed, public, dropped) = signed(arguments)?;
    let manifest = self_check(signed.as_bytes(), &public);
    let manifest = manifest.map_err(|error| self_check_failure(&error).about(path.display()))?;
    files::write(output, signed.as_bytes(), Wanted::Artifact)?;
    let (key_id, more_key_ids) = keys::ids(&public);
    let report = Signed {
        artifact: render::path(output),
        key_id,
        more_key_ids,
        dropped: dropped.iter().map(|id| safe(id)).collect(),
        name: safe(&manifest.name),
        version: manifest.version,
        target: safe(&manifest.target.id),
        fsverity: manifest.image.fsverity.to_string(),
    };
    document::answer(true, &report, arguments.format, Signed::text);
    Ok(ExitCode::SUCCESS)
}

/// Removes the signature under a key id, or of the public key in a file.
fn remove(arguments: &Arguments, removed: &Path, output: &Path) -> Outcome {
    let path = &arguments.artifact;
    let mut ids = keys::named_ids(removed)?.into_iter();
    let (key_id, more) = (ids.next().unwrap_or_default(), ids.collect::<Vec<_>>());
    let mut file = files::read_artifact(path)?;
    for id in std::iter::once(&key_id).chain(&more) {
        file = remove_signatures(&file, id).map_err(|error| failure(&error, path))?;
    }
    files::write(output, &file, Wanted::Artifact)?;
    let report = Removed {
        artifact: render::path(output),
        removed: key_id,
        more_removed: more,
    };
    document::answer(true, &report, arguments.format, |report| {
        format!(
            "{}: no longer signed by {}\n",
            report.artifact,
            keys::listed(&report.removed, &report.more_removed)
        )
    });
    Ok(ExitCode::SUCCESS)
}

/// Writes the bytes that are to be signed elsewhere.
fn export(arguments: &Arguments, read: &[PathBuf]) -> Outcome {
    let path = &arguments.artifact;
    let file = files::read_artifact(path)?;
    let unsigned = UnsignedArtifact::reopen(&file);
    let (unsigned, _) = unsigned.map_err(|error| failure(&error, path))?;
    arguments.steps.export(&unsigned.pae(), read, Wanted::Pae)?;
    Ok(ExitCode::SUCCESS)
}

impl Signed {
    fn text(&self) -> String {
        let ids = keys::listed(&self.key_id, &self.more_key_ids);
        let mut text = format!("{}: signed by {ids}\n", self.artifact);
        for id in &self.dropped {
            text.push_str(&format!(
                "  the signature by {id} was removed (--append keeps it)\n"
            ));
        }
        text + &format!(
            "  {} version {}, {}, image fs-verity {}\n",
            self.name, self.version, self.target, self.fsverity
        )
    }
}

/// The signed artifact, the signing keys, and the ids of the keys whose signatures were removed.
fn signed(arguments: &Arguments) -> Result<(SignedArtifact, SignerKeys, Vec<String>), Failure> {
    let path = &arguments.artifact;
    let about = |error: PackageError| failure(&error, path);
    // Read before the user is asked for a passphrase, a PIN or a signature.
    let file = files::read_artifact(path)?;
    let (unsigned, mut kept) = UnsignedArtifact::reopen(&file).map_err(about)?;
    let mut dropped: Vec<String> = Vec::new();
    if !arguments.append {
        dropped.extend(
            kept.drain(..)
                .map(|signature| signature.key_id().to_owned()),
        );
    }
    let signer = arguments
        .signer
        .signer_or_attached(arguments.steps.attached())?;
    let public = signer.public();
    let signed = unsigned
        .sign(&signer, kept)
        .map_err(|failure| failure.or_about(path.display()))?;
    let own: Vec<String> = public.iter().map(|key| key.id().to_string()).collect();
    dropped.retain(|dropped| !own.contains(dropped));
    Ok((signed, public, dropped))
}

/// Why the file at `path` was not signed. If it is not an artifact at all, the failure says what it
/// is.
fn failure(error: &PackageError, path: &Path) -> Failure {
    let failure = package_failure(error).about(path.display());
    match error {
        PackageError::Layout(_) => explain_file(failure, path, Wanted::Artifact),
        _ => failure,
    }
}
