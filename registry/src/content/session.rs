//! The entry to everything: places, and what edgec does with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::log::{Counted, Traffic};
use crate::{ConnectOptions, Connector, Reference, RegistryError};

/// The greatest number of places that a session keeps open.
const MAX_PLACES: usize = 1024;

/// Pushes, opens and copies, with the same options and connections. Several threads may use one
/// session.
pub struct Session {
    connector: Connector,
    places: Mutex<BTreeMap<String, Arc<Counted>>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// A session with these options. Nothing is sent before the first request.
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            connector: Connector::new(options),
            places: Mutex::default(),
        }
    }

    /// What was asked of all places so far.
    pub fn traffic(&self) -> Traffic {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = Traffic::default();
        for place in places.values() {
            sum = sum.and(place.traffic());
        }
        sum
    }

    /// The place of a reference, opened once.
    pub(crate) fn place(&self, reference: &Reference) -> Result<Arc<Counted>, RegistryError> {
        let name = reference.place();
        // A panic elsewhere leaves the map whole.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&name) {
            return Ok(Arc::clone(place));
        }
        let place = Arc::new(Counted::new(self.connector.connect(reference)?));
        if places.len() < MAX_PLACES {
            places.insert(name, Arc::clone(&place));
        }
        Ok(place)
    }
}
