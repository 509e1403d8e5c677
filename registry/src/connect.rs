//! From a reference to its place.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::layout_folder::LayoutFolder;
use crate::network::{Client, NetworkRepository};
use crate::{ConnectOptions, Reference, RegistryError, Repository};

/// Opens the place of a reference. Nothing is sent or read before the first request.
///
/// # Errors
///
/// [`RegistryError::Ca`] and [`RegistryError::Client`].
pub fn connect(
    reference: &Reference,
    options: &ConnectOptions,
) -> Result<Box<dyn Repository>, RegistryError> {
    Connector::new(options.clone()).connect(reference)
}

/// Opens several places with the same options. Those of one registry share their connections and
/// tokens.
#[derive(Debug)]
pub struct Connector {
    options: ConnectOptions,
    /// Made for the first registry: folders need none.
    client: Mutex<Option<Arc<Client>>>,
}

impl Connector {
    /// Opens places with these options.
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            options,
            client: Mutex::new(None),
        }
    }

    /// Opens the place of a reference. Nothing is sent or read before the first request.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Ca`] and [`RegistryError::Client`].
    pub fn connect(&self, reference: &Reference) -> Result<Box<dyn Repository>, RegistryError> {
        let (Some(registry), Some(repository)) = (reference.registry(), reference.repository())
        else {
            let folder = reference.folder().unwrap_or_else(|| Path::new("."));
            return Ok(Box::new(LayoutFolder::new(folder.to_owned())));
        };
        let repository = NetworkRepository::new(self.client()?, registry, repository)?;
        Ok(Box::new(repository))
    }

    fn client(&self) -> Result<Arc<Client>, RegistryError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(Arc::clone(client));
        }
        let made = Arc::new(Client::new(self.options.clone())?);
        Ok(Arc::clone(client.insert(made)))
    }
}
