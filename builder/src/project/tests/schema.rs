//! The published schema has the names that edgec reads.

use std::collections::BTreeSet;

use edgec_compiler::{EngineProfile, KindChoice, Level};
use serde_json::Value;

use crate::project::{Project, ProjectError, TextError};

/// The names that a table takes: an unknown one is an error that lists them.
fn known(before: &str) -> BTreeSet<String> {
    match Project::from_toml(&format!("schema = 1\n{before}")) {
        Err(ProjectError::Text(TextError::UnknownName { name, known, .. }))
            if name == "nonsense" =>
        {
            known.into_iter().collect()
        }
        other => panic!("{before}: {other:?}"),
    }
}

/// An editor and edgec agree on every name.
#[test]
fn the_published_schema_has_the_same_names() {
    let schema = include_str!("../../../../docs/schema/edgec.toml.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let component = "[[component]]\nname = \"a\"\ninput = \"a\"\n";
    let in_component = format!("{component}nonsense = 1");
    let in_limits = format!("{component}limits.nonsense = 1");
    let in_budgets = format!("{component}budgets.nonsense = 1");
    for (table, pointer) in [
        ("nonsense = 1", "/properties"),
        ("[project]\nnonsense = 1", "/properties/project/properties"),
        (
            in_component.as_str(),
            "/properties/component/items/properties",
        ),
        (
            "[project.budgets]\nnonsense = 1",
            "/$defs/budgets/properties",
        ),
        (in_budgets.as_str(), "/$defs/budgets/properties"),
        ("[project.limits]\nnonsense = 1", "/$defs/limits/properties"),
        (in_limits.as_str(), "/$defs/limits/properties"),
        (
            "[project.version]\nnonsense = 1",
            "/$defs/version-source/properties",
        ),
    ] {
        let published = schema.pointer(pointer).unwrap().as_object().unwrap();
        let published: BTreeSet<String> = published.keys().cloned().collect();
        assert_eq!(published, known(table), "{pointer}");
    }
    // The table of `display-version` is the same without `form`.
    let names = |pointer: &str| -> BTreeSet<String> {
        let table = schema.pointer(pointer).unwrap().as_object().unwrap();
        table.keys().cloned().collect()
    };
    let mut text = names("/$defs/text-source/properties");
    text.insert("form".to_owned());
    assert_eq!(text, names("/$defs/version-source/properties"));
    // Every name has a description, and the values of lists are those that edgec knows.
    let levels = schema
        .pointer("/properties/project/properties/optimize/enum")
        .unwrap();
    for level in levels.as_array().unwrap() {
        let project = format!("schema = 1\n[project]\noptimize = {level}\n{component}");
        assert!(Project::from_toml(&project).is_ok(), "{level}");
    }
    assert_eq!(levels.as_array().unwrap().len(), Level::ALL.len());
    let profiles = schema
        .pointer("/properties/project/properties/profile/enum")
        .unwrap();
    let profiles: Vec<&str> = profiles
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(profiles, EngineProfile::ALL.map(EngineProfile::name));
    let kinds = schema
        .pointer("/properties/component/items/properties/kind/enum")
        .unwrap();
    let kinds: Vec<&str> = kinds
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(kinds, KindChoice::ALL.map(KindChoice::name));
}

/// The example in the documentation is a project.
#[test]
fn the_documented_example_is_read() {
    let document = include_str!("../../../../docs/project.md");
    let (_, example) = document.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let project = Project::from_toml(example).unwrap();
    assert!(project.components.len() > 1);
}
