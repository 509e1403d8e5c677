//! Rows 51 to 60 of `docs/threat-model.md` with the real binary: releases, timestamps, roots and
//! notaries. `store/tests` has the same attacks on the library, with clocks of their own.

use edgec_tests::corpus::Forge;
use edgec_tests::publisher::Publisher;
use edgec_tests::{hello, words};

const STATEMENTS: &str = "--release 1.release.json --timestamp 1.timestamp.json";

#[test]
fn row_51_a_mirror_that_stands_still() {
    let publisher = Publisher::new();
    let verify = "verify -q 1/hello.x86_64.cwasm --trust edgec-trust.toml";
    publisher.ok(&format!("{verify} {STATEMENTS}"));
    publisher.refuses(
        &format!("{verify} --release 1.release.json"),
        "no-timestamp",
    );
    publisher.refuses(verify, "no-release");
    // It was made long ago, and has expired.
    let stamp = "release stamp 1.release.json --issued 2020-01-01 --expires 2020-01-02 --key online.pem -o 1.timestamp.json";
    publisher.ok(stamp);
    let error = publisher.refuses(&format!("{verify} {STATEMENTS}"), "release-stale");
    assert!(error.contains("2020-01-02T00:00:00Z"), "{error}");
    let verify =
        "release verify 1.release.json --timestamp 1.timestamp.json --trust edgec-trust.toml";
    publisher.refuses(verify, "release-stale");
    publisher.ok("release verify 1.release.json --trust edgec-trust.toml");
}

#[cfg(target_os = "linux")]
#[test]
fn row_52_an_old_release_brought_back() {
    let publisher = Publisher::new();
    publisher.publish(2, 2, 2);
    let add = |number: u32| {
        format!(
            "store --store store add --trust edgec-trust.toml --release {number}.release.json --timestamp {number}.timestamp.json {number}/hello.x86_64.cwasm"
        )
    };
    publisher.ok(&add(1));
    publisher.ok(&add(2));
    publisher.refuses(&add(1), "serial-rollback");
    publisher.refuses(
        "store --store store use acme/hello --channel stable --app-version 1",
        "release-floor",
    );
    publisher.ok("store --store store rm acme/hello --channel stable");
    publisher.ok("store --store store gc");
    publisher.refuses(&add(1), "serial-rollback");
    // A policy that asks for nothing does not forget either.
    let bare = "store --store store add --key signer.pub.pem";
    publisher.refuses(&format!("{bare} 2/hello.x86_64.cwasm"), "no-release");
    publisher.ok(&add(2));
}

#[cfg(target_os = "linux")]
#[test]
fn row_53_an_artifact_withheld() {
    let publisher = Publisher::new();
    let add = |number: u32, target: &str| {
        format!(
            "store --store store add --trust edgec-trust.toml --release {number}.release.json --timestamp {number}.timestamp.json {number}/hello.{target}.cwasm"
        )
    };
    publisher.ok(&add(1, "x86_64"));
    publisher.ok(&add(1, "aarch64"));
    publisher.publish(2, 2, 0);
    publisher.ok(&add(2, "x86_64"));
    let take = "store --store store release 2.release.json --timestamp 2.timestamp.json --trust edgec-trust.toml";
    // The artifacts may follow. If they do not, the mirror withholds them.
    let told = publisher.ok(take);
    assert!(told.contains("lacks aarch64 (default)"), "{told}");
    let complete = format!("{take} --complete");
    let error = publisher.refuses(&complete, "release-incomplete");
    assert!(error.contains("aarch64 (default)"), "{error}");
    publisher.ok(&add(2, "aarch64"));
    let told = publisher.ok(&complete);
    assert!(!told.contains("lacks"), "{told}");
}

#[test]
fn row_54_two_releases_mixed() {
    let publisher = Publisher::new();
    publisher.publish(2, 2, 0);
    let verify = format!("verify -q --trust edgec-trust.toml {STATEMENTS}");
    publisher.refuses(&format!("{verify} 2/hello.x86_64.cwasm"), "release-mixed");
    // They cannot even be made into one.
    let make = "release make 1/hello.x86_64.cwasm 2/hello.aarch64.cwasm --serial 3 --key offline.pem -o 3.release.json";
    publisher.refuses(make, "release-artifacts");
    let twice = "release make 1/hello.x86_64.cwasm 1/hello.x86_64.cwasm --serial 3 --key offline.pem -o 3.release.json";
    publisher.refuses(twice, "release-artifacts");
    assert!(!publisher.0.path().join("3.release.json").exists());
    let other = "release verify 1.release.json --trust edgec-trust.toml --name acme/other";
    publisher.refuses(other, "release-application");
}

#[test]
fn row_55_a_key_in_another_role() {
    let publisher = Publisher::new();
    let verify = "verify -q 1/hello.x86_64.cwasm --trust edgec-trust.toml";
    let make = "release make 1/hello.x86_64.cwasm --serial 9 --key online.pem -o 9.release.json";
    publisher.ok(make);
    let forged = format!("{verify} --release 9.release.json --timestamp 1.timestamp.json");
    publisher.refuses(&forged, "release-signature");
    publisher
        .ok("release stamp 1.release.json --expires +1d --key offline.pem -o 9.timestamp.json");
    let forged = format!("{verify} --release 1.release.json --timestamp 9.timestamp.json");
    publisher.refuses(&forged, "timestamp-signature");
    // A statement in the place of another, and something else.
    publisher.refuses(
        "release stamp 1.timestamp.json --expires +1d --key online.pem -o x.json",
        "release-statement",
    );
    publisher.0.write("broken.json", "{}");
    let broken = format!("{verify} --release broken.json");
    publisher.refuses(&broken, "release-statement");
    let broken = format!("{verify} --release 1.release.json --timestamp broken.json");
    publisher.refuses(&broken, "timestamp-statement");
    publisher.publish(2, 2, 0);
    let other = format!("{verify} --release 1.release.json --timestamp 2.timestamp.json");
    publisher.refuses(&other, "timestamp-release");
    // The online key on an artifact.
    publisher.ok("sign 1/hello.x86_64.cwasm --key online.pem");
    publisher.refuses(&format!("{verify} {STATEMENTS}"), "key-role");
}

#[cfg(target_os = "linux")]
#[test]
fn row_56_two_artifacts_of_one_version() {
    let publisher = Publisher::new();
    let add = "store --store store add --key signer.pub.pem";
    publisher.ok(&format!("{add} 1/hello.x86_64.cwasm"));
    let example = hello();
    let other = "-t x86_64 -O0 --key signer.pem --name acme/hello --channel stable --app-version 1 -o other.cwasm";
    let build = [vec!["build", "-q", example.as_str()], words(other)].concat();
    publisher.0.ok(&build);
    let error = publisher.refuses(&format!("{add} other.cwasm"), "version-taken");
    let says = "version 1 of `acme/hello` of channel `stable` has another artifact for";
    assert!(error.contains(says), "{error}");
    assert!(
        error.contains("hint: build it with a higher --app-version"),
        "{error}"
    );
    // Signed again, both signatures stay.
    publisher.ok("sign 1/hello.x86_64.cwasm --key notary.pem");
    publisher.ok("store --store store add --key notary.pub.pem 1/hello.x86_64.cwasm");
    publisher.ok("store --store store verify --key signer.pub.pem --key notary.pub.pem");
}

#[test]
fn row_58_a_statement_from_the_future() {
    let publisher = Publisher::new();
    let stamp = "release stamp 1.release.json --issued 2099-01-01 --expires 2099-02-01 --key online.pem -o 1.timestamp.json";
    publisher.ok(stamp);
    let verify = format!("verify -q 1/hello.x86_64.cwasm --trust edgec-trust.toml {STATEMENTS}");
    publisher.refuses(&verify, "issued-ahead");
    // A revoked key dates nothing back: only a witness counts.
    let id = publisher.secret("signer").public().id();
    let revoked = format!(
        "[[revoked-key]]\nid = '{id}'\nreason = 'lost'\nrevoked-from = 2099-01-01T00:00:00Z\n"
    );
    publisher.policy("revoked.toml", "", &revoked);
    let verify = "verify -q 1/hello.x86_64.cwasm --trust revoked.toml";
    publisher.refuses(verify, "revoked-key");
    publisher.stamp(1, "+1d");
    publisher.ok(&format!("{verify} {STATEMENTS}"));
}

#[test]
fn row_59_roots_that_were_replaced() {
    let publisher = Publisher::new();
    for root in ["a", "b", "c"] {
        publisher.ok(&format!("keygen -o {root}.pem"));
    }
    let edition = |version: u32, root: &str, signers: &[&str]| {
        let head = format!("name = 'fleet'\nversion = {version}\nroot = 1\n");
        publisher.policy("edition.toml", &head, &publisher.entry(root, "root"));
        let output = format!("{version}.dsse");
        for signer in signers {
            publisher.ok(&format!(
                "policy sign edition.toml --key {signer}.pem -o {output}"
            ));
        }
        let path = publisher.0.path().join(&output);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        output
    };
    edition(1, "a", &["a"]);
    // Its source is no policy, and can be checked.
    let source = "verify -q 1/hello.x86_64.cwasm --trust edition.toml";
    publisher.refuses(source, "policy-signature");
    let warned = publisher.0.run(&words("policy check edition.toml"));
    assert!(warned.status.success(), "{warned:?}");
    let warned = String::from_utf8(warned.stderr).unwrap();
    assert!(
        warned.contains("no host follows it until they have signed it"),
        "{warned}"
    );
    edition(2, "b", &["a", "b"]);
    edition(3, "c", &["b", "c"]);
    let verify = "verify -q 1/hello.x86_64.cwasm --trust-state state --trust";
    publisher.ok(&format!("{verify} 1.dsse"));
    // The host knows the root `a`, which has not signed the third edition.
    publisher.refuses(&format!("{verify} 3.dsse"), "policy-root");
    std::fs::copy(
        publisher.0.path().join("1.dsse"),
        publisher.0.path().join("host.dsse"),
    )
    .unwrap();
    publisher.refuses("policy update host.dsse 3.dsse", "policy-root");
    let told = publisher.ok("policy update host.dsse 3.dsse 2.dsse 1.dsse --trust-state state");
    assert!(told.contains("now version 3, by 2, 3"), "{told}");
    assert_eq!(publisher.0.read("host.dsse"), publisher.0.read("3.dsse"));
    publisher.ok(&format!("{verify} host.dsse"));
    publisher.refuses(&format!("{verify} 2.dsse"), "policy-rollback");
    // What the state refuses does not replace the file.
    let (old, new) = ("old.dsse", "2.dsse");
    let path = |name: &str| publisher.0.path().join(name);
    std::fs::copy(path("1.dsse"), path(old)).unwrap();
    let update = format!("policy update {old} {new} --trust-state state");
    publisher.refuses(&update, "policy-rollback");
    assert_eq!(publisher.0.read(old), publisher.0.read("1.dsse"));
    // An edition that demands no roots would be the last one.
    publisher.policy("last.toml", "name = 'fleet'\nversion = 4\n", "");
    publisher.ok("policy sign last.toml --key c.pem -o last.dsse");
    let error = publisher.refuses("policy update host.dsse last.dsse", "policy-chain");
    assert!(
        error.contains("last.dsse: offered policy number 1 demands no root keys"),
        "{error}"
    );
    // A policy of another name does not matter.
    publisher.policy("other.toml", "name = 'other'\nversion = 4\n", "");
    publisher.ok("policy sign other.toml --key c.pem -o other.dsse");
    let told = publisher.ok("policy update host.dsse other.dsse");
    assert!(
        told.contains("other.dsse is no newer edition of it"),
        "{told}"
    );
    // A policy without roots is followed by none.
    publisher.refuses("policy update edgec-trust.toml 3.dsse", "policy-chain");
}

#[test]
fn row_60_code_that_no_notary_has_rebuilt() {
    let publisher = Publisher::new();
    publisher.policy("tenants.toml", "notary = 1\n", "");
    let example = hello();
    let artifact = "1/hello.x86_64.cwasm";
    let verify = format!("verify -q {artifact} --trust tenants.toml");
    publisher.refuses(&verify, "no-notary");
    let rebuild = [
        "--rebuild",
        &example,
        "--key",
        "notary.pem",
        "-o",
        "rebuild.json",
    ];
    let notarize = |file: &'static str| [&["notarize", file][..], &rebuild].concat();
    publisher.0.ok(&notarize(artifact));
    publisher.ok(&format!("{verify} --notary rebuild.json"));
    // One byte of code is different, and the tenant has signed it.
    let other = "-t x86_64 -O0 --key signer.pem --name acme/hello --channel stable --app-version 1 -o other.cwasm";
    publisher
        .0
        .ok(&[vec!["build", "-q", example.as_str()], words(other)].concat());
    publisher.refuses(
        "verify -q other.cwasm --trust tenants.toml --notary rebuild.json",
        "notary-subject",
    );
    let tenant = publisher.secret("signer");
    let file = publisher.0.read(artifact);
    let forge = Forge::new(&file, &tenant);
    let (_, code) = forge.section(".text");
    publisher
        .0
        .write("changed.cwasm", forge.with_image(|image| image[code] ^= 1));
    publisher.ok("verify -q changed.cwasm --key signer.pub.pem");
    let refused = publisher.0.fails(1, &notarize("changed.cwasm"));
    assert!(refused.contains("error[rebuild]"), "{refused}");
    publisher.refuses(
        "verify -q changed.cwasm --trust tenants.toml --notary rebuild.json",
        "notary-subject",
    );
    // Neither the tenant's own statement nor the notary's signature on the artifact counts.
    let own = [
        "--rebuild",
        &example,
        "--key",
        "signer.pem",
        "-o",
        "own.json",
    ];
    publisher
        .0
        .ok(&[&["notarize", artifact][..], &own].concat());
    publisher.refuses(&format!("{verify} --notary own.json"), "notary-signature");
    publisher.0.write("broken.json", "{}");
    publisher.refuses(
        &format!("{verify} --notary broken.json"),
        "notary-statement",
    );
    publisher.ok(&format!("sign {artifact} --append --key notary.pem"));
    publisher.refuses(&verify, "no-notary");
}
