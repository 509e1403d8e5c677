//! `edgec policy`: signing a trust policy, and reading one as a host would.

mod check;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_verifier::{MAX_GUARDED_LEN, PublicKey, TrustPolicy, policy_envelope};
use serde::Serialize;

use crate::Outcome;
use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files;
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
    files::refuse_stdin_twice(&[&read[..], std::slice::from_ref(path)].concat())?;
    let file =
        files::read_short(path).map_err(|failure| explain_file(failure, path, Wanted::Policy))?;
    let malformed = |code: &'static str, error: &dyn std::error::Error| {
        let failure = Failure::rejected(code, error).about(path.display());
        explain(failure, &file, Wanted::Policy)
    };
    let mut envelope =
        policy_envelope(&file).map_err(|error| malformed("policy-signature", &error))?;
    // Do not sign a policy that no host would read.
    let policy = TrustPolicy::decode(envelope.payload(), &[], 0)
        .map_err(|error| malformed(error.code(), &error))?;
    let Some(output) = &arguments.output else {
        return export(arguments, &envelope.pae());
    };
    // A signed policy may take another signature where it lies; a bare one is a source, and
    // stays.
    if envelope.signatures().is_empty() {
        files::spare_inputs(std::slice::from_ref(path), output)?;
    }
    files::spare(&read, output, Wanted::SignedPolicy)?;
    refuse_other_policy(output, &policy)?;
    let (public, signature) = signature(arguments, &envelope.pae())?;
    let attached = envelope.attach(&public, signature);
    attached.map_err(|error| bad_signature(&error).about(path.display()))?;
    let bytes = envelope.encode();
    if bytes.len() as u64 > MAX_GUARDED_LEN {
        let message = format!("signed it has more than {MAX_GUARDED_LEN} bytes");
        return Err(Failure::new(Exit::Rejected, "policy-file", message).about(path.display()));
    }
    // Signing may have taken long.
    refuse_other_policy(output, &policy)?;
    files::write(output, &bytes, Wanted::SignedPolicy)?;
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

/// Refuses to put a signed policy in the place of another one: of another name, or of a higher
/// version, which hosts may have seen.
fn refuse_other_policy(output: &Path, new: &TrustPolicy) -> Result<(), Failure> {
    let there = output.symlink_metadata();
    if !there.is_ok_and(|there| there.is_file()) {
        return Ok(());
    }
    let bytes = files::read_short(output)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let refused = |code: &'static str, message: String, hint: &str| {
        let failure = Failure::new(Exit::Rejected, code, message);
        Err(failure.about(output.display()).hint(hint))
    };
    let old = policy_envelope(&bytes).ok();
    let old = old.and_then(|old| TrustPolicy::decode(old.payload(), &[], 0).ok());
    let Some(old) = old else {
        let message = "a signed policy that this edgec does not read lies there";
        let hint = "name another file, or remove this one first";
        return refused("other-policy", message.to_owned(), hint);
    };
    if let Some(name) = old.name().filter(|name| new.name() != Some(*name)) {
        let other = match new.name() {
            Some(other) => format!("the policy `{other}`"),
            None => "a policy without a name".to_owned(),
        };
        let message = format!("the signed policy `{name}` lies there, and this is {other}");
        let hint = "name another file, or remove this one first";
        return refused("other-policy", message, hint);
    }
    let newer = old.version().filter(|old| new.version() < Some(*old));
    if let Some(version) = newer {
        let other = match new.version() {
            Some(other) => format!("this is version {other}"),
            None => "this one states none".to_owned(),
        };
        let message = format!("version {version} of the signed policy lies there, and {other}");
        let hint = "hosts that have seen that version follow no older one: raise `version`, name \
                    another file, or remove this one first";
        return refused("policy-rollback", message, hint);
    }
    Ok(())
}

/// Writes what is to be signed elsewhere.
fn export(arguments: &Sign, pae: &[u8]) -> Outcome {
    match &arguments.export_pae {
        Some(file) if file.as_os_str() != files::STDIN => {
            let read = [arguments.signer.reads(), vec![arguments.policy.clone()]].concat();
            files::spare(&read, file, Wanted::PolicyPae)?;
            files::write(file, pae, Wanted::PolicyPae)?;
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
