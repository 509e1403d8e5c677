//! Whose signatures count on a statement beside an artifact.

use edgec_artifact::{Envelope, KeyId, UnixTime, companion_envelope};

use crate::companion_refusal::CompanionRefusal;
use crate::policy::{KeyRule, TrustPolicy};
use crate::role::Role;
use crate::signer::{AcceptedSignature, AllSigners, Signer, Unsound};

/// A statement, and the signers with a role that have signed it. Some of them may not count for it.
pub(crate) struct Signed<'p> {
    pub(crate) envelope: Envelope,
    role: Role,
    threshold: usize,
    signers: Vec<Signer<'p>>,
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
    let mut signers = all.known;
    signers.retain(|signer| signer.rule.roles.has(role));
    let signed = Signed {
        envelope,
        role,
        threshold,
        signers,
    };
    signed.enough(signed.signers.len())?;
    Ok(signed)
}

impl Signed<'_> {
    /// The signatures of the signers that count at this time and that `covers` selects, if the
    /// signers are enough. `known` tells since when a signature by a key is known by a witness that
    /// the signer cannot choose.
    pub(crate) fn counted(
        &self,
        policy: &TrustPolicy,
        now: UnixTime,
        known: impl Fn(KeyId) -> Option<UnixTime>,
        covers: impl Fn(&KeyRule) -> bool,
    ) -> Result<Vec<AcceptedSignature>, CompanionRefusal> {
        let counts = |signer: &&Signer<'_>| {
            covers(signer.rule) && signer.discount(policy, now, &known).is_none()
        };
        let counting: Vec<&Signer<'_>> = self.signers.iter().filter(counts).collect();
        self.enough(counting.len())?;
        let accepted = counting.iter();
        let accepted = accepted.flat_map(|signer| signer.accepted(policy, &known));
        Ok(accepted.collect())
    }

    /// `accepted` are signers, however many keys each of them has signed with.
    fn enough(&self, accepted: usize) -> Result<(), CompanionRefusal> {
        match accepted < self.threshold {
            true => Err(CompanionRefusal::Threshold {
                accepted,
                threshold: self.threshold,
                role: self.role,
            }),
            false => Ok(()),
        }
    }
}
