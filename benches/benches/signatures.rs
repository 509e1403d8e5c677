//! Verification of signatures: Ed25519, ML-DSA-65, and both of a signer with two keys; the
//! signature alone, and the whole verification of a small artifact. Also what the signatures add to
//! an artifact, and what the SHA-256 costs where a large artifact comes in.
//!
//! `cargo bench -p edgec signatures`

use std::time::Duration;

use edgec_artifact::{Artifact, PAYLOAD_TYPE, pae};
use edgec_benches::{Contender, medians, print};
use edgec_packager::{Algorithm, SecretKeys};
use edgec_tests::Sandbox;
use edgec_verifier::{Expected, TrustPolicy, TrustedKey, UnixTime, verify_fast};

const SIGNERS: [(&str, &[Algorithm]); 3] = [
    ("Ed25519", &[Algorithm::Ed25519]),
    ("ML-DSA-65", &[Algorithm::MlDsa65]),
    ("both", &Algorithm::ALL),
];

/// An artifact by one kind of signer.
struct Signed {
    keys: SecretKeys,
    file: Vec<u8>,
    policy: TrustPolicy,
}

pub(crate) fn run() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let signed = SIGNERS.map(|(_, algorithms)| {
        let keys = SecretKeys::generate(algorithms).unwrap();
        sandbox.write_secret("signer.pem", keys.to_pem().unwrap().as_bytes());
        sandbox.ok(&["sign", "hello.cwasm", "--key", "signer.pem"]);
        let trusted = TrustedKey::new("signer", keys.public());
        Signed {
            keys,
            file: sandbox.read("hello.cwasm"),
            policy: TrustPolicy::new(vec![trusted], 1).unwrap(),
        }
    });
    let artifact = Artifact::decode(&signed[0].file).unwrap();
    let message = pae(PAYLOAD_TYPE, artifact.envelope().payload());
    let made: Vec<_> = signed
        .iter()
        .map(|signed| signed.keys.sign(&message))
        .collect();

    println!("medians of one run, in turns; the ratio is to the first line of each table\n");
    crate::digests::run();
    let message = &message;
    let mut alone: Vec<Contender<'_>> = SIGNERS
        .iter()
        .zip(&made)
        .map(|((name, _), made)| {
            Contender::new(name, move || {
                for signature in made {
                    assert!(signature.by.accepts(message, &signature.bytes));
                }
            })
        })
        .collect();
    let times = medians(&mut alone, Duration::from_secs(3));
    print("signatures", &alone, &times);
    println!();

    let mut whole: Vec<Contender<'_>> = SIGNERS
        .iter()
        .zip(&signed)
        .map(|((name, _), signed)| {
            Contender::new(name, move || {
                let expected = Expected::anything();
                verify_fast(&signed.file, &signed.policy, &expected, UnixTime::EPOCH).unwrap();
            })
        })
        .collect();
    let times = medians(&mut whole, Duration::from_secs(3));
    print("a small artifact", &whole, &times);
    println!();

    let first = signed[0].file.len();
    for ((name, _), signed) in SIGNERS.iter().zip(&signed) {
        let more = signed.file.len() - first;
        println!(
            "{:24} {name:46} {:>10} bytes  {more:>+5}",
            "length",
            signed.file.len()
        );
    }
}
