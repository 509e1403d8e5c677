//! An artifact in a file instead of a store. It is verified as a whole at each load.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use edgec_loader::store::{ArtifactSource, Candidate, SourceFailure};
use edgec_loader::verifier::artifact::{MAX_COMPANION_LEN, MAX_SBOM_LEN};
use edgec_loader::verifier::open_artifact;
use edgec_loader::{EngineProfile, Expected, LoadError, Manifest, TrustPolicy, VerifiedFile};

use crate::HostError;
use crate::config::{ApplicationConfig, StatementFiles};

/// A file that holds the current version of an application.
pub(super) struct ArtifactFile {
    path: PathBuf,
    statements: StatementFiles,
    target: String,
}

impl ArtifactFile {
    pub(super) fn new(path: &Path, statements: &StatementFiles, manifest: &Manifest) -> Self {
        Self {
            path: path.to_owned(),
            statements: statements.clone(),
            target: manifest.target.id.clone(),
        }
    }

    /// The manifest in the file, verified.
    pub(super) fn manifest(
        path: &Path,
        config: &ApplicationConfig,
        policy: &TrustPolicy,
    ) -> Result<Manifest, HostError> {
        let failed = |source| HostError::File {
            application: config.name.clone(),
            path: path.to_owned(),
            source: Box::new(source),
        };
        let expected = super::expected(&config.name, config);
        let expected = with_statements(expected, &config.statements)
            .map_err(|error| failed(LoadError::Source(error)))?;
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
        let mut stamp = String::new();
        for path in std::iter::once(&self.path).chain(self.statements.all()) {
            let file = std::fs::metadata(path)?;
            // A file that was written or replaced differs in one of these.
            let (dev, ino, size) = (file.dev(), file.ino(), file.size());
            let (seconds, nanoseconds) = (file.mtime(), file.mtime_nsec());
            write!(stamp, "{dev}:{ino}:{size}:{seconds}.{nanoseconds};")?;
        }
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

    fn with_statements(
        &self,
        _: &Candidate,
        expected: Expected,
    ) -> Result<Expected, SourceFailure> {
        with_statements(expected, &self.statements)
    }
}

/// Reads what lies beside the artifact.
fn with_statements(
    mut expected: Expected,
    files: &StatementFiles,
) -> Result<Expected, SourceFailure> {
    for path in &files.release {
        expected = expected.with_release(statement(path)?);
    }
    for path in &files.timestamp {
        expected = expected.with_timestamp(statement(path)?);
    }
    for path in &files.notary {
        expected = expected.with_rebuild(statement(path)?);
    }
    for path in &files.provenance {
        expected = expected.with_provenance(statement(path)?);
    }
    for path in &files.bundle {
        expected = expected.with_log_proof(statement(path)?);
    }
    for path in &files.sbom {
        expected = expected.with_sbom(beside(path, MAX_SBOM_LEN)?);
    }
    Ok(expected)
}

fn statement(path: &Path) -> Result<Vec<u8>, SourceFailure> {
    beside(path, MAX_COMPANION_LEN)
}

fn beside(path: &Path, most: u64) -> Result<Vec<u8>, SourceFailure> {
    let named = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    // It opens regular files only, so that a pipe does not hold up the host.
    let (file, len) = open_artifact(path).map_err(|error| named(&error))?;
    if len > most {
        return Err(named(&"too long for a statement about an artifact").into());
    }
    let mut bytes = Vec::new();
    let read = file.take(len).read_to_end(&mut bytes);
    read.map_err(|error: io::Error| named(&error))?;
    Ok(bytes)
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
