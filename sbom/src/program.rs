//! What a program says about itself.

use std::ops::Range;

use crate::crates::Crate;

/// What a program says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Program {
    /// The program, then what is nested in it, in the order of the file.
    pub parts: Vec<Part>,
    /// What it imports, in the order of the file: the name of each import of a component, and
    /// `MODULE NAME` for each import of a core module.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The SHA-256 of the file, in lowercase hexadecimal.
    pub sha256: String,
}

/// A component or a core module: the program itself, or one in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its number in each component around it, from the outermost to its own. Empty for the
    /// program.
    pub path: Vec<usize>,
    /// Where it is, in bytes from the beginning of the file.
    pub range: Range<usize>,
    /// The SHA-256 of a core module in a component, in lowercase hexadecimal.
    pub sha256: Option<String>,
    /// What its sections say about it.
    pub metadata: Metadata,
    /// The tools and languages that made it, sorted.
    pub producers: Vec<Producer>,
    /// The crates in it, as `cargo auditable` has recorded them. `None` without such a record.
    pub crates: Option<Vec<Crate>>,
}

/// The two kinds of WebAssembly binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A component.
    Component,
    /// A core module.
    Module,
}

/// The texts of a part that are meant for registries.
///
/// Source: the custom sections of the crate `wasm-metadata`, which are the annotations of the OCI
/// Image Specification; `docs/sbom.md` lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Its name, from a section with names.
    pub name: Option<String>,
    /// Who made it.
    pub authors: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Under which licences it may be used.
    pub licenses: Option<String>,
    /// Where its source is.
    pub source: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// The revision of its source.
    pub revision: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

/// An entry of a `producers` section.
///
/// Source: WebAssembly tool conventions, `ProducersSection.md`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// The language or the tool.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

impl Program {
    /// The program itself, without what is nested in it.
    pub(crate) fn root(&self) -> Option<&Part> {
        self.parts.first()
    }
}

impl Part {
    pub(crate) fn new(kind: PartKind, path: Vec<usize>, range: Range<usize>) -> Self {
        Self {
            kind,
            path,
            range,
            sha256: None,
            metadata: Metadata::default(),
            producers: Vec::new(),
            crates: None,
        }
    }

    /// Its name for people: `module 0.2`, with its own name behind.
    pub(crate) fn title(&self) -> String {
        let kind = match self.kind {
            PartKind::Component => "component",
            PartKind::Module => "module",
        };
        let title = format!("{kind} {}", self.number());
        match &self.metadata.name {
            Some(name) => format!("{title} ({name})"),
            None => title,
        }
    }

    /// Its numbers with dots between: `0.2`.
    pub(crate) fn number(&self) -> String {
        let numbers: Vec<_> = self.path.iter().map(usize::to_string).collect();
        numbers.join(".")
    }
}
