//! The artifact that a caller expects.

use std::sync::Arc;

use edgec_artifact::{Attestation, ProvenanceClaims, VerityDigest};

/// The artifact that a caller expects. A valid artifact of another application must not take its
/// place. A policy cannot turn this off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    application: Option<String>,
    channel: Option<String>,
    provenances: Vec<Arc<[u8]>>,
}

impl Expected {
    /// Any artifact that the policy accepts.
    pub fn anything() -> Self {
        Self {
            application: None,
            channel: None,
            provenances: Vec::new(),
        }
    }

    /// An artifact of this application.
    pub fn application(name: impl Into<String>) -> Self {
        Self {
            application: Some(name.into()),
            channel: None,
            provenances: Vec::new(),
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

    /// The provenances that the caller gave.
    pub fn provenances(&self) -> impl Iterator<Item = &[u8]> {
        self.provenances.iter().map(|envelope| &**envelope)
    }

    /// The first of them that states to be about this image. It is not verified.
    pub fn provenance_about(&self, image: VerityDigest) -> Option<&[u8]> {
        self.provenances().find(|envelope| {
            let attestation = Attestation::decode(envelope).ok();
            let claims = attestation.and_then(|it| ProvenanceClaims::decode(it.payload()).ok());
            claims.is_some_and(|claims| claims.is_about(image))
        })
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
