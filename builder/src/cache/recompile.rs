//! Compiles kept images again, and compares images with images, and each function that was compiled
//! on the way with the functions that are kept.
//!
//! This is the only check that finds an entry that is whole and wrong. It takes as long as the
//! compiler, so it takes a random sample.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use edgec_artifact::Sha256Digest;
use edgec_compiler::{
    CompilerProcess, Deadline, Difference, FunctionKey, PrecompileError, functions_in,
};

use super::CacheError;
use super::asked::{self, Asked, IMAGES, QUESTIONS};
use super::folder::CacheFolder;
use super::identity::of_build_id;
use super::key::in_namespace;
use crate::WorkerProgram;

/// The kind of the entries with functions.
const FUNCTIONS: &str = "functions";

/// The outcome of compiling kept images again.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recompilation {
    /// How many images were compiled again.
    pub images: u64,
    /// The images that differ. They were removed.
    pub different: Vec<DifferentImage>,
    /// How many images the sample left out.
    pub left_out: u64,
    /// How many images belong to another edgec or another namespace. They are not used here.
    pub of_another: u64,
    /// How many images have no question, so that they cannot be compiled again.
    pub without_question: u64,
    /// How many images could not be compiled because the process gave no answer, such as for lack
    /// of memory. Nothing is known about them.
    pub unanswered: u64,
    /// The first reason.
    pub unanswered_why: Option<PrecompileError>,
    /// The functions.
    pub functions: FunctionsCompared,
}

/// An image that is not what the compiler makes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DifferentImage {
    /// The name of its entry: the digest of the question.
    pub entry: Sha256Digest,
    /// The target.
    pub target: String,
    /// The engine profile.
    pub profile: String,
    /// The digest of the program that the compiler got.
    pub program: Sha256Digest,
    /// What differs.
    pub difference: Difference,
}

/// Functions that are kept, compared with those that were compiled again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionsCompared {
    /// How many are kept.
    pub kept: u64,
    /// How many of them were compiled again.
    pub compared: u64,
    /// How many of these differ.
    pub different: u64,
    /// The names of the entries with functions that differ. They were removed.
    pub entries: Vec<Sha256Digest>,
}

impl Recompilation {
    /// Whether something differs.
    pub fn differs(&self) -> bool {
        !self.different.is_empty() || self.functions.different > 0
    }
}

/// Compiles up to `most` images of the cache in a folder again, chosen at random, each within
/// `timeout`: those of this program and this namespace. Removes what differs.
///
/// # Errors
///
/// [`CacheError`].
pub fn recompile(
    path: &Path,
    program: &WorkerProgram,
    namespace: &str,
    compiler: &CompilerProcess,
    most: u64,
    timeout: Duration,
) -> Result<Recompilation, CacheError> {
    let folder = CacheFolder::open(path)?;
    let program = identity(program).map_err(|source| CacheError::Program {
        program: program.path().to_owned(),
        source,
    })?;
    let program = in_namespace(program, namespace);
    let mut done = Recompilation::default();
    let mut fresh = Fresh::default();
    for entry in shuffled(names(&folder, IMAGES)?) {
        let asked = asked::recall(&folder, &entry);
        let Some(asked) = asked else {
            done.without_question += 1;
            continue;
        };
        if asked.program() != program {
            done.of_another += 1;
            continue;
        }
        if done.images + done.unanswered >= most {
            done.left_out += 1;
            continue;
        }
        let Some(kept) = folder.read(IMAGES, &entry) else {
            // Another process removed it, or it is damaged: that is the work of `verify`.
            continue;
        };
        let arguments = asked.arguments();
        let deadline = Deadline::after(timeout);
        let recompiled = match compiler.recompile(asked.question(&arguments), deadline) {
            Ok(recompiled) => recompiled,
            Err(error) => {
                done.unanswered += 1;
                done.unanswered_why.get_or_insert(error);
                continue;
            }
        };
        done.images += 1;
        fresh.add(recompiled.functions());
        if let Some(difference) = recompiled.difference(&kept) {
            remove(&folder, IMAGES, &entry)?;
            remove(&folder, QUESTIONS, &entry)?;
            done.different.push(different(entry, &asked, difference));
        }
    }
    done.functions = fresh.compare(&folder)?;
    Ok(done)
}

/// What stands for the program, from its bytes: a digest that the cache holds may be as wrong as
/// the rest of it.
fn identity(program: &WorkerProgram) -> io::Result<Sha256Digest> {
    if let Some(identity) = of_build_id(program.path())? {
        return Ok(identity);
    }
    let (digest, _) = Sha256Digest::of_stream(&File::open(program.path())?)?;
    Ok(digest)
}

fn different(entry: Sha256Digest, asked: &Asked, difference: Difference) -> DifferentImage {
    let arguments = asked.arguments();
    let argument = |place: usize| arguments.get(place).map_or("", |it| it).to_owned();
    DifferentImage {
        entry,
        target: argument(0),
        profile: argument(1),
        program: Sha256Digest::of(asked.input()),
        difference,
    }
}

/// The names of the entries of a kind. Nothing if there are none.
fn names(folder: &CacheFolder, kind: &str) -> Result<Vec<Sha256Digest>, CacheError> {
    let folder = match folder.root.folder(kind) {
        Ok(folder) => folder,
        Err(error) if error.is_absence() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = folder.names()?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The same names in a random order: an attacker who knew the sample would spare it.
fn shuffled(mut names: Vec<Sha256Digest>) -> Vec<Sha256Digest> {
    // The keys of this hasher come from the system's source of random numbers.
    let order = RandomState::new();
    names.sort_by_cached_key(|name| order.hash_one(name.0));
    names
}

fn remove(folder: &CacheFolder, kind: &str, name: &Sha256Digest) -> Result<(), CacheError> {
    let folder = match folder.root.folder(kind) {
        Ok(folder) => folder,
        Err(error) if error.is_absence() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    Ok(folder.remove(&name.to_string())?)
}

/// The digests of the functions that were compiled again.
#[derive(Default)]
struct Fresh(HashMap<FunctionKey, Sha256Digest>);

impl Fresh {
    fn add<'f>(&mut self, functions: impl Iterator<Item = (FunctionKey, &'f [u8])>) {
        let functions = functions.map(|(key, code)| (key, Sha256Digest::of(code)));
        self.0.extend(functions);
    }

    /// Compares all functions that are kept with these.
    fn compare(&self, folder: &CacheFolder) -> Result<FunctionsCompared, CacheError> {
        let mut done = FunctionsCompared::default();
        for entry in names(folder, FUNCTIONS)? {
            let Some(pack) = folder.read(FUNCTIONS, &entry) else {
                continue;
            };
            let mut different = 0;
            for (key, code) in functions_in(&pack) {
                done.kept += 1;
                let Some(fresh) = self.0.get(&key) else {
                    continue;
                };
                done.compared += 1;
                different += u64::from(*fresh != Sha256Digest::of(code));
            }
            if different > 0 {
                remove(folder, FUNCTIONS, &entry)?;
                done.different += different;
                done.entries.push(entry);
            }
        }
        Ok(done)
    }
}
