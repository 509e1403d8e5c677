//! What is done with a store, beside the admission of artifacts.

use std::collections::BTreeSet;

use edgec_store::{Application, ArtifactStore, RollbackRefusal, StoreError};
use edgec_verifier::{Expected, TrustPolicy, error_chain};

use crate::source::Trouble;

/// A store, as far as a host that keeps itself current changes it.
pub trait Shelf: Send + Sync {
    /// The version of an application that loads take.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    fn current(&self, application: &Application) -> Result<Option<u64>, Trouble>;

    /// Makes a version the one that loads take. The inner error says why it may not run.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    fn make_current(
        &self,
        application: &Application,
        version: u64,
    ) -> Result<Result<(), String>, Trouble>;

    /// Takes a newer timestamp about the newest release.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    fn refresh(
        &self,
        release: &[u8],
        timestamp: &[u8],
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<(), Trouble>;

    /// Removes old versions of an application: `keep` stay, with those that are `needed` among
    /// them.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    fn tidy(
        &self,
        application: &Application,
        needed: &BTreeSet<u64>,
        keep: usize,
    ) -> Result<(), Trouble>;
}

impl Shelf for ArtifactStore {
    fn current(&self, application: &Application) -> Result<Option<u64>, Trouble> {
        ArtifactStore::current(self, application.clone()).map_err(|error| trouble(&error))
    }

    fn make_current(
        &self,
        application: &Application,
        version: u64,
    ) -> Result<Result<(), String>, Trouble> {
        match ArtifactStore::make_current(self, application.clone(), version) {
            Ok(_) => Ok(Ok(())),
            Err(error @ StoreError::Rollback(RollbackRefusal::BelowFloor { .. }))
            | Err(error @ StoreError::Unknown { .. }) => Ok(Err(error_chain(&error))),
            Err(error) => Err(trouble(&error)),
        }
    }

    fn refresh(
        &self,
        release: &[u8],
        timestamp: &[u8],
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<(), Trouble> {
        let taken = self.add_release(release, Some(timestamp), policy, expected);
        let refused = |error| Trouble::refused("sync-timestamp", error_chain(&error));
        taken.map(|_| ()).map_err(refused)
    }

    fn tidy(
        &self,
        application: &Application,
        needed: &BTreeSet<u64>,
        keep: usize,
    ) -> Result<(), Trouble> {
        let versions = self.versions(application.clone());
        let versions = versions.map_err(|error| trouble(&error))?;
        for version in surplus(&versions, needed, keep) {
            let removed = self.remove(application.clone().version(version));
            removed.map_err(|error| trouble(&error))?;
        }
        self.collect().map_err(|error| trouble(&error))?;
        Ok(())
    }
}

/// The versions that go: all but those that are needed and the newest others, `keep` in all. What
/// is newer than everything needed stays: it was added by hand, or its gate refused it and an
/// operator may try it again.
fn surplus(versions: &BTreeSet<u64>, needed: &BTreeSet<u64>, keep: usize) -> Vec<u64> {
    let newest = needed.last().copied().unwrap_or(u64::MAX);
    let mut room = keep.saturating_sub(needed.intersection(versions).count());
    let mut surplus = Vec::new();
    for version in versions.range(..newest).rev() {
        match needed.contains(version) {
            true => {}
            false if room > 0 => room -= 1,
            false => surplus.push(*version),
        }
    }
    surplus
}

fn trouble(error: &StoreError) -> Trouble {
    let message = error_chain(error);
    match error {
        StoreError::Rollback(_) | StoreError::Name(_) => Trouble::refused(error.code(), message),
        _ => Trouble::environment(error.code(), message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays() {
        let set = |numbers: &[u64]| numbers.iter().copied().collect::<BTreeSet<u64>>();
        for (versions, needed, keep, goes) in [
            (&[1, 2, 3][..], &[3, 2][..], 2, &[1][..]),
            // The version before is not the one to go back to: that was bad.
            (&[1, 2, 3], &[3, 1], 2, &[2]),
            (&[1, 2, 3], &[3, 1], 3, &[]),
            (&[1, 2, 3, 4], &[4, 2], 3, &[1]),
            (&[1, 2, 3], &[1], 2, &[]),
            (&[1], &[1], 2, &[]),
            (&[1, 2, 3], &[3], 2, &[1]),
        ] {
            let found = surplus(&set(versions), &set(needed), keep);
            assert_eq!(found, goes, "{versions:?} {needed:?} {keep}");
        }
    }

    #[test]
    fn a_store_says_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::create(folder.path().join("store")).unwrap();
        let application = Application::new("shop").in_channel("stable");
        assert_eq!(Shelf::current(&store, &application), Ok(None));
        let unknown = Shelf::make_current(&store, &application, 3).unwrap();
        assert!(unknown.unwrap_err().contains("the store has no `shop`"));
        let tidied = Shelf::tidy(&store, &application, &BTreeSet::new(), 2);
        assert_eq!(tidied, Ok(()));
        let name = Shelf::make_current(&store, &Application::new(""), 3).unwrap_err();
        assert_eq!(name.fault, crate::source::Fault::Refused);
        let key = edgec_packager::SecretKey::generate().unwrap();
        let pem = key.public().to_pem();
        let policy = format!("threshold = 1\n[[key]]\nname = 'a'\npem = \"\"\"\n{pem}\"\"\"\n");
        let policy = TrustPolicy::from_toml(&policy).unwrap();
        let expected = Expected::application("shop");
        let stamp = Shelf::refresh(&store, b"no release", b"no stamp", &policy, &expected);
        let stamp = stamp.unwrap_err();
        assert_eq!(
            (stamp.code, stamp.fault),
            ("sync-timestamp", crate::source::Fault::Refused)
        );
        let gone = edgec_files::Folder::root(&folder.path().join("gone")).unwrap_err();
        let gone = trouble(&StoreError::Folder(gone));
        assert_eq!(gone.fault, crate::source::Fault::Environment);
    }
}
