//! The folder of a cache: one file for each entry, in a folder for each kind of question.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use edgec_artifact::Sha256Digest;
use edgec_compiler::Question;
use edgec_files::{Folder, FolderError, Temporary};

use super::entry;
use super::key::key;

/// The folder of this version of the cache.
const VERSION: &str = "v1";
/// Files that are being written.
pub(super) const TEMPORARY: &str = "tmp";
/// The longest entry, in bytes (2 GiB): longer than any answer of a worker.
pub(super) const MAX_ENTRY_LEN: u64 = 2 << 30;
/// An entry's time is written again if it is older than this. So most builds write nothing.
const FRESH: Duration = Duration::from_secs(3600);

/// The folder of a cache.
#[derive(Debug)]
pub(super) struct CacheFolder {
    pub(super) root: Folder,
    pub(super) temporary: Folder,
}

impl CacheFolder {
    /// Opens the folder, and makes it if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        let (outer, made) = Folder::root_or_new(path)?;
        made.keep();
        let root = folder(&outer, VERSION)?;
        let temporary = folder(&root, TEMPORARY)?;
        Ok(Self { root, temporary })
    }

    /// The answer in an entry. An entry that is damaged is none.
    pub(super) fn read(&self, kind: &str, key: &Sha256Digest) -> Option<Vec<u8>> {
        let folder = self.root.folder(kind).ok()?;
        let (bytes, file) = folder.read_open(&key.to_string(), MAX_ENTRY_LEN).ok()?;
        let answer = entry::answer(bytes, key)?;
        let now = SystemTime::now();
        let written = file.metadata().and_then(|it| it.modified()).ok();
        let age = written.and_then(|written| now.duration_since(written).ok());
        if age.is_some_and(|age| age > FRESH) {
            // Only the order of removal depends on it.
            let _ = file.set_modified(now);
        }
        Some(answer)
    }

    /// Writes an entry. It is not synced: after a crash its digest shows whether it is whole.
    pub(super) fn write(
        &self,
        kind: &str,
        key: &Sha256Digest,
        answer: &[u8],
    ) -> Result<(), FolderError> {
        let folder = folder(&self.root, kind)?;
        let aside = Temporary::new(&self.temporary)?;
        let parts = [&entry::head(key, answer)[..], answer];
        let written = parts
            .iter()
            .try_for_each(|part| aside.file().write_all(part));
        written.map_err(|source| FolderError::Io {
            name: aside.name().to_owned(),
            source,
        })?;
        aside.close()?;
        aside.moved_to(&folder, &key.to_string())
    }

    /// The SHA-256 of a program. It is kept for as long as the file is not replaced or changed.
    pub(super) fn digest_of(&self, program: &Path) -> io::Result<Sha256Digest> {
        let file = File::open(program)?;
        let facts = file.metadata()?;
        let facts = [
            facts.dev() as i128,
            facts.ino() as i128,
            facts.size() as i128,
            facts.mtime() as i128,
            facts.mtime_nsec() as i128,
            facts.ctime() as i128,
            facts.ctime_nsec() as i128,
        ];
        let facts = facts.map(i128::to_le_bytes).concat();
        let kind = "program";
        let name = key(&Sha256Digest([0; 32]), Question::new(kind, &[], &facts));
        if let Some(known) = self.read(kind, &name)
            && let Ok(digest) = known.try_into()
        {
            return Ok(Sha256Digest(digest));
        }
        let (digest, _) = Sha256Digest::of_stream(&file)?;
        // If it cannot be written, the program is read again next time.
        let _ = self.write(kind, &name, &digest.0);
        Ok(digest)
    }
}

/// A folder in a folder. It is made only if it does not exist, because that waits for the disk.
fn folder(outer: &Folder, name: &str) -> Result<Folder, FolderError> {
    match outer.folder(name) {
        Err(error) if error.is_absence() => outer.folder_or_new(name),
        found => found,
    }
}
