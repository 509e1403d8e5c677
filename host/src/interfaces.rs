//! The interfaces beside WASI that programs get.

use edgec_loader::wasmtime::component::Linker;

use crate::config::ApplicationConfig;
use crate::{GuestState, HostError};

/// What the interfaces of one application keep between its requests.
#[derive(Debug)]
pub struct Interfaces(());

impl Interfaces {
    /// The interfaces of an application.
    ///
    /// # Errors
    ///
    /// [`HostError`] if the machine lacks what they need.
    pub fn new(_config: &ApplicationConfig) -> Result<Self, HostError> {
        Ok(Self(()))
    }
}

/// Adds the interfaces of an application to its linker.
///
/// # Errors
///
/// The engine's error if an interface is there already.
pub fn add_to_linker(
    _linker: &mut Linker<GuestState>,
    _config: &ApplicationConfig,
) -> edgec_loader::wasmtime::Result<()> {
    Ok(())
}
