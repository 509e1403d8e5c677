//! The crates in a core module, as `cargo auditable` has recorded them.
//!
//! Source: <https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>.

use auditable_info::{Error, json_from_slice};
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
    let json = json_from_slice(&alone(data), *left).map_err(|error| match error {
        Error::OutputLimitExceeded => too_long(offset),
        error => malformed(error.to_string()),
    })?;
    *left = left.saturating_sub(json.len());
    let record: Record =
        serde_json::from_str(&json).map_err(|error| malformed(error.to_string()))?;
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

/// A core module with nothing but this section. `auditable-info` looks for the section itself, and
/// its own reader of modules may know fewer features than the program uses.
fn alone(data: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0\0".to_vec();
    let len = SECTION.len().saturating_add(1).saturating_add(data.len());
    leb128(len, &mut module);
    leb128(SECTION.len(), &mut module);
    module.extend_from_slice(SECTION.as_bytes());
    module.extend_from_slice(data);
    module
}

/// Appends a number as WebAssembly writes it.
fn leb128(mut number: usize, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}
