//! One file for each verb: its arguments, and what it does with them.

pub(crate) mod advisories;
pub(crate) mod audit;
pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod envelope;
pub(crate) mod explain;
pub(crate) mod host;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod sign;
pub(crate) mod sign_blob;
pub(crate) mod store;
pub(crate) mod symbolize;
pub(crate) mod targets;
pub(crate) mod validate;
pub(crate) mod verify;
pub(crate) mod verify_blob;
pub(crate) mod version;
