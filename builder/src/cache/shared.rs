//! Answers of other machines, behind the folder of this one.
//!
//! The folder is asked first. What comes from elsewhere is copied into the folder by another
//! thread, so that a build does not wait for it. The questions of the build are remembered, because
//! their answers are what other machines may need.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use edgec_artifact::Sha256Digest;

use super::{Cache, Kept};

/// How many answers may wait for the thread that copies them.
const WAITING: usize = 4;

/// Answers that other machines kept. Like [`KeptAnswers`](edgec_compiler::KeptAnswers), it must
/// give an answer only to the question for which it was kept: it is trusted as the folder is.
pub trait SharedAnswers: Send + Sync + fmt::Debug {
    /// The answer to a question of this kind with this key, if there is one.
    fn recall(&self, kind: &str, key: &Sha256Digest) -> Option<Vec<u8>>;
}

/// The answers of other machines, and what this build asked.
#[derive(Debug)]
pub(super) struct Behind {
    answers: Arc<dyn SharedAnswers>,
    asked: Mutex<BTreeSet<(String, Sha256Digest)>>,
    copies: Mutex<Option<Copies>>,
}

/// The thread that copies answers into the folder.
#[derive(Debug)]
struct Copies {
    sender: SyncSender<Copied>,
    thread: JoinHandle<()>,
}

/// An answer, with its kind and its key.
type Copied = (String, Sha256Digest, Vec<u8>);

impl Cache {
    /// Also takes answers from elsewhere. Only the first call does something.
    pub fn share(&self, answers: Arc<dyn SharedAnswers>) {
        let kept = Arc::downgrade(&self.0);
        let (sender, receiver) = sync_channel::<Copied>(WAITING);
        let copy = move || {
            for (kind, key, answer) in receiver {
                let Some(kept) = kept.upgrade() else { return };
                // What cannot be written is missing next time.
                let _ = kept.folder.write(&kind, &key, &answer);
            }
        };
        let thread = thread::Builder::new().name("cache-copies".to_owned());
        let thread = thread.spawn(copy).ok();
        let copies = thread.map(|thread| Copies { sender, thread });
        let _ = self.0.behind.set(Behind {
            answers,
            asked: Mutex::default(),
            copies: Mutex::new(copies),
        });
    }

    /// What stands for the program and the namespace in the keys of this cache.
    pub fn identity(&self) -> Sha256Digest {
        self.0.program
    }

    /// The answers to all questions of the build so far, with kind and key, read one after the
    /// other. Waits until those that came from elsewhere are in the folder too.
    pub fn answers_of_build(&self) -> impl Iterator<Item = (String, Sha256Digest, Vec<u8>)> {
        let behind = self.0.behind.get();
        let asked = behind.map(Behind::settle).unwrap_or_default();
        let kept: Arc<Kept> = self.0.clone();
        asked.into_iter().filter_map(move |(kind, key)| {
            let answer = kept.folder.read(&kind, &key)?;
            Some((kind, key, answer))
        })
    }

    /// Waits until all answers that came from elsewhere are in the folder.
    pub fn settle(&self) {
        if let Some(behind) = self.0.behind.get() {
            behind.settle();
        }
    }
}

impl Behind {
    /// The answer of the folder, else that of another machine.
    pub(super) fn found(
        &self,
        of_folder: Option<Vec<u8>>,
        kind: &str,
        key: &Sha256Digest,
    ) -> Option<Vec<u8>> {
        if let Some(answer) = of_folder {
            self.used(kind, *key);
            return Some(answer);
        }
        let answer = self.answers.recall(kind, key)?;
        self.used(kind, *key);
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = copies.as_ref().map(|copies| copies.sender.clone());
        drop(copies);
        if let Some(sender) = sender {
            // The thread ends only when the build does.
            let _ = sender.send((kind.to_owned(), *key, answer.clone()));
        }
        Some(answer)
    }

    /// Remembers that the build used the answer to a question.
    pub(super) fn used(&self, kind: &str, key: Sha256Digest) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert((kind.to_owned(), key));
    }

    fn settle(&self) -> BTreeSet<(String, Sha256Digest)> {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Copies { sender, thread }) = copies.take() {
            drop(sender);
            let _ = thread.join();
        }
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}
