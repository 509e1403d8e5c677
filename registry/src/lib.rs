//! Artifacts in OCI registries: push, pull, copy, and the same in a folder.

mod repository;

pub use self::repository::{
    BlobSource, Descriptor, Platform, Repository, Sent, StoredManifest, Which,
};
