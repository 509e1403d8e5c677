//! The document of a bill, in one of the formats.

use crate::bill::{Bill, Format};
use crate::{cyclonedx, spdx_document};

impl Bill<'_> {
    /// The document: JSON in ASCII, with a line feed at its end.
    pub fn document(&self, format: Format) -> String {
        match format {
            Format::CycloneDx => cyclonedx::document(self),
            Format::Spdx => spdx_document::document(self),
        }
    }
}
