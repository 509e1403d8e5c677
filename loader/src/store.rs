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
//!   admissions, changes    locks
//! ```
//!
//! Finished files are never written again, only replaced by renaming or removed. Their mode lets nobody
//! write them, and where the file system has fs-verity, neither does the kernel. Only the
//! store's owner, who is this user or root, can change the folders: that is what a load in
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
mod deployment;
mod error;
mod folder;
mod loading;
mod release;
mod upkeep;
mod verdicts;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

pub use self::admission::Admitted;
pub use self::deployment::{Deployment, RefreshError, Refreshed};
pub use self::error::StoreError;
pub use self::release::Application;
pub use self::upkeep::{Collected, Listed};

use self::folder::Folder;
use self::release::Release;
use self::verdicts::Verdicts;

/// What the folder says that it is.
const FORMAT: &[u8] = b"edgec store 1\n";
const FORMAT_FILE: &str = "edgec-store";
/// Held shared by an admission until its files are named, exclusively by a collection.
const ADMISSIONS: &str = "admissions";
/// Held while names are changed.
const CHANGES: &str = "changes";

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
}

impl Store {
    /// Opens a store that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: also when the folder, or one above it, can be changed by others than this user
    /// and root.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let root = Folder::root(path)?;
        let not_a_store = || StoreError::NotAStore {
            name: path.display().to_string(),
        };
        match root.read(FORMAT_FILE) {
            Ok(format) if format == FORMAT => {}
            Ok(_) => return Err(not_a_store()),
            Err(error) if error.is_absence() => return Err(not_a_store()),
            Err(error) => return Err(error),
        }
        Ok(Self(Arc::new(Inner {
            artifacts: root.folder("artifacts")?,
            names: root.folder("names")?,
            temporary: root.folder("temporary")?,
            path: path.to_owned(),
            verdicts: Verdicts::default(),
            root,
        })))
    }

    /// Makes a store, where there is an empty folder or none, or opens the one that is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let fails = |source| StoreError::Io {
            name: path.display().to_string(),
            source,
        };
        std::fs::create_dir_all(path).map_err(fails)?;
        let root = Folder::root(path)?;
        if !root.has(FORMAT_FILE) {
            let ours = ["artifacts", "names", "temporary"];
            if root.names()?.iter().any(|name| !ours.contains(&&**name)) {
                let name = path.display().to_string();
                return Err(StoreError::NotAStore { name });
            }
            for name in ours {
                root.folder_or_new(name)?;
            }
            let temporary = root.folder("temporary")?;
            root.replace(&temporary, FORMAT_FILE, FORMAT)?;
        }
        Self::open(path)
    }

    /// Where the store lies.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The image that a load would take, for people and tools that look at it: whoever opens
    /// a path trusts whatever is there then.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn image_paths(
        &self,
        application: impl Into<Application>,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let release = self.release(&application.into())?;
        let artifacts = self.0.path.join("artifacts");
        let paths = release.artifacts.iter();
        Ok(paths
            .map(|entry| artifacts.join(entry.image_name()))
            .collect())
    }

    /// The release that is meant.
    fn release(&self, application: &Application) -> Result<Release, StoreError> {
        application.check()?;
        let unknown = |error: StoreError| match error.is_absence() {
            true => StoreError::Unknown {
                what: application.to_string(),
            },
            false => error,
        };
        let folder = self.0.names.folder(&application.folder());
        let folder = folder.map_err(unknown)?;
        let file = application.release();
        let release = Release::decode(&folder.read(&file).map_err(unknown)?, &folder.name(&file))?;
        if !release.is(application) {
            let what = "it is the release of another application";
            return Err(StoreError::damaged(folder.name(&file), what));
        }
        Ok(release)
    }

    /// Waits for a lock; it is held until the file is dropped.
    fn locked(&self, name: &str, operation: FlockOperation) -> Result<File, StoreError> {
        let file = self.0.root.lock(name)?;
        flock(&file, operation).map_err(|error| StoreError::io(name, error))?;
        Ok(file)
    }
}
