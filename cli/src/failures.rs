//! Failures from the errors of the libraries: one file for each library.
//!
//! Each file gives an error its code, its exit code and a hint. If a file was refused, `file_kind`
//! adds what kind of file it is.

pub(crate) mod builder;
pub(crate) mod compiler;
mod gate;
pub(crate) mod loader;
pub(crate) mod machine;
pub(crate) mod packager;
#[cfg(feature = "registry")]
pub(crate) mod registry;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(feature = "registry")]
pub(crate) mod sync;
pub(crate) mod verifier;
