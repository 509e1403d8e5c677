//! What stops the build of a project: a component that fails, budgets, imports, versions, a policy.

use edgec_tests::present;
use serde_json::Value;

use crate::project::{artifacts, manifest, one, sandbox};

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
    let last = "2 of 3 components failed, and nothing was written: bad.wat (invalid), \
                missing.wat (io)\n";
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
    let output = sandbox.run(&["build", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let details = &document["inputs"][0]["error"]["details"];
    assert_eq!(details[0]["budget"], "image-bytes");
    assert_eq!(details[0]["target"], "x86_64");
    assert_eq!(details[1]["now"], 2);
    let module = serde_json::json!({"module": {"number": 1, "functions": 2}});
    assert_eq!(details[1]["why"][0], module);
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
        return;
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

/// A component that imports what nothing in it uses.
const UNUSED: &str = "(component (import \"acme:shop/log\" (instance (export \"log\" (func)))))";

#[test]
fn a_project_demands_what_the_command_line_can_demand() {
    let sandbox = one("world = \"worlds#shop\"\nallow-imports = [\"acme:shop/*\"]\n");
    let other = "package acme:shop; interface other { log: func(); } world shop { import other; }";
    sandbox.write("worlds/shop.wit", other);
    sandbox.write("shop.wat", UNUSED);
    let stderr = sandbox.fails(1, &["build"]);
    assert!(stderr.starts_with("error[gate]: shop.wat: "), "{stderr}");
    assert!(stderr.contains("| world-import: "), "{stderr}");
    assert!(!stderr.contains("import-not-allowed"), "{stderr}");
    // The command line comes before the project.
    let stderr = sandbox.fails(1, &["build", "--allow-import", "wasi:*"]);
    assert!(stderr.contains("| import-not-allowed: "), "{stderr}");
    // The world is found from the project's folder.
    std::fs::create_dir(sandbox.path().join("inner")).unwrap();
    sandbox.write("worlds/shop.wit", other.replace("other", "log"));
    let mut command = sandbox.command(&["build", "--format", "json"]);
    let inner = sandbox.path().join("inner");
    let output = command.current_dir(inner).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let gate = &document["inputs"][0]["built"]["gate"];
    assert_eq!(gate["allowImports"], serde_json::json!(["acme:shop/*"]));
    let world = gate["world"].as_str().unwrap();
    assert!(world.ends_with("worlds/shop.wit#shop"), "{world}");
}

/// What nothing uses is removed before the imports of the artifact are compared.
#[test]
fn a_project_removes_unused_imports_and_writes_provenances() {
    let sandbox = one("capabilities = []\nprune-imports = true\n");
    sandbox.write("shop.wat", UNUSED);
    let genuine = String::from_utf8(sandbox.read("edgec.toml")).unwrap();
    let project = "[project]\nprovenance = true\n";
    sandbox.write("edgec.toml", genuine.replace("[project]\n", project));
    sandbox.ok(&["build", "-q"]);
    let before = manifest(&sandbox, "dist/shop.x86_64.cwasm");
    assert_eq!(before["capabilities"]["imports"], serde_json::json!([]));
    let bundle = "dist/shop.x86_64.provenance.json";
    let verify = [
        "verify",
        "-q",
        "dist/shop.x86_64.cwasm",
        "--key",
        "key.pub.pem",
    ];
    sandbox.ok(&[&verify[..], &["--provenance", bundle]].concat());
    // No signer answers for an unsigned artifact.
    std::fs::remove_dir_all(sandbox.path().join("dist")).unwrap();
    sandbox.ok(&["build", "-q", "--unsigned"]);
    assert_eq!(artifacts(&sandbox), ["dist/shop.x86_64.unsigned.cwasm"]);
    assert!(!sandbox.path().join(bundle).exists());
}
