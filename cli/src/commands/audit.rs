//! `edgec audit`: examines the native code of artifacts.

use std::path::{Path, PathBuf};

use edgec_artifact::elf::ElfImage;
use edgec_builder::unverified;
use edgec_compiler::Image;
use edgec_verifier::audit::{AuditError, AuditReport, audit};
use edgec_verifier::{Unsigned, describe_unsigned};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::failures::builder::table_failure;
use crate::failures::verifier::verify_failure_of;
use crate::place::Place;
use crate::render::{self, Format, safe, with_sarif};
use crate::reports::Reports;
use crate::sarif::Finding;
use crate::{Outcome, files, workers};

/// Read the native code of artifacts, and list instructions that do not belong there
///
/// The audit checks that every byte is an instruction, a constant, a jump table or padding; that
/// every instruction belongs in guest code; that branches lead to instructions, and the engine's
/// table of functions to functions; that the manifest declares all CPU features; and that the
/// manifest belongs to the image. It is a lint, not a proof of isolation (docs/audit.md). It checks
/// no signature: `edgec verify` does that, and audits if its policy asks for it. Exit codes: 0
/// nothing was found; 1 something was found, or code could not be audited; 3 a file cannot be read.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts; `-` is standard input
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// The format of the results
    #[arg(long, value_parser = with_sarif(), default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    /// Always false: the document says so itself, so that no one takes it for a verdict.
    verified: bool,
    /// Whether all of the code was audited without a finding.
    clean: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<AuditReport>,
    /// Where the code begins in the file.
    #[serde(skip)]
    code_begins: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    files::refuse_stdin_twice(&arguments.artifacts)?;
    let mut reports = Reports::new(arguments.format);
    for path in &arguments.artifacts {
        let report = examine(path);
        if !report.clean {
            reports.end_at_least_with(Exit::Rejected);
        }
        reports.found(&report.artifact, findings(path, &report));
        reports.add(report, |report| report.error.as_ref(), text);
    }
    reports.end()
}

fn examine(path: &Path) -> Report {
    let mut report = Report {
        artifact: render::path(path),
        verified: false,
        clean: false,
        target: None,
        audit: None,
        code_begins: 0,
        error: None,
    };
    match audit_file(path) {
        Ok(audited) => {
            report.clean = audited.report.is_clean();
            report.target = Some(safe(&audited.target));
            report.code_begins = audited.code_begins;
            report.audit = Some(audited.report);
        }
        Err(failure) => report.error = Some(failure.in_file(path)),
    }
    report
}

/// The findings for a log of a code host.
fn findings(path: &Path, report: &Report) -> Vec<Finding> {
    let findings = report.audit.iter().flat_map(|audit| &audit.findings);
    let findings = findings.map(|finding| {
        let mut place = Place::in_binary(report.code_begins.saturating_add(finding.offset));
        place.set_file(path);
        Finding {
            rule: "audit",
            message: safe(&finding.to_string()),
            place,
            exit: Exit::Rejected,
        }
    });
    findings.collect()
}

/// The result of an audit.
struct Audited {
    target: String,
    report: AuditReport,
    /// Where the code begins in the file. The image is at its beginning.
    code_begins: u64,
}

fn audit_file(path: &Path) -> Result<Audited, Failure> {
    let rejected = |code, error: &dyn std::error::Error| Failure::rejected(code, error);
    let file = files::read_artifact(path)?;
    let Unsigned {
        manifest, image, ..
    } = describe_unsigned(&file).map_err(|error| verify_failure_of(&error, &file))?;
    let parsed = Image::parse(image).map_err(|error| rejected("image", &error))?;
    let entries = unverified::entries(&workers::program()?, &manifest, &parsed);
    let entries = entries.map_err(|error| table_failure("not-audited", &error))?;
    match audit(image, &manifest, Some(&entries)) {
        Ok(report) => Ok(Audited {
            target: manifest.target.id,
            report,
            code_begins: code_begins(image),
        }),
        Err(error @ AuditError::Image(_)) => Err(rejected("image", &error)),
        Err(error) => Err(rejected("not-audited", &error)),
    }
}

fn code_begins(image: &[u8]) -> u64 {
    let elf = ElfImage::parse(image).ok();
    let sections = elf.iter().flat_map(|elf| &elf.sections);
    let mut code = sections.filter(|section| section.name == ".text");
    code.next().map_or(0, |section| section.offset)
}

fn text(report: &Report) -> String {
    let (Some(audit), Some(target)) = (&report.audit, &report.target) else {
        return String::new();
    };
    let verdict = match audit.found {
        0 => "nothing found".to_owned(),
        found => render::count(usize::try_from(found).unwrap_or(usize::MAX), "finding"),
    };
    let mut text = format!(
        "{}: {verdict} (a lint, not a proof of isolation; signatures not checked)\n",
        report.artifact
    );
    let features = match audit.features.as_slice() {
        [] => "none beyond the base".to_owned(),
        features => features.join(", "),
    };
    let rows = [
        ["  target", target.as_str()].map(str::to_owned),
        [
            "  code".to_owned(),
            format!(
                "{} bytes: {} instructions in {} functions, {} bytes of constants and tables, {} of padding",
                audit.length, audit.instructions, audit.functions, audit.data, audit.padding
            ),
        ],
        [
            "  entries".to_owned(),
            format!(
                "{} places where the engine enters it",
                audit.entries.unwrap_or_default()
            ),
        ],
        [
            "  features".to_owned(),
            format!("{features}, as the instructions need them"),
        ],
    ];
    text.push_str(&render::table(&rows.map(Vec::from)));
    for finding in &audit.findings {
        let bytes: String = finding
            .bytes
            .iter()
            .map(|byte| format!("{byte:02x} "))
            .collect();
        text.push_str(&format!(
            "  {}  [{}]\n",
            safe(&finding.to_string()),
            bytes.trim_end()
        ));
    }
    let listed = audit.findings.len() as u64;
    if audit.found > listed {
        text.push_str(&format!("  and {} more\n", audit.found - listed));
    }
    text
}
