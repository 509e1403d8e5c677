//! A small separate disk, for tests with a full disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Sandbox, skipped};

/// A disk that is mounted until this is dropped.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of `kib` KiB as the folder `disk` of a sandbox. If this user cannot do this,
    /// says so.
    ///
    /// # Panics
    ///
    /// If the user cannot, and `EDGEC_REQUIRE_MOUNT` is set.
    pub fn mount(sandbox: &Sandbox, kib: u32) -> Option<Self> {
        let folder = sandbox.path().join("disk");
        std::fs::create_dir(&folder).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            skipped("EDGEC_REQUIRE_MOUNT", "this user cannot mount a disk");
            return None;
        }
        Some(Self { folder })
    }

    /// The folder of the disk.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.folder).status();
        let done = unmounted.is_ok_and(|status| status.success());
        // A failing test already says why.
        assert!(done || std::thread::panicking(), "the disk stays mounted");
    }
}
