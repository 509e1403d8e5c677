//! The check of an artifact's place in a transparency log: that the log of the policy has its
//! statement, and that enough witnesses have seen the log's tree.
//!
//! The proof lies beside the artifact, so the caller gives it
//! ([`Expected::with_log_proof`](crate::Expected::with_log_proof)). Nothing is asked of a network.
//! Without `[log]` in the policy no key is known, so a proof proves nothing and is not read.
//!
//! Witnesses also say when they have seen the tree. The signer of an artifact cannot choose that
//! time, so it counts for a key that is revoked from a later time on.

use edgec_artifact::{LogProof, LogProofError, Manifest, NoteKey, Statement, UnixTime};

use crate::TrustPolicy;
use crate::expected::Expected;

/// A log, and how many witnesses must have seen its tree.
#[derive(Clone, Debug)]
pub(crate) struct LogRules {
    pub(crate) log: NoteKey,
    pub(crate) witnesses: Vec<NoteKey>,
    pub(crate) threshold: usize,
}

/// Why an artifact's place in a log is not enough for a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogRefusal {
    /// The policy names a log, and the caller gave no proof.
    #[error(
        "the policy requires a proof that the log `{log}` has the artifact, and none was given"
    )]
    Missing {
        /// The log.
        log: String,
    },
    /// The proof is not one, or not one about this artifact.
    #[error("the proof of the log")]
    Proof(#[source] LogProofError),
    /// Too few witnesses have seen the tree.
    #[error("{found} of {threshold} required witnesses have seen the log")]
    Witnesses {
        /// The number of different witnesses that have cosigned the checkpoint.
        found: usize,
        /// The number that the policy requires.
        threshold: usize,
    },
}

impl LogRefusal {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "no-log-proof",
            Self::Proof(_) => "log-proof",
            Self::Witnesses { .. } => "log-witnesses",
        }
    }
}

impl Expected {
    /// The proof about an artifact that was verified with these, for a policy that reads it.
    pub fn log_proof_about(&self, policy: &TrustPolicy, manifest: &Manifest) -> Option<&[u8]> {
        self.log_proofs().find(|proof| {
            let one = Self::anything().with_log_proof(*proof);
            matches!(judge(policy, &one, manifest), Ok(Some(_)))
        })
    }
}

/// The evidence, or `None` if the policy names no log.
pub(crate) fn judge(
    policy: &TrustPolicy,
    expected: &Expected,
    manifest: &Manifest,
) -> Result<Option<String>, LogRefusal> {
    let Some(rules) = &policy.log else {
        return Ok(None);
    };
    let mut refused = LogRefusal::Missing {
        log: rules.log.name().to_owned(),
    };
    // A manifest has one spelling, so this is the payload that was signed.
    let entry = Statement {
        manifest: manifest.clone(),
    };
    let entry = entry.encode();
    for proof in expected.log_proofs() {
        match judge_one(rules, proof, &entry) {
            Ok(evidence) => return Ok(Some(evidence)),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The time by which enough witnesses had seen the log with this payload, by the proofs of the
/// caller that are enough for the policy. One witness at least must have seen it.
pub(crate) fn known_since(
    policy: &TrustPolicy,
    expected: &Expected,
    payload: &[u8],
) -> Option<UnixTime> {
    let rules = policy.log.as_ref()?;
    let times = expected.log_proofs().filter_map(|proof| {
        let proof = verified(rules, proof, payload).ok()?;
        let times = seen(rules, &proof).map(|(_, time)| time);
        let mut times: Vec<UnixTime> = times.collect();
        times.sort_unstable();
        times.get(rules.threshold.max(1) - 1).copied()
    });
    times.min()
}

/// A proof that the log has the entry.
fn verified<'p>(
    rules: &LogRules,
    proof: &'p [u8],
    entry: &[u8],
) -> Result<LogProof<'p>, LogRefusal> {
    let proof = LogProof::parse(proof).map_err(LogRefusal::Proof)?;
    proof.verify(&rules.log, entry).map_err(LogRefusal::Proof)?;
    Ok(proof)
}

/// The witnesses of the policy that have seen the tree, each once, and when.
fn seen<'r>(
    rules: &'r LogRules,
    proof: &LogProof<'_>,
) -> impl Iterator<Item = (&'r NoteKey, UnixTime)> {
    let witnesses = rules.witnesses.iter();
    witnesses.filter_map(|witness| Some((witness, proof.seen_by(witness)?)))
}

fn judge_one(rules: &LogRules, proof: &[u8], entry: &[u8]) -> Result<String, LogRefusal> {
    let proof = verified(rules, proof, entry)?;
    let names: Vec<&str> = seen(rules, &proof).map(|(it, _)| it.name()).collect();
    let (found, threshold) = (names.len(), rules.threshold);
    if found < threshold {
        return Err(LogRefusal::Witnesses { found, threshold });
    }
    let seen = match names.as_slice() {
        [] => String::new(),
        names => format!(", seen by {}", names.join(", ")),
    };
    Ok(format!(
        "entry {} of {} in the log `{}`{seen}",
        proof.index(),
        proof.size(),
        rules.log.name()
    ))
}
