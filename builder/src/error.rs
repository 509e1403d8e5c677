//! Errors of builds.

mod code;

use std::error::Error;

use edgec_artifact::{LayoutError, NameError, Sha256Digest, StatementError};
use edgec_compiler::{
    FrontEndError, ImageError, InitError, OptimizeError, PrecompileError, ReadError, RefusedInput,
    SnapshotError, StageError, TranslateError,
};
use edgec_targets::UnknownTarget;
use edgec_verifier::audit::AuditError;
use edgec_verifier::{PolicyError, Unfit, VerifyError};

/// Why an input was not built.
///
/// | error | what the caller does about it |
/// |---|---|
/// | [`Name`](Self::Name), [`NoSuchModule`](Self::NoSuchModule) | correct the name or the number |
/// | [`Input`](Self::Input), [`Room`](Self::Room), [`Init`](Self::Init), [`NotResumed`](Self::NotResumed), [`Translate`](Self::Translate), [`NotTranslated`](Self::NotTranslated), [`Optimize`](Self::Optimize), [`Assemble`](Self::Assemble), [`Precompile`](Self::Precompile) | the program is invalid, or needs more time or memory than [`Limits`](crate::Limits) gives: the error says which |
/// | [`Sign`](Self::Sign) | its source is the error of the signer |
/// | [`Unserved`](Self::Unserved) | change the fleet, or the program |
/// | [`Snapshot`](Self::Snapshot), [`Debug`](Self::Debug), [`Missing`](Self::Missing), [`SelfCheck`](Self::SelfCheck), [`SelfAudit`](Self::SelfAudit) | a defect of edgec: report it with the input |
///
/// If a source is a [`MachineError`](edgec_compiler::MachineError), not the program but the machine
/// is at fault, and another attempt may succeed. [`Self::code`] is a name for logs and metrics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The application's name is invalid.
    #[error(transparent)]
    Name(NameError),
    /// The bytes are not a program that can be compiled, or reading them exceeded a limit.
    #[error("the input was not read")]
    Input {
        /// The reason.
        #[source]
        error: Box<FrontEndError>,
        /// The input, returned so that the caller can say what it is instead.
        bytes: Vec<u8>,
    },
    /// The program's manifest would be too long for any reader.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The call of the export at build time gave no snapshot.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The snapshot is not the same program with a different state.
    #[error(transparent)]
    Snapshot(Box<SnapshotError>),
    /// The snapshot could not be read.
    #[error(transparent)]
    NotResumed(Box<FrontEndError>),
    /// The program's legacy exceptions were not translated.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// The program with translated exceptions is not valid, or could not be validated.
    #[error(transparent)]
    NotTranslated(Box<FrontEndError>),
    /// A core module could not be optimized within the limits.
    #[error(transparent)]
    Optimize(#[from] OptimizeError),
    /// The optimized program could not be put together.
    #[error(transparent)]
    Assemble(#[from] StageError),
    /// A core module that should not be optimized does not exist.
    #[error("there is no core module {number}: the program has {modules}")]
    NoSuchModule {
        /// Its number, counted from 0.
        number: usize,
        /// The number of core modules.
        modules: usize,
    },
    /// The program could not be compiled.
    #[error(transparent)]
    Precompile(#[from] PrecompileError),
    /// The debug file could not be made: a defect.
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
    /// The code did not pass the audit.
    #[error(transparent)]
    SelfAudit(#[from] SelfAuditError),
    /// A host of the fleet could not load its artifact.
    #[error(transparent)]
    Unserved(Box<Unserved>),
}

impl From<RefusedInput> for BuildError {
    fn from(RefusedInput { error, bytes }: RefusedInput) -> Self {
        Self::Input { error, bytes }
    }
}

/// Why a manifest would be too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// The program has too many imports, or imports with long names.
    #[error(
        "the program's {count} imports take {length} bytes in a manifest, and {limit} is the limit"
    )]
    Imports {
        /// The number of imports.
        count: usize,
        /// Their length in bytes of JSON.
        length: u64,
        /// The limit, in bytes.
        limit: u64,
        /// The first three imports.
        first: Vec<String>,
        /// The length of the longest import, in bytes.
        longest: usize,
    },
    /// The program's core instances have too many memories and tables.
    #[error(
        "the {memories} memories and {tables} tables of the program's {instances} core instances \
         take {length} bytes in a manifest, and {limit} is the limit"
    )]
    Resources {
        /// The number of memories.
        memories: usize,
        /// The number of tables.
        tables: usize,
        /// The number of core instances.
        instances: u64,
        /// Their length in bytes of JSON.
        length: u64,
        /// The limit, in bytes.
        limit: u64,
    },
}

/// Why a host would not accept a newly signed artifact.
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
    /// The verifier refuses it.
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
    /// The image is malformed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine's table of functions could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The code could not be audited.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The audit has findings.
    #[error("the audit of the code for `{target}` found {found}, the first at {first}")]
    Found {
        /// The target's name.
        target: String,
        /// The number of findings.
        found: u64,
        /// The first finding, as the audit describes it.
        first: String,
    },
}

/// Why the engine's table in an image could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The image is for another engine.
    #[error("the code is for wasmtime {found}, and this edgec reads code for {known}")]
    Engine {
        /// The major version of the image's engine.
        found: String,
        /// The major version that this edgec reads.
        known: u64,
    },
    /// The table could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A setting in a manifest that this edgec does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest has a setting that this edgec does not know: {0}")]
pub struct UnknownSetting(pub(crate) String);

/// Why an input could not be rebuilt.
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
    /// The core module got component types of a world, and no world was given.
    #[error("its core module got component types of world `{world}`, which are not at hand")]
    NoWit {
        /// The world in the manifest.
        world: String,
    },
    /// The manifest names a target that this edgec does not know.
    #[error(transparent)]
    Target(UnknownTarget),
    /// The manifest has a setting that this edgec does not know.
    #[error(transparent)]
    Setting(#[from] UnknownSetting),
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A host of a fleet that could not load the artifact for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host `{host}` could not load the artifact for it")]
#[non_exhaustive]
pub struct Unserved {
    /// The host's name.
    pub host: String,
    /// The reason.
    #[source]
    pub unfit: Unfit,
}

/// Why no build is possible for a fleet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// Some hosts could load no artifact of this build.
    #[error("{} hosts of the fleet could load nothing of this build", .0.len())]
    Unserved(Vec<Unserved>),
    /// No target runs on this host.
    #[error("no target runs on host `{0}`")]
    NoTarget(String),
}
