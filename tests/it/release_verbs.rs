//! The verbs of releases, timestamps and notaries: what they take, what they say, and which options
//! go together.

use edgec_artifact::{Release, Timestamp, companion_envelope};
use edgec_packager::UnsignedCompanion;
use edgec_tests::publisher::Publisher;
use edgec_tests::{hello, words};

const ARTIFACT: &str = "1/hello.x86_64.cwasm";

/// The key ids of the signatures in a file, and its timestamp.
fn stamped(publisher: &Publisher, file: &str) -> (usize, Timestamp) {
    let envelope = companion_envelope(&publisher.0.read(file)).unwrap();
    let timestamp = Timestamp::decode(envelope.payload()).unwrap();
    (envelope.signatures().len(), timestamp)
}

#[test]
fn a_timestamp_is_signed_in_two_steps_and_by_two_keys() {
    let publisher = Publisher::new();
    publisher.ok("keygen -o second.pem");
    let stamp = "release stamp 1.release.json";
    // Without a time, the second step would state another one than the first.
    let two = publisher.0.fails(
        2,
        &words(&format!("{stamp} --expires +1d --export-pae pae")),
    );
    assert!(two.contains("error[validity]: without --issued"), "{two}");
    let times = "--issued 2030-01-01 --expires +1d";
    publisher.ok(&format!("{stamp} {times} --export-pae pae"));
    let signature = publisher.secret("online").sign(&publisher.0.read("pae"));
    publisher.0.write("signature", signature);
    let attach = "--attach signature --public-key online.pub.pem -o two.json";
    publisher.ok(&format!("{stamp} {times} {attach}"));
    let (count, first) = stamped(&publisher, "two.json");
    assert_eq!(count, 1);
    assert_eq!(first.expires.to_string(), "2030-01-02T00:00:00Z");
    // Another key signs the same statement, whatever the time is now.
    publisher.ok(&format!("{stamp} --append --key second.pem -o two.json"));
    assert_eq!(stamped(&publisher, "two.json"), (2, first));
    publisher.0.fails(
        2,
        &words(&format!(
            "{stamp} {times} --append --key second.pem -o two.json"
        )),
    );
    publisher
        .0
        .fails(2, &words(&format!("{stamp} --key second.pem -o two.json")));
    // Neither a timestamp of another release nor another file.
    publisher.publish(2, 2, 0);
    let other = "release stamp 2.release.json --append --key second.pem -o two.json";
    publisher.refuses(other, "other-statement");
    publisher.0.write("broken.json", "{}");
    let broken = format!("{stamp} --append --key second.pem -o broken.json");
    publisher.refuses(&broken, "timestamp-statement");
    // Times in a message are times.
    let never = "--issued 2030-01-02 --expires 2030-01-01 --key online.pem -o never.json";
    let error = publisher.0.fails(2, &words(&format!("{stamp} {never}")));
    let says = "it expires at 2030-01-01T00:00:00Z, and is issued at 2030-01-02T00:00:00Z";
    assert!(error.contains(says), "{error}");
}

#[test]
fn an_artifact_that_is_in_no_release_is_named() {
    let publisher = Publisher::new();
    publisher.0.write("broken.cwasm", "\u{7f}E");
    let make =
        format!("release make {ARTIFACT} broken.cwasm --serial 3 --key offline.pem -o 3.json");
    let error = publisher.refuses(&make, "layout");
    assert!(error.contains("broken.cwasm: "), "{error}");
    publisher.publish(2, 2, 0);
    let other = "2/hello.aarch64.cwasm";
    let make = format!("release make {ARTIFACT} {other} --serial 3 --key offline.pem -o 3.json");
    let error = publisher.refuses(&make, "release-artifacts");
    assert!(
        error.contains(&format!("{other}: its version is `2`")),
        "{error}"
    );
    let notarize = [
        "notarize",
        ARTIFACT,
        "--append",
        "--key",
        "notary.pem",
        "-o",
        "broken.json",
    ];
    publisher.0.write("broken.json", "{}");
    let example = hello();
    let notarize = [&notarize[..], &["--rebuild", &example]].concat();
    let error = publisher.0.fails(2, &notarize);
    assert!(error.contains("error[output]: broken.json"), "{error}");
}

/// An option is used or refused.
#[test]
fn no_option_is_skipped() {
    let publisher = Publisher::new();
    let trust = "--trust edgec-trust.toml";
    let verify = format!("release verify 1.release.json {trust}");
    publisher.ok(&format!("{verify} --name acme/hello --channel stable"));
    let error = publisher.refuses(&format!("{verify} --channel beta"), "release-application");
    let says =
        "the release is of `acme/hello` in the channel `stable`, the channel `beta` is wanted";
    assert!(error.contains(says), "{error}");
    for option in ["--provenance x", "--bundle x"] {
        publisher.0.fails(2, &words(&format!("{verify} {option}")));
    }
    // An accepted timestamp raises the floor of the clock.
    publisher.policy(
        "named.toml",
        "name = 'fleet'\nversion = 1\nrelease = 1\n",
        "",
    );
    let named = "release verify 1.release.json --timestamp 1.timestamp.json --trust named.toml";
    publisher.ok(&format!("{named} --trust-state state"));
    let state = String::from_utf8(publisher.0.read("state")).unwrap();
    assert!(state.contains("\"clock\""), "{state}");
    // Keys alone are never notaries.
    let notary = format!("verify {ARTIFACT} --key signer.pub.pem --notary x.json");
    publisher.0.fails(2, &words(&notary));
    // What was required says so.
    let release = Release::decode(
        companion_envelope(&publisher.0.read("1.release.json"))
            .unwrap()
            .payload(),
    );
    let own = UnsignedCompanion::release(&release.unwrap()).sign(&publisher.secret("signer"));
    publisher.0.write("own.json", own.unwrap().as_bytes());
    let told = publisher.ok(&format!(
        "verify {ARTIFACT} --key signer.pub.pem --release own.json"
    ));
    let says = "no policy given: only the signature and the release were required";
    assert!(told.contains(says), "{told}");
}

/// A host that wants another application does not take the release, and its numbers stay.
#[cfg(target_os = "linux")]
#[test]
fn a_store_takes_the_release_that_is_wanted() {
    let publisher = Publisher::new();
    publisher.ok(&format!(
        "store --store store add --key signer.pub.pem {ARTIFACT}"
    ));
    let take = "store --store store release 1.release.json --trust edgec-trust.toml";
    for wanted in ["--name acme/other", "--channel beta"] {
        publisher.refuses(&format!("{take} {wanted}"), "release-application");
    }
    for option in ["--provenance x", "--bundle x"] {
        publisher.0.fails(2, &words(&format!("{take} {option}")));
    }
    // Nothing was taken: an artifact needs no release.
    publisher.ok(&format!(
        "store --store store add --key signer.pub.pem {ARTIFACT}"
    ));
    publisher.refuses(take, "no-timestamp");
    let take = format!("{take} --timestamp 1.timestamp.json");
    publisher.ok(&format!("{take} --name acme/hello --channel stable"));
    let bare = format!("store --store store add --key signer.pub.pem {ARTIFACT}");
    let error = publisher.refuses(&bare, "no-release");
    assert!(
        error.contains("hint: name its release with --release"),
        "{error}"
    );
}

/// Half of a newer release of the same version waits, and the message says what stays.
#[cfg(target_os = "linux")]
#[test]
fn half_of_a_release_waits_for_the_other_half() {
    let publisher = Publisher::new();
    let statements = |serial: u32| {
        format!("--release {serial}.release.json --timestamp {serial}.timestamp.json")
    };
    let add = "store --store store add --trust edgec-trust.toml";
    let both = "1/hello.x86_64.cwasm 1/hello.aarch64.cwasm";
    publisher.ok(&format!("{add} {} {both}", statements(1)));
    // Compiled again: other code, the same version.
    let example = hello();
    let build = "-t x86_64,aarch64 -O0 --key signer.pem --name acme/hello --channel stable --app-version 1 -o again";
    publisher
        .0
        .ok(&[vec!["build", "-q", example.as_str()], words(build)].concat());
    publisher.ok("release make again/hello.x86_64.cwasm again/hello.aarch64.cwasm --serial 2 --key offline.pem -o 2.release.json");
    publisher.stamp(2, "+1d");
    let half = format!("{add} {} again/hello.x86_64.cwasm", statements(2));
    let told = publisher.ok(&half);
    let says = "; the artifacts of the older release stay until there is one for aarch64 (default)";
    assert!(told.contains(says), "{told}");
    let told = publisher.ok(&format!("{half} --format json"));
    assert!(told.contains("\"waits\""), "{told}");
    publisher.ok(&format!(
        "{add} {} again/hello.aarch64.cwasm",
        statements(2)
    ));
}

/// Each refusal of a notary has the hint that helps.
#[test]
fn a_notary_statement_of_another_artifact_is_not_to_be_written_again() {
    let publisher = Publisher::new();
    publisher.policy("tenants.toml", "notary = 1\n", "");
    let example = hello();
    let notarize = [
        "notarize",
        ARTIFACT,
        "--rebuild",
        &example,
        "--key",
        "notary.pem",
        "-o",
        "n.json",
    ];
    publisher.0.ok(&notarize);
    let verify = "verify -q 1/hello.aarch64.cwasm --trust tenants.toml --notary n.json";
    let error = publisher.refuses(verify, "notary-subject");
    assert!(
        error.contains("hint: each artifact has a statement of its own"),
        "{error}"
    );
}
