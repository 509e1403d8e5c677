//! Native code for one target, and facts about it.

use edgec_targets::{EngineProfile, Target};

use crate::ProgramKind;

/// Native code for one target, in the form that the engine maps: an ELF file.
#[derive(Clone, Debug)]
pub struct NativeImage {
    bytes: Vec<u8>,
    target: &'static Target,
    profile: EngineProfile,
    kind: ProgramKind,
    tunables: Vec<(&'static str, String)>,
    compatibility_hash: [u8; 32],
}

impl NativeImage {
    /// An image that an engine compiled.
    pub(crate) fn new(
        bytes: Vec<u8>,
        target: &'static Target,
        profile: EngineProfile,
        kind: ProgramKind,
        tunables: Vec<(&'static str, String)>,
        compatibility_hash: [u8; 32],
    ) -> Self {
        Self {
            bytes,
            target,
            profile,
            kind,
            tunables,
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
