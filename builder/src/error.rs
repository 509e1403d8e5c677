//! Why there are no artifacts.

use std::error::Error;

use edgec_artifact::{LayoutError, NameError, Sha256Digest, StatementError};
use edgec_compiler::{
    AssembleError, FrontError, ImageError, InitError, NotFronted, OptimizeError, PrecompileError,
    ReadError, SnapshotError,
};
use edgec_targets::UnknownTarget;
use edgec_verifier::audit::AuditError;
use edgec_verifier::{PolicyError, Unfit, VerifyError};

/// Why there are no artifacts of an input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The application's name is not one.
    #[error(transparent)]
    Name(NameError),
    /// The bytes are no program that can be compiled, or reading them took too much.
    #[error("the input was not read")]
    Input {
        /// Why not.
        #[source]
        error: Box<FrontError>,
        /// The input.
        bytes: Vec<u8>,
    },
    /// The program's manifest would be too long for every reader.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The export that was to be called first gave no snapshot.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The snapshot is not the program with another state.
    #[error(transparent)]
    Snapshot(Box<SnapshotError>),
    /// The snapshot was not read.
    #[error(transparent)]
    NotResumed(Box<FrontError>),
    /// A core module could not be optimized within limits.
    #[error(transparent)]
    Optimize(#[from] OptimizeError),
    /// The optimized program was not put together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// A core module that was to be left as it is does not exist.
    #[error("there is no core module {number}: the program has {modules}")]
    NoSuchModule {
        /// Its number, counted from 0.
        number: usize,
        /// How many there are.
        modules: usize,
    },
    /// There is no native code.
    #[error(transparent)]
    Precompile(#[from] PrecompileError),
    /// There is no debug file: a defect.
    #[error(transparent)]
    Debug(ImageError),
    /// Nothing was compiled for a target: a defect.
    #[error("nothing was compiled for {target}")]
    Missing {
        /// The target's name.
        target: &'static str,
    },
    /// The signer did not sign.
    #[error("the artifact was not signed")]
    Sign(#[source] Box<dyn Error + Send + Sync>),
    /// A host would not accept the artifact: a defect.
    #[error(transparent)]
    SelfCheck(#[from] SelfCheckError),
    /// The audit of the code did not pass.
    #[error(transparent)]
    SelfAudit(#[from] SelfAuditError),
    /// A host of the fleet could not load what it is given.
    #[error(transparent)]
    Unserved(Box<Unserved>),
}

impl From<NotFronted> for BuildError {
    fn from(NotFronted { error, bytes }: NotFronted) -> Self {
        Self::Input { error, bytes }
    }
}

/// Why a manifest would be too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// Its imports are too many, or have long names.
    #[error(
        "the program's {count} imports take {length} bytes in a manifest, and {limit} is the limit"
    )]
    Imports {
        /// How many there are.
        count: usize,
        /// Their length in bytes of JSON.
        length: u64,
        /// The most that this may be.
        limit: u64,
        /// The first three.
        first: Vec<String>,
        /// The length of the longest in bytes.
        longest: usize,
    },
    /// Its core instances have too many memories and tables.
    #[error(
        "the {memories} memories and {tables} tables of the program's {instances} core instances \
         take {length} bytes in a manifest, and {limit} is the limit"
    )]
    Resources {
        /// How many memories there are.
        memories: usize,
        /// How many tables there are.
        tables: usize,
        /// How many core instances there are.
        instances: u64,
        /// Their length in bytes of JSON.
        length: u64,
        /// The most that this may be.
        limit: u64,
    },
}

/// Why a signed artifact is not as a host wants it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfCheckError {
    /// It is not an artifact.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Its payload is not a manifest.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The signer's key cannot be trusted.
    #[error(transparent)]
    Policy(Box<PolicyError>),
    /// It is refused.
    #[error(transparent)]
    Verify(Box<VerifyError>),
}

/// Why the code of an artifact did not pass the audit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfAuditError {
    /// It is not an artifact.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The image is not one.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine's table of functions was not read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The code was not audited.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The audit found something.
    #[error("the audit of the code for `{target}` found {found}, the first at {first}")]
    Found {
        /// The target's name.
        target: String,
        /// How many findings there are.
        found: u64,
        /// The first, as the audit describes it.
        first: String,
    },
}

/// Why the engine's table in an image is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The image is for another engine.
    #[error("the code is for wasmtime {found}, and this edgec reads code for {known}")]
    Engine {
        /// The major version of the image's engine.
        found: String,
        /// The major version that is read.
        known: u64,
    },
    /// The table was not read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A setting in a manifest that a rebuild does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest has a setting that this edgec does not know: {0}")]
pub struct UnknownSetting(pub(crate) String);

/// Why an input was not built again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The artifact was made from another input.
    #[error(
        "it is not what the artifact was made from: SHA-256 {found}, and the manifest states {stated}"
    )]
    OtherInput {
        /// The digest of the input.
        found: Sha256Digest,
        /// The digest in the manifest.
        stated: Sha256Digest,
    },
    /// The manifest names a target that this edgec does not know.
    #[error(transparent)]
    Target(UnknownTarget),
    /// The manifest has a setting that this edgec does not know.
    #[error(transparent)]
    Setting(#[from] UnknownSetting),
    /// The input was not built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A host of a fleet that could not load what is built for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host `{host}` could not load what is built for it")]
#[non_exhaustive]
pub struct Unserved {
    /// The host's name.
    pub host: String,
    /// Why not.
    #[source]
    pub unfit: Unfit,
}

/// Why a fleet cannot be built for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// Some hosts would load nothing of this build.
    #[error("{} hosts of the fleet could load nothing of this build", .0.len())]
    Unserved(Vec<Unserved>),
    /// No target runs on a host.
    #[error("no target runs on host `{0}`")]
    NoTarget(String),
}
