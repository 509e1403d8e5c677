//! A publisher who pushes to an OCI layout in a folder, hosts that pull from it, and a mirror that
//! changes what is there.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use edgec_files::Unnamed;
use edgec_registry::{
    AdmitOptions, Admitted, ConnectOptions, Offer, PullError, Push, PushArtifact, PushError,
    Pushed, Reference, Session, Taken, Unseen,
};
use edgec_store::{EngineProfile, Expected, HostProfile, TrustPolicy};
use edgec_verifier::Sha256Digest;
use serde_json::Value;

use crate::publisher::{Edition, Host, expected};

/// A host that can run both targets of the publisher.
pub(crate) const BOTH: &str = "schema = 1\narch = 'x86_64'\nengine = '48.0.8'\n\
    profiles = ['default']\nfeatures = ['avx', 'avx2', 'bmi1', 'bmi2', 'cmpxchg16b', 'fma', \
    'lzcnt', 'popcnt', 'sse3', 'sse4.1', 'sse4.2', 'ssse3']\n";

/// A folder with a layout.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    pub(crate) session: Session,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            session: Session::new(ConnectOptions::default()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn reference(&self, tag: &str) -> Reference {
        let folder = self.path().join("layout");
        let text = format!("oci-layout:{}:{tag}", folder.display());
        text.parse().unwrap()
    }

    /// What a publisher pushes.
    pub(crate) fn push_of(&self, tag: &str, edition: &Edition) -> Push {
        let artifacts = edition.artifacts.iter().enumerate();
        let artifacts = artifacts
            .map(|(at, it)| PushArtifact::new(format!("{at}.cwasm"), it.file.clone()))
            .collect();
        let mut push = Push::new(self.reference(tag), artifacts);
        push.release = Some(edition.release.clone());
        push
    }

    pub(crate) fn push(&self, push: &Push) -> Result<Pushed, PushError> {
        self.session.push(push, &Unseen)
    }

    pub(crate) fn open(&self, tag: &str) -> Result<Offer, PullError> {
        self.session.open(&self.reference(tag))
    }

    /// A host with this profile pulls.
    pub(crate) fn pull_as(
        &self,
        tag: &str,
        host: &Host,
        profile: &str,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Admitted, PullError> {
        self.open(tag)?.admit(
            &host.store,
            policy,
            expected,
            &HostProfile::from_toml(profile).unwrap(),
            EngineProfile::Default,
            &AdmitOptions::default(),
            &Unseen,
        )
    }

    pub(crate) fn pull(
        &self,
        tag: &str,
        host: &Host,
        policy: &TrustPolicy,
    ) -> Result<Admitted, PullError> {
        self.pull_as(tag, host, BOTH, policy, &expected())
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.path().join("layout/blobs/sha256").join(hex)
    }

    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.blob_path(digest)).unwrap()
    }

    /// Writes a blob, and returns its digest and length.
    pub(crate) fn put(&self, bytes: &[u8]) -> (String, usize) {
        let digest = format!("sha256:{}", Sha256Digest::of(bytes));
        std::fs::write(self.blob_path(&digest), bytes).unwrap();
        (digest, bytes.len())
    }

    /// Changes the bytes of a blob, and not its name.
    pub(crate) fn damage(&self, digest: &str, bytes: &[u8]) {
        let path = self.blob_path(digest);
        let _ = std::fs::remove_file(&path);
        std::fs::write(path, bytes).unwrap();
    }

    /// The manifest under a tag.
    pub(crate) fn under(&self, tag: &str) -> Value {
        let index = self.layout();
        let entry = entry(&index, tag);
        let bytes = self.blob(index["manifests"][entry]["digest"].as_str().unwrap());
        serde_json::from_slice(&bytes).unwrap()
    }

    /// A mirror puts another manifest under a tag.
    pub(crate) fn replace(&self, tag: &str, manifest: &Value) {
        let mut index = self.layout();
        let at = entry(&index, tag);
        let (digest, size) = self.put(&serde_json::to_vec(manifest).unwrap());
        index["manifests"][at]["digest"] = digest.into();
        index["manifests"][at]["size"] = size.into();
        let bytes = serde_json::to_vec(&index).unwrap();
        std::fs::write(self.path().join("layout/index.json"), bytes).unwrap();
    }

    /// A mirror changes the index under a tag.
    pub(crate) fn change(&self, tag: &str, change: impl FnOnce(&mut Value)) {
        let mut index = self.under(tag);
        change(&mut index);
        self.replace(tag, &index);
    }

    /// A mirror changes the manifest of an entry of the index under a tag.
    pub(crate) fn change_entry(&self, tag: &str, at: usize, change: impl FnOnce(&mut Value)) {
        self.change(tag, |index| {
            let entry = &mut index["manifests"][at];
            let bytes = self.blob(entry["digest"].as_str().unwrap());
            let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
            change(&mut manifest);
            let (digest, size) = self.put(&serde_json::to_vec(&manifest).unwrap());
            entry["digest"] = digest.into();
            entry["size"] = size.into();
        });
    }

    fn layout(&self) -> Value {
        let bytes = std::fs::read(self.path().join("layout/index.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

/// The file of an artifact that is taken.
pub(crate) fn fetched(taken: &Taken<'_>) -> Result<Vec<u8>, PullError> {
    unnamed(|file, folder| taken.fetch(file, folder, &Unseen))
}

/// The content of a file beside an artifact that is taken.
pub(crate) fn fetched_beside(taken: &Taken<'_>, at: usize) -> Result<Vec<u8>, PullError> {
    let beside = &taken.beside()[at];
    unnamed(|file, folder| taken.fetch_beside(beside, file, folder, &Unseen))
}

fn unnamed(
    fill: impl FnOnce(&mut Unnamed, &Path) -> Result<(), PullError>,
) -> Result<Vec<u8>, PullError> {
    let folder = std::env::temp_dir();
    let mut file = Unnamed::new_in(&folder).unwrap();
    fill(&mut file, &folder)?;
    let mut bytes = Vec::new();
    file.read().unwrap().read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

/// The entry of a tag in `index.json`.
fn entry(index: &Value, tag: &str) -> usize {
    let mut entries = index["manifests"].as_array().unwrap().iter();
    let is_it = |it: &Value| it["annotations"]["org.opencontainers.image.ref.name"] == tag;
    entries.position(is_it).unwrap()
}

/// The error of a result, whose value has no form for people.
pub(crate) fn refused<T>(result: Result<T, PullError>) -> PullError {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}
