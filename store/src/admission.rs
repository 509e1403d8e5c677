//! Admission: edgec verifies an artifact once, and then keeps it.
//!
//! An admission copies the source into a file that no other user can open. It verifies this copy
//! and keeps it. These steps go to the disk one after the other: image and envelope; their names;
//! the version that names them. A crash between two steps leaves files that no version names, and a
//! collection removes those.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use edgec_files::{Hold, Temporary, read_bounded};
use edgec_verifier::{
    ArtifactFileError, Check, Expected, LoadMode, MAX_ENVELOPE_LEN, Manifest, Sha256Digest,
    TrustPolicy, UnixTime, VerifiedRelease, VerityDigest, open_artifact, verify,
};

use super::application::Application;
use super::copy::{Verified, copy_sparse, same_bytes, verified};
use super::history::History;
use super::verity::{self, Enabled, Measured};
use super::version::{Entry, OtherKind, Standing, StoredVersion};
use super::{AdmissionError, ArtifactStore, CHANGES, MAX_SMALL_LEN, StoreError};

/// The number of tries to enable fs-verity while a process has the file open for writing.
const BUSY_TRIES: usize = 50;

/// The result of an admission: the artifact is in the store.
#[derive(Debug)]
#[non_exhaustive]
pub struct Admission {
    /// The manifest: the signers' statements about the artifact.
    pub manifest: Manifest,
    /// Every check that was made.
    pub checks: Vec<Check>,
    /// How the store protects the bytes: [`LoadMode::FsVerity`] or [`LoadMode::TrustedStore`].
    pub mode: LoadMode,
    /// The change in the store.
    pub change: Change,
    /// Whether loads of the name take this version.
    pub standing: Standing,
    /// The version that was current before, if it is of another kind: hosts that load it cannot
    /// load this one.
    pub other_kind: Option<OtherKind>,
}

/// What an admission changed in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The version had no artifact for the same target and engine profile.
    Added,
    /// The artifact is of a newer release of the version. It waits until the release has one for
    /// each target of the older one; until then, the artifacts of the older release stay
    /// ([`Standing::Lacks`]).
    Waits,
    /// The artifact was in the store, and whole.
    Unchanged,
    /// The artifact was in the store, and its image, envelope or version were missing or damaged.
    Repaired,
    /// The version had another artifact for the same target and profile.
    Replaced {
        /// The earlier artifact's image. If the artifact was only signed again, it is the same
        /// image.
        image: VerityDigest,
    },
}

impl ArtifactStore {
    /// Verifies an artifact like [`Self::add`], at the time `now`, and keeps nothing. So a caller
    /// can avoid making a store that has no artifact.
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
        // It does not use a memory file, since a limit on the length of files would apply to it.
        let bytes = read_bounded(source.take(len), len, len);
        let bytes = bytes.map_err(|error| ArtifactFileError::io(path, error.into()))?;
        verify(&bytes, policy, expected, now)?;
        Ok(())
    }

    /// Verifies an artifact and keeps it, under its name and version. A newer version becomes the
    /// current one as soon as it has an artifact for every target and engine profile of the current
    /// version, unless an older version was chosen ([`Standing`]).
    ///
    /// The store remembers the highest version and serial, also after a removal. It refuses a lower
    /// version that is not in the store, and an older release. If the version already has another
    /// artifact for the same target and engine profile, only a newer release replaces it, when it
    /// has an artifact for each target of the old one. If the artifact was only signed again, the
    /// store keeps the signatures of both.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`]. Then the store has not changed.
    pub fn add(
        &self,
        source: impl AsRef<Path>,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Admission, AdmissionError> {
        let path = source.as_ref();
        let (source, len) = open_artifact(path)?;
        let now = self.time_under(policy)?;
        // No collection removes files that are not named yet.
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
            found,
        } = verified(copy.file(), len, policy, expected, now, failed)?;

        let mut entry = Entry::of(&manifest, &envelope);
        copy.file().set_len(manifest.image.length).map_err(failed)?;
        copy.file().sync_all().map_err(failed)?;
        // This comes before the change of the mode, which takes away the owner's right to write.
        // The kernel requires that right.
        let (copy, mode) = self.seal(copy.reopened()?, &entry)?;
        copy.finish()?;

        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let artifacts = &self.0.artifacts;
        let application = Application::of(&manifest);
        let earlier = self.earlier(&application, &entry)?;
        let mut floors = self.floors(&application, policy)?;
        let is_there = earlier.is_there;
        let admitted = floors.admit(manifest.version, found.release.as_ref(), is_there);
        admitted.map_err(StoreError::from)?;
        let replaces = earlier.replaces(self, &manifest, &found)?;
        // Of one manifest with different signatures, the union stays.
        let union = earlier.envelope.filter(|_| !replaces);
        let union =
            union.and_then(|kept| policy.union_of_signatures(&kept, &envelope, MAX_ENVELOPE_LEN));
        let envelope = union.unwrap_or(envelope);
        entry.envelope = Sha256Digest::of(&envelope);
        let record = self.new_record(earlier.entry.as_ref(), &entry, &found, now)?;
        let mut kept = true;
        if !self.keeps_image(&entry, copy.file(), manifest.image.length, mode) {
            copy.moved_to(artifacts, &entry.image_name())?;
            kept = false;
        }
        if self.envelope(&entry).is_err() {
            artifacts.put(&self.0.temporary, &entry.envelope_name(), &envelope)?;
            kept = false;
        }
        let before = earlier.entry.as_ref().filter(|_| !replaces);
        for (name, bytes) in self.beside(before, &entry, &found, policy)? {
            let known = artifacts.read(&name, MAX_SMALL_LEN);
            if known.ok().is_none_or(|known| known != bytes) {
                artifacts.put(&self.0.temporary, &name, &bytes)?;
                kept = false;
            }
        }
        self.put_record(&entry, &record)?;
        // This includes files that were in the store before: the process that admitted them may
        // have been stopped before they were on the disk.
        artifacts.sync()?;
        let other_kind = self.other_kind(&application, manifest.kind);
        // Before the name changes: a crash between the two must not let an older one in.
        self.put_statements(&application, floors, found.given(), policy, now)?;
        let (mut change, standing) = self.name(&manifest, entry, found.release.as_ref())?;
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

    /// Asks the kernel to protect the image from changes, if it can.
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
            // Until then, a process that another thread is just starting has the writing
            // descriptor.
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

    /// Points the names at an artifact. Returns how the store changed.
    fn name(
        &self,
        manifest: &Manifest,
        entry: Entry,
        by: Option<&VerifiedRelease>,
    ) -> Result<(Change, Standing), StoreError> {
        let application = Application::of(manifest);
        let key = application.folder();
        let folder = self.0.names.folder_or_new(&key)?;
        let history = History::new(folder, key, &self.0.temporary);
        let (found, damaged) = match history.find(&application) {
            // A damaged version is replaced.
            Err(error) if error.is_damage() => (None, true),
            found => (found?, false),
        };
        let mut stored = found.unwrap_or_else(|| StoredVersion::new(manifest));
        let before = stored.put(entry.clone());
        if let Some(by) = by {
            // The earlier artifact stays until all others have come.
            let mut old = stored.clone();
            if let Some(before) = &before {
                old.put(before.clone());
            }
            match self.gathered(&application, &old, &entry, by)? {
                Ok(whole) => stored = whole,
                Err(lacking) => return Ok((Change::Waits, lacking)),
            }
        }
        let change = match before {
            None if damaged => Change::Repaired,
            None => Change::Added,
            Some(earlier) if earlier == entry => Change::Unchanged,
            Some(earlier) => Change::Replaced {
                image: earlier.image,
            },
        };
        let (standing, mended) = history.put(stored)?;
        if by.is_some() {
            // What waited for this release has its name now.
            self.put_staged(&application, None)?;
        }
        Ok(match change {
            Change::Unchanged if mended => (Change::Repaired, standing),
            change => (change, standing),
        })
    }

    /// Whether the image is in the store, whole, and protected like `copy`. Loads do not read its
    /// bytes, so an admission does. A wrong image is replaced.
    fn keeps_image(&self, entry: &Entry, copy: &File, len: u64, mode: LoadMode) -> bool {
        let Ok((kept, kept_len)) = self.0.artifacts.file(&entry.image_name()) else {
            return false;
        };
        match (verity::measure(&kept), mode) {
            // This also applies under fs-verity, whose digest does not show pages that the disk has
            // lost since.
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
