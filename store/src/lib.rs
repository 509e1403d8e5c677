//! A host's store of artifacts. Each artifact is verified once, when it is admitted. From then on
//! it is opened in constant time, also after a restart.
//!
//! [`verify`](edgec_verifier::verify) hashes a whole image. A host that often starts programs does
//! that once, and trusts the folder from then on: only this user or root may be able to change the
//! folder or anything above it, and every opening checks that. `edgec-loader` loads from a store.
//! This crate links no engine, so that tools can use it to admit, list and collect. It needs Linux.
//!
//! ```toml
//! [dependencies]
//! edgec-store = "0.1"
//! ```
//!
//! ```
//! use edgec_store::{ArtifactStore, Change, Expected, Standing, TrustPolicy};
//!
//! // A host reads it from a file that only its owner can change: `TrustPolicy::read`.
//! let policy = TrustPolicy::from_toml(
//!     "threshold = 1
//! [[key]]
//! name = 'release'
//! pem = '''
//! -----BEGIN PUBLIC KEY-----
//! MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
//! -----END PUBLIC KEY-----
//! '''
//! ",
//! )?;
//! # let artifact = "../fuzz/seeds/verify/signed.cwasm";
//! # let folder = format!("edgec-store-example-{}", std::process::id());
//! # let folder = std::env::temp_dir().join(folder);
//! let store = ArtifactStore::create(&folder)?;
//!
//! // A refused artifact leaves the store as it was.
//! assert!(store.add(artifact, &policy, &Expected::application("shop")).is_err());
//! let added = store.add(artifact, &policy, &Expected::application("signed"))?;
//! assert_eq!((added.change, added.standing), (Change::Added, Standing::Current));
//!
//! // Every result about a whole store also has the problems with unreadable parts.
//! let listing = store.list()?;
//! for artifact in &listing.artifacts {
//!     println!("{} {} for {}", artifact.name, artifact.version, artifact.target);
//! }
//! assert!(listing.problems.is_empty());
//! // Hashes every image, and judges every artifact under this policy.
//! assert!(store.verify(&policy)?.is_clean());
//!
//! // A name is removed at once, and its images by the next collection.
//! store.remove("signed")?;
//! let collected = store.collect()?;
//! assert_eq!(collected.collection.images.len(), 1);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go on
//!
//! | for | see |
//! |---|---|
//! | a version, or the current one, of an application in a channel | [`Application`] |
//! | the version that loads take, and rolling back | [`Standing`], [`ArtifactStore::make_current`] |
//! | a pool that has room for every program | [`ArtifactStore::manifests`] |
//! | a verdict about an artifact without keeping it | [`ArtifactStore::admissible`] |
//! | a newer release or timestamp | [`ArtifactStore::add_release`] |
//! | why something is too old | [`RollbackRefusal`] |
//! | why something failed | [`StoreError`], [`AdmissionError`] |
//! | the steps of a loader, which a host takes from `edgec-loader` | [`ArtifactStore::candidates`], [`ArtifactStore::open_entry`], [`ArtifactStore::guard_mapped`], [`ArtifactStore::is_renewed`], [`written`] |
//! | a clock other than the system's | [`ArtifactStore::with_clock`] |
//! | a new store that is removed again if nothing is admitted | [`ArtifactStore::create_new`] |
//!
//! An error names the file that it is about, and prints itself and not its source:
//! [`error_chain`](edgec_verifier::error_chain) prints both.
//!
//! # The folder
//!
//! ```text
//! STORE/
//!   edgec-store            `edgec store 1`
//!   artifacts/
//!     <digest>.elf         an image, named by its fs-verity digest, which is signed
//!     <digest>-<sha>.dsse  an envelope over it, and the SHA-256 of that
//!     <digest>-<sha>.provenance    the provenance that it was admitted with, if there was one
//!     <digest>-<sha>.tlog-proof    the proof of a transparency log, if there was one
//!     <digest>-<sha>.sbom          its bill of materials, if the policy asked for one
//!     <digest>-<sha>.rebuilds      notaries' statements about it, if it was admitted with any
//!     <digest>-<sha>.admitted      when the store first saw each signature on it
//!   names/<key>/           an application in a channel
//!     <version>            a version: an artifact per target
//!     current              the version that a load takes
//!   releases/<key>/        the same application
//!     floors               the highest version and serial that were admitted
//!     <serial>.release     a release
//!     timestamp            the newest timestamp
//!     staged               artifacts of a release that is not complete yet
//!   clock                  a time that has passed
//!   temporary/             unfinished files
//!   admissions, changes, turn    locks
//! ```
//!
//! Finished files are never written again. They are only replaced by renaming, or removed. Their
//! mode forbids writing, and if the file system has fs-verity, the kernel forbids it too. Only the
//! store's owner, who is this user or root, can change the folders. A load in
//! [`LoadMode::TrustedStore`] relies on that, and every opening checks it.

// A store relies on two things that Linux has: folders by their descriptors, and fs-verity.
#![cfg(target_os = "linux")]
#![warn(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::indexing_slicing,
    unnameable_types
)]

mod admission;
mod admission_error;
mod application;
mod clock;
mod collection;
#[expect(unsafe_code, reason = "maps the copy that it verifies")]
mod copy;
mod error;
mod guarding;
mod history;
mod judging;
mod known;
mod list;
mod manifests;
mod names;
mod new;
mod news;
#[expect(unsafe_code, reason = "states that a store's image stays as it is")]
mod opening;
mod replacement;
mod rollback;
#[expect(unsafe_code, reason = "maps files")]
mod stable;
mod staged;
mod statements;
mod survey;
#[expect(unsafe_code, reason = "maps a file that has no name")]
mod unnamed;
mod verdicts;
mod verification;
#[expect(unsafe_code, reason = "asks the kernel for fs-verity")]
mod verity;
mod version;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use edgec_files::FolderError;
use edgec_files::{Folder, Hold};

/// The crate of verification, for everything around a policy.
pub use edgec_verifier as verifier;
pub use edgec_verifier::{
    ArtifactFileError, Check, Clock, ClockError, EngineProfile, Expected, Facts, HostProfile,
    LoadMode, LoadModeError, Manifest, NameError, ProgramKind, SystemClock, TrustPolicy, UnixTime,
    Verdict, VerifyError, VerityDigest,
};

pub use self::admission::{Admission, Change};
pub use self::admission_error::AdmissionError;
pub use self::application::Application;
pub use self::collection::{Collected, Collection};
pub use self::error::StoreError;
pub use self::guarding::written;
pub use self::list::{Condition, Listing, StoredArtifact};
pub use self::manifests::CurrentManifests;
pub use self::names::{Choice, Removal};
pub use self::new::NewStore;
pub use self::news::NewestRelease;
pub use self::opening::{Candidates, OpenedImage};
pub use self::rollback::RollbackRefusal;
pub use self::stable::{StableFile, View};
pub use self::survey::Problem;
pub use self::unnamed::verify_unnamed;
pub use self::verification::{Verification, Verifications};
pub use self::version::{Entry, OtherKind, Standing};

use self::history::History;
use self::known::KnownVersions;
use self::verdicts::Verdicts;
use self::version::StoredVersion;

/// The content of the file that identifies a store.
const FORMAT: &[u8] = b"edgec store 1\n";
const FORMAT_FILE: &str = "edgec-store";
/// The longest version or envelope, in bytes: no longer envelope is admitted.
const MAX_SMALL_LEN: u64 = edgec_verifier::MAX_ENVELOPE_LEN;
/// The folders of a store.
const FOLDERS: [&str; 3] = ["artifacts", "names", "temporary"];
/// An admission holds this lock shared until its files are named. A collection holds it
/// exclusively.
const ADMISSIONS: &str = "admissions";
/// A process holds this lock while it waits for [`ADMISSIONS`], and releases it when it has that
/// one. The kernel grants shared locks even while a process waits for an exclusive one. So without
/// a turn, a collection would wait as long as admissions overlap.
const TURN: &str = "turn";
/// A process holds this lock while it changes names, or makes a store.
const CHANGES: &str = "changes";
/// The files that exist only as locks.
const LOCKS: [&str; 3] = [TURN, ADMISSIONS, CHANGES];

/// A folder of artifacts that were verified when they were admitted.
///
/// Cloning is cheap, and clones share their signature verdicts. Any number of processes may use one
/// folder. The store takes the time from the system's clock, or from another one
/// ([`Self::with_clock`]).
#[derive(Clone, Debug)]
pub struct ArtifactStore(Arc<Inner>, Arc<dyn Clock>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    root: Folder,
    artifacts: Folder,
    names: Folder,
    temporary: Folder,
    verdicts: Verdicts,
    known: KnownVersions,
}

impl ArtifactStore {
    /// Opens an existing store.
    ///
    /// # Errors
    ///
    /// [`StoreError`], also if users other than this one and root can change the folder or one
    /// above it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let name = || path.display().to_string();
        let root = Folder::root(path).map_err(|error| match error.is_absence() {
            true => StoreError::Absent { name: name() },
            false => error.into(),
        })?;
        let not_a_store = || StoreError::NotAStore { name: name() };
        match root.read(FORMAT_FILE, MAX_SMALL_LEN) {
            Ok(format) if format == FORMAT => {}
            Ok(_) => return Err(not_a_store()),
            Err(error) if error.is_absence() => return Err(not_a_store()),
            Err(error) => return Err(error.into()),
        }
        for lock in LOCKS {
            root.judge_lock_if_there(lock)?;
        }
        let inner = Inner {
            artifacts: root.folder("artifacts")?,
            names: root.folder("names")?,
            temporary: root.folder("temporary")?,
            path: path.to_owned(),
            verdicts: Verdicts::default(),
            known: KnownVersions::default(),
            root,
        };
        Ok(Self(Arc::new(inner), Arc::new(SystemClock)))
    }

    /// Makes a store if the folder is empty or does not exist. Opens an existing store.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. Then nothing new is left behind.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (store, new) = Self::create_new(path)?;
        if let Some(new) = new {
            new.keep();
        }
        Ok(store)
    }

    /// Like [`Self::create`]. If it made the store, it also returns a [`NewStore`]. Unless that
    /// value is kept, the store is removed again.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. Then nothing new is left behind.
    pub fn create_new(path: impl AsRef<Path>) -> Result<(Self, Option<NewStore>), StoreError> {
        let path = path.as_ref();
        let new = NewStore::make(path)?;
        Ok((Self::open(path)?, new))
    }

    /// The same store with another clock. Clones use this clock too.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self(self.0, Arc::new(clock))
    }

    /// The store's clock: [`SystemClock`], if no other clock was given.
    pub fn clock(&self) -> &dyn Clock {
        &*self.1
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The time now, by the store's clock.
    fn now(&self) -> Result<UnixTime, ClockError> {
        self.1.now()
    }

    /// The version that `application` names.
    fn stored_version(&self, application: &Application) -> Result<Arc<StoredVersion>, StoreError> {
        if let Some(stored) = self.0.known.get(&self.0.names, application) {
            return Ok(stored);
        }
        let found = self.history(application)?.find_open(application)?;
        let (stored, file) = found.ok_or_else(|| application.unknown())?;
        let stored = Arc::new(stored);
        if application.version.is_none() {
            self.0.known.put(application, file, &stored);
        }
        Ok(stored)
    }

    /// The versions of an application, if it has any.
    fn history(&self, application: &Application) -> Result<History<'_>, StoreError> {
        History::of(&self.0.names, &self.0.temporary, application)
    }

    /// Waits until no collection runs. A collection also waits until no admission runs.
    fn admissions(&self, hold: Hold) -> Result<File, StoreError> {
        let _turn = self.locked(TURN, hold)?;
        self.locked(ADMISSIONS, hold)
    }

    /// Waits for a lock. The lock is held until the file is dropped.
    fn locked(&self, name: &str, hold: Hold) -> Result<File, StoreError> {
        Ok(self.0.root.locked(name, hold)?)
    }
}
