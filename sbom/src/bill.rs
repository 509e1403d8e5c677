//! A bill of materials: what it is about, and its documents.

use std::time::{Duration, UNIX_EPOCH};

use crate::graph::Graph;
use crate::program::Program;

/// A bill of materials of a program.
#[derive(Clone, Debug)]
pub struct Bill<'p> {
    pub(crate) program: &'p Program,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) time: Option<String>,
}

/// The formats of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// CycloneDX 1.6 in JSON (ECMA-424).
    CycloneDx,
    /// SPDX 2.3 in JSON (ISO/IEC 5962 is version 2.2.1).
    Spdx,
}

impl Format {
    /// The media type of documents, as registries and provenances name it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }

    /// How the names of documents end, without a dot in front.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
        }
    }
}

impl<'p> Bill<'p> {
    /// The bill of a program of this name. Its version is what the program says.
    pub fn new(program: &'p Program, name: impl Into<String>) -> Self {
        let metadata = program.root().map(|root| &root.metadata);
        Self {
            program,
            name: name.into(),
            version: metadata.and_then(|it| it.version.clone()),
            time: None,
        }
    }

    /// The bill of this version of the program.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// A bill made at this time, in seconds since 1970-01-01T00:00:00Z. Without one, CycloneDX has
    /// no time, and SPDX, which must have one, has 1970-01-01T00:00:00Z. `None` for a time that RFC
    /// 3339 cannot write, after the year 9999.
    pub fn made_at(mut self, seconds: u64) -> Option<Self> {
        const AFTER_9999: u64 = 253_402_300_800;
        let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let time = time.filter(|_| seconds < AFTER_9999)?;
        self.time = Some(humantime::format_rfc3339_seconds(time).to_string());
        Some(self)
    }

    pub(crate) fn graph(&self) -> Graph<'p> {
        Graph::new(self.program, &self.name, self.version.as_deref())
    }
}

/// The tool that writes documents.
pub(crate) const TOOL: &str = "edgec";
/// Its version.
pub(crate) const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");
