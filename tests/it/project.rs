//! Projects: `edgec build` in a folder with an `edgec.toml`, and `edgec init`.

use std::process::Output;

use edgec_tests::Sandbox;
use edgec_tests::ordinary_user::root_becomes_user;
use serde_json::Value;

pub(crate) const MODULE: &str = "(module (func (export \"f\") (result i32) i32.const 1))";

const TWO: &str = r#"
schema = 1

[project]
key = "key.pem"
targets = ["x86_64"]
version = 7

[[component]]
name = "acme/shop"
input = "shop.wat"

[[component]]
name = "cart"
input = "programs/cart.wat"
targets = ["aarch64", "neoverse-n1"]
profile = "edge"
optimize = 0
channel = "beta"
version = { env = "CART" }
display-version = { file = "VERSION" }
"#;

pub(crate) fn sandbox(project: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("shop.wat", MODULE);
    sandbox.write("programs/cart.wat", MODULE);
    sandbox.write("VERSION", "1.2.3\nmore\n");
    sandbox.write("edgec.toml", project);
    sandbox
}

/// A project of one core module, with these lines.
pub(crate) fn one(lines: &str) -> Sandbox {
    sandbox(&format!(
        "schema = 1\n[project]\nkey = \"key.pem\"\ntargets = [\"x86_64\"]\n\
         [[component]]\nname = \"shop\"\ninput = \"shop.wat\"\n{lines}"
    ))
}

fn with_variable(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let mut command = sandbox.command(arguments);
    command.env("CART", "12").output().unwrap()
}

pub(crate) fn manifest(sandbox: &Sandbox, artifact: &str) -> Value {
    let report = sandbox.ok(&["inspect", artifact, "--format", "json"]);
    let mut report: Value = serde_json::from_str(&report).unwrap();
    report["manifest"].take()
}

pub(crate) fn artifacts(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.files().into_iter();
    files.filter(|name| name.ends_with(".cwasm")).collect()
}

const BUILT: [&str; 3] = [
    "dist/cart.aarch64.cwasm",
    "dist/cart.neoverse-n1.cwasm",
    "dist/shop.x86_64.cwasm",
];

#[test]
fn a_project_builds_every_component_as_it_says() {
    let sandbox = sandbox(TWO);
    let output = with_variable(&sandbox, &["build"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.starts_with("edgec.toml: 2 components\n"), "{stdout}");
    // The results have the order of the file.
    let (shop, cart) = (
        stdout.find("shop.wat ("),
        stdout.find("programs/cart.wat ("),
    );
    assert!(shop.is_some() && shop < cart, "{stdout}");
    assert_eq!(artifacts(&sandbox), BUILT);

    let shop = manifest(&sandbox, BUILT[2]);
    assert_eq!(shop["name"], "acme/shop");
    assert_eq!(shop["version"], 7);
    assert_eq!(shop["engine"]["profile"], "default");
    assert_eq!(shop["channel"], Value::Null);
    let cart = manifest(&sandbox, BUILT[0]);
    assert_eq!(cart["name"], "cart");
    assert_eq!(cart["version"], 12);
    assert_eq!(cart["displayVersion"], "1.2.3");
    assert_eq!(cart["channel"], "beta");
    assert_eq!(cart["engine"]["profile"], "edge");
    for artifact in BUILT {
        sandbox.ok(&["verify", "-q", "--key", "key.pub.pem", artifact]);
    }
}

/// The number of inputs that are built at a time does not change what is built.
#[test]
fn the_artifacts_are_the_same_one_by_one_and_all_at_a_time() {
    let sandbox = sandbox(TWO);
    let build = |output: &str, more: &[&str]| {
        let build = ["build", "-q", "-o", output];
        let output = with_variable(&sandbox, &[&build[..], more].concat());
        assert!(output.status.success(), "{output:?}");
    };
    build("one", &["-j", "1"]);
    build("many", &["-j", "8"]);
    // The estimate is larger than this, so one runs at a time.
    build("small", &["--memory", "64"]);
    for name in BUILT.map(|name| name.trim_start_matches("dist/")) {
        let one = sandbox.read(&format!("one/{name}"));
        assert_eq!(one, sandbox.read(&format!("many/{name}")));
        assert_eq!(one, sandbox.read(&format!("small/{name}")));
    }
}

#[test]
fn a_project_is_found_above_and_named() {
    let sandbox = sandbox(TWO);
    let mut command = sandbox.command(&["build", "--component", "acme/shop"]);
    let output = command
        .current_dir(sandbox.path().join("programs"))
        .output();
    let output = output.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(
        stdout.starts_with("../edgec.toml: 1 component\n"),
        "{stdout}"
    );
    assert_eq!(artifacts(&sandbox), BUILT[2..]);

    // Paths start from the folder of the file.
    sandbox.write("other/edgec.toml", sandbox.read("edgec.toml"));
    sandbox.write_secret("other/key.pem", sandbox.read("key.pem"));
    let stderr = sandbox.fails(
        3,
        &[
            "build",
            "--project",
            "other/edgec.toml",
            "--component",
            "acme/shop",
        ],
    );
    let says = "error[io]: other/shop.wat: cannot read";
    assert!(stderr.starts_with(says), "{stderr}");

    for (line, exit, says) in [
        (
            "build --component cat",
            2,
            "error[component]: edgec.toml: no component has the name `cat`",
        ),
        ("build shop.wat --component cart", 2, "error: the argument"),
        (
            "build shop.wat --project edgec.toml",
            2,
            "error: the argument",
        ),
        (
            "build --project missing.toml",
            3,
            "error[io]: missing.toml: cannot read",
        ),
        (
            "build --project key.pem",
            1,
            "error[project]: key.pem: this is a private key, not a project",
        ),
        (
            "build --name x --component acme/shop",
            2,
            "error[name]: --name names one input",
        ),
        (
            "build -j 0",
            2,
            "error: invalid value '0' for '--jobs <NUMBER>'",
        ),
        (
            "build --memory 1G",
            2,
            "error: invalid value '1G' for '--memory <MIB>'",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let stderr = sandbox.fails(exit, &words);
        assert!(stderr.starts_with(says), "{line}: {stderr}");
    }
    // Inputs on the command line have nothing to do with the project.
    sandbox.ok(&[
        "build", "-q", "shop.wat", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
    ]);
    assert_eq!(manifest(&sandbox, "a.cwasm")["version"], 0);
}

#[test]
fn the_command_line_comes_before_the_project() {
    let sandbox = one("channel = \"stable\"\noptimize = 0\nversion = 3\n");
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let build = ["build", "-t", "aarch64", "-o", "out/", "--channel", "beta"];
    let more = [
        "--app-version",
        "9",
        "-O2",
        "--profile",
        "edge",
        "--format",
        "json",
    ];
    let report = sandbox.ok(&[&build[..], &more].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["inputs"][0]["built"]["level"], "2");
    assert_eq!(artifacts(&sandbox), ["out/shop.aarch64.cwasm"]);
    let manifest = manifest(&sandbox, "out/shop.aarch64.cwasm");
    assert_eq!(manifest["channel"], "beta");
    assert_eq!(manifest["version"], 9);
    assert_eq!(manifest["engine"]["profile"], "edge");

    // The key: an option, then the variable, then the project.
    let signed_by = |arguments: &[&str], key: Option<&str>| {
        let mut command = sandbox.command(&[&["build", "-q", "-o", "a.cwasm"], arguments].concat());
        if let Some(key) = key {
            command.env("EDGEC_KEY", key);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let is_by = |key: &str| {
            let verify = ["verify", "-q", "--key", key, "a.cwasm"];
            sandbox.run(&verify).status.success()
        };
        (is_by("key.pub.pem"), is_by("other.pub.pem"))
    };
    assert_eq!(signed_by(&[], None), (true, false));
    assert_eq!(signed_by(&[], Some("other.pem")), (false, true));
    assert_eq!(
        signed_by(&["--key", "key.pem"], Some("other.pem")),
        (true, false)
    );
}

#[test]
fn each_component_is_signed_by_its_own_key() {
    let sandbox = sandbox(&TWO.replace("profile = \"edge\"", "key = \"cart.pem\""));
    sandbox.ok(&["keygen", "-o", "cart.pem"]);
    let output = with_variable(&sandbox, &["build", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["moreKeyIds"].as_array().unwrap().len(), 1);
    for (artifact, key, exit) in [
        (BUILT[2], "key.pub.pem", 0),
        (BUILT[2], "cart.pub.pem", 1),
        (BUILT[0], "cart.pub.pem", 0),
        (BUILT[0], "key.pub.pem", 1),
    ] {
        let verified = sandbox.run(&["verify", "-q", "--key", key, artifact]);
        assert_eq!(verified.status.code(), Some(exit), "{artifact} {key}");
    }
}

#[test]
fn a_mistake_is_shown_in_its_line() {
    let sandbox = one("");
    for (from, to, says) in [
        (
            "targets =",
            "target =",
            "error[project]: edgec.toml: unknown name `target`; did you mean `targets`?\n  \
             |  --> edgec.toml:4:1\n  | 4 | target = [\"x86_64\"]\n  |   | ^\n  hint: this table has ",
        ),
        (
            "[\"x86_64\"]",
            "[\"x86_64\", \"x86_65\"]",
            "error[project]: edgec.toml: unknown target `x86_65`; did you mean `x86_64`",
        ),
        (
            "schema = 1\n",
            "",
            "error[project]: edgec.toml: the file does not state its schema",
        ),
        (
            "[[component]]",
            "[[components]]",
            "error[project]: edgec.toml: unknown name `components`",
        ),
    ] {
        let genuine = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
        sandbox.write("edgec.toml", genuine.replace(from, to));
        let stderr = sandbox.fails(1, &["build"]);
        assert!(stderr.starts_with(says), "{stderr}");
        // A document has the place too.
        let output = sandbox.run(&["build", "--format", "json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], "project");
        sandbox.write("edgec.toml", genuine);
    }
    assert!(artifacts(&sandbox).is_empty());
}

/// Anyone can write into a folder like `/tmp`, which may be above the current one.
#[cfg(unix)]
#[test]
fn a_project_above_belongs_to_this_user() {
    if !root_becomes_user() {
        return;
    }
    let sandbox = one("");
    let file = sandbox.path().join("edgec.toml");
    std::os::unix::fs::chown(&file, Some(65530), None).unwrap();
    let build = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command
            .current_dir(sandbox.path().join("programs"))
            .output()
            .unwrap()
    };
    let output = build(&["build"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.starts_with("error[project]: ../edgec.toml: "),
        "{stderr}"
    );
    assert!(
        build(&["build", "-q", "--project", "../edgec.toml"])
            .status
            .success()
    );
}

#[test]
fn init_writes_a_project_that_builds() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", MODULE);
    sandbox.write("readme.md", "text");
    let cargo = "target/wasm32-wasip2/release/shop.wasm";
    sandbox.write(cargo, wat::parse_str(MODULE).unwrap());
    sandbox.write(
        "Cargo.toml",
        "[package]\nname = \"shop\"\nversion = \"1.0.0\"\n",
    );
    let stdout = sandbox.ok(&["init"]);
    assert!(stdout.starts_with("wrote edgec.toml\n"), "{stdout}");
    for part in [
        "  app ",
        "a file of this folder",
        cargo,
        "  (key)  key.pem\n",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert!(!stdout.contains("not there yet"), "{stdout}");
    assert!(
        stdout.ends_with("read it, then build: edgec build\n"),
        "{stdout}"
    );
    sandbox.ok(&["build", "-q", "-t", "x86_64"]);
    assert_eq!(
        artifacts(&sandbox),
        ["dist/app.x86_64.cwasm", "dist/shop.x86_64.cwasm"]
    );

    // It does not overwrite a project.
    let before = sandbox.read("edgec.toml");
    let stderr = sandbox.fails(2, &["init"]);
    assert!(
        stderr.starts_with("error[project]: edgec.toml: this folder has a project"),
        "{stderr}"
    );
    assert_eq!(sandbox.read("edgec.toml"), before);

    // What is not built yet is in the project, and the report says so.
    sandbox.write(
        "js/package.json",
        r#"{"scripts": {"b": "jco componentize a.js -o a.wasm"}}"#,
    );
    let report: Value = sandbox
        .ok(&["init", "js", "--format", "json"])
        .parse()
        .unwrap();
    assert_eq!(report["project"], "js/edgec.toml");
    assert_eq!(report["components"][0]["input"], "a.wasm");
    assert_eq!(report["components"][0]["exists"], false);
    let empty = sandbox.path().join("empty");
    std::fs::create_dir(empty).unwrap();
    let stdout = sandbox.ok(&["init", "empty"]);
    assert!(stdout.contains("no program was found"), "{stdout}");
    let stderr = sandbox.fails(3, &["init", "missing"]);
    assert!(stderr.starts_with("error[io]: missing: "), "{stderr}");
}
