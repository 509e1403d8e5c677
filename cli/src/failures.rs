//! What the errors of the libraries are to the user: one file a library.
//!
//! Each gives an error its code, its exit code and a hint. What a file that was refused is instead,
//! `file_kind` adds.

pub(crate) mod builder;
pub(crate) mod compiler;
pub(crate) mod loader;
pub(crate) mod machine;
pub(crate) mod packager;
pub(crate) mod verifier;
