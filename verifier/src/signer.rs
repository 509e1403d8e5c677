//! The trusted signers of an envelope: of an artifact, and of a statement beside one.
//!
//! A signer has one key, or one of each algorithm. A threshold counts signers, so everything here
//! is about them and not about single signatures. What a signer must have signed for, the callers
//! decide: [`crate::signatures`] for artifacts, [`crate::companion`] for statements.

use std::collections::BTreeSet;

use edgec_artifact::{Algorithm, Envelope, KeyId, PublicKey, Signature, UnixTime};
use serde::Serialize;

use crate::TrustPolicy;
use crate::discount::Discount;
use crate::policy::KeyRule;

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
    /// The key's algorithm.
    pub algorithm: Algorithm,
}

/// A trusted signer with valid signatures, and the keys that made them.
pub(crate) struct Signer<'p> {
    pub(crate) rule: &'p KeyRule,
    keys: Vec<&'p PublicKey>,
}

/// Everyone whose signature an envelope has.
pub(crate) struct AllSigners<'p> {
    /// Trusted signers, each once. Their signatures are valid. None of them needs to count.
    pub(crate) known: Vec<Signer<'p>>,
    /// Key ids that the policy does not know.
    pub(crate) untrusted: Vec<String>,
}

/// Why no signature of an envelope counts.
pub(crate) enum Unsound {
    /// Two signatures have this key id.
    SameKeyTwice(String),
    /// A signature has the id of a key of this signer, and that key did not make it.
    BadSignature(String),
}

impl<'p> AllSigners<'p> {
    /// Finds the trusted signers of an envelope. A key id proves nothing, so the key decides. But
    /// the id must be the key's own, and a signature with a trusted key's id must be that key's
    /// signature: a changed byte in either is a changed byte of the file. The policy does not know
    /// the other ids, so signatures with them are ignored, of whatever kind they are.
    pub(crate) fn of(envelope: &Envelope, policy: &'p TrustPolicy) -> Result<Self, Unsound> {
        let pae = envelope.pae();
        let mut seen = BTreeSet::new();
        let (mut known, mut untrusted) = (Vec::<Signer<'p>>::new(), Vec::new());
        for signature in envelope.signatures() {
            if !seen.insert(signature.key_id()) {
                return Err(Unsound::SameKeyTwice(signature.key_id().to_owned()));
            }
            let Some((rule, key)) = policy.claimed(signature) else {
                untrusted.push(signature.key_id().to_owned());
                continue;
            };
            if !key.accepts(&pae, signature.bytes()) {
                return Err(Unsound::BadSignature(rule.trusted.name.clone()));
            }
            match known.iter_mut().find(|one| std::ptr::eq(one.rule, rule)) {
                Some(signer) => signer.keys.push(key),
                None => known.push(Signer {
                    rule,
                    keys: vec![key],
                }),
            }
        }
        Ok(Self { known, untrusted })
    }
}

impl TrustPolicy {
    /// The signer and the key whose id a signature has. Anyone can write an id.
    pub(crate) fn claimed(&self, signature: &Signature) -> Option<(&KeyRule, &PublicKey)> {
        let id = signature.key_id().parse::<KeyId>().ok()?;
        let mut keys = self.keys.iter();
        keys.find_map(|rule| Some((rule, rule.trusted.key(id)?)))
    }

    /// Why the policy revokes a key, if it does. `known` is since when a signature by it is known
    /// by a witness that the signer cannot choose: without one, a revoked key never counts.
    fn revoked(&self, key: KeyId, known: Option<UnixTime>) -> Option<&str> {
        let revoked = self.revoked_keys.get(&key)?;
        let before = matches!((known, revoked.from), (Some(known), Some(from)) if known < from);
        (!before).then_some(&revoked.reason)
    }
}

impl Signer<'_> {
    /// Why the signer does not count now, whatever it has signed: its rule, or a key that must have
    /// signed and has not. `known` tells since when a signature by a key is known.
    pub(crate) fn discount(
        &self,
        policy: &TrustPolicy,
        now: UnixTime,
        known: impl Fn(KeyId) -> Option<UnixTime>,
    ) -> Option<Discount> {
        discount(self.rule, policy, now, known).or_else(|| {
            let mut required = self.rule.trusted.required_keys();
            let missing = required.find(|key| !self.keys.contains(key))?;
            Some(Discount::Algorithm {
                missing: missing.algorithm(),
            })
        })
    }

    /// Its signatures that count. A signature that need not be there counts for nothing if its key
    /// is revoked.
    pub(crate) fn accepted(
        &self,
        policy: &TrustPolicy,
        known: impl Fn(KeyId) -> Option<UnixTime>,
    ) -> Vec<AcceptedSignature> {
        let counts = |key: &&&PublicKey| policy.revoked(key.id(), known(key.id())).is_none();
        let accepted = self.keys.iter().filter(counts);
        let accepted = accepted.map(|key| AcceptedSignature {
            key_name: self.rule.trusted.name.clone(),
            key_id: key.id(),
            algorithm: key.algorithm(),
        });
        accepted.collect()
    }
}

/// Why a signer does not count now, whatever it has signed. One revoked key that it needs is
/// enough. `known` tells since when a signature by a key is known by a witness that the signer
/// cannot choose.
pub(crate) fn discount(
    rule: &KeyRule,
    policy: &TrustPolicy,
    now: UnixTime,
    known: impl Fn(KeyId) -> Option<UnixTime>,
) -> Option<Discount> {
    let mut needed = rule.trusted.required_keys();
    if let Some(reason) = needed.find_map(|key| policy.revoked(key.id(), known(key.id()))) {
        return Some(Discount::Revoked {
            reason: reason.to_owned(),
        });
    }
    match (rule.not_before, rule.expires) {
        (Some(not_before), _) if now < not_before => Some(Discount::NotYetValid { not_before }),
        (_, Some(expires)) if now >= expires => Some(Discount::Expired { expires }),
        _ => None,
    }
}

/// The number of different signers of these signatures. The names of a policy's signers differ.
pub(crate) fn count(accepted: &[AcceptedSignature]) -> usize {
    let names: BTreeSet<&str> = accepted.iter().map(|it| it.key_name.as_str()).collect();
    names.len()
}

/// The names of the signers of these signatures, for reports.
pub(crate) fn names(accepted: &[AcceptedSignature]) -> String {
    let mut names: Vec<String> = Vec::new();
    for signature in accepted {
        let name = format!("`{}`", signature.key_name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
