//! Two verifiers that share no code judge releases, timestamps and notaries' statements alike (see
//! `agreement.rs`).

use edgec_artifact::{Envelope, Signature};
use edgec_tests::interop::{Case, Trust, check_agreement, python};
use edgec_tests::publisher::Publisher;
use edgec_tests::{hello, words};

#[test]
fn both_verifiers_judge_the_statements_beside_an_artifact_alike() {
    if python().is_none() {
        return;
    }
    let publisher = Publisher::new();
    publisher.publish(2, 2, 2);
    let sandbox = &publisher.0;
    let example = hello();
    let notarize = |key: &str, output: &str| {
        let key = format!("{key}.pem");
        let artifact = "1/hello.x86_64.cwasm";
        sandbox.ok(&[
            "notarize",
            artifact,
            "--rebuild",
            &example,
            "--key",
            &key,
            "-o",
            output,
        ]);
    };
    notarize("notary", "notary.json");
    notarize("signer", "tenant.json");
    publisher
        .ok("release make 1/hello.x86_64.cwasm --serial 9 --key online.pem -o forged.release.json");
    publisher.ok("release stamp 1.release.json --issued 2020-01-01 --expires 2020-01-02 --key online.pem -o old.json");
    publisher.ok("release stamp 1.release.json --issued 2098-01-01 --expires 2099-01-02 --key online.pem -o ahead.json");
    publisher.ok("release stamp 1.release.json --expires +1d --key offline.pem -o wrong.json");
    let spaced = String::from_utf8(sandbox.read("1.release.json")).unwrap();
    sandbox.write("spaced.json", spaced.replacen(':', ": ", 1));
    let id = publisher.secret("signer").public().id();
    let revoked = format!(
        "[[revoked-key]]\nid = '{id}'\nreason = 'lost'\nrevoked-from = 2099-01-01T00:00:00Z\n"
    );
    publisher.ok("keygen -o root.pem");
    let root = publisher.entry("root", "root");
    let policies = [
        ("strict", "release = 1\ntimestamp = 1\n", ""),
        (
            "warns",
            "release = 1\ntimestamp = 1\n",
            "[checks]\nfreshness = 'warn'\n",
        ),
        ("notary", "notary = 1\n", ""),
        ("plain", "", ""),
        ("revoked", "", revoked.as_str()),
        ("alone", "timestamp = 1\n", ""),
        ("many", "release = 2\n", ""),
        ("mode", "", "[checks]\nnotary = 'warn'\n"),
        ("expires", "", "[validity]\npolicy-expiry-required = true\n"),
        (
            "reset",
            "",
            "[[reset]]\nnumber = 1\napplication = 'a*'\nversion = 1\nserial = 1\n",
        ),
        ("source", "root = 1\n", root.as_str()),
    ];
    for (name, head, tail) in policies {
        publisher.policy(&format!("{name}.toml"), head, tail);
    }
    let both = "--release 1.release.json --timestamp 1.timestamp.json";
    check(
        &publisher,
        &[
            ("strict", both, true),
            ("strict", "--release 1.release.json", false),
            ("strict", "--timestamp 1.timestamp.json", false),
            ("strict", "", false),
            (
                "strict",
                "--release 2.release.json --timestamp 2.timestamp.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.json --timestamp 2.timestamp.json",
                false,
            ),
            (
                "strict",
                "--release forged.release.json --timestamp 1.timestamp.json",
                false,
            ),
            (
                "strict",
                "--release spaced.json --timestamp 1.timestamp.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.json --timestamp old.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.json --timestamp ahead.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.json --timestamp wrong.json",
                false,
            ),
            (
                "strict",
                "--release 1.timestamp.json --timestamp 1.release.json",
                false,
            ),
            // The newer release says that version 1 may no longer run.
            (
                "strict",
                "--release 1.release.json --release 2.release.json --timestamp 1.timestamp.json",
                false,
            ),
            (
                "warns",
                "--release 1.release.json --timestamp old.json",
                true,
            ),
            (
                "warns",
                "--release 2.release.json --timestamp 2.timestamp.json",
                false,
            ),
            ("plain", both, true),
            ("plain", "", true),
            ("plain", "--release 2.release.json", false),
            ("plain", "--notary tenant.json", false),
            ("notary", "--notary notary.json", true),
            ("notary", "--notary tenant.json", false),
            ("notary", "--notary tenant.json --notary notary.json", true),
            ("notary", "--notary 1.release.json", false),
            ("notary", "", false),
            ("revoked", both, true),
            ("revoked", "", false),
            (
                "revoked",
                "--release 1.release.json --timestamp wrong.json",
                false,
            ),
            ("alone", both, false),
            ("many", "--release 1.release.json", false),
            ("mode", "", false),
            ("expires", "", false),
            ("reset", "", false),
            // Its root keys have not signed it.
            ("source", "", false),
        ],
    );
}

/// The same with two keys for each signer: half of the signatures is not enough, in no role.
#[test]
fn both_verifiers_judge_statements_with_two_algorithms_alike() {
    if python().is_none() {
        return;
    }
    let publisher = Publisher::with_keys("hybrid");
    let sandbox = &publisher.0;
    let example = hello();
    let notarize = "notarize 1/hello.x86_64.cwasm --key notary.pem -o notary.json --rebuild";
    sandbox.ok(&[words(notarize), vec![example.as_str()]].concat());
    for name in ["1.release", "1.timestamp", "notary"] {
        let file = sandbox.read(&format!("{name}.json"));
        let envelope = Envelope::decode(&file).unwrap();
        assert_eq!(envelope.signatures().len(), 2, "{name}");
        let changed = |change: &dyn Fn(&mut Vec<Signature>)| {
            let mut signatures = envelope.signatures().to_vec();
            change(&mut signatures);
            Envelope::new(envelope.payload().to_vec(), signatures).encode()
        };
        for at in [0, 1] {
            let half = changed(&|all| drop(all.remove(at)));
            sandbox.write(&format!("{name}.{at}.json"), half);
        }
        let more = changed(&|all| all.insert(0, Signature::new("unknown", vec![7; 7856])));
        sandbox.write(&format!("{name}.more.json"), more);
    }
    publisher.policy("strict.toml", "release = 1\ntimestamp = 1\n", "");
    publisher.policy("notary.toml", "notary = 1\n", "");
    for name in ["strict", "notary"] {
        let text = String::from_utf8(sandbox.read(&format!("{name}.toml"))).unwrap();
        let less = text.replace("roles = ", "algorithms = ['ed25519']\nroles = ");
        sandbox.write_secret(&format!("{name}.less.toml"), less);
    }
    check(
        &publisher,
        &[
            (
                "strict",
                "--release 1.release.json --timestamp 1.timestamp.json",
                true,
            ),
            (
                "strict",
                "--release 1.release.more.json --timestamp 1.timestamp.more.json",
                true,
            ),
            (
                "strict",
                "--release 1.release.0.json --timestamp 1.timestamp.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.1.json --timestamp 1.timestamp.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.json --timestamp 1.timestamp.0.json",
                false,
            ),
            (
                "strict",
                "--release 1.release.json --timestamp 1.timestamp.1.json",
                false,
            ),
            // Ed25519 signs first.
            (
                "strict.less",
                "--release 1.release.0.json --timestamp 1.timestamp.json",
                false,
            ),
            (
                "strict.less",
                "--release 1.release.1.json --timestamp 1.timestamp.1.json",
                true,
            ),
            ("notary", "--notary notary.json", true),
            ("notary", "--notary notary.more.json", true),
            ("notary", "--notary notary.0.json", false),
            ("notary", "--notary notary.1.json", false),
            (
                "notary",
                "--notary notary.0.json --notary notary.1.json",
                false,
            ),
            ("notary.less", "--notary notary.1.json", true),
            ("notary.less", "--notary notary.0.json", false),
        ],
    );
}

/// Lets both verifiers judge version 1 for x86-64 under these policies, with these statements.
fn check(publisher: &Publisher, cases: &[(&str, &str, bool)]) {
    let sandbox = &publisher.0;
    let path = |name: &str| sandbox.path().join(name);
    let case = |(policy, statements, accepted): &(&str, &str, bool)| {
        let argument = |word: &str| match word.ends_with(".json") {
            true => path(word).to_str().unwrap().to_owned(),
            false => word.to_owned(),
        };
        Case {
            name: format!("{policy}: {statements}"),
            file: sandbox.read("1/hello.x86_64.cwasm"),
            trust: Trust::Policy(path(&format!("{policy}.toml"))),
            arguments: statements.split_whitespace().map(argument).collect(),
            accepted: Some(*accepted),
        }
    };
    check_agreement(cases.iter().map(case));
}
