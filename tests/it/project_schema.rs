//! The published JSON Schema of `edgec.toml`, as an editor reads it, agrees with edgec.

use std::process::Command;

use edgec_tests::interop::python;
use edgec_tests::{Sandbox, repository};

/// Lines of a component, and whether they are right.
const COMPONENTS: &[(&str, bool)] = &[
    ("", true),
    (
        "kind = \"module\"\ninit = \"f\"\nkeep-modules = [0, 2]",
        true,
    ),
    ("kind = \"modul\"", false),
    ("keep-modules = [-1]", false),
    ("keep-modules = 1", false),
    ("output = \"a/b\"", true),
    ("output = \"/a\"", false),
    ("output = \"\"", false),
    ("targets = [\"x86_64\", \"neoverse-n1\"]", true),
    ("targets = \"x86_64\"", false),
    ("fleet = \"fleet.toml\"", true),
    ("fleet = \"fleet.toml\"\ntargets = [\"x86_64\"]", false),
    ("profile = \"edge\"\noptimize = 4", true),
    ("profile = \"fast\"", false),
    ("optimize = \"z\"", true),
    ("optimize = 5", false),
    ("optimize = \"2\"", false),
    ("flatten = false\ndebug-file = true", true),
    ("flatten = \"no\"", false),
    ("prune-imports = true", true),
    ("prune-imports = \"unused\"", false),
    ("wit = \"wit\"\nwit-world = \"shop\"", true),
    ("wit = \"/wit\"", false),
    ("wit-world = \"shop\"", false),
    ("world = \"wasi:http/proxy@0.2.3\"", true),
    ("world = \"wit#shop\"", true),
    ("world = \"\"", false),
    ("allow-imports = [\"wasi:http/types\", \"env::*\"]", true),
    ("allow-imports = \"wasi:*\"", false),
    ("provenance = true", false),
    ("channel = \"stable\"", true),
    ("channel = \"a*\"", false),
    ("version = 7", true),
    ("expires = 90", false),
    ("version = -7", false),
    ("version = \"7\"", false),
    ("version = 9007199254740992", false),
    ("version = { env = \"B\", form = \"semver\" }", true),
    ("version = { env = \"$B\" }", false),
    ("version = { git-tag = \"v*\" }", true),
    ("version = { git-tag = \"v\" }", false),
    ("version = { git-tag = \"**\" }", false),
    ("version = { file = \"V\", env = \"B\" }", false),
    ("version = { form = \"semver\" }", false),
    ("display-version = \"1.2.3\"", true),
    ("display-version = { file = \"V\" }", true),
    (
        "display-version = { file = \"V\", form = \"semver\" }",
        false,
    ),
    ("display-version = 1", false),
    ("capabilities = []", true),
    ("capabilities = [\"wasi:*\"]", true),
    ("capabilities = [\"\"]", false),
    (
        "budgets = { functions = 0, new-capabilities = \"deny\" }",
        true,
    ),
    (
        "limits = { core-instances = 9, memories = 1, memory-mib = 64, tables = 0 }",
        true,
    ),
    ("limits = { table-elements = 10_000 }", true),
    ("limits = { memory-mib = 1_099_511_627_777 }", false),
    ("limits = { memory = 64 }", false),
    ("limits = 64", false),
    ("budgets = { wire-bytes = 100_000 }", true),
    ("budgets = { wire-bytes = \"1 MB\" }", false),
    ("budgets = { functions = 1.5 }", false),
    ("budgets = { new-capabilities = true }", false),
    ("budgets = { time = 1 }", false),
    ("nonsense = 1", false),
];

#[test]
fn an_editor_and_edgec_agree() {
    let Some(python) = python() else {
        return;
    };
    let sandbox = Sandbox::empty();
    let component = "[[component]]\nname = \"a\"\ninput = \"a.wasm\"\n";
    let mut cases: Vec<(String, bool)> = vec![
        ("schema = 1\n".to_owned(), false),
        (component.to_owned(), false),
        (format!("schema = 2\n{component}"), false),
        (
            format!("schema = 1\n[project]\nkey = \"env:K\"\n{component}"),
            true,
        ),
        (
            format!("schema = 1\n[project]\nname = \"a\"\n{component}"),
            false,
        ),
        (
            "schema = 1\n[[component]]\nname = \"a\"\n".to_owned(),
            false,
        ),
        (
            "schema = 1\n[[component]]\nname = { file = \"NAME\" }\ninput = \"a\"\n".to_owned(),
            true,
        ),
        (
            "schema = 1\n[[component]]\nname = { form = \"semver\" }\ninput = \"a\"\n".to_owned(),
            false,
        ),
    ];
    for (lines, is_right) in COMPONENTS {
        cases.push((format!("schema = 1\n{component}{lines}\n"), *is_right));
    }
    let names: Vec<String> = (0..cases.len())
        .map(|number| format!("{number}.toml"))
        .collect();
    for (name, (text, _)) in names.iter().zip(&cases) {
        sandbox.write(name, text);
    }
    let output = Command::new(python)
        .arg(repository().join("tests/interop/project_schema.py"))
        .arg(repository().join("docs/schema/edgec.toml.json"))
        .args(&names)
        .current_dir(sandbox.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let old = "if it lacks jsonschema, run tests/interop/setup.sh again";
    assert!(output.status.success(), "{stderr}\n{old}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), cases.len());
    for ((name, (text, is_right)), said) in names.iter().zip(&cases).zip(said.lines()) {
        assert_eq!(said == "valid", *is_right, "{text}: {said}");
        // A project that is right fails later: there is no input, no fleet, no variable.
        let output = sandbox.run(&["build", "--project", name]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{text}");
        let is_refused = stderr.starts_with("error[project]: ");
        assert_eq!(!is_refused, *is_right, "{text}: {stderr}");
    }
}
