//! The identity of an open file.

use std::fs::File;

use rustix::fs::{AtFlags, Statx, StatxFlags, statx};

use super::Folder;

/// Tells an open file from all others, and from the same file before it was changed, renamed or
/// given to another user.
#[derive(Clone, Copy, Debug)]
pub struct Identity(Statx);

impl Identity {
    /// The identity of an open file, if the kernel provides it.
    pub fn of(file: &File) -> Option<Self> {
        let facts = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS);
        facts.ok().map(Self)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let place = |it: &Statx| (it.stx_dev_major, it.stx_dev_minor, it.stx_ino);
        let changed = |it: &Statx| (it.stx_ctime.tv_sec, it.stx_ctime.tv_nsec);
        let (one, other) = (&self.0, &other.0);
        place(one) == place(other)
            && changed(one) == changed(other)
            && (one.stx_mode, one.stx_uid) == (other.stx_mode, other.stx_uid)
    }
}

impl Folder {
    /// The identity of the file with that name, if the file exists and the kernel provides it.
    pub fn identity(&self, name: &str) -> Option<Identity> {
        let facts = statx(
            &self.fd,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BASIC_STATS,
        );
        facts.ok().map(Identity)
    }
}
