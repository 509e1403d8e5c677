//! Admission: verify once, then keep.
//!
//! The source is copied into a file that no other user can open; that file is what is verified and
//! what is kept. In this order, each step on the disk before the next: image and envelope; their
//! names; the release that names them. A crash between two leaves files that no release names,
//! which a collection takes.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use edgec_files::{Hold, Temporary, read_bounded, write_sparse};
use edgec_verifier::{
    ArtifactFileError, Check, Expected, LoadMode, Manifest, TrustPolicy, UnixTime, VerityDigest,
    open_artifact, verify,
};

use super::history::History;
use super::release::{Application, Entry, OtherKind, Release, Standing};
use super::stable::StableFile;
use super::verity::{self, Enabled, Measured};
use super::{AdmissionError, ArtifactStore, CHANGES, StoreError};

/// How often sealing is tried while a process has the file open for writing.
const BUSY_TRIES: usize = 50;
/// What is copied at once, in bytes: it stays in a processor's cache.
const CHUNK: usize = 1 << 20;

/// An artifact that is in a store.
#[derive(Debug)]
#[non_exhaustive]
pub struct Admission {
    /// The manifest, which is what its signers say about it.
    pub manifest: Manifest,
    /// Every check that was made.
    pub checks: Vec<Check>,
    /// How a load will find it kept: [`LoadMode::FsVerity`] or [`LoadMode::TrustedStore`].
    pub mode: LoadMode,
    /// What was there before.
    pub change: Change,
    /// Whether loads of the name take it.
    pub standing: Standing,
    /// The version that was current before, if it is of another kind: hosts that load it cannot
    /// load this one.
    pub other_kind: Option<OtherKind>,
}

/// What an admission found in a store, and what it made of that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The version had none for the same target and engine profile.
    Added,
    /// The artifact was there, whole.
    Unchanged,
    /// The artifact was there, and image, envelope or release were missing or damaged.
    Repaired,
    /// Another artifact of the same version, target and profile was there.
    Replaced {
        /// That one's image; this one's, when it was signed again.
        image: VerityDigest,
    },
}

impl ArtifactStore {
    /// Verifies an artifact as [`Self::add`] does, at the time `now`, and keeps nothing. So a store
    /// can be made only if there is an artifact for it.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`].
    pub fn admissible(
        source: impl AsRef<Path>,
        policy: &TrustPolicy,
        expected: &Expected,
        now: UnixTime,
    ) -> Result<(), AdmissionError> {
        let path = source.as_ref();
        let (source, len) = open_artifact(path)?;
        // Not into a memory file, on which a limit on the length of files would fall.
        let bytes = read_bounded(source.take(len), len, len);
        let bytes = bytes.map_err(|error| ArtifactFileError::io(path, error))?;
        verify(&bytes, policy, expected, now)?;
        Ok(())
    }

    /// Verifies an artifact and keeps it, under its name and version. A version that is newer than
    /// the current one becomes that, as soon as it has an artifact for all that the current one has
    /// one for and unless an older one was chosen ([`Standing`]); one that is there already, for
    /// the same target and engine profile, is replaced.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`]; the store is then as it was.
    pub fn add(
        &self,
        source: impl AsRef<Path>,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Admission, AdmissionError> {
        let path = source.as_ref();
        let (source, len) = open_artifact(path)?;
        // No collection takes what is not named yet.
        let _gate = self.admissions(Hold::Shared)?;
        let mut copy = Temporary::new(&self.0.temporary)?;
        let name = self.0.temporary.name(copy.name());
        let failed = |error| StoreError::io(&name, error);
        let unread = |error| ArtifactFileError::io(path, error);
        copy_sparse(source, copy.file_mut(), len, unread, failed)?;
        let Verified {
            manifest,
            checks,
            envelope,
        } = verified(copy.file(), len, policy, expected, self.now()?, failed)?;

        let entry = Entry::of(&manifest, &envelope);
        copy.file().set_len(manifest.image.length).map_err(failed)?;
        copy.file().sync_all().map_err(failed)?;
        // Before the mode takes the owner's right to write away, which the kernel asks for.
        let (copy, mode) = self.seal(copy.reopened()?, &entry)?;
        copy.finish()?;

        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let artifacts = &self.0.artifacts;
        let mut kept = true;
        if !self.keeps_image(&entry, copy.file(), manifest.image.length, mode) {
            copy.moved_to(artifacts, &entry.image_name())?;
            kept = false;
        }
        if self.envelope(&entry).is_err() {
            artifacts.put(&self.0.temporary, &entry.envelope_name(), &envelope)?;
            kept = false;
        }
        // Also for files that were there: the process that admitted them may have been stopped
        // before they were on the disk.
        artifacts.sync()?;
        let other_kind = self.other_kind(&Application::of(&manifest), manifest.kind);
        let (mut change, standing) = self.name(&manifest, entry)?;
        if change == Change::Unchanged && !kept {
            change = Change::Repaired;
        }
        Ok(Admission {
            manifest,
            checks,
            mode,
            change,
            standing,
            other_kind,
        })
    }

    /// Has the kernel keep the image as it is, where it can.
    fn seal<'a>(
        &self,
        image: Temporary<'a>,
        entry: &Entry,
    ) -> Result<(Temporary<'a>, LoadMode), StoreError> {
        let failed = |error: io::Error| StoreError::io(entry.image_name(), error);
        let mut enabled = verity::enable(image.file()).map_err(failed)?;
        for _ in 0..BUSY_TRIES {
            if enabled != Enabled::Busy {
                break;
            }
            // A process that another thread is just starting has the writing descriptor until then.
            std::thread::sleep(Duration::from_millis(10));
            enabled = verity::enable(image.file()).map_err(failed)?;
        }
        match enabled {
            Enabled::Now | Enabled::Before | Enabled::NotSupported => {
                let mode = self.mode_of(image.file(), entry)?;
                Ok((image, mode))
            }
            Enabled::Busy => Err(failed(io::ErrorKind::ExecutableFileBusy.into())),
        }
    }

    /// Points the names at an artifact; says what they pointed at before.
    fn name(&self, manifest: &Manifest, entry: Entry) -> Result<(Change, Standing), StoreError> {
        let application = Application::of(manifest);
        let key = application.folder();
        let folder = self.0.names.folder_or_new(&key)?;
        let history = History::new(folder, key, &self.0.temporary);
        let (found, damaged) = match history.find(&application) {
            // It is what is replaced.
            Err(error) if error.is_damage() => (None, true),
            found => (found?, false),
        };
        let mut release = found.unwrap_or_else(|| Release::new(manifest));
        let change = match release.put(entry.clone()) {
            None if damaged => Change::Repaired,
            None => Change::Added,
            Some(earlier) if earlier == entry => Change::Unchanged,
            Some(earlier) => Change::Replaced {
                image: earlier.image,
            },
        };
        let (standing, mended) = history.put(release)?;
        Ok(match change {
            Change::Unchanged if mended => (Change::Repaired, standing),
            change => (change, standing),
        })
    }

    /// Whether the image is there, whole, and kept as `copy` is. Loads do not look at its bytes, so
    /// that an admission does; what is not as it should be is replaced.
    fn keeps_image(&self, entry: &Entry, copy: &File, len: u64, mode: LoadMode) -> bool {
        let Ok((kept, kept_len)) = self.0.artifacts.file(&entry.image_name()) else {
            return false;
        };
        match (verity::measure(&kept), mode) {
            // Also under fs-verity: its digest says nothing of pages that the disk has lost since.
            (Ok(Measured::Digest(digest)), _) => {
                digest == entry.image && same_bytes(&kept, copy, len).unwrap_or(false)
            }
            (Ok(Measured::NotEnabled), LoadMode::TrustedStore) => {
                kept_len == len && same_bytes(&kept, copy, len).unwrap_or(false)
            }
            _ => false,
        }
    }
}

/// What an admission takes of a verified copy.
struct Verified {
    manifest: Manifest,
    checks: Vec<Check>,
    envelope: Vec<u8>,
}

/// Verifies a copy while it goes to the disk.
fn verified(
    copy: &File,
    len: u64,
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
    failed: impl Fn(io::Error) -> StoreError,
) -> Result<Verified, AdmissionError> {
    let file = copy.try_clone().map_err(&failed)?;
    // SAFETY: only this process's user can open the file, which has had no name but for that user;
    // this function writes nothing, and the value does not outlive it.
    let stable = unsafe { StableFile::new(file, len) }.map_err(&failed)?;
    let view = stable.view().map_err(&failed)?;
    thread::scope(|scope| {
        // If no thread can be started, the copy is synced after the verification.
        let writing = thread::Builder::new().spawn_scoped(scope, || copy.sync_data());
        let artifact = verify(&view, policy, expected, now)?;
        let envelope = artifact.envelope().to_vec();
        let checks = artifact.checks().to_vec();
        let manifest = artifact.into_manifest();
        // Joining fails when the thread panicked, which writing does not.
        let panicked = |_| Err(io::Error::other("the writing thread failed"));
        let written = match writing {
            Ok(thread) => thread.join().unwrap_or_else(panicked),
            Err(_) => copy.sync_data(),
        };
        written.map_err(failed)?;
        Ok(Verified {
            manifest,
            checks,
            envelope,
        })
    })
}

/// Copies `len` bytes. Blocks of zeros are not written: they become holes, which take no place.
fn copy_sparse(
    mut source: File,
    to: &mut File,
    len: u64,
    unread: impl Fn(io::Error) -> ArtifactFileError,
    failed: impl Fn(io::Error) -> StoreError,
) -> Result<(), AdmissionError> {
    let mut chunk = vec![0; CHUNK];
    let mut left = len;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let piece = chunk.get_mut(..wanted).unwrap_or_default();
        source.read_exact(piece).map_err(&unread)?;
        write_sparse(piece, to).map_err(&failed)?;
        left -= wanted as u64;
    }
    Ok(to.set_len(len).map_err(failed)?)
}

/// Whether two files begin with the same `len` bytes.
fn same_bytes(a: &File, b: &File, len: u64) -> io::Result<bool> {
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).map_or(CHUNK, |left| left.min(CHUNK));
        let ours = ours.get_mut(..wanted).unwrap_or_default();
        let theirs = theirs.get_mut(..wanted).unwrap_or_default();
        a.read_exact_at(ours, at)?;
        b.read_exact_at(theirs, at)?;
        if ours != theirs {
            return Ok(false);
        }
        at += wanted as u64;
    }
    Ok(true)
}
