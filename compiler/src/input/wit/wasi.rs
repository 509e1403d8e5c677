//! WASI's own worlds, from the files in `compiler/wit/`.
//!
//! A name with a version means the interfaces of that version: edgec leaves out what a later
//! version added, by the `@since` of each function and interface. Only versions that are compatible
//! with one of the files can be named.

use wit_parser::{
    PackageName, ParsedUsePath, Resolve, Stability, WorldId, WorldItem, parse_use_path,
};

use super::{WitError, WitFile, WitPackage, resolved};

/// The files of a WASI version.
struct Release {
    /// The names of the files and their texts. Each file is one package.
    files: &'static [(&'static str, &'static str)],
}

/// The text of a file in `compiler/wit/`.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$((
            $name,
            include_str!(concat!("../../../wit/", $folder, "/", $name, ".wit")),
        )),*]
    };
}

/// The first that has a world is the one that a name without a version means.
static RELEASES: [Release; 2] = [
    Release {
        files: files!("wasi-0.2.12": "cli" "clocks" "filesystem" "http" "io" "random" "sockets"),
    },
    Release {
        files: files!("wasi-0.3.0": "cli" "clocks" "filesystem" "http" "random" "sockets"),
    },
];

/// The worlds of programs. Each package has a world `imports` as well, which no program has.
pub(super) const KNOWN: [&str; 5] = [
    "wasi:cli/command@0.2.12",
    "wasi:http/proxy@0.2.12",
    "wasi:cli/command@0.3.0",
    "wasi:http/service@0.3.0",
    "wasi:http/middleware@0.3.0",
];

/// Finds the world of this name.
pub(super) fn open(name: &str) -> Result<(Resolve, WorldId), WitError> {
    let unknown = || WitError::UnknownWorld {
        name: name.to_owned(),
        known: KNOWN.map(str::to_owned).to_vec(),
    };
    let Ok(ParsedUsePath::Package(package, world)) = parse_use_path(name) else {
        return Err(unknown());
    };
    if package.namespace != "wasi" {
        return Err(unknown());
    }
    for release in &RELEASES {
        let Some(packages) = release.packages(&package.name) else {
            continue;
        };
        let (mut resolve, main) = resolved(&packages)?;
        let Some(found) = resolve.packages.get(main) else {
            continue;
        };
        if has(&found.name, &package)
            && let Some(world) = found.worlds.get(&world).copied()
        {
            leave_out_later(&mut resolve, &package);
            return Ok((resolve, world));
        }
    }
    Err(unknown())
}

impl Release {
    /// All packages, with the named one as the main package.
    fn packages(&self, main: &str) -> Option<Vec<WitPackage>> {
        let of = |(name, text): &(&str, &str)| WitPackage {
            files: vec![WitFile {
                name: format!("{name}.wit"),
                bytes: text.as_bytes().to_vec(),
            }],
        };
        let first = self.files.iter().find(|(name, _)| *name == main)?;
        let others = self.files.iter().filter(|(name, _)| *name != main);
        Some([first].into_iter().chain(others).map(of).collect())
    }
}

/// Whether the package of a release has the interfaces of the version that was asked for.
fn has(known: &PackageName, asked: &PackageName) -> bool {
    let (Some(known), Some(asked)) = (&known.version, &asked.version) else {
        return true;
    };
    let track = PackageName::version_compat_track;
    track(known) == track(asked) && asked <= known
}

/// Leaves out what was added after the version that was asked for.
fn leave_out_later(resolve: &mut Resolve, asked: &PackageName) {
    let Some(version) = &asked.version else {
        return;
    };
    let is_there = |stability: &Stability| match stability {
        Stability::Stable { since, .. } => since <= version,
        _ => true,
    };
    for (_, interface) in resolve.interfaces.iter_mut() {
        let functions = &mut interface.functions;
        functions.retain(|_, function| is_there(&function.stability));
    }
    for (_, world) in resolve.worlds.iter_mut() {
        for items in [&mut world.imports, &mut world.exports] {
            items.retain(|_, item| match item {
                WorldItem::Interface { stability, .. } => is_there(stability),
                WorldItem::Function(function) => is_there(&function.stability),
                WorldItem::Type { .. } => true,
            });
        }
    }
}
