//! Why a valid signature by a trusted key does not count.

use edgec_artifact::{Algorithm, UnixTime};

use crate::role::Role;

/// A trusted signer with a valid signature that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discounted {
    /// The policy's name for the key.
    pub key_name: String,
    /// Why it does not count.
    pub why: Discount,
}

/// Why a signature by a trusted key does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Discount {
    /// The key is revoked.
    #[error("revoked: {reason}")]
    Revoked {
        /// The policy's reason.
        reason: String,
    },
    /// The policy trusts the key from a later time on.
    #[error("trusted only from {not_before} on")]
    NotYetValid {
        /// The first second at which the key counts.
        not_before: UnixTime,
    },
    /// The policy trusted the key until an earlier time.
    #[error("trusted only before {expires}")]
    Expired {
        /// The first second at which the key no longer counts.
        expires: UnixTime,
    },
    /// The policy trusts the key for other statements.
    #[error("not trusted for {}", role.things())]
    Role {
        /// The role that it lacks.
        role: Role,
    },
    /// The policy trusts the key for other artifacts.
    #[error("not trusted for this {what}")]
    Scope {
        /// `application`, `target` or `channel`.
        what: &'static str,
    },
    /// The signer has several keys, and one that must have signed has not.
    #[error("its {missing} key has not signed")]
    Algorithm {
        /// The algorithm of the first key that is missing.
        missing: Algorithm,
    },
}

impl Discount {
    /// A name for logs and metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Revoked { .. } => "revoked-key",
            Self::NotYetValid { .. } | Self::Expired { .. } => "key-validity",
            Self::Role { .. } => "key-role",
            Self::Scope { .. } => "key-scope",
            Self::Algorithm { .. } => "key-algorithm",
        }
    }
}

/// What follows the number of signers: which scope wants them, and why others do not count.
pub(crate) fn what(
    scope: &Option<String>,
    discounted: &[Discounted],
    untrusted: &[String],
) -> String {
    let scope = scope.iter().map(|scope| format!(", as {scope} wants"));
    let discounted = discounted
        .iter()
        .map(|key| format!("; `{}` does not count: {}", key.key_name, key.why));
    // The ids come from the artifact: there may be many, and they may be long.
    let ids = untrusted.iter().take(3);
    let ids: Vec<String> = ids.map(|id| id.chars().take(64).collect()).collect();
    let untrusted = match untrusted.len() {
        0 => None,
        1 => Some(format!("; key {} is not trusted here", ids.join(""))),
        2 | 3 => Some(format!("; keys {} are not trusted here", ids.join(", "))),
        many => Some(format!(
            "; keys {} and {} more are not trusted here",
            ids.join(", "),
            many - ids.len()
        )),
    };
    scope.chain(discounted).chain(untrusted).collect()
}
