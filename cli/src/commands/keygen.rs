//! `edgec keygen`: a new signing key.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::files::{self, Access};
use crate::render::outln;
use crate::{Outcome, keys};

/// Make an Ed25519 signing key: the private half (mode 0600) and the public half
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The private key's file; the public key goes beside it, with the ending .pub.pem
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let private = &arguments.output;
    files::refuse_dash(private)?;
    let public = private.with_extension("pub.pem");
    let key = keys::generate()?;
    // A key that is overwritten is lost for ever.
    for path in [private, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
    }
    let staged = files::stage(private, keys::pem(&key)?.as_bytes(), Access::Private)?;
    if !staged.commit_if_absent()? {
        return Err(exists(private));
    }
    let staged = files::stage(&public, key.public().to_pem().as_bytes(), Access::Public)?;
    if !staged.commit_if_absent()? {
        return Err(exists(&public));
    }
    outln!("private key  {} (keep it secret)", private.display());
    outln!("public key   {}", public.display());
    outln!("key id       {}", key.public().id());
    Ok(ExitCode::SUCCESS)
}

fn exists(path: &std::path::Path) -> Failure {
    Failure::usage(
        "exists",
        "there is such a file already, and a key is never overwritten",
    )
    .about(path.display())
    .hint("choose another name, or move the old key away")
}
