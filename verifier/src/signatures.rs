//! Whose signatures count.
//!
//! There are two steps, because a key can be trusted for some manifests only, and the manifest is
//! not parsed before enough signatures over it are valid: [`authentic`] looks at the envelope, and
//! [`enough`] at the manifest.

use edgec_artifact::{Envelope, KeyId, Manifest, UnixTime};

use crate::TrustPolicy;
use crate::discount::{Discount, Discounted};
use crate::error::VerifyError;
use crate::policy::{KeyRule, Scope};
use crate::role::Role;
use crate::signer::{AcceptedSignature, AllSigners, Unsound};

/// A trusted signer that counts so far, and its signatures.
struct Counting<'p> {
    rule: &'p KeyRule,
    accepted: Vec<AcceptedSignature>,
}

/// Trusted signers of a payload, each once.
#[derive(Default)]
pub(crate) struct Signers<'p> {
    counting: Vec<Counting<'p>>,
    discounted: Vec<(&'p KeyRule, Discount)>,
    /// Key ids that the policy does not know.
    untrusted: Vec<String>,
}

/// Finds the trusted signers that have the role, have signed with each required key, and are
/// neither revoked nor outside their time. `known_since` tells since when a signature is known by a
/// witness that its signer cannot choose.
pub(crate) fn authentic<'p>(
    envelope: &Envelope,
    policy: &'p TrustPolicy,
    now: UnixTime,
    known_since: impl Fn(KeyId) -> Option<UnixTime>,
) -> Result<Signers<'p>, VerifyError> {
    if envelope.signatures().is_empty() {
        return Err(VerifyError::NoSignature);
    }
    let all = AllSigners::of(envelope, policy).map_err(|error| match error {
        Unsound::SameKeyTwice(key_id) => VerifyError::SameKeyTwice { key_id },
        Unsound::BadSignature(key_name) => VerifyError::BadSignature { key_name },
    })?;
    let mut signers = Signers {
        untrusted: all.untrusted,
        ..Signers::default()
    };
    for signer in all.known {
        let role = Role::Artifact;
        let role = (!signer.rule.roles.has(role)).then_some(Discount::Role { role });
        match role.or_else(|| signer.discount(policy, now, &known_since)) {
            None => signers.counting.push(Counting {
                rule: signer.rule,
                accepted: signer.accepted(policy, &known_since),
            }),
            Some(why) => signers.discounted.push((signer.rule, why)),
        }
    }
    // Without this many signers, no manifest could reach the threshold.
    signers.satisfy(policy, None)?;
    Ok(signers)
}

/// Whether enough signers count for this manifest. Returns their signatures, and the thresholds.
pub(crate) fn enough(
    mut signers: Signers<'_>,
    policy: &TrustPolicy,
    manifest: &Manifest,
) -> Result<(Vec<AcceptedSignature>, String), VerifyError> {
    let counting = std::mem::take(&mut signers.counting);
    for signer in counting {
        match signer.rule.covers.mismatch(manifest) {
            None => signers.counting.push(signer),
            Some(what) => {
                let why = Discount::Scope { what };
                signers.discounted.push((signer.rule, why));
            }
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
    let accepted = signers.counting.into_iter();
    let accepted = accepted.flat_map(|signer| signer.accepted);
    Ok((accepted.collect(), asked.join(", ")))
}

impl Signers<'_> {
    /// The number of different signers that count for the policy's threshold, or for a scope's. It
    /// is an error if they are too few.
    fn satisfy(&self, policy: &TrustPolicy, scope: Option<&Scope>) -> Result<usize, VerifyError> {
        let threshold = scope
            .map_or(policy.threshold, |scope| scope.threshold)
            .get();
        let names = scope.and_then(|scope| scope.keys.as_ref());
        let chosen = |rule: &KeyRule| names.is_none_or(|names| names.contains(&rule.trusted.name));
        let accepted = self.counting.iter();
        let accepted = accepted.filter(|signer| chosen(signer.rule)).count();
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
        let names = self.counting.iter();
        let names = names.map(|signer| signer.rule.trusted.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}
