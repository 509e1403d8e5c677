//! Compiles a program to native code for one target.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use edgec_targets::Target;
use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Engine};

use crate::native::function_pack::FunctionPack;
use crate::native::settings;
use crate::worker::{StageError, WorkerError};
use crate::{EngineProfile, NativeImage, ProgramKind, ValidComponent};

/// The full version of the engine. The engine itself compares only the major at load.
pub const ENGINE_VERSION: &str = "48.0.8";

/// Why a program was not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrecompileError {
    /// The engine does not accept the target's settings. This is a defect of edgec.
    #[error("the engine does not accept the settings of target `{target}`: {reason}")]
    Settings {
        /// The target's name.
        target: &'static str,
        /// The engine's message.
        reason: String,
    },
    /// The program is valid, but the engine cannot compile it.
    #[error("the engine cannot compile this program for `{target}`: {reason}")]
    Compile {
        /// The target's name.
        target: &'static str,
        /// The engine's message.
        reason: String,
    },
    /// The engine's image cannot be stripped or trimmed. This is a defect of edgec or of the
    /// engine.
    #[error("the image for `{target}` cannot be stripped: {reason}")]
    Unstripped {
        /// The target's name.
        target: &'static str,
        /// The reason.
        reason: String,
    },
    /// The process gave no answer.
    #[error(transparent)]
    Worker(#[from] StageError),
}

impl PrecompileError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Worker(error) => error.code(),
            _ => "precompile",
        }
    }

    /// Whether another attempt would fail too: the program is the cause and not a lack of memory,
    /// or no time is left.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Settings { .. }
                | Self::Compile { .. }
                | Self::Unstripped { .. }
                | Self::Worker(StageError {
                    error: WorkerError::Timeout { .. },
                    ..
                })
        )
    }
}

/// Compiles a program for one target and profile, in this process and without limits. For hostile
/// programs, use [`crate::CompilerProcess`], which sets limits.
///
/// # Errors
///
/// [`PrecompileError`].
pub fn precompile(
    program: &ValidComponent,
    target: &'static Target,
    profile: EngineProfile,
) -> Result<NativeImage, PrecompileError> {
    precompile_with(program, target, profile, None)
}

/// Like [`precompile`], but takes functions from a pack, and adds to it what it compiles.
pub(crate) fn precompile_with(
    program: &ValidComponent,
    target: &'static Target,
    profile: EngineProfile,
    functions: Option<Arc<FunctionPack>>,
) -> Result<NativeImage, PrecompileError> {
    let engine = engine(program, target, profile, functions)?;
    let compiled = match program.kind() {
        ProgramKind::Component => engine.precompile_component(program.bytes()),
        ProgramKind::Module => engine.precompile_module(program.bytes()),
    };
    let bytes = compiled.map_err(|error| PrecompileError::Compile {
        target: target.id,
        reason: chain(&error),
    })?;
    let mut hasher = HashInput(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let compatibility_hash = hasher.0.finalize().into();
    Ok(image_of(
        bytes,
        program,
        target,
        profile,
        compatibility_hash,
    ))
}

/// The engine that compiles a program.
pub(crate) fn engine(
    program: &ValidComponent,
    target: &'static Target,
    profile: EngineProfile,
    functions: Option<Arc<FunctionPack>>,
) -> Result<Engine, PrecompileError> {
    let with_functions = |mut config: Config| {
        if let Some(functions) = functions {
            config.enable_incremental_compilation(functions)?;
        }
        Engine::new(&config)
    };
    settings::config(target, program.features(), profile)
        .and_then(with_functions)
        .map_err(|error| PrecompileError::Settings {
            target: target.id,
            reason: chain(&error),
        })
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &wasmtime::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Passes the bytes that a value hashes to SHA-256. The standard hasher's results change between
/// releases.
struct HashInput(Sha256);

impl Hasher for HashInput {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Only the trait needs this. The digest is read from the field.
        0
    }
}

/// The image that an engine makes of `program` for `target` and `profile`.
pub(crate) fn image_of(
    bytes: Vec<u8>,
    program: &ValidComponent,
    target: &'static Target,
    profile: EngineProfile,
    compatibility_hash: [u8; 32],
) -> NativeImage {
    NativeImage {
        bytes,
        target,
        profile,
        kind: program.kind(),
        tunables: settings::tunables(program.features(), profile),
        compatibility_hash,
    }
}
