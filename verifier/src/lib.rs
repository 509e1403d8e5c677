//! Verifies signed WebAssembly artifacts: may this file run here, and if not, why not?
//!
//! `edgec build` compiles a program into a `.cwasm` artifact: native code, a manifest about it, and
//! signatures. A pipeline, a registry or a host receives such a file. Its [`TrustPolicy`] says
//! whose signatures count, and for what. [`verify`] compares the two. It takes bytes and a time,
//! and opens nothing. This crate links no engine, no compiler and no private key. `edgec-store`
//! keeps verified artifacts, and `edgec-loader` runs them.
//!
//! ```toml
//! [dependencies]
//! edgec-verifier = "0.1"
//! ```
//!
//! ```
//! use edgec_verifier::{Clock as _, Expected, Refusal, SystemClock, TrustPolicy, verify};
//!
//! // A host reads it from a file that only its owner can change: `TrustPolicy::read`.
//! let policy = TrustPolicy::from_toml(
//!     "threshold = 1
//! [[key]]
//! name = 'release'
//! pem = '''
//! -----BEGIN PUBLIC KEY-----
//! MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
//! -----END PUBLIC KEY-----
//! '''
//! ",
//! )?;
//! # let artifact = "../fuzz/seeds/verify/signed.cwasm";
//! let file = std::fs::read(artifact)?;
//! let now = SystemClock.now()?;
//!
//! // The name says which application is expected: a genuine artifact of another one must not take
//! // its place.
//! let verified = verify(&file, &policy, &Expected::application("signed"), now)?;
//! for check in verified.checks() {
//!     println!("{}: {} ({})", check.name, check.status.word(), check.evidence);
//! }
//! assert_eq!(verified.manifest().target.id, "x86_64");
//! assert_eq!(verified.accepted().len(), 1);
//!
//! // Each refusal has a code that does not change between releases, and a broad kind.
//! let error = verify(&file, &policy, &Expected::application("shop"), now).unwrap_err();
//! assert_eq!((error.code(), error.refusal()), ("application", Refusal::Unexpected));
//! let mut changed = file.clone();
//! changed[100] ^= 1;
//! let error = verify(&changed, &policy, &Expected::anything(), now).unwrap_err();
//! assert_eq!((error.code(), error.refusal()), ("image-digest", Refusal::Image));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a result means
//!
//! Only [`verify`], [`examine`] and [`verify_stored`] make a [`VerifiedArtifact`]. So code that
//! takes one never gets a file without the signatures that the policy requires. It borrows the
//! verified bytes: use these, and do not read the file again. `docs/trust.md` says what is
//! promised.
//!
//! # Where to go on
//!
//! | for | see |
//! |---|---|
//! | a policy in a file: its owner, its root keys, and refusal of older versions | [`TrustPolicy::read`], [`remember`], [`NewestPolicy`] |
//! | the next edition of a policy, also with other root keys | [`follow_chain`] |
//! | whether an artifact is of the newest release | [`Expected::with_release`], [`verify_release`], [`verify_timestamp`] |
//! | whether another party has rebuilt an artifact | [`Expected::with_rebuild`] |
//! | a clock that was set back | [`ClockFloor`], [`remember_time`] |
//! | whether a transparency log has an artifact | [`Expected::with_log_proof`], `[log]` of a policy |
//! | who built an artifact, and from what | [`Expected::with_provenance`], `[provenance]` of a policy |
//! | a report of all checks, also for a file that is refused | [`examine`] |
//! | the bytes of an artifact's file | [`open_artifact`] |
//! | an artifact whose image is not there yet | [`verify_ahead`] |
//! | an artifact that is verified again and again | [`verify_stored`], [`Facts`], [`verify_fast`] |
//! | a signed file that is no artifact | [`verify_blob`] |
//! | the time | [`UnixTime`], [`Clock`]: nothing in this crate reads a clock by itself |
//! | an artifact's own statements, if trust does not matter | [`describe_unsigned`]; of an envelope, [`stated`] |
//! | whether a machine can run an artifact | [`HostProfile`], [`Fleet`] |
//! | instructions that do not belong in the code | [`audit`](mod@audit) (`docs/audit.md`) |
//! | faults of the engine that made the code | [`SHIPPED`] |
//! | an error with its causes in one line | [`error_chain`] |
//!
//! An error prints itself and not its source. `docs/policy.md` describes every field of the policy,
//! and `docs/format.md` describes the artifact.

#![forbid(unsafe_code)]
#![warn(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::indexing_slicing,
    unnameable_types
)]

mod advisories;
mod artifact_file;
pub mod audit;
mod blob;
mod check;
mod checks;
mod clock;
mod clock_floor;
mod companion;
mod companion_refusal;
mod consistency;
mod discount;
mod engine_version;
mod error;
mod expected;
mod facts;
mod fleet;
mod host;
mod host_file;
mod known_imports;
mod load_mode;
mod log;
mod notary;
mod pattern;
mod policy;
mod policy_chain;
mod policy_file;
mod policy_lint;
mod policy_state;
mod policy_summary;
mod policy_toml;
mod pool_limits;
mod provenance;
mod provenance_refusal;
mod refusal;
mod release;
mod role;
mod rules;
mod signatures;
mod signer;
mod trusted_key;
mod union;
mod unsigned;
mod verify;

pub use advisories::{Advisory, SHIPPED};
pub use artifact_file::{ArtifactFileError, open_artifact};
pub use blob::{BlobError, ExpectedBlob, VerifiedBlob, verify_blob};
pub use check::{Check, CheckName, Status};
pub use clock::{Clock, ClockError, SystemClock};
pub use clock_floor::{CLOCK_SKEW, ClockBehind, ClockFloor, ClockReset};
pub use companion_refusal::{CompanionRefusal, NotaryRefusal, ReleasePart, ReleaseRefusal};
pub use consistency::Contradiction;
pub use discount::{Discount, Discounted};
/// The crate of the format: the parts of a [`Manifest`], envelopes, images.
pub use edgec_artifact as artifact;
pub use edgec_artifact::elf::ElfError;
/// The fs-verity digest of a file with these bytes.
pub use edgec_artifact::verity::digest as fsverity_digest;
pub use edgec_artifact::{
    Algorithm, Envelope, EnvelopeError, KeyError, KeyId, LayoutError, MAX_ARTIFACT_LEN,
    MAX_ENVELOPE_LEN, Manifest, NameError, ProgramKind, PublicKey, Sha256Digest, SignerKeys,
    StatementError, UnixTime, VerityDigest, check_name,
};
pub use edgec_files::{GuardError, MAX_GUARDED_LEN, WayError, read_guarded};
pub use edgec_targets::{
    Cover, EngineProfile, HostCpu, Misfit, UnknownProfile, import_text, nearest_name,
};
pub use engine_version::{EngineVersion, ParseVersionError, VersionRange};
pub use error::{VerifyError, error_chain};
pub use expected::Expected;
pub use facts::{Facts, Verdict};
pub use fleet::{Fleet, FleetError, FleetHost};
pub use host::{ENGINE_VERSION, HostProfile, Unfit};
pub use host_file::HostProfileError;
pub use load_mode::{LoadMode, LoadModeError};
pub use log::LogRefusal;
pub use policy::{FloorReset, PolicyError, TrustPolicy};
pub use policy_chain::{PolicyChain, PolicyChainError, follow_chain};
pub use policy_file::{POLICY_PAYLOAD_TYPE, PolicyFileError, RootsOf, policy_envelope};
pub use policy_state::{NewestPolicy, PolicyStateError, Seen, remember, remember_time};
pub use policy_summary::PolicyDemand;
pub use pool_limits::{PoolLimits, PoolMisfit};
pub use provenance_refusal::ProvenanceRefusal;
pub use refusal::Refusal;
pub use release::{
    VerifiedRelease, VerifiedTimestamp, check_stamped, verify_release, verify_timestamp,
};
pub use role::Role;
pub use signer::AcceptedSignature;
pub use trusted_key::TrustedKey;
pub use unsigned::{Unsigned, describe_unsigned};
pub use verify::{
    Hashing, Measured, Rejection, Stored, VerifiedArtifact, examine, examine_hashing, stated,
    verify, verify_ahead, verify_fast, verify_stored,
};
