//! `edgec policy`: signing a trust policy, and reading one as a host would.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Artifact, Statement};
use edgec_verifier::{MAX_GUARDED_LEN, PublicKey, TrustPolicy, policy_envelope};

use crate::Outcome;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files;
use crate::render::{self, out, outln, safe};
use crate::signer::{SignerArguments, bad_signature, read_signature};
use crate::trust::read_policy;

/// Sign a trust policy, or check one
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sign(Box<Sign>),
    Check(Check),
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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["SignerArguments", "attach", "output"], help_heading = "Signatures")]
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
}

/// Read a policy as a host would, and say what it is
///
/// With artifacts it also says of each what kind of program it holds and whether its imports are
/// allowed; it verifies none. Exit codes: 0 they are; 1 one is not, or the policy cannot be read.
#[derive(clap::Args)]
struct Check {
    /// The policy
    policy: PathBuf,
    /// Artifacts that it is for, the old one first: a program whose kind changed has other imports
    artifacts: Vec<PathBuf>,
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
    // A signed policy may take another signature where it lies; a bare one is a source, and
    // stays.
    if let Some(output) = &arguments.output {
        if envelope.signatures().is_empty() {
            files::spare_inputs(std::slice::from_ref(path), output)?;
        }
        files::spare(&read, output, Wanted::SignedPolicy)?;
    }
    // Do not sign a policy that no host would read.
    let policy = TrustPolicy::decode(envelope.payload(), &[], 0)
        .map_err(|error| malformed(error.code(), &error))?;
    if let Some(output) = &arguments.output {
        refuse_other_policy(output, &policy)?;
    }
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
    files::write(output, &bytes, Wanted::SignedPolicy)?;
    outln!("{}: signed by {}", render::path(output), public.id());
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
    if let Some(version) = old
        .version()
        .filter(|version| new.version() < Some(*version))
    {
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
            files::spare(&read, file, Wanted::Pae)?;
            files::write(file, pae, Wanted::Pae)?;
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

fn check(arguments: &Check) -> Outcome {
    let path = &arguments.policy;
    files::refuse_stdin_twice(&arguments.artifacts)?;
    let policy = read_policy(path, &arguments.root)?;
    let shown = |row: &str, text: String| vec![format!("  {row}"), text];
    let keys = policy.keys().map(|trusted| {
        let name = safe(&trusted.name);
        shown("key", format!("{name} ({})", trusted.key.id()))
    });
    let keys: Vec<_> = keys.collect();
    let mut rows = vec![shown("sha256", policy.digest().to_string())];
    rows.extend(
        policy
            .signed_by()
            .iter()
            .map(|id| shown("signed by", id.to_string())),
    );
    let threshold = format!("{} of {} keys", policy.threshold(), keys.len());
    rows.push(shown("threshold", threshold));
    rows.extend(keys);
    rows.extend(
        policy
            .summary()
            .into_iter()
            .map(|(row, text)| shown(row, safe(&text))),
    );
    let name = safe(policy.name().unwrap_or("a policy without a name"));
    let version = match policy.version() {
        Some(version) => format!("version {version}"),
        None => "no version".to_owned(),
    };
    out!(
        "{}: {name}, {version}\n{}",
        render::path(path),
        render::table(&rows)
    );
    imports(&policy, &arguments.artifacts)
}

/// Says of each artifact whether the policy allows its imports.
fn imports(policy: &TrustPolicy, artifacts: &[PathBuf]) -> Outcome {
    let mut exit = ExitCode::SUCCESS;
    let mut before: Option<(String, &str)> = None;
    for path in artifacts {
        let shown = render::path(path);
        let file = files::read_artifact(path)?;
        let rejected =
            |code, error: &dyn std::error::Error| Failure::rejected(code, error).about(&shown);
        let artifact = Artifact::decode(&file)
            .map_err(|error| explain(rejected("layout", &error), &file, Wanted::Artifact))?;
        let statement = Statement::decode(artifact.envelope().payload());
        let Statement { manifest } = statement.map_err(|error| rejected("statement", &error))?;
        let kind = manifest.kind.name();
        let refused = policy.refused_imports(&manifest.capabilities.imports);
        let judged = match refused.as_slice() {
            [] => "its imports are allowed".to_owned(),
            refused => {
                exit = code(Exit::Rejected);
                format!("its imports are not allowed: {}", safe(&refused.join(", ")))
            }
        };
        outln!("{shown}: a {kind}, not verified; {judged}");
        if let Some((other, other_kind)) = before.filter(|(_, other)| *other != kind) {
            outln!("the kind differs: {other} is a {other_kind}, {shown} is a {kind}");
        }
        before = Some((shown, kind));
    }
    Ok(exit)
}
