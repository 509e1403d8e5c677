//! Bills of materials beside artifacts: the provenance lists them, and a policy can demand them.

use edgec_artifact::{Attestation, Sha256Digest};
use edgec_tests::{Sandbox, hello, words};
use serde_json::Value;

/// A sandbox with an artifact, its provenance, and two bills that it lists.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    build(&sandbox, "--provenance --sbom cyclonedx,spdx -o app.cwasm");
    sandbox
}

fn build(sandbox: &Sandbox, more: &str) -> String {
    let example = hello();
    let build = ["build", &example, "-t", "x86_64", "--key", "key.pem"];
    sandbox.ok(&[&build[..], &words(more)].concat())
}

fn policy(sandbox: &Sandbox, more: &str) {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'release'\npem = '''\n{pem}'''\n");
    sandbox.write_secret("edgec-trust.toml", format!("threshold = 1\n{key}{more}\n"));
}

const DEMANDED: &str = "[provenance]\nsbom = true";
const VERIFY: &str = "verify app.cwasm --trust edgec-trust.toml --provenance app.provenance.json";

fn refused(sandbox: &Sandbox, line: &str, code: &str) -> String {
    let error = sandbox.fails(1, &words(line));
    assert!(
        error.contains(&format!("error[{code}]: ")),
        "{code}: {error}"
    );
    error
}

#[test]
fn a_provenance_lists_what_was_written() {
    let sandbox = sandbox();
    let attestation = Attestation::decode(&sandbox.read("app.provenance.json")).unwrap();
    let statement: Value = serde_json::from_slice(attestation.payload()).unwrap();
    let byproducts = statement["predicate"]["runDetails"]["byproducts"].clone();
    for (file, media_type) in [
        ("app.cdx.json", "application/vnd.cyclonedx+json"),
        ("app.spdx.json", "application/spdx+json"),
    ] {
        let mut listed = byproducts.as_array().unwrap().iter();
        let listed = listed.find(|it| it["name"] == file).unwrap();
        assert_eq!(listed["mediaType"], media_type);
        let digest = Sha256Digest::of(&sandbox.read(file)).to_string();
        assert_eq!(listed["digest"]["sha256"], digest);
    }
    // The verb writes the same, so anyone with the program can compare.
    let alone = sandbox.ok(&["sbom", &hello(), "--name", "hello"]);
    assert_eq!(alone.as_bytes(), sandbox.read("app.cdx.json"));
    // For several targets there is one file.
    let example = hello();
    let both = "--key key.pem --provenance --sbom spdx --app-version 7 -o out";
    let text = sandbox.ok(&[vec!["build", example.as_str()], words(both)].concat());
    assert!(
        text.contains("sbom") && text.contains("out/hello.spdx.json"),
        "{text}"
    );
    let bill: Value = serde_json::from_slice(&sandbox.read("out/hello.spdx.json")).unwrap();
    assert_eq!(bill["packages"][0]["versionInfo"], "7");
}

#[test]
fn a_policy_demands_a_bill_of_materials() {
    let sandbox = sandbox();
    policy(&sandbox, DEMANDED);
    for file in ["app.cdx.json", "app.spdx.json"] {
        let text = sandbox.ok(&words(&format!("{VERIFY} --sbom {file}")));
        assert!(text.contains("; with its bill of materials"), "{text}");
    }
    let error = refused(&sandbox, VERIFY, "no-sbom");
    assert!(error.contains("hint: name it with --sbom"), "{error}");
    // A bill that nothing binds to an artifact is none.
    let alone = "verify app.cwasm --trust edgec-trust.toml --sbom app.cdx.json";
    let error = sandbox.fails(2, &words(alone));
    assert!(error.contains("--provenance"), "{error}");
    let example = hello();
    let unbound = words("--key key.pem --sbom spdx -o out");
    let error = sandbox.fails(2, &[vec!["build", example.as_str()], unbound].concat());
    assert!(error.starts_with("error[sbom]: --sbom: "), "{error}");
    let unsigned = words("--unsigned --sbom spdx -o out");
    sandbox.fails(2, &[vec!["build", example.as_str()], unsigned].concat());

    policy(
        &sandbox,
        "[provenance]\nsbom = true\n[checks]\nprovenance = 'warn'",
    );
    sandbox.ok(&words(VERIFY));
    policy(&sandbox, "[provenance]\nsbom = 'yes'");
    refused(&sandbox, VERIFY, "trust-policy");
    let shown = "policy check edgec-trust.toml";
    policy(&sandbox, DEMANDED);
    let text = sandbox.ok(&words(shown));
    assert!(text.contains("with a bill of materials"), "{text}");
}

#[test]
fn another_bill_of_materials_is_refused() {
    let sandbox = sandbox();
    let whole = String::from_utf8(sandbox.read("app.cdx.json")).unwrap();
    sandbox.write("changed.cdx.json", whole.replace("\"hello\"", "\"hallo\""));
    let changed = format!("{VERIFY} --sbom changed.cdx.json");
    // Also if no rule asks for one: what is given is compared.
    for rules in [DEMANDED, "[provenance]", ""] {
        policy(&sandbox, rules);
        let error = refused(&sandbox, &changed, "sbom-digest");
        let digest = Sha256Digest::of(whole.as_bytes()).to_string();
        assert!(error.contains(&digest), "{error}");
        // One of several is enough.
        sandbox.ok(&words(&format!("{changed} --sbom app.spdx.json")));
    }
    // A provenance without a bill lists none, whoever adds one later.
    build(&sandbox, "-q --provenance -o app.cwasm");
    policy(&sandbox, DEMANDED);
    refused(&sandbox, VERIFY, "provenance-sbom");
    let given = format!("{VERIFY} --sbom app.cdx.json");
    let error = refused(&sandbox, &given, "provenance-sbom");
    assert!(error.contains("--provenance --sbom cyclonedx"), "{error}");
}

/// A store keeps the bill if the policy asks for it, and compares it again at every load.
#[cfg(target_os = "linux")]
#[test]
fn a_store_keeps_the_bill() {
    let sandbox = sandbox();
    let kept = || {
        let files = sandbox.files();
        files
            .into_iter()
            .filter(|it| it.ends_with(".sbom"))
            .collect::<Vec<_>>()
    };
    let add = "store --store store add app.cwasm --trust edgec-trust.toml \
               --provenance app.provenance.json";
    let with = format!("{add} --sbom app.spdx.json");
    policy(&sandbox, "[provenance]");
    sandbox.ok(&words(&with));
    assert!(kept().is_empty(), "no policy asks for it: {:?}", kept());

    policy(&sandbox, DEMANDED);
    let verify = words("store --store store verify --trust edgec-trust.toml");
    let error = sandbox.fails(1, &verify);
    assert!(error.contains("error[no-sbom]: "), "{error}");
    refused(&sandbox, add, "no-sbom");
    sandbox.ok(&words(&with));
    sandbox.ok(&verify);
    let files = kept();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(sandbox.read(&files[0]), sandbox.read("app.spdx.json"));
    sandbox.ok(&words("store --store store gc"));
    assert_eq!(kept(), files);

    let place = sandbox.path().join(&files[0]);
    std::fs::remove_file(&place).unwrap();
    sandbox.write(&files[0], "{}");
    let error = sandbox.fails(1, &verify);
    assert!(error.contains("error["), "{error}");
    // Adding it again puts the good one in its place.
    sandbox.ok(&words(&with));
    sandbox.ok(&verify);

    sandbox.ok(&words("store --store store rm hello"));
    sandbox.ok(&words("store --store store gc"));
    assert!(kept().is_empty());
    let given = [
        verify,
        words("--provenance app.provenance.json --sbom app.spdx.json"),
    ]
    .concat();
    sandbox.fails(2, &given);
}
