//! Native code for one target, and facts about it.

use edgec_targets::{EngineProfile, Target};

use crate::ProgramKind;

/// Native code for one target, in the form that the engine maps: an ELF file. Only this crate makes
/// images, and only the stages that strip and trim an image change its bytes.
#[derive(Clone, Debug)]
pub struct NativeImage {
    pub(crate) bytes: Vec<u8>,
    pub(crate) target: &'static Target,
    pub(crate) profile: EngineProfile,
    pub(crate) kind: ProgramKind,
    pub(crate) tunables: Vec<(&'static str, String)>,
    pub(crate) compatibility_hash: [u8; 32],
}

impl NativeImage {
    /// The ELF file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The ELF file, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The same code for another target, if that target allows the same CPU features. Nothing else
    /// of a target affects an image.
    pub fn for_target(self, target: &'static Target) -> Option<Self> {
        let same = self.target.has_code_of(target);
        same.then_some(Self { target, ..self })
    }

    /// The target that the code is for.
    pub fn target(&self) -> &'static Target {
        self.target
    }

    /// Component or core module.
    pub fn kind(&self) -> ProgramKind {
        self.kind
    }

    /// The engine profile that the code is for.
    pub fn profile(&self) -> EngineProfile {
        self.profile
    }

    /// The engine settings that a host must share, sorted by name.
    pub fn tunables(&self) -> &[(&'static str, String)] {
        &self.tunables
    }

    /// SHA-256 over everything that the engine says its code depends on.
    pub fn compatibility_hash(&self) -> [u8; 32] {
        self.compatibility_hash
    }
}
