//! `edgec check`: says which hosts can load which artifacts, without access to the hosts.
//!
//! Uses the loader's own comparison of manifests with host profiles. It checks no signature and no
//! policy: the answer is about machines, not about trust.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_verifier::{Manifest, describe_unsigned};

use self::report::Report;
use crate::failure::{Exit, Failure, code};
use crate::failures::verifier::verify_failure_of;
use crate::hosts::{Host, read_fleet, refuse_same_names};
use crate::render::{self, Format, with_sarif};
use crate::{Outcome, document, files, sarif};

/// Say which hosts can load which artifacts, and why not; verifies no signature
///
/// Exit codes: 0 every host can load an artifact of every release; 1 one cannot, or an artifact is
/// damaged; 2 usage; 3 a file cannot be read.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts, of one release or several
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// Host profiles (`edgec host --save`), after the artifacts; without any, this machine
    #[arg(long = "host", value_name = "FILE", num_args = 1..)]
    hosts: Vec<PathBuf>,
    /// A fleet, as `edgec build --fleet` reads it
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
    /// The format of the answer
    #[arg(long, value_parser = with_sarif(), default_value = "text")]
    format: Format,
}

/// The maximum number of WebAssembly features that an artifact may name, because they are searched
/// once for each host. About fifty exist.
const MAX_WASM_FEATURES: usize = 1000;

/// An artifact and its own description.
struct Described {
    artifact: String,
    path: PathBuf,
    manifest: Manifest,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let read = arguments.artifacts.iter().chain(&arguments.hosts);
    let read: Vec<PathBuf> = read.chain(&arguments.fleet).cloned().collect();
    files::refuse_stdin_twice(&read)?;
    let hosts = hosts(arguments)?;
    let mut worst: Option<Exit> = None;
    let mut described = Vec::new();
    let mut failures = Vec::new();
    for path in &arguments.artifacts {
        match describe(path) {
            Ok(artifact) => described.push(artifact),
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                failures.push(failure);
            }
        }
    }
    let report = Report::new(&hosts, &described, failures);
    if !report.complete {
        worst = worst.max(Some(Exit::Rejected));
    }
    match arguments.format {
        Format::Sarif => {
            let findings: Vec<_> = report.failures().map(Failure::finding).collect();
            sarif::print(&findings, worst);
        }
        format => document::answer(worst.is_none(), &report, format, Report::text),
    }
    report
        .failures()
        .for_each(|failure| failure.tell(arguments.format));
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

fn hosts(arguments: &Arguments) -> Result<Vec<Host>, Failure> {
    let mut hosts = match &arguments.fleet {
        Some(path) => read_fleet(path)?.hosts,
        None => Vec::new(),
    };
    for path in &arguments.hosts {
        hosts.push(Host::read(path)?);
    }
    if hosts.is_empty() {
        hosts.push(Host::here());
    }
    refuse_same_names(&hosts)?;
    Ok(hosts)
}

fn describe(path: &std::path::Path) -> Result<Described, Failure> {
    let shown = render::path(path);
    let file = files::read_artifact(path).map_err(|failure| failure.or_in_file(path))?;
    let described = describe_unsigned(&file);
    let described = described.map_err(|error| verify_failure_of(&error, &file).in_file(path))?;
    let manifest = described.manifest;
    let features = manifest.wasm_features.len();
    if features > MAX_WASM_FEATURES {
        let message = format!(
            "its manifest names {features} WebAssembly features, and {MAX_WASM_FEATURES} is the limit"
        );
        let failure = Failure::new(Exit::Rejected, "statement", message).in_file(path);
        return Err(failure.hint("no build of edgec writes that: do not run it"));
    }
    Ok(Described {
        artifact: shown,
        path: path.to_owned(),
        manifest,
    })
}
