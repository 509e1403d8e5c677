//! A version in use: the loaded program, its origin, and whether it is trusted.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use edgec_store::{StoreError, written};
use edgec_verifier::{ProgramKind, TrustPolicy, UnixTime};

use super::preparation::Preparation;
use super::trust::Trust;
use super::versions::{Place, Versions};
use crate::policy_source::Followed;
use crate::{HostEngine, LoadError, Loaded};

/// A version in use.
pub(super) struct AtWork<P> {
    pub(super) place: Place,
    pub(super) loaded: Arc<Loaded<P>>,
    /// When its image was last written, as the system said before the load.
    written: Option<SystemTime>,
    pub(super) trust: Trust,
}

impl<P> Clone for AtWork<P> {
    fn clone(&self) -> Self {
        Self {
            place: self.place.clone(),
            loaded: Arc::clone(&self.loaded),
            written: self.written,
            trust: self.trust.clone(),
        }
    }
}

impl<P> AtWork<P> {
    /// Loads the current version, and prepares it.
    pub(super) fn prepared(
        versions: &Versions,
        engine: &HostEngine,
        preparation: &Preparation<P>,
        followed: Followed,
    ) -> Result<Self, LoadError> {
        let (place, opened) = versions.opened(engine, &followed.policy, preparation.kind)?;
        let loaded = preparation.prepared(engine, opened)?;
        Ok(Self {
            place,
            written: loaded.file().and_then(written),
            trust: Trust::trusted(followed, loaded.holds()),
            loaded: Arc::new(loaded),
        })
    }

    /// Judges the version again under a policy. Returns how long the verdict holds.
    pub(super) fn judge(
        &self,
        versions: &Versions,
        engine: &HostEngine,
        policy: &TrustPolicy,
        kind: ProgramKind,
    ) -> Result<Range<UnixTime>, LoadError> {
        let report = self.loaded.report();
        policy.check_load_mode(report.mode)?;
        let version = self.loaded.manifest().version;
        versions.judge(engine, &self.place, version, report, policy, kind)
    }

    /// Checks the file that it was loaded from.
    pub(super) fn guard_mapped(&self, versions: &Versions) -> Result<(), StoreError> {
        versions.guard_mapped(&self.place, self.loaded.file(), self.written)
    }

    /// Whether the name of its image now leads to another file.
    pub(super) fn is_renewed(&self, versions: &Versions) -> bool {
        versions.is_renewed(&self.place, self.loaded.file())
    }
}
