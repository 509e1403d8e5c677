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
    /// The places of the offered files that are no newer editions of the known policy: they are
    /// older, or have another name.
    pub ignored: Vec<usize>,
}

/// Why a chain of policies cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyChainError {
    /// The known policy demands no root keys, so no next one can be signed.
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
    /// An offered policy demands no root keys, so no other could follow it.
    #[error(
        "offered policy number {} demands no root keys (`root`), so no other could follow it",
        index + 1
    )]
    NoNextRoots {
        /// Its place among the offered files, from 0.
        index: usize,
    },
    /// A policy does not say when it expires, and the one before it demands that.
    #[error("version {version} does not expire, and the version before it demands it")]
    NoExpiry {
        /// Its place among the offered files, from 0.
        index: usize,
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
            Self::NoRoots | Self::NoVersion | Self::TooMany { .. } | Self::NoNextRoots { .. } => {
                "policy-chain"
            }
            Self::Broken { source, .. } => source.code(),
            Self::NoExpiry { .. } => "policy-expiry",
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
    let Some(mut roots) = known.demanded(Role::Root) else {
        return Err(PolicyChainError::NoRoots);
    };
    let (Some(name), Some(first)) = (known.name(), known.version()) else {
        return Err(PolicyChainError::NoVersion);
    };
    let (editions, mut ignored) = editions(offered, name, first)?;
    let (mut policy, mut newest, mut followed) = (known, None, Vec::new());
    let (mut version, mut broken) = (first, Vec::new());
    // The next edition is the lowest one that the known roots have signed. So one pass finds each.
    for Edition {
        number,
        index,
        bytes,
    } in editions
    {
        match successor(&policy, roots, bytes) {
            // One with this number was followed.
            Ok(_) if number == version => ignored.push(index),
            Ok((next, _)) if policy.demands_expiry_of_policies() && next.expires().is_none() => {
                let version = number;
                return Err(PolicyChainError::NoExpiry { index, version });
            }
            Ok((next, next_roots)) => {
                followed.push(next.clone());
                (policy, roots, version, newest) = (next, next_roots, number, Some(index));
            }
            Err(source) => broken.push((number, index, source)),
        }
    }
    for (number, index, source) in broken {
        match source {
            // The known roots have signed a later one.
            _ if number <= version => ignored.push(index),
            PolicyFileError::NoRoot => return Err(PolicyChainError::NoNextRoots { index }),
            source => {
                return Err(PolicyChainError::Broken {
                    index,
                    version,
                    source,
                });
            }
        }
    }
    ignored.sort_unstable();
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
            ignored,
        }),
    }
}

/// An offered file that states to be a newer edition of the known policy.
struct Edition<'b> {
    number: u64,
    index: usize,
    bytes: &'b [u8],
}

/// The files that state to be newer editions, by their numbers, and the places of the others.
/// Nothing is verified yet: what a file states decides only when it is tried, and whether it is
/// ignored or wrong.
fn editions<'b, B: AsRef<[u8]>>(
    offered: &'b [B],
    name: &str,
    known: u64,
) -> Result<(Vec<Edition<'b>>, Vec<usize>), PolicyChainError> {
    let (mut editions, mut others) = (Vec::new(), Vec::new());
    for (index, bytes) in offered.iter().map(AsRef::as_ref).enumerate() {
        let stated = policy_envelope(bytes).map_err(PolicyFileError::from);
        let stated = stated.and_then(|it| TrustPolicy::decode_source(it.payload()));
        let stated = stated.map_err(|source| PolicyChainError::Broken {
            index,
            version: known,
            source,
        })?;
        let is_ours = stated.name() == Some(name);
        match stated.version().filter(|number| is_ours && *number > known) {
            Some(number) => editions.push(Edition {
                number,
                index,
                bytes,
            }),
            None => others.push(index),
        }
    }
    editions.sort_by_key(|edition| edition.number);
    Ok((editions, others))
}

/// The policy in a file, if `threshold` root keys of `known` and enough of its own have signed it;
/// and how many of its own must sign the next one.
fn successor(
    known: &TrustPolicy,
    threshold: usize,
    bytes: &[u8],
) -> Result<(TrustPolicy, usize), PolicyFileError> {
    let envelope = policy_envelope(bytes)?;
    if envelope.signatures().is_empty() {
        return Err(PolicyFileError::Unsigned);
    }
    enough(&envelope, known.roots(), threshold, RootsOf::Known)?;
    // It checks the policy's own root keys, and refuses a policy without them.
    let policy = TrustPolicy::decode_any_time(bytes, &[])?;
    let roots = policy.demanded(Role::Root).ok_or(PolicyFileError::NoRoot)?;
    Ok((policy, roots))
}
