//! A policy file on a host: who may write it, whether root keys signed it, and whether it has
//! expired.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgec_artifact::{Envelope, EnvelopeError, KeyId, PublicKey, UnixTime};
use edgec_files::{GuardError, read_guarded};

use crate::TrustPolicy;
use crate::policy::PolicyError;
use crate::role::Role;
use crate::trusted_key::TrustedKey;

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
    /// The host or the policy itself requires root keys, and the file is a policy without a
    /// signature.
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
    /// Too few root keys of a policy have signed it.
    #[error(
        "{accepted} of {threshold} required signatures by the root keys {} are valid on the trust \
         policy",
        of.text()
    )]
    Roots {
        /// The number of different root keys that have signed it.
        accepted: usize,
        /// The number that is required.
        threshold: usize,
        /// Which policy lists the root keys.
        of: RootsOf,
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
            Self::Roots { .. } => "policy-root",
            Self::Expired { .. } => "policy-expired",
        }
    }
}

/// The policy that lists root keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootsOf {
    /// The policy itself.
    Itself,
    /// The newest policy that the host knows.
    Known,
}

impl RootsOf {
    const fn text(self) -> &'static str {
        match self {
            Self::Itself => "that it lists itself",
            Self::Known => "of the newest policy that this host knows",
        }
    }
}

impl TrustPolicy {
    /// Reads a policy file. With `roots`, each of them must have signed it. A policy that demands
    /// root keys (`root = 2`) must be signed by that many of its own, so its source is refused. A
    /// signed policy without `roots` and without own root keys is refused too, since nothing would
    /// check the signature. A policy that has expired at `now` is refused.
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
        let policy = Self::decode_any_time(bytes, roots)?;
        match policy.expires {
            Some(expires) if now >= expires => Err(PolicyFileError::Expired { expires, now }),
            _ => Ok(policy),
        }
    }

    /// The policy in its source, signed or not, and also if it has expired: for tools that sign or
    /// show it. A host calls [`Self::read`].
    ///
    /// # Errors
    ///
    /// [`PolicyFileError::NotText`], [`PolicyFileError::Policy`].
    pub fn decode_source(bytes: &[u8]) -> Result<Self, PolicyFileError> {
        let text = std::str::from_utf8(bytes).map_err(|error| PolicyFileError::NotText {
            offset: error.valid_up_to(),
        })?;
        Ok(Self::from_toml(text)?)
    }

    /// As [`Self::decode`], also for a policy that has expired.
    pub(crate) fn decode_any_time(
        bytes: &[u8],
        roots: &[PublicKey],
    ) -> Result<Self, PolicyFileError> {
        let envelope = policy_envelope(bytes)?;
        let is_signed = bytes.starts_with(SIGNED);
        if !is_signed && !roots.is_empty() {
            return Err(PolicyFileError::Unsigned);
        }
        for (index, root) in roots.iter().enumerate() {
            if roots.iter().skip(index + 1).any(|other| other == root) {
                return Err(PolicyFileError::SameRoot { key_id: root.id() });
            }
            if !signed_by(&envelope, root) {
                return Err(PolicyFileError::Signature { key_id: root.id() });
            }
        }
        let mut policy = Self::decode_source(envelope.payload())?;
        policy.signed_by = roots.iter().map(PublicKey::id).collect();
        match policy.demanded(Role::Root) {
            // Its source may lie where the signed policy should be.
            Some(_) if !is_signed => return Err(PolicyFileError::Unsigned),
            None if !is_signed => {}
            Some(threshold) => {
                let own = enough(&envelope, policy.roots(), threshold, RootsOf::Itself)?;
                let more = own.into_iter().filter(|id| !policy.signed_by.contains(id));
                let more: Vec<KeyId> = more.collect();
                policy.signed_by.extend(more);
            }
            None if roots.is_empty() => return Err(PolicyFileError::NoRoot),
            None => {}
        }
        policy.envelope = is_signed.then(|| Arc::new(envelope));
        Ok(policy)
    }
}

/// The keys of the roots that have signed, if these roots are at least `threshold`. A root with two
/// keys must have signed with each that its policy demands, and counts once.
pub(crate) fn enough<'r>(
    envelope: &Envelope,
    roots: impl Iterator<Item = &'r TrustedKey>,
    threshold: usize,
    of: RootsOf,
) -> Result<Vec<KeyId>, PolicyFileError> {
    let (mut accepted, mut keys): (usize, Vec<KeyId>) = (0, Vec::new());
    for root in roots {
        let ids: Vec<KeyId> = root.required_keys().map(PublicKey::id).collect();
        let is_new = !ids.is_empty() && !ids.iter().any(|id| keys.contains(id));
        if is_new && root.required_keys().all(|key| signed_by(envelope, key)) {
            accepted += 1;
            keys.extend(ids);
        }
    }
    match accepted < threshold {
        true => Err(PolicyFileError::Roots {
            accepted,
            threshold,
            of,
        }),
        false => Ok(keys),
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

    /// A host that finds the source in the place of the signed policy says so.
    #[test]
    fn the_source_of_a_policy_with_roots_is_no_policy() {
        let key = |name: &str, role: &str, key: &str| {
            format!(
                "[[key]]\nname = '{name}'\nroles = ['{role}']\npem = '''\n\
                 -----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n'''\n"
            )
        };
        let one = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let two = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let keys = [key("ci", "artifact", one), key("offline", "root", two)].concat();
        let text = format!("threshold = 1\nroot = 1\n{keys}");
        let refused = TrustPolicy::decode(text.as_bytes(), &[], UnixTime::EPOCH).unwrap_err();
        assert!(matches!(refused, PolicyFileError::Unsigned), "{refused:?}");
        assert_eq!(refused.code(), "policy-signature");
        let source = TrustPolicy::decode_source(text.as_bytes()).unwrap();
        assert_eq!(source.demanded(Role::Root), Some(1));
        let asks_none = text.replace("root = 1\n", "");
        assert!(TrustPolicy::decode(asks_none.as_bytes(), &[], UnixTime::EPOCH).is_ok());
        let not_text = TrustPolicy::decode_source(b"name = '\xff'").unwrap_err();
        assert!(matches!(not_text, PolicyFileError::NotText { offset: 8 }));
    }
}
