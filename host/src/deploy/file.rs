//! An artifact in a file instead of a store. It is verified as a whole at each load.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use edgec_loader::store::{ArtifactSource, Candidate, SourceFailure};
use edgec_loader::verifier::open_artifact;
use edgec_loader::{EngineProfile, Expected, LoadError, Manifest, TrustPolicy, VerifiedFile};

use crate::HostError;
use crate::config::ApplicationConfig;

/// A file that holds the current version of an application.
pub(super) struct ArtifactFile {
    path: PathBuf,
    target: String,
}

impl ArtifactFile {
    pub(super) fn new(path: &Path, manifest: &Manifest) -> Self {
        Self {
            path: path.to_owned(),
            target: manifest.target.id.clone(),
        }
    }

    /// The manifest in the file, verified.
    pub(super) fn manifest(
        path: &Path,
        config: &ApplicationConfig,
        policy: &TrustPolicy,
    ) -> Result<Manifest, HostError> {
        let expected = super::expected(&config.name, config);
        let failed = |source| HostError::Load {
            application: config.name.clone(),
            source,
        };
        let file = VerifiedFile::open(path, policy, &expected).map_err(failed)?;
        let manifest = file.manifest();
        if manifest.engine.profile != EngineProfile::Edge.name() {
            return Err(HostError::NotEdge {
                application: config.name.clone(),
                profile: manifest.engine.profile.clone(),
            });
        }
        Ok(manifest.clone())
    }
}

impl ArtifactSource for ArtifactFile {
    fn candidates(&self) -> Result<Vec<Candidate>, SourceFailure> {
        let file = std::fs::metadata(&self.path)?;
        // A file that was written or replaced differs in one of these.
        let stamp = format!(
            "{}:{}:{}:{}.{}",
            file.dev(),
            file.ino(),
            file.size(),
            file.mtime(),
            file.mtime_nsec()
        );
        // The load compares the artifact's own target and profile with this host.
        let profile = EngineProfile::Edge.name();
        Ok(vec![Candidate::new(stamp, &self.target, profile)])
    }

    fn read(&self, _: &Candidate) -> Result<Vec<u8>, SourceFailure> {
        let (file, len) = open_artifact(&self.path).map_err(LoadError::from)?;
        let mut bytes = Vec::new();
        file.take(len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// What a file says about itself, for a host whose user names no application.
///
/// # Errors
///
/// [`LoadError`] names the first problem.
pub fn application_in(
    path: &Path,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<ApplicationConfig, LoadError> {
    let file = VerifiedFile::open(path, policy, expected)?;
    let manifest = file.manifest();
    let mut config = ApplicationConfig::new(&manifest.name);
    config.channel.clone_from(&manifest.channel);
    config.artifact = Some(path.to_owned());
    Ok(config)
}
