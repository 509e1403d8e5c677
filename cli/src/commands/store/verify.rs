//! `edgec store verify`: hashes every image, and verifies every artifact again.

use edgec_loader::store::{ArtifactStore, StoredArtifact, Verification};
use serde::Serialize;

use super::ls::ProblemRow;
use super::subject;
use crate::Outcome;
use crate::failure::Failure;
use crate::failures::loader::{load_failure, store_failure};
use crate::render::out;
use crate::render::{Format, cell};
use crate::reports::Reports;
use crate::trust::TrustArguments;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    /// The format of the results
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

#[derive(Serialize)]
struct Judgement {
    #[serde(flatten)]
    about: About,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum About {
    Artifact(StoredArtifact),
    Problem(ProblemRow),
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let trust = arguments.trust.resolve()?;
    let expected = &trust.expected;
    if expected.wanted_application().is_some() || expected.wanted_channel().is_some() {
        let message = "every artifact of the store is verified: leave out --name and --channel";
        return Err(Failure::usage("name", message));
    }
    if expected.provenances().next().is_some() {
        let message = "the store has the provenances of its artifacts: leave out --provenance";
        return Err(Failure::usage("provenance", message));
    }
    if expected.sboms().next().is_some() {
        let message = "the store has the bills of materials of its artifacts: leave out --sbom";
        return Err(Failure::usage("sbom", message));
    }
    let verified = store
        .verify(&trust.policy)
        .map_err(|error| store_failure(&error))?;
    let mut reports = Reports::new(arguments.format);
    for Verification {
        artifact, error, ..
    } in verified.artifacts
    {
        let name = subject(&artifact.name, artifact.channel.as_deref());
        let subject = format!(
            "{name} version {} for {}",
            artifact.version,
            cell(&artifact.target)
        );
        let error = error.map(|error| load_failure(&error.into()).or_about_safe(&subject));
        match &error {
            Some(failure) => reports.fail(failure),
            None if arguments.format == Format::Text => out!("{subject}: verified\n"),
            None => {}
        }
        reports.push(Judgement {
            verified: error.is_none(),
            about: About::Artifact(artifact),
            error,
        });
    }
    for problem in verified.problems.into_iter().map(ProblemRow::new) {
        reports.fail(problem.failure());
        reports.push(Judgement {
            verified: false,
            about: About::Problem(problem),
            error: None,
        });
    }
    reports.end()
}
