//! `edgec report`: one HTML file about artifacts, for people.

mod describe;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_builder::difference;
use edgec_pages::report::{
    Artifact, Change, FieldChange, FunctionChange, MAX_ARTIFACTS, PartChange, Report,
};
use serde::Serialize;

use crate::commands::diff::functions::Functions;
use crate::commands::diff::{Opened, in_manifests};
use crate::companion::StatementArguments;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::Wanted;
use crate::render::{self, Format, size};
use crate::trust::{Trust, TrustArguments};
use crate::{Outcome, document, files};

/// The most functions that the page compares; it counts the others.
const MAX_COMPARED: usize = 500;

/// Write one HTML file about artifacts: bytes by function, load, capabilities, signatures, changes
///
/// The file fetches nothing, and shows names from hostile programs as text. Without `--key` and
/// `--trust`, edgec verifies nothing, and the page says so. With one of them, the page has the
/// verifier's checks. Functions have names if a debug file lies beside the artifact (`edgec build
/// --debug-file`). Exit codes: 0 the page was written, and no artifact was refused; 1 the page was
/// written and an artifact is refused, or a file is not an artifact; 3 a file cannot be read or
/// written.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifacts, such as one for each target; `-` is standard input
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// Write the page to this file
    #[arg(
        short,
        long,
        value_name = "FILE",
        required = true,
        help_heading = "Output"
    )]
    output: PathBuf,
    /// An earlier artifact: the page shows what changed since then
    #[arg(long, value_name = "ARTIFACT", help_heading = "Output")]
    baseline: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    #[command(flatten, next_help_heading = "Trust")]
    statements: StatementArguments,
    /// The format of standard output
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    /// The page.
    output: String,
    /// Its length in bytes.
    bytes: usize,
    artifacts: Vec<Subject>,
}

/// An artifact of the page.
#[derive(Serialize)]
struct Subject {
    artifact: String,
    name: String,
    version: u64,
    target: String,
    /// Whether the verifier accepted it. `None` if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let read: Vec<PathBuf> = arguments
        .artifacts
        .iter()
        .chain(&arguments.baseline)
        .chain(arguments.trust.keys())
        .chain(arguments.statements.reads())
        .cloned()
        .collect();
    files::spare(&read, &arguments.output, Wanted::Report)?;
    if arguments.artifacts.len() > MAX_ARTIFACTS {
        let message = format!("a page shows at most {MAX_ARTIFACTS} artifacts");
        return Err(Failure::usage("usage", message).hint("write several pages"));
    }
    let has_statements = arguments.statements.reads().next().is_some();
    let trust = match arguments.trust.are_given() || has_statements {
        true => Some(arguments.trust.resolve_with(&arguments.statements)?),
        false => None,
    };
    let mut subjects = Vec::new();
    let mut shown = Vec::new();
    let mut change = None;
    let before = match &arguments.baseline {
        Some(path) => Some((path, files::read_artifact(path)?)),
        None => None,
    };
    let before = match &before {
        Some((path, file)) => Some(Opened::new(path, file, None)?),
        None => None,
    };
    for path in &arguments.artifacts {
        let file = files::read_artifact(path)?;
        let opened = Opened::new(path, &file, None)?;
        let (artifact, subject) = describe_one(path, &file, &opened, trust.as_ref())?;
        let first_like_it = before.as_ref().filter(|before| {
            let alike = before.manifest.target.id == opened.manifest.target.id;
            change.is_none() && (alike || arguments.artifacts.len() == 1)
        });
        if let Some(before) = first_like_it {
            change = Some(changed(before, &opened));
        }
        subjects.push(subject);
        shown.push(artifact);
    }
    if let (Some(before), None) = (&before, &change) {
        let message = format!(
            "no artifact is for {}, the target of the baseline",
            before.manifest.target.id
        );
        let failure = Failure::usage("usage", message).about_safe(&before.side.artifact);
        return Err(failure.hint("name the earlier artifact of one of these targets"));
    }
    let page = Report {
        artifacts: shown,
        change,
    };
    let html = page.render();
    files::write(&arguments.output, html.as_bytes(), Wanted::Report)?;
    let refused = subjects.iter().any(|it| it.error.is_some());
    let written = Written {
        output: render::path(&arguments.output),
        bytes: html.len(),
        artifacts: subjects,
    };
    for failure in written.artifacts.iter().filter_map(|it| it.error.as_ref()) {
        failure.tell(arguments.format);
    }
    document::answer(!refused, &written, arguments.format, text);
    Ok(match refused {
        true => code(Exit::Rejected),
        false => ExitCode::SUCCESS,
    })
}

fn describe_one(
    path: &Path,
    file: &[u8],
    opened: &Opened<'_>,
    trust: Option<&Trust>,
) -> Result<(Artifact, Subject), Failure> {
    let (examined, error) = match trust {
        Some(trust) => describe::trust(path, file, trust)?,
        None => Default::default(),
    };
    let side = &opened.side;
    let subject = Subject {
        artifact: side.artifact.clone(),
        name: side.name.clone(),
        version: side.version,
        target: side.target.clone(),
        verified: trust.map(|_| error.is_none()),
        error,
    };
    Ok((describe::artifact(file, opened, examined)?, subject))
}

/// What changed from one artifact to another.
fn changed(before: &Opened<'_>, after: &Opened<'_>) -> Change {
    let parts = difference::of_sections(&before.image, &after.image);
    let parts = parts.into_iter().map(|it| PartChange {
        name: it.name,
        before: it.a,
        after: it.b,
        same: it.same,
    });
    let (fields, exports_unknown) = in_manifests(before, after);
    let compared = Functions::compare(&before.code, &after.code);
    let functions = compared
        .different()
        .take(MAX_COMPARED)
        .map(|it| FunctionChange {
            module: it.module,
            name: it.function.clone(),
            before: it.a,
            after: it.b,
        });
    let functions: Vec<FunctionChange> = functions.collect();
    let named = fields
        .named
        .into_iter()
        .map(crate::differences::Difference::from);
    Change {
        before: before.side.artifact.clone(),
        after: after.side.artifact.clone(),
        same: before.manifest == after.manifest && before.bytes == after.bytes,
        parts: parts.collect(),
        functions_left_out: compared.count_different().saturating_sub(functions.len()),
        functions,
        is_named: before.code.is_named() && after.code.is_named(),
        fields: named
            .map(|it| FieldChange {
                at: it.at,
                before: it.a,
                after: it.b,
            })
            .collect(),
        fields_left_out: fields.more,
        exports_unknown,
    }
}

fn text(written: &Written) -> String {
    let mut text = format!("{} ({})\n", written.output, size(written.bytes as u64));
    let rows: Vec<Vec<String>> = written
        .artifacts
        .iter()
        .map(|it| {
            let verdict = match it.verified {
                None => "not verified",
                Some(true) => "verified",
                Some(false) => "REFUSED",
            };
            vec![
                format!("  {}", it.artifact),
                format!("{} version {}", render::cell(&it.name), it.version),
                render::cell(&it.target),
                verdict.to_owned(),
            ]
        })
        .collect();
    text.push_str(&render::table(&rows));
    text
}
