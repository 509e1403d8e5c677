//! `edgec policy`: signing a trust policy, and reading one as a host would.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::{Envelope, Signature, pae};
use edgec_verifier::{POLICY_PAYLOAD_TYPE, TrustPolicy};

use crate::failure::Failure;
use crate::files::{self, Access};
use crate::render::outln;
use crate::trust::read_policy;
use crate::{Outcome, keys, time};

/// Sign a trust policy, or check one
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sign(Sign),
    Check(Check),
}

/// Sign a policy with a root key
///
/// A policy that is signed already is signed once more, and keeps its signatures.
#[derive(clap::Args)]
struct Sign {
    /// The policy (TOML), or a signed one
    policy: PathBuf,
    /// The root's private key
    #[arg(long)]
    key: PathBuf,
    /// Where the signed policy goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Read a policy as a host would, and say what it is
#[derive(clap::Args)]
struct Check {
    /// The policy
    policy: PathBuf,
    /// A public key that must have signed it; repeat it and each must have
    #[arg(long, value_name = "PUBLIC_KEY")]
    root: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Sign(arguments) => sign(arguments),
        Command::Check(arguments) => check(arguments),
    }
}

fn sign(arguments: &Sign) -> Outcome {
    let path = &arguments.policy;
    files::refuse_dash(&arguments.output)?;
    let key = keys::read(&arguments.key)?;
    let text = files::read_text(path)?;
    let (payload, mut signatures) = if text.starts_with('{') {
        let envelope = Envelope::decode_as(POLICY_PAYLOAD_TYPE, text.as_bytes())
            .map_err(|error| Failure::rejected("policy-signature", &error).about(path.display()))?;
        (envelope.payload().to_vec(), envelope.signatures().to_vec())
    } else {
        (text.into_bytes(), Vec::new())
    };
    // Nobody should put their name to what no host would read.
    TrustPolicy::decode(&payload, &[], 0)
        .map_err(|error| Failure::rejected(error.code(), &error).about(path.display()))?;
    let id = key.public().id().to_string();
    signatures.retain(|signature| signature.key_id() != id);
    let signature = key.sign(&pae(POLICY_PAYLOAD_TYPE, &payload));
    signatures.push(Signature::new(&id, signature));
    let envelope = Envelope::new(payload, signatures).encode_as(POLICY_PAYLOAD_TYPE);
    TrustPolicy::decode(&envelope, &[key.public()], 0)
        .map_err(|error| Failure::rejected("self-check", &error).about(path.display()))?;
    files::write(&arguments.output, &envelope, Access::Public)?;
    outln!("{}: signed by {id}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}

fn check(arguments: &Check) -> Outcome {
    let path = &arguments.policy;
    let policy = read_policy(path, &arguments.root)?;
    let name = policy.name().unwrap_or("a policy without a name");
    let version = policy.version().map_or("no version".to_owned(), |version| {
        format!("version {version}")
    });
    outln!(
        "{}: {}, {version}",
        path.display(),
        crate::render::safe(name)
    );
    outln!("  sha256     {}", policy.digest());
    for id in policy.signed_by() {
        outln!("  signed by  {id}");
    }
    outln!(
        "  threshold  {} of {} keys",
        policy.threshold(),
        policy.keys().count()
    );
    for trusted in policy.keys() {
        let name = crate::render::safe(&trusted.name);
        outln!("  key        {name} ({})", trusted.key.id());
    }
    let expires = policy.expires().map_or("never".to_owned(), time::show);
    outln!("  expires    {expires}");
    Ok(ExitCode::SUCCESS)
}
