//! ML-DSA-65 against the vectors of NIST's ACVP server, and against a second implementation.
//!
//! The crate `fips204` ships the vectors in its source, and is the second implementation.
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first error"
)]

use std::path::PathBuf;

use edgec_packager::{Algorithm, PublicKey, SecretKey};
use fips204::ml_dsa_65;
use fips204::traits::{KeyGen as _, SerDes as _, Signer as _, Verifier as _};
use ml_dsa::{ExpandedSigningKey, ExpandedSigningKeyBytes, MlDsa65};
use serde_json::Value;

/// The group of ML-DSA-65 tests in `internalProjection.json` of this name.
fn tests(of: &str) -> Vec<(Value, Value)> {
    let mut command = cargo_metadata::MetadataCommand::new();
    command.other_options(vec!["--locked".to_owned(), "--offline".to_owned()]);
    command.manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let metadata = command.exec().unwrap();
    let package = metadata.packages.iter().find(|it| it.name == "fips204");
    let folder: PathBuf = package.unwrap().manifest_path.parent().unwrap().into();
    let file = folder.join(format!(
        "tests/nist_vectors/ML-DSA-{of}-FIPS204/internalProjection.json"
    ));
    let text = std::fs::read(&file).unwrap();
    let file: Value = serde_json::from_slice(&text).unwrap();
    let groups = file["testGroups"].as_array().unwrap().clone();
    let groups = groups
        .into_iter()
        .filter(|it| it["parameterSet"] == "ML-DSA-65");
    let cases = groups.flat_map(|group| {
        let cases = group["tests"].as_array().unwrap().clone();
        cases.into_iter().map(move |case| (group.clone(), case))
    });
    cases.collect()
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let text = case[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field}: {case}"));
    let digits = text.as_bytes().as_chunks::<2>().0.iter();
    let byte = |digits: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16);
    digits.map(|digits| byte(digits).unwrap()).collect()
}

/// A private key with this seed, read by edgec from the form that it writes.
fn secret(seed: &[u8]) -> SecretKey {
    use base64::Engine as _;
    let mut der = vec![
        0x30, 0x34, 2, 1, 0, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x12, 4, 0x22,
        0x80, 0x20,
    ];
    der.extend_from_slice(seed);
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    SecretKey::from_pem(&pem).unwrap()
}

#[test]
fn keys() {
    let cases = tests("keyGen");
    for (_, case) in &cases {
        let key = secret(&bytes(case, "seed"));
        assert_eq!(
            key.public().as_bytes(),
            bytes(case, "pk"),
            "{}",
            case["tcId"]
        );
    }
    println!("{} keys", cases.len());
    assert_eq!(cases.len(), 25);
}

#[test]
#[allow(deprecated, reason = "the vectors have expanded keys")]
fn signatures() {
    let cases = tests("sigGen");
    for (group, case) in &cases {
        let key = ExpandedSigningKeyBytes::<MlDsa65>::try_from(&*bytes(case, "sk")).unwrap();
        let key = ExpandedSigningKey::<MlDsa65>::from_expanded(&key);
        let random = match group["deterministic"].as_bool().unwrap() {
            true => vec![0; 32],
            false => bytes(case, "rnd"),
        };
        let random = random.as_slice().try_into().unwrap();
        let message = bytes(case, "message");
        let signature = key.sign_internal(&[&message], &random);
        assert_eq!(
            *signature.encode(),
            *bytes(case, "signature"),
            "{}",
            case["tcId"]
        );
    }
    println!("{} signatures", cases.len());
    assert_eq!(cases.len(), 20);
}

#[test]
fn verifications() {
    let cases = tests("sigVer");
    let mut accepted = 0;
    for (group, case) in &cases {
        let pk = match case.get("pk") {
            Some(_) => bytes(case, "pk"),
            None => bytes(group, "pk"),
        };
        let key = ml_dsa::EncodedVerifyingKey::<MlDsa65>::try_from(&*pk).unwrap();
        let key = ml_dsa::VerifyingKey::<MlDsa65>::decode(&key);
        let signature = ml_dsa::Signature::<MlDsa65>::try_from(&*bytes(case, "signature"));
        let found = signature.is_ok_and(|it| key.verify_internal(&bytes(case, "message"), &it));
        assert_eq!(
            Some(found),
            case["testPassed"].as_bool(),
            "{}",
            case["tcId"]
        );
        accepted += usize::from(found);
    }
    println!("{} verifications, {accepted} accepted", cases.len());
    assert_eq!(cases.len(), 15);
    assert!(accepted > 0 && accepted < cases.len());
}

/// The vectors are for the internal functions. This is for the public ones, with an empty context.
#[test]
fn two_implementations_agree() {
    for number in 0..20_u8 {
        let seed = [number; 32];
        let message = vec![number; usize::from(number) * 37];
        let ours = secret(&seed);
        let (public, theirs) = ml_dsa_65::KG::keygen_from_seed(&seed);
        let bytes = public.clone().into_bytes();
        assert_eq!(ours.public(), PublicKey::ml_dsa_65(&bytes).unwrap());
        let made = ours.sign(&message);
        let same = theirs.try_sign_with_seed(&[0; 32], &message, &[]).unwrap();
        assert_eq!(made, same);
        assert!(ours.public().accepts(&message, &made));
        // A context is another signature.
        let other = theirs.try_sign_with_seed(&[0; 32], &message, b"x").unwrap();
        assert!(!ours.public().accepts(&message, &other));
        let mut changed = same;
        for at in [0, 47, 48, 1000, 3247, 3248, 3300, 3308] {
            changed[at] ^= 1;
            let found = ours.public().accepts(&message, &changed);
            assert_eq!(
                found,
                public.verify(&message, &changed, &[]),
                "{number}, byte {at}"
            );
            assert!(!found);
            changed[at] ^= 1;
        }
    }
    assert_eq!(secret(&[1; 32]).public().algorithm(), Algorithm::MlDsa65);
}
