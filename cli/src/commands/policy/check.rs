//! `edgec policy check`: describes a policy, and says whether it allows the imports of artifacts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Artifact, Statement};
use edgec_verifier::{
    PolicyDemand, PolicyFileError, Role, TrustPolicy, TrustedKey, UnixTime, read_guarded,
};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::failures::verifier::{guard_failure, policy_failure};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::render::{self, Format, out, outln, safe, safe_cell, word};
use crate::time;
use crate::trust::read_roots;

/// Read a policy as a host would, and describe it
///
/// A policy that root keys must sign is described before they have signed it, with a warning. With
/// artifacts, it also says for each which kind of program it holds and whether its imports are
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
    /// The number of different signers, each with one key or more.
    #[serde(skip)]
    signers: usize,
    keys: Vec<Key>,
    /// The policy's other rules, as its text has them.
    rules: Vec<Rule>,
    /// The protections that the policy does without.
    left_off: Vec<Rule>,
    /// What has no effect, or another one than its author may think.
    warnings: Vec<String>,
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
    algorithm: &'static str,
    /// What its signatures count for.
    roles: Vec<Role>,
    /// Whether this key must have signed, for its signer to count.
    required: bool,
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
    let now = time::now()?;
    let policy = read(&arguments.policy, &arguments.root, now)?;
    let mut report = Report::new(&arguments.policy, &policy, now);
    if arguments.format == Format::Text {
        report.print();
        for warning in &report.warnings {
            Failure::usage("policy-effect", warning.clone())
                .with_safe_message()
                .about_safe(&report.policy)
                .print_warning();
        }
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

/// The policy that a host would follow. No host follows the source of a policy that root keys must
/// sign, but its author wants to check it before they do.
fn read(path: &Path, roots: &[PathBuf], now: UnixTime) -> Result<TrustPolicy, Failure> {
    let policy = match TrustPolicy::read(path, &read_roots(roots)?, now) {
        Err(PolicyFileError::Unsigned) if roots.is_empty() => {
            let bytes =
                read_guarded(path).map_err(|error| guard_failure(&error, path, Wanted::Policy))?;
            let source = TrustPolicy::decode_source(&bytes);
            source.and_then(|policy| match policy.expires() {
                Some(expires) if now >= expires => Err(PolicyFileError::Expired { expires, now }),
                _ => Ok(policy),
            })
        }
        policy => policy,
    };
    policy.map_err(|error| policy_failure(&error, path))
}

/// The roles of a key. The names of a policy's keys differ.
fn roles(policy: &TrustPolicy, trusted: &TrustedKey) -> Vec<Role> {
    let has = |role: &Role| {
        let mut keys = policy.keys_with(*role);
        keys.any(|key| key.name == trusted.name)
    };
    Role::ALL.into_iter().filter(has).collect()
}

impl Report {
    fn new(path: &Path, policy: &TrustPolicy, now: UnixTime) -> Self {
        let keys = policy.keys().flat_map(|trusted| {
            trusted.keys().iter().map(|key| Key {
                name: safe(&trusted.name),
                key_id: key.id().to_string(),
                algorithm: key.algorithm().name(),
                roles: roles(policy, trusted),
                required: trusted.required_keys().any(|required| required == key),
                word: word(&trusted.name),
            })
        });
        let rule = |demand: PolicyDemand| Rule {
            rule: demand.name,
            text: safe(&demand.text),
        };
        let rules = policy.summary().into_iter().map(rule);
        let left_off = policy.left_off().into_iter().map(rule);
        Self {
            policy: render::path(path),
            name: policy.name().map(safe),
            version: policy.version(),
            sha256: policy.digest().to_string(),
            signed_by: policy.signed_by().iter().map(ToString::to_string).collect(),
            threshold: policy.threshold(),
            signers: policy.keys_with(Role::Artifact).count(),
            keys: keys.collect(),
            rules: rules.collect(),
            left_off: left_off.collect(),
            warnings: policy.warnings(now).iter().map(|it| safe(it)).collect(),
            artifacts: Vec::new(),
            title: policy.name().map(word),
        }
    }

    fn print(&self) {
        let row = |row: &str, text: &str| vec![format!("  {row}"), text.to_owned()];
        let mut rows = vec![row("sha256", &self.sha256)];
        rows.extend(self.signed_by.iter().map(|id| row("signed by", id)));
        let threshold = format!(
            "{} of {}",
            self.threshold,
            render::count(self.signers, "signer")
        );
        rows.push(row("threshold", &threshold));
        let key = |key: &Key| {
            let algorithm = match (key.algorithm, key.required) {
                ("ed25519", true) => String::new(),
                (algorithm, true) => format!(", {algorithm}"),
                (algorithm, false) => format!(", {algorithm}, not required"),
            };
            let roles: String = match key.roles.as_slice() {
                [Role::Artifact] => String::new(),
                roles => roles.iter().map(|it| format!(", {}", it.name())).collect(),
            };
            let key = format!("{} ({}{algorithm}{roles})", key.word, key.key_id);
            row("key", &key)
        };
        rows.extend(self.keys.iter().map(key));
        rows.extend(self.rules.iter().map(|it| row(it.rule, &it.text)));
        let off = self.left_off.iter();
        rows.extend(off.map(|it| row("left off", &format!("{}: {}", it.rule, it.text))));
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
