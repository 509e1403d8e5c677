//! What a reference holds: the portable component, the native image of every CPU, and what travels
//! with them. [`crate::Repository`] says how manifests and blobs get there and back.

mod admit;
mod attached;
mod beside;
mod copy;
mod decode;
mod decompressed;
mod descriptor;
mod fetch;
mod files;
pub(crate) mod index;
mod log;
pub(crate) mod manifest;
pub mod media;
mod native;
mod offer;
mod platform;
mod portable;
mod progress;
mod pull_error;
mod push;
mod push_error;
mod session;
mod wants;

pub use self::admit::{AdmitOptions, Admitted, Fetched, Way};
pub use self::attached::{Attached, AttachedKind};
pub use self::copy::{Copied, CopyError};
pub use self::decode::MalformedManifest;
pub use self::files::{Beside, Demands, Taken, Vouched};
pub use self::log::Traffic;
pub use self::native::NativeEntry;
pub use self::offer::{Offer, PortableEntry, Statements};
pub use self::progress::{Progress, Unseen};
pub use self::pull_error::PullError;
pub use self::push::{
    Layout, Push, PushArtifact, PushBase, Pushed, PushedDifference, PushedNative,
};
pub use self::push_error::PushError;
pub use self::session::Session;
