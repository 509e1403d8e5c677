//! Loads from an admission store, and replaces programs while requests run.
//!
//! [`ArtifactStore`] comes from `edgec-store`, which links no engine. An artifact is verified once,
//! when it is admitted. [`LoadFromStore`] loads from the store in constant time, also after a
//! restart.
//!
//! ```no_run
//! use edgec_loader::store::{ArtifactStore, LoadFromStore as _};
//! use edgec_loader::{Clock as _, EngineProfile, HostEngine, SystemClock, TrustPolicy};
//!
//! let policy = TrustPolicy::read("trust.toml", &[], SystemClock.now()?)?;
//! let engine = HostEngine::builder(EngineProfile::Edge).build()?;
//! let store = ArtifactStore::open("/var/lib/edgec")?;
//! let component = store.load(&engine, "acme/shop", &policy)?;
//! println!("{}", component.report().mode);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "async")]
mod asynchronous;
mod at_work;
mod deployment;
mod load_from_store;
mod loading;
mod preparation;
mod refreshed;
mod source;
mod trust;
mod versions;

pub use edgec_store::{
    Admission, AdmissionError, Application, ArtifactStore, Candidates, Change, Choice, Collected,
    Collection, Condition, CurrentManifests, Entry, FolderError, Listing, NewStore, NewestRelease,
    OpenedImage, OtherKind, Problem, Removal, RollbackRefusal, StableFile, Standing, StoreError,
    StoredArtifact, Verification, Verifications, View,
};

pub use crate::distrust::{Distrust, Distrusted};
pub use crate::policy_source::{PolicyFile, PolicySource, PolicySourceError, WHILE_EXHAUSTED};

pub use self::deployment::Deployment;
pub use self::load_from_store::LoadFromStore;
pub use self::preparation::Preparation;
pub use self::refreshed::{RefreshError, Refreshed};
pub use self::source::{ArtifactSource, Candidate, SourceFailure};
pub use self::versions::Versions;
