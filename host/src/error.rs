//! Why a host cannot start.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use edgec_loader::store::{PolicySourceError, StoreError};
use edgec_loader::{LoadError, PlanError, wasmtime};

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A root key of the policy cannot be read.
    #[error("the root key {} cannot be read", path.display())]
    Root {
        /// Its file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The policy cannot be read.
    #[error("the trust policy {} cannot be followed", path.display())]
    Policy {
        /// Its file.
        path: PathBuf,
        /// The file that remembers the newest policy, if one is named.
        state: Option<PathBuf>,
        /// Why not.
        #[source]
        source: Box<PolicySourceError>,
    },
    /// There is no policy, so nothing could be loaded.
    #[error("nothing says whose signatures count")]
    NoPolicy,
    /// An artifact of a store was not loaded.
    #[error("`{application}` was not loaded")]
    Load {
        /// The application.
        application: String,
        /// Why not.
        #[source]
        source: LoadError,
    },
    /// An artifact in a single file was not loaded.
    #[error("`{application}` was not loaded from {}", path.display())]
    File {
        /// The application.
        application: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<LoadError>,
    },
    /// An artifact cannot be interrupted, because it is of another profile than `edge`.
    #[error(
        "`{application}` is of profile `{profile}`, and a host of requests takes only `edge`: \
         its programs can be interrupted"
    )]
    NotEdge {
        /// The application.
        application: String,
        /// Its profile.
        profile: String,
    },
    /// A single file is for another CPU, or for one with more features.
    #[error("the artifact of `{application}` is for {}, which does not run on this CPU", targets.join(", "))]
    NoFit {
        /// The application.
        application: String,
        /// What the artifact is for.
        targets: Vec<String>,
    },
    /// The engine cannot be made, for example because there is no address space for its pool.
    #[error("the engine for {pool} programs cannot be made")]
    Engine {
        /// The name of the pool.
        pool: &'static str,
        /// The engine's error.
        source: wasmtime::Error,
    },
    /// No pool fits a program.
    #[error("there is no pool for `{application}`")]
    NoPool {
        /// The application.
        application: String,
        /// Why not.
        #[source]
        source: PlanError,
    },
    /// A pool would take more address space than there is for it.
    #[error(
        "the pool for {pool} programs would take {} GiB of address space, and {} GiB are left for \
         it", needed.div_ceil(1 << 30), most >> 30
    )]
    AddressSpace {
        /// The name of the pool.
        pool: &'static str,
        /// The address space that it would take, in bytes.
        needed: u64,
        /// The address space that it may take, in bytes.
        most: u64,
    },
    /// The host cannot listen.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// There is nothing to listen at.
    #[error("the host listens nowhere")]
    NoListener,
    /// The file of a certificate or of its key cannot be read.
    #[error("the {role} {} cannot be read", path.display())]
    TlsFile {
        /// What the file is.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A certificate or its key cannot be used.
    #[error("the {role} {} cannot be used: {what}", path.display())]
    Tls {
        /// What the file is.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system refuses what a host needs.
    #[error("{what}")]
    System {
        /// What the host needs.
        what: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// An interface or an exporter cannot be used.
    #[error("{what} cannot be used")]
    Service {
        /// What it is, with the application.
        what: String,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl HostError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Root { .. } => "public-key",
            Self::Policy { source, .. } => source.code(),
            Self::NoPolicy => "no-trust",
            Self::Load { source, .. } => source.code(),
            Self::File { source, .. } => source.code(),
            Self::NotEdge { .. } => "profile",
            Self::NoFit { .. } => "no-fit",
            Self::Engine { .. } => "engine",
            Self::NoPool { .. } | Self::AddressSpace { .. } => "pool-limits",
            Self::Listen { .. } | Self::NoListener => "listen",
            Self::Tls { .. } => "tls",
            Self::TlsFile { .. } | Self::System { .. } => "io",
            Self::Service { .. } => "service",
        }
    }
}
