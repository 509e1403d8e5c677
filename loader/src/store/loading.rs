//! Loads from a store: finds the name, opens the image, maps it.

use std::ops::Range;
use std::time::{Duration, Instant};

use edgec_store::{Application, ArtifactStore, Entry, OpenedImage, StableFile, StoreError};
use edgec_verifier::{Facts, Manifest, ProgramKind, TrustPolicy, UnixTime};

use crate::load::{component, module};
use crate::loaded::{first_that_fits, fit};
use crate::{HostEngine, LoadError, LoadReport, LoadTimes, Loaded, LoadedComponent, LoadedModule};

/// How often a load tries again if the files under the name have disappeared.
const TRIES: usize = 8;

/// An open image of a store. The policy accepts it, and the engine can load its kind.
pub(super) struct StoredImage {
    image: OpenedImage,
    times: LoadTimes,
}

impl StoredImage {
    pub(super) fn manifest(&self) -> &Manifest {
        self.image.facts.manifest()
    }

    /// Loads the component in the image.
    pub(super) fn component(self, engine: &HostEngine) -> Result<LoadedComponent, LoadError> {
        self.loaded(engine, component)
    }

    /// Loads the core module in the image.
    pub(super) fn module(self, engine: &HostEngine) -> Result<LoadedModule, LoadError> {
        self.loaded(engine, module)
    }

    /// The program that `load` makes from the image, with its report.
    fn loaded<P>(
        self,
        engine: &HostEngine,
        load: impl FnOnce(&StableFile, &HostEngine, &Facts) -> Result<P, LoadError>,
    ) -> Result<Loaded<P>, LoadError> {
        let Self { image, mut times } = self;
        let begin = Instant::now();
        let program = load(&image.file, engine, &image.facts);
        let name = || image.facts.manifest().name.clone();
        let program = engine.observed().refusal(name, program)?;
        times.engine = begin.elapsed();
        let report = LoadReport {
            mode: image.mode,
            verdict: image.verdict,
            image: image.image,
            times,
        };
        let file = Some(image.file.into_file());
        Ok(Loaded::new(program, image.facts, report, file, engine))
    }
}

/// The artifacts of the engine's profile that this CPU can run, and the exact version of the
/// application. The first artifact uses most of the CPU. There is at least one.
pub(super) fn candidates(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
) -> Result<(Vec<Entry>, Application), StoreError> {
    let found = store.candidates(engine.profile(), engine.host(), application)?;
    Ok((found.entries, found.application))
}

/// Judges a loaded version again. Returns how long the verdict holds. Loads nothing.
pub(super) fn judge_again(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    entry: Entry,
    policy: &TrustPolicy,
    kind: ProgramKind,
) -> Result<Range<UnixTime>, LoadError> {
    let opened = open_entry(store, engine, application, entry, policy, kind);
    opened.map(|opened| opened.facts.holds())
}

/// The image under the name, open and accepted by the policy.
pub(super) fn opened(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    policy: &TrustPolicy,
    wanted: ProgramKind,
) -> Result<(Entry, StoredImage), LoadError> {
    let begin = Instant::now();
    let mut tries = 0;
    loop {
        let (entries, named) = candidates(store, engine, application)?;
        let read = begin.elapsed();
        let open = |entry: &Entry| open_entry(store, engine, &named, entry.clone(), policy, wanted);
        match first_that_fits(entries, open, || named.to_string()) {
            // The name got another artifact since, and a collection removed this one. If it is
            // still missing after the last try, it is lost.
            Err(LoadError::Store(error)) if error.is_absence() => {
                tries += 1;
                if tries == TRIES {
                    return Err(error.lost().into());
                }
            }
            opened => {
                let (entry, image) = opened?;
                let times = times(read, begin.elapsed());
                return Ok((entry, StoredImage { image, times }));
            }
        }
    }
}

/// The times of a load whose image was verified at `verified` after its beginning.
fn times(read: Duration, verified: Duration) -> LoadTimes {
    LoadTimes {
        read,
        verify: verified.saturating_sub(read),
        ..LoadTimes::default()
    }
}

/// The open image. The policy accepts it, and this engine can load its kind.
fn open_entry(
    store: &ArtifactStore,
    engine: &HostEngine,
    application: &Application,
    entry: Entry,
    policy: &TrustPolicy,
    wanted: ProgramKind,
) -> Result<OpenedImage, LoadError> {
    let opened = store.open_entry(application, entry, policy)?;
    fit(&opened.facts, engine, wanted)?;
    Ok(opened)
}
