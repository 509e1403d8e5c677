//! What a key of a policy is trusted for.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// What a key's signatures count for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// Artifacts. A key without stated roles has this one.
    Artifact,
    /// Releases: which artifacts belong together, and which release is newer. It can stay offline.
    Release,
    /// Timestamps: which release is the newest now. It is online.
    Timestamp,
    /// Rebuilds: which program an artifact's code was compiled from.
    Notary,
    /// Policies: the next edition of this one.
    Root,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Artifact,
        Self::Release,
        Self::Timestamp,
        Self::Notary,
        Self::Root,
    ];

    /// The name in policies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Release => "release",
            Self::Timestamp => "timestamp",
            Self::Notary => "notary",
            Self::Root => "root",
        }
    }

    /// What a key with this role is trusted for, in words.
    pub(crate) const fn things(self) -> &'static str {
        match self {
            Self::Artifact => "artifacts",
            Self::Release => "releases",
            Self::Timestamp => "timestamps",
            Self::Notary => "rebuilds",
            Self::Root => "policies",
        }
    }

    /// Whether a key with this role may have another one. A timestamp says when, a notary checks
    /// the signer, and a root names the signers. None of them may be the signer.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Self::Artifact | Self::Release)
    }
}

/// The roles of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roles(BTreeSet<Role>);

impl Roles {
    pub(crate) fn new(roles: impl IntoIterator<Item = Role>) -> Self {
        Self(roles.into_iter().collect())
    }

    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The first of them.
    pub(crate) fn first(&self) -> Option<Role> {
        self.0.first().copied()
    }

    /// Whether a policy may give one key all of these roles.
    pub(crate) fn are_compatible(&self) -> bool {
        self.0.len() == 1 || (!self.0.is_empty() && self.0.iter().all(|role| role.is_shared()))
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self::new([Role::Artifact])
    }
}

/// How many different signers of a role must have signed the statement of that role. Of the roles
/// that are not here, the policy demands no statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands(BTreeMap<Role, NonZeroUsize>);

impl Demands {
    pub(crate) fn get(&self, role: Role) -> Option<NonZeroUsize> {
        self.0.get(&role).copied()
    }

    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.contains_key(&role)
    }

    /// How many signers must have signed a statement that was given, whether it is demanded or not.
    pub(crate) fn threshold(&self, role: Role) -> usize {
        self.get(role).map_or(1, NonZeroUsize::get)
    }

    /// The demand of the statement of one role alone.
    pub(crate) fn only(mut self, role: Role) -> Self {
        self.0.retain(|demanded, _| *demanded == role);
        self
    }
}

impl FromIterator<(Role, NonZeroUsize)> for Demands {
    fn from_iter<I: IntoIterator<Item = (Role, NonZeroUsize)>>(demands: I) -> Self {
        Self(demands.into_iter().collect())
    }
}
