//! Signatures that were made elsewhere: in a file, or by a program.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use edgec_artifact::{Algorithm, PublicKey};

use crate::failure::{Exit, Failure};
use crate::files;

/// Reads the file of a signature by this key: its bytes, or base64.
pub(super) fn read_signature(path: &Path, by: &PublicKey) -> Result<Vec<u8>, Failure> {
    let bytes = files::read_short(path)?;
    let algorithm = by.algorithm();
    signature(&bytes, algorithm)
        .ok_or_else(|| not_a_signature(&bytes, algorithm).about(path.display()))
}

/// The bytes of a signature, or their base64 (standard, padded), on any number of lines.
pub(super) fn signature(bytes: &[u8], algorithm: Algorithm) -> Option<Vec<u8>> {
    let fits = |bytes: &[u8]| bytes.len() == algorithm.signature_len();
    if fits(bytes) {
        return Some(bytes.to_vec());
    }
    let text: Vec<u8> = bytes
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .copied()
        .collect();
    let decoded = STANDARD.decode(text).ok()?;
    fits(&decoded).then_some(decoded)
}

pub(super) fn not_a_signature(bytes: &[u8], algorithm: Algorithm) -> Failure {
    let name = match algorithm {
        Algorithm::MlDsa65 => "ML-DSA-65",
        Algorithm::Ed25519 => "Ed25519",
    };
    let message = format!(
        "{} bytes are not an {name} signature: write {} bytes, or their base64",
        bytes.len(),
        algorithm.signature_len()
    );
    Failure::new(Exit::Rejected, "bad-signature", message)
}
