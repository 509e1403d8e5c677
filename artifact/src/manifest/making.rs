//! Constructors of manifests and their parts. Each required statement is an argument. Each optional
//! statement is a field, which the caller sets afterwards.

use std::collections::BTreeMap;

use super::{
    Builder, Bytes, Capabilities, Engine, Image, LimitRange, Manifest, ProgramKind, Resources,
    Source, Stage, TargetCpu, Validity,
};
use crate::{Exports, Sha256Digest, UnixTime, verity};

impl Manifest {
    /// A manifest with all required statements. It has no optional statements, no memories and no
    /// WebAssembly features: set those fields.
    #[expect(
        clippy::too_many_arguments,
        reason = "all are required, and each is of a type of its own"
    )]
    pub fn new(
        name: impl Into<String>,
        version: u64,
        kind: ProgramKind,
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

/// Below this many bytes a second thread costs more than it saves.
const PARALLEL_FROM: usize = 256 * 1024;

impl Image {
    /// The length and the digests of these bytes. The two digests are computed at the same time.
    pub fn of(bytes: &[u8]) -> Self {
        Self::at_front_of(bytes, bytes.len()).0
    }

    /// The length and the digests of the first `length` bytes of a file, and the SHA-256 of the
    /// whole file, which costs little more. If the file is shorter, all of it is the image.
    pub fn at_front_of(file: &[u8], length: usize) -> (Self, Sha256Digest) {
        let (bytes, rest) = file.split_at_checked(length).unwrap_or((file, &[]));
        let sha256 = || Sha256Digest::of_both(bytes, rest);
        let ((sha256, whole), fsverity) = match bytes.len() {
            ..PARALLEL_FROM => (sha256(), verity::digest(bytes)),
            _ => std::thread::scope(|scope| {
                // If the system gives no thread, this one computes both.
                let builder = std::thread::Builder::new();
                let hashed = builder.spawn_scoped(scope, sha256);
                // SHA-256 of the whole takes as long on one thread as all blocks do on another.
                // With more threads, the two would only take processors from each other.
                let fsverity = verity::digest_on_one_thread(bytes);
                let hashed = hashed.ok().and_then(|thread| thread.join().ok());
                (hashed.unwrap_or_else(sha256), fsverity)
            }),
        };
        let image = Self {
            length: bytes.len() as u64,
            sha256,
            fsverity,
        };
        (image, whole)
    }
}

impl Source {
    /// An input, and the WebAssembly that was made from it and compiled.
    pub fn new(input: Bytes, optimized: Bytes) -> Self {
        Self { input, optimized }
    }
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
}

impl Capabilities {
    /// These imports and exports. The imports are sorted, each once.
    pub fn new(imports: Vec<String>, exports: Exports) -> Self {
        Self { imports, exports }
    }
}

impl Resources {
    /// This number of core instances, and all their memories and tables. The counts are complete.
    pub fn new(core_instances: u64, memories: Vec<LimitRange>, tables: Vec<LimitRange>) -> Self {
        Self {
            core_instances,
            memories,
            tables,
            complete: true,
        }
    }
}

impl LimitRange {
    /// From this minimum up to the maximum, if there is one.
    pub const fn new(minimum: u64, maximum: Option<u64>) -> Self {
        Self { minimum, maximum }
    }
}

impl Validity {
    /// The same validity, issued at this time.
    #[must_use]
    pub fn with_issued(self, issued: impl Into<Option<UnixTime>>) -> Self {
        let issued = issued.into();
        Self { issued, ..self }
    }

    /// The same validity, starting with this second.
    #[must_use]
    pub fn with_not_before(self, not_before: impl Into<Option<UnixTime>>) -> Self {
        let not_before = not_before.into();
        Self { not_before, ..self }
    }

    /// The same validity, ending before this second.
    #[must_use]
    pub fn with_expires(self, expires: impl Into<Option<UnixTime>>) -> Self {
        let expires = expires.into();
        Self { expires, ..self }
    }
}

impl Builder {
    /// This version of edgec, and the stages in their order.
    pub fn new(edgec: impl Into<String>, stages: Vec<Stage>) -> Self {
        let edgec = edgec.into();
        Self { edgec, stages }
    }
}

impl Stage {
    /// A tool's stage, with the settings that decide its result.
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
