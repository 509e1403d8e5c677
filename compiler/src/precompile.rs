//! Native code for one target.

use std::hash::{Hash, Hasher};

use edgec_targets::Target;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::deadline::Spent;
use crate::machine::MachineError;
use crate::settings;
use crate::{EngineProfile, Kind, ValidComponent};

/// The full version of the engine. The engine itself compares only the major at load.
pub const ENGINE_VERSION: &str = "48.0.8";

/// Native code for one target, as the engine maps it: an ELF file.
#[derive(Clone, Debug)]
pub struct NativeImage {
    bytes: Vec<u8>,
    target: &'static Target,
    profile: EngineProfile,
    kind: Kind,
    tunables: Vec<(&'static str, String)>,
    compatibility_hash: [u8; 32],
}

/// Why there is no native code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrecompileError {
    /// The engine does not accept the target's settings: a defect of edgec.
    #[error("the engine does not accept the settings of target `{target}`: {reason}")]
    Settings {
        /// The target's name.
        target: &'static str,
        /// What the engine said.
        reason: String,
    },
    /// The program is valid, but the engine cannot compile it.
    #[error("the engine cannot compile this program for `{target}`: {reason}")]
    Compile {
        /// The target's name.
        target: &'static str,
        /// What the engine said.
        reason: String,
    },
    /// The engine's image cannot be stripped or trimmed: a defect of edgec or of the engine.
    #[error("the image for `{target}` cannot be stripped: {reason}")]
    Unstripped {
        /// The target's name.
        target: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It took too long, and was stopped.
    #[error("compiling this program for `{target}` was stopped {spent}")]
    Timeout {
        /// The target's name.
        target: &'static str,
        /// The time that was spent.
        spent: Spent,
    },
    /// It needs more memory than it may have.
    #[error("compiling this program for `{target}` needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The target's name.
        target: &'static str,
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// The compiling process failed on this program.
    #[error("the compiler failed on this program for `{target}` ({status}): {message}")]
    Crash {
        /// The target's name.
        target: &'static str,
        /// The exit status or the signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The machine is at fault, not the program.
    #[error("this program was not compiled for `{target}`")]
    Machine {
        /// The target's name.
        target: &'static str,
        /// What was in the way.
        source: MachineError,
    },
}

impl PrecompileError {
    /// Whether it would be the same if it was tried again: it is the program, and not what there
    /// was of memory, or there is no time left.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Settings { .. }
                | Self::Compile { .. }
                | Self::Unstripped { .. }
                | Self::Timeout { .. }
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
    let engine = settings::config(target, program.features(), profile)
        .and_then(|config| Engine::new(&config))
        .map_err(|error| PrecompileError::Settings {
            target: target.id,
            reason: chain(&error),
        })?;
    let compiled = match program.kind() {
        Kind::Component => engine.precompile_component(program.bytes()),
        Kind::Module => engine.precompile_module(program.bytes()),
    };
    let bytes = compiled.map_err(|error| PrecompileError::Compile {
        target: target.id,
        reason: chain(&error),
    })?;
    let mut hasher = HashInput(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let compatibility_hash = hasher.0.finalize().into();
    Ok(NativeImage::new(
        bytes,
        program,
        target,
        profile,
        compatibility_hash,
    ))
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &wasmtime::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Feeds what a value hashes into SHA-256: the standard hasher changes between releases.
struct HashInput(Sha256);

impl Hasher for HashInput {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Only the trait needs this: the digest is taken from the field.
        0
    }
}

impl NativeImage {
    /// What an engine made of `program` for `target` and `profile`.
    pub(crate) fn new(
        bytes: Vec<u8>,
        program: &ValidComponent,
        target: &'static Target,
        profile: EngineProfile,
        compatibility_hash: [u8; 32],
    ) -> Self {
        Self {
            bytes,
            target,
            profile,
            kind: program.kind(),
            tunables: settings::tunables(program.features(), profile),
            compatibility_hash,
        }
    }

    /// The ELF file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The ELF file, for stages that rewrite it.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The ELF file, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The same code for another target, if that allows the same CPU features: nothing else of a
    /// target gets into an image.
    pub fn for_target(self, target: &'static Target) -> Option<Self> {
        let same = self.target.has_code_of(target);
        same.then_some(Self { target, ..self })
    }

    /// The target that the code is for.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Component or core module.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The engine profile that the code is for.
    pub fn profile(&self) -> EngineProfile {
        self.profile
    }

    /// The engine settings that a host must share, by name, sorted.
    pub fn tunables(&self) -> &[(&'static str, String)] {
        &self.tunables
    }

    /// SHA-256 over everything that the engine's code depends on, as the engine reports it.
    pub fn compatibility_hash(&self) -> [u8; 32] {
        self.compatibility_hash
    }
}
