//! What a policy demands of a provenance: who signed it, the builder and the source.

use edgec_tests::{Sandbox, hello, results, words};

use crate::provenance::{CI, COMMIT, SHOP, sandbox};

fn policy(sandbox: &Sandbox, more: &str) {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'release'\npem = '''\n{pem}'''\n");
    let path = sandbox.write("edgec-trust.toml", format!("threshold = 1\n{key}{more}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, mode).unwrap();
    }
}

const VERIFY: &str = "verify app.cwasm --trust edgec-trust.toml --provenance app.provenance.json";

fn refused(sandbox: &Sandbox, line: &str, code: &str) -> String {
    let error = sandbox.fails(1, &words(line));
    assert!(
        error.contains(&format!("error[{code}]: app.cwasm: ")),
        "{code}: {error}"
    );
    error
}

#[test]
fn a_policy_demands_builder_source_and_signer() {
    let sandbox = sandbox();
    for rules in [
        "[provenance]",
        "[provenance]\nbuilder = ['https://ci.example.com/*']",
        "[provenance]\nsource = ['x', 'https://git.example.com/acme/*']\nkeys = ['release']",
        "[provenance]\nbuilder = ['other']\n[checks]\nprovenance = 'warn'",
        "[provenance]\nbuilder = ['other']\n[checks]\nprovenance = 'off'",
        // It is verified also if nothing is demanded.
        "",
    ] {
        policy(&sandbox, rules);
        sandbox.ok(&words(VERIFY));
    }
    policy(
        &sandbox,
        "[provenance]\nbuilder = ['https://ci.example.com/*']",
    );
    let report = sandbox.ok(&[words(VERIFY), words("--format json")].concat());
    let report = results(report);
    let checks = report[0]["checks"].as_array().unwrap();
    let check = checks
        .iter()
        .find(|check| check["check"] == "provenance")
        .unwrap();
    assert_eq!(check["status"], "passed");
    let evidence = check["evidence"].as_str().unwrap();
    for part in [CI, SHOP, COMMIT, "`release`"] {
        assert!(evidence.contains(part), "{evidence}");
    }
    let without = "verify app.cwasm --trust edgec-trust.toml";
    let error = refused(&sandbox, without, "no-provenance");
    assert!(
        error.contains("hint: name its provenance with --provenance"),
        "{error}"
    );

    policy(
        &sandbox,
        "[provenance]\nbuilder = ['https://ci.example.com/']",
    );
    refused(&sandbox, VERIFY, "provenance-builder");
    policy(
        &sandbox,
        "[provenance]\nsource = ['https://git.example.com/other/*']",
    );
    refused(&sandbox, VERIFY, "provenance-source");
    // A source that is not stated matches no pattern.
    let example = hello();
    let build = ["build", "-q", &example, "-t", "x86_64", "--key", "key.pem"];
    sandbox.ok(&[&build[..], &["--provenance", "-o", "app.cwasm"]].concat());
    policy(&sandbox, "[provenance]\nsource = ['*']");
    let error = refused(&sandbox, VERIFY, "provenance-source");
    assert!(error.contains("no stated source"), "{error}");
}

#[test]
fn a_provenance_of_something_else_or_by_another_key_is_refused() {
    let sandbox = sandbox();
    policy(&sandbox, "[provenance]");
    let whole = String::from_utf8(sandbox.read("app.provenance.json")).unwrap();
    let put = |text: &str| sandbox.write("app.provenance.json", text);

    put("not an envelope");
    refused(&sandbox, VERIFY, "provenance");
    put(&whole.replace(
        "\"signatures\":[{",
        "\"signatures\":[{\"sig\":\"\"}],\"x\":[{",
    ));
    refused(&sandbox, VERIFY, "provenance-signature");
    // A statement that is no provenance, by the trusted key.
    sandbox.ok(&words("sign-blob app.cwasm --key key.pem"));
    let blob = String::from_utf8(sandbox.read("app.cwasm.dsse.json")).unwrap();
    put(&blob);
    let error = refused(&sandbox, VERIFY, "provenance");
    assert!(error.contains("`https://edgec.dev/blob/v1`"), "{error}");

    // Another build of the same program has another image.
    put(&whole);
    let example = hello();
    let other = "-O0 --provenance --key key.pem -t x86_64 -o other.cwasm";
    sandbox.ok(&[vec!["build", "-q", example.as_str()], words(other)].concat());
    put(&String::from_utf8(sandbox.read("other.provenance.json")).unwrap());
    refused(&sandbox, VERIFY, "provenance-subject");
    // With several provenances, one must be about the artifact.
    sandbox.write("right.json", &whole);
    sandbox.ok(&[words(VERIFY), words("--provenance right.json")].concat());

    // Signed by a key that the policy does not trust, or not for this.
    sandbox.ok(&words("keygen -o fork.pem"));
    let fork = "-t x86_64 --provenance --key fork.pem -o fork.cwasm";
    sandbox.ok(&[vec!["build", "-q", example.as_str()], words(fork)].concat());
    put(&String::from_utf8(sandbox.read("fork.provenance.json")).unwrap());
    refused(&sandbox, VERIFY, "provenance-signature");
    let fork = String::from_utf8(sandbox.read("fork.pub.pem")).unwrap();
    let fork = format!("[[key]]\nname = 'fork'\npem = '''\n{fork}'''\n");
    policy(
        &sandbox,
        &format!("{fork}applications = ['other']\n[provenance]"),
    );
    refused(&sandbox, VERIFY, "provenance-signature");
    policy(&sandbox, &format!("{fork}[provenance]\nkeys = ['release']"));
    refused(&sandbox, VERIFY, "provenance-signature");
}

/// A store keeps the provenance, and judges it again at every load.
#[cfg(target_os = "linux")]
#[test]
fn a_store_keeps_the_provenance() {
    let sandbox = sandbox();
    let rules = "[provenance]\nbuilder = ['https://ci.example.com/*']";
    policy(&sandbox, rules);
    let add = "store --store store add app.cwasm --trust edgec-trust.toml";
    let error = refused(&sandbox, add, "no-provenance");
    assert!(error.contains("--provenance"), "{error}");
    // Of two files about the image, the store keeps the one that the policy accepts.
    let good = String::from_utf8(sandbox.read("app.provenance.json")).unwrap();
    let (before, signature) = good.split_once("\"sig\":\"").unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let bad = format!("{before}\"sig\":\"{other}{}", &signature[1..]);
    sandbox.write("bad.json", bad);
    let both = "--provenance bad.json --provenance app.provenance.json";
    sandbox.ok(&[words(add), words(both)].concat());
    let verify = words("store --store store verify --trust edgec-trust.toml");
    sandbox.ok(&verify);
    policy(&sandbox, "[provenance]\nbuilder = ['other']");
    let error = sandbox.fails(1, &verify);
    assert!(error.contains("error[provenance-builder]: "), "{error}");

    // A collection keeps it as long as the artifact has a name.
    policy(&sandbox, rules);
    sandbox.ok(&words("store --store store gc"));
    sandbox.ok(&verify);
    sandbox.ok(&words("store --store store rm hello"));
    sandbox.ok(&words("store --store store gc"));
    let files = sandbox.files();
    let left = files
        .iter()
        .filter(|name| name.starts_with("store/artifacts/"));
    assert_eq!(left.count(), 0, "{files:?}");
    let given = [verify, words("--provenance app.provenance.json")].concat();
    let error = sandbox.fails(2, &given);
    assert!(error.starts_with("error[provenance]: "), "{error}");
}

/// The signatures of an artifact change its file and not its image, so its provenance stays valid.
#[test]
fn a_second_signature_keeps_the_provenance() {
    let sandbox = sandbox();
    policy(&sandbox, "[provenance]");
    sandbox.ok(&words("keygen -o other.pem"));
    sandbox.ok(&words("sign app.cwasm --append --key other.pem"));
    sandbox.ok(&words(VERIFY));
    let blob = "verify-blob app.cwasm --bundle app.provenance.json --key key.pub.pem --type";
    let error = sandbox.fails(
        1,
        &[words(blob), vec!["https://slsa.dev/provenance/v1"]].concat(),
    );
    assert!(error.starts_with("error[blob-digest]: "), "{error}");
}
