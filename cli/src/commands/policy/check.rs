//! `edgec policy check`: describes a policy, and says whether it allows the imports of artifacts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Artifact, Statement};
use edgec_verifier::TrustPolicy;
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::render::{self, Format, out, outln, safe, safe_cell, word};
use crate::trust::read_policy;

/// Read a policy as a host would, and describe it
///
/// With artifacts, it also says for each which kind of program it holds and whether its imports are
/// allowed; it verifies no artifact. Exit codes: 0 all imports are allowed; 1 one is not, or the
/// policy cannot be read.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The policy
    policy: PathBuf,
    /// Artifacts whose imports to check; if you name the old one first, edgec also says whether the
    /// kind of the program has changed
    artifacts: Vec<PathBuf>,
    /// A public key that must have signed it; if repeated, all must have signed
    #[arg(long, value_name = "PUBLIC_KEY")]
    root: Vec<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    sha256: String,
    signed_by: Vec<String>,
    threshold: usize,
    keys: Vec<Key>,
    /// The policy's other rules, as its text has them.
    rules: Vec<Rule>,
    artifacts: Vec<Imports>,
    /// The policy's name, if it has one, as one word of a line.
    #[serde(skip)]
    title: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    name: String,
    key_id: String,
    /// The name, as one word of a row.
    #[serde(skip)]
    word: String,
}

#[derive(Serialize)]
struct Rule {
    rule: &'static str,
    text: String,
}

/// An artifact that was not verified.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Imports {
    artifact: String,
    kind: &'static str,
    refused_imports: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    files::refuse_stdin_twice(&arguments.artifacts)?;
    let policy = read_policy(&arguments.policy, &arguments.root)?;
    let mut report = Report::new(&arguments.policy, &policy);
    if arguments.format == Format::Text {
        report.print();
    }
    for path in &arguments.artifacts {
        let imports = Imports::read(&policy, path)?;
        if arguments.format == Format::Text {
            imports.print(report.artifacts.last());
        }
        report.artifacts.push(imports);
    }
    let mut artifacts = report.artifacts.iter();
    let ok = artifacts.all(|it| it.refused_imports.is_empty());
    if arguments.format == Format::Json {
        document::print(ok, &report);
    }
    Ok(match ok {
        true => ExitCode::SUCCESS,
        false => code(Exit::Rejected),
    })
}

impl Report {
    fn new(path: &Path, policy: &TrustPolicy) -> Self {
        let keys = policy.keys().map(|trusted| Key {
            name: safe(&trusted.name),
            key_id: trusted.key.id().to_string(),
            word: word(&trusted.name),
        });
        let rules = policy.summary().into_iter().map(|demand| Rule {
            rule: demand.name,
            text: safe(&demand.text),
        });
        Self {
            policy: render::path(path),
            name: policy.name().map(safe),
            version: policy.version(),
            sha256: policy.digest().to_string(),
            signed_by: policy.signed_by().iter().map(ToString::to_string).collect(),
            threshold: policy.threshold(),
            keys: keys.collect(),
            rules: rules.collect(),
            artifacts: Vec::new(),
            title: policy.name().map(word),
        }
    }

    fn print(&self) {
        let row = |row: &str, text: &str| vec![format!("  {row}"), text.to_owned()];
        let mut rows = vec![row("sha256", &self.sha256)];
        rows.extend(self.signed_by.iter().map(|id| row("signed by", id)));
        let threshold = format!("{} of {} keys", self.threshold, self.keys.len());
        rows.push(row("threshold", &threshold));
        let key = |key: &Key| row("key", &format!("{} ({})", key.word, key.key_id));
        rows.extend(self.keys.iter().map(key));
        rows.extend(self.rules.iter().map(|it| row(it.rule, &it.text)));
        let name = self.title.as_deref().unwrap_or("a policy without a name");
        let version = match self.version {
            Some(version) => format!("version {version}"),
            None => "no version".to_owned(),
        };
        out!(
            "{}: {name}, {version}\n{}",
            self.policy,
            render::table(&rows)
        );
    }
}

impl Imports {
    fn read(policy: &TrustPolicy, path: &Path) -> Result<Self, Failure> {
        let shown = render::path(path);
        let file = files::read_artifact(path)?;
        let rejected =
            |code, error: &dyn std::error::Error| Failure::rejected(code, error).about_safe(&shown);
        let artifact = Artifact::decode(&file)
            .map_err(|error| explain(rejected("layout", &error), &file, Wanted::Artifact))?;
        let statement = Statement::decode(artifact.envelope().payload());
        let Statement { manifest } = statement.map_err(|error| rejected("statement", &error))?;
        let refused = policy.refused_imports(&manifest.capabilities.imports);
        Ok(Self {
            kind: manifest.kind.name(),
            refused_imports: refused.iter().map(|import| safe(import)).collect(),
            artifact: shown,
        })
    }

    /// `before` is the artifact before it on the command line.
    fn print(&self, before: Option<&Self>) {
        let (artifact, kind) = (&self.artifact, self.kind);
        let judged = match self.refused_imports.as_slice() {
            [] => "its imports are allowed".to_owned(),
            refused => {
                let refused: Vec<_> = refused.iter().map(|import| safe_cell(import)).collect();
                format!("its imports are not allowed: {}", refused.join(", "))
            }
        };
        outln!("{artifact}: a {kind}, not verified; {judged}");
        if let Some(other) = before.filter(|other| other.kind != kind) {
            outln!(
                "the kind differs: {} is a {}, {artifact} is a {kind}",
                other.artifact,
                other.kind
            );
        }
    }
}
