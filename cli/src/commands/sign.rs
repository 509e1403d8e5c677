//! `edgec sign`: another key's signature on an existing artifact.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_packager::UnsignedArtifact;

use crate::failure::Failure;
use crate::files::{self, Access};
use crate::render::outln;
use crate::trust::self_check;
use crate::{Outcome, keys};

/// Sign an existing artifact
///
/// The image and the manifest must agree; the signatures that are already there are
/// replaced, or kept with --append.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifact
    artifact: PathBuf,
    /// The private key (PKCS#8 PEM)
    #[arg(long, env = keys::KEY_VARIABLE, hide_env_values = true)]
    key: PathBuf,
    /// Keep the signatures that are there
    #[arg(long)]
    append: bool,
    /// Where the signed artifact goes, instead of the artifact's place
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.artifact;
    let output = arguments.output.as_ref().unwrap_or(path);
    files::refuse_dash(output)?;
    if files::same(output, &arguments.key) {
        return Err(
            Failure::usage("output", "the key would be overwritten").about(output.display())
        );
    }
    let key = keys::read(&arguments.key)?;
    let file = files::read_artifact(path)?;
    let package = |error| {
        Failure::rejected("package", &error as &dyn std::error::Error).about(path.display())
    };
    let (unsigned, mut signatures) = UnsignedArtifact::reopen(&file).map_err(package)?;
    if !arguments.append {
        signatures.clear();
    }
    let signed = unsigned.sign(&key, signatures).map_err(package)?;
    self_check(signed.as_bytes(), &key.public())
        .map_err(|failure| failure.about(path.display()))?;
    files::write(output, signed.as_bytes(), Access::Public)?;
    outln!("{}: signed by {}", output.display(), key.public().id());
    Ok(ExitCode::SUCCESS)
}
