//! The artifact that a caller expects.

use std::collections::BTreeMap;
use std::sync::Arc;

use edgec_artifact::{KeyId, Sha256Digest, UnixTime};

/// The artifact that a caller expects. A valid artifact of another application must not take its
/// place. A policy cannot turn this off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    application: Option<String>,
    channel: Option<String>,
    provenances: Vec<Arc<[u8]>>,
    sboms: Vec<(Sha256Digest, Arc<[u8]>)>,
    releases: Vec<Arc<[u8]>>,
    timestamps: Vec<Arc<[u8]>>,
    rebuilds: Vec<Arc<[u8]>>,
    kept: bool,
    record: BTreeMap<KeyId, UnixTime>,
    log_proofs: Vec<Arc<[u8]>>,
}

impl Expected {
    /// Any artifact that the policy accepts.
    pub fn anything() -> Self {
        Self::default()
    }

    /// An artifact of this application.
    pub fn application(name: impl Into<String>) -> Self {
        Self {
            application: Some(name.into()),
            ..Self::default()
        }
    }

    /// An artifact of this release channel.
    #[must_use]
    pub fn in_channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// An artifact with this provenance: a signed file that lies beside the artifact
    /// (`docs/provenance.md`). It is always verified, also if the policy does not require one. If
    /// there are several, for several artifacts, one of them must be about the artifact.
    #[must_use]
    pub fn with_provenance(mut self, envelope: impl Into<Arc<[u8]>>) -> Self {
        self.provenances.push(envelope.into());
        self
    }

    /// An artifact with this bill of materials, which its provenance must list (`docs/sbom.md`). If
    /// there are several, for several artifacts or in several formats, one of them must be listed.
    #[must_use]
    pub fn with_sbom(mut self, sbom: impl Into<Arc<[u8]>>) -> Self {
        let sbom = sbom.into();
        self.sboms.push((Sha256Digest::of(&sbom), sbom));
        self
    }

    /// An artifact of this release: a signed file that lies beside the artifacts
    /// (`docs/releases-and-timestamps.md`). If there are several, the artifact must be of one of
    /// them, and the newest says which versions may run.
    #[must_use]
    pub fn with_release(mut self, envelope: impl Into<Arc<[u8]>>) -> Self {
        self.releases.push(envelope.into());
        self
    }

    /// An artifact of the release that this timestamp is about.
    #[must_use]
    pub fn with_timestamp(mut self, envelope: impl Into<Arc<[u8]>>) -> Self {
        self.timestamps.push(envelope.into());
        self
    }

    /// An artifact that a notary has rebuilt, with the notary's statement.
    #[must_use]
    pub fn with_rebuild(mut self, envelope: impl Into<Arc<[u8]>>) -> Self {
        self.rebuilds.push(envelope.into());
        self
    }

    /// The releases and timestamps are those that a host has kept since it admitted the artifact:
    /// no caller gave them for this verification. So a rule that the policy does not demand passes
    /// over them. They still say since when something is known. An artifact of an older release
    /// than the newest is accepted too, if the newest says that its version may run.
    ///
    /// Only a host that has admitted the artifact while its release was the newest may say this.
    #[must_use]
    pub fn kept_by_host(mut self) -> Self {
        self.kept = true;
        self
    }

    /// An artifact whose signatures by these keys are known since these times, by the host's own
    /// record. The signer cannot choose them, so a key that is revoked from a later time on counts.
    #[must_use]
    pub fn with_record(mut self, record: BTreeMap<KeyId, UnixTime>) -> Self {
        self.record = record;
        self
    }

    /// The releases that the caller gave.
    pub fn releases(&self) -> impl Iterator<Item = &[u8]> {
        self.releases.iter().map(|envelope| &**envelope)
    }

    /// The timestamps that the caller gave.
    pub fn timestamps(&self) -> impl Iterator<Item = &[u8]> {
        self.timestamps.iter().map(|envelope| &**envelope)
    }

    /// The notaries' statements that the caller gave.
    pub fn rebuilds(&self) -> impl Iterator<Item = &[u8]> {
        self.rebuilds.iter().map(|envelope| &**envelope)
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(crate) fn known_since(&self, key: KeyId) -> Option<UnixTime> {
        self.record.get(&key).copied()
    }

    /// An artifact with this proof of a transparency log (C2SP `tlog-proof`). A policy with `[log]`
    /// reads it. If there are several, for several artifacts, one of them must be about the
    /// artifact.
    #[must_use]
    pub fn with_log_proof(mut self, proof: impl Into<Arc<[u8]>>) -> Self {
        self.log_proofs.push(proof.into());
        self
    }

    /// The proofs of a log that the caller gave.
    pub fn log_proofs(&self) -> impl Iterator<Item = &[u8]> {
        self.log_proofs.iter().map(|proof| &**proof)
    }

    /// The provenances that the caller gave.
    pub fn provenances(&self) -> impl Iterator<Item = &[u8]> {
        self.provenances.iter().map(|envelope| &**envelope)
    }

    /// The bills of materials that the caller gave, with their SHA-256.
    pub fn sboms(&self) -> impl Iterator<Item = (Sha256Digest, &[u8])> {
        self.sboms.iter().map(|(digest, sbom)| (*digest, &**sbom))
    }

    /// The expected application, if there is one.
    pub fn wanted_application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The expected channel, if there is one.
    pub fn wanted_channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }
}
