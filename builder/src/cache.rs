//! The build cache: answers of the processes that work on programs, kept for later builds.
//!
//! Each step of a build is a question to a confined process: its program, its arguments and its
//! input decide the answer. So the cache does not know the steps. It keeps each answer under the
//! SHA-256 of the question, and a step that would start a process first looks for its answer. What
//! changed in the input, in an option, or in edgec itself makes another question. A build with a
//! cache gives the same bytes as a build without one.
//!
//! **The cache is trusted as the compiler is**: an answer may be native code. So it lies in a
//! folder that only this user and root can change, and the whole way to it is checked. An entry
//! names its question, and a digest covers both. An entry that is cut, changed, or filed under
//! another name is no entry: the step runs, and the entry is replaced. Signatures, and checks of
//! the finished artifact, are never kept.
//!
//! ```text
//! question ─ key ─▶ FOLDER/v1/VERB/KEY ─ entry: magic, key, length, digest ─▶ answer
//! ```
//!
//! The question for a native image is kept too, so that the image can be compiled again and
//! compared ([`recompile()`]).
//!
//! Builds may share the folder: entries are written aside and renamed. Removing an entry is always
//! safe. The steps of a build remove nothing: [`prune`] does.
//!
//! Behind the folder there may be answers of other machines ([`SharedAnswers`]).

mod asked;
mod entry;
mod folder;
mod identity;
mod key;
mod prune;
mod recompile;
mod shared;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use edgec_artifact::Sha256Digest;
use edgec_compiler::{KeptAnswers, Question};

use self::folder::CacheFolder;
use self::key::in_namespace;
use self::key::key;
pub use self::prune::{CacheStats, Pruned, Verified, prune, stats, verify};
pub use self::recompile::{DifferentImage, FunctionsCompared, Recompilation, recompile};
use self::shared::Behind;
pub use self::shared::SharedAnswers;
use crate::WorkerProgram;

/// The namespace of builds that name no other one.
pub const DEFAULT_NAMESPACE: &str = "build";

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The folder, or something on the way to it, is refused.
    #[error(transparent)]
    Folder(#[from] edgec_files::FolderError),
    /// The worker program, whose digest is a part of every key, cannot be read.
    #[error("the worker program {} cannot be read", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl CacheError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder(_) => "cache-folder",
            Self::Program { .. } => "cache-program",
        }
    }
}

/// A cache in a folder, for the workers of one program.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    folder: CacheFolder,
    /// What stands for the worker program and the namespace.
    program: Sha256Digest,
    /// The answers of other machines, if there are any.
    behind: OnceLock<Behind>,
    used: Counters,
}

/// How much a build used the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheUse {
    /// How many answers came from the cache.
    pub hits: u64,
    /// How many questions had no answer in the cache.
    pub misses: u64,
    /// The bytes of the answers that came from the cache.
    pub bytes_read: u64,
    /// The bytes of the answers that were kept.
    pub bytes_written: u64,
    /// How many answers could not be kept, for lack of space or rights.
    pub unwritten: u64,
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    unwritten: AtomicU64,
}

impl Cache {
    /// Opens the cache in a folder for the workers of a program. Makes the folder if it does not
    /// exist. Answers of another namespace do not count: release builds have their own, so that no
    /// other build can choose their code.
    ///
    /// # Errors
    ///
    /// [`CacheError`]: a build can go on without the cache.
    pub fn open(path: &Path, program: &WorkerProgram, namespace: &str) -> Result<Self, CacheError> {
        let folder = CacheFolder::open(path)?;
        let program = program.path();
        let identity = match identity::of_build_id(program) {
            Ok(None) => folder.digest_of(program),
            Ok(Some(identity)) => Ok(identity),
            Err(error) => Err(error),
        };
        let program = identity.map_err(|source| CacheError::Program {
            program: program.to_owned(),
            source,
        })?;
        Ok(Self(Arc::new(Kept {
            folder,
            program: in_namespace(program, namespace),
            behind: OnceLock::new(),
            used: Counters::default(),
        })))
    }

    /// How much the cache was used since it was opened.
    pub fn used(&self) -> CacheUse {
        let used = &self.0.used;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheUse {
            hits: read(&used.hits),
            misses: read(&used.misses),
            bytes_read: read(&used.bytes_read),
            bytes_written: read(&used.bytes_written),
            unwritten: read(&used.unwritten),
        }
    }

    /// The place of answers for the stages.
    pub(crate) fn answers(&self) -> Arc<dyn KeptAnswers> {
        self.0.clone()
    }
}

impl KeptAnswers for Kept {
    fn recall(&self, question: Question<'_>) -> Option<Vec<u8>> {
        let key = key(&self.program, question);
        let kind = kind(question);
        let answer = self.folder.read(kind, &key);
        let in_folder = answer.is_some();
        let answer = match self.behind.get() {
            Some(behind) => behind.found(answer, kind, &key),
            None => answer,
        };
        let (counter, length) = match &answer {
            Some(answer) => (&self.used.hits, answer.len() as u64),
            None => (&self.used.misses, 0),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.used.bytes_read.fetch_add(length, Ordering::Relaxed);
        if !in_folder && answer.is_some() {
            self.keep_question(&key, question);
        }
        answer
    }

    fn keep(&self, question: Question<'_>, answer: &[u8]) {
        let key = key(&self.program, question);
        // A build does not depend on its cache: what cannot be written is missing next time.
        let (counter, count) = match self.folder.write(kind(question), &key, answer) {
            Ok(()) => (&self.used.bytes_written, answer.len() as u64),
            Err(_) => (&self.used.unwritten, 1),
        };
        counter.fetch_add(count, Ordering::Relaxed);
        if let Some(behind) = self.behind.get() {
            behind.used(kind(question), key);
        }
        self.keep_question(&key, question);
    }
}

impl Kept {
    /// Keeps the question for an image. Without it, the image cannot be compared later. No build
    /// needs it.
    fn keep_question(&self, key: &Sha256Digest, question: Question<'_>) {
        if kind(question) == asked::IMAGES {
            let _ = asked::keep(&self.folder, key, &self.program, question);
        }
    }
}

/// The folder of the answers to a question: the worker's verb without its underscores.
fn kind(question: Question<'_>) -> &str {
    question.verb.trim_start_matches('_')
}
