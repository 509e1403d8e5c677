//! `edgec keygen`: makes a new signing key.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::Algorithm;
use serde::Serialize;

use crate::document;
use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::files;
use crate::render::{self, Format};
use crate::{Outcome, keys, secrets, signals};

/// Make a signing key: the private half (mode 0600) and the public half
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The private key's file; the public key goes beside it, with the ending .pub.pem
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The algorithm; `hybrid` makes a key of each, in one file (docs/keys.md)
    #[arg(long, value_enum, default_value = "ed25519")]
    algorithm: Kind,
    /// Encrypt the private key with a passphrase; every use of the key then needs it
    #[arg(long)]
    encrypt: bool,
    /// A file with the passphrase, `-` for standard input
    /// [default: EDGEC_PASSPHRASE, else edgec asks on the terminal, twice]
    #[arg(long, value_name = "FILE", requires = "encrypt")]
    passphrase_file: Option<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Which keys to make.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Ed25519 (RFC 8032)
    Ed25519,
    /// ML-DSA-65 (FIPS 204), which stays secure against a quantum computer
    #[value(name = "ml-dsa-65")]
    MlDsa65,
    /// Both: a signer that signs with each
    Hybrid,
}

impl Kind {
    fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Ed25519 => &[Algorithm::Ed25519],
            Self::MlDsa65 => &[Algorithm::MlDsa65],
            Self::Hybrid => &Algorithm::ALL,
        }
    }
}

/// The result. Nothing in it is secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    private_key: String,
    public_key: String,
    key_id: String,
    /// The ids of the other keys of a hybrid signer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    algorithms: Vec<Algorithm>,
    encrypted: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let private = &arguments.output;
    files::refuse_dash(private)?;
    refuse_public_name(private)?;
    let public = private.with_extension("pub.pem");
    // An overwritten key is lost forever.
    for path in [private, &public] {
        files::refuse_existing(path)?;
    }
    files::refuse_place_of_key(private)?;
    let passphrase = match arguments.encrypt {
        true => {
            let source = secrets::passphrase(arguments.passphrase_file.as_deref());
            let shown = private.display().to_string();
            let chosen = source.choose(&shown);
            Some(chosen.map_err(|failure| failure.or_about(&shown))?)
        }
        false => None,
    };
    let key = keys::generate(arguments.algorithm.algorithms())?;
    let pem = keys::pem(&key, passphrase.as_ref())?;
    // Writes both halves or none.
    signals::uninterrupted(|| {
        write(private, pem.as_bytes(), Wanted::PrivateKey)?;
        let written = write(&public, key.public().to_pem().as_bytes(), Wanted::PublicKey);
        if written.is_err() {
            // If this fails, the error about the other half is enough.
            let _ = std::fs::remove_file(private);
        }
        written
    })?;
    let (key_id, more_key_ids) = keys::ids(&key.public());
    let report = Report {
        private_key: render::path(private),
        public_key: render::path(&public),
        key_id,
        more_key_ids,
        algorithms: arguments.algorithm.algorithms().to_vec(),
        encrypted: passphrase.is_some(),
    };
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn text(&self) -> String {
        let kept = match self.encrypted {
            true => "encrypted; keep it and its passphrase secret",
            false => "keep it secret",
        };
        let mut text = format!(
            "private key  {} ({kept})\npublic key   {}\n",
            self.private_key, self.public_key
        );
        let ids = std::iter::once(&self.key_id).chain(&self.more_key_ids);
        for (id, algorithm) in ids.zip(&self.algorithms) {
            // Most keys are for Ed25519.
            let algorithm = match self.algorithms.as_slice() {
                [Algorithm::Ed25519] => String::new(),
                _ => format!(" ({algorithm})"),
            };
            text.push_str(&format!("key id       {id}{algorithm}\n"));
        }
        text
    }
}

/// Refuses to write a private key under the name of a public key, because users would give it to
/// others.
fn refuse_public_name(private: &Path) -> Result<(), Failure> {
    let name = private.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    if ![".pub", ".pub.pem"].iter().any(|end| name.ends_with(*end)) {
        return Ok(());
    }
    let message = "this is the name of a public key's file, and the private key would be in it";
    Err(Failure::usage("output", message)
        .about(render::path(private))
        .hint("name the private key's file, such as key.pem: key.pub.pem goes beside it"))
}

/// Writes a new file. Never overwrites one.
pub(super) fn write(path: &Path, bytes: &[u8], kind: Wanted) -> Result<(), Failure> {
    files::refuse_existing(path)?;
    // Another process may create the file at this moment.
    match files::stage(path, bytes, kind)?.commit_if_absent()? {
        true => Ok(()),
        false => Err(files::exists(path)),
    }
}
