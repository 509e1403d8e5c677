//! How a load protects its bytes from changes. A policy can demand a minimum.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How verified bytes are protected from changes while an engine uses them. The modes are in the
/// order of a host's preference for its cold starts, and the best is last. A minimum accepts itself
/// and all modes after it. (A sealed memory file was hashed for this very load. A file of a trusted
/// store was hashed when it was admitted.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoadMode {
    /// A private copy in the process's memory.
    PrivateCopy,
    /// A memory file that the kernel lets no process write, shrink or grow (Linux).
    SealedMemfd,
    /// A file in a store that only its owner can change. It was verified when it was admitted, and
    /// not hashed since. Trust is the store's ownership.
    TrustedStore,
    /// A file with fs-verity (Linux): whenever a page is read, the kernel compares it with the
    /// signed digest.
    FsVerity,
}

impl LoadMode {
    /// Every mode, the weakest first.
    pub const ALL: [Self; 4] = [
        Self::PrivateCopy,
        Self::SealedMemfd,
        Self::TrustedStore,
        Self::FsVerity,
    ];

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
    /// The load mode that was found.
    pub found: LoadMode,
    /// The weakest load mode that the policy accepts.
    pub wanted: LoadMode,
}
