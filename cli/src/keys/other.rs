//! Says what a document holds instead of a key in PKCS#8 PEM, and what to do about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A key of another algorithm cannot be converted.
const MAKE: &str = "make a key for artifacts with `edgec keygen -o key.pem`";

/// Object identifiers, each with its tag and length: RFC 8017, RFC 5480, RFC 3279, RFC 8410,
/// RFC 9881.
const ALGORITHMS: [(&[u8], &str); 8] = [
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], "RSA"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "ECDSA"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "DSA"),
    (&[6, 3, 0x2b, 0x65, 0x6e], "X25519"),
    (&[6, 3, 0x2b, 0x65, 0x6f], "X448"),
    (&[6, 3, 0x2b, 0x65, 0x71], "Ed448"),
    (
        &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x11],
        "ML-DSA-44",
    ),
    (
        &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x13],
        "ML-DSA-87",
    ),
];

/// A message and a hint for another key, or for a key in another encoding.
pub(super) fn what_else(text: &str) -> Option<(String, &'static str)> {
    // `-----BEGIN` in base64.
    if text.trim_start().starts_with("LS0tLS1CRUdJTi") {
        let message = "this is PEM in base64, not PEM".to_owned();
        return Some((message, "decode it once: base64 -d"));
    }
    let algorithm = algorithm(text)?;
    let message =
        format!("this is a private key for {algorithm}; only Ed25519 and ML-DSA-65 sign artifacts");
    Some((message, MAKE))
}

/// The algorithm of the private key in a PEM document, if it is not Ed25519.
fn algorithm(pem: &str) -> Option<&'static str> {
    let labels = [
        ("BEGIN RSA PRIVATE KEY", "RSA"),
        ("BEGIN EC PRIVATE KEY", "ECDSA"),
        ("BEGIN DSA PRIVATE KEY", "DSA"),
    ];
    let labelled = labels.iter().find(|(label, _)| pem.contains(*label));
    if let Some((_, algorithm)) = labelled {
        return Some(*algorithm);
    }
    let (_, body) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    // The algorithm comes before the key, in the first 24 bytes.
    let letters = body.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let letters: Zeroizing<Vec<u8>> = Zeroizing::new(letters.take(32).collect());
    let front = Zeroizing::new(STANDARD.decode(&*letters).ok()?);
    let has = |id: &[u8]| front.windows(id.len()).any(|window| window == id);
    let found = ALGORITHMS.iter().find(|(id, _)| has(id));
    found.map(|(_, algorithm)| *algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_keys_are_named() {
        for (text, named) in [
            (
                "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\n",
                "ECDSA",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\n", "RSA"),
            // The beginnings of what `openssl genpkey` writes.
            (
                "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n",
                "RSA",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\n",
                "ECDSA",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAAAAAAAAAAA\n",
                "X25519",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nMEcCAQAwBQYDK2VxBDsEOQAAAAAAAAAA\n",
                "Ed448",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nMDQCAQAwCwYJYIZIAWUDBAMRBCKAIAAA\n",
                "ML-DSA-44",
            ),
            ("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==", "PEM in base64"),
        ] {
            let (message, _) = what_else(text).unwrap();
            assert!(message.contains(named), "{text}: {message}");
        }
        for text in [
            "",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAA\n",
            "-----BEGIN PRIVATE KEY-----\nMC4\n",
            "-----BEGIN PUBLIC KEY-----\n",
        ] {
            assert_eq!(what_else(text), None, "{text}");
        }
    }
}
