//! How loaded bytes are kept from changing. A policy can demand a minimum.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the bytes that were verified are kept as they are while an engine uses them. In the order
/// that a host prefers them in for its cold starts, the best last; a minimum accepts all that
/// follow. (A sealed memory file was hashed for this very load; a file of a trusted store when it
/// was admitted.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoadMode {
    /// A private copy in the process's memory.
    PrivateCopy,
    /// A memory file that the kernel lets no process write, shrink or grow (Linux).
    SealedMemfd,
    /// A file in a store that only its owner can change: verified when it was admitted, and
    /// not hashed since. Trust is the store's ownership.
    TrustedStore,
    /// A file whose every page the kernel compares with the signed digest when it is read
    /// (Linux, fs-verity).
    FsVerity,
}

impl LoadMode {
    /// The name in policies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrivateCopy => "private-copy",
            Self::SealedMemfd => "sealed-memfd",
            Self::TrustedStore => "trusted-store",
            Self::FsVerity => "fs-verity",
        }
    }
}

impl fmt::Display for LoadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

/// The policy requires stronger protection of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy requires load mode {wanted} or better, and this would be {found}")]
#[non_exhaustive]
pub struct LoadModeError {
    /// How they would be kept.
    pub found: LoadMode,
    /// What the policy wants at least.
    pub wanted: LoadMode,
}
