//! A build cache that several machines share.
//!
//! A build takes answers to questions from here that it would otherwise find out itself. The store
//! (Redis, S3, WebDAV, the cache of GitHub Actions) and everyone who can write to it are untrusted:
//! an answer counts only if it is in a pack whose index a trusted key has signed, for the same
//! namespace, the same edgec and the same question ([`Refusal`] says what is refused). An
//! attacker who controls the store can take answers away, and can bring back older ones, which were
//! right, but cannot choose an answer.
//!
//! ```text
//! first question without an answer ─▶ thread: GET pack of these inputs, else GET line, GET its pack
//! every question                   ─▶ waits at most until the deadline, then the build goes on alone
//! behind the build                 ─▶ PUT one pack, PUT the name of it under the line
//! ```
//!
//! Nothing here fails a build. What went wrong is kept for one warning ([`SharedCache::trouble`]).

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs, unnameable_types)]

mod address;
mod index;
mod names;
mod options;
mod pack;
mod parts;
mod session;
mod store;
mod survey;
#[cfg(test)]
mod tests;

pub use address::{Address, AddressError, SCHEMES};
pub use index::Refusal;
pub use names::{Names, is_namespace, name_of};
pub use options::{Options, SharedUse, Trouble, Written};
pub use session::SharedCache;
pub use store::StoreError;
pub use survey::{Survey, SurveyedPacks, survey, verify};
