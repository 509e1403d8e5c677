//! The versions of an application. Names point at them, and each has an artifact per target.
//!
//! `names/<digest>/<version>` is a version, and `names/<digest>/current` is the one that a load
//! takes. The digest is the SHA-256 of name and channel with a zero byte between them, so any name
//! fits into a file name.

use edgec_verifier::{Manifest, ProgramKind, Sha256Digest, VerityDigest};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::application::folder_of;

/// The name of the version that a load takes.
pub(crate) const CURRENT: &str = "current";

/// One version of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StoredVersion {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    pub(crate) version: u64,
    pub(crate) artifacts: Vec<Entry>,
    /// For the current version: it was chosen although newer versions existed, and no newer version
    /// replaces it by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) chosen: bool,
}

/// Whether loads of a name take an admitted version, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Loads take it.
    Current,
    /// A newer version is current.
    Older {
        /// The current version.
        current: u64,
    },
    /// An older version was made current ([`super::ArtifactStore::make_current`]). It stays current
    /// until another version is made current.
    Chosen {
        /// The current version.
        current: u64,
    },
    /// Some hosts that run the current version have no artifact of this one yet. It becomes current
    /// with the last of these artifacts, or if it is made current.
    Lacks {
        /// The current version.
        current: u64,
        /// The target and engine profile of each missing artifact.
        targets: Vec<String>,
    },
}

/// The version that was current before, if its programs are of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherKind {
    /// The version that was current.
    pub version: u64,
    /// Its kind.
    pub kind: ProgramKind,
}

/// One artifact of a version: its target and engine profile, its image and its envelope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    pub(crate) target: String,
    pub(crate) profile: String,
    /// The image's fs-verity digest.
    pub(crate) image: VerityDigest,
    /// The envelope's SHA-256.
    pub(crate) envelope: Sha256Digest,
}

impl Entry {
    pub(crate) fn of(manifest: &Manifest, envelope: &[u8]) -> Self {
        Self {
            target: manifest.target.id.clone(),
            profile: manifest.engine.profile.clone(),
            image: manifest.image.fsverity,
            envelope: Sha256Digest::of(envelope),
        }
    }

    /// The target and the profile, for messages.
    pub(crate) fn fits(&self) -> String {
        format!("{} ({})", self.target, self.profile)
    }

    /// Whether both are for the same target and profile.
    pub(crate) fn is_for(&self, other: &Self) -> bool {
        (&self.target, &self.profile) == (&other.target, &other.profile)
    }

    pub(crate) fn image_name(&self) -> String {
        format!("{}.elf", self.image)
    }

    /// The name includes the envelope's digest, since an image may have been signed more than once,
    /// under other names or versions.
    pub(crate) fn envelope_name(&self) -> String {
        format!("{}-{}.dsse", self.image, self.envelope)
    }

    /// The names of all files of the artifact.
    pub(crate) fn file_names(&self) -> [String; 7] {
        [
            self.image_name(),
            self.envelope_name(),
            self.provenance_name(),
            self.log_proof_name(),
            self.sbom_name(),
            self.record_name(),
            self.rebuild_name(),
        ]
    }

    /// What the store remembers about the artifact's admission.
    pub(crate) fn record_name(&self) -> String {
        format!("{}-{}.admitted", self.image, self.envelope)
    }

    /// The notaries' statements about the artifact, if it was admitted with any; one a line.
    pub(crate) fn rebuild_name(&self) -> String {
        format!("{}-{}.rebuilds", self.image, self.envelope)
    }

    /// The proof of a transparency log, if the artifact was admitted with one.
    pub(crate) fn log_proof_name(&self) -> String {
        format!("{}-{}.tlog-proof", self.image, self.envelope)
    }

    /// The bill of materials of the artifact, if it was admitted with one under a policy that asks
    /// for one.
    pub(crate) fn sbom_name(&self) -> String {
        format!("{}-{}.sbom", self.image, self.envelope)
    }

    /// The provenance of the artifact, if it was admitted with one.
    pub(crate) fn provenance_name(&self) -> String {
        format!("{}-{}.provenance", self.image, self.envelope)
    }
}

impl StoredVersion {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            channel: manifest.channel.clone(),
            version: manifest.version,
            artifacts: Vec::new(),
            chosen: false,
        }
    }

    /// The same version, without its artifacts.
    pub(crate) fn without_artifacts(&self) -> Self {
        Self {
            artifacts: Vec::new(),
            chosen: false,
            ..self.clone()
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::damaged(self.name.clone(), error))
    }

    /// Adds an artifact. If the version has an artifact for the same target and profile, this
    /// replaces and returns it.
    pub(crate) fn put(&mut self, entry: Entry) -> Option<Entry> {
        let earlier = self.artifacts.iter().position(|known| known.is_for(&entry));
        let earlier = earlier.map(|at| self.artifacts.remove(at));
        self.artifacts.push(entry);
        self.artifacts
            .sort_by(|a, b| (&a.target, &a.profile).cmp(&(&b.target, &b.profile)));
        earlier
    }

    /// Whether this version replaces the current one, which is another.
    pub(crate) fn standing(&self, other: &Self) -> Standing {
        let current = other.version;
        let lacks = |wanted: &&Entry| {
            let mut artifacts = self.artifacts.iter();
            !artifacts.any(|it| it.is_for(wanted))
        };
        let lacking = other.artifacts.iter().filter(lacks);
        let targets: Vec<String> = lacking.map(Entry::fits).collect();
        if current > self.version {
            Standing::Older { current }
        } else if other.chosen {
            Standing::Chosen { current }
        } else if targets.is_empty() {
            Standing::Current
        } else {
            Standing::Lacks { current, targets }
        }
    }

    /// The name of the folder that the version belongs in.
    pub(crate) fn folder(&self) -> String {
        folder_of(&self.name, self.channel.as_deref())
    }
}

/// The number of the version in a file of this name. `None` unless the name is a number as the
/// store writes it.
pub(crate) fn version_of(file: &str) -> Option<u64> {
    let version: u64 = file.parse().ok()?;
    (version.to_string() == file).then_some(version)
}
