//! Worlds on the command line, and the files of WIT that they name.
//!
//! This process only reads the files, with bounds. The process that reads inputs parses them,
//! because they may come with a program that is not trusted.

use std::io;
use std::path::{Path, PathBuf};

use edgec_compiler::{WitFile, WitPackage, WorldSource};

use crate::failure::{Exit, Failure};
use crate::files;

/// The maximum number of files of WIT. WASI 0.2 has 7.
const MAX_FILES: usize = 1000;

/// The maximum length of all files of WIT together, in bytes (16 MiB). A single file has the limit
/// of a short file (1 MiB).
const MAX_LEN: usize = 16 << 20;

/// What every name of WASI's own worlds begins with.
const WASI: &str = "wasi:";

/// The component types that a core module gets.
#[derive(clap::Args)]
pub(crate) struct WitArguments {
    /// Give a core module without component types those of a world in this WIT file or folder, so
    /// that it becomes a component (docs/world.md)
    #[arg(long, value_name = "FILE|DIR")]
    wit: Option<PathBuf>,
    /// The world in --wit, if there are several
    #[arg(long, value_name = "NAME", requires = "wit")]
    wit_world: Option<String>,
}

impl WitArguments {
    /// The world, with its files.
    pub(crate) fn source(&self) -> Result<Option<WorldSource>, Failure> {
        self.source_or(None, None)
    }

    /// The same. If the command line names no WIT, that of a project is used.
    pub(crate) fn source_or(
        &self,
        path: Option<&Path>,
        world: Option<&str>,
    ) -> Result<Option<WorldSource>, Failure> {
        let (path, world) = match &self.wit {
            Some(path) => (Some(path.as_path()), self.wit_world.as_deref()),
            None => (path, world),
        };
        let Some(path) = path else {
            return Ok(None);
        };
        let (packages, world) = (packages(path)?, world.map(str::to_owned));
        Ok(Some(WorldSource::Files { packages, world }))
    }
}

/// The world that `--world` names: `wasi:http/proxy`, a file or folder of WIT, or one of these with
/// `#` and the name of a world. Paths start from `folder`.
pub(crate) fn world(text: &str, folder: &Path) -> Result<WorldSource, Failure> {
    if text.starts_with(WASI) {
        return Ok(WorldSource::Wasi(text.to_owned()));
    }
    let (path, world) = match text.rsplit_once('#') {
        Some((path, world)) if !folder.join(text).exists() => (path, Some(world.to_owned())),
        _ => (text, None),
    };
    let packages = packages(&folder.join(path)).map_err(|failure| {
        // Names of worlds that are not WASI's look like this.
        match path.contains(':') && !folder.join(path).exists() {
            true => failure.hint("only WASI's own worlds have names: name a folder, as DIR#WORLD"),
            false => failure,
        }
    })?;
    Ok(WorldSource::Files { packages, world })
}

/// Reads a package and those that it uses, as other tools find them: a file, or a folder with
/// `.wit` files and a folder `deps`. Each entry of `deps` is a package: a folder, a file of WIT, or
/// a file in the binary format.
fn packages(path: &Path) -> Result<Vec<WitPackage>, Failure> {
    let mut files = Files::default();
    let found = path.metadata();
    let found = found.map_err(|error| files::cannot("read", path, &error))?;
    if !found.is_dir() {
        return Ok(vec![files.one(path)?]);
    }
    let main = files.folder(path)?;
    if main.files.is_empty() {
        let message = "there is no .wit file in this folder";
        let failure = Failure::new(Exit::Rejected, "wit-invalid", message);
        return Err(failure.about(path.display()));
    }
    let mut all = vec![main];
    for dependency in dependencies(path)? {
        if dependency.is_dir() {
            all.push(files.folder(&dependency)?);
        } else if has_ending(&dependency, &["wit", "wasm"]) {
            all.push(files.one(&dependency)?);
        }
    }
    all.retain(|package| !package.files.is_empty());
    Ok(all)
}

/// The entries of the folder `deps`.
fn dependencies(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = path.join("deps");
    match folder.metadata() {
        Ok(_) => entries(&folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(files::cannot("read", &folder, &error)),
    }
}

/// The entries of a folder by name, so that the same files give the same result on every machine.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = folder.read_dir()?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    let mut entries = read().map_err(|error| files::cannot("read", folder, &error))?;
    entries.sort_unstable();
    Ok(entries)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending))
}

/// Counts the files that were read.
#[derive(Default)]
struct Files {
    count: usize,
    length: usize,
}

impl Files {
    /// The package in this folder.
    fn folder(&mut self, path: &Path) -> Result<WitPackage, Failure> {
        let mut files = Vec::new();
        for entry in entries(path)? {
            if has_ending(&entry, &["wit"]) && !entry.is_dir() {
                files.push(self.read(&entry)?);
            }
        }
        Ok(WitPackage { files })
    }

    /// The package in this file.
    fn one(&mut self, path: &Path) -> Result<WitPackage, Failure> {
        let files = vec![self.read(path)?];
        Ok(WitPackage { files })
    }

    fn read(&mut self, path: &Path) -> Result<WitFile, Failure> {
        let bytes = files::read_short(path)?;
        self.count += 1;
        self.length = self.length.saturating_add(bytes.len());
        if self.count > MAX_FILES || self.length > MAX_LEN {
            let message = format!(
                "the files of WIT are more than {MAX_FILES}, or have more than {MAX_LEN} bytes"
            );
            let failure = Failure::new(Exit::Rejected, "wit-size", message);
            return Err(failure.about(path.display()));
        }
        let name = path.display().to_string();
        Ok(WitFile { name, bytes })
    }
}
