//! Admission to a store: chosen for a host, verified as far as possible before the image is
//! fetched, and verified whole by the store.

mod assemble;
mod choose;
mod chosen;
mod judge;
mod statements;

use edgec_store::{Admission, AdmissionError, ArtifactStore, EngineProfile, NewestRelease};
use edgec_verifier::{Expected, HostProfile, TrustPolicy};

pub(crate) use self::chosen::Chosen;
pub(crate) use self::judge::{Asked, Judged};
pub use super::fetch::{AdmitOptions, Way};
use super::log::Traffic;
use super::offer::Offer;
use super::progress::Progress;
use super::pull_error::PullError;

/// What an admission has done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// One for each artifact, in the order in which they were admitted. The last is the best for
    /// the host; before it come those that other hosts of the store's current version need.
    pub admissions: Vec<Admission>,
    /// How each image came, in the same order.
    pub fetched: Vec<Fetched>,
    /// The release, if the offer has one.
    pub release: Option<NewestRelease>,
    /// What was asked of the place.
    pub traffic: Traffic,
}

/// How one image came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Its target and engine profile.
    pub what: String,
    /// How it came.
    pub way: Way,
    /// How many bytes were fetched for it.
    pub bytes: u64,
    /// Length of the image in bytes.
    pub length: u64,
    /// Why differences were not used that could have been: they are damaged, not there, or take too
    /// much memory.
    pub failed: Vec<String>,
}

impl Offer {
    /// Admits the best artifact for a host to a store, and those that other hosts of the store's
    /// current version need. Whatever can be verified without an image is verified before one is
    /// fetched: the release and its timestamp, signatures, and the policy's rules.
    ///
    /// # Errors
    ///
    /// [`PullError`]. Then the store is as before, or has some of the artifacts. The current
    /// version of the application is still the one from before.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the question")]
    pub fn admit(
        &self,
        store: &ArtifactStore,
        policy: &TrustPolicy,
        expected: &Expected,
        host: &HostProfile,
        profile: EngineProfile,
        options: &AdmitOptions,
        progress: &dyn Progress,
    ) -> Result<Admitted, PullError> {
        let now = store.clock().now().map_err(AdmissionError::from)?;
        let given = self.statements_for(store, policy, expected, now)?;
        let asked = Asked {
            policy,
            release: given.verified.as_ref().map(|it| &it.release),
            now,
        };
        let best = self.best(host, profile, &asked)?;
        let mut chosen = self.needed_beside(store, &best)?;
        chosen.push(best);
        let (mut admissions, mut fetched) = (Vec::new(), Vec::new());
        for chosen in &chosen {
            // Nothing is fetched for an artifact of another release.
            asked.is_of_release(chosen)?;
            let judged = self.judged(chosen, &asked, &given.expected)?;
            let before = self.place.traffic().fetched;
            let (mut file, came) = self.assemble(chosen, store, options, progress)?;
            fetched.push(Fetched {
                what: chosen.fits(),
                way: came.way,
                bytes: self.place.traffic().fetched.saturating_sub(before),
                length: chosen.manifest.image.length,
                failed: came.failed,
            });
            progress.step(&format!("admitting {}", chosen.fits()));
            let admission = store.add(file.path()?, policy, &judged.expected);
            admissions.push(admission.map_err(|error| file.without_path(error, chosen))?);
        }
        let release = given.statements.map(|it| {
            let timestamp = it.timestamp.as_deref();
            store.add_release(&it.release, timestamp, policy, expected)
        });
        Ok(Admitted {
            admissions,
            fetched,
            release: release.transpose()?,
            traffic: self.traffic(),
        })
    }
}
