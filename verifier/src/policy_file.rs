//! A policy file on a host: who may write it, whether a root key signed it, and whether it has
//! expired.

use std::path::{Path, PathBuf};

use edgec_artifact::{Envelope, EnvelopeError, PublicKey, UnixTime};
use edgec_files::{GuardError, read_guarded};

use crate::TrustPolicy;
use crate::policy::PolicyError;

/// The payload type of a signed policy.
pub const POLICY_PAYLOAD_TYPE: &str = "application/vnd.edgec.trust-policy.v1+toml";

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// A user other than the owner may have written the file.
    #[error("the trust policy `{}`", path.display())]
    Guard {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GuardError,
    },
    /// The file is not UTF-8.
    #[error("the trust policy is not text: invalid UTF-8 at byte {offset}")]
    NotText {
        /// Bytes from the start of the text.
        offset: usize,
    },
    /// The text is not a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A root key is required, and the file is a policy without a signature.
    #[error("the trust policy is not signed, and a root key's signature is required")]
    Unsigned,
    /// The file is signed, and the host named no root key.
    #[error("the trust policy is signed, and no root key is named to verify it with")]
    NoRoot,
    /// A signed policy that is not in its one spelling.
    #[error("malformed signed trust policy")]
    Envelope(#[from] EnvelopeError),
    /// A root key has not signed the policy, or has signed something else.
    #[error("the trust policy has no valid signature by root key {key_id}")]
    Signature {
        /// The key.
        key_id: edgec_artifact::KeyId,
    },
    /// One root key is named twice, so its signature would count twice.
    #[error("the root key {key_id} is named twice")]
    SameRoot {
        /// The key.
        key_id: edgec_artifact::KeyId,
    },
    /// The policy has expired.
    #[error("the trust policy expired at {expires}; it is now {now}")]
    Expired {
        /// The first second after its validity.
        expires: UnixTime,
        /// The time at which the file was read.
        now: UnixTime,
    },
}

impl PolicyFileError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Guard { source, .. } => source.code(),
            Self::NotText { .. } | Self::Policy(_) => "trust-policy",
            Self::Unsigned
            | Self::NoRoot
            | Self::Envelope(_)
            | Self::Signature { .. }
            | Self::SameRoot { .. } => "policy-signature",
            Self::Expired { .. } => "policy-expired",
        }
    }
}

impl TrustPolicy {
    /// Reads a policy file. With `roots`, each of them must have signed it. Without, it must not be
    /// signed, since nothing would check the signature. A policy that has expired at `now` is
    /// refused.
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`]. The file must not be a symbolic link, must belong to this user or root,
    /// and group and others must not be able to write or replace it.
    pub fn read(
        path: impl AsRef<Path>,
        roots: &[PublicKey],
        now: UnixTime,
    ) -> Result<Self, PolicyFileError> {
        let path = path.as_ref();
        let bytes = read_guarded(path).map_err(|source| PolicyFileError::Guard {
            path: path.to_owned(),
            source,
        })?;
        Self::decode(&bytes, roots, now)
    }

    /// The policy in a file's bytes. The rules of [`Self::read`] apply.
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`], except the errors about the file itself.
    pub fn decode(
        bytes: &[u8],
        roots: &[PublicKey],
        now: UnixTime,
    ) -> Result<Self, PolicyFileError> {
        let envelope = policy_envelope(bytes)?;
        match (bytes.starts_with(SIGNED), roots) {
            (true, []) => return Err(PolicyFileError::NoRoot),
            (false, [_, ..]) => return Err(PolicyFileError::Unsigned),
            _ => {}
        }
        for (index, root) in roots.iter().enumerate() {
            if roots.iter().skip(index + 1).any(|other| other == root) {
                return Err(PolicyFileError::SameRoot { key_id: root.id() });
            }
            if !signed_by(&envelope, root) {
                return Err(PolicyFileError::Signature { key_id: root.id() });
            }
        }
        let text =
            std::str::from_utf8(envelope.payload()).map_err(|error| PolicyFileError::NotText {
                offset: error.valid_up_to(),
            })?;
        let mut policy = Self::from_toml(text)?;
        policy.signed_by = roots.iter().map(PublicKey::id).collect();
        match policy.expires {
            Some(expires) if now >= expires => Err(PolicyFileError::Expired { expires, now }),
            _ => Ok(policy),
        }
    }
}

/// The beginning of a signed policy. No TOML document begins like this.
const SIGNED: &[u8] = b"{";

/// The envelope of a signed policy. For a policy without a signature, it is a new envelope without
/// signatures. Nothing in it is verified.
///
/// # Errors
///
/// [`EnvelopeError`] if a signed policy is not in its one spelling.
pub fn policy_envelope(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    match bytes.starts_with(SIGNED) {
        true => Envelope::decode_type(POLICY_PAYLOAD_TYPE, bytes),
        false => Ok(Envelope::of_type(POLICY_PAYLOAD_TYPE, bytes.to_vec())),
    }
}

/// Whether the envelope has exactly one signature with the root's key id, and the root made it.
fn signed_by(envelope: &Envelope, root: &PublicKey) -> bool {
    let id = root.id().to_string();
    let theirs = envelope.signatures().iter().filter(|s| s.key_id() == id);
    match theirs.collect::<Vec<_>>().as_slice() {
        [signature] => root.accepts(&envelope.pae(), signature.bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_of_a_file_names_it_and_does_not_repeat_its_source() {
        let path = "/nonexistent/edgec-trust.toml";
        let error = TrustPolicy::read(path, &[], UnixTime::EPOCH).unwrap_err();
        assert_eq!(error.code(), "io");
        let text = error.to_string();
        assert_eq!(text, "the trust policy `/nonexistent/edgec-trust.toml`");
        let source = error.source().unwrap();
        assert_eq!(source.to_string(), "cannot read the file");
        assert!(source.source().is_some());
    }
}
