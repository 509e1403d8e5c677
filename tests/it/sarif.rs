//! What a code host is told: SARIF logs, and annotations of GitHub.

use edgec_tests::Sandbox;
use serde_json::Value;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("good.wat", "(module)");
    sandbox.write(
        "folder/bad.wat",
        "(module\n  (func $f (param i64)\n    (drop (i32.add\n      (i32.const 1)\n      (local.get 0)))))",
    );
    sandbox.write("cut.wat", "(module\n  (func");
    let binary = wat::parse_str("(module (func $f nop drop))").unwrap();
    sandbox.write("binary.wasm", binary);
    sandbox
}

/// The log of a verb.
fn log(sandbox: &Sandbox, line: &str, exit: i32) -> Value {
    let words: Vec<&str> = line.split(' ').chain(["--format", "sarif"]).collect();
    let output = sandbox.run(&words);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{line}: {stderr}");
    let log: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"));
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"][0]["tool"]["driver"]["name"], "edgec");
    assert_eq!(log["runs"][0]["invocations"][0]["exitCode"], exit);
    log["runs"][0].clone()
}

/// Rule, file, region and function of each result.
fn results(run: &Value) -> Vec<(&str, &str, &Value, Option<&str>)> {
    let results = run["results"].as_array().unwrap().iter();
    let results = results.map(|result| {
        let rule = result["ruleId"].as_str().unwrap();
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        let known = &run["tool"]["driver"]["rules"][index];
        assert_eq!(known["id"], rule);
        let help = known["helpUri"].as_str().unwrap();
        assert!(help.ends_with(&format!("docs/errors.md#{rule}")), "{help}");
        assert!(known["help"]["text"].is_string() && known["shortDescription"]["text"].is_string());
        let location = &result["locations"][0];
        let place = &location["physicalLocation"];
        let file = place["artifactLocation"]["uri"].as_str().unwrap();
        let function = location["logicalLocations"][0]["name"].as_str();
        (rule, file, &place["region"], function)
    });
    results.collect()
}

#[test]
fn places_of_inputs_are_regions() {
    let sandbox = sandbox();
    for (verb, more) in [
        ("validate", ""),
        ("build", " -t x86_64 --key key.pem -o out/"),
    ] {
        let line = format!("{verb} good.wat folder/bad.wat cut.wat binary.wasm{more}");
        let run = log(&sandbox, &line, 1);
        let text = |line: u64, column: u64| serde_json::json!({ "startLine": line, "startColumn": column });
        let found = results(&run);
        assert_eq!(found.len(), 3, "{found:#?}");
        let [bad, cut, binary] = found[..] else {
            panic!("{found:#?}");
        };
        assert_eq!(bad, ("invalid", "folder/bad.wat", &text(3, 12), Some("f")));
        assert_eq!((cut.0, cut.1), ("not-wasm", "cut.wat"));
        assert_eq!(cut.2["startLine"], 2);
        assert_eq!(
            (binary.0, binary.1, binary.3),
            ("invalid", "binary.wasm", Some("f"))
        );
        // Header, type section and function section: 8, 6 and 4 bytes. The section of the code has
        // 3 bytes before its body, which begins with its length and its locals; `nop` follows.
        assert_eq!(binary.2["byteOffset"], 24);
        let snippet = binary.2["snippet"]["text"].as_str().unwrap();
        assert_eq!(snippet, "  nop\n> drop");
    }
}

#[test]
fn a_fault_of_the_machine_is_no_result() {
    let sandbox = sandbox();
    let run = log(&sandbox, "validate good.wat missing.wat", 3);
    assert_eq!(run["results"].as_array().unwrap().len(), 0, "{run}");
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notification = &invocation["toolExecutionNotifications"][0];
    assert_eq!(notification["descriptor"]["id"], "io");
    let run = log(&sandbox, "validate good.wat", 0);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let run = log(&sandbox, "validate good.wat --nonsense", 2);
    let notification = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(notification["descriptor"]["id"], "usage");
}

#[test]
fn artifacts_are_logged_too() {
    let sandbox = sandbox();
    sandbox.build("good.wat", "x86_64", "good.cwasm");
    assert_eq!(
        log(&sandbox, "audit good.cwasm", 0)["results"],
        serde_json::json!([])
    );
    let run = log(&sandbox, "audit good.cwasm cut.wat", 1);
    let found = results(&run);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].0, found[0].1), ("layout", "cut.wat"));
    let run = log(&sandbox, "check cut.wat", 1);
    assert_eq!(results(&run)[0].0, "layout");
    // The other verbs have no log.
    let stderr = sandbox.fails(2, &["inspect", "good.cwasm", "--format", "sarif"]);
    assert!(stderr.contains("sarif"), "{stderr}");
}

/// In a workflow of GitHub, each error is an annotation as well.
#[test]
fn github_gets_annotations() {
    let sandbox = sandbox();
    let annotations = |actions: &str, arguments: &[&str]| -> Vec<String> {
        let mut command = sandbox.command(arguments);
        command.env("GITHUB_ACTIONS", actions);
        command.env("GITHUB_WORKSPACE", sandbox.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines = stderr.lines().filter(|line| line.starts_with("::"));
        lines.map(str::to_owned).collect()
    };
    let inputs = ["validate", "folder/bad.wat", "cut.wat", "good.wat"];
    let found = annotations("true", &inputs);
    assert_eq!(found.len(), 2, "{found:#?}");
    let begins = "::error file=folder/bad.wat,line=3,col=12,title=edgec%3A invalid::\
                  folder/bad.wat: invalid WebAssembly: type mismatch";
    assert!(found[0].starts_with(begins), "{found:#?}");
    assert!(found[0].contains("%0Ahint: "), "{found:#?}");
    assert!(
        found[1].starts_with("::error file=cut.wat,line=2,col="),
        "{found:#?}"
    );
    // A path from elsewhere is one from the root of the repository.
    let whole = sandbox.path().join("folder/bad.wat");
    let found = annotations("true", &["validate", whole.to_str().unwrap()]);
    assert!(
        found[0].starts_with("::error file=folder/bad.wat,line=3"),
        "{found:#?}"
    );
    // A binary has no lines.
    let found = annotations("true", &["validate", "binary.wasm"]);
    assert!(
        found[0].starts_with("::error file=binary.wasm,title="),
        "{found:#?}"
    );
    assert_eq!(annotations("false", &inputs), Vec::<String>::new());
    let json = [&inputs[..], &["--format", "json"]].concat();
    assert_eq!(annotations("true", &json), Vec::<String>::new());
}

/// `--color` decides, then `NO_COLOR`, then `CLICOLOR_FORCE`. A pipe has no colours by default.
#[test]
fn colours_are_for_terminals_and_on_request() {
    let sandbox = sandbox();
    let has_colours = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = sandbox.command(&[arguments, &["validate", "cut.wat"]].concat());
        command.env("CI", "true").envs(environment.iter().copied());
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(!output.stdout.contains(&0x1b));
        stderr.starts_with("\u{1b}[1;31merror[not-wasm]\u{1b}[0m: cut.wat: ")
    };
    let force = ("CLICOLOR_FORCE", "1");
    assert!(!has_colours(&[], &[]));
    assert!(has_colours(&["--color=always"], &[]));
    assert!(has_colours(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(has_colours(&[], &[force]));
    assert!(!has_colours(&[], &[("CLICOLOR_FORCE", "0")]));
    assert!(!has_colours(&[], &[force, ("NO_COLOR", "1")]));
    assert!(!has_colours(&["--color=never"], &[force]));
    let stderr = sandbox.fails(2, &["validate", "cut.wat", "--color", "sometimes"]);
    assert!(
        stderr.contains("[possible values: auto, always, never]"),
        "{stderr}"
    );
}
