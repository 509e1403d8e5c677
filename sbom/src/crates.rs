//! The crates in a core module, as `cargo auditable` has recorded them.
//!
//! Source: <https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>. The crate
//! `auditable-info` does the same, but brings another `wasmparser` to find the section.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde::Deserialize;

use crate::error::SbomError;

const SECTION: &str = ".dep-v0";

/// A crate in a core module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where cargo took it from.
    pub source: CrateSource,
    /// Whether it only ran while the module was built: `build`, or `runtime`.
    #[serde(default)]
    pub kind: CrateKind,
    /// The crates that it needs, by their place in the list.
    #[serde(default)]
    pub dependencies: Vec<usize>,
    /// Whether it is the crate that was built.
    #[serde(default)]
    pub root: bool,
}

/// Where cargo took a crate from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum CrateSource {
    /// From crates.io.
    CratesIo,
    /// From elsewhere: `git`, `local`, `registry`, or what a later version of `cargo auditable`
    /// knows.
    Other(String),
}

/// When a crate runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrateKind {
    /// While the module is built.
    Build,
    /// In the module.
    #[default]
    Runtime,
}

impl From<String> for CrateSource {
    fn from(text: String) -> Self {
        match text.as_str() {
            "crates.io" => Self::CratesIo,
            _ => Self::Other(text),
        }
    }
}

#[derive(Deserialize)]
struct Record {
    packages: Vec<Crate>,
}

/// Reads a section. `left` is how many bytes it may decompress to, and becomes less.
pub(crate) fn read(data: &[u8], offset: usize, left: &mut usize) -> Result<Vec<Crate>, SbomError> {
    let malformed = |message: String| SbomError::Section {
        section: SECTION,
        offset,
        message,
    };
    let json = decompress_to_vec_zlib_with_limit(data, *left).map_err(|error| {
        match error.status {
            TINFLStatus::HasMoreOutput => too_long(offset),
            // The error shows all that was decompressed.
            status => malformed(format!("not data in zlib's format ({status:?})")),
        }
    })?;
    *left = left.saturating_sub(json.len());
    let record: Record =
        serde_json::from_slice(&json).map_err(|error| malformed(error.to_string()))?;
    let crates = record.packages;
    let unnamed = |it: &Crate| it.name.is_empty() || it.version.is_empty();
    if crates.iter().any(unnamed) {
        return Err(malformed("a crate without a name or a version".to_owned()));
    }
    let mut needed = crates.iter().flat_map(|it| &it.dependencies);
    if let Some(beyond) = needed.find(|index| **index >= crates.len()) {
        let listed = crates.len();
        let message = format!("a crate needs crate {beyond}, and {listed} are listed");
        return Err(malformed(message));
    }
    Ok(crates)
}

fn too_long(offset: usize) -> SbomError {
    SbomError::Length {
        section: SECTION,
        offset,
        most: crate::limits::MAX_CRATES_LEN,
    }
}
