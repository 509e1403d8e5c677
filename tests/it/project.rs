//! Projects: `edgec build` in a folder with an `edgec.toml`, and `edgec init`.

use std::process::Output;

use edgec_tests::ordinary_user::root_becomes_user;
use edgec_tests::{Sandbox, present, skipped};
use serde_json::Value;

const MODULE: &str = "(module (func (export \"f\") (result i32) i32.const 1))";

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

fn sandbox(project: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("shop.wat", MODULE);
    sandbox.write("programs/cart.wat", MODULE);
    sandbox.write("VERSION", "1.2.3\nmore\n");
    sandbox.write("edgec.toml", project);
    sandbox
}

/// A project of one core module, with these lines.
fn one(lines: &str) -> Sandbox {
    sandbox(&format!(
        "schema = 1\n[project]\nkey = \"key.pem\"\ntargets = [\"x86_64\"]\n\
         [[component]]\nname = \"shop\"\ninput = \"shop.wat\"\n{lines}"
    ))
}

fn with_variable(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let mut command = sandbox.command(arguments);
    command.env("CART", "12").output().unwrap()
}

fn manifest(sandbox: &Sandbox, artifact: &str) -> Value {
    let report = sandbox.ok(&["inspect", artifact, "--format", "json"]);
    let mut report: Value = serde_json::from_str(&report).unwrap();
    report["manifest"].take()
}

fn artifacts(sandbox: &Sandbox) -> Vec<String> {
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
    assert!(stderr.contains("other/key.pem"), "{stderr}");

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

/// A project is written as a whole. All failures are told in one run, in the order of the file.
#[test]
fn if_a_component_fails_nothing_is_written() {
    let sandbox = sandbox(
        "schema = 1\n[project]\nkey = \"key.pem\"\ntargets = [\"x86_64\"]\n\
         [[component]]\nname = \"bad\"\ninput = \"bad.wat\"\n\
         [[component]]\nname = \"good\"\ninput = \"shop.wat\"\n\
         [[component]]\nname = \"missing\"\ninput = \"missing.wat\"\n",
    );
    sandbox.write("bad.wat", "(module (func (result i32)))");
    let stderr = sandbox.fails(3, &["build"]);
    let (bad, missing) = (
        stderr.find("error[invalid]: bad.wat: "),
        stderr.find("error[io]: missing.wat: "),
    );
    assert!(bad == Some(0) && bad < missing, "{stderr}");
    let last = "error: 2 of 3 components failed, and nothing was written\n";
    assert!(stderr.ends_with(last), "{stderr}");
    assert!(!sandbox.path().join("dist").exists());

    let output = sandbox.run(&["build", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes = document["inputs"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|input| input["error"]["code"].as_str()).collect();
    assert_eq!(codes, [Some("invalid"), Some("not-written"), Some("io")]);
    // Without the bad ones, the good one is built.
    sandbox.ok(&["build", "-q", "--component", "good"]);
    assert_eq!(artifacts(&sandbox), ["dist/good.x86_64.cwasm"]);

    // Two components never share an artifact.
    let same = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
    sandbox.write("edgec.toml", same.replace("\"missing\"", "\"acme/good\""));
    let stderr = sandbox.fails(2, &["build"]);
    assert!(stderr.starts_with("error[same-output]: "), "{stderr}");
}

/// A core module that copies its data at each start, because the data goes into an imported memory.
fn slow() -> String {
    format!(
        "(component (core module $m (memory (export \"memory\") 32))
           (core module $a (import \"m\" \"memory\" (memory 32))
             (func) (func) (data (i32.const 0) \"{}\"))
           (core instance $m (instantiate $m))
           (core instance (instantiate $a (with \"m\" (instance $m)))))",
        "x".repeat(100_000)
    )
}

#[test]
fn a_component_that_exceeds_its_budgets_is_not_written() {
    let budgets = "optimize = 0\n\
         budgets = { image-bytes = 1000, functions = 1, lost-fast-paths = 0 }\n";
    let sandbox = one(budgets);
    sandbox.write("shop.wat", slow());
    let stderr = sandbox.fails(1, &["build"]);
    let says = "error[budget]: shop.wat: it exceeds 3 budgets, and nothing was written\n";
    assert!(stderr.starts_with(says), "{stderr}");
    for part in [
        "budget ",
        "image-bytes (x86_64)  1000 B",
        "functions ",
        "core module 1 has 2 functions",
        "lost-fast-paths ",
        "data segment 0 goes into an imported memory",
        "hint: make the program smaller, or raise the budget in edgec.toml",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(artifacts(&sandbox).is_empty());
    // Exactly within its budgets.
    let within = "image-bytes = 10_000_000, functions = 2, lost-fast-paths = 1";
    let genuine = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
    let exceeded = "image-bytes = 1000, functions = 1, lost-fast-paths = 0";
    sandbox.write("edgec.toml", genuine.replace(exceeded, within));
    sandbox.ok(&["build", "-q"]);

    // With the previous artifact, the table says what it was before.
    sandbox.write("edgec.toml", genuine);
    let stderr = sandbox.fails(1, &["build", "--baseline", "dist"]);
    let row = stderr.lines().find(|line| line.contains("functions  "));
    let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
    assert_eq!(cells[..5], ["|", "functions", "1", "2", "2"], "{stderr}");
}

const IMPORTS: &str = "(module (import \"env\" \"f\" (func)) (func (export \"g\") call 0))";

#[test]
fn imports_are_allowed_by_name_or_compared_with_before() {
    let sandbox = one("capabilities = [\"env::g\", \"wasi:*\"]\n");
    sandbox.write("shop.wat", IMPORTS);
    let stderr = sandbox.fails(1, &["build"]);
    assert!(
        stderr.starts_with("error[budget]: shop.wat: it exceeds 1 budget"),
        "{stderr}"
    );
    assert!(stderr.contains("env::f"), "{stderr}");
    let genuine = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
    sandbox.write("edgec.toml", genuine.replace("env::g", "env::*"));
    sandbox.ok(&["build", "-q"]);

    let sandbox = one("budgets = { new-capabilities = \"deny\" }\n");
    let output = sandbox.run(&["build"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    // A comparison that was not made is not passed over in silence.
    let note = "note: shop.wat: there is no previous artifact";
    assert!(stderr.starts_with(note), "{stderr}");
    let output = sandbox.run(&["build", "--baseline", "dist/"]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );

    sandbox.write("shop.wat", IMPORTS);
    for baseline in ["dist", "dist/shop.x86_64.cwasm"] {
        let stderr = sandbox.fails(1, &["build", "--baseline", baseline]);
        assert!(stderr.contains("new-capabilities"), "{stderr}");
        assert!(stderr.contains("env::f"), "{stderr}");
        assert!(stderr.contains("hint: allow these imports"), "{stderr}");
    }
    // The previous artifact is still there.
    let before = manifest(&sandbox, "dist/shop.x86_64.cwasm");
    assert_eq!(before["capabilities"]["imports"], serde_json::json!([]));

    sandbox.build("shop.wat", "x86_64", "other.cwasm");
    sandbox.write("not.cwasm", "x");
    let name = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
    sandbox.write("edgec.toml", name.replace("\"shop\"", "\"cart\""));
    for (baseline, exit, says) in [
        (
            "other.cwasm",
            2,
            "error[baseline]: other.cwasm: this is an artifact of `shop`",
        ),
        ("not.cwasm", 1, "error[layout]: not.cwasm: "),
        ("missing.cwasm", 3, "error[io]: missing.cwasm: "),
    ] {
        let stderr = sandbox.fails(exit, &["build", "--baseline", baseline]);
        assert!(stderr.starts_with(says), "{stderr}");
    }
}

#[test]
fn a_version_comes_from_where_the_project_says() {
    let sandbox = one("version = { env = \"CART\" }\n");
    let stderr = sandbox.fails(2, &["build"]);
    assert!(
        stderr.starts_with("error[version]: the variable CART is not set"),
        "{stderr}"
    );
    let mut command = sandbox.command(&["build"]);
    let output = command.env("CART", "hunter2").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.starts_with("error[version]: the variable CART: "),
        "{stderr}"
    );
    assert!(!stderr.contains("hunter2"), "{stderr}");
    // The command line comes first, so the variable is not needed.
    sandbox.ok(&["build", "-q", "--app-version", "5"]);

    let sandbox = one("version = { file = \"VERSION\", form = \"semver\" }\n");
    sandbox.ok(&["build", "-q"]);
    assert_eq!(
        manifest(&sandbox, "dist/shop.x86_64.cwasm")["version"],
        100_020_003
    );
    sandbox.write("VERSION", "1.2\n");
    let stderr = sandbox.fails(2, &["build"]);
    assert!(
        stderr.starts_with("error[version]: VERSION: the text is not three"),
        "{stderr}"
    );
    std::fs::remove_file(sandbox.path().join("VERSION")).unwrap();
    let stderr = sandbox.fails(3, &["build"]);
    assert!(stderr.starts_with("error[io]: VERSION: "), "{stderr}");
}

#[test]
fn a_version_comes_from_the_newest_tag() {
    if !present("git") {
        return skipped("EDGEC_REQUIRE_KEY_TOOLS", "git is not installed");
    }
    let sandbox = one("version = { git-tag = \"shop-v*\" }\n");
    let git = |arguments: &[&str]| {
        let own = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        sandbox.tool("git", &[&own[..], arguments].concat());
    };
    git(&["init", "-q"]);
    let stderr = sandbox.fails(2, &["build"]);
    assert!(stderr.starts_with("error[version]: "), "{stderr}");
    assert!(stderr.contains("no tag `shop-v*` was found"), "{stderr}");
    git(&["add", "edgec.toml"]);
    git(&["commit", "-q", "-m", "first"]);
    git(&["tag", "shop-v41"]);
    git(&["tag", "cart-v99"]);
    git(&["commit", "-q", "--allow-empty", "-m", "second"]);
    sandbox.ok(&["build", "-q"]);
    assert_eq!(manifest(&sandbox, "dist/shop.x86_64.cwasm")["version"], 41);
}

#[test]
fn a_policy_of_the_project_must_accept_the_artifacts() {
    let sandbox = one("policy = \"policy.toml\"\n");
    let key = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let policy = |allowed: &str| {
        format!(
            "threshold = 1\n[[key]]\nname = \"release\"\npem = \"\"\"\n{key}\"\"\"\n\
             [allow]\napplications = [\"{allowed}\"]\n"
        )
    };
    sandbox.write_secret("policy.toml", policy("cart"));
    let stderr = sandbox.fails(1, &["build"]);
    assert!(stderr.contains("shop.wat under policy.toml: "), "{stderr}");
    assert!(artifacts(&sandbox).is_empty());
    sandbox.write_secret("policy.toml", policy("shop"));
    sandbox.ok(&["build", "-q"]);
    assert_eq!(artifacts(&sandbox), ["dist/shop.x86_64.cwasm"]);
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
