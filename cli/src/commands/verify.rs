//! `edgec verify`: says whether artifacts may be loaded, check by check.

use std::path::{Path, PathBuf};

use clap::Args as _;
use edgec_verifier::{
    AcceptedSignature, Check, CheckName, Hashing, Manifest, Sha256Digest, Status, UnixTime,
    VerifyError, examine_hashing,
};
use serde::Serialize;

use crate::companion::StatementArguments;
use crate::differences::Difference;
use crate::failure::{Exit, Failure, chain};
use crate::failures::verifier::verify_failure_of;
use crate::hosts::Host;
use crate::panics::guarded;
use crate::rebuild::Rebuild;
use crate::render::{self, Format, safe};
use crate::reports::Reports;
use crate::trust::{PolicyReport, Trust, TrustArguments};
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    /// The file itself. `None` if it could not be read, or with `--fast`.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileFacts>,
    /// The time for which the verdict was given.
    at: UnixTimeText,
    /// The version of the edgec that gave it.
    edgec: &'static str,
    verified: bool,
    warnings: usize,
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<AcceptedSignature>,
    policy: PolicyReport,
    /// The identity that trusted keys have signed. `None` if not enough of them have signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
    /// The differences between the artifact and its rebuild.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// What identifies a file, whatever is in it.
#[derive(Serialize)]
struct FileFacts {
    sha256: String,
    bytes: usize,
}

/// A time in words, as RFC 3339 has it.
#[derive(Serialize)]
#[serde(transparent)]
struct UnixTimeText(String);

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

impl FileFacts {
    fn new(sha256: Sha256Digest, file: &[u8]) -> Self {
        Self {
            sha256: sha256.to_string(),
            bytes: file.len(),
        }
    }
}

impl Report {
    /// A report without any check.
    fn new(artifact: &str, trust: &Trust, now: UnixTime) -> Self {
        Self {
            artifact: artifact.to_owned(),
            file: None,
            at: UnixTimeText(now.to_string()),
            edgec: env!("CARGO_PKG_VERSION"),
            verified: false,
            warnings: 0,
            checks: Vec::new(),
            signatures: Vec::new(),
            policy: trust.report.clone(),
            manifest: None,
            differences: Vec::new(),
            error: None,
        }
    }

    /// Replaces the evidence of a check that was made.
    fn tell(&mut self, name: CheckName, evidence: &str) {
        for check in self.checks.iter_mut().filter(|check| check.name == name) {
            evidence.clone_into(&mut check.evidence);
        }
    }

    /// The outcome in a word or two. A failure of the machine says nothing against an artifact.
    fn verdict(&self) -> &'static str {
        let failed = |check: &Check| check.status == Status::Failed;
        let machine = |failure: &Failure| failure.exit() == Exit::Environment;
        if self.verified {
            "verified"
        } else if self.error.as_ref().is_some_and(machine) && !self.checks.iter().any(failed) {
            "not checked"
        } else {
            "REFUSED"
        }
    }

    /// Adds the result of the rebuild of a verified artifact.
    fn compare(&mut self, rebuild: &Rebuild, manifest: &Manifest, image: &[u8]) {
        let input = rebuild.input();
        let rebuilt = guarded(|| rebuild.differences(manifest, image));
        let (status, evidence) = match rebuilt {
            Ok(found) if found.is_empty() => (
                Status::Passed,
                format!("image and manifest are what {input} compiles to, bit for bit"),
            ),
            Ok(found) => {
                let mut message = format!("not what {} compiles to here", safe(input));
                for it in &found {
                    // One line for each side, whatever the manifest says.
                    let side = |side: &Option<String>| side.as_deref().map_or("-".to_owned(), safe);
                    let (stated, made) = (side(&it.a), side(&it.b));
                    message.push_str(&format!("\n{}: {stated}, made: {made}", it.at));
                }
                let evidence = format!("{} differ", render::count(found.len(), "place"));
                self.refuse(
                    Failure::new(Exit::Rejected, "rebuild", message)
                        .with_safe_message()
                        .hint(rebuild_hint(&found))
                        .about_safe(&self.artifact),
                );
                self.differences = found;
                (Status::Failed, evidence)
            }
            // Checks that were not made are not named.
            Err(failure) if failure.exit() == Exit::Environment => {
                return self.refuse(failure.or_about_safe(&self.artifact));
            }
            Err(failure) => {
                self.refuse(failure.or_about_safe(&self.artifact));
                (Status::Failed, format!("{input} was not rebuilt"))
            }
        };
        self.checks
            .push(Check::new(CheckName::Rebuild, status, evidence));
    }

    fn refuse(&mut self, failure: Failure) {
        self.verified = false;
        self.error.get_or_insert(failure);
    }

    /// Adds a host's answer to a verified artifact's report.
    fn ask(&mut self, host: &Host, manifest: &Manifest) {
        let (status, found) = match host.profile.can_run(manifest) {
            Ok(()) => (
                Status::Passed,
                "engine, profile, CPU, pages and pool fit".to_owned(),
            ),
            Err(unfit) => {
                self.refuse(Failure::rejected(unfit.code(), &unfit).about_safe(&self.artifact));
                (Status::Failed, chain(&unfit))
            }
        };
        let evidence = format!("{}: {found}", host.name);
        self.checks
            .push(Check::new(CheckName::Host, status, evidence));
    }
}

/// The cause, as far as the artifact's own statements show it. Its maker may have written anything
/// there, so this never says that the code may run.
fn rebuild_hint(found: &[Difference]) -> &'static str {
    let at = |name: &str| found.iter().any(|it| it.at == name);
    let versions =
        |it: &Difference| it.at.starts_with("builder.stages.") && it.at.ends_with(".version");
    if at("builder.edgec") || at("engine.version") {
        "its manifest says that another edgec made it: compare with that edgec before you run it"
    } else if at("builder.stages.optimize.tool") || at("builder.stages.optimize.version") {
        "its manifest says that another optimizer was used (--wasm-opt): compare with that one before you run it"
    } else if found.iter().any(versions) {
        "its manifest says that other tools made it: compare with the edgec that it names before you run it"
    } else if at("builder.stages.optimize.settings.modulesKept") {
        "other core modules were left as they are (--keep-module, or a crash of the optimizer): do not run it before \
         the cause is known"
    } else {
        "the same tools made something else: do not run it until you know the cause"
    }
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

fn text(report: &Report, quiet: bool) -> String {
    if report.checks.is_empty() {
        return String::new();
    }
    let mut verdict = format!("{}: {}", report.artifact, report.verdict());
    if report.warnings > 0 {
        verdict.push_str(&format!(", {}", render::count(report.warnings, "warning")));
    }
    let off = report
        .checks
        .iter()
        .filter(|check| check.status == Status::Off);
    match off.count() {
        0 => verdict.push('\n'),
        count => verdict.push_str(&format!(", {} off\n", render::count(count, "check"))),
    }
    if quiet {
        return verdict;
    }
    let row = |check: &str, status: &str, evidence: String| {
        vec![format!("  {check}"), status.to_owned(), evidence]
    };
    let mut rows: Vec<Vec<String>> = report
        .checks
        .iter()
        .map(|check| {
            row(
                check.name.name(),
                check.status.word(),
                safe(&check.evidence),
            )
        })
        .collect();
    if report.policy.without().is_none() {
        rows.push(row("(policy)", "", report.policy.text()));
        if let Some(off) = report.policy.left_off() {
            rows.push(row("(left off)", "", off));
        }
    }
    if let Some(FileFacts { sha256, bytes }) = &report.file {
        let text = format!("sha256 {sha256}, {bytes} bytes");
        rows.push(row("(file)", "", text));
    }
    let made = format!("at {} by edgec {}", report.at.0, report.edgec);
    rows.push(row("(report)", "", made));
    verdict + &render::table(&rows)
}
