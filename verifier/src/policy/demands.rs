//! What a policy demands beside the artifact itself: statements by keys with other roles; and the
//! orders of a root.

use std::num::NonZeroUsize;

use edgec_artifact::{PublicKey, Sha256Digest};

use super::{FloorReset, TrustPolicy};
use crate::clock_floor::ClockReset;
use crate::role::Role;
use crate::trusted_key::TrustedKey;

impl TrustPolicy {
    /// The same policy for an artifact that is not published yet. It demands none of the statements
    /// that are made then: releases, timestamps, notaries' statements and entries of logs.
    #[must_use]
    pub fn before_publication(mut self) -> Self {
        self.demands = self.demands.only(Role::Root);
        self.log = None;
        self.accepting_more("before publication")
    }

    /// The same policy without its demand of a provenance.
    #[must_use]
    pub fn without_provenance(mut self) -> Self {
        self.provenance = None;
        self.accepting_more("without provenance")
    }

    /// The same policy with another digest: a verdict under it is none under the stricter one.
    fn accepting_more(mut self, how: &str) -> Self {
        self.digest = Sha256Digest::of(format!("{how}: {}", self.digest).as_bytes());
        self
    }

    /// The signers with this role, each once.
    pub fn keys_with(&self, role: Role) -> impl Iterator<Item = &TrustedKey> {
        let keys = self.keys.iter().filter(move |rule| rule.roles.has(role));
        keys.map(|rule| &rule.trusted)
    }

    /// The roots of which no key that they must sign with is revoked.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &TrustedKey> {
        let is_revoked = |key: &PublicKey| self.revoked_keys.contains_key(&key.id());
        let roots = self.keys_with(Role::Root);
        roots.filter(move |root| !root.required_keys().any(is_revoked))
    }

    /// How many different signers with this role must have signed the statement of the role. `None`
    /// if the policy does not demand that statement. For artifacts, see [`Self::threshold`].
    pub fn demanded(&self, role: Role) -> Option<usize> {
        let demanded = match role {
            Role::Artifact => Some(self.threshold),
            role => self.demands.get(role),
        };
        demanded.map(NonZeroUsize::get)
    }

    /// Whether this policy, and every later one, must state when it expires.
    pub fn demands_expiry_of_policies(&self) -> bool {
        self.policy_expiry_required
    }

    /// The order to set an application's floors again, if a root has signed this policy.
    pub fn floor_reset(&self, application: &str, channel: Option<&str>) -> Option<&FloorReset> {
        let same = |it: &&FloorReset| {
            (it.application.as_str(), it.channel.as_deref()) == (application, channel)
        };
        let found = self.resets.iter().find(same);
        found.filter(|_| !self.signed_by.is_empty())
    }

    /// The order to set the clock's floor again, if a root has signed this policy.
    pub fn clock_reset(&self) -> Option<ClockReset> {
        self.clock_reset.filter(|_| !self.signed_by.is_empty())
    }

    /// Whether a verdict may depend on releases and timestamps.
    pub fn reads_releases(&self) -> bool {
        self.demands.has(Role::Release) || self.reads_records()
    }

    /// Whether a verdict may depend on notaries' statements.
    pub fn reads_rebuilds(&self) -> bool {
        self.demands.has(Role::Notary)
    }

    /// Whether a verdict may depend on when a signature was first seen.
    pub fn reads_records(&self) -> bool {
        self.revoked_keys.values().any(|it| it.from.is_some())
    }
}
