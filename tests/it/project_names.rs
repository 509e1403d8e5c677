//! Names of components from files, variables and tags, the environment of `git`, and the demands
//! and budgets of a project that have their own tables.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use edgec_tests::{Sandbox, present};
use serde_json::Value;

use crate::project::{artifacts, manifest, one, sandbox};

/// A project of one core module, whose name comes from here.
fn named(name: &str) -> Sandbox {
    sandbox(&format!(
        "schema = 1\n[project]\nkey = \"key.pem\"\ntargets = [\"x86_64\"]\n\
         [[component]]\nname = {name}\ninput = \"shop.wat\"\n"
    ))
}

#[test]
fn a_name_comes_from_a_file_or_a_variable() {
    let sandbox = named("{ file = \"NAME\" }");
    sandbox.write("NAME", "acme/shop\nmore\n");
    sandbox.ok(&["build", "-q"]);
    assert_eq!(artifacts(&sandbox), ["dist/shop.x86_64.cwasm"]);
    assert_eq!(
        manifest(&sandbox, "dist/shop.x86_64.cwasm")["name"],
        "acme/shop"
    );
    // A component is chosen by the name that it gets.
    sandbox.ok(&["build", "-q", "--component", "acme/shop"]);
    let stderr = sandbox.fails(2, &["build", "--component", "shop"]);
    assert!(stderr.contains("it has `acme/shop`"), "{stderr}");
    sandbox.write("NAME", "../shop\n");
    let stderr = sandbox.fails(2, &["build"]);
    let says = "error[name]: NAME: the text is not the name of an application\n";
    assert!(stderr.starts_with(says), "{stderr}");
    sandbox.write("NAME", "\n");
    let stderr = sandbox.fails(2, &["build"]);
    assert!(
        stderr.starts_with("error[name]: NAME: the text is no name: "),
        "{stderr}"
    );

    let sandbox = named("{ env = \"APP\" }");
    let stderr = sandbox.fails(2, &["build"]);
    let says = "error[name]: the variable APP is not set, or is not text\n";
    assert!(stderr.starts_with(says), "{stderr}");
    let output = sandbox
        .command(&["build", "-q"])
        .env("APP", "cart")
        .output();
    assert!(output.unwrap().status.success());
    assert_eq!(artifacts(&sandbox), ["dist/cart.x86_64.cwasm"]);
}

#[test]
fn two_components_never_get_one_name() {
    let component = |name: &str| format!("[[component]]\nname = {name}\ninput = \"shop.wat\"\n");
    let sandbox = sandbox(&format!(
        "schema = 1\n[project]\nkey = \"key.pem\"\n{}{}",
        component("\"shop\""),
        component("{ file = \"NAME\" }")
    ));
    sandbox.write("NAME", "shop");
    let stderr = sandbox.fails(1, &["build"]);
    let says = "error[project]: edgec.toml: two components have the name `shop`\n";
    assert!(stderr.starts_with(says), "{stderr}");
}

/// `git` gets only the variables that it needs, and its answer has a bound.
#[test]
fn git_is_asked_with_a_clean_environment() {
    let sandbox = one("version = { git-tag = \"v*\" }\n");
    let git = sandbox.path().join("bin/git");
    let program = |script: &str| {
        sandbox.write("bin/git", script);
        fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let path = format!("{}:/usr/bin:/bin", sandbox.path().join("bin").display());
    let build = || {
        let mut command = sandbox.command(&["build"]);
        command.env("PATH", &path).env("GIT_DIR", "/elsewhere");
        command.env("CI_TOKEN", "hunter2").output().unwrap()
    };
    program("#!/bin/sh\nenv >environment\necho \"$@\" >arguments\necho v41\n");
    let output = build();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(manifest(&sandbox, "dist/shop.x86_64.cwasm")["version"], 41);
    let environment = String::from_utf8(sandbox.read("environment")).unwrap();
    for absent in ["GIT_DIR", "CI_TOKEN", "hunter2", "EDGEC"] {
        assert!(!environment.contains(absent), "{absent}: {environment}");
    }
    assert!(
        environment.contains("GIT_TERMINAL_PROMPT=0"),
        "{environment}"
    );
    let arguments = String::from_utf8(sandbox.read("arguments")).unwrap();
    assert!(
        arguments.ends_with("describe --tags --abbrev=0 --match v*\n"),
        "{arguments}"
    );

    // It never answers more than a tag.
    program("#!/bin/sh\nexec yes v41\n");
    let output = build();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error[version]: "), "{stderr}");
    program("#!/bin/sh\necho 'fatal: dubious ownership' >&2\nexit 128\n");
    let stderr = String::from_utf8(build().stderr).unwrap();
    assert!(
        stderr.contains("no tag `v*` was found: fatal: dubious"),
        "{stderr}"
    );
    fs::remove_file(&git).unwrap();
    let mut command = sandbox.command(&["build"]);
    let output = command
        .env("PATH", sandbox.path().join("bin"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with("error[version]: git: "), "{stderr}");
}

#[test]
fn a_name_comes_from_a_tag() {
    if !present("git") {
        return;
    }
    let sandbox = named("{ git-tag = \"app-*\" }");
    let git = |arguments: &[&str]| {
        let own = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        sandbox.tool("git", &[&own[..], arguments].concat());
    };
    git(&["init", "-q"]);
    git(&["add", "edgec.toml"]);
    git(&["commit", "-q", "-m", "first"]);
    let stderr = sandbox.fails(2, &["build"]);
    assert!(stderr.starts_with("error[name]: "), "{stderr}");
    assert!(stderr.contains("write the name in edgec.toml"), "{stderr}");
    git(&["tag", "app-shop"]);
    sandbox.ok(&["build", "-q"]);
    assert_eq!(artifacts(&sandbox), ["dist/shop.x86_64.cwasm"]);
}

#[test]
fn a_project_limits_what_an_instance_needs() {
    let sandbox = one("limits = { memory-mib = 1, memories = 1 }\n");
    sandbox.write("shop.wat", "(module (memory 17) (memory 1))");
    let stderr = sandbox.fails(1, &["build"]);
    assert!(stderr.starts_with("error[gate]: shop.wat: "), "{stderr}");
    for code in ["| limit-memories: ", "| limit-memory: "] {
        assert!(stderr.contains(code), "{code}: {stderr}");
    }
    // The command line comes first, one limit at a time.
    let stderr = sandbox.fails(1, &["build", "--max-memories", "2"]);
    assert!(!stderr.contains("| limit-memories: "), "{stderr}");
    assert!(stderr.contains("| limit-memory: "), "{stderr}");
    let wide = [
        "build",
        "--max-memories",
        "2",
        "--max-memory",
        "2",
        "--format",
        "json",
    ];
    let document: Value = serde_json::from_str(&sandbox.ok(&wide)).unwrap();
    let limits = &document["inputs"][0]["built"]["gate"]["limits"];
    assert_eq!(limits["memoryBytes"], 2 << 20);
}

#[test]
fn a_compressed_image_has_a_budget() {
    let sandbox = one("budgets = { wire-bytes = 100 }\n");
    let stderr = sandbox.fails(1, &["build"]);
    assert!(stderr.contains("wire-bytes (x86_64)  100 B"), "{stderr}");
    assert!(stderr.contains(" .text"), "{stderr}");
    let project = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
    sandbox.write("edgec.toml", project.replace("= 100 }", "= 100_000 }"));
    sandbox.ok(&["build", "-q"]);
    let image = manifest(&sandbox, "dist/shop.x86_64.cwasm")["image"]["length"].clone();
    sandbox.write("edgec.toml", &project);
    let output = sandbox.run(&["build", "--baseline", "dist", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let excess = &document["inputs"][0]["error"]["details"][0];
    assert_eq!(excess["budget"], "wire-bytes");
    // Nothing has changed, and the image is longer than its compressed form.
    assert_eq!(excess["before"], excess["now"], "{excess}");
    assert!(excess["now"].as_u64() < image.as_u64(), "{excess}");
}

#[test]
fn a_project_says_when_its_artifacts_expire() {
    let sandbox = one("expires = \"2099-01-31\"\n");
    sandbox.ok(&["build", "-q"]);
    let expires = || manifest(&sandbox, "dist/shop.x86_64.cwasm")["validity"]["expires"].clone();
    let stated = expires();
    assert!(stated.is_u64(), "{stated}");
    // The command line comes first.
    sandbox.ok(&["build", "-q", "--expires", "2098-01-31"]);
    assert!(expires().as_u64() < stated.as_u64());
    for (text, says) in [
        (
            "2001-01-31",
            "error[validity]: `expires` lies in the past: 2001-01-31T",
        ),
        (
            "90d",
            "error[validity]: `expires` is 90d: a duration begins with `+`",
        ),
    ] {
        let project = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
        let line = project.lines().find(|line| line.starts_with("expires"));
        let changed = project.replace(line.unwrap(), &format!("expires = \"{text}\""));
        sandbox.write("edgec.toml", changed);
        let stderr = sandbox.fails(2, &["build"]);
        assert!(stderr.starts_with(says), "{text}: {stderr}");
    }
}
