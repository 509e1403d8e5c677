//! The admission store: an artifact is verified once, when it is admitted, and from then on loaded
//! in constant time, also after a restart.
//!
//! ```text
//! STORE/
//!   edgec-store            `edgec store 1`
//!   artifacts/
//!     <digest>.elf         an image, named by its fs-verity digest, which is signed
//!     <digest>-<sha>.dsse  an envelope over it, and the SHA-256 of that
//!   names/<key>/           an application in a channel
//!     <version>            a release: an artifact per target
//!     current              the release that a load takes
//!   temporary/             files in the making
//!   admissions, changes, turn    locks
//! ```
//!
//! Finished files are never written again, only replaced by renaming or removed. Their mode forbids
//! writing, and where the file system has fs-verity, the kernel forbids it too. Only the store's
//! owner, who is this user or root, can change the folders: that is what a load in
//! [`LoadMode::TrustedStore`](crate::LoadMode) relies on, and what every opening checks.
//!
//! ```no_run
//! use edgec_loader::store::Store;
//! use edgec_loader::{EngineProfile, Limits, TrustPolicy, engine};
//!
//! let policy = TrustPolicy::read("trust.toml".as_ref(), &[], 0)?;
//! let engine = engine(EngineProfile::Edge, &Limits::OnDemand)?;
//! let store = Store::open("/var/lib/edgec")?;
//! let component = store.load(&engine, "acme/shop", &policy)?;
//! println!("{}", component.report().mode);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
mod collection;
mod deployment;
mod error;
mod folder;
mod guarding;
mod history;
mod judging;
mod known;
mod list;
mod loading;
mod manifests;
mod names;
mod new;
mod policy_source;
mod release;
mod survey;
mod temporary;
mod trust;
mod verdicts;
mod verification;
mod way;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

pub use self::admission::{Admission, Change};
pub use self::collection::Collection;
pub use self::deployment::{Deployment, RefreshError, Refreshed};
pub use self::error::StoreError;
pub use self::list::{Condition, StoredArtifact};
pub use self::names::{Choice, Removal};
pub use self::new::NewStore;
pub use self::policy_source::{PolicyFile, PolicySource, PolicySourceError};
pub use self::release::{Application, OtherKind, Standing};
pub use self::survey::Problem;
pub use self::trust::{Distrust, Distrusted};
pub use self::verification::Verification;

use self::folder::Folder;
use self::history::History;
use self::known::KnownReleases;
use self::release::Release;
use self::verdicts::Verdicts;

/// What the folder says that it is.
const FORMAT: &[u8] = b"edgec store 1\n";
const FORMAT_FILE: &str = "edgec-store";
/// In which everything lies.
const FOLDERS: [&str; 3] = ["artifacts", "names", "temporary"];
/// Held shared by an admission until its files are named, exclusively by a collection.
const ADMISSIONS: &str = "admissions";
/// Held while a process waits for [`ADMISSIONS`], and released when it has that. The kernel grants
/// shared locks even while an exclusive one is waited for: without a turn, a collection would wait
/// for as long as admissions overlap.
const TURN: &str = "turn";
/// Held while names are changed, and while a store is made.
const CHANGES: &str = "changes";
/// The files that are there to be locked.
const LOCKS: [&str; 3] = [TURN, ADMISSIONS, CHANGES];

/// A folder of artifacts that were verified when they were admitted.
///
/// Cheap to clone; clones share what they know of signatures. Any number of processes may use
/// one folder.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    root: Folder,
    artifacts: Folder,
    names: Folder,
    temporary: Folder,
    verdicts: Verdicts,
    known: KnownReleases,
}

impl Store {
    /// Opens a store that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`], also when users other than this one and root can change the folder or one
    /// above it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let name = || path.display().to_string();
        let root = Folder::root(path).map_err(|error| match error.is_absence() {
            true => StoreError::Absent { name: name() },
            false => error,
        })?;
        let not_a_store = || StoreError::NotAStore { name: name() };
        match root.read(FORMAT_FILE) {
            Ok(format) if format == FORMAT => {}
            Ok(_) => return Err(not_a_store()),
            Err(error) if error.is_absence() => return Err(not_a_store()),
            Err(error) => return Err(error),
        }
        for lock in LOCKS {
            root.judge_lock_if_there(lock)?;
        }
        Ok(Self(Arc::new(Inner {
            artifacts: root.folder("artifacts")?,
            names: root.folder("names")?,
            temporary: root.folder("temporary")?,
            path: path.to_owned(),
            verdicts: Verdicts::default(),
            known: KnownReleases::default(),
            root,
        })))
    }

    /// Makes a store, where there is an empty folder or none, or opens the one that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing new is then left behind.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (store, new) = Self::create_new(path)?;
        if let Some(new) = new {
            new.keep();
        }
        Ok(store)
    }

    /// As [`Self::create`]; also gives what was made if the store was not there. Unless that is
    /// kept, the store is removed again.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing new is then left behind.
    pub fn create_new(path: impl AsRef<Path>) -> Result<(Self, Option<NewStore>), StoreError> {
        let path = path.as_ref();
        let new = NewStore::make(path)?;
        Ok((Self::open(path)?, new))
    }

    /// Where the store lies.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The release that is meant.
    fn release(&self, application: &Application) -> Result<Arc<Release>, StoreError> {
        if let Some(release) = self.0.known.get(&self.0.names, application) {
            return Ok(release);
        }
        let found = self.history(application)?.find_open(application)?;
        let (release, file) = found.ok_or_else(|| application.unknown())?;
        let release = Arc::new(release);
        if application.version.is_none() {
            self.0.known.put(application, file, &release);
        }
        Ok(release)
    }

    /// The releases of an application that has some.
    fn history(&self, application: &Application) -> Result<History<'_>, StoreError> {
        History::of(&self.0.names, &self.0.temporary, application)
    }

    /// Waits until no collection runs, or, for one, no admission either.
    fn admissions(&self, operation: FlockOperation) -> Result<File, StoreError> {
        let _turn = self.locked(TURN, operation)?;
        self.locked(ADMISSIONS, operation)
    }

    /// Waits for a lock; it is held until the file is dropped.
    fn locked(&self, name: &str, operation: FlockOperation) -> Result<File, StoreError> {
        self.0.root.locked(name, operation)
    }
}
