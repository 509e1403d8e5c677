//! Finds and reads the project of a build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use edgec_builder::project::{Component, Project, ProjectError, TextError, TextPlace};

use super::text;
use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::place::Place;

/// The name of a project's file.
pub(crate) const FILE: &str = "edgec.toml";

/// A project, and where it is.
pub(super) struct Opened {
    pub(super) file: PathBuf,
    /// The folder that paths in it start from. Empty for the current folder.
    pub(super) folder: PathBuf,
    pub(super) project: Project,
    /// The names of its components, in their order.
    names: Vec<String>,
}

impl Opened {
    /// The project in this file, else in `edgec.toml` in the current folder, else in the nearest
    /// folder above it. Only the components of these names, if there are any.
    pub(super) fn find(named: Option<&Path>, components: &[String]) -> Result<Self, Failure> {
        let file = match named {
            Some(file) => file.to_owned(),
            None => nearest()?,
        };
        let text = files::read_text(&file)?;
        let project = Project::from_toml(&text)
            .map_err(|error| explain(malformed(&error, &file), text.as_bytes(), Wanted::Project))?;
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let names = names(&project, &file, &folder)?;
        let mut opened = Self {
            folder,
            file,
            project,
            names,
        };
        if !components.is_empty() {
            opened.keep(components)?;
        }
        Ok(opened)
    }

    /// Keeps only the components of these names.
    fn keep(&mut self, names: &[String]) -> Result<(), Failure> {
        if let Some(unknown) = names.iter().find(|name| !self.names.contains(name)) {
            let there = self.names.iter();
            let there: Vec<String> = there.map(|name| format!("`{name}`")).collect();
            let message = format!("no component has the name `{unknown}`");
            return Err(Failure::usage("component", message)
                .about(self.file.display())
                .hint(format!("it has {}", there.join(", "))));
        }
        let own = std::mem::take(&mut self.names).into_iter();
        let components = std::mem::take(&mut self.project.components);
        let kept = own.zip(components).filter(|(name, _)| names.contains(name));
        (self.names, self.project.components) = kept.unzip();
        Ok(())
    }

    /// The components, with their names.
    pub(super) fn components(&self) -> impl Iterator<Item = (&str, &Component)> {
        let names = self.names.iter().map(String::as_str);
        names.zip(&self.project.components)
    }

    /// A path of the project, from the current folder.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A file of the machine, which may also be named by an absolute path. `env:NAME` stays.
    pub(super) fn of_machine(&self, name: &str) -> PathBuf {
        match name.strip_prefix(files::VARIABLE_PREFIX) {
            Some(_) => PathBuf::from(name),
            None => self.folder.join(name),
        }
    }
}

/// The names of all components. No two are the same.
fn names(project: &Project, file: &Path, folder: &Path) -> Result<Vec<String>, Failure> {
    let mut known = BTreeSet::new();
    let names = project.components.iter().map(|component| {
        let name = text::name(&component.name, folder)?;
        if known.insert(name.clone()) {
            return Ok(name);
        }
        let message = format!("two components have the name `{name}`");
        Err(Failure::new(Exit::Rejected, "project", message).about(file.display()))
    });
    names.collect()
}

/// The project of the current folder, or of the nearest folder above it. The file of a folder above
/// must belong to this user or to root: in `/tmp`, for example, anyone can make one.
fn nearest() -> Result<PathBuf, Failure> {
    if Path::new(FILE).exists() {
        return Ok(PathBuf::from(FILE));
    }
    let here = std::env::current_dir().unwrap_or_default();
    let mut above = PathBuf::new();
    for _ in here.ancestors().skip(1) {
        above.push("..");
        let file = above.join(FILE);
        if !file.exists() {
            continue;
        }
        if !belongs_to_user(&file) {
            let message = "this project is above the current folder and belongs to another user";
            return Err(Failure::new(Exit::Usage, "project", message)
                .about(file.display())
                .hint("if you trust it, name it with --project"));
        }
        return Ok(file);
    }
    let message = format!("no input is named, and there is no {FILE} in this folder or above it");
    Err(Failure::usage("usage", message).hint(
        "name an input, or let `edgec init` write a project\n`edgec build --help` shows its usage",
    ))
}

#[cfg(unix)]
fn belongs_to_user(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    let owner = file.symlink_metadata().map(|found| found.uid());
    owner.is_ok_and(|owner| owner == user || owner == 0)
}

#[cfg(not(unix))]
fn belongs_to_user(_: &Path) -> bool {
    true
}

/// What is wrong with a project: the place, the line, and the name that was probably meant.
fn malformed(error: &ProjectError, file: &Path) -> Failure {
    let mut message = error.to_string();
    let mut hint = "docs/project.md describes every name".to_owned();
    match error {
        ProjectError::Text(TextError::UnknownName {
            name,
            nearest,
            known,
            ..
        }) => {
            // The hint has the names that the message would list.
            if nearest.is_none() {
                message = format!("unknown name `{name}`");
            }
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            hint = format!("this table has {}\n{hint}", known.join(", "));
        }
        ProjectError::NoComponent => {
            hint = format!(
                "add one: [[component]], with `name` and `input`; `edgec init` in another folder \
                 shows how\n{hint}"
            );
        }
        _ => {}
    }
    if let Some(place) = error.place() {
        message.push_str(&excerpt(place, file));
    }
    let failure = Failure::new(Exit::Rejected, "project", message).quoting();
    let failure = failure.in_file(file).hint(hint);
    match error.place() {
        Some(place) => failure.at(Place::in_text(place.line, place.column)),
        None => failure,
    }
}

/// The maximum length of a line that is shown, in bytes.
const MAX_LINE_LEN: usize = 200;

/// The place, the line, and a mark below the column.
fn excerpt(place: &TextPlace, file: &Path) -> String {
    let number = place.line.to_string();
    let empty = " ".repeat(number.len());
    let at = format!("\n{empty}--> {}:{place}", file.display());
    if place.text.len() > MAX_LINE_LEN {
        return at;
    }
    let (line, before) = (
        place.text.replace('\t', " "),
        place.column.saturating_sub(1),
    );
    format!("{at}\n{number} | {line}\n{empty} | {}^", " ".repeat(before))
}
