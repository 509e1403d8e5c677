//! The codes of errors: short names for logs and metrics, which do not change between releases.

use edgec_compiler::{ReadError, WorkerError};

use super::{BuildError, FleetError, RebuildError, RoomError, SelfAuditError, TableError};

impl BuildError {
    /// A short name for the error that does not change between releases.
    ///
    /// | code | reason |
    /// |---|---|
    /// | `name` | the application's name is invalid |
    /// | `not-wasm` | the input is not WebAssembly |
    /// | `invalid` | the program is not valid WebAssembly |
    /// | `unsupported` | the program is valid, but beyond edgec or its engine |
    /// | `legacy-exceptions` | the program has exceptions from before the standard, and they were not translated |
    /// | `engine-fault` | the program is valid, but the engine's code for it would be wrong |
    /// | `kind` | the program cannot become the requested kind |
    /// | `wit` | the program cannot get component types |
    /// | `wit-world`, `wit-invalid`, `wit-unsupported` | a world cannot be read |
    /// | `gate` | the program breaks what is demanded of it |
    /// | `too-many-imports`, `too-many-memories` | the manifest would be too long |
    /// | `init` | the call at build time gave no usable state |
    /// | `keep-module` | a core module that should not be optimized does not exist |
    /// | `precompile` | the engine cannot compile the program |
    /// | `validate-`, `optimize-` or `compile-` with `timeout`, `memory` or `crash` | this stage took too long, needed too much memory, or failed |
    /// | `sign` | the signer did not sign |
    /// | `self-check`, `self-audit`, `internal` | edgec does not trust its own artifact: a defect |
    /// | those of [`Unfit::code`](edgec_verifier::Unfit::code) | a host of the fleet could not load its artifact |
    /// | those of [`MachineError::code`](edgec_compiler::MachineError::code) | the machine is at fault, not the program |
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Input { error, .. } | Self::NotResumed(error) | Self::NotTranslated(error) => {
                error.code()
            }
            Self::Translate(error) => error.code(),
            Self::Room(error) => error.code(),
            Self::Init(error) => error.code(),
            Self::Snapshot(_) => "init",
            Self::Optimize(error) => error.code(),
            Self::Assemble(error) => error.code(),
            Self::NoSuchModule { .. } => "keep-module",
            Self::Precompile(error) => error.code(),
            Self::Debug(_) => "precompile",
            Self::Missing { .. } => "internal",
            Self::Sign(_) => "sign",
            Self::SelfCheck(_) => "self-check",
            Self::SelfAudit(error) => error.code(),
            Self::Unserved(error) => error.unfit.code(),
        }
    }
}

impl RoomError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Imports { .. } => "too-many-imports",
            Self::Resources { .. } => "too-many-memories",
        }
    }
}

impl SelfAuditError {
    /// A short name for the error that does not change between releases: `self-audit`, or the code
    /// of a [`MachineError`](edgec_compiler::MachineError).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Table(TableError::Read(ReadError::Worker(WorkerError::Machine(cause)))) => {
                cause.code()
            }
            _ => "self-audit",
        }
    }
}

impl RebuildError {
    /// A short name for the error that does not change between releases: `rebuild-input`,
    /// `rebuild-wit`, `rebuild-unknown`, or a code of [`BuildError::code`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherInput { .. } => "rebuild-input",
            Self::NoWit { .. } => "rebuild-wit",
            Self::Target(_) | Self::Setting(_) => "rebuild-unknown",
            Self::Build(error) => error.code(),
        }
    }
}

impl FleetError {
    /// A short name for the error that does not change between releases: `no-target`, or the code
    /// of the first [`Unfit`](edgec_verifier::Unfit).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unserved(hosts) => hosts.first().map_or("fleet", |host| host.unfit.code()),
            Self::NoTarget(_) => "no-target",
        }
    }
}
