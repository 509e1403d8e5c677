//! Differences between images: what a host fetches if it has a similar image.
//!
//! [`make`] compares a base, an image that hosts have, with a new image, and writes how the new one
//! derives from it. [`apply`] makes the new image again from the base and the difference. It needs
//! a few MiB of memory for images of any length, and takes any bytes: a difference that is damaged
//! or hostile is an error.
//!
//! A difference proves nothing. A caller of [`apply`] has to verify what comes out, as if it had
//! come whole.
//!
//! The crate knows no registry and no files. It knows nothing about images either: it works with
//! any bytes, and is made for those in which much moves a little. `docs/differences.md` has the
//! format and measurements.

mod apply;
mod content;
mod error;
mod header;
mod index;
mod make;
mod matching;
#[cfg(test)]
mod tests;

pub use self::apply::{apply, memory_for};
pub use self::error::DifferenceError;
pub use self::header::{HEADER_LENGTH, Header};
pub use self::make::make;
