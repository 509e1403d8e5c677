//! What a user demands of a program: a world, imports, limits. And component types that a core
//! module gets from WIT.

use edgec_tests::{Sandbox, repository};
use serde_json::Value;

/// A world with an import and an export, in a folder with a package that it uses.
fn shop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "wit/shop.wit",
        "package acme:shop;\n\
         interface run { run: func(n: u32) -> u32; }\n\
         world shop { import acme:base/log; export run; }\n\
         world other { import acme:base/log; }\n",
    );
    sandbox.write(
        "wit/deps/base/log.wit",
        "package acme:base;\ninterface log { print: func(text: string); }\n",
    );
    sandbox.write("wit/deps/readme.txt", "not WIT");
    sandbox.write(
        "shop.wat",
        r#"(module
            (import "acme:base/log" "print" (func (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "acme:shop/run#run") (param i32) (result i32) local.get 0))"#,
    );
    sandbox
}

fn hello() -> String {
    repository()
        .join("examples/hello.wat")
        .display()
        .to_string()
}

#[test]
fn a_command_fits_its_world_and_no_other() {
    let sandbox = Sandbox::new();
    let hello = hello();
    for world in ["wasi:cli/command", "wasi:cli/command@0.2.12"] {
        let said = sandbox.ok(&["validate", &hello, "--world", world]);
        assert!(said.ends_with(": valid component\n"), "{said}");
    }
    let said = sandbox.fails(1, &["validate", &hello, "--world", "wasi:http/proxy"]);
    assert!(said.starts_with("error[gate]: "), "{said}");
    for part in [
        "  | world-import: import `wasi:",
        "is not in world `wasi:http/proxy@0.2.12`",
        "  | world-export: export `wasi:http/incoming-handler@0.2.12`",
        "hint: --world ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// A build that breaks a demand writes nothing, and names everything at once.
#[test]
fn a_build_names_all_that_it_refuses() {
    let sandbox = Sandbox::new();
    let before = sandbox.files();
    let hello = hello();
    let line = [
        "build",
        &hello,
        "--key",
        "key.pem",
        "--world",
        "wasi:http/proxy",
        "--allow-import",
        "wasi:io/*",
        "--max-memory",
        "0",
        "--max-memories",
        "0",
        "--max-core-instances",
        "1",
        "--format",
        "json",
    ];
    let output = sandbox.run(&line);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &report["inputs"][0]["error"];
    assert_eq!(error["code"], "gate");
    let details = error["details"].as_array().unwrap();
    for code in [
        "world-import",
        "world-export",
        "import-not-allowed",
        "limit-core-instances",
        "limit-memories",
        "limit-memory",
    ] {
        let has = details.iter().any(|detail| detail["code"] == code);
        assert!(has, "{code}: {details:?}");
    }
    let named = |detail: &&Value| detail["code"] == "import-not-allowed";
    let refused = details.iter().find(named).unwrap();
    assert!(refused["name"].as_str().unwrap().starts_with("wasi:"));
    assert_eq!(sandbox.files(), before);
}

#[test]
fn allowed_imports_and_limits_let_a_program_through() {
    let sandbox = Sandbox::new();
    sandbox.ok(&[
        "validate",
        &hello(),
        "--allow-import",
        "wasi:cli/*",
        "--allow-import",
        "wasi:io/*",
        "--allow-import",
        "wasi:*",
        "--max-memory",
        "64",
        "--max-tables",
        "10",
        "--max-table-elements",
        "1000",
    ]);
    sandbox.write(
        "large.wat",
        r#"(module (import "env" "f" (func)) (memory 2000) (table 9 funcref) (table 1 funcref))"#,
    );
    let said = sandbox.fails(
        1,
        &[
            "validate",
            "large.wat",
            "--world",
            "wasi:cli/command",
            "--allow-import",
            "env::g",
            "--max-memory",
            "64",
            "--max-tables",
            "1",
            "--max-table-elements",
            "8",
        ],
    );
    for part in [
        "error[gate]: large.wat: the program breaks 5 demands",
        "  | world-module: ",
        "  | import-not-allowed: import `env::f` is not allowed",
        "  | limit-memory: memory 0 has 131072000 bytes at the start, and 67108864 is the limit",
        "  | limit-tables: ",
        "  | limit-table: table 0 has 9 elements",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_core_module_gets_the_types_that_are_named() {
    let sandbox = shop();
    let wit = ["--wit", "wit", "--wit-world", "shop"];
    let with = |line: &[&'static str]| [line, &wit].concat();
    let said = sandbox.ok(&with(&["validate", "shop.wat"]));
    assert_eq!(said, "shop.wat: valid component\n");
    // Without types it stays a core module, and with them it fits the world.
    sandbox.fails(1, &["validate", "shop.wat", "--world", "wit#shop"]);
    sandbox.ok(&with(&["validate", "shop.wat", "--world", "wit#shop"]));
    sandbox.fails(
        1,
        &with(&["validate", "shop.wat", "--allow-import", "acme:shop/*"]),
    );

    let build = "build -q shop.wat --key key.pem -t x86_64 -o shop.cwasm";
    let build: Vec<&'static str> = build.split(' ').collect();
    sandbox.ok(&with(&build));
    let report = sandbox.ok(&["inspect", "shop.cwasm", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let stages = report["manifest"]["builder"]["stages"].as_array().unwrap();
    let adapt = stages.iter().find(|stage| stage["name"] == "adapt");
    let settings = &adapt.unwrap()["settings"];
    assert_eq!(settings["world"], "acme:shop/shop");
    assert_eq!(settings["componentTypes"].as_str().unwrap().len(), 64);

    let verify = "verify shop.cwasm --key key.pub.pem --rebuild shop.wat";
    let verify: Vec<&'static str> = verify.split(' ').collect();
    sandbox.ok(&with(&verify));
    let output = sandbox.run(&verify);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("rebuild-wit") && said.contains("--wit FILE|DIR"));
}

/// Each error of a world, and of types for a core module.
#[test]
fn each_error_has_a_case() {
    let sandbox = shop();
    sandbox.write("component.wat", "(component)");
    sandbox.write("bad.wit", "package acme:bad;\nworld w { imprt a; }\n");
    sandbox.write("bytes.wit", b"\xff\xfe");
    sandbox.write("empty/readme.txt", "");
    for (line, exit, code, says) in [
        (
            "shop.wat --world wasi:http/nothing",
            1,
            "wit-world",
            "wasi:http/proxy@0.2.12",
        ),
        ("shop.wat --world wit", 1, "wit-world", "acme:shop/other"),
        ("shop.wat --world wit#none", 1, "wit-world", "`none`"),
        ("shop.wat --world bad.wit", 1, "wit-invalid", "bad.wit:2"),
        ("shop.wat --world bytes.wit", 1, "wit-invalid", "bytes.wit"),
        ("shop.wat --world empty", 1, "wit-invalid", "no .wit file"),
        ("shop.wat --world nowhere", 3, "io", "nowhere"),
        (
            "shop.wat --world acme:shop/shop",
            3,
            "io",
            "only WASI's own worlds have names",
        ),
        (
            "component.wat --wit wit --wit-world shop",
            1,
            "wit",
            "has types already",
        ),
        (
            "shop.wat --wit wit --wit-world none",
            1,
            "wit-world",
            "`none`",
        ),
        ("shop.wat --wit bad.wit", 1, "wit-invalid", "bad.wit:2"),
    ] {
        let line: Vec<&str> = ["validate"].into_iter().chain(line.split(' ')).collect();
        let said = sandbox.fails(exit, &line);
        assert!(said.starts_with(&format!("error[{code}]: ")), "{said}");
        assert!(said.contains(says), "{line:?}: {said}");
    }
    let module = "build shop.wat --key key.pem --kind module --wit wit --wit-world shop";
    let line: Vec<&str> = module.split(' ').collect();
    let said = sandbox.fails(1, &line);
    assert!(said.starts_with("error[wit]: shop.wat: "), "{said}");
    sandbox.fails(2, &["validate", "shop.wat", "--wit-world", "shop"]);
    sandbox.fails(2, &["validate", "shop.wat", "--allow-import", ""]);
}

/// A module that carries types takes no others.
#[test]
fn types_are_not_given_twice() {
    let sandbox = shop();
    let text = String::from_utf8(sandbox.read("shop.wat")).unwrap();
    let typed = text.trim_end().trim_end_matches(')').to_owned();
    sandbox.write(
        "typed.wat",
        format!("{typed}) (@custom \"component-type:x\" \"x\"))"),
    );
    let wit = ["--wit", "wit", "--wit-world", "shop"];
    let line = [&["validate", "typed.wat"][..], &wit].concat();
    let said = sandbox.fails(1, &line);
    assert!(said.starts_with("error[wit]: typed.wat: "), "{said}");
}

/// Files of WIT are bounded.
#[test]
fn too_many_files_are_refused() {
    let sandbox = shop();
    for number in 0..1001 {
        sandbox.write(&format!("many/{number}.wit"), "package a:b;\n");
    }
    let said = sandbox.fails(1, &["validate", "shop.wat", "--world", "many"]);
    assert!(said.starts_with("error[wit-size]: "), "{said}");
}
