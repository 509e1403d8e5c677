//! Whose signatures count.
//!
//! There are two steps, because a key can be trusted for some manifests only, and the manifest is
//! not parsed before enough signatures over it are valid: [`authentic`] looks at the envelope, and
//! [`enough`] at the manifest.

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

/// Finds the trusted keys that have signed and are neither revoked nor outside their time. A key id
/// proves nothing, so the key decides. But the id must be the key's own, and a signature with a
/// trusted key's id must be that key's signature: a changed byte in either is a changed byte of the
/// artifact. The policy does not know the other ids, so signatures with them are ignored.
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
    // Without this many keys, no manifest could reach the threshold.
    signers.satisfy(policy, None)?;
    Ok(signers)
}

/// Why a key does not count now, whatever the artifact is.
pub(crate) fn discount(rule: &KeyRule, policy: &TrustPolicy, now: UnixTime) -> Option<Discount> {
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

/// Whether enough keys count for this manifest. Returns which keys count, and the thresholds.
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
    /// The number of different keys that count for the policy's threshold, or for a scope's. It is
    /// an error if they are too few.
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
                // A scope names only keys that the policy knows.
                Some(_) => Vec::new(),
            },
        })
    }

    /// The names of the keys that count so far, for reports.
    pub(crate) fn names(&self) -> String {
        let names = self.counting.iter().map(|rule| rule.trusted.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}
