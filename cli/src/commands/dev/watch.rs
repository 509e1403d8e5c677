//! Notices that a file has changed, by looking at it again and again.
//!
//! The kernel's notifications would come sooner, but they follow an inode, and toolchains replace
//! their outputs. A look is one system call.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
    /// Another file may have taken the name. 0 if the system has no such numbers.
    inode: u64,
}

/// A file that is watched.
pub(super) struct Watched {
    path: PathBuf,
    /// Its state when it was last taken.
    taken: Option<State>,
    /// Its state at the last look.
    seen: Option<State>,
    /// Looks in a row at which there was no file.
    missed: u32,
}

/// After so many looks without a file, it is gone. Tools that replace a file remove it for a
/// moment.
const GONE: u32 = 20;

impl Watched {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            taken: None,
            seen: None,
            missed: 0,
        }
    }

    /// From now on, only other states are changes. Call this before the file is read: a change
    /// during the reading is then noticed afterwards.
    pub(super) fn mark(&mut self) {
        self.taken = State::of(&self.path);
        self.seen = self.taken;
    }

    /// Looks at the file. It has changed if it differs from what was taken, and is the same as at
    /// the last look: then nobody is writing it now. A file that is gone is not a change, because
    /// many tools remove the old file before they write the new one.
    pub(super) fn has_changed(&mut self) -> bool {
        let now = State::of(&self.path);
        let before = std::mem::replace(&mut self.seen, now);
        self.missed = match now {
            Some(_) => 0,
            None => self.missed.saturating_add(1),
        };
        now.is_some() && now != self.taken && now == before
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file has been gone for a while, once each time.
    pub(super) fn is_newly_gone(&self) -> bool {
        self.missed == GONE
    }
}

impl State {
    /// `None` if there is no file now.
    fn of(path: &Path) -> Option<Self> {
        let found = path.metadata().ok()?;
        Some(Self {
            length: found.len(),
            modified: found.modified().ok(),
            inode: inode(&found),
        })
    }
}

#[cfg(unix)]
fn inode(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_counts_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.wasm");
        let mut watched = Watched::new(&path);
        watched.mark();
        assert!(!watched.has_changed(), "there is no file");

        fs::write(&path, "first").unwrap();
        assert!(!watched.has_changed(), "it may be half written");
        assert!(watched.has_changed());
        assert!(watched.has_changed(), "until it is taken");
        watched.mark();
        assert!(!watched.has_changed());

        // The same length, in another file of the same name.
        fs::write(folder.path().join("new"), "other").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(!watched.has_changed());
        fs::write(&path, "it grows").unwrap();
        assert!(!watched.has_changed(), "it has changed since the last look");
        assert!(watched.has_changed());
        watched.mark();

        for _ in 0..2 {
            fs::remove_file(&path).unwrap();
            let mut told = 0;
            for _ in 0..GONE * 3 {
                assert!(!watched.has_changed(), "it is gone");
                told += u32::from(watched.is_newly_gone());
            }
            assert_eq!(told, 1);
            fs::write(&path, "again").unwrap();
            assert!(!watched.has_changed() && !watched.is_newly_gone());
        }
    }
}
