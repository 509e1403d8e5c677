//! The floor of a store's clock: a time that has passed, and that no later admission forgets.

use edgec_files::Hold;
use edgec_verifier::{ClockFloor, TrustPolicy, UnixTime};

use super::{AdmissionError, ArtifactStore, CHANGES, MAX_SMALL_LEN, StoreError};

/// The file with the floor of the clock.
pub(super) const CLOCK: &str = "clock";

impl ArtifactStore {
    /// The time now. An error if the clock shows a time that has certainly passed.
    pub(super) fn time(&self) -> Result<UnixTime, AdmissionError> {
        let now = self.now()?;
        self.clock_floor()?.check(now).map_err(StoreError::from)?;
        Ok(now)
    }

    /// As [`Self::time`], after following a root's order about the clock.
    pub(super) fn time_under(&self, policy: &TrustPolicy) -> Result<UnixTime, AdmissionError> {
        if let Some(reset) = policy.clock_reset()
            && self.clock_floor()?.follow(reset)
        {
            // Read again: another process may have changed it before this one had the lock.
            let _changes = self.locked(CHANGES, Hold::Exclusive)?;
            let mut floor = self.clock_floor()?;
            if floor.follow(reset) {
                self.put_clock(floor)?;
            }
        }
        self.time()
    }

    /// The floor of the clock.
    pub(super) fn clock_floor(&self) -> Result<ClockFloor, StoreError> {
        let bytes = match self.0.root.read(CLOCK, MAX_SMALL_LEN) {
            Err(error) if error.is_absence() => return Ok(ClockFloor::default()),
            bytes => bytes?,
        };
        let name = || self.0.root.name(CLOCK);
        serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(name(), error))
    }

    /// The caller holds the lock of changes.
    pub(super) fn put_clock(&self, floor: ClockFloor) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(&floor);
        let bytes = bytes.map_err(|error| StoreError::damaged(self.0.root.name(CLOCK), error))?;
        Ok(self.0.root.replace(&self.0.temporary, CLOCK, &bytes)?)
    }
}
