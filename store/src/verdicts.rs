//! Earlier verdicts about signatures. An image, its envelope and a policy give the same verdict
//! until a time that one of them states passes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use edgec_files::Identity;
use edgec_verifier::{Facts, LoadMode, Sha256Digest, UnixTime};

use super::application::Application;
use super::version::Entry;

/// The highest number of kept verdicts. Policies change seldom, and a host does not run more
/// applications than this at a time.
const MOST: usize = 4096;

/// The subject of a verdict. It includes the policy: a stricter policy must not get the verdict of
/// a laxer one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) entry: Entry,
    pub(super) application: Application,
    pub(super) policy: Sha256Digest,
    /// The evidence about the digest depends on the mode.
    pub(super) mode: LoadMode,
}

/// Only acceptances: a refusal is computed again each time.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<HashMap<Subject, Verdict>>);

/// A verdict, and the statements of the store with which it was given.
type Verdict = (Arc<Facts>, Option<Identity>);

impl Verdicts {
    /// The verdict that was given with these statements of the store.
    pub(super) fn get(
        &self,
        subject: &Subject,
        statements: Option<Identity>,
        now: UnixTime,
    ) -> Option<Arc<Facts>> {
        let verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (facts, with) = verdicts.get(subject)?;
        let holds = *with == statements && facts.holds().contains(&now);
        holds.then(|| Arc::clone(facts))
    }

    pub(super) fn put(&self, subject: Subject, statements: Option<Identity>, facts: Arc<Facts>) {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= MOST {
            verdicts.clear();
        }
        verdicts.insert(subject, (facts, statements));
    }
}
