//! The chain of policies from the one that a host knows to the newest that it is offered.
//!
//! A policy lists root keys, and how many of them must sign the next edition (`root = 2`). The next
//! edition must be signed by that many of the *known* root keys, and by as many of its *own* as it
//! demands itself. So root keys change step by step, and a host that was off for years follows
//! every step. Only the newest edition must not have expired.
//!
//! Source of the design: TUF, section 5.3, "Update the root role"
//! (<https://theupdateframework.github.io/specification/latest/#update-root>). Editions may be left
//! out if the known root keys have signed a later one.

use edgec_artifact::UnixTime;

use crate::policy::TrustPolicy;
use crate::policy_file::{PolicyFileError, RootsOf, enough, policy_envelope};
use crate::role::Role;

/// The most policies that can be offered at once.
const MOST: usize = 1024;

/// The newest policy of a chain.
#[derive(Debug)]
#[non_exhaustive]
pub struct PolicyChain {
    /// The policy.
    pub policy: TrustPolicy,
    /// Its place among the offered files; `None` if the known policy is the newest.
    pub newest: Option<usize>,
    /// The editions that were followed, in order. The last is the newest.
    pub followed: Vec<TrustPolicy>,
    /// The places of the offered files that are not newer than the known policy.
    pub older: Vec<usize>,
}

/// Why a chain of policies cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyChainError {
    /// The known policy lists no root keys, so no next one can be signed.
    #[error("the known trust policy demands no root keys (`root`), so no other can follow it")]
    NoRoots,
    /// The known policy has no name and version to compare.
    #[error("the known trust policy states no version, so no other can be newer")]
    NoVersion,
    /// More files than a host needs.
    #[error("{count} policies were offered, and {MOST} is the limit")]
    TooMany {
        /// The number of files.
        count: usize,
    },
    /// An offered policy is newer than the last one of the chain, and does not follow it.
    #[error("offered policy number {} does not follow version {version}", index + 1)]
    Broken {
        /// Its place among the offered files, from 0.
        index: usize,
        /// The version of the last policy of the chain.
        version: u64,
        /// What is wrong with it.
        source: PolicyFileError,
    },
    /// An offered policy of another name.
    #[error("offered policy number {} is named {found}, the known one `{known}`", index + 1)]
    OtherName {
        /// Its place among the offered files, from 0.
        index: usize,
        /// Its name.
        found: String,
        /// The name of the known policy.
        known: String,
    },
    /// A policy does not say when it expires, and the one before it demands that.
    #[error("version {version} does not expire, and the version before it demands it")]
    NoExpiry {
        /// Its version.
        version: u64,
    },
    /// The newest policy has expired.
    #[error("the newest trust policy, version {version}, expired at {expires}; it is now {now}")]
    Expired {
        /// Its version.
        version: u64,
        /// The first second after its validity.
        expires: UnixTime,
        /// The time.
        now: UnixTime,
    },
}

impl PolicyChainError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRoots | Self::NoVersion | Self::TooMany { .. } => "policy-chain",
            Self::Broken { source, .. } => source.code(),
            Self::OtherName { .. } | Self::NoExpiry { .. } => "policy-rollback",
            Self::Expired { .. } => "policy-expired",
        }
    }
}

/// Follows the chain from the policy that a host knows to the newest of the offered ones, which can
/// be in any order. `known` may have expired.
///
/// # Errors
///
/// [`PolicyChainError`]. Then the host keeps the policy that it knows.
pub fn follow_chain<B: AsRef<[u8]>>(
    known: TrustPolicy,
    offered: &[B],
    now: UnixTime,
) -> Result<PolicyChain, PolicyChainError> {
    if offered.len() > MOST {
        let count = offered.len();
        return Err(PolicyChainError::TooMany { count });
    }
    if known.demanded(Role::Root).is_none() {
        return Err(PolicyChainError::NoRoots);
    }
    let name = known.name().map(str::to_owned);
    let (Some(name), Some(first)) = (name, known.version()) else {
        return Err(PolicyChainError::NoVersion);
    };
    let mut left: Vec<(usize, &[u8])> = offered.iter().map(AsRef::as_ref).enumerate().collect();
    let (mut policy, mut newest, mut followed, mut older) = (known, None, Vec::new(), Vec::new());
    let mut version = first;
    loop {
        // The next edition is the lowest one that the known roots have signed.
        let mut next: Option<(usize, u64, TrustPolicy)> = None;
        for (index, bytes) in &left {
            let Ok(found) = successor(&policy, bytes) else {
                continue;
            };
            if found.name() != Some(&*name) {
                return Err(PolicyChainError::OtherName {
                    index: *index,
                    found: found
                        .name()
                        .map_or("not at all".to_owned(), |it| format!("`{it}`")),
                    known: name,
                });
            }
            let number = found.version().unwrap_or_default();
            let lowest = next.as_ref().is_none_or(|(_, lowest, _)| number < *lowest);
            if number > version && lowest {
                next = Some((*index, number, found));
            }
        }
        let Some((index, number, found)) = next else {
            break;
        };
        if policy.demands_expiry_of_policies() && found.expires().is_none() {
            return Err(PolicyChainError::NoExpiry { version: number });
        }
        left.retain(|(other, _)| *other != index);
        followed.push(found.clone());
        (policy, version, newest) = (found, number, Some(index));
    }
    for (index, bytes) in left {
        match successor(&policy, bytes) {
            Err(source) if !is_at_most(bytes, version) => {
                return Err(PolicyChainError::Broken {
                    index,
                    version,
                    source,
                });
            }
            _ => older.push(index),
        }
    }
    match policy.expires() {
        Some(expires) if now >= expires => Err(PolicyChainError::Expired {
            version,
            expires,
            now,
        }),
        _ => Ok(PolicyChain {
            policy,
            newest,
            followed,
            older,
        }),
    }
}

/// The policy in a file, if the root keys of `known` and its own have signed it.
fn successor(known: &TrustPolicy, bytes: &[u8]) -> Result<TrustPolicy, PolicyFileError> {
    let envelope = policy_envelope(bytes)?;
    if envelope.signatures().is_empty() {
        return Err(PolicyFileError::Unsigned);
    }
    let threshold = known.demanded(Role::Root).unwrap_or(usize::MAX);
    enough(&envelope, known.roots(), threshold, RootsOf::Known)?;
    // Parsed only now. It checks the policy's own root keys, and refuses a policy without them.
    TrustPolicy::decode_any_time(bytes, &[])
}

/// Whether a file states a version that is not above this one. It may be unsigned. This only
/// decides whether it is called old or wrong.
fn is_at_most(bytes: &[u8], version: u64) -> bool {
    let Ok(envelope) = policy_envelope(bytes) else {
        return false;
    };
    let text = std::str::from_utf8(envelope.payload());
    let stated = text.ok().and_then(|text| TrustPolicy::from_toml(text).ok());
    let stated = stated.and_then(|policy| policy.version());
    stated.is_some_and(|stated| stated <= version)
}
