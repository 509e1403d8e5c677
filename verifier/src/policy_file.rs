//! A policy on a host: who may write its file, whether a root key signed it, whether it is
//! the newest that this host has seen.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use edgec_artifact::{Envelope, EnvelopeError, PublicKey, pae};

use crate::TrustPolicy;
use crate::policy::PolicyError;

/// The payload type of a signed policy.
pub const POLICY_PAYLOAD_TYPE: &str = "application/vnd.edgec.trust-policy.v1+toml";

/// The longest policy file that is read, in bytes (1 MiB).
const MAX_POLICY_LEN: u64 = 1 << 20;

/// Why a policy file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// The file cannot be read.
    #[error("cannot read the trust policy")]
    Io(#[source] io::Error),
    /// A file that somebody else might change, or have put there.
    #[error("the trust policy {what}")]
    Unsafe {
        /// What is wrong with the file.
        what: &'static str,
    },
    /// Not UTF-8.
    #[error("the trust policy is no text: invalid UTF-8 at byte {offset}")]
    NotText {
        /// Bytes from the start of the text.
        offset: usize,
    },
    /// The text is not a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A root key is wanted, and the file is a bare policy.
    #[error("the trust policy is not signed, and a root key's signature is required")]
    Unsigned,
    /// The file is signed, and nobody said by whom it must be.
    #[error("the trust policy is signed, and no root key is named to verify it with")]
    NoRoot,
    /// A signed policy in a form that is not the one spelling.
    #[error("malformed signed trust policy")]
    Envelope(#[from] EnvelopeError),
    /// A root key has not signed it, or something else.
    #[error("the trust policy has no valid signature by root key {key_id}")]
    Signature {
        /// The key.
        key_id: edgec_artifact::KeyId,
    },
    /// The policy is too old to be followed.
    #[error("the trust policy expired at {expires} (now {now}, seconds since 1970)")]
    Expired {
        /// The first second after its validity.
        expires: u64,
        /// The time of this reading.
        now: u64,
    },
}

impl PolicyFileError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Unsafe { .. } => "policy-file",
            Self::NotText { .. } | Self::Policy(_) => "trust-policy",
            Self::Unsigned | Self::NoRoot | Self::Envelope(_) | Self::Signature { .. } => {
                "policy-signature"
            }
            Self::Expired { .. } => "policy-expired",
        }
    }
}

impl TrustPolicy {
    /// Reads a policy file. With `roots`, it must be signed by every one of them; without, it
    /// must not be signed, since nobody would look at the signature. `now` is in seconds since
    /// 1970.
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`]: also for a symbolic link and for a file that group or others may
    /// write or that belongs neither to this user nor to root.
    pub fn read(path: &Path, roots: &[PublicKey], now: u64) -> Result<Self, PolicyFileError> {
        Self::decode(&read_guarded(path)?, roots, now)
    }

    /// The policy in a file's bytes; otherwise as [`Self::read`].
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`], but for those of the file itself.
    pub fn decode(bytes: &[u8], roots: &[PublicKey], now: u64) -> Result<Self, PolicyFileError> {
        // No TOML document begins like this, and no envelope otherwise.
        let signed = bytes.starts_with(b"{");
        let (text, signed_by) = match (signed, roots) {
            (true, []) => return Err(PolicyFileError::NoRoot),
            (false, [_, ..]) => return Err(PolicyFileError::Unsigned),
            (false, []) => (bytes.to_vec(), Vec::new()),
            (true, roots) => {
                let envelope = Envelope::decode_as(POLICY_PAYLOAD_TYPE, bytes)?;
                let message = pae(POLICY_PAYLOAD_TYPE, envelope.payload());
                for root in roots {
                    let id = root.id().to_string();
                    let mut theirs = envelope.signatures().iter().filter(|s| s.key_id() == id);
                    let valid = theirs
                        .next()
                        .is_some_and(|s| root.accepts(&message, s.bytes()));
                    if !valid || theirs.next().is_some() {
                        return Err(PolicyFileError::Signature { key_id: root.id() });
                    }
                }
                let ids = roots.iter().map(PublicKey::id).collect();
                (envelope.payload().to_vec(), ids)
            }
        };
        let text = std::str::from_utf8(&text).map_err(|error| PolicyFileError::NotText {
            offset: error.valid_up_to(),
        })?;
        let mut policy = Self::from_toml(text)?;
        policy.signed_by = signed_by;
        match policy.expires {
            Some(expires) if now >= expires => Err(PolicyFileError::Expired { expires, now }),
            _ => Ok(policy),
        }
    }
}

/// Reads the file, whole, through one descriptor, which is also what is judged.
fn read_guarded(path: &Path) -> Result<Vec<u8>, PolicyFileError> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(PolicyFileError::Io)?;
    if !metadata.is_file() {
        let what = "is not a regular file";
        return Err(PolicyFileError::Unsafe { what });
    }
    refuse_if_others_may_write(&metadata)?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_POLICY_LEN + 1).read_to_end(&mut bytes);
    read.map_err(PolicyFileError::Io)?;
    if bytes.len() as u64 > MAX_POLICY_LEN {
        let what = "has more than 1 MiB";
        return Err(PolicyFileError::Unsafe { what });
    }
    Ok(bytes)
}

#[cfg(unix)]
fn open(path: &Path) -> Result<File, PolicyFileError> {
    use rustix::fs::{Mode, OFlags};
    // A pipe would block on `open` until somebody writes to it.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::LOOP) => Err(PolicyFileError::Unsafe {
            what: "is a symbolic link, which somebody may point elsewhere",
        }),
        Err(errno) => Err(PolicyFileError::Io(errno.into())),
    }
}

#[cfg(unix)]
fn refuse_if_others_may_write(metadata: &std::fs::Metadata) -> Result<(), PolicyFileError> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = metadata.uid();
    let what = if metadata.mode() & 0o022 != 0 {
        "can be written by others than its owner"
    } else if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else {
        return Ok(());
    };
    Err(PolicyFileError::Unsafe { what })
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, PolicyFileError> {
    File::open(path).map_err(PolicyFileError::Io)
}

#[cfg(not(unix))]
fn refuse_if_others_may_write(_: &std::fs::Metadata) -> Result<(), PolicyFileError> {
    Ok(())
}
