//! The check of an artifact's provenance: who signed it, whether it is about this image, and which
//! builder and source it states.
//!
//! A provenance lies beside an artifact, so the caller gives it
//! ([`Expected::with_provenance`](crate::Expected::with_provenance)). It is checked whenever it is
//! given. A policy with `[provenance]` refuses an artifact without one. One key that counts for the
//! artifact is enough: the threshold applies to the artifact itself.

use edgec_artifact::{Attestation, BuildSource, Manifest, ProvenanceClaims, UnixTime};

use crate::expected::Expected;
use crate::pattern::{self, Pattern};
use crate::policy::{KeyRule, ProvenanceRules, TrustPolicy};
use crate::provenance_refusal::ProvenanceRefusal;
use crate::role::Role;
use crate::signer::discount;

impl Expected {
    /// The provenance of an artifact that was verified with these, for a host that keeps it: the
    /// first that the policy accepts at the time `now`. If it accepts none, the first that states
    /// to be about the artifact's image, which is not verified.
    pub fn provenance_about(
        &self,
        policy: &TrustPolicy,
        manifest: &Manifest,
        now: UnixTime,
    ) -> Option<&[u8]> {
        let is_accepted = |it: &&[u8]| judge_one(it, policy, manifest, now).is_ok();
        let is_about = |it: &&[u8]| {
            let attestation = Attestation::decode(it).ok();
            let claims = attestation.and_then(|it| ProvenanceClaims::decode(it.payload()).ok());
            claims.is_some_and(|claims| claims.is_about(manifest.image.fsverity))
        };
        let accepted = self.provenances().find(is_accepted);
        accepted.or_else(|| self.provenances().find(is_about))
    }

    /// The bill of materials of an artifact that was verified with these, for a host that keeps it:
    /// the first that [the artifact's provenance](Self::provenance_about) lists.
    pub fn sbom_about(
        &self,
        policy: &TrustPolicy,
        manifest: &Manifest,
        now: UnixTime,
    ) -> Option<&[u8]> {
        let provenance = self.provenance_about(policy, manifest, now)?;
        let attestation = Attestation::decode(provenance).ok()?;
        let claims = ProvenanceClaims::decode(attestation.payload()).ok()?;
        let listed = self
            .sboms()
            .find(|(digest, _)| claims.sboms.contains(digest));
        listed.map(|(_, sbom)| sbom)
    }
}

/// The evidence, or `None` if nothing was given and nothing is required.
pub(crate) fn judge(
    policy: &TrustPolicy,
    expected: &Expected,
    manifest: &Manifest,
    now: UnixTime,
) -> Result<Option<String>, ProvenanceRefusal> {
    let mut refused = None;
    for envelope in expected.provenances() {
        match judge_one(envelope, policy, manifest, now).and_then(|(evidence, claims)| {
            let listed = check_sbom(policy, expected, &claims)?;
            Ok(evidence + listed)
        }) {
            Ok(evidence) => return Ok(Some(evidence)),
            // A provenance of another artifact says less than one that is wrong.
            Err(ProvenanceRefusal::Subject) if refused.is_some() => {}
            Err(error) => refused = Some(error),
        }
    }
    match (refused, &policy.provenance) {
        (Some(error), _) => Err(error),
        (None, Some(_)) => Err(ProvenanceRefusal::Missing),
        (None, None) if expected.sboms().next().is_some() => Err(ProvenanceRefusal::SbomAlone),
        (None, None) => Ok(None),
    }
}

fn judge_one(
    envelope: &[u8],
    policy: &TrustPolicy,
    manifest: &Manifest,
    now: UnixTime,
) -> Result<(String, ProvenanceClaims), ProvenanceRefusal> {
    let attestation = Attestation::decode(envelope).map_err(ProvenanceRefusal::Envelope)?;
    let rules = policy.provenance.as_ref();
    let counts = |rule: &&KeyRule| {
        let named = rules.and_then(|rules| rules.keys.as_ref());
        named.is_none_or(|names| names.contains(&rule.trusted.name))
            && rule.roles.has(Role::Artifact)
            && discount(rule, policy, now, |_| None).is_none()
            && rule.covers.mismatch(manifest).is_none()
            && rule.trusted.has_signed(&attestation)
    };
    let signer = policy.keys.iter().find(counts);
    let signer = signer.ok_or(ProvenanceRefusal::Signature)?;
    // Parsed only now: a key that counts has signed these bytes.
    let claims = ProvenanceClaims::decode(attestation.payload());
    let claims = claims.map_err(ProvenanceRefusal::Statement)?;
    if !claims.is_about(manifest.image.fsverity) {
        return Err(ProvenanceRefusal::Subject);
    }
    let source = told(&claims.source);
    if let Some(rules) = rules {
        check(rules, &claims, &source)?;
    }
    let evidence = format!(
        "built by `{}` from {source}, as `{}` has signed about this image",
        claims.builder, signer.trusted.name
    );
    Ok((evidence, claims))
}

/// What the evidence says about the bill of materials, if one is required or was given.
fn check_sbom(
    policy: &TrustPolicy,
    expected: &Expected,
    claims: &ProvenanceClaims,
) -> Result<&'static str, ProvenanceRefusal> {
    let is_required = policy.provenance.as_ref().is_some_and(|rules| rules.sbom);
    let Some((found, _)) = expected.sboms().next() else {
        return match (is_required, claims.sboms.is_empty()) {
            (false, _) => Ok(""),
            (true, true) => Err(ProvenanceRefusal::SbomNotListed),
            (true, false) => Err(ProvenanceRefusal::SbomMissing),
        };
    };
    if claims.sboms.is_empty() {
        return Err(ProvenanceRefusal::SbomNotListed);
    }
    let mut given = expected.sboms();
    match given.any(|(digest, _)| claims.sboms.contains(&digest)) {
        true => Ok("; with its bill of materials"),
        false => Err(ProvenanceRefusal::OtherSbom {
            found,
            listed: claims.sboms.clone(),
        }),
    }
}

fn check(
    rules: &ProvenanceRules,
    claims: &ProvenanceClaims,
    source: &str,
) -> Result<(), ProvenanceRefusal> {
    let joined = |list: &Option<Vec<Pattern>>| pattern::join(list.as_deref().unwrap_or_default());
    if !pattern::allows(rules.builders.as_deref(), &claims.builder) {
        return Err(ProvenanceRefusal::Builder {
            found: claims.builder.clone(),
            allowed: joined(&rules.builders),
        });
    }
    // A provenance that states no repository matches no pattern, not even `*`.
    let is_allowed = match (&claims.source.repository, rules.sources.as_deref()) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(found), Some(patterns)) => pattern::allows(Some(patterns), found),
    };
    match is_allowed {
        true => Ok(()),
        false => Err(ProvenanceRefusal::Source {
            found: source.to_owned(),
            allowed: joined(&rules.sources),
        }),
    }
}

/// A source in words.
fn told(source: &BuildSource) -> String {
    match (&source.repository, &source.revision) {
        (Some(repository), Some(revision)) => format!("`{repository}`, revision `{revision}`"),
        (Some(repository), None) => format!("`{repository}`, no revision stated"),
        (None, Some(revision)) => format!("no stated repository, revision `{revision}`"),
        (None, None) => "no stated source".to_owned(),
    }
}
