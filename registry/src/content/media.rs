//! Media types and annotations. `docs/registries.md` describes each; readers of other versions
//! depend on them.

/// An index (OCI Image Specification 1.1, `image-index.md`).
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A manifest (OCI Image Specification 1.1, `manifest.md`).
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The content `{}`, in place of a configuration.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The configuration of a portable program (CNCF Wasm OCI artifact layout).
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The only layer of a portable program.
pub const WASM: &str = "application/wasm";

/// The kind of a manifest with the native image of one target.
pub const NATIVE: &str = "application/vnd.edgec.native.v1+json";
/// The kind of a manifest with a release.
pub const RELEASE: &str = "application/vnd.edgec.release.v1+json";
/// The layer with the timestamp of a release.
pub const TIMESTAMP: &str = "application/vnd.edgec.timestamp.v1+json";
/// A whole image, compressed with Zstandard (RFC 8878).
pub const IMAGE: &str = "application/vnd.edgec.image.v1+zstd";
/// An envelope: the signed manifest of an image (`docs/format.md`).
pub const ENVELOPE: &str = "application/vnd.edgec.envelope.v1+json";
/// A debug file, compressed with Zstandard.
pub const DEBUG: &str = "application/vnd.edgec.debug.v1+zstd";
/// A provenance (`docs/provenance.md`).
pub const PROVENANCE: &str = "application/vnd.edgec.provenance.v1+json";
/// A proof of a transparency log (C2SP `tlog-proof`).
pub const LOG_PROOF: &str = "application/vnd.edgec.log-proof.v1";
/// A notary's statement.
pub const REBUILD: &str = "application/vnd.edgec.rebuild.v1+json";
/// A bill of materials of CycloneDX.
pub const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
/// A bill of materials of SPDX.
pub const SPDX: &str = "application/spdx+json";
/// A difference against another image, compressed with Zstandard.
pub const DIFFERENCE: &str = "application/vnd.edgec.difference.v1+zstd";

/// The application's name.
pub const NAME: &str = "dev.edgec.name";
/// The channel, if there is one.
pub const CHANNEL: &str = "dev.edgec.channel";
/// The application's version.
pub const VERSION: &str = "dev.edgec.version";
/// The target that a native image is for.
pub const TARGET: &str = "dev.edgec.target";
/// The engine profile that a native image is for.
pub const PROFILE: &str = "dev.edgec.profile";
/// The version of the engine that made a native image.
pub const ENGINE: &str = "dev.edgec.engine";
/// The fs-verity digest of a native image.
pub const IMAGE_DIGEST: &str = "dev.edgec.image";
/// The length of a native image in bytes, uncompressed.
pub const IMAGE_LENGTH: &str = "dev.edgec.image-length";
/// The serial of a release.
pub const SERIAL: &str = "dev.edgec.serial";
/// The fs-verity digest of the image that a difference applies to.
pub const DIFFERENCE_BASE: &str = "dev.edgec.difference.base";
/// The length of that image in bytes.
pub const DIFFERENCE_BASE_LENGTH: &str = "dev.edgec.difference.base-length";

/// The operating system that native entries state. No tool asks for it, so none takes a native
/// image for a program that it can run.
pub const OS: &str = "edgec";
