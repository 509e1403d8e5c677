//! `edgec policy`: signs a trust policy, and reads one as a host would.

mod check;
mod init;
mod replaced;
mod update;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_verifier::{MAX_GUARDED_LEN, TrustPolicy, policy_envelope};
use serde::Serialize;

use crate::document;
use crate::failure::{Exit, Failure};
use crate::failures::packager::bad_signature;
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files;
use crate::render::{self, Format};
use crate::signer::SignerArguments;
use crate::two_steps::TwoSteps;
use crate::{Outcome, keys};

/// Write, sign or check a trust policy, or follow a chain of them
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sign(Box<Sign>),
    Check(check::Arguments),
    Update(update::Arguments),
    Init(Box<init::Arguments>),
}

/// Sign a policy with a root key
///
/// A policy that is already signed keeps its signatures and gets another one. The same applies if
/// the output file is a signed policy with the same bytes.
#[derive(clap::Args)]
struct Sign {
    /// The policy (TOML), or a signed one
    policy: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
    #[command(flatten)]
    steps: TwoSteps,
    /// The file for the signed policy
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "export_pae",
        help_heading = "Output"
    )]
    output: Option<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

/// A signed policy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    policy: String,
    key_id: String,
    /// The ids of the signer's other keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    /// The key ids whose signatures were removed, because they were over other bytes.
    dropped: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Sign(arguments) => sign(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Update(arguments) => update::run(arguments),
        Command::Init(arguments) => init::run(arguments),
    }
}

fn sign(arguments: &Sign) -> Outcome {
    let path = &arguments.policy;
    let mut read = arguments.signer.reads();
    read.extend(arguments.steps.attached().map(Path::to_owned));
    let all = [&read[..], std::slice::from_ref(path)].concat();
    files::refuse_stdin_twice(&all)?;
    let file =
        files::read_short(path).map_err(|failure| explain_file(failure, path, Wanted::Policy))?;
    let malformed = |code: &'static str, error: &dyn std::error::Error| {
        let failure = Failure::rejected(code, error).about(path.display());
        explain(failure, &file, Wanted::Policy)
    };
    let mut envelope =
        policy_envelope(&file).map_err(|error| malformed("policy-signature", &error))?;
    // Refuses to sign a policy that no host would read.
    let policy = TrustPolicy::decode_source(envelope.payload())
        .map_err(|error| malformed(error.code(), &error))?;
    let Some(output) = &arguments.output else {
        let pae = envelope.pae();
        arguments.steps.export(&pae, &all, Wanted::PolicyPae)?;
        return Ok(ExitCode::SUCCESS);
    };
    // A signed policy may get another signature in its own file. An unsigned one is a source, and
    // stays as it is.
    if envelope.signatures().is_empty() {
        files::spare_inputs(std::slice::from_ref(path), output)?;
    }
    files::spare(&read, output, Wanted::SignedPolicy)?;
    replaced::find(output, &policy)?;
    let signer = &arguments.signer;
    let signer = signer.signer_or_attached(arguments.steps.attached())?;
    let made = signer.sign(&envelope.pae())?;
    // Checked again here, because signing may have taken long.
    let old = replaced::find(output, &policy)?;
    let is_same = old
        .as_ref()
        .is_some_and(|old| envelope.merge(&old.envelope));
    for made in made {
        let attached = envelope.attach(&made.by, made.bytes);
        attached.map_err(|error| bad_signature(&error).about(path.display()))?;
    }
    let bytes = envelope.encode();
    if bytes.len() as u64 > MAX_GUARDED_LEN {
        let message = format!("the signed policy would have more than {MAX_GUARDED_LEN} bytes");
        return Err(Failure::new(Exit::Rejected, "trust-file", message).about(path.display()));
    }
    files::write(output, &bytes, Wanted::SignedPolicy)?;
    if let Some(old) = old.as_ref().filter(|_| !is_same) {
        old.warn_of_same_version(output, &policy);
    }
    let dropped = old.as_ref().map(|old| old.dropped(&envelope));
    let (key_id, more_key_ids) = keys::ids(&signer.public());
    let signed = Signed {
        policy: render::path(output),
        key_id,
        more_key_ids,
        dropped: dropped.unwrap_or_default(),
    };
    document::answer(true, &signed, arguments.format, Signed::text);
    Ok(ExitCode::SUCCESS)
}

impl Signed {
    fn text(&self) -> String {
        let ids = keys::listed(&self.key_id, &self.more_key_ids);
        let mut text = format!("{}: signed by {ids}\n", self.policy);
        for id in &self.dropped {
            text.push_str(&format!(
                "  the signature by {id} was removed: it was over another policy\n"
            ));
        }
        text
    }
}
