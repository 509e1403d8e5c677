//! Whom a host trusts, and what it lets in.
//!
//! `docs/policy.md` describes the file and every rule. A policy is built from keys alone
//! ([`TrustPolicy::new`]), or read from TOML.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use edgec_artifact::{KeyError, KeyId, Manifest, PublicKey, Sha256Digest, VerityDigest};

use crate::check::{CheckName, Mode};
use crate::engine_version::{EngineVersion, VersionRange};
use crate::pattern::{self, Pattern};

/// Whose signatures count, how many of them it takes, and what artifacts may be.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) keys: Vec<KeyRule>,
    /// The policy's own threshold first, then its scopes.
    pub(crate) quorums: Vec<Quorum>,
    pub(crate) revoked_keys: BTreeMap<KeyId, String>,
    pub(crate) revoked_digests: BTreeMap<VerityDigest, String>,
    pub(crate) allow: Allow,
    pub(crate) minimum_versions: BTreeMap<String, u64>,
    pub(crate) compiler: CompilerRules,
    pub(crate) expiry_required: bool,
    pub(crate) modes: BTreeMap<CheckName, Mode>,
    pub(crate) digest: Sha256Digest,
    pub(crate) signed_by: Vec<KeyId>,
}

/// A public key that a policy trusts.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The name that reports use.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

/// A trusted key, when it counts, and for what.
#[derive(Clone, Debug)]
pub(crate) struct KeyRule {
    pub(crate) trusted: TrustedKey,
    pub(crate) not_before: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) covers: Selector,
}

/// So many of these keys must have signed what is selected.
#[derive(Clone, Debug)]
pub(crate) struct Quorum {
    /// The scope as reports name it; none: the policy's own threshold.
    pub(crate) scope: Option<String>,
    pub(crate) covers: Selector,
    pub(crate) threshold: NonZeroUsize,
    /// Names of keys; none: all of them.
    pub(crate) keys: Option<Vec<String>>,
}

/// Artifacts, by what their manifests say; a list that is not there selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    pub(crate) applications: Option<Vec<Pattern>>,
    pub(crate) targets: Option<Vec<Pattern>>,
    pub(crate) channels: Option<Vec<Pattern>>,
}

impl Selector {
    /// What of the manifest is not selected.
    pub(crate) fn mismatch(&self, manifest: &Manifest) -> Option<&'static str> {
        if !pattern::allows(self.applications.as_deref(), &manifest.name) {
            Some("application")
        } else if !pattern::allows_target(self.targets.as_deref(), &manifest.target) {
            Some("target")
        } else if !pattern::allows(self.channels.as_deref(), channel(manifest)) {
            Some("channel")
        } else {
            None
        }
    }
}

/// The channel that a manifest states, `""` when it states none.
pub(crate) fn channel(manifest: &Manifest) -> &str {
    manifest.channel.as_deref().unwrap_or("")
}

/// What artifacts may be; a list that is not there allows all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allow {
    pub(crate) selector: Selector,
    pub(crate) profiles: Option<Vec<Pattern>>,
    pub(crate) imports: Option<Vec<Pattern>>,
}

/// Which engines may have made the code.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompilerRules {
    pub(crate) minimum: Option<EngineVersion>,
    pub(crate) advisories: bool,
    pub(crate) denied: Vec<Denied>,
}

/// Engine versions that are denied for some targets.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub(crate) range: VersionRange,
    pub(crate) targets: Option<Vec<Pattern>>,
    pub(crate) reason: String,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML, or not a policy's TOML; the message says where.
    #[error("malformed trust policy: {0}")]
    Toml(String),
    /// A key in the file is unfit.
    #[error("trusted key `{name}` cannot be used")]
    Key {
        /// The key's name in the file.
        name: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A key is listed twice, so that one signature might count twice.
    #[error("trusted keys `{first}` and `{second}` are the same key")]
    SameKey {
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
    },
    /// Two keys under one name, which scopes could not tell apart.
    #[error("two trusted keys are named `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// No set of signatures could ever be enough.
    #[error("a threshold of {threshold} does not fit {keys} trusted key(s)")]
    Threshold {
        /// The threshold asked for.
        threshold: usize,
        /// How many keys there are.
        keys: usize,
    },
    /// A scope wants signatures by a key that is not listed.
    #[error("{scope} names the key `{key}`, which is not trusted")]
    UnknownKey {
        /// The scope.
        scope: String,
        /// The key's name there.
        key: String,
    },
    /// A list that selects nothing where it was meant to select something.
    #[error("{of}: the list `{list}` is empty, so that it would never apply")]
    EmptyList {
        /// The key or scope.
        of: String,
        /// The list.
        list: &'static str,
    },
    /// A version that nothing can be compared with.
    #[error("a policy with a `version` needs a `name`")]
    NoName,
    /// A version that other readers of numbers would round.
    #[error("version {version} is above {}", edgec_artifact::MAX_VERSION)]
    Version {
        /// The version.
        version: u64,
    },
    /// A denied range without bounds would deny everything.
    #[error("`compiler.deny` number {number} has neither `from` nor `before`")]
    Unbounded {
        /// Which entry, from 1.
        number: usize,
    },
}

impl TrustPolicy {
    /// A policy that wants signatures by `threshold` different ones of `keys`, and lets
    /// in whatever they have signed, while it is valid.
    ///
    /// # Errors
    ///
    /// [`PolicyError::SameKey`]; [`PolicyError::Threshold`] for zero and for more than
    /// there are keys.
    pub fn new(keys: Vec<TrustedKey>, threshold: usize) -> Result<Self, PolicyError> {
        let text: String = keys
            .iter()
            .map(|key| format!("{:?} {}\n", key.name, key.key.id()))
            .collect();
        let rule = |trusted| KeyRule {
            trusted,
            not_before: None,
            expires: None,
            covers: Selector::default(),
        };
        let keys: Vec<KeyRule> = keys.into_iter().map(rule).collect();
        Ok(Self {
            name: None,
            version: None,
            expires: None,
            quorums: vec![Quorum::new(None, threshold, &keys, None)?],
            keys: all_different(keys)?,
            revoked_keys: BTreeMap::new(),
            revoked_digests: BTreeMap::new(),
            allow: Allow::default(),
            minimum_versions: BTreeMap::new(),
            compiler: CompilerRules::default(),
            expiry_required: false,
            modes: BTreeMap::new(),
            digest: Sha256Digest::of(format!("{threshold} of\n{text}").as_bytes()),
            signed_by: Vec::new(),
        })
    }

    /// The policy's name, where it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The policy's version, where it has one.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The first second (since 1970) at which the policy is no longer followed, where it states one.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// The trusted keys, each once.
    pub fn keys(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.iter().map(|rule| &rule.trusted)
    }

    /// How many different keys must have signed, whatever the artifact.
    pub fn threshold(&self) -> usize {
        self.quorums.first().map_or(1, |q| q.threshold.get())
    }

    /// SHA-256 of the policy's text (of a text made of its keys, when it has no file): two
    /// policies with one digest are one policy.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// The root keys whose signatures on the policy were verified.
    pub fn signed_by(&self) -> &[KeyId] {
        &self.signed_by
    }

    pub(crate) fn mode(&self, check: CheckName) -> Mode {
        self.modes.get(&check).copied().unwrap_or_default()
    }
}

impl Quorum {
    pub(crate) fn new(
        scope: Option<(String, Selector)>,
        threshold: usize,
        all: &[KeyRule],
        keys: Option<Vec<String>>,
    ) -> Result<Self, PolicyError> {
        let (scope, covers) = scope.map_or((None, Selector::default()), |(name, covers)| {
            (Some(name), covers)
        });
        let count = keys.as_ref().map_or(all.len(), Vec::len);
        let fits = NonZeroUsize::new(threshold).filter(|_| threshold <= count);
        Ok(Self {
            scope,
            covers,
            threshold: fits.ok_or(PolicyError::Threshold {
                threshold,
                keys: count,
            })?,
            keys,
        })
    }
}

/// Refuses keys that could count twice.
pub(crate) fn all_different(keys: Vec<KeyRule>) -> Result<Vec<KeyRule>, PolicyError> {
    for (index, first) in keys.iter().enumerate() {
        for second in keys.iter().skip(index + 1) {
            let (first, second) = (&first.trusted, &second.trusted);
            if first.key == second.key {
                return Err(PolicyError::SameKey {
                    first: first.name.clone(),
                    second: second.name.clone(),
                });
            }
            if first.name == second.name {
                return Err(PolicyError::SameName {
                    name: first.name.clone(),
                });
            }
        }
    }
    Ok(keys)
}
