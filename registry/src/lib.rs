//! Artifacts in OCI registries: push, pull, copy, and the same in a folder.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]
#![cfg_attr(
    not(feature = "network"),
    allow(dead_code, reason = "it is for requests")
)]

mod checked;
mod connect;
mod content;
mod credentials;
mod error;
mod headers;
mod layout_folder;
#[cfg(feature = "network")]
mod network;
mod options;
mod parallel;
#[doc(hidden)]
pub mod readers;
mod reference;
mod referrer_list;
mod repository;
mod retry;

pub use self::connect::Connector;
pub use self::content::{
    AdmitOptions, Admitted, Attached, AttachedKind, Beside, Copied, CopyError, Demands, Fetched,
    Layout, MalformedManifest, NativeEntry, Offer, PortableEntry, Progress, PullError, Push,
    PushArtifact, PushBase, PushError, Pushed, PushedDifference, PushedNative, Session, Statements,
    Taken, Traffic, Unseen, Vouched, Way, media,
};
pub use self::error::RegistryError;
pub use self::options::{ConnectOptions, Credentials, Retries, Timeouts};
pub(crate) use self::parallel::in_parallel;
pub use self::reference::{Reference, ReferenceError};
pub use self::repository::{
    BlobSource, Descriptor, Platform, Repository, Sent, StoredManifest, Which,
};
