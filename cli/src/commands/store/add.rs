//! `edgec store add`: admission, artifact by artifact.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_loader::store::{Standing, Store};
use edgec_loader::{Check, LoadMode, Status};
use serde::Serialize;

use crate::Outcome;
use crate::commands::run::load_failure;
use crate::failure::{Exit, Failure, code};
use crate::render::out;
use crate::render::{self, Format, safe};
use crate::trust::{Trust, TrustArguments};

#[derive(clap::Args)]
pub(super) struct Add {
    /// The artifacts
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) trust: TrustArguments,
    /// How results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    artifact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<LoadMode>,
    current: bool,
    #[serde(skip)]
    standing: Option<Standing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(super) fn add_all(store: &Store, add: &Add, trust: &Trust) -> Outcome {
    let mut worst: Option<Exit> = None;
    let mut reports = Vec::new();
    for path in &add.artifacts {
        let mut report = Added {
            artifact: render::path(path),
            name: None,
            version: None,
            target: None,
            image: None,
            mode: None,
            current: false,
            standing: None,
            checks: Vec::new(),
            error: None,
        };
        match store.add(path, &trust.policy, &trust.expected) {
            Ok(admitted) => {
                report.mode = Some(admitted.mode);
                report.current = admitted.standing == Standing::Current;
                report.standing = Some(admitted.standing);
                report.checks = admitted.checks;
                let manifest = admitted.manifest;
                report.image = Some(manifest.image.fsverity.to_string());
                report.target = Some(manifest.target.id);
                report.version = Some(manifest.version);
                report.name = Some(manifest.name);
            }
            Err(error) => {
                let failure = load_failure(&error).about(path.display());
                worst = worst.max(Some(failure.exit()));
                report.error = Some(failure);
            }
        }
        if add.format == Format::Text {
            print_added(&report);
        }
        reports.push(report);
    }
    if add.format == Format::Json {
        render::json(&reports);
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

fn print_added(report: &Added) {
    if let Some(failure) = &report.error {
        return failure.print();
    }
    for check in report.checks.iter().filter(|c| c.status == Status::Warned) {
        let evidence = safe(&check.evidence);
        eprintln!("warning[{}]: {}: {evidence}", check.name, report.artifact);
    }
    let text = |value: &Option<String>| safe(value.as_deref().unwrap_or_default());
    let standing = match &report.standing {
        Some(Standing::Older { current }) => format!("; the newer version {current} stays current"),
        Some(Standing::Chosen { current }) => {
            format!("; version {current} was chosen by `store use` and stays current")
        }
        Some(Standing::Lacks { current, targets }) => format!(
            "; version {current} stays current until there is one for {}",
            safe(&targets.join(", "))
        ),
        _ => "; current".to_owned(),
    };
    out!(
        "{}: admitted as {} version {} for {}, {}{standing}\n",
        report.artifact,
        text(&report.name),
        report.version.unwrap_or_default(),
        text(&report.target),
        report.mode.map_or("", LoadMode::name),
    );
}
