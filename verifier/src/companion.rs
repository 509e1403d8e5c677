//! Whose signatures count on a statement beside an artifact.

use edgec_artifact::{Envelope, KeyId, UnixTime, companion_envelope};

use crate::companion_refusal::CompanionRefusal;
use crate::discount::{Discount, Discounted};
use crate::policy::{KeyRule, TrustPolicy};
use crate::role::Role;
use crate::signer::{AcceptedSignature, AllSigners, Signer, Unsound};

/// A statement, and the signers with a role that have signed it. Some of them may not count for it.
pub(crate) struct Signed<'p> {
    pub(crate) envelope: Envelope,
    role: Role,
    threshold: usize,
    signers: Vec<Signer<'p>>,
    /// The trusted signers that have signed it, and have other roles.
    others: Vec<&'p KeyRule>,
    /// Key ids that the policy does not know.
    untrusted: Vec<String>,
}

/// Reads a statement, and finds the signers with `role` that have signed it. There are enough of
/// them to reach `threshold` if all count. So its payload may be parsed.
pub(crate) fn signed<'p>(
    bytes: &[u8],
    policy: &'p TrustPolicy,
    role: Role,
    threshold: usize,
) -> Result<Signed<'p>, CompanionRefusal> {
    let envelope = companion_envelope(bytes)?;
    let all = AllSigners::of(&envelope, policy).map_err(|error| match error {
        Unsound::SameKeyTwice(key_id) => CompanionRefusal::SameKeyTwice { key_id },
        Unsound::BadSignature(key_name) => CompanionRefusal::BadSignature { key_name },
    })?;
    let known = all.known.into_iter();
    let (signers, others): (Vec<_>, Vec<_>) = known.partition(|it| it.rule.roles.has(role));
    let signed = Signed {
        envelope,
        role,
        threshold,
        signers,
        others: others.iter().map(|signer| signer.rule).collect(),
        untrusted: all.untrusted,
    };
    signed.enough(signed.signers.len(), Vec::new())?;
    Ok(signed)
}

impl Signed<'_> {
    /// The signatures of the signers that count at this time, if these signers are enough.
    /// `mismatch` says what in the statement a rule does not cover. `known` tells since when a
    /// signature by a key is known by a witness that the signer cannot choose.
    pub(crate) fn counted(
        &self,
        policy: &TrustPolicy,
        now: UnixTime,
        known: impl Fn(KeyId) -> Option<UnixTime>,
        mismatch: impl Fn(&KeyRule) -> Option<&'static str>,
    ) -> Result<Vec<AcceptedSignature>, CompanionRefusal> {
        let (mut counting, mut discounted) = (Vec::new(), Vec::new());
        for signer in &self.signers {
            let scope = || mismatch(signer.rule).map(|what| Discount::Scope { what });
            match signer.discount(policy, now, &known).or_else(scope) {
                None => counting.push(signer),
                Some(why) => discounted.push(discount(signer.rule, why)),
            }
        }
        self.enough(counting.len(), discounted)?;
        let accepted = counting.iter();
        let accepted = accepted.flat_map(|signer| signer.accepted(policy, &known));
        Ok(accepted.collect())
    }

    /// `accepted` are signers, however many keys each of them has signed with.
    fn enough(
        &self,
        accepted: usize,
        mut discounted: Vec<Discounted>,
    ) -> Result<(), CompanionRefusal> {
        let (threshold, role) = (self.threshold, self.role);
        if accepted >= threshold {
            return Ok(());
        }
        let others = self.others.iter();
        discounted.extend(others.map(|rule| discount(rule, Discount::Role { role })));
        Err(CompanionRefusal::Threshold {
            accepted,
            threshold,
            role,
            discounted,
            untrusted: self.untrusted.clone(),
        })
    }
}

fn discount(rule: &KeyRule, why: Discount) -> Discounted {
    let key_name = rule.trusted.name.clone();
    Discounted { key_name, why }
}
