//! A host asks for news: it takes a newer release or timestamp, and learns which artifacts it
//! lacks.

use edgec_files::Hold;
use edgec_verifier::artifact::ReleasedArtifact;
use edgec_verifier::{
    Expected, TrustPolicy, VerifiedRelease, VerifiedTimestamp, VerifyError, check_stamped,
    verify_release, verify_timestamp,
};

use super::application::Application;
use super::statements::Given;
use super::version::Entry;
use super::{AdmissionError, ArtifactStore, CHANGES, StoreError};

/// A release that a store has taken, with its timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewestRelease {
    /// The release.
    pub release: VerifiedRelease,
    /// The timestamp, if one was given.
    pub timestamp: Option<VerifiedTimestamp>,
    /// The target and engine profile of each artifact of this release that the store lacks, and
    /// that hosts of the current version need. If there is no current version, any host may need
    /// each of them. The artifacts follow, or a mirror withholds them.
    pub missing: Vec<String>,
}

impl ArtifactStore {
    /// Takes a newer release or a newer timestamp of the application that `expected` names. A host
    /// does this whenever it asks for news: the artifacts follow with [`Self::add`]. From then on,
    /// no older release is admitted, and what is below the release's floor no longer runs. If the
    /// policy demands a timestamp, a newer release needs one.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`]. Then the store has not changed.
    pub fn add_release(
        &self,
        release: &[u8],
        timestamp: Option<&[u8]>,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<NewestRelease, AdmissionError> {
        let now = self.time_under(policy)?;
        let refused = VerifyError::from;
        let verified = verify_release(release, policy, now).map_err(refused)?;
        verified.check_expected(expected).map_err(refused)?;
        let stamp = timestamp.map(|bytes| verify_timestamp(bytes, &verified, policy, now));
        let stamp = stamp.transpose().map_err(refused)?;
        let application = Application::of_release(&verified.release);
        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let mut floors = self.floors(&application, policy)?;
        if floors.release != Some(verified.digest) {
            check_stamped(stamp.as_ref(), policy).map_err(refused)?;
        }
        floors.take(&verified).map_err(StoreError::from)?;
        let given = Given {
            release: Some(&verified),
            timestamp: stamp.as_ref(),
        };
        self.put_statements(&application, floors, given, policy, now)?;
        let missing = self.missing(&application, &verified)?;
        Ok(NewestRelease {
            release: verified,
            timestamp: stamp,
            missing,
        })
    }

    /// Whether [`Self::add_release`] would take this release, or has it. It changes nothing: a host
    /// that fetches artifacts asks this first, and takes the release with them.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`].
    pub fn check_release(
        &self,
        release: &VerifiedRelease,
        policy: &TrustPolicy,
    ) -> Result<(), AdmissionError> {
        let application = Application::of_release(&release.release);
        let mut floors = self.floors(&application, policy)?;
        floors.take(release).map_err(StoreError::from)?;
        Ok(())
    }

    /// What hosts of the current version need of a release, and the store does not have.
    fn missing(
        &self,
        application: &Application,
        release: &VerifiedRelease,
    ) -> Result<Vec<String>, StoreError> {
        let wanted = match self.stored_version(application) {
            Err(StoreError::Unknown { .. }) => {
                let listed = release.release.artifacts.iter();
                return Ok(listed.map(ReleasedArtifact::fits).collect());
            }
            current => current?,
        };
        let version = application.clone().version(release.release.version);
        let there = match self.stored_version(&version) {
            Err(StoreError::Unknown { .. }) => Vec::new(),
            there => there?.artifacts.clone(),
        };
        let staged = self.staged(application)?;
        let staged = staged.filter(|staged| staged.serial == release.release.serial);
        let staged = staged.map(|staged| staged.version.artifacts);
        let there: Vec<Entry> = there
            .into_iter()
            .chain(staged.unwrap_or_default())
            .collect();
        let mut missing = Vec::new();
        for wanted in &wanted.artifacts {
            let mut has = false;
            for entry in there.iter().filter(|it| it.is_for(wanted)) {
                has |= self.is_listed(entry, release)?;
            }
            if !has {
                missing.push(wanted.fits());
            }
        }
        Ok(missing)
    }

    /// Whether a release lists a stored artifact. One whose envelope is damaged is not listed.
    pub(super) fn is_listed(
        &self,
        entry: &Entry,
        release: &VerifiedRelease,
    ) -> Result<bool, StoreError> {
        match self.payload(entry) {
            Ok(payload) => Ok(release.release.lists(payload)),
            Err(error) if error.is_damage() || error.is_absence() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
