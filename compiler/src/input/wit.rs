//! Worlds: what a component may import and must export, in the text of WIT.
//!
//! A world is one of WASI's own, or in files that the caller has read. This module opens no files.
//! It runs in the process that reads inputs, because no other process should parse text that may
//! come with the program.
//!
//! Source: component model, `WIT.md`, as wit-parser 0.254 reads it.

#[cfg(test)]
mod tests;
mod wasi;

use serde::{Deserialize, Serialize};
use wit_component::{DecodedWasm, StringEncoding};
use wit_parser::{PackageId, Resolve, SourceMap, UnresolvedPackageGroup, WorldId};

/// Where a world comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorldSource {
    /// One of WASI's own worlds, as `wasi:http/proxy` or `wasi:http/proxy@0.2.3`. Without a
    /// version, it is the newest of WASI 0.2. If WASI 0.2 has no such world, it is that of 0.3.
    Wasi(String),
    /// A world in files.
    Files {
        /// The packages. The first is the main package, and the others are those that it uses.
        packages: Vec<WitPackage>,
        /// The world's name: `proxy`, or with its package as `wasi:http/proxy`. `None` for the only
        /// world of the main package.
        world: Option<String>,
    },
}

/// The files of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitPackage {
    /// Files of WIT, or one file in the binary format.
    pub files: Vec<WitFile>,
}

/// A file of WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitFile {
    /// The file's name, as messages show it.
    pub name: String,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// Why there is no such world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum WitError {
    /// WASI has no such world, or not in the versions that this edgec knows.
    #[error("edgec knows no world `{name}`")]
    UnknownWorld {
        /// The name that was asked for.
        name: String,
        /// The worlds that edgec knows.
        known: Vec<String>,
    },
    /// A file is not WIT.
    #[error("{file} is neither WIT, which is text, nor a WIT package in the binary format")]
    NotWit {
        /// The file's name.
        file: String,
    },
    /// The files cannot be read as WIT.
    #[error("invalid WIT: {message}")]
    Invalid {
        /// The parser's message, with file, line and column.
        message: String,
    },
    /// The files have no such world, or several of which none was named.
    #[error("no world was chosen: {message}")]
    World {
        /// What is missing.
        message: String,
        /// The worlds of the main package.
        worlds: Vec<String>,
    },
    /// The world has no form as component types.
    #[error("world `{world}` cannot be written as component types: {message}")]
    Encode {
        /// The world's name.
        world: String,
        /// The reason.
        message: String,
    },
}

impl WitError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownWorld { .. } | Self::World { .. } => "wit-world",
            Self::NotWit { .. } | Self::Invalid { .. } => "wit-invalid",
            Self::Encode { .. } => "wit-unsupported",
        }
    }
}

/// A world that was found.
#[derive(Debug)]
pub(crate) struct World {
    resolve: Resolve,
    id: WorldId,
    name: String,
}

impl WorldSource {
    /// The world as `wit-bindgen` writes it into core modules: a component that exports a type. In
    /// that type, the only export is the type of a component of this world.
    ///
    /// # Errors
    ///
    /// [`WitError`].
    pub fn encoded(&self) -> Result<Vec<u8>, WitError> {
        self.open()?.encoded()
    }

    /// Finds the world.
    pub(crate) fn open(&self) -> Result<World, WitError> {
        let (resolve, id) = match self {
            Self::Wasi(name) => wasi::open(name)?,
            Self::Files { packages, world } => {
                let (resolve, main) = resolved(packages)?;
                let id = selected(&resolve, main, world.as_deref())?;
                (resolve, id)
            }
        };
        let name = name_of(&resolve, id);
        Ok(World { resolve, id, name })
    }
}

impl World {
    /// The world's whole name, such as `wasi:http/proxy@0.2.12`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The world as `wit-bindgen` writes it into core modules: a component that exports a type. In
    /// that type, the only export is the type of a component of this world.
    pub(crate) fn encoded(&self) -> Result<Vec<u8>, WitError> {
        let encoding = StringEncoding::UTF8;
        wit_component::metadata::encode(&self.resolve, self.id, encoding, None)
            .map_err(|error| self.not_encoded(&error))
    }

    /// A core module with these component types.
    pub(crate) fn embedded(&self, module: &[u8]) -> Result<Vec<u8>, WitError> {
        let mut module = module.to_vec();
        let encoding = StringEncoding::UTF8;
        let embedded =
            wit_component::embed_component_metadata(&mut module, &self.resolve, self.id, encoding);
        match embedded {
            Ok(()) => Ok(module),
            Err(error) => Err(self.not_encoded(&error)),
        }
    }

    /// `{:#}` shows all causes of this error, on one line.
    fn not_encoded(&self, error: &impl std::fmt::Display) -> WitError {
        WitError::Encode {
            world: self.name.clone(),
            message: format!("{error:#}"),
        }
    }
}

/// Resolves packages. Returns the first of them.
fn resolved(packages: &[WitPackage]) -> Result<(Resolve, PackageId), WitError> {
    let mut resolve = Resolve::new();
    let (mut main, mut others) = (None, Vec::new());
    for (number, package) in packages.iter().enumerate() {
        match (read(&mut resolve, package)?, number) {
            (read, 0) => main = Some(read),
            (Read::Text(group), _) => others.push(*group),
            // It is among the packages that the others may use.
            (Read::Encoded(_), _) => {}
        }
    }
    let main = match main {
        Some(Read::Text(main)) => {
            let pushed = resolve.push_groups(*main, others);
            pushed.map_err(|error| WitError::Invalid {
                message: error.render(&resolve.source_map),
            })?
        }
        Some(Read::Encoded(main)) => main,
        None => {
            let message = "there are no files of WIT".to_owned();
            return Err(WitError::Invalid { message });
        }
    };
    Ok((resolve, main))
}

/// A package that was read.
enum Read {
    /// It is text, and not yet among the packages.
    Text(Box<UnresolvedPackageGroup>),
    /// It was in the binary format, and is among the packages.
    Encoded(PackageId),
}

fn read(resolve: &mut Resolve, package: &WitPackage) -> Result<Read, WitError> {
    if let [file] = package.files.as_slice()
        && file.bytes.starts_with(b"\0asm")
    {
        return encoded(resolve, file).map(Read::Encoded);
    }
    let mut sources = SourceMap::new();
    for file in &package.files {
        let Ok(text) = std::str::from_utf8(&file.bytes) else {
            let file = file.name.clone();
            return Err(WitError::NotWit { file });
        };
        sources.push_str(&file.name, text);
    }
    match sources.parse() {
        Ok(group) => Ok(Read::Text(Box::new(group))),
        Err((sources, error)) => Err(WitError::Invalid {
            message: error.render(&sources),
        }),
    }
}

/// Adds a package in the binary format, with the packages that it uses.
fn encoded(resolve: &mut Resolve, file: &WitFile) -> Result<PackageId, WitError> {
    let invalid = |message: String| WitError::Invalid {
        message: format!("{}: {message}", file.name),
    };
    let decoded = wit_component::decode(&file.bytes);
    let DecodedWasm::WitPackage(decoded, main) =
        decoded.map_err(|error| invalid(format!("{error:#}")))?
    else {
        return Err(invalid("a program, not a WIT package".to_owned()));
    };
    let name = decoded.packages.get(main).map(|it| it.name.clone());
    let merged = resolve.merge(decoded);
    merged.map_err(|error| invalid(format!("{error:#}")))?;
    let main = name.and_then(|name| resolve.package_names.get(&name).copied());
    main.ok_or_else(|| invalid("the package has no name".to_owned()))
}

fn selected(resolve: &Resolve, main: PackageId, name: Option<&str>) -> Result<WorldId, WitError> {
    resolve.select_world(&[main], name).map_err(|error| {
        let worlds = resolve.packages.get(main).map(|package| {
            let worlds = package.worlds.keys();
            worlds.map(|name| resolve.id_of_name(main, name)).collect()
        });
        WitError::World {
            // The other lines list worlds.
            message: first_line(&format!("{error:#}")),
            worlds: worlds.unwrap_or_default(),
        }
    })
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches(':').to_owned()
}

fn name_of(resolve: &Resolve, id: WorldId) -> String {
    let Some(world) = resolve.worlds.get(id) else {
        return String::new();
    };
    match world.package {
        Some(package) => resolve.id_of_name(package, &world.name),
        None => world.name.clone(),
    }
}
