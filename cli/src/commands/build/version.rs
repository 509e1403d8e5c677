//! Finds the text of a version that a project takes from a file, a variable or a tag.

use std::path::Path;
use std::process::{Command, Stdio};

use edgec_builder::project::{TextFrom, VersionFrom, version_in_tag};

use crate::failure::Failure;
use crate::{files, secrets};

/// The maximum length of the text of a version, in bytes: every manifest has room for it.
pub(super) const MAX_LEN: usize = 1024;

/// The number of a version. `folder` is the folder of the project.
pub(super) fn number(version: &VersionFrom, folder: &Path) -> Result<u64, Failure> {
    let text = text(&version.from, folder)?;
    version.number(&text).map_err(|error| {
        // The text is not repeated: a variable or a file may be the wrong one.
        Failure::usage("version", error.to_string())
            .about(place(&version.from, folder))
            .hint("`form = \"semver\"` beside it takes 1.2.3; --app-version takes a number")
    })
}

/// The text that a project names.
pub(super) fn text(from: &TextFrom, folder: &Path) -> Result<String, Failure> {
    let text = match from {
        TextFrom::Here(text) => text.clone(),
        TextFrom::File(path) => first_line(&files::read_text(&folder.join(path))?),
        TextFrom::Variable(name) => variable(name)?,
        TextFrom::GitTag(pattern) => tag(pattern, folder)?,
        _ => {
            return Err(Failure::usage(
                "version",
                "this version comes from an unknown place",
            ));
        }
    };
    let fits = !text.is_empty() && text.len() <= MAX_LEN && !text.contains(char::is_control);
    match fits {
        true => Ok(text),
        false => {
            let message = format!("the text is no version: write one line of 1 to {MAX_LEN} bytes");
            Err(Failure::usage("version", message).about(place(from, folder)))
        }
    }
}

/// Where a text comes from, for messages.
fn place(from: &TextFrom, folder: &Path) -> String {
    match from {
        TextFrom::File(path) => folder.join(path).display().to_string(),
        TextFrom::Variable(name) => format!("the variable {name}"),
        TextFrom::GitTag(pattern) => format!("the newest tag `{pattern}`"),
        _ => "version".to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn variable(name: &str) -> Result<String, Failure> {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    value.map(|value| value.trim().to_owned()).ok_or_else(|| {
        let message = format!("the variable {name} is not set, or is not text");
        Failure::usage("version", message)
            .hint("set it, or name the version with --app-version and --display-version")
    })
}

/// The version in the newest tag of this pattern that the commit of the folder contains.
fn tag(pattern: &str, folder: &Path) -> Result<String, Failure> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(["describe", "--tags", "--abbrev=0", "--match", pattern])
        .stdin(Stdio::null());
    let output = secrets::without_secrets(&mut command).output();
    let output = output.map_err(|error| {
        Failure::environment("version", &error)
            .about("git")
            .hint("the project takes a version from a tag, so `git` must be on the path")
    })?;
    let told = String::from_utf8_lossy(&output.stdout);
    let tag = told.trim();
    let version = version_in_tag(pattern, tag).filter(|_| output.status.success());
    version.map(str::to_owned).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = first_line(&said);
        Failure::usage("version", format!("no tag `{pattern}` was found: {said}"))
            .about(folder.display())
            .hint(
                "make one (`git tag`), or name the version with --app-version;\n\
                 a CI system may fetch no tags: fetch them (`git fetch --tags --unshallow`)",
            )
    })
}
