//! Finds the texts of names and versions that a project takes from a file, a variable or a tag.

use std::path::Path;

use edgec_builder::project::{TextFrom, VersionFrom};

use super::git;
use super::purpose::{Use, first_line};
use crate::failure::Failure;
use crate::files;

/// The maximum length of a text, in bytes: every manifest has room for it.
pub(super) const MAX_LEN: usize = 1024;

/// The number of a version. `folder` is the folder of the project.
pub(super) fn number(version: &VersionFrom, folder: &Path) -> Result<u64, Failure> {
    let text = text(&version.from, folder, Use::Version)?;
    version.number(&text).map_err(|error| {
        // The text is not repeated: a variable or a file may be the wrong one.
        Failure::usage("version", error.to_string())
            .about(place(&version.from, folder, Use::Version))
            .hint("`form = \"semver\"` beside it takes 1.2.3; --app-version takes a number")
    })
}

/// A version as people write it.
pub(super) fn version(from: &TextFrom, folder: &Path) -> Result<String, Failure> {
    text(from, folder, Use::Version)
}

/// The name of an application.
pub(super) fn name(from: &TextFrom, folder: &Path) -> Result<String, Failure> {
    let text = text(from, folder, Use::Name)?;
    match edgec_artifact::check_name(&text) {
        Ok(()) => Ok(text),
        // Neither is this text repeated.
        Err(_) => Err(
            Failure::usage("name", "the text is not the name of an application")
                .about(place(from, folder, Use::Name))
                .hint("write a name such as `acme/shop` there (docs/format.md)"),
        ),
    }
}

/// The text that a project names.
fn text(from: &TextFrom, folder: &Path, purpose: Use) -> Result<String, Failure> {
    let text = match from {
        TextFrom::Here(text) => text.clone(),
        TextFrom::File(path) => first_line(&files::read_text(&folder.join(path))?),
        TextFrom::Variable(name) => variable(name, purpose)?,
        TextFrom::GitTag(pattern) => git::newest_tag(pattern, folder, purpose)?,
        _ => {
            let message = "this text comes from an unknown place";
            return Err(Failure::usage(purpose.code(), message));
        }
    };
    let fits = !text.is_empty() && text.len() <= MAX_LEN && !text.contains(char::is_control);
    match fits {
        true => Ok(text),
        false => {
            let what = purpose.code();
            let message = format!("the text is no {what}: write one line of 1 to {MAX_LEN} bytes");
            Err(Failure::usage(what, message).about(place(from, folder, purpose)))
        }
    }
}

/// Where a text comes from, for messages.
fn place(from: &TextFrom, folder: &Path, purpose: Use) -> String {
    match from {
        TextFrom::File(path) => folder.join(path).display().to_string(),
        TextFrom::Variable(name) => format!("the variable {name}"),
        TextFrom::GitTag(pattern) => format!("the newest tag `{pattern}`"),
        _ => purpose.code().to_owned(),
    }
}

fn variable(name: &str, purpose: Use) -> Result<String, Failure> {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    value.map(|value| value.trim().to_owned()).ok_or_else(|| {
        let message = format!("the variable {name} is not set, or is not text");
        Failure::usage(purpose.code(), message).hint(format!("set it, or {}", purpose.instead()))
    })
}
