//! A host's own source of artifacts instead of an admission store: an object storage, a database, a
//! registry.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use edgec_store::StoreError;
use edgec_verifier::{Expected, ProgramKind, TrustPolicy, UnixTime};

use crate::load::wanted;
use crate::loaded::first_that_fits;
use crate::{HostEngine, LoadError, LoadReport, VerifiedFile};

/// Why a host's own source failed.
pub type SourceFailure = Box<dyn Error + Send + Sync>;

/// The source of the artifacts of one application, if that is not an admission store.
///
/// A source only finds and reads. The loader copies the bytes into memory that no process can
/// change. It verifies the copy, with the current policy and the application that the host expects
/// ([`Versions::from_source`](super::Versions::from_source)). No artifact is trusted because of its
/// source, and a source need not check anything. A source's statements about an artifact
/// ([`Candidate`]) decide only which one is tried first. So the worst that a wrong or hostile
/// source can do is to withhold artifacts, or to give an older one that the policy still accepts
/// (`minimum-version` in a policy forbids that).
///
/// An [`ArtifactStore`](super::ArtifactStore) is not a source: it opens images that it verified at
/// admission, and needs no copy of them. [`Versions::in_store`](super::Versions::in_store) takes it
/// as it is. So a host with origins of both kinds has one type for them, `Versions`.
///
/// The calls may block. A [`Deployment`](super::Deployment) makes them in its refreshes, and when
/// the verdict about the version in use must be renewed.
///
/// ```
/// use edgec_loader::store::{ArtifactSource, Candidate, SourceFailure};
///
/// /// One folder for each application, with an artifact for each target.
/// struct Folder(std::path::PathBuf);
///
/// impl ArtifactSource for Folder {
///     fn candidates(&self) -> Result<Vec<Candidate>, SourceFailure> {
///         let list = std::fs::read_to_string(self.0.join("targets"))?;
///         let candidate = |target: &str| Candidate::new(format!("{target}.cwasm"), target, "edge");
///         Ok(list.lines().map(candidate).collect())
///     }
///
///     fn read(&self, candidate: &Candidate) -> Result<Vec<u8>, SourceFailure> {
///         Ok(std::fs::read(self.0.join(candidate.id()))?)
///     }
/// }
/// ```
pub trait ArtifactSource: Send + Sync {
    /// The artifacts of the version that should run, for all targets and engine profiles. Every
    /// refresh calls this, so it should not take long.
    ///
    /// # Errors
    ///
    /// An error of the host's own.
    fn candidates(&self) -> Result<Vec<Candidate>, SourceFailure>;

    /// The bytes of an artifact's file. The same [`Candidate::id`] must always give the same bytes.
    ///
    /// # Errors
    ///
    /// An error of the host's own.
    fn read(&self, candidate: &Candidate) -> Result<Vec<u8>, SourceFailure>;

    /// Adds what lies beside an artifact to what the host expects of it: the newest release, its
    /// timestamp, notaries' statements, proofs of a log ([`Expected::with_release`] and the methods
    /// after it), for a policy that demands them. A source remembers no floors: an older release is
    /// refused only when its timestamp has expired. A store refuses it at once.
    ///
    /// # Errors
    ///
    /// An error of the host's own.
    fn with_statements(
        &self,
        _candidate: &Candidate,
        expected: Expected,
    ) -> Result<Expected, SourceFailure> {
        Ok(expected)
    }
}

impl<S: ArtifactSource + ?Sized> ArtifactSource for Arc<S> {
    fn candidates(&self) -> Result<Vec<Candidate>, SourceFailure> {
        S::candidates(self)
    }

    fn read(&self, candidate: &Candidate) -> Result<Vec<u8>, SourceFailure> {
        S::read(self, candidate)
    }

    fn with_statements(
        &self,
        candidate: &Candidate,
        expected: Expected,
    ) -> Result<Expected, SourceFailure> {
        S::with_statements(self, candidate, expected)
    }
}

/// An artifact of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    id: String,
    target: String,
    profile: String,
}

impl Candidate {
    /// An artifact for a target and an engine profile. `id` identifies its bytes: other bytes need
    /// another id, such as their digest, or a name with a version.
    pub fn new(
        id: impl Into<String>,
        target: impl Into<String>,
        profile: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            target: target.into(),
            profile: profile.into(),
        }
    }

    /// The identifier of its bytes.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The target, as the source states it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The engine profile, as the source states it.
    pub fn profile(&self) -> &str {
        &self.profile
    }
}

/// The artifacts of the engine's profile that this CPU can run, by the source's statements. The
/// first uses most of the CPU. There is at least one.
pub(super) fn ranked(
    source: &dyn ArtifactSource,
    engine: &HostEngine,
    expected: &Expected,
) -> Result<Vec<Candidate>, LoadError> {
    let all = source.candidates().map_err(LoadError::Source)?;
    let (host, profile) = (engine.host(), engine.profile());
    let ranked = host.ranked(profile, &all, |it| (it.target(), it.profile()));
    if ranked.is_empty() {
        let named = |it: &Candidate| format!("{} ({})", it.target, it.profile);
        return Err(LoadError::Store(StoreError::NoFit {
            what: wanted(expected),
            targets: all.iter().map(named).collect(),
        }));
    }
    Ok(ranked.into_iter().cloned().collect())
}

/// The first artifact that this engine can load, verified.
pub(super) fn opened(
    source: &dyn ArtifactSource,
    engine: &HostEngine,
    expected: &Expected,
    policy: &TrustPolicy,
    kind: ProgramKind,
) -> Result<(Candidate, VerifiedFile), LoadError> {
    let open = |candidate: &Candidate| -> Result<VerifiedFile, LoadError> {
        let file = read(source, engine, candidate, expected, policy)?;
        file.fit(engine, kind)?;
        Ok(file)
    };
    let ranked = ranked(source, engine, expected)?;
    first_that_fits(ranked, open, || wanted(expected))
}

/// Judges a loaded version again. Returns how long the verdict holds. Loads nothing.
pub(super) fn judge_again(
    source: &dyn ArtifactSource,
    engine: &HostEngine,
    candidate: &Candidate,
    expected: &Expected,
    policy: &TrustPolicy,
    loaded: LoadReport,
) -> Result<Range<UnixTime>, LoadError> {
    let file = read(source, engine, candidate, expected, policy)?;
    if file.manifest().image.fsverity != loaded.image {
        return Err(LoadError::Store(StoreError::Damaged {
            name: candidate.id.clone(),
            what: "it differs from the image that was loaded".to_owned(),
        }));
    }
    Ok(file.holds())
}

fn read(
    source: &dyn ArtifactSource,
    engine: &HostEngine,
    candidate: &Candidate,
    expected: &Expected,
    policy: &TrustPolicy,
) -> Result<VerifiedFile, LoadError> {
    let bytes = source.read(candidate).map_err(LoadError::Source)?;
    let expected = source.with_statements(candidate, expected.clone());
    let expected = expected.map_err(LoadError::Source)?;
    VerifiedFile::from_bytes_at(&bytes, policy, &expected, engine.now()?)
}
