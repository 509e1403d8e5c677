//! `edgec policy`: signing a trust policy, and reading one as a host would.

mod check;

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_verifier::{MAX_GUARDED_LEN, PublicKey, TrustPolicy, policy_envelope};
use serde::Serialize;

use crate::Outcome;
use crate::failure::{Exit, Failure};
use crate::files::{self, Access};
use crate::render::{self, Format, outln};
use crate::signer::{SignerArguments, bad_signature, read_signature};

/// Sign a trust policy, or check one
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sign(Box<Sign>),
    Check(check::Arguments),
}

/// Sign a policy with a root key
///
/// A policy that is signed already is signed once more, and keeps its signatures.
#[derive(clap::Args)]
struct Sign {
    /// The policy (TOML), or a signed one
    policy: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
    /// Sign nothing: write what is to be signed (DSSE PAE), `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["SignerArguments", "attach", "output", "format"], help_heading = "Signatures")]
    export_pae: Option<PathBuf>,
    /// Attach a signature that was made elsewhere (64 bytes, or base64)
    #[arg(long, value_name = "FILE", requires = "public_key", conflicts_with_all = ["key", "passphrase_file", "signer", "pkcs11_module"], help_heading = "Signatures")]
    attach: Option<PathBuf>,
    /// Where the signed policy goes
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "export_pae",
        help_heading = "Output"
    )]
    output: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

/// A signed policy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    policy: String,
    key_id: String,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Sign(arguments) => sign(arguments),
        Command::Check(arguments) => check::run(arguments),
    }
}

fn sign(arguments: &Sign) -> Outcome {
    let path = &arguments.policy;
    let mut read = arguments.signer.reads();
    read.extend(arguments.attach.clone());
    // A signed policy may take another signature where it lies; a bare one is a source, and
    // stays.
    let mut envelope = policy_envelope(&files::read_short(path)?)
        .map_err(|error| Failure::rejected("policy-signature", &error).about(path.display()))?;
    if let Some(output) = &arguments.output {
        files::spare(&read, output)?;
        if envelope.signatures().is_empty() {
            files::spare(std::slice::from_ref(path), output)?;
        }
    }
    read.push(path.clone());
    files::refuse_stdin_twice(&read)?;
    // Do not sign a policy that no host would read.
    TrustPolicy::decode(envelope.payload(), &[], 0)
        .map_err(|error| Failure::rejected(error.code(), &error).about(path.display()))?;
    let Some(output) = &arguments.output else {
        return export(arguments, &envelope.pae());
    };
    let (public, signature) = signature(arguments, &envelope.pae())?;
    let attached = envelope.attach(&public, signature);
    attached.map_err(|error| bad_signature(&error).about(path.display()))?;
    let bytes = envelope.encode();
    if bytes.len() as u64 > MAX_GUARDED_LEN {
        let message = format!("signed it has more than {MAX_GUARDED_LEN} bytes");
        return Err(Failure::new(Exit::Rejected, "policy-file", message).about(path.display()));
    }
    files::write(output, &bytes, Access::Public)?;
    let signed = Signed {
        policy: render::path(output),
        key_id: public.id().to_string(),
    };
    match arguments.format {
        Format::Json => render::json(&signed),
        Format::Text => outln!("{}: signed by {}", signed.policy, signed.key_id),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes what is to be signed elsewhere.
fn export(arguments: &Sign, pae: &[u8]) -> Outcome {
    match &arguments.export_pae {
        Some(file) if file.as_os_str() != files::STDIN => {
            files::spare(std::slice::from_ref(&arguments.policy), file)?;
            files::write(file, pae, Access::Public)?;
        }
        _ => render::write_stdout(pae),
    }
    Ok(ExitCode::SUCCESS)
}

/// What was signed elsewhere, or is signed now.
fn signature(arguments: &Sign, pae: &[u8]) -> Result<(PublicKey, [u8; 64]), Failure> {
    if let Some(attached) = &arguments.attach {
        // clap has seen to that.
        let public = arguments
            .signer
            .public_key()?
            .ok_or_else(|| Failure::usage("public-key", "--attach needs --public-key"))?;
        return Ok((public, read_signature(attached)?));
    }
    let signer = arguments.signer.signer()?.ok_or_else(|| {
        Failure::usage("no-key", "no signing key given").hint("name the root key with --key")
    })?;
    Ok((signer.public(), signer.sign(pae)?))
}
