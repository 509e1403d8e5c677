//! The store of a development server, in the user's cache folder. It holds one application, and
//! only the version that is served.

use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use edgec_loader::LoadError;
use edgec_loader::store::{Application, ArtifactStore, StoreError};
use edgec_verifier::{Expected, Manifest, TrustPolicy};
use etcetera::BaseStrategy as _;

use crate::failure::Failure;
use crate::failures::loader::{load_failure, store_failure};
use crate::files;

/// A store for one input.
pub(super) struct Shelf {
    folder: PathBuf,
    store: ArtifactStore,
    name: String,
}

impl Shelf {
    /// The store for this input, which may have an old version from an earlier run.
    pub(super) fn open(input: &Path, name: &str) -> Result<Self, Failure> {
        let home = etcetera::choose_base_strategy().map_err(|error| {
            Failure::environment("no-home", &error)
                .about("the store of the development server")
                .hint("set HOME")
        })?;
        // Two inputs of one name in different folders are different programs.
        let whole = std::path::absolute(input).unwrap_or_else(|_| input.to_owned());
        let digest = Sha256Digest::of(whole.as_os_str().as_encoded_bytes()).to_string();
        let short = digest.get(..16).unwrap_or(&digest);
        let folder = home.cache_dir().join("edgec").join("dev").join(short);
        files::create_private(&folder)?;
        let store = ArtifactStore::create(folder.join("store"));
        Ok(Self {
            store: store.map_err(|error| store_failure(&error))?,
            folder,
            name: name.to_owned(),
        })
    }

    /// The store's folder.
    pub(super) fn path(&self) -> &Path {
        self.store.path()
    }

    /// Where the next artifact is written, before the store takes it.
    pub(super) fn artifact(&self) -> PathBuf {
        self.folder.join("next.cwasm")
    }

    /// A version that is newer than all in the store.
    pub(super) fn next_version(&self) -> Result<u64, Failure> {
        let listing = self.store.list().map_err(|error| store_failure(&error))?;
        let own = listing.artifacts.iter().filter(|it| it.name == self.name);
        Ok(own
            .map(|it| it.version)
            .max()
            .map_or(1, |newest| newest.saturating_add(1)))
    }

    /// Takes an artifact into the store, and removes its file.
    pub(super) fn admit(&self, artifact: &Path, policy: &TrustPolicy) -> Result<Manifest, Failure> {
        let expected = Expected::application(&self.name);
        let admitted = self.store.add(artifact, policy, &expected);
        // If it stays, the next build replaces it.
        let _ = std::fs::remove_file(artifact);
        let admitted = admitted.map_err(|error| load_failure(&LoadError::from(error)))?;
        Ok(admitted.manifest)
    }

    /// Removes all versions except this one. What runs goes on: its memory is mapped.
    pub(super) fn keep_only(&self, version: u64) -> Result<(), Failure> {
        let failed = |error: StoreError| store_failure(&error);
        let listing = self.store.list().map_err(failed)?;
        for old in listing.artifacts.iter().filter(|it| it.version != version) {
            let mut wanted = Application::new(&*old.name).version(old.version);
            if let Some(channel) = &old.channel {
                wanted = wanted.in_channel(channel);
            }
            self.store.remove(wanted).map_err(failed)?;
        }
        self.store.collect().map_err(failed)?;
        Ok(())
    }
}
