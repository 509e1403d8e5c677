//! The two kinds of WebAssembly programs, as manifests, messages and arguments name them.

use serde::{Deserialize, Serialize};

/// The kind of a program. An engine loads the two kinds in different ways, and a host links and
/// calls them in different ways. It must serve each kind, so this type promises that there are no
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramKind {
    /// A component (component model).
    Component,
    /// A core module.
    Module,
}

impl ProgramKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Component, Self::Module];

    /// The name in manifests and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Module => "module",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
