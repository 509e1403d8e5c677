//! The report about one artifact: its checks, and what it adds about a rebuild and a host.

use edgec_verifier::{
    AcceptedSignature, Check, CheckName, Manifest, Sha256Digest, Status, UnixTime,
};
use serde::Serialize;

use crate::differences::{self, Difference};
use crate::failure::{Exit, Failure, chain};
use crate::hosts::Host;
use crate::panics::guarded;
use crate::rebuild::Rebuild;
use crate::render::{self, safe};
use crate::trust::{PolicyReport, Trust};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    artifact: String,
    /// The file itself. `None` if it could not be read, or with `--fast`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<FileFacts>,
    /// The time for which the verdict was given.
    at: UnixTimeText,
    /// The version of the edgec that gave it.
    edgec: &'static str,
    pub(super) verified: bool,
    pub(super) warnings: usize,
    pub(super) checks: Vec<Check>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) signatures: Vec<AcceptedSignature>,
    policy: PolicyReport,
    /// The identity that trusted keys have signed. `None` if not enough of them have signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<Manifest>,
    /// The differences between the artifact and its rebuild.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failure>,
}

/// What identifies a file, whatever is in it.
#[derive(Serialize)]
pub(super) struct FileFacts {
    sha256: String,
    bytes: usize,
}

/// A time in words, as RFC 3339 has it.
#[derive(Serialize)]
#[serde(transparent)]
struct UnixTimeText(String);

impl FileFacts {
    pub(super) fn new(sha256: Sha256Digest, file: &[u8]) -> Self {
        Self {
            sha256: sha256.to_string(),
            bytes: file.len(),
        }
    }
}

impl Report {
    /// A report without any check.
    pub(super) fn new(artifact: &str, trust: &Trust, now: UnixTime) -> Self {
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
    pub(super) fn tell(&mut self, name: CheckName, evidence: &str) {
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
    pub(super) fn compare(&mut self, rebuild: &Rebuild, manifest: &Manifest, image: &[u8]) {
        let input = rebuild.input();
        let rebuilt = guarded(|| rebuild.differences(manifest, image));
        let (status, evidence) = match rebuilt {
            Ok(found) if found.is_empty() => (
                Status::Passed,
                format!("image and manifest are what {input} compiles to, bit for bit"),
            ),
            Ok(found) => {
                let message = differences::told(&found, input);
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
    pub(super) fn ask(&mut self, host: &Host, manifest: &Manifest) {
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

/// The report for people. `quiet`: its first line alone.
pub(super) fn text(report: &Report, quiet: bool) -> String {
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
