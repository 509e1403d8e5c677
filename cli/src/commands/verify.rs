//! `edgec verify`: says whether artifacts may be loaded, check by check.

mod report;

use std::path::{Path, PathBuf};

use clap::Args as _;
use edgec_verifier::{CheckName, Hashing, Sha256Digest, Status, VerifyError, examine_hashing};

use self::report::{FileFacts, Report, text};
use crate::companion::StatementArguments;
use crate::failure::Failure;
use crate::failures::verifier::verify_failure_of;
use crate::hosts::Host;
use crate::rebuild::Rebuild;
use crate::render::{self, Format};
use crate::reports::Reports;
use crate::trust::{Trust, TrustArguments};
use crate::wit::WitArguments;
use crate::workers::WorkerArguments;
use crate::{Outcome, files, time};

/// Verify artifacts: who signed what, for which CPU, by which compiler, and what a policy says
///
/// The report names every check with its outcome and its evidence. A check that was not made is
/// never reported as passed. Exit codes: 0 every artifact is verified; 1 one is refused; 2 usage; 3
/// a file cannot be read, or the machine is at fault, so that an artifact was not checked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts; `-` is standard input
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    #[command(flatten, next_help_heading = "Trust")]
    statements: StatementArguments,
    /// Also check whether this machine, or the host that FILE describes, can run them; put it after
    /// the artifacts
    #[arg(long, value_name = "FILE", num_args = 0..=1, help_heading = "Host")]
    host: Option<Option<PathBuf>>,
    /// Also compile FILE again with the settings in the manifest, and compare image and manifest
    /// bit for bit
    #[arg(long, value_name = "FILE", help_heading = "Rebuilding")]
    rebuild: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Rebuilding")]
    wit: WitArguments,
    #[command(flatten, next_help_heading = "Limits and tools")]
    workers: WorkerArguments,
    /// The format of the results
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    /// Compute only the fs-verity digest, which covers the same bytes, in half the time. The
    /// SHA-256 that other tools read is not checked then
    #[arg(long, help_heading = "Trust")]
    fast: bool,
    /// Print one line for each artifact, without its checks
    #[arg(short, long, conflicts_with = "format", help_heading = "Output")]
    quiet: bool,
}

impl Arguments {
    /// Every file that the verb reads. `-` is standard input.
    fn reads(&self) -> Vec<PathBuf> {
        let host = self.host.iter().flatten();
        self.artifacts
            .iter()
            .chain(self.trust.keys())
            .chain(self.statements.reads())
            .chain(host)
            .chain(&self.rebuild)
            .cloned()
            .collect()
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    files::refuse_stdin_twice(&arguments.reads())?;
    let trust = arguments.trust.resolve_with(&arguments.statements)?;
    let host = match &arguments.host {
        None => None,
        Some(None) => Some(Host::here()),
        Some(Some(path)) => Some(Host::read(path)?),
    };
    let rebuild = match &arguments.rebuild {
        Some(input) => {
            let (wit, workers) = (arguments.wit.source()?, &arguments.workers);
            Some(Rebuild::new(input, wit, workers, arguments.quiet)?)
        }
        None => None,
    };
    let mut reports = Reports::new(arguments.format);
    for path in &arguments.artifacts {
        let report = examine_file(
            path,
            arguments.fast,
            &trust,
            rebuild.as_ref(),
            host.as_ref(),
        )?;
        let shown = |report: &Report| text(report, arguments.quiet);
        reports.add(report, |report| report.error.as_ref(), shown);
    }
    reports.end()
}

fn examine_file(
    path: &Path,
    fast: bool,
    trust: &Trust,
    rebuild: Option<&Rebuild>,
    host: Option<&Host>,
) -> Result<Report, Failure> {
    let shown = render::path(path);
    let now = time::now()?;
    let mut report = Report::new(&shown, trust, now);
    let file = match files::read_artifact(path) {
        Ok(file) => file,
        Err(failure) => {
            report.error = Some(failure.about_safe(shown));
            return Ok(report);
        }
    };
    let hashing = match fast {
        true => Hashing::FsVerity,
        false => Hashing::Both,
    };
    let (policy, expected) = (&trust.policy, &trust.expected);
    match examine_hashing(&file, policy, expected, now, hashing) {
        Ok(artifact) => {
            report.file = artifact.file_sha256().map(|it| FileFacts::new(it, &file));
            report.verified = true;
            report.checks = artifact.checks().to_vec();
            report.signatures = artifact.accepted().to_vec();
            let image = artifact.image();
            if let Some(rebuild) = rebuild {
                report.compare(rebuild, artifact.manifest(), image);
            }
            let manifest = artifact.into_manifest();
            if let Some(host) = host {
                report.ask(host, &manifest);
            }
            report.manifest = Some(manifest);
        }
        Err(rejection) => {
            let failure = verify_failure_of(&rejection.error, &file);
            report.file = (!fast).then(|| FileFacts::new(Sha256Digest::of(&file), &file));
            report.checks = rejection.checks;
            if let VerifyError::Layout(_) = rejection.error {
                // What the file is says more than what it lacks.
                report.tell(CheckName::Layout, failure.message());
            }
            report.manifest = rejection.manifest.map(|manifest| *manifest);
            report.error = Some(failure.about_safe(shown));
        }
    }
    if let Some(without) = trust.report.without() {
        report.tell(CheckName::Policy, without);
    }
    let warned = report
        .checks
        .iter()
        .filter(|check| check.status == Status::Warned);
    report.warnings = warned.count();
    Ok(report)
}

/// Makes the options for `--rebuild` require it.
pub(crate) fn for_rebuild_only(command: clap::Command) -> clap::Command {
    let workers = WorkerArguments::augment_args(clap::Command::new(""));
    let workers = WitArguments::augment_args(workers);
    let ids: Vec<clap::Id> = workers
        .get_arguments()
        .map(|it| it.get_id().clone())
        .collect();
    command.mut_args(|argument| match ids.contains(argument.get_id()) {
        true => argument.requires("rebuild"),
        false => argument,
    })
}
