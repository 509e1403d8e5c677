//! Signature verdicts that were reached before: an image, its envelope and a policy give the
//! same one for as long as no moment passes that one of them names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use edgec_verifier::{Facts, LoadMode, Sha256Digest, UnixTime};

use super::release::{Application, Entry};

/// How many are kept. Policies change seldom, and a host has not more applications than this
/// at work.
const MOST: usize = 4096;

/// What a verdict is about. Never across policies: a stricter one must not find what a laxer one
/// said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) entry: Entry,
    pub(super) application: Application,
    pub(super) policy: Sha256Digest,
    /// What is known of the digest is evidence, and depends on this.
    pub(super) mode: LoadMode,
}

/// Acceptances only: a refusal is found again each time.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<HashMap<Subject, Arc<Facts>>>);

impl Verdicts {
    pub(super) fn get(&self, subject: &Subject, now: UnixTime) -> Option<Arc<Facts>> {
        let verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = verdicts.get(subject)?;
        facts.holds().contains(&now).then(|| Arc::clone(facts))
    }

    pub(super) fn put(&self, subject: Subject, facts: Arc<Facts>) {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= MOST {
            verdicts.clear();
        }
        verdicts.insert(subject, facts);
    }
}
