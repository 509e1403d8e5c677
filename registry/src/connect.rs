//! From a reference to its place.

use std::path::Path;
#[cfg(feature = "network")]
use std::sync::{Arc, Mutex, PoisonError};

use crate::layout_folder::LayoutFolder;
#[cfg(feature = "network")]
use crate::network::{Client, NetworkRepository};
use crate::{ConnectOptions, Reference, RegistryError, Repository};

/// Opens several places with the same options. Those of one registry share their connections and
/// tokens.
#[derive(Debug)]
pub struct Connector {
    options: ConnectOptions,
    /// Made for the first registry: folders need none.
    #[cfg(feature = "network")]
    client: Mutex<Option<Arc<Client>>>,
}

impl Connector {
    /// Opens places with these options.
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            options,
            #[cfg(feature = "network")]
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
        self.network(registry, repository)
    }

    #[cfg(not(feature = "network"))]
    fn network(&self, _: &str, _: &str) -> Result<Box<dyn Repository>, RegistryError> {
        Err(RegistryError::Client {
            reason: "this program was compiled without the feature `network`".to_owned(),
        })
    }

    #[cfg(feature = "network")]
    fn network(&self, registry: &str, name: &str) -> Result<Box<dyn Repository>, RegistryError> {
        let repository = NetworkRepository::new(self.client()?, registry, name)?;
        Ok(Box::new(repository))
    }

    #[cfg(feature = "network")]
    fn client(&self) -> Result<Arc<Client>, RegistryError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(Arc::clone(client));
        }
        let made = Arc::new(Client::new(self.options.clone())?);
        Ok(Arc::clone(client.insert(made)))
    }
}
