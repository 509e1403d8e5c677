//! The `.cwasm` artifact, format version 1: layout, manifest, digests, envelope.
//!
//! `docs/format.md` is the specification. This crate converts between bytes and values. It touches
//! no files, holds no private key and knows no compiler. Nothing that it returns is trusted: the
//! verifier decides about trust.
//!
//! [`Attestation`]s are envelopes of their own, about files of any kind ([`blob_payload`]) and
//! about builds ([`Provenance`]). Other tools read and write them as well.
//!
//! [`Release`], [`Timestamp`] and [`RebuildStatement`] lie beside artifacts, in an [`Envelope`] of
//! their own.
//!
//! A reader of an artifact takes these steps: [`Artifact::decode`] splits the file into image and
//! [`Envelope`]; [`Envelope::pae`] gives the bytes that signatures cover; [`Statement::decode`] may
//! parse the payload only after a signature was accepted.

#![forbid(unsafe_code)]
#![warn(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::indexing_slicing,
    unnameable_types
)]

mod algorithm;
mod attestation;
mod canonical;
mod companion;
pub mod digest;
pub mod elf;
mod encoding;
mod envelope;
mod exports;
mod extension;
mod key;
mod key_id;
mod layout;
mod log_proof;
mod manifest;
mod name;
mod note;
mod note_key;
mod pem;
mod provenance;
mod rebuilt;
mod release;
mod signer_keys;
mod sigstore;
mod statement;
mod time;
mod timestamp;
mod unseen;
pub mod verity;

pub use algorithm::Algorithm;
pub use attestation::{
    Attestation, AttestationError, AttestedError, AttestedStatement, AttestedSubject,
    BLOB_PREDICATE_TYPE, KeyIdHint, MAX_ATTESTATION_LEN, blob_payload,
};
pub use canonical::JsonError;
pub use companion::{CompanionError, MAX_COMPANION_LEN, companion_envelope};
pub use digest::{ParseDigestError, Sha256Digest, VerityDigest};
pub use edgec_targets::{Arch, ProgramKind};
pub use encoding::KeyEncoding;
pub use envelope::{
    BadSignature, Envelope, EnvelopeError, MAX_SIGNATURE_LEN, PAYLOAD_TYPE, Signature, pae,
};
pub use exports::{ExportSum, Exports, MAX_EXPORT_LIST_LEN, export_list};
pub use extension::{
    ExtensionError, ExtensionValue, Extensions, MAX_EXTENSIONS_DEPTH, MAX_EXTENSIONS_LEN,
};
pub use key::{KeyError, PublicKey};
pub use key_id::KeyId;
pub use layout::{
    Artifact, FORMAT_VERSION, LayoutError, MAX_ARTIFACT_LEN, MAX_ENVELOPE_LEN, append_envelope,
    behind_image, encode,
};
pub use log_proof::{LogProof, LogProofError, MAX_LOG_PROOF_LEN};
pub use manifest::{
    Builder, Bytes, Capabilities, Engine, Image, LimitRange, MAX_VERSION, Manifest, Resources,
    Source, Stage, TargetCpu, Validity,
};
pub use name::{NameError, check_name};
pub use note_key::{NoteKey, NoteKeyError, NoteKeyKind};
pub use pem::{PemError, split_pems, tidy_pem, tidy_pems};
pub use provenance::{
    AskedBuild, BUILD_TYPE, BuildSource, MAX_SBOM_LEN, Material, PROVENANCE_PREDICATE_TYPE,
    Provenance, ProvenanceClaims, ProvenanceError, SBOM_MEDIA_TYPES, SOURCE_EXTENSION,
    UNNAMED_BUILDER,
};
pub use rebuilt::{REBUILD_PREDICATE_TYPE, RebuildStatement};
pub use release::{RELEASE_PREDICATE_TYPE, Release, ReleaseNumbers, ReleasedArtifact};
pub use signer_keys::SignerKeys;
pub use sigstore::{SIGSTORE_BUNDLE_TYPE, sigstore_bundle};
pub use statement::{PREDICATE_TYPE, Statement, StatementError};
pub use time::UnixTime;
pub use timestamp::{TIMESTAMP_PREDICATE_TYPE, Timestamp};
pub use unseen::{BLANK, is_unseen};
