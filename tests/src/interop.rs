//! The second verifier, in Python, compared with edgec.
//!
//! `tests/interop/setup.sh` makes the Python environment. Without it, the tests that need it are
//! skipped and say so. `EDGEC_REQUIRE_PYTHON=1` makes this a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Sandbox, repository, skipped};

/// The Python with other projects' packages, if `setup.sh` has run.
///
/// # Panics
///
/// If it is required and does not exist.
pub fn python() -> Option<PathBuf> {
    let named = std::env::var_os("EDGEC_PYTHON").map(PathBuf::from);
    let cached = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/edgec/python"));
    let folder = named
        .or(cached)
        .filter(|folder| folder.join("ready").exists());
    if folder.is_none() {
        let why = "tests/interop/setup.sh makes the Python environment";
        skipped("EDGEC_REQUIRE_PYTHON", why);
    }
    folder.map(|folder| folder.join("bin/python"))
}

/// What both verifiers trust. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Public keys that must all have signed.
    Keys(Vec<PathBuf>),
    /// A policy file.
    Policy(PathBuf),
}

impl Trust {
    fn arguments(&self) -> Vec<&str> {
        let (option, files) = match self {
            Self::Keys(keys) => ("--key", keys.as_slice()),
            Self::Policy(policy) => ("--trust", std::slice::from_ref(policy)),
        };
        let files = files.iter().map(|path| path.to_str().unwrap());
        files.flat_map(|path| [option, path]).collect()
    }
}

/// A file that both verifiers judge.
pub struct Case {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub file: Vec<u8>,
    /// The keys or the policy that judge it.
    pub trust: Trust,
    /// Further arguments, which are the same for both: `--name`, `--channel`, `--at`.
    pub arguments: Vec<String>,
    /// Whether both must accept it, if known.
    pub accepted: Option<bool>,
}

/// Gives every case to both verifiers. Each is started once for all cases with the same trust and
/// arguments.
///
/// # Panics
///
/// If they disagree, or a result is not the expected one. The message names every such case.
pub fn check_agreement(cases: impl IntoIterator<Item = Case>) {
    let mut groups: BTreeMap<(Trust, Vec<String>), Vec<Case>> = BTreeMap::new();
    for case in cases {
        let group = (case.trust.clone(), case.arguments.clone());
        groups.entry(group).or_default().push(case);
    }
    let mut surprises = Vec::new();
    for ((trust, more), cases) in groups {
        let sandbox = Sandbox::new();
        let names: Vec<String> = (0..cases.len()).map(|n| format!("{n}.cwasm")).collect();
        for (name, case) in names.iter().zip(&cases) {
            sandbox.write(name, &case.file);
        }
        let ours = verdicts_of_edgec(&sandbox, &trust, &more, &names);
        let theirs = verdicts_of_python(&sandbox, &trust, &more, &names);
        assert_eq!(ours.len(), cases.len());
        assert_eq!(theirs.len(), cases.len());
        for ((case, ours), (theirs, said)) in cases.iter().zip(&ours).zip(&theirs) {
            let expected = case.accepted.unwrap_or(*ours);
            if (*ours, *theirs) != (expected, expected) {
                surprises.push(format!(
                    "{}: edgec {ours}, python {theirs} ({said}), expected {:?}",
                    case.name, case.accepted
                ));
            }
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

fn verdicts_of_edgec(
    sandbox: &Sandbox,
    trust: &Trust,
    more: &[String],
    names: &[String],
) -> Vec<bool> {
    let mut arguments = vec!["verify", "--format", "json"];
    arguments.extend(trust.arguments());
    arguments.extend(more.iter().chain(names).map(String::as_str));
    let output = sandbox.run(&arguments);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    if report["error"]["code"].is_string() {
        // If a policy is refused, no artifact is read.
        assert_eq!(output.status.code(), Some(1), "{report}");
        return vec![false; names.len()];
    }
    let verdict = |entry: &serde_json::Value| entry["verified"].as_bool().unwrap();
    report["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(verdict)
        .collect()
}

/// The results, with the message about each file.
fn verdicts_of_python(
    sandbox: &Sandbox,
    trust: &Trust,
    more: &[String],
    names: &[String],
) -> Vec<(bool, String)> {
    let mut command = Command::new(python().expect("checked by the caller"));
    command
        .current_dir(sandbox.path())
        .arg(repository().join("tests/interop/verify.py"))
        .args(trust.arguments())
        .args(more)
        .args(names);
    if let Trust::Policy(_) = trust {
        let advisories = sandbox.run(&["advisories", "--format", "json"]);
        if advisories.status.success() {
            let path = sandbox.write("advisories.json", advisories.stdout);
            command.arg("--advisories").arg(path);
        }
    }
    let output = command.output().expect("python can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut verdicts = Vec::new();
    let mut lines = text.lines();
    for name in names {
        let line = lines.next().unwrap_or_default();
        let verdict = line.strip_prefix(&format!("{name}: "));
        let verdict = verdict.unwrap_or_else(|| panic!("no verdict on {name}: {line}"));
        assert!(verdict == "accepted" || verdict.starts_with("rejected: "));
        verdicts.push((verdict == "accepted", verdict.to_owned()));
    }
    verdicts
}
