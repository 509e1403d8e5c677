//! Signers with an Ed25519 key and an ML-DSA-65 key, and signatures of unknown kinds.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use edgec_packager::{SecretKeys, UnsignedArtifact};
use edgec_verifier::artifact::{Algorithm, Artifact, Envelope, Signature};
use edgec_verifier::{
    Expected, PolicyError, PublicKey, SignerKeys, TrustPolicy, TrustedKey, UnixTime,
    VerifiedArtifact, verify,
};

const ARTIFACT: &[u8] = include_bytes!("../../fuzz/seeds/verify/signed.cwasm");

fn hybrid() -> SecretKeys {
    SecretKeys::generate(&Algorithm::ALL).unwrap()
}

/// The artifact, signed by these and no others.
fn signed(by: &[&SecretKeys]) -> Vec<u8> {
    let mut file = ARTIFACT.to_vec();
    let mut kept = Vec::new();
    for keys in by {
        let (unsigned, _) = UnsignedArtifact::reopen(&file).unwrap();
        file = unsigned.sign(*keys, kept).unwrap().into_bytes();
        (_, kept) = UnsignedArtifact::reopen(&file).unwrap();
    }
    file
}

/// The artifact with changed signatures.
fn with(file: &[u8], change: impl FnOnce(&mut Vec<Signature>)) -> Vec<u8> {
    let artifact = Artifact::decode(file).unwrap();
    let mut signatures = artifact.envelope().signatures().to_vec();
    change(&mut signatures);
    let envelope = Envelope::new(artifact.envelope().payload().to_vec(), signatures);
    // Not with edgec's writer, which refuses what a reader refuses.
    let (image, envelope) = (artifact.image(), envelope.encode());
    let (length, offset) = (image.len() as u64, image.len().next_multiple_of(8));
    let mut file = image.to_vec();
    file.resize(offset, 0);
    file.extend_from_slice(&envelope);
    for number in [length, offset as u64, envelope.len() as u64, 1] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(b"\x89edgec\r\n");
    file
}

fn policy(
    threshold: usize,
    keys: &[(&SecretKeys, &str)],
    more: &str,
) -> Result<TrustPolicy, PolicyError> {
    let mut text = format!("threshold = {threshold}\n{more}\n");
    for (number, (keys, rules)) in keys.iter().enumerate() {
        let pem = keys.public().to_pem();
        text += &format!("[[key]]\nname = \"signer {number}\"\npem = '''\n{pem}'''\n{rules}\n");
    }
    TrustPolicy::from_toml(&text)
}

fn judge<'a>(file: &'a [u8], policy: &TrustPolicy) -> Result<VerifiedArtifact<'a>, &'static str> {
    let verdict = verify(file, policy, &Expected::anything(), UnixTime::EPOCH);
    verdict.map_err(|error| error.code())
}

fn id(keys: &SecretKeys, algorithm: Algorithm) -> String {
    let public = keys.public();
    let key = public.iter().find(|key| key.algorithm() == algorithm);
    key.unwrap().id().to_string()
}

#[test]
fn both_keys_of_a_signer_must_have_signed() {
    let keys = hybrid();
    let file = signed(&[&keys]);
    let both = policy(1, &[(&keys, "")], "").unwrap();
    let verified = judge(&file, &both).unwrap();
    let algorithms: Vec<Algorithm> = verified.accepted().iter().map(|it| it.algorithm).collect();
    assert_eq!(algorithms, Algorithm::ALL);
    let check = verified
        .checks()
        .iter()
        .find(|it| it.name.name() == "signatures")
        .unwrap();
    assert!(
        check.evidence.starts_with("1 of 1 required"),
        "{}",
        check.evidence
    );
    for algorithm in Algorithm::ALL {
        let gone = id(&keys, algorithm);
        let stripped = with(&file, |all| all.retain(|it| it.key_id() != gone));
        assert_eq!(judge(&stripped, &both).unwrap_err(), "key-algorithm");
        // The policy may ask for less.
        for asked in Algorithm::ALL {
            let rule = format!("algorithms = [\"{asked}\"]");
            let less = policy(1, &[(&keys, &rule)], "").unwrap();
            assert_eq!(
                judge(&stripped, &less).is_ok(),
                asked != algorithm,
                "{asked}"
            );
        }
        // What stands under the id of a trusted key is that key's signature, also if it need not be
        // there.
        for bytes in [vec![1; 64], vec![1; 3309], vec![1; 5]] {
            let changed = with(&stripped, |all| all.push(Signature::new(&gone, bytes)));
            for rule in [
                "",
                "algorithms = [\"ed25519\"]",
                "algorithms = [\"ml-dsa-65\"]",
            ] {
                let policy = policy(1, &[(&keys, rule)], "").unwrap();
                assert_eq!(judge(&changed, &policy).unwrap_err(), "bad-signature");
            }
        }
    }
    // Each signature under the other key's id.
    let swapped = with(&file, |all| {
        let ids: Vec<String> = all.iter().rev().map(|it| it.key_id().to_owned()).collect();
        let bytes = all.iter().map(|it| it.bytes().to_vec());
        *all = ids
            .iter()
            .zip(bytes)
            .map(|(id, bytes)| Signature::new(id, bytes))
            .collect();
    });
    assert_eq!(judge(&swapped, &both).unwrap_err(), "bad-signature");
}

#[test]
fn a_threshold_counts_signers() {
    let (one, two) = (hybrid(), hybrid());
    let alone = policy(2, &[(&one, "")], "").map(|_| ()).unwrap_err();
    assert!(matches!(alone, PolicyError::Threshold { .. }), "{alone}");
    let both = policy(2, &[(&one, ""), (&two, "")], "").unwrap();
    assert_eq!(judge(&signed(&[&one]), &both).unwrap_err(), "threshold");
    let file = signed(&[&one, &two]);
    assert_eq!(judge(&file, &both).unwrap().accepted().len(), 4);
    // Half of each is no signer, and two halves are not one.
    let gone = [id(&one, Algorithm::Ed25519), id(&two, Algorithm::MlDsa65)];
    let halves = with(&file, |all| {
        all.retain(|it| !gone.contains(&it.key_id().to_owned()));
    });
    assert_eq!(judge(&halves, &both).unwrap_err(), "key-algorithm");
    let any = policy(1, &[(&one, ""), (&two, "")], "").unwrap();
    assert_eq!(judge(&halves, &any).unwrap_err(), "key-algorithm");
}

#[test]
fn one_revoked_key_revokes_a_signer_that_needs_it() {
    let keys = hybrid();
    let file = signed(&[&keys]);
    let gone = id(&keys, Algorithm::MlDsa65);
    let revoked = format!("[[revoked-key]]\nid = \"{gone}\"\nreason = \"x\"");
    let both = policy(1, &[(&keys, "")], &revoked).unwrap();
    assert_eq!(judge(&file, &both).unwrap_err(), "revoked-key");
    let less = policy(1, &[(&keys, "algorithms = [\"ed25519\"]")], &revoked).unwrap();
    let verified = judge(&file, &less).unwrap();
    assert_eq!(verified.accepted().len(), 1, "{:?}", verified.accepted());
}

#[test]
fn signatures_of_unknown_kinds_are_skipped() {
    let keys = hybrid();
    let file = signed(&[&keys]);
    let policy = policy(1, &[(&keys, "")], "").unwrap();
    for len in [1, 64, 2420, 3309, 4627, 7856, 32768] {
        let more = with(&file, |all| {
            all.insert(0, Signature::new("slh-dsa of another", vec![7; len]));
        });
        assert_eq!(judge(&more, &policy).unwrap().accepted().len(), 2, "{len}");
        let alone = with(&file, |all| *all = vec![Signature::new("x", vec![7; len])]);
        assert_eq!(judge(&alone, &policy).unwrap_err(), "threshold", "{len}");
    }
    // Bounded in number and length, under every key id.
    let many = with(&file, |all| {
        all.extend((0..63).map(|number| Signature::new(&number.to_string(), vec![7; 64])));
    });
    assert_eq!(judge(&many, &policy).unwrap_err(), "layout");
    for len in [0, 32769] {
        let long = with(&file, |all| all.push(Signature::new("x", vec![7; len])));
        assert_eq!(judge(&long, &policy).unwrap_err(), "layout", "{len}");
    }
}

#[test]
fn each_error_of_a_policy_has_a_case() {
    let keys = hybrid();
    let refused = |keys: &[(&SecretKeys, &str)]| policy(1, keys, "").map(|_| ()).unwrap_err();
    let same = refused(&[(&keys, ""), (&keys, "")]);
    assert!(matches!(same, PolicyError::SameKey { .. }), "{same}");
    let empty = refused(&[(&keys, "algorithms = []")]);
    assert!(matches!(empty, PolicyError::EmptyList { .. }), "{empty}");
    let unknown = refused(&[(&keys, "algorithms = [\"rsa\"]")]);
    assert!(matches!(unknown, PolicyError::Toml(_)), "{unknown}");
    let one = SecretKeys::generate(&[Algorithm::Ed25519]).unwrap();
    let missing = refused(&[(&one, "algorithms = [\"ed25519\", \"ml-dsa-65\"]")]);
    assert!(
        matches!(missing, PolicyError::Algorithm { .. }),
        "{missing}"
    );
    // One key in two signers would count twice.
    let part = keys.public();
    let part: Vec<PublicKey> = part.iter().cloned().collect();
    let text = |pem: &str, name: &str| format!("[[key]]\nname = \"{name}\"\npem = '''\n{pem}'''\n");
    let both = text(&keys.public().to_pem(), "both") + &text(&part[1].to_pem(), "part");
    let same = TrustPolicy::from_toml(&format!("threshold = 1\n{both}")).map(|_| ());
    assert!(matches!(same, Err(PolicyError::SameKey { .. })));
}

/// Signed by `cryptography` 50.0.2 (OpenSSL), which has no part in edgec.
#[test]
fn what_another_implementation_signed_is_accepted() {
    let file = include_bytes!("cryptography.cwasm");
    let keys = SignerKeys::from_pem(include_str!("cryptography.pub.pem")).unwrap();
    let policy = TrustPolicy::new(vec![TrustedKey::new("both", keys)], 1).unwrap();
    assert_eq!(judge(file, &policy).unwrap().accepted().len(), 2);
    for at in [0, 1] {
        let changed = with(file, |all| {
            let (id, mut bytes) = (all[at].key_id().to_owned(), all[at].bytes().to_vec());
            *bytes.last_mut().unwrap() ^= 1;
            all[at] = Signature::new(&id, bytes);
        });
        assert_eq!(judge(&changed, &policy).unwrap_err(), "bad-signature");
    }
}
