//! A valid program, and the facts that validation found.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmparser::WasmFeatures;

use crate::input::features;
use crate::input::found::KnownCode;
use crate::{Interface, ProgramKind, Resources};

/// A valid component or core module.
#[derive(Clone, Debug)]
pub struct ValidComponent {
    bytes: Vec<u8>,
    kind: ProgramKind,
    features: WasmFeatures,
    /// The result of a scan of its function bodies, if it was made.
    code: Option<WasmFeatures>,
    advisories: Vec<Cow<'static, str>>,
    /// The SHA-256 of the bytes, once it is known.
    digest: OnceLock<[u8; 32]>,
}

/// Facts about a program, for another process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    kind: ProgramKind,
    features: u64,
    code: Option<u64>,
    advisories: Vec<Cow<'static, str>>,
}

impl ValidComponent {
    /// A program that was just validated.
    pub(super) fn new(
        bytes: Vec<u8>,
        kind: ProgramKind,
        features: WasmFeatures,
        code: Option<WasmFeatures>,
        advisories: Vec<Cow<'static, str>>,
    ) -> Self {
        Self {
            bytes,
            kind,
            features,
            code,
            advisories,
            digest: OnceLock::new(),
        }
    }

    /// A program that another process of this build has validated.
    #[cfg(feature = "precompile")]
    pub(crate) fn from_parts(bytes: Vec<u8>, kind: ProgramKind, features: WasmFeatures) -> Self {
        Self {
            bytes,
            kind,
            features,
            code: None,
            advisories: Vec::new(),
            digest: OnceLock::new(),
        }
    }

    /// The program of these bytes, with the facts that another process found.
    pub(crate) fn of_description(bytes: Vec<u8>, described: Description) -> Self {
        Self {
            bytes,
            kind: described.kind,
            features: WasmFeatures::from_bits_truncate(described.features),
            code: described.code.map(WasmFeatures::from_bits_truncate),
            advisories: described.advisories,
            digest: OnceLock::new(),
        }
    }

    /// The bytes, and the facts about them.
    pub(crate) fn into_description(self) -> (Vec<u8>, Description) {
        let described = Description {
            kind: self.kind,
            features: self.features.bits(),
            code: self.code.map(|code| code.bits()),
            advisories: self.advisories,
        };
        (self.bytes, described)
    }

    /// The same program in other bytes. They may differ only in custom sections, which the engine
    /// ignores.
    pub(crate) fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            kind: self.kind,
            features: self.features,
            code: self.code,
            advisories: self.advisories.clone(),
            digest: OnceLock::new(),
        }
    }

    /// The binary.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the binary. It is computed once.
    pub fn sha256(&self) -> [u8; 32] {
        *self
            .digest
            .get_or_init(|| Sha256::digest(&self.bytes).into())
    }

    /// Where [`sha256`](Self::sha256) is kept.
    pub(crate) fn digest(&self) -> &OnceLock<[u8; 32]> {
        &self.digest
    }

    /// The binary, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Component or core module.
    pub fn kind(&self) -> ProgramKind {
        self.kind
    }

    /// The features that the program uses, in wasmparser's names, sorted.
    pub fn feature_names(&self) -> Vec<String> {
        features::names(self.features)
    }

    /// The advisories about the engine that affect programs of this shape.
    pub fn advisories(&self) -> impl Iterator<Item = &str> {
        self.advisories.iter().map(|id| &**id)
    }

    pub(crate) fn features(&self) -> WasmFeatures {
        self.features
    }

    /// Facts about this program's function bodies, for another program that has only these bodies.
    pub(crate) fn code(&self) -> KnownCode {
        KnownCode {
            valid_with: self.features,
            uses: self.code,
        }
    }

    /// What the program imports and exports.
    pub fn interface(&self) -> Interface {
        Interface::of(&self.bytes)
    }

    /// What an instance of the program needs.
    pub fn resources(&self) -> Resources {
        Resources::of(&self.bytes)
    }
}
