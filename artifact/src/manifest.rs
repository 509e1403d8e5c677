//! The manifest: what a signer says about an image.
//!
//! `docs/format.md` describes each field. The manifest is the predicate of an in-toto
//! Statement; its JSON has one spelling, with the fields in the order below.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Exports, Extensions, Sha256Digest, UnixTime, VerityDigest, verity};

/// The highest version of an application or a policy: the largest integer that every reader
/// of JSON keeps exactly (RFC 7493, section 2.2).
pub const MAX_VERSION: u64 = (1 << 53) - 1;

/// Everything that is signed about one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    /// The application's name, which a host asks for.
    pub name: String,
    /// A number that only grows with each release, so that a host can refuse older ones.
    pub version: u64,
    /// The version as people write it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display_version: Option<String>,
    /// The release channel, such as `stable`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channel: Option<String>,
    /// What the image holds.
    pub kind: Kind,
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
    /// When the artifact was issued and may be used; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validity: Option<Validity>,
    /// How to make the same image again.
    pub builder: Builder,
    /// Information for other readers; no rule reads it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub extensions: Option<Extensions>,
}

impl Manifest {
    /// A manifest with all that it must state. It says nothing of what is optional, needs no
    /// memories, and has no WebAssembly feature: set those fields.
    #[expect(
        clippy::too_many_arguments,
        reason = "all are required, and each is of a type of its own"
    )]
    pub fn new(
        name: impl Into<String>,
        version: u64,
        kind: Kind,
        image: Image,
        source: Source,
        target: TargetCpu,
        engine: Engine,
        capabilities: Capabilities,
        builder: Builder,
    ) -> Self {
        Self {
            name: name.into(),
            version,
            display_version: None,
            channel: None,
            kind,
            image,
            source,
            target,
            engine,
            capabilities,
            resources: Resources::default(),
            wasm_features: Vec::new(),
            validity: None,
            builder,
            extensions: None,
        }
    }

    /// The same statements about another image.
    #[must_use]
    pub fn with_image(self, image: Image) -> Self {
        Self { image, ..self }
    }
}

/// What an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a promise: WebAssembly has these two kinds of programs, and a host must serve each"
)]
pub enum Kind {
    /// A component (component model).
    Component,
    /// A core module.
    Module,
}

impl Kind {
    /// The name in the manifest and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Component => "component",
            Kind::Module => "module",
        }
    }
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

/// Below this many bytes a second thread costs more than it saves.
const PARALLEL_FROM: usize = 256 * 1024;

impl Image {
    /// The length and the digests of these bytes, which may be computed on several threads.
    pub fn of(bytes: &[u8]) -> Self {
        let (sha256, fsverity) = match bytes.len() {
            ..PARALLEL_FROM => (Sha256Digest::of(bytes), verity::digest(bytes)),
            _ => std::thread::scope(|scope| {
                // Where no thread is to be had, this one computes both.
                let builder = std::thread::Builder::new();
                let sha256 = builder.spawn_scoped(scope, || Sha256Digest::of(bytes));
                let fsverity = verity::digest(bytes);
                let sha256 = sha256.ok().and_then(|thread| thread.join().ok());
                (sha256.unwrap_or_else(|| Sha256Digest::of(bytes)), fsverity)
            }),
        };
        Self {
            length: bytes.len() as u64,
            sha256,
            fsverity,
        }
    }
}

/// What the image was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Source {
    /// The input as it was read.
    pub input: Bytes,
    /// The WebAssembly that was compiled: adapted and optimized.
    pub optimized: Bytes,
}

impl Source {
    /// An input, and the WebAssembly that was made from it and compiled.
    pub fn new(input: Bytes, optimized: Bytes) -> Self {
        Self { input, optimized }
    }
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
    /// The CPUs of a target in edgec's registry. `cpu_features` are sorted.
    pub fn new(
        id: impl Into<String>,
        triple: impl Into<String>,
        level: impl Into<String>,
        cpu_features: Vec<String>,
    ) -> Self {
        Self {
            id: id.into(),
            triple: triple.into(),
            level: level.into(),
            cpu_features,
        }
    }

    /// The CPU family: what stands first in the triple.
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
    /// The engine profile, which fixes every setting that a host must share.
    pub profile: String,
    /// The settings that the profile fixes, by name.
    pub tunables: BTreeMap<String, String>,
    /// SHA-256 over everything that the engine itself says its code depends on.
    pub compatibility_hash: Sha256Digest,
}

impl Engine {
    /// Wasmtime of this full version, with the settings of a profile.
    pub fn wasmtime(
        version: impl Into<String>,
        profile: impl Into<String>,
        tunables: BTreeMap<String, String>,
        compatibility_hash: Sha256Digest,
    ) -> Self {
        Self {
            name: "wasmtime".to_owned(),
            version: version.into(),
            profile: profile.into(),
            tunables,
            compatibility_hash,
        }
    }

    /// The major version: all that the engine itself compares.
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
    /// [`edgec_targets::import_text`] writes it. Sorted, and always all of them, since policies
    /// decide over them.
    pub imports: Vec<String>,
    /// Exports: names, or what sums up a long list of them.
    pub exports: Exports,
}

impl Capabilities {
    /// These imports and exports. The imports are sorted, each once.
    pub fn new(imports: Vec<String>, exports: Exports) -> Self {
        Self { imports, exports }
    }
}

/// What one instance needs: a host's pool must allow at least this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Resources {
    /// Core instances made from the core modules inside. The engine adds one for each
    /// adapter between two components that call each other.
    pub core_instances: u64,
    /// The linear memories of those instances, each with its limits in bytes.
    pub memories: Vec<LimitRange>,
    /// The tables of those instances, each with its limits in elements.
    pub tables: Vec<LimitRange>,
    /// Whether the counts are complete. They are not when core modules or components
    /// are imported, which edgec cannot see into.
    pub complete: bool,
}

impl Resources {
    /// So many core instances, and all memories and tables of them: the counts are complete.
    pub fn new(core_instances: u64, memories: Vec<LimitRange>, tables: Vec<LimitRange>) -> Self {
        Self {
            core_instances,
            memories,
            tables,
            complete: true,
        }
    }
}

/// A minimum and, where the program states one, a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct LimitRange {
    /// At instantiation.
    pub minimum: u64,
    /// After growth; absent when the program states none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub maximum: Option<u64>,
}

impl LimitRange {
    /// From this minimum on, up to the maximum if there is one.
    pub const fn new(minimum: u64, maximum: Option<u64>) -> Self {
        Self { minimum, maximum }
    }
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
    /// The same validity, issued at this time.
    #[must_use]
    pub fn with_issued(self, issued: impl Into<Option<UnixTime>>) -> Self {
        let issued = issued.into();
        Self { issued, ..self }
    }

    /// The same validity, which begins with this second.
    #[must_use]
    pub fn with_not_before(self, not_before: impl Into<Option<UnixTime>>) -> Self {
        let not_before = not_before.into();
        Self { not_before, ..self }
    }

    /// The same validity, which ends before this second.
    #[must_use]
    pub fn with_expires(self, expires: impl Into<Option<UnixTime>>) -> Self {
        let expires = expires.into();
        Self { expires, ..self }
    }

    /// `None` if nothing is stated, as the manifest requires.
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

impl Builder {
    /// This version of edgec, and the stages in their order.
    pub fn new(edgec: impl Into<String>, stages: Vec<Stage>) -> Self {
        let edgec = edgec.into();
        Self { edgec, stages }
    }
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

impl Stage {
    /// A stage that a tool did, with the settings that decide its result.
    pub fn new(
        name: impl Into<String>,
        tool: impl Into<String>,
        version: impl Into<String>,
        settings: BTreeMap<String, String>,
    ) -> Self {
        Self {
            name: name.into(),
            tool: tool.into(),
            version: version.into(),
            settings,
        }
    }
}
