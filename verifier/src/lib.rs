//! Verification of artifacts: signatures, digests, the claims of a manifest, and what a host
//! accepts.
//!
//! Only [`verify`] makes a [`VerifiedArtifact`]. So code that takes one never gets a file without
//! the signatures that the policy requires. This crate links no private key and no compiler.
//! `docs/policy.md` describes the [`TrustPolicy`], `docs/trust.md` what is promised,
//! `docs/audit.md` what [`audit`](mod@audit) sees.

#![forbid(unsafe_code)]
#![warn(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::indexing_slicing,
    unnameable_types
)]

mod advisories;
pub mod audit;
mod check;
mod checks;
mod clock;
mod consistency;
mod engine_version;
mod error;
mod expected;
mod facts;
mod fleet;
mod host;
mod host_file;
mod load_mode;
mod pattern;
mod policy;
mod policy_file;
mod policy_state;
mod policy_summary;
mod policy_toml;
mod pool_limits;
mod refusal;
mod rules;
mod signatures;
mod unsigned;
mod verify;

pub use advisories::{Advisory, SHIPPED};
pub use check::{Check, CheckName, Status};
pub use clock::{Clock, ClockError, SystemClock};
pub use consistency::Contradiction;
/// The crate of the format: the parts of a [`Manifest`], envelopes, images.
pub use edgec_artifact as artifact;
pub use edgec_artifact::elf::ElfError;
/// The fs-verity digest of a file with these bytes.
pub use edgec_artifact::verity::digest as fsverity_digest;
pub use edgec_artifact::{
    Envelope, EnvelopeError, KeyError, KeyId, Kind, LayoutError, MAX_ARTIFACT_LEN,
    MAX_ENVELOPE_LEN, Manifest, NameError, PublicKey, Sha256Digest, StatementError, UnixTime,
    VerityDigest, check_name,
};
pub use edgec_files::{GuardError, MAX_GUARDED_LEN, WayError, read_guarded};
pub use edgec_targets::{Cover, EngineProfile, HostCpu, Misfit, Rank, UnknownProfile, import_text};
pub use engine_version::{EngineVersion, ParseVersionError, VersionRange};
pub use error::{Discount, Discounted, VerifyError, error_chain};
pub use expected::Expected;
pub use facts::{Facts, Verdict};
pub use fleet::{Fleet, FleetError, FleetHost, takes_from_here};
pub use host::{ENGINE_VERSION, HostProfile, Unfit};
pub use host_file::HostProfileError;
pub use load_mode::LoadMode;
pub use policy::{PolicyError, TrustPolicy, TrustedKey};
pub use policy_file::{POLICY_PAYLOAD_TYPE, PolicyFileError, policy_envelope};
pub use policy_state::{NewestPolicy, PolicyStateError, Seen, remember};
pub use policy_summary::PolicyDemand;
pub use pool_limits::{PoolLimits, PoolMisfit};
pub use refusal::Refusal;
pub use signatures::AcceptedSignature;
pub use unsigned::{Unsigned, describe_unsigned};
pub use verify::{
    Measured, Rejection, Stored, VerifiedArtifact, examine, stated, verify, verify_stored,
};
