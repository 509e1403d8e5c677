//! `edgec policy init`: writes a strict policy for a key, and for the artifacts at hand.
//!
//! Every protection is on if its key is named; releases and timestamps have their own. To have
//! less, remove a line: the file says what each line does.

mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::Manifest;
use edgec_verifier::{LoadMode, Role, TrustPolicy, UnixTime, describe_unsigned};
use serde::Serialize;

use self::text::{Entry, imports, policy_text};
use crate::failure::{Exit, Failure};
use crate::failures::verifier::verify_failure_of;
use crate::file_kind::Wanted;
use crate::files;
use crate::number::{DAYS, number};
use crate::render::{self, Format};
use crate::{Outcome, document, time};

/// Write a strict policy for a key: every protection on, and no import that the artifacts at hand
/// do not have
///
/// Releases and timestamps are demanded if their keys are named. The policy never replaces a file.
/// `edgec policy check` describes it, and lists what it leaves off.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Artifacts to allow: their applications, channels, targets, profiles and imports. They are
    /// not verified
    artifacts: Vec<PathBuf>,
    /// The public key that must have signed; if repeated, each must have signed
    #[arg(long, value_name = "PUBLIC_KEY", required = true)]
    key: Vec<PathBuf>,
    /// The public key of releases: an artifact must belong to one
    /// (docs/releases-and-timestamps.md). It may be one of --key
    #[arg(long, value_name = "PUBLIC_KEY")]
    release_key: Option<PathBuf>,
    /// The public key of timestamps: the release must be the newest
    #[arg(long, value_name = "PUBLIC_KEY", requires = "release_key")]
    timestamp_key: Option<PathBuf>,
    /// The policy's name
    #[arg(long, default_value = "policy")]
    name: String,
    /// The days until the policy expires
    #[arg(long, value_name = "DAYS", default_value = "90", value_parser = number(1..=3650, DAYS))]
    days: u64,
    /// The weakest protection that a host must give to what it loads
    #[arg(long, value_name = "MODE", default_value = "trusted-store", value_parser = load_mode)]
    load_mode: LoadMode,
    /// The file of the policy
    #[arg(short, long, value_name = "FILE", default_value = "edgec-trust.toml")]
    output: PathBuf,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The policy that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policy: String,
    sha256: String,
    expires: String,
    threshold: usize,
    key_ids: Vec<String>,
    applications: Vec<String>,
    imports: usize,
}

fn load_mode(text: &str) -> Result<LoadMode, String> {
    let known = LoadMode::ALL.into_iter();
    let mut named = known.filter(|mode| mode.to_string() == text);
    named.next().ok_or_else(|| {
        let known: Vec<String> = LoadMode::ALL.iter().map(ToString::to_string).collect();
        format!("a load mode is one of {}", known.join(", "))
    })
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let output = &arguments.output;
    let statements = [&arguments.release_key, &arguments.timestamp_key];
    let mut read = [&arguments.artifacts[..], &arguments.key[..]].concat();
    read.extend(statements.into_iter().flatten().cloned());
    files::refuse_stdin_twice(&read)?;
    files::refuse_dash(output)?;
    files::refuse_existing(output)?;
    let mut signers = Vec::new();
    for path in &arguments.key {
        signers.push(Entry::read(path, Role::Artifact)?);
    }
    let roles = [Role::Release, Role::Timestamp];
    for (path, role) in statements.into_iter().zip(roles) {
        let Some(path) = path else { continue };
        let entry = Entry::read(path, role)?;
        match signers.iter_mut().find(|it| it.keys == entry.keys) {
            Some(known) => known.roles.push(role),
            None => signers.push(entry),
        }
    }
    let manifests: Vec<Manifest> = arguments
        .artifacts
        .iter()
        .map(|path| manifest(path))
        .collect::<Result<_, Failure>>()?;
    for (path, manifest) in arguments.artifacts.iter().zip(&manifests) {
        warn_of_no_expiry(path, manifest);
    }
    let expires = expiry(arguments.days)?;
    let text = policy_text(arguments, &signers, &manifests, expires);
    // It is a policy, unless one key has roles that exclude each other.
    let policy = TrustPolicy::from_toml(&text)
        .map_err(|error| Failure::rejected("trust-policy", &error).about(output.display()))?;
    super::super::keygen::write(output, text.as_bytes(), Wanted::Policy)?;
    let applications: BTreeSet<&String> = manifests.iter().map(|it| &it.name).collect();
    let ids = signers.iter().flat_map(|it| it.keys.iter());
    let report = Report {
        policy: render::path(output),
        sha256: policy.digest().to_string(),
        expires: expires.to_string(),
        threshold: policy.threshold(),
        key_ids: ids.map(|key| key.id().to_string()).collect(),
        applications: applications.iter().map(|it| render::safe(it)).collect(),
        imports: imports(&manifests).len(),
    };
    document::answer(true, &report, arguments.format, |report| {
        let signers = render::count(report.threshold, "signer");
        let of = match report.applications.as_slice() {
            [] => "no application yet".to_owned(),
            names => names.join(", "),
        };
        format!(
            "{}: {signers}, {of}, {}, expires at {}\n",
            report.policy,
            render::count(report.imports, "import"),
            report.expires
        )
    });
    Ok(ExitCode::SUCCESS)
}

fn manifest(path: &Path) -> Result<Manifest, Failure> {
    let file = files::read_artifact(path)?;
    let described = describe_unsigned(&file);
    let described = described
        .map_err(|error| verify_failure_of(&error, &file).about_safe(render::path(path)))?;
    let manifest = described.manifest;
    // It is not verified. In a policy, a star in its names would allow more than the artifact.
    let mut names = manifest.capabilities.imports.iter();
    let profile = &manifest.engine.profile;
    let star = names.find(|name| name.contains('*'));
    match star.or(Some(profile).filter(|it| it.contains('*'))) {
        Some(name) => {
            let message = format!("`{name}` has a `*`, which a policy takes for any text");
            let failure = Failure::new(Exit::Rejected, "trust-policy", message);
            Err(failure.about_safe(render::path(path)))
        }
        None => Ok(manifest),
    }
}

/// The policy requires that artifacts expire. The ones at hand may be examples.
fn warn_of_no_expiry(path: &Path, manifest: &Manifest) {
    if manifest.validity.is_none_or(|it| it.expires.is_none()) {
        let message = "the policy refuses it: it states no expiry";
        Failure::new(Exit::Rejected, "expiry-required", message)
            .about_safe(render::path(path))
            .hint("build it with `--expires`, or remove `expiry-required` from the policy")
            .print_warning();
    }
}

fn expiry(days: u64) -> Result<UnixTime, Failure> {
    let seconds = time::now()?.seconds().saturating_add(days * 24 * 60 * 60);
    // Whole days are easier to read.
    let day = seconds - seconds % (24 * 60 * 60);
    Ok(UnixTime::from_seconds(day))
}
