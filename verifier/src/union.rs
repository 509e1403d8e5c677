//! The union of the signatures on one payload.

use edgec_artifact::{Envelope, Signature};

use crate::policy::TrustPolicy;

/// As many signatures as a reader accepts.
const MOST: usize = 64;

impl TrustPolicy {
    /// The envelope with the signatures of two envelopes over the same payload: those that are kept
    /// already, and the new ones. A signature under the id of a key of this policy stays only if it
    /// is that key's. `longest` is the length in bytes of the longest envelope that a reader of
    /// such files accepts. `None` if the payloads differ, or one of them is no envelope.
    ///
    /// So an envelope with fewer signatures never replaces one with more.
    pub fn union_of_signatures(&self, kept: &[u8], new: &[u8], longest: u64) -> Option<Vec<u8>> {
        let kept = Envelope::decode(kept).ok()?;
        let new = Envelope::decode(new).ok()?;
        if kept.payload() != new.payload() {
            return None;
        }
        let pae = kept.pae();
        let mut union: Vec<Signature> = Vec::new();
        for signature in kept.signatures().iter().chain(new.signatures()) {
            let is_there = union.iter().any(|it| it.key_id() == signature.key_id());
            let claimed = self.claimed(signature);
            let is_wrong = claimed.is_some_and(|(_, key)| !key.accepts(&pae, signature.bytes()));
            if !is_there && !is_wrong {
                union.push(signature.clone());
            }
        }
        self.bounded(kept.payload(), union, longest)
    }

    /// The envelope with as many of the signatures as a reader accepts. Signatures of kinds that
    /// edgec does not know may be long, so the length is bounded too. Other signatures cannot take
    /// the room of those by keys of the policy.
    fn bounded(&self, payload: &[u8], mut union: Vec<Signature>, longest: u64) -> Option<Vec<u8>> {
        let own_first = |union: &mut Vec<Signature>| {
            union.sort_by_key(|signature| self.claimed(signature).is_none());
        };
        if union.len() > MOST {
            own_first(&mut union);
            union.truncate(MOST);
        }
        loop {
            let envelope = Envelope::new(payload.to_vec(), union.clone()).encode();
            let mut excess = (envelope.len() as u64).saturating_sub(longest);
            if excess == 0 {
                return Some(envelope);
            }
            own_first(&mut union);
            while excess > 0 {
                excess = excess.saturating_sub(longest_of(&union.pop()?));
            }
        }
    }
}

/// The most bytes that a signature takes in an envelope: base64, a key id in which each byte is
/// escaped, and the JSON around them. So never more signatures are dropped than must be.
fn longest_of(signature: &Signature) -> u64 {
    let base64 = signature.bytes().len().div_ceil(3) * 4;
    (base64 + signature.key_id().len() * 6 + 32) as u64
}
