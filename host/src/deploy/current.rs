//! The manifests of what is current in a store.

use std::sync::{Arc, Mutex, PoisonError};

use edgec_loader::Manifest;
use edgec_loader::store::StoreError;

/// What is current in the store, for all applications of one refresh. The first one that needs it
/// reads it: that opens every artifact, and most refreshes need none.
#[derive(Debug, Default)]
pub(super) struct Current(Mutex<Option<Arc<[Manifest]>>>);

impl Current {
    /// The manifests, as `read` gives them the first time that it can. The other threads of a
    /// start wait for it.
    pub(super) fn manifests(
        &self,
        read: impl FnOnce() -> Result<Vec<Manifest>, StoreError>,
    ) -> Result<Arc<[Manifest]>, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let read: Arc<[Manifest]> = read()?.into();
        *known = Some(Arc::clone(&read));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn all_applications_of_a_refresh_share_one_reading() {
        let (current, readings) = (Current::default(), Cell::new(0));
        let read = || {
            readings.set(readings.get() + 1);
            Ok(Vec::new())
        };
        for _ in 0..3 {
            assert_eq!(current.manifests(read).unwrap().len(), 0);
        }
        assert_eq!(readings.get(), 1);
    }
}
