//! Merging the core modules of a component changes nothing that it does.
//!
//! `tests/flatten/` has a component for each condition of a merge: it would print something else,
//! or end in another way, if its modules were merged without a look at that condition. The head of
//! each file says what it prints and how it ends. Each is built merged and unmerged, and run.

use std::collections::BTreeMap;

use edgec_tests::commands::command;
use edgec_tests::stock::TRAPPED;
use edgec_tests::{Sandbox, repository};
use serde_json::Value;

/// A component, and what it does.
struct Case {
    name: String,
    part: String,
    /// Everything on standard output.
    prints: String,
    /// The exit code.
    ends: i32,
    /// Whether core modules must be merged: nothing forbids it.
    merges: bool,
    /// The code of a reason for which core modules must stay apart.
    keeps: Option<String>,
}

impl Case {
    fn new(name: String, part: String) -> Self {
        let line = |key: &str| {
            let mut lines = part.lines();
            let found = lines.find_map(|line| line.strip_prefix(key));
            found.map(|rest| rest.trim().to_owned())
        };
        let prints = line(";; prints:").unwrap_or_else(|| panic!("{name}: no `prints`"));
        let ends = match line(";; ends:").as_deref() {
            Some("0") => 0,
            // An error that is no trap of WebAssembly.
            Some("error") => 1,
            Some("trap") => TRAPPED,
            other => panic!("{name}: it ends with {other:?}"),
        };
        Self {
            prints: match prints.is_empty() {
                true => prints,
                false => prints + " ",
            },
            ends,
            merges: line(";; merges").is_some(),
            keeps: line(";; keeps:"),
            name,
            part,
        }
    }
}

fn cases() -> Vec<Case> {
    let folder = repository().join("tests/flatten");
    let mut cases: Vec<Case> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            Case::new(name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(cases.len() > 50, "{}", cases.len());
    cases
}

/// Builds all cases into a folder. Returns the report on each, by its name.
fn build(
    sandbox: &Sandbox,
    cases: &[Case],
    options: &[&str],
    out: &str,
) -> BTreeMap<String, Value> {
    let files: Vec<String> = cases
        .iter()
        .map(|case| format!("{}.wat", case.name))
        .collect();
    let mut arguments = vec!["build", "-t", std::env::consts::ARCH, "--key", "key.pem"];
    arguments.extend(["--format", "json", "-o", out]);
    arguments.extend(options);
    arguments.extend(files.iter().map(String::as_str));
    let report: Value = serde_json::from_str(&sandbox.ok(&arguments)).unwrap();
    let inputs = report["inputs"].as_array().unwrap();
    let named = inputs.iter().zip(cases);
    named
        .map(|(input, case)| (case.name.clone(), input["built"].clone()))
        .collect()
}

#[test]
fn every_condition_is_kept() {
    let sandbox = Sandbox::new();
    let cases = cases();
    for case in &cases {
        sandbox.write(&format!("{}.wat", case.name), command(&case.part));
    }
    let mut wrong = Vec::new();
    for options in [
        &["-O1", "--no-flatten"][..],
        &["-O0"],
        &["-O1"],
        &["-O2"],
        // Some of the programs use the collector.
        &[
            "-O1",
            "--profile",
            "edge",
            "--allow-advisory",
            "GHSA-43j2-gcp4-m22g",
        ],
    ] {
        let out = format!("out{}/", options.concat());
        let reports = build(&sandbox, &cases, options, &out);
        let merging = !options.contains(&"--no-flatten") && !options.contains(&"-O0");
        for case in &cases {
            let name = &case.name;
            let artifact = format!("{out}{name}.{}.cwasm", std::env::consts::ARCH);
            let output = sandbox.run(&["run", "--key", "key.pub.pem", &artifact]);
            let printed = String::from_utf8_lossy(&output.stdout);
            let code = output.status.code().unwrap();
            if (&*printed, code) != (case.prints.as_str(), case.ends) {
                let stderr = String::from_utf8_lossy(&output.stderr);
                wrong.push(format!(
                    "{name} with {options:?}: prints {printed:?} and ends with {code}, not {:?} \
                     and {}: {stderr}",
                    case.prints, case.ends
                ));
            }
            let report = &reports[name]["flatten"];
            wrong.extend(judged(case, report, merging).map(|why| format!("{name}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the report on the merge.
fn judged(case: &Case, report: &Value, merging: bool) -> Option<String> {
    let merged = report["merged"].as_u64().unwrap_or_default();
    if !merging {
        return (merged > 0).then(|| format!("merged although it was not asked for: {report}"));
    }
    if case.merges && merged == 0 {
        return Some(format!("nothing is merged: {report}"));
    }
    let kept = report["kept"].as_array();
    let mut reasons = kept.into_iter().flatten().map(|kept| &kept["reason"]);
    let wanted = case.keeps.as_ref()?;
    let found = reasons.any(|reason| reason == wanted.as_str());
    (!found).then(|| format!("no core module is kept for `{wanted}`: {report}"))
}

/// The test itself can fail: a component that does something else is noticed.
#[test]
fn a_component_that_does_something_else_is_noticed() {
    let sandbox = Sandbox::new();
    let part = "(core module $m (import \"host\" \"say\" (func $say (param i32)))
        (func (export \"run\") (result i32) (call $say (i32.const 42)) (i32.const 1)))
        (core instance $m (instantiate $m (with \"host\" (instance $host))))
        (alias core export $m \"run\" (core func $main))";
    sandbox.write("fails.wat", command(part));
    sandbox.build("fails.wat", std::env::consts::ARCH, "fails.cwasm");
    let output = sandbox.run(&["run", "--key", "key.pub.pem", "fails.cwasm"]);
    assert_eq!(output.stdout, b"42 ");
    assert_eq!(output.status.code(), Some(1));
}
