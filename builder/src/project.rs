//! Projects: an `edgec.toml` says what a folder builds. `docs/project.md` describes every name.
//!
//! [`Project::from_toml`] reads the text, and fills in what components share. The caller reads the
//! files that a project names, and finds the texts of versions ([`TextFrom`]). [`exceeded`]
//! compares a compiled component with its budgets. [`template`] writes the first project of a
//! folder. Nothing here touches a file.

mod budget;
mod error;
mod excess;
mod file;
mod model;
mod previous;
mod read;
mod template;
#[cfg(test)]
mod tests;
mod toolchain;
mod values;
mod version;
mod wire;

pub use budget::{Budgets, Capabilities, NewCapabilities};
pub use edgec_configuration::{TextError, TextPlace};
pub use error::ProjectError;
pub use excess::{Budget, Excess, Why, exceeded};
pub use model::{Component, Project, Settings, TargetChoice};
pub use previous::{Lengths, Previous, PreviousError};
pub use template::{Found, FoundProgram, template};
pub use toolchain::{CARGO_FOLDER, cargo_output, javascript_output, python_output};
pub use version::{TextFrom, VersionError, VersionForm, VersionFrom, version_in_tag};
pub use wire::WIRE_LEVEL;
