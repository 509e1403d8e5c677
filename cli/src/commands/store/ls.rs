//! `edgec store ls`: lists the releases of a store.

use std::process::ExitCode;

use edgec_loader::store::{ArtifactStore, Condition, Problem, StoredArtifact};
use serde::Serialize;

use super::problem_failure;
use crate::Outcome;
use crate::document;
use crate::failure::Failure;
use crate::failures::loader::store_failure;
use crate::render::out;
use crate::render::{self, Format, cell, safe};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The format of the list
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The artifact that a name points at, or why it is unknown.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Artifact(StoredArtifact),
    Problem(ProblemRow),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProblemRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    error: Failure,
}

impl ProblemRow {
    pub(super) fn new(problem: Problem) -> Self {
        Self {
            error: problem_failure(&problem),
            name: problem.name,
            channel: problem.channel,
            version: problem.version,
        }
    }

    pub(super) fn failure(&self) -> &Failure {
        &self.error
    }
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let listing = store.list().map_err(|error| store_failure(&error))?;
    let problems = listing.problems.into_iter();
    let problems = problems.map(ProblemRow::new).map(Row::Problem);
    let artifacts = listing.artifacts.into_iter().map(Row::Artifact);
    let rows: Vec<Row> = artifacts.chain(problems).collect();
    if arguments.format == Format::Json {
        document::print_list(true, &rows);
        return Ok(ExitCode::SUCCESS);
    }
    let head = [
        "NAME", "CHANNEL", "VERSION", "", "TARGET", "PROFILE", "SIZE", "ON DISK", "MODE", "IMAGE",
    ];
    let head = head.map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(head)
        .chain(rows.iter().map(|row| match row {
            Row::Artifact(artifact) => artifact_cells(artifact),
            Row::Problem(problem) => problem_cells(problem),
        }))
        .collect();
    out!("{}", render::table(&rows));
    Ok(ExitCode::SUCCESS)
}

/// The text for a missing value; a name like it is quoted.
fn nothing() -> String {
    "-".to_owned()
}

fn artifact_cells(artifact: &StoredArtifact) -> Vec<String> {
    let size = |bytes: u64| match artifact.condition {
        Condition::Missing => "-".to_owned(),
        _ => render::size(bytes),
    };
    let mode = match (artifact.condition, artifact.mode) {
        (Condition::Whole, Some(mode)) => mode.name(),
        (condition, _) => condition.name(),
    };
    vec![
        cell(&artifact.name),
        artifact.channel.as_deref().map_or_else(nothing, cell),
        artifact.version.to_string(),
        if artifact.current { "current" } else { "" }.to_owned(),
        cell(&artifact.target),
        cell(&artifact.profile),
        size(artifact.length),
        size(artifact.disk),
        mode.to_owned(),
        artifact.image.to_string(),
    ]
}

/// The problem is shown in place of the image, which is unknown.
fn problem_cells(problem: &ProblemRow) -> Vec<String> {
    let version = problem.version.map(|version| version.to_string());
    let mut cells = vec![
        problem.name.as_deref().map_or_else(nothing, cell),
        problem.channel.as_deref().map_or_else(nothing, cell),
        version.unwrap_or_else(nothing),
        String::new(),
    ];
    cells.extend([nothing(), nothing(), nothing(), nothing()]);
    cells.push(problem.error.code().to_owned());
    cells.push(safe(problem.error.message()));
    cells
}
