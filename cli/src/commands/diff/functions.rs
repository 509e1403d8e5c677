//! Compares code function by function.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};
use std::path::Path;

use edgec_artifact::{Manifest, verity};
use edgec_builder::unverified;
use edgec_compiler::{DebugInfo, FunctionCode, Image};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::failures::builder::table_failure;
use crate::render::{self, cell, count};
use crate::{files, workers};

/// The maximum number of functions in an image that is compared. A module may have a million, and
/// the largest known program has 75,000. Each takes a few hundred bytes of memory.
const MAX_FUNCTIONS: usize = 500_000;

/// The maximum number of differing functions in the document. All of them are counted.
const MAX_DIFFERENT: usize = 100_000;

/// The code of an image, and where its functions are.
pub(crate) struct Code<'f> {
    text: &'f [u8],
    functions: Vec<FunctionCode>,
    /// The names of core modules, by number.
    modules: BTreeMap<u32, String>,
    /// Whether the functions come from a debug file, which has all of them.
    is_named: bool,
}

/// A function's key: its module, and its name if both images have names, else its index.
type Key<'c> = (u32, Name<'c>);

type Keyed<'c> = (Key<'c>, &'c FunctionCode);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name<'c> {
    Index(u32),
    Given(&'c str),
}

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "function {index}"),
            Self::Given(name) => f.write_str(name),
        }
    }
}

/// The differences between the functions of two images.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Functions {
    /// How many functions are known in each image. Without a debug file, an image of the `edge`
    /// profile shows only the functions that its host can reach.
    known: [usize; 2],
    /// Whether each image has a debug file, and thus names for all of its functions.
    debug_files: [bool; 2],
    same: usize,
    /// Functions with the same length and other bytes. A call of a function that has moved is
    /// enough for this.
    same_length: usize,
    /// Functions whose length differs, or that only one image has. Those that differ most in length
    /// come first.
    different: Vec<Different>,
    /// How many more such functions there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    different_more: Option<usize>,
    /// How many of them only one image has.
    #[serde(skip)]
    only: [usize; 2],
}

#[derive(Serialize)]
pub(crate) struct Different {
    pub(crate) module: u32,
    pub(crate) function: String,
    #[serde(skip)]
    is_named: bool,
    /// The length of the code in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) a: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<u64>,
}

impl<'f> Code<'f> {
    /// The code of an image. Its functions come from the named debug file, else from the one beside
    /// the artifact if that belongs to the artifact, else from the engine's table.
    pub(super) fn new(
        artifact: &Path,
        bytes: &'f [u8],
        image: &Image<'_>,
        manifest: &Manifest,
        debug: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (start, len) = image.text();
        let range = usize::try_from(start)
            .ok()
            .zip(usize::try_from(len).ok())
            .and_then(|(start, len)| Some(start..start.checked_add(len)?));
        let text = range.and_then(|range| bytes.get(range)).unwrap_or_default();
        let named = match debug {
            Some(path) => Some(named(path, bytes)?),
            None => {
                let beside = artifact.with_extension("debug");
                let there = artifact != Path::new(files::STDIN) && beside.is_file();
                // Ignores a foreign or damaged debug file that the command line did not name.
                there.then(|| named(&beside, bytes).ok()).flatten()
            }
        };
        let is_named = named.is_some();
        let (functions, modules) = match named {
            Some(named) => named,
            None => {
                let functions = unverified::functions(&workers::program()?, manifest, image)
                    .map_err(|error| table_failure("image", &error).about(artifact.display()))?;
                (functions, BTreeMap::new())
            }
        };
        if functions.len() > MAX_FUNCTIONS {
            let message = format!(
                "it has {} functions, and at most {MAX_FUNCTIONS} can be compared",
                functions.len()
            );
            let failure = Failure::new(Exit::Rejected, "functions", message);
            return Err(failure.about(artifact.display()));
        }
        if overlap(&functions) {
            let message = "functions of the engine's table overlap in the code";
            return Err(Failure::new(Exit::Rejected, "image", message)
                .about(artifact.display())
                .hint("the compiler does not write such a table: do not run it"));
        }
        Ok(Self {
            text,
            functions,
            modules,
            is_named,
        })
    }

    /// The functions, sorted by their place. They share all of their code or nothing.
    pub(crate) fn functions(&self) -> &[FunctionCode] {
        &self.functions
    }

    /// The name of a core module, if a debug file has it.
    pub(crate) fn module(&self, number: u32) -> Option<&str> {
        self.modules.get(&number).map(String::as_str)
    }

    /// Whether the functions come from a debug file, which has all of them.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// The functions by their keys. If several have the same key, each keeps its place.
    fn by_key(&self, named: bool) -> Vec<Keyed<'_>> {
        let functions = self.functions.iter().map(|function| {
            let name = function.name.as_deref().filter(|_| named);
            let name = name.map_or(Name::Index(function.index), Name::Given);
            ((function.module, name), function)
        });
        let mut functions: Vec<_> = functions.collect();
        functions.sort_by_key(|(key, _)| *key);
        functions
    }

    fn bytes(&self, function: &FunctionCode) -> Option<&'f [u8]> {
        let start = usize::try_from(function.start).ok()?;
        let end = start.checked_add(usize::try_from(function.size).ok()?)?;
        self.text.get(start..end)
    }
}

/// Whether functions, sorted by their start, share some of their code. Identical functions, which
/// have the same start and size, do not count. Otherwise all of the code could be compared for each
/// function.
fn overlap(functions: &[FunctionCode]) -> bool {
    let pairs = functions.iter().zip(functions.iter().skip(1));
    let mut pairs = pairs.filter(|(one, next)| (one.start, one.size) != (next.start, next.size));
    pairs.any(|(one, next)| one.start.saturating_add(one.size) > next.start)
}

/// Functions, and the names of core modules by number.
type Named = (Vec<FunctionCode>, BTreeMap<u32, String>);

/// The functions of a debug file that belongs to this image.
fn named(path: &Path, image: &[u8]) -> Result<Named, Failure> {
    let file = files::read_artifact(path)?;
    let info = DebugInfo::read(&file)
        .map_err(|error| Failure::rejected("debug-file", &error).about(path.display()))?;
    if info.build_id != verity::digest(image).0 {
        let message = "it is the debug file of another image";
        return Err(Failure::new(Exit::Rejected, "build-id", message).about(path.display()));
    }
    let modules = info
        .modules()
        .map(|(number, name)| (number, name.to_owned()));
    Ok((info.functions().collect(), modules.collect()))
}

/// Takes the functions with a key from the front of a list.
fn of_key<'l, 'c>(rest: &mut &'l [Keyed<'c>], key: Key<'c>) -> &'l [Keyed<'c>] {
    let end = rest.partition_point(|(known, _)| *known <= key);
    let (front, behind) = rest.split_at(end);
    *rest = behind;
    front
}

impl Functions {
    /// Functions whose length differs, or that only one image has, up to the maximum of the list.
    pub(crate) fn different(&self) -> impl Iterator<Item = &Different> {
        self.different.iter()
    }

    /// How many such functions there are.
    pub(crate) fn count_different(&self) -> usize {
        self.different.len() + self.different_more.unwrap_or(0)
    }

    pub(crate) fn compare(a: &Code<'_>, b: &Code<'_>) -> Self {
        let named = a.is_named && b.is_named;
        let (of_a, of_b) = (a.by_key(named), b.by_key(named));
        let (mut same, mut same_length) = (0, 0);
        let mut different = Vec::new();
        // Code that several functions share is compared once.
        let mut compared: HashMap<(u64, u64, u64), bool> = HashMap::new();
        let mut are_same = |one: &FunctionCode, other: &FunctionCode| {
            let place = (one.start, other.start, one.size);
            let compare = || {
                let bytes = a.bytes(one);
                bytes.is_some() && bytes == b.bytes(other)
            };
            one.size == other.size && *compared.entry(place).or_insert_with(compare)
        };
        let (mut rest_a, mut rest_b) = (of_a.as_slice(), of_b.as_slice());
        loop {
            let next = rest_a.first().into_iter().chain(rest_b.first());
            let Some(key) = next.map(|(key, _)| *key).min() else {
                break;
            };
            let (left, right) = (of_key(&mut rest_a, key), of_key(&mut rest_b, key));
            // If several functions have the same name, they are compared in their order.
            for at in 0..left.len().max(right.len()) {
                let (left, right) = (left.get(at), right.get(at));
                let (left, right) = (left.map(|it| it.1), right.map(|it| it.1));
                if left
                    .zip(right)
                    .is_some_and(|(left, right)| are_same(left, right))
                {
                    same += 1;
                    continue;
                }
                if left.map(|function| function.size) == right.map(|function| function.size) {
                    same_length += 1;
                    continue;
                }
                different.push(Different {
                    module: key.0,
                    function: key.1.to_string(),
                    is_named: matches!(key.1, Name::Given(_)),
                    a: left.map(|function| function.size),
                    b: right.map(|function| function.size),
                });
            }
        }
        let by = |it: &Different| it.a.unwrap_or(0).abs_diff(it.b.unwrap_or(0));
        different.sort_by_key(|it| std::cmp::Reverse(by(it)));
        let only = [
            different.iter().filter(|it| it.b.is_none()).count(),
            different.iter().filter(|it| it.a.is_none()).count(),
        ];
        let more = different.len().saturating_sub(MAX_DIFFERENT);
        different.truncate(MAX_DIFFERENT);
        Self {
            known: [a.functions.len(), b.functions.len()],
            debug_files: [a.is_named, b.is_named],
            same,
            same_length,
            different,
            different_more: Some(more).filter(|more| *more > 0),
            only,
        }
    }

    pub(super) fn text(&self, most: usize) -> String {
        let [only_a, only_b] = self.only;
        let different = self.count_different();
        let both = different.saturating_sub(only_a + only_b);
        let mut text = format!(
            "functions: {} the same, {} of the same length, {both} longer or shorter, {only_a} only in a, {only_b} only in b\n",
            self.same, self.same_length
        );
        if self.debug_files != [true, true] {
            text.push_str(
                "  compared by number, and only those in the engine's table: a debug file is missing\n",
            );
        }
        let rows: Vec<Vec<String>> = self
            .different
            .iter()
            .take(most)
            .map(|it| {
                let function = match it.is_named {
                    true => cell(&it.function),
                    false => it.function.clone(),
                };
                let name = format!("  {}  {function}", it.module);
                let bytes =
                    |size: Option<u64>| size.map_or("-".to_owned(), |size| size.to_string());
                let (a, b) = (it.a.unwrap_or(0), it.b.unwrap_or(0));
                let change = format!("{:+}", i128::from(b) - i128::from(a));
                vec![name, bytes(it.a), bytes(it.b), change]
            })
            .collect();
        text.push_str(&render::table(&rows));
        let listed = most.min(self.different.len());
        if different > listed {
            let left = count(different - listed, "more function");
            text.push_str(&format!("  and {left} (--most)\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_share_all_of_their_code_or_nothing() {
        let list = |places: &[(u64, u64)]| -> Vec<FunctionCode> {
            let functions = places.iter().map(|(start, size)| FunctionCode {
                module: 0,
                index: 0,
                name: None,
                start: *start,
                size: *size,
            });
            functions.collect()
        };
        for good in [&[][..], &[(0, 4)], &[(0, 4), (0, 4), (4, 1), (9, 1)]] {
            assert!(!overlap(&list(good)), "{good:?}");
        }
        for bad in [
            &[(0, 4), (0, 5)][..],
            &[(0, 4), (3, 9)],
            &[(0, u64::MAX), (1, u64::MAX), (2, 1)],
        ] {
            assert!(overlap(&list(bad)), "{bad:?}");
        }
    }
}
