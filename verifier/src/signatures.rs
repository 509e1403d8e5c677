//! Whose signatures count.
//!
//! In two steps, because what a key is trusted for depends on the manifest, and the manifest
//! is not parsed before enough signatures over it hold: [`authentic`] looks at the envelope,
//! [`enough`] at what was signed.

use std::collections::BTreeSet;

use edgec_artifact::{Envelope, KeyId, Manifest, UnixTime};
use serde::Serialize;

use crate::TrustPolicy;
use crate::error::{Discount, Discounted, VerifyError};
use crate::policy::{KeyRule, Scope};

/// A signature that counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AcceptedSignature {
    /// The policy's name for the key.
    #[serde(rename = "key")]
    pub key_name: String,
    /// The key.
    pub key_id: KeyId,
}

/// Trusted keys that have signed a payload, each once.
#[derive(Default)]
pub(crate) struct Signers<'p> {
    counting: Vec<&'p KeyRule>,
    discounted: Vec<(&'p KeyRule, Discount)>,
    /// Key ids that the policy does not know.
    untrusted: Vec<String>,
}

/// Which trusted keys have signed, and are neither revoked nor outside their time. A key id proves
/// nothing, so the key decides; but the id must be the key's own, and what stands under a trusted
/// key's id must be that key's signature: a changed byte of either is a changed byte of the
/// artifact. The policy does not know the other ids, so signatures under them are ignored.
pub(crate) fn authentic<'p>(
    envelope: &Envelope,
    policy: &'p TrustPolicy,
    now: UnixTime,
) -> Result<Signers<'p>, VerifyError> {
    if envelope.signatures().is_empty() {
        return Err(VerifyError::NoSignature);
    }
    let pae = envelope.pae();
    let mut seen = BTreeSet::new();
    let mut signers = Signers::default();
    for signature in envelope.signatures() {
        if !seen.insert(signature.key_id()) {
            return Err(VerifyError::SameKeyTwice {
                key_id: signature.key_id().to_owned(),
            });
        }
        let claimed = |rule: &&KeyRule| rule.trusted.key.id().to_string() == signature.key_id();
        let Some(rule) = policy.keys.iter().find(claimed) else {
            signers.untrusted.push(signature.key_id().to_owned());
            continue;
        };
        if !rule.trusted.key.accepts(&pae, signature.bytes()) {
            return Err(VerifyError::BadSignature {
                key_name: rule.trusted.name.clone(),
            });
        }
        match discount(rule, policy, now) {
            None => signers.counting.push(rule),
            Some(why) => signers.discounted.push((rule, why)),
        }
    }
    // Without this many, no manifest could make it enough.
    signers.satisfy(policy, None)?;
    Ok(signers)
}

fn discount(rule: &KeyRule, policy: &TrustPolicy, now: UnixTime) -> Option<Discount> {
    if let Some(reason) = policy.revoked_keys.get(&rule.trusted.key.id()) {
        return Some(Discount::Revoked {
            reason: reason.clone(),
        });
    }
    match (rule.not_before, rule.expires) {
        (Some(not_before), _) if now < not_before => Some(Discount::NotYetValid { not_before }),
        (_, Some(expires)) if now >= expires => Some(Discount::Expired { expires }),
        _ => None,
    }
}

/// Whether enough keys count for what this manifest says; tells which, and what was asked.
pub(crate) fn enough(
    mut signers: Signers<'_>,
    policy: &TrustPolicy,
    manifest: &Manifest,
) -> Result<(Vec<AcceptedSignature>, String), VerifyError> {
    let counting = std::mem::take(&mut signers.counting);
    for rule in counting {
        match rule.covers.mismatch(manifest) {
            None => signers.counting.push(rule),
            Some(what) => signers.discounted.push((rule, Discount::Scope { what })),
        }
    }
    let threshold = policy.threshold;
    let mut asked = vec![format!(
        "{} of {threshold} required",
        signers.satisfy(policy, None)?
    )];
    let matching = policy.scopes.iter();
    for scope in matching.filter(|scope| scope.covers.mismatch(manifest).is_none()) {
        let count = signers.satisfy(policy, Some(scope))?;
        let (threshold, name) = (scope.threshold, &scope.name);
        asked.push(format!("{count} of {threshold} required by {name}"));
    }
    let accepted: Vec<AcceptedSignature> = signers
        .counting
        .iter()
        .map(|rule| AcceptedSignature {
            key_name: rule.trusted.name.clone(),
            key_id: rule.trusted.key.id(),
        })
        .collect();
    Ok((accepted, asked.join(", ")))
}

impl Signers<'_> {
    /// How many different keys count for the policy's threshold, or a scope's, when they are
    /// enough.
    fn satisfy(&self, policy: &TrustPolicy, scope: Option<&Scope>) -> Result<usize, VerifyError> {
        let threshold = scope
            .map_or(policy.threshold, |scope| scope.threshold)
            .get();
        let names = scope.and_then(|scope| scope.keys.as_ref());
        let chosen = |rule: &KeyRule| names.is_none_or(|names| names.contains(&rule.trusted.name));
        let accepted = self.counting.iter().filter(|rule| chosen(rule)).count();
        if accepted >= threshold {
            return Ok(accepted);
        }
        let discounted = self.discounted.iter().filter(|(rule, _)| chosen(rule));
        Err(VerifyError::Threshold {
            accepted,
            threshold,
            scope: scope.map(|scope| scope.name.clone()),
            discounted: discounted
                .map(|(rule, why)| Discounted {
                    key_name: rule.trusted.name.clone(),
                    why: why.clone(),
                })
                .collect(),
            untrusted: match scope {
                None => self.untrusted.clone(),
                // It names keys that the policy knows.
                Some(_) => Vec::new(),
            },
        })
    }

    /// The keys that count so far, for reports.
    pub(crate) fn names(&self) -> String {
        let names = self.counting.iter().map(|rule| rule.trusted.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}
