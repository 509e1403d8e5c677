//! The source of the versions of an application: an admission store, or a host's own source.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use edgec_store::{Application, ArtifactStore, Entry, StoreError};
use edgec_verifier::{Expected, Manifest, ProgramKind, TrustPolicy, UnixTime};

use super::loading::{self, StoredImage, candidates};
use super::source::{self, ArtifactSource, Candidate};
use crate::load::wanted;
use crate::{HostEngine, LoadError, LoadReport, LoadedComponent, LoadedModule, VerifiedFile};

/// The source of the versions of one application.
///
/// Cloning is cheap.
#[derive(Clone)]
pub struct Versions(Origin);

#[derive(Clone)]
enum Origin {
    Store(ArtifactStore, Application),
    Source(Arc<dyn ArtifactSource>, Expected),
}

/// The origin of a version in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Entry(Entry),
    Candidate(Candidate),
}

/// A verified image that no engine has seen yet.
pub(super) enum Opened {
    Stored(StoredImage),
    Copied(VerifiedFile),
}

impl Opened {
    pub(super) fn manifest(&self) -> &Manifest {
        match self {
            Self::Stored(image) => image.manifest(),
            Self::Copied(file) => file.manifest(),
        }
    }

    pub(super) fn component(self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        match self {
            Self::Stored(image) => image.component(engine),
            Self::Copied(file) => file.component(engine),
        }
    }

    pub(super) fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        match self {
            Self::Stored(image) => image.module(engine),
            Self::Copied(file) => file.module(engine),
        }
    }
}

impl Versions {
    /// The version in an admission store: the current one, or the one that `application` names.
    pub fn in_store(store: &ArtifactStore, application: impl Into<Application>) -> Self {
        Self(Origin::Store(store.clone(), application.into()))
    }

    /// The version that a host's own source gives. Each artifact is copied and verified as a whole,
    /// and must be the one that the host expects. One key may sign several applications, so
    /// `expected` should name one ([`Expected::application`]).
    pub fn from_source(source: impl ArtifactSource + 'static, expected: Expected) -> Self {
        Self(Origin::Source(Arc::new(source), expected))
    }

    /// Loads the component of the current version.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the first problem. No code runs.
    pub fn load(
        &self,
        engine: &HostEngine,
        policy: &TrustPolicy,
    ) -> Result<LoadedComponent, LoadError> {
        let (_, opened) = self.opened(engine, policy, ProgramKind::Component)?;
        opened.component(engine)
    }

    /// Loads the core module of the current version.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::load`].
    pub fn load_module(
        &self,
        engine: &HostEngine,
        policy: &TrustPolicy,
    ) -> Result<LoadedModule, LoadError> {
        let (_, opened) = self.opened(engine, policy, ProgramKind::Module)?;
        opened.module(engine)
    }

    /// The artifact that a load would try first.
    pub(super) fn best(&self, engine: &HostEngine) -> Result<Option<Place>, LoadError> {
        let best = match &self.0 {
            Origin::Store(store, application) => {
                let candidates = candidates(store, engine, application);
                let best = candidates.map(|(entries, _)| entries.into_iter().next());
                best.map(|best| best.map(Place::Entry))
                    .map_err(LoadError::Store)
            }
            Origin::Source(source, expected) => {
                let ranked = source::ranked(&**source, engine, expected);
                ranked.map(|ranked| ranked.into_iter().next().map(Place::Candidate))
            }
        };
        engine.observed().refusal(|| self.to_string(), best)
    }

    /// The first artifact that this host can run, verified.
    pub(super) fn opened(
        &self,
        engine: &HostEngine,
        policy: &TrustPolicy,
        kind: ProgramKind,
    ) -> Result<(Place, Opened), LoadError> {
        let opened = match &self.0 {
            Origin::Store(store, application) => {
                let opened = loading::opened(store, engine, application, policy, kind);
                opened.map(|(entry, image)| (Place::Entry(entry), Opened::Stored(image)))
            }
            Origin::Source(source, expected) => {
                let opened = source::opened(&**source, engine, expected, policy, kind);
                opened.map(|(it, file)| (Place::Candidate(it), Opened::Copied(file)))
            }
        };
        engine.observed().refusal(|| self.to_string(), opened)
    }

    /// Judges a loaded version again. Returns how long the verdict holds. Loads nothing.
    pub(super) fn judge(
        &self,
        engine: &HostEngine,
        place: &Place,
        version: u64,
        loaded: LoadReport,
        policy: &TrustPolicy,
        kind: ProgramKind,
    ) -> Result<Range<UnixTime>, LoadError> {
        match (&self.0, place) {
            (Origin::Store(store, application), Place::Entry(entry)) => {
                let application = application.clone().version(version);
                loading::judge_again(store, engine, &application, entry.clone(), policy, kind)
            }
            (Origin::Source(source, expected), Place::Candidate(candidate)) => {
                source::judge_again(&**source, engine, candidate, expected, policy, loaded)
            }
            // A place always belongs to the origin that gave it.
            _ => Err(LoadError::Store(self.unknown())),
        }
    }

    /// Whether a verdict is remembered here. A store remembers its verdicts. A source would be read
    /// again.
    pub(super) fn remembers(&self) -> bool {
        matches!(&self.0, Origin::Store(..))
    }

    /// Checks the file from which the version in use was loaded. A copy in memory cannot be
    /// changed.
    pub(super) fn guard_mapped(
        &self,
        place: &Place,
        file: Option<&File>,
        written: Option<SystemTime>,
    ) -> Result<(), StoreError> {
        match (&self.0, place, file) {
            (Origin::Store(store, _), Place::Entry(entry), Some(file)) => {
                store.guard_mapped(file, entry, written)
            }
            _ => Ok(()),
        }
    }

    /// Whether the name of the image in use now leads to another file.
    pub(super) fn is_renewed(&self, place: &Place, file: Option<&File>) -> bool {
        match (&self.0, place, file) {
            (Origin::Store(store, _), Place::Entry(entry), Some(file)) => {
                store.is_renewed(file, entry)
            }
            _ => false,
        }
    }

    fn unknown(&self) -> StoreError {
        let what = self.to_string();
        StoreError::Unknown { what }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Store(_, application) => application.fmt(f),
            Origin::Source(_, expected) => f.write_str(&wanted(expected)),
        }
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Store(store, application) => f
                .debug_tuple("Versions")
                .field(&store.path())
                .field(application)
                .finish(),
            Origin::Source(_, expected) => f.debug_tuple("Versions").field(expected).finish(),
        }
    }
}
