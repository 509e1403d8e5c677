//! The check that notaries have rebuilt an artifact.
//!
//! A signature on the artifact says that its signer vouches for it, whatever the signer's role.
//! Only a notary's own statement says that another party has compiled the program and got this
//! image. So this check reads nothing but such statements.

use edgec_artifact::{KeyId, Manifest, RebuildStatement, Sha256Digest, UnixTime};

use crate::companion::signed;
use crate::companion_refusal::NotaryRefusal;
use crate::expected::Expected;
use crate::policy::{KeyRule, TrustPolicy};
use crate::role::Role;
use crate::signer::{self, AcceptedSignature};

/// The evidence, and the notaries that count; `None` if nothing was given and nothing is demanded.
pub(crate) fn judge(
    policy: &TrustPolicy,
    expected: &Expected,
    manifest: &Manifest,
    payload: Sha256Digest,
    now: UnixTime,
) -> Result<Option<String>, NotaryRefusal> {
    let Notaries {
        accepted,
        edgec,
        refused,
        ..
    } = notaries(policy, expected, manifest, payload, now);
    let threshold = policy.demands.threshold(Role::Notary);
    let count = signer::count(&accepted);
    if count >= threshold {
        let names = signer::names(&accepted);
        return Ok(Some(format!(
            "rebuilt bit for bit by {} from the input {}, with edgec {}",
            names,
            manifest.source.input.sha256,
            edgec.join(", ")
        )));
    }
    match (refused, policy.demands.get(Role::Notary)) {
        (Some(refused), _) => Err(refused),
        (None, None) => Ok(None),
        (None, Some(_)) if accepted.is_empty() => Err(NotaryRefusal::Missing),
        (None, Some(_)) => Err(NotaryRefusal::Threshold {
            accepted: count,
            threshold,
        }),
    }
}

/// What notaries' statements say about an artifact.
pub(crate) struct Notaries {
    /// The signatures of the notaries whose statements count, each once.
    pub(crate) accepted: Vec<AcceptedSignature>,
    /// The statements that count.
    pub(crate) statements: Vec<Vec<u8>>,
    /// The versions of the notaries' edgec.
    edgec: Vec<String>,
    /// Why the last statement that does not count does not.
    refused: Option<NotaryRefusal>,
}

/// Reads the statements that the caller gave.
pub(crate) fn notaries(
    policy: &TrustPolicy,
    expected: &Expected,
    manifest: &Manifest,
    payload: Sha256Digest,
    now: UnixTime,
) -> Notaries {
    let mut found = Notaries {
        accepted: Vec::new(),
        statements: Vec::new(),
        edgec: Vec::new(),
        refused: None,
    };
    for bytes in expected.rebuilds() {
        match judge_one(bytes, policy, expected, manifest, payload, now) {
            Ok((keys, version)) => {
                found.statements.push(bytes.to_vec());
                for key in keys {
                    if !found.accepted.contains(&key) {
                        found.accepted.push(key);
                    }
                }
                if !found.edgec.contains(&version) {
                    found.edgec.push(version);
                }
            }
            // A statement about another artifact says less than one that is wrong.
            Err(NotaryRefusal::Subject) if found.refused.is_some() => {}
            Err(error) => found.refused = Some(error),
        }
    }
    found
}

fn judge_one(
    bytes: &[u8],
    policy: &TrustPolicy,
    expected: &Expected,
    manifest: &Manifest,
    payload: Sha256Digest,
    now: UnixTime,
) -> Result<(Vec<AcceptedSignature>, String), NotaryRefusal> {
    let refused = NotaryRefusal::Statement;
    // Each statement needs one key that counts. The threshold is for all statements together.
    let signed = signed(bytes, policy, Role::Notary, 1).map_err(refused)?;
    let statement = RebuildStatement::decode(signed.envelope.payload());
    let statement = statement.map_err(|error| refused(error.into()))?;
    let is_about = statement.manifest == payload
        && statement.image == manifest.image
        && statement.input == manifest.source.input
        && statement.application == manifest.name;
    if !is_about {
        return Err(NotaryRefusal::Subject);
    }
    let known = |key: KeyId| expected.known_since(key);
    let mismatch = |rule: &KeyRule| rule.covers.mismatch(manifest);
    let accepted = signed.counted(policy, now, known, mismatch);
    let accepted = accepted.map_err(refused)?;
    Ok((accepted, statement.edgec))
}
