//! `edgec verify`: whether artifacts are signed by trusted keys and unchanged.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_verifier::{Manifest, TrustPolicy, VerifiedArtifact, VerifyError, verify};
use serde::Serialize;

use crate::failure::{Exit, Failure, code};
use crate::render::out;
use crate::render::{self, Format, safe};
use crate::time;
use crate::trust::TrustArguments;
use crate::{Outcome, files};

/// Verify artifacts: signatures, digest, manifest, validity
///
/// What is printed was checked; what was not checked is not printed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts; `-` is standard input
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
    /// How results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    verified: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Signature>,
    threshold: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signature {
    key: String,
    key_id: String,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let policy = arguments.trust.policy()?;
    let mut worst: Option<Exit> = None;
    let mut reports = Vec::new();
    for path in &arguments.artifacts {
        let shown = render::path(path);
        let report = match check(path, &policy) {
            Ok((report, text)) => {
                if arguments.format == Format::Text {
                    out!("{shown}: verified\n{text}");
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                let failure = failure.about(&shown);
                if arguments.format == Format::Text {
                    failure.print();
                }
                Report::failed(&policy, failure)
            }
        };
        reports.push(Report {
            artifact: shown,
            ..report
        });
    }
    if arguments.format == Format::Json {
        render::json(&reports);
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

fn check(path: &std::path::Path, policy: &TrustPolicy) -> Result<(Report, String), Failure> {
    let file = files::read_artifact(path)?;
    let artifact = verify(&file, policy, time::now()?).map_err(|error| failure(&error))?;
    let text = describe(&artifact, policy);
    let signatures = artifact.accepted().iter().map(|accepted| Signature {
        key: accepted.key_name.clone(),
        key_id: accepted.key_id.to_string(),
    });
    let report = Report {
        artifact: String::new(),
        verified: true,
        signatures: signatures.collect(),
        threshold: policy.threshold(),
        manifest: Some(artifact.into_manifest()),
        error: None,
    };
    Ok((report, text))
}

impl Report {
    fn failed(policy: &TrustPolicy, error: Failure) -> Self {
        Self {
            artifact: String::new(),
            verified: false,
            signatures: Vec::new(),
            threshold: policy.threshold(),
            manifest: None,
            error: Some(error),
        }
    }
}

/// The failure with what to do about it.
pub(crate) fn failure(error: &VerifyError) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    let hint = match error {
        VerifyError::Layout(_) => "the file is damaged or something else; build or fetch it again",
        VerifyError::Threshold { .. } => "`edgec inspect` shows whose ids the signatures carry",
        VerifyError::BadSignature { .. } => {
            "what was signed, or the signature, was changed: do not run it"
        }
        VerifyError::NoSignature => "sign it with `edgec sign`, or fetch it from its publisher",
        VerifyError::ImageDigest { .. } | VerifyError::ImageLength { .. } => {
            "the code was changed after it was signed: do not run it"
        }
        VerifyError::Expired { expires, .. } => {
            return failure.hint(format!("it expired at {}", time::show(*expires)));
        }
        VerifyError::NotYetValid { not_before, .. } => {
            return failure.hint(format!("it is valid from {}", time::show(*not_before)));
        }
        _ => return failure,
    };
    failure.hint(hint)
}

fn describe(artifact: &VerifiedArtifact<'_>, policy: &TrustPolicy) -> String {
    let manifest = artifact.manifest();
    let keys: Vec<String> = artifact
        .accepted()
        .iter()
        .map(|accepted| format!("{} ({})", safe(&accepted.key_name), accepted.key_id))
        .collect();
    let row = |name: &str, text: String| vec![format!("  {name}"), text];
    render::table(&[
        row(
            "signatures",
            format!(
                "{} of {} required: {}",
                keys.len(),
                policy.threshold(),
                keys.join(", ")
            ),
        ),
        row(
            "application",
            format!("{}, version {}", safe(&manifest.name), manifest.version),
        ),
        row(
            "image",
            format!(
                "{} bytes, fs-verity digest {}",
                manifest.image.length, manifest.image.fsverity
            ),
        ),
        row(
            "target",
            format!(
                "{} ({}), as in the image",
                safe(&manifest.target.id),
                safe(&manifest.target.triple)
            ),
        ),
        row("CPU features", cpu_features(manifest)),
        row(
            "engine",
            format!(
                "{} (signed; the image states its major version)",
                engine(manifest)
            ),
        ),
        row("validity", validity(manifest)),
    ])
}

pub(crate) fn engine(manifest: &Manifest) -> String {
    let engine = &manifest.engine;
    safe(&format!(
        "{} {}, profile {}",
        engine.name, engine.version, engine.profile
    ))
}

pub(crate) fn cpu_features(manifest: &Manifest) -> String {
    if manifest.target.cpu_features.is_empty() {
        "none beyond the base architecture".to_owned()
    } else {
        safe(&manifest.target.cpu_features.join(", "))
    }
}

pub(crate) fn validity(manifest: &Manifest) -> String {
    let Some(validity) = manifest.validity else {
        return "no limits stated".to_owned();
    };
    [
        ("issued", validity.issued),
        ("from", validity.not_before),
        ("until", validity.expires),
    ]
    .into_iter()
    .filter_map(|(word, at)| Some(format!("{word} {}", time::show(at?))))
    .collect::<Vec<_>>()
    .join(", ")
}
