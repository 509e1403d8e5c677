//! The provenance of builds: what it states, and what may be stated in it.

use edgec_artifact::{Artifact, Attestation, Image, Sha256Digest, Statement};
use edgec_tests::{Sandbox, hello, words};
use serde_json::{Value, json};

pub(crate) const COMMIT: &str = "4ac1d0b3c0ffee00112233445566778899aabbcc";
pub(crate) const CI: &str = "https://ci.example.com/workers/7";
pub(crate) const SHOP: &str = "https://git.example.com/acme/shop";

/// A sandbox with an artifact and its provenance.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    build(&sandbox, &["--builder-id", CI]);
    sandbox
}

fn build(sandbox: &Sandbox, more: &[&str]) {
    let example = hello();
    let build = ["build", "-q", &example, "-t", "x86_64", "--key", "key.pem"];
    let source = ["--source-repository", SHOP, "--source-revision", COMMIT];
    let output = ["--provenance", "--app-version", "7", "-o", "app.cwasm"];
    sandbox.ok(&[&build[..], &source, &output, more].concat());
}

/// The signed statement in a provenance.
fn statement(sandbox: &Sandbox, name: &str) -> Value {
    let attestation = Attestation::decode(&sandbox.read(name)).unwrap();
    serde_json::from_slice(attestation.payload()).unwrap()
}

#[test]
fn a_provenance_states_what_the_builder_saw() {
    let sandbox = sandbox();
    let file = sandbox.read("app.cwasm");
    let artifact = Artifact::decode(&file).unwrap();
    let Statement { manifest } = Statement::decode(artifact.envelope().payload()).unwrap();
    let found = statement(&sandbox, "app.provenance.json");
    assert_eq!(found["predicateType"], "https://slsa.dev/provenance/v1");
    let image = Image::of(artifact.image());
    assert_eq!(
        found["subject"],
        json!([
            {"name": "app.cwasm", "digest": {"sha256": Sha256Digest::of(&file)}},
            {"name": "hello", "digest": {
                "fsverity-sha256-12": image.fsverity, "sha256": image.sha256,
            }},
        ])
    );
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(definition["buildType"], "https://edgec.dev/build/v1");
    assert_eq!(
        definition["externalParameters"],
        json!({
            "input": "hello.wat", "source": {"repository": SHOP, "revision": COMMIT},
            "name": "hello", "version": 7, "target": "x86_64", "profile": "default",
            "kind": "auto", "level": "1", "flatten": true,
        })
    );
    let stages = serde_json::to_value(&manifest.builder.stages).unwrap();
    assert_eq!(definition["internalParameters"], json!({"stages": stages}));
    let mut stages = manifest.builder.stages.iter();
    let adapt = stages.find(|stage| stage.name == "adapt").unwrap();
    let adapter = format!("adapter {}", adapt.settings["adapter"]);
    let package = "pkg:cargo/wasi-preview1-component-adapter-provider";
    let package = format!("{package}@{}", adapt.settings["adapterVersion"]);
    assert_eq!(
        definition["resolvedDependencies"],
        json!([
            {"name": "hello.wat", "digest": {"sha256": manifest.source.input.sha256}},
            {"name": "source", "uri": SHOP, "digest": {"gitCommit": COMMIT}},
            {"name": adapter, "uri": package},
        ])
    );
    let run = &found["predicate"]["runDetails"];
    assert_eq!(run["builder"]["id"], CI);
    assert_eq!(
        run["builder"]["version"]["wasmtime"],
        manifest.engine.version
    );
    assert_eq!(run["builder"]["version"]["edgec"], manifest.builder.edgec);
    assert_eq!(run["metadata"], Value::Null, "there is no clock in it");
    assert_eq!(run["byproducts"][0]["name"], "optimized.wasm");
    let text = found.to_string();
    for secret in ["HOME", "key.pem", sandbox.path().to_str().unwrap()] {
        assert!(!text.contains(secret), "{secret}");
    }

    // The manifest tells the source too.
    let source = json!({"edgec.dev/source": {"repository": SHOP, "revision": COMMIT}});
    assert_eq!(serde_json::to_value(&manifest.extensions).unwrap(), source);
    let shown = sandbox.ok(&words("inspect app.cwasm"));
    assert!(shown.contains("edgec.dev/source"), "{shown}");

    // The same build gives the same bytes.
    let before = sandbox.read("app.provenance.json");
    build(&sandbox, &["--builder-id", CI]);
    assert_eq!(sandbox.read("app.provenance.json"), before);
    // Any tool that reads DSSE can check it, and so can edgec.
    let blob = "verify-blob app.cwasm --bundle app.provenance.json --key key.pub.pem --type";
    sandbox.ok(&[words(blob), vec!["https://slsa.dev/provenance/v1"]].concat());
}

#[test]
fn options_decide_what_is_stated() {
    let sandbox = Sandbox::new();
    let module = "(module (func (export \"run\")) (func (export \"init\")))";
    sandbox.write("in.wat", module);
    let line = "build in.wat -q -O0 --no-flatten --kind module --profile edge --channel beta \
        --display-version 1.2 --issued 2030-01-01 --provenance --debug-file --key key.pem \
        --invocation-id https://ci.example.com/runs/1 -o out";
    sandbox.ok(&words(line));
    for target in ["x86_64", "aarch64"] {
        let found = statement(&sandbox, &format!("out/in.{target}.provenance.json"));
        let build = &found["predicate"]["buildDefinition"]["externalParameters"];
        assert_eq!(
            *build,
            json!({
                "input": "in.wat", "name": "in", "version": 0, "displayVersion": "1.2",
                "channel": "beta", "validity": {"issued": 1_893_456_000}, "target": target,
                "profile": "edge", "kind": "module", "level": "0", "flatten": false,
            })
        );
        assert_eq!(found["subject"][0]["name"], format!("in.{target}.cwasm"));
        let run = &found["predicate"]["runDetails"];
        assert_eq!(run["builder"]["id"], "https://edgec.dev/builder/unnamed/v1");
        let invocation = json!({"invocationId": "https://ci.example.com/runs/1"});
        assert_eq!(run["metadata"], invocation);
        let debug = Sha256Digest::of(&sandbox.read(&format!("out/in.{target}.debug")));
        assert_eq!(run["byproducts"][1]["digest"]["sha256"], debug.to_string());
    }
    let report = sandbox.ok(&words(
        "build in.wat -t x86_64 --provenance --key key.pem -o out --format json",
    ));
    let report: Value = serde_json::from_str(&report).unwrap();
    let artifact = &report["inputs"][0]["built"]["artifacts"][0];
    assert_eq!(artifact["provenance"], "out/in.x86_64.provenance.json");
}

/// The digest of a `wasm-opt` that the user named is a material.
#[cfg(unix)]
#[test]
fn a_named_optimizer_is_a_material() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module (func (export \"f\")))");
    sandbox.fake_optimizer("exec cat");
    let line = "build in.wat -q -t x86_64 --wasm-opt ./wasm-opt --provenance --key key.pem -o out";
    sandbox.ok(&words(line));
    let found = statement(&sandbox, "out/in.x86_64.provenance.json");
    let materials = &found["predicate"]["buildDefinition"]["resolvedDependencies"];
    let digest = Sha256Digest::of(&sandbox.read("wasm-opt"));
    assert_eq!(
        materials[1],
        json!({"name": "wasm-opt", "digest": {"sha256": digest}})
    );
}

#[test]
fn github_is_read_only_if_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module (func (export \"f\")))");
    let variables = [
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_SHA", COMMIT),
        (
            "GITHUB_WORKFLOW_REF",
            "acme/shop/.github/workflows/ci.yml@refs/heads/main",
        ),
        ("GITHUB_RUN_ID", "12"),
        ("GITHUB_RUN_ATTEMPT", "2"),
    ];
    let build = words("build in.wat -q -t x86_64 --provenance --key key.pem -o out");
    let asked = words(
        "--builder-id github --invocation-id github --source-repository github \
         --source-revision github",
    );
    let run = |arguments: &[&str], without: &str| {
        let set = variables.iter().filter(|(name, _)| *name != without);
        let mut command = sandbox.command(arguments);
        for (name, _) in &variables {
            command.env_remove(name);
        }
        command.envs(set.copied()).output().unwrap()
    };
    assert!(run(&build, "").status.success());
    let found = statement(&sandbox, "out/in.x86_64.provenance.json");
    assert!(!found.to_string().contains("acme/shop"), "{found}");

    let asked = [build, asked].concat();
    assert!(run(&asked, "").status.success());
    let found = statement(&sandbox, "out/in.x86_64.provenance.json");
    let source = &found["predicate"]["buildDefinition"]["externalParameters"]["source"];
    let repository = "https://github.com/acme/shop";
    assert_eq!(
        *source,
        json!({"repository": repository, "revision": COMMIT})
    );
    let run_details = &found["predicate"]["runDetails"];
    let workflow = format!("{repository}/.github/workflows/ci.yml@refs/heads/main");
    assert_eq!(run_details["builder"]["id"], workflow);
    let attempt = format!("{repository}/actions/runs/12/attempts/2");
    assert_eq!(run_details["metadata"]["invocationId"], attempt);

    for (missing, _) in variables {
        let failed = run(&asked, missing);
        let error = String::from_utf8(failed.stderr).unwrap();
        let says = format!("error[github]: the variable {missing} is not set");
        assert!(error.starts_with(&says), "{error}");
    }
}

#[test]
fn wrong_statements_about_a_source_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module (func (export \"f\")))");
    let build = |more: &[&str]| {
        let line = words("build in.wat -t x86_64 --key key.pem -o out");
        sandbox.fails(2, &[&line[..], more].concat())
    };
    for (more, begins) in [
        (
            ["--source-repository", "acme/shop"],
            "error[uri]: --source-repository: ",
        ),
        (
            ["--source-repository", "https://token@example.com/shop"],
            "error[uri]: --source-repository: ",
        ),
        (["--source-revision", "a b"], "error[source-revision]: "),
        (["--source-revision", ""], "error[source-revision]: "),
        // Only a provenance states a builder and a run.
        (["--builder-id", "https://example.com"], "error: "),
        (["--invocation-id", "https://example.com"], "error: "),
    ] {
        let error = build(&more);
        assert!(error.starts_with(begins), "{error}");
        assert!(!error.contains("token"), "{error}");
    }
    let error = build(&["--provenance", "--builder-id", "me"]);
    assert!(error.starts_with("error[uri]: --builder-id: "), "{error}");
    assert!(!sandbox.path().join("out").exists());
}
