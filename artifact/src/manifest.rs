//! The manifest: a signer's statements about an image.
//!
//! `docs/format.md` describes each field. The manifest is the predicate of an in-toto
//! Statement; its JSON has one spelling, with the fields in the order below.

mod making;

use std::collections::BTreeMap;

use edgec_targets::ProgramKind;
use serde::{Deserialize, Serialize};

use crate::{Exports, Extensions, Sha256Digest, UnixTime, VerityDigest};

/// The highest version of an application or a policy: the largest integer that every JSON reader
/// keeps exactly (RFC 7493, section 2.2).
pub const MAX_VERSION: u64 = (1 << 53) - 1;

/// All statements that are signed about one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    /// The application's name. A host asks for it.
    pub name: String,
    /// A number that grows with each release, so that a host can refuse older releases.
    pub version: u64,
    /// The version as people write it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display_version: Option<String>,
    /// The release channel, such as `stable`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channel: Option<String>,
    /// What the image holds.
    pub kind: ProgramKind,
    /// The image's length and digests.
    pub image: Image,
    /// What the image was made from.
    pub source: Source,
    /// The CPUs that the image is for.
    pub target: TargetCpu,
    /// The engine that made the image and that can load it.
    pub engine: Engine,
    /// The program's imports from a host and exports to it.
    pub capabilities: Capabilities,
    /// What an instance needs.
    pub resources: Resources,
    /// The WebAssembly features that the program uses, by wasmparser's names, sorted.
    pub wasm_features: Vec<String>,
    /// When the artifact was issued and may be used. It is absent unless the build states it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validity: Option<Validity>,
    /// How to make the same image again.
    pub builder: Builder,
    /// Information for other readers; no rule reads it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub extensions: Option<Extensions>,
}

/// The image's length and digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Image {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the image, for tools that know nothing else.
    pub sha256: Sha256Digest,
    /// fs-verity digest of the image: what edgec and a kernel check.
    pub fsverity: VerityDigest,
}

/// What the image was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Source {
    /// The input as it was read.
    pub input: Bytes,
    /// The WebAssembly that was compiled, after adapting and optimizing.
    pub optimized: Bytes,
}

/// A byte string that the artifact does not contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Bytes {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the bytes.
    pub sha256: Sha256Digest,
}

impl Bytes {
    /// Describes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            length: bytes.len() as u64,
            sha256: Sha256Digest::of(bytes),
        }
    }

    /// Describes bytes of this length and digest.
    pub const fn new(length: u64, sha256: Sha256Digest) -> Self {
        Self { length, sha256 }
    }
}

/// The CPUs that an image is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct TargetCpu {
    /// The target's name in edgec's registry.
    pub id: String,
    /// The target triple.
    pub triple: String,
    /// The micro-architecture level.
    pub level: String,
    /// The CPU features that a host must have, sorted.
    pub cpu_features: Vec<String>,
}

impl TargetCpu {
    /// The CPU family: the first part of the triple.
    pub fn family(&self) -> &str {
        self.triple.split('-').next().unwrap_or("")
    }
}

/// The engine that made the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Engine {
    /// `wasmtime`.
    pub name: String,
    /// The full version. The engine itself compares only the major version at load.
    pub version: String,
    /// The engine profile. It fixes every setting that a host must share.
    pub profile: String,
    /// The settings that the profile fixes, by name.
    pub tunables: BTreeMap<String, String>,
    /// SHA-256 over every setting that the engine's code depends on, as the engine lists them.
    pub compatibility_hash: Sha256Digest,
}

impl Engine {
    /// The major version. The engine itself compares only this part.
    pub fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or("")
    }
}

/// The program's imports from a host and exports to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Capabilities {
    /// Imports: interfaces with versions, or `module::name` of a core module, as
    /// [`edgec_targets::import_text`] writes it. The list is sorted and always complete, since
    /// policies have rules for imports.
    pub imports: Vec<String>,
    /// Exports: the names, or the sum of a long list of names.
    pub exports: Exports,
}

/// The needs of one instance. A host's pool must allow at least this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Resources {
    /// Core instances of the program's core modules. The engine adds one for each adapter between
    /// two components that call each other.
    pub core_instances: u64,
    /// The linear memories of those instances, each with its limits in bytes.
    pub memories: Vec<LimitRange>,
    /// The tables of those instances, each with its limits in elements.
    pub tables: Vec<LimitRange>,
    /// Whether the counts are complete. If the program imports core modules or components, they are
    /// not, since edgec cannot see into those.
    pub complete: bool,
}

/// A minimum, and a maximum if the program states one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct LimitRange {
    /// At instantiation.
    pub minimum: u64,
    /// After growth; absent if the program states no maximum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub maximum: Option<u64>,
}

/// When an artifact was issued and may be used. It states nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Validity {
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issued: Option<UnixTime>,
    /// The first second at which it may be used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<UnixTime>,
    /// The first second at which it may no longer be used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<UnixTime>,
}

impl Validity {
    /// Returns `None` if nothing is stated, as the manifest requires.
    pub fn into_stated(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// How to make the same image again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Builder {
    /// edgec's version.
    pub edgec: String,
    /// The stages that the input went through, in order.
    pub stages: Vec<Stage>,
}

/// One stage of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stage {
    /// The stage: `parse`, `adapt`, `optimize` or `precompile`.
    pub name: String,
    /// The tool that did the work.
    pub tool: String,
    /// The tool's version.
    pub version: String,
    /// The settings that decide the result.
    pub settings: BTreeMap<String, String>,
}
