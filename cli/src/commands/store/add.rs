//! `edgec store add`: admits artifacts, one by one.

use std::path::{Path, PathBuf};

use edgec_loader::store::{
    Admission, ArtifactStore, Change, FolderError, NewStore, Standing, StoreError,
};
use edgec_loader::{Check, LoadError, LoadMode, Status};
use serde::Serialize;

use super::kind_warning;
use crate::Outcome;
use crate::companion::StatementArguments;
use crate::failure::Failure;
use crate::failures::loader::{file_failure, load_failure, store_failure};
use crate::render::out;
use crate::render::{self, Format, cell, safe};
use crate::reports::Reports;
use crate::trust::{Trust, TrustArguments};
use crate::{files, time};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The artifacts
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    #[command(flatten, next_help_heading = "Trust")]
    statements: StatementArguments,
    /// The format of the results
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

impl Arguments {
    /// What is trusted and expected.
    pub(super) fn trust(&self) -> Result<Trust, Failure> {
        self.trust.resolve_with(&self.statements)
    }
}

/// What an admission tells.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
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
    /// What has changed: `added`, `waits`, `unchanged`, `repaired` or `replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    /// The image that it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<String>,
    current: bool,
    #[serde(skip)]
    standing: Option<Standing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
    /// Warnings: that loads under the policy will be refused and why, and that the kind changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(super) fn run(at: &Path, arguments: &Arguments, trust: &Trust) -> Outcome {
    let paths = arguments.artifacts.iter();
    // If no artifact is admitted, a new store is removed at the end.
    let mut new = None;
    let added: Box<dyn Iterator<Item = Result<Admission, LoadError>>> =
        match opened(at, arguments, trust)? {
            Ok((store, made)) => {
                new = made;
                let add = move |path: &PathBuf| {
                    let added = store.add(path, &trust.policy, &trust.expected);
                    added.map_err(LoadError::from)
                };
                Box::new(paths.clone().map(add))
            }
            Err(refused) => Box::new(refused.into_iter().map(Err::<Admission, LoadError>)),
        };
    let mut reports = Reports::new(arguments.format);
    for (path, added) in paths.zip(added) {
        let mut report = Report {
            artifact: render::path(path),
            ..Report::default()
        };
        match added {
            Ok(admission) => {
                if let Some(new) = new.take() {
                    new.keep();
                }
                report.include(admission, trust);
            }
            Err(error) => {
                report.error = Some(file_failure(&error, path));
            }
        }
        match &report.error {
            Some(failure) => reports.fail(failure),
            None if arguments.format == Format::Text => print_report(&report),
            None => {}
        }
        reports.push(report);
    }
    reports.end()
}

/// A store, and what was made if the store is new.
type Opened = (ArtifactStore, Option<NewStore>);

/// The existing store, or a new one, which is made when the first artifact is verified. If no
/// artifact is verified, returns the reasons, and no store remains.
fn opened(
    at: &Path,
    arguments: &Arguments,
    trust: &Trust,
) -> Result<Result<Opened, Vec<LoadError>>, Failure> {
    match ArtifactStore::open(at) {
        Err(error) if is_no_store_yet(&error) => {}
        Err(error) => return Err(store_failure(&error)),
        Ok(store) => return Ok(Ok((store, None))),
    }
    let now = time::now()?;
    let mut refused = Vec::new();
    for path in &arguments.artifacts {
        match ArtifactStore::admissible(path, &trust.policy, &trust.expected, now) {
            Ok(()) => {
                return ArtifactStore::create_new(at)
                    .map(Ok)
                    .map_err(|error| not_made(&error));
            }
            Err(error) => refused.push(error.into()),
        }
    }
    Ok(Err(refused))
}

/// The failure to make a store.
pub(crate) fn not_made(error: &StoreError) -> Failure {
    match error {
        StoreError::Folder(FolderError::Io { source, .. }) => match files::remedy(source.kind()) {
            Some(remedy) => store_failure(error).hint(remedy),
            None => store_failure(error),
        },
        _ => store_failure(error),
    }
}

/// Whether a store may be made at this place. The attempt to make it finds other obstacles.
pub(crate) fn is_no_store_yet(error: &StoreError) -> bool {
    match error {
        StoreError::Absent { .. } | StoreError::NotAStore { .. } => true,
        error => error.is_absence(),
    }
}

impl Report {
    /// The report on an admission. The name of the artifact must be safe.
    #[cfg(feature = "registry")]
    pub(crate) fn of(artifact: String, admission: Admission, trust: &Trust) -> Self {
        let mut report = Self {
            artifact,
            ..Self::default()
        };
        report.include(admission, trust);
        report
    }

    fn include(&mut self, admission: Admission, trust: &Trust) {
        let Admission {
            manifest,
            checks,
            mode: found,
            change,
            standing,
            other_kind,
            ..
        } = admission;
        let refused = trust.policy.check_load_mode(found).err();
        let refused =
            refused.map(|error| load_failure(&LoadError::Mode(error)).about_safe(&self.artifact));
        let kind = other_kind.map(|other| kind_warning(&self.artifact, other));
        self.warnings = refused.into_iter().chain(kind).collect();
        self.mode = Some(found);
        self.current = standing == Standing::Current;
        self.standing = Some(standing);
        self.checks = checks;
        self.image = Some(manifest.image.fsverity.to_string());
        self.target = Some(manifest.target.id);
        self.version = Some(manifest.version);
        self.name = Some(manifest.name);
        self.change = Some(match change {
            Change::Waits => "waits",
            Change::Unchanged => "unchanged",
            Change::Repaired => "repaired",
            Change::Replaced { image } => {
                self.replaced = Some(image.to_string());
                "replaced"
            }
            _ => "added",
        });
    }
}

/// Prints the report on an admission.
pub(crate) fn print_report(report: &Report) {
    for check in report.checks.iter().filter(|c| c.status == Status::Warned) {
        let evidence = safe(&check.evidence);
        eprintln!("warning[{}]: {}: {evidence}", check.name, report.artifact);
    }
    report.warnings.iter().for_each(Failure::print_warning);
    let change = match (report.change, &report.replaced) {
        (Some("unchanged"), _) => "; already there".to_owned(),
        (Some("repaired"), _) => "; repaired what was damaged".to_owned(),
        (_, Some(image)) if report.image.as_ref() == Some(image) => {
            "; in place of an earlier signature".to_owned()
        }
        (_, Some(image)) => format!("; in place of image {image}"),
        _ => String::new(),
    };
    let text = |value: &Option<String>| cell(value.as_deref().unwrap_or_default());
    let standing = match &report.standing {
        Some(Standing::Older { current }) => format!("; the newer version {current} stays current"),
        Some(Standing::Chosen { current }) => {
            format!("; version {current} was chosen by `store use` and stays current")
        }
        Some(Standing::Lacks { current, targets }) => {
            let stays = match report.change {
                Some("waits") => "the artifacts of the older release stay".to_owned(),
                _ => format!("version {current} stays current"),
            };
            let targets = safe(&targets.join(", "));
            format!("; {stays} until there is one for {targets}")
        }
        _ => "; current".to_owned(),
    };
    out!(
        "{}: admitted as {} version {} for {}, {}{change}{standing}\n",
        report.artifact,
        text(&report.name),
        report.version.unwrap_or_default(),
        text(&report.target),
        report.mode.map_or("", LoadMode::name),
    );
}
