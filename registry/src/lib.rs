//! Artifacts in OCI registries: push, pull, copy, and the same in a folder.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod checked;
mod connect;
mod error;
mod layout_folder;
mod options;
mod parallel;
mod reference;
mod repository;

pub use self::connect::{Connector, connect};
pub use self::error::RegistryError;
pub use self::options::{ConnectOptions, Credentials, Retries, Timeouts};
pub use self::parallel::in_parallel;
pub use self::reference::{Reference, ReferenceError};
pub use self::repository::{
    BlobSource, Descriptor, Platform, Repository, Sent, StoredManifest, Which,
};
