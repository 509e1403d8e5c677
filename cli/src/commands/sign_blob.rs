//! `edgec sign-blob`: signs a file that is no artifact. The signed statement has the file's name,
//! SHA-256 and length, in a DSSE envelope that cosign and in-toto tools read as well.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Attestation, is_unseen};
use edgec_packager::{KeyIdHint, UnsignedAttestation};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::keys;
use crate::render::{self, Format, safe};
use crate::signer::SignerArguments;

/// Sign a file that is no artifact (docs/blobs.md)
///
/// The signature is in a file of its own, a DSSE envelope. It covers the file's name, SHA-256 and
/// length. The file itself is not read into memory, and stays as it is.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file; `-` is standard input
    file: PathBuf,
    /// The name to sign [default: the file's name without folders]
    #[arg(long, help_heading = "Signatures")]
    name: Option<String>,
    /// Keep the signatures that the output file has on the same statement
    #[arg(long, help_heading = "Signatures")]
    append: bool,
    /// Write the key's id beside the signature; cosign then does not count the signature
    #[arg(long, help_heading = "Signatures")]
    with_key_id: bool,
    /// The file for the attestation [default: FILE.dsse.json]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    #[command(flatten)]
    signer: SignerArguments,
}

/// A signed file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    file: String,
    attestation: String,
    key_id: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    /// What was signed.
    name: String,
    sha256: String,
    bytes: u64,
    signatures: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.file;
    let name = signed_name(path, arguments.name.as_deref())?;
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => attestation_of(path)?,
    };
    let read = [arguments.signer.reads(), vec![path.clone()]].concat();
    files::spare(&read, &output, Wanted::Attestation)?;
    // Read before the user is asked for a passphrase or a PIN.
    let earlier = match arguments.append {
        true => Some(earlier(&output)?),
        false => None,
    };
    let (sha256, bytes) = files::digest(path)?;
    let mut unsigned = UnsignedAttestation::of_blob(&name, sha256, bytes);
    if let Some(earlier) = earlier {
        unsigned = unsigned
            .with_signatures_of(earlier)
            .ok_or_else(|| other_statement(&output))?;
    }
    let signer = arguments.signer.signer_or_attached(None)?;
    let hint = match arguments.with_key_id {
        true => KeyIdHint::Stated,
        false => KeyIdHint::LeftOut,
    };
    let signed = unsigned
        .sign(&signer, hint)
        .map_err(|failure| failure.or_about(path.display()))?;
    files::write(&output, signed.as_bytes(), Wanted::Attestation)?;
    let (key_id, more_key_ids) = keys::ids(&signer.public());
    let report = Signed {
        file: render::path(path),
        attestation: render::path(&output),
        key_id,
        more_key_ids,
        name: safe(&name),
        sha256: sha256.to_string(),
        bytes,
        signatures: Attestation::decode(signed.as_bytes()).map_or(0, |it| it.signatures()),
    };
    document::answer(true, &report, arguments.format, Signed::text);
    Ok(ExitCode::SUCCESS)
}

impl Signed {
    fn text(&self) -> String {
        let count = render::count(self.signatures, "signature");
        format!(
            "{}: signed by {}\n  {} ({}), sha256 {}\n  {} in {}\n",
            self.file,
            keys::listed(&self.key_id, &self.more_key_ids),
            self.name,
            render::size(self.bytes),
            self.sha256,
            count,
            self.attestation
        )
    }
}

/// The attestation beside a file.
pub(super) fn attestation_of(file: &Path) -> Result<PathBuf, Failure> {
    if file.as_os_str() == files::STDIN {
        return Err(
            Failure::usage("output", "standard input has no attestation beside it")
                .about(files::STDIN)
                .hint("name the file of the attestation"),
        );
    }
    let mut name = OsString::from(file);
    name.push(".dsse.json");
    Ok(PathBuf::from(name))
}

/// The name that is signed: the given one, else the file's own.
pub(super) fn signed_name(file: &Path, given: Option<&str>) -> Result<String, Failure> {
    let own = || {
        let name = file
            .file_name()
            .filter(|_| file.as_os_str() != files::STDIN);
        name.and_then(|name| name.to_str()).map(str::to_owned)
    };
    let name = given.map(str::to_owned).or_else(own).ok_or_else(|| {
        Failure::usage("name", "this has no name that can be signed")
            .about(file.display())
            .hint("name it with --name")
    })?;
    if name.is_empty() || name.chars().any(is_unseen) {
        let message = "the name is empty, or has characters that cannot be seen";
        return Err(Failure::usage("name", message)
            .about(&name)
            .hint("name it with --name"));
    }
    Ok(name)
}

/// The attestation that gets another signature.
fn earlier(path: &Path) -> Result<Attestation, Failure> {
    let bytes = files::read_attestation(path)?;
    Attestation::decode(&bytes).map_err(|error| {
        let failure = Failure::rejected("attestation", &error).about(path.display());
        explain(failure, &bytes, Wanted::Attestation)
    })
}

fn other_statement(path: &Path) -> Failure {
    let message = "the attestation there is about another file or name";
    Failure::new(Exit::Rejected, "other-blob", message)
        .about(path.display())
        .hint("leave out --append to replace it")
}
