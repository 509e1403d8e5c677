//! From a reference to its place.

use crate::layout_folder::LayoutFolder;
use crate::{ConnectOptions, Reference, RegistryError, Repository};

/// Opens the place of a reference. Nothing is sent or read before the first request.
///
/// # Errors
///
/// [`RegistryError::Ca`], [`RegistryError::Credentials`] and [`RegistryError::Client`].
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
}

impl Connector {
    /// Opens places with these options.
    pub fn new(options: ConnectOptions) -> Self {
        Self { options }
    }

    /// Opens the place of a reference. Nothing is sent or read before the first request.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Ca`], [`RegistryError::Credentials`] and [`RegistryError::Client`].
    pub fn connect(&self, reference: &Reference) -> Result<Box<dyn Repository>, RegistryError> {
        if let Some(folder) = reference.folder() {
            return Ok(Box::new(LayoutFolder::new(folder.to_owned())));
        }
        let _ = &self.options;
        Err(RegistryError::Client {
            reason: "not there yet".to_owned(),
        })
    }
}
