//! The algorithms of signatures.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An algorithm with which artifacts are signed. A key has one, and it decides how the signatures
/// under the key's id are read: a signature does not state its own algorithm.
///
/// The enum is complete, because version 1 of the format has these and no others
/// (`docs/format.md`). So code that chooses by algorithm never takes another one for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "version 1 of the format has no others"
)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), pure and strict.
    Ed25519,
    /// ML-DSA-65 (FIPS 204), pure, with an empty context. It stays secure against a quantum
    /// computer.
    #[serde(rename = "ml-dsa-65")]
    MlDsa65,
}

impl Algorithm {
    /// Every algorithm, in the order in which a signer's keys stand.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::MlDsa65];

    /// The name in policies, reports and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::MlDsa65 => "ml-dsa-65",
        }
    }

    /// The length of a signature in bytes (RFC 8032, section 5.1.6; FIPS 204, table 2).
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Ed25519 => 64,
            Self::MlDsa65 => 3309,
        }
    }

    /// The length of a public key in bytes (RFC 8032, section 5.1.5; FIPS 204, table 2).
    pub const fn public_key_len(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::MlDsa65 => 1952,
        }
    }

    /// The bytes of a SubjectPublicKeyInfo in DER that stand before the key (RFC 8410, section 4;
    /// RFC 9881, section 4). With them, a key has exactly one encoding.
    pub(crate) const fn spki_prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[
                0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
            ],
            // id-ml-dsa-65, 2.16.840.1.101.3.4.3.18.
            Self::MlDsa65 => &[
                0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
                0x04, 0x03, 0x12, 0x03, 0x82, 0x07, 0xa1, 0x00,
            ],
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_one_in_policies() {
        for algorithm in Algorithm::ALL {
            let written = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(written, format!("\"{algorithm}\""));
        }
    }

    #[test]
    fn a_prefix_states_the_lengths_that_follow_it() {
        let ed25519 = Algorithm::Ed25519.spki_prefix();
        assert_eq!(usize::from(ed25519[1]), ed25519.len() - 2 + 32);
        let ml_dsa = Algorithm::MlDsa65.spki_prefix();
        let stated = usize::from(ml_dsa[2]) << 8 | usize::from(ml_dsa[3]);
        assert_eq!(stated, ml_dsa.len() - 4 + 1952);
    }
}
