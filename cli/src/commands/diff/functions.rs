//! Comparing code function by function.

use std::collections::BTreeMap;
use std::path::Path;

use edgec_artifact::{Manifest, verity};
use edgec_compiler::{DebugInfo, FunctionCode, Image};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::render::{self, count, safe};
use crate::{files, unvouched};

/// The code of an image, and which function is where.
pub(super) struct Code<'f> {
    text: &'f [u8],
    functions: Vec<FunctionCode>,
    /// Whether they come from a debug file, and are all.
    is_named: bool,
}

/// A function by its module, and its name where both images have names, else its index.
type Key = (u32, String);

/// How the functions of two images differ.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Functions {
    /// How many were found in each: without a debug file, an image of the `edge` profile has only
    /// those that its host can get at.
    known: [usize; 2],
    /// Whether each has a debug file, and so all of its functions with their names.
    debug_files: [bool; 2],
    same: usize,
    /// As long as before, with other bytes: to call a function that has moved is enough for that.
    same_length: usize,
    /// Longer or shorter, or in one of the two only; what differs most in length comes first.
    different: Vec<Different>,
}

#[derive(Serialize)]
struct Different {
    module: u32,
    function: String,
    /// Bytes of code.
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<u64>,
}

impl<'f> Code<'f> {
    /// By the debug file that is named, or the one beside the artifact if it is its own, or the
    /// engine's table.
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
        let functions = match named {
            Some(functions) => functions,
            None => unvouched::functions("image", manifest, image)
                .map_err(|failure| failure.about(artifact.display()))?,
        };
        Ok(Self {
            text,
            functions,
            is_named,
        })
    }

    fn by_key(&self, named: bool) -> BTreeMap<Key, Vec<&FunctionCode>> {
        let mut functions: BTreeMap<Key, Vec<_>> = BTreeMap::new();
        for function in &self.functions {
            let name = function.name.clone().filter(|_| named);
            let name = name.unwrap_or_else(|| format!("function {}", function.index));
            let of_name = functions.entry((function.module, name)).or_default();
            of_name.push(function);
        }
        functions
    }

    fn bytes(&self, function: &FunctionCode) -> Option<&'f [u8]> {
        let start = usize::try_from(function.start).ok()?;
        let end = start.checked_add(usize::try_from(function.size).ok()?)?;
        self.text.get(start..end)
    }
}

/// The functions of a debug file that belongs to this image.
fn named(path: &Path, image: &[u8]) -> Result<Vec<FunctionCode>, Failure> {
    let file = files::read_artifact(path)?;
    let info = DebugInfo::read(&file)
        .map_err(|error| Failure::rejected("debug-file", &error).about(path.display()))?;
    if info.build_id != verity::digest(image).0 {
        let message = "it is the debug file of another image";
        return Err(Failure::new(Exit::Rejected, "build-id", message).about(path.display()));
    }
    Ok(info.functions().collect())
}

impl Functions {
    pub(super) fn compare(a: &Code<'_>, b: &Code<'_>) -> Self {
        let named = a.is_named && b.is_named;
        let (of_a, of_b) = (a.by_key(named), b.by_key(named));
        let (mut same, mut same_length) = (0, 0);
        let mut different = Vec::new();
        let keys = of_a
            .keys()
            .chain(of_b.keys().filter(|key| !of_a.contains_key(key)));
        for key in keys {
            let none = Vec::new();
            let (left, right) = (
                of_a.get(key).unwrap_or(&none),
                of_b.get(key).unwrap_or(&none),
            );
            // Of several with one name, each has its place in the order.
            for at in 0..left.len().max(right.len()) {
                let (left, right) = (left.get(at), right.get(at));
                let bytes_a = left.and_then(|function| a.bytes(function));
                let bytes_b = right.and_then(|function| b.bytes(function));
                if bytes_a.is_some() && bytes_a == bytes_b {
                    same += 1;
                    continue;
                }
                if left.map(|function| function.size) == right.map(|function| function.size) {
                    same_length += 1;
                    continue;
                }
                different.push(Different {
                    module: key.0,
                    function: key.1.clone(),
                    a: left.map(|function| function.size),
                    b: right.map(|function| function.size),
                });
            }
        }
        let by = |it: &Different| it.a.unwrap_or(0).abs_diff(it.b.unwrap_or(0));
        different.sort_by_key(|it| std::cmp::Reverse(by(it)));
        Self {
            known: [a.functions.len(), b.functions.len()],
            debug_files: [a.is_named, b.is_named],
            same,
            same_length,
            different,
        }
    }

    pub(super) fn text(&self, most: usize) -> String {
        let only = |a: bool| {
            let lacks = |it: &&Different| if a { it.b.is_none() } else { it.a.is_none() };
            self.different.iter().filter(lacks).count()
        };
        let (only_a, only_b) = (only(true), only(false));
        let both = self.different.len() - only_a - only_b;
        let mut text = format!(
            "functions: {} the same, {} of the same length, {both} longer or shorter, {only_a} only in a, {only_b} only in b\n",
            self.same, self.same_length
        );
        if self.debug_files != [true, true] {
            text.push_str(
                "  by number, and only those in the engine's table: not both have a debug file\n",
            );
        }
        let rows: Vec<Vec<String>> = self
            .different
            .iter()
            .take(most)
            .map(|it| {
                let name = format!("  {}  {}", it.module, safe(&it.function));
                let bytes =
                    |size: Option<u64>| size.map_or("-".to_owned(), |size| size.to_string());
                let (a, b) = (it.a.unwrap_or(0), it.b.unwrap_or(0));
                let change = format!("{:+}", i128::from(b) - i128::from(a));
                vec![name, bytes(it.a), bytes(it.b), change]
            })
            .collect();
        text.push_str(&render::table(&rows));
        if self.different.len() > most {
            let left = count(self.different.len() - most, "more function");
            text.push_str(&format!("  and {left} (--most)\n"));
        }
        text
    }
}
