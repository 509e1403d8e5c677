//! Bills of materials of WebAssembly programs: CycloneDX and SPDX.
//!
//! [`Program::read`] collects what a component, or a core module, says about itself: tools and
//! languages (`producers`), name, version, licence and origin (the sections that registries read),
//! the crates that `cargo auditable` has recorded in a core module (`.dep-v0`), imports and
//! exports. [`Bill`] writes it as a document. The same program gives the same document: no clock,
//! no random numbers.
//!
//! A bill says what the program says. A program without `cargo auditable` data lists no crates, and
//! nothing here looks for code of known libraries.
//!
//! A program is not trusted. [`limits`] has the limits, and each error has the byte offset.
//!
//! ```
//! use edgec_sbom::{Bill, Format, Program};
//!
//! let bytes = wat::parse_str("(component)")?;
//! let program = Program::read(&bytes)?;
//! let bill = Bill::new(&program, "acme/shop");
//! let document = bill.document(Format::CycloneDx);
//! assert!(document.contains("\"bomFormat\": \"CycloneDX\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ascii;
mod bill;
mod crates;
mod custom;
mod cyclonedx;
mod digest;
mod document;
mod error;
mod graph;
mod licence;
pub mod limits;
mod program;
mod read;
mod spdx_document;
#[cfg(test)]
mod tests;

pub use bill::{Bill, Format};
pub use crates::{Crate, CrateKind, CrateSource};
pub use error::SbomError;
pub use program::{Metadata, Part, PartKind, Producer, Program};
