//! What a bill lists, before it is written in a format: the program, its modules and components,
//! its crates, the tools that made it, and what needs what.
//!
//! A crate that several modules have is listed once.

use std::collections::{BTreeMap, BTreeSet};

use crate::crates::{Crate, CrateKind, CrateSource};
use crate::program::{Metadata, Part, PartKind, Producer, Program};

/// An entry, by its place: they are sorted, so documents number them without ambiguity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The program.
    Program,
    /// A module or component in it, by its numbers.
    Part(Vec<usize>),
    /// A crate: its name, version, and source.
    Crate(String, String, CrateSource),
}

/// An entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'p> {
    /// Its name.
    pub(crate) name: String,
    /// Its version, if it has one.
    pub(crate) version: Option<String>,
    /// Whether it runs only while something is built.
    pub(crate) is_for_builds: bool,
    /// The part, unless the entry is a crate.
    pub(crate) part: Option<&'p Part>,
    /// What it needs, or consists of.
    pub(crate) needs: BTreeSet<Key>,
}

/// Everything that a bill lists.
#[derive(Debug)]
pub(crate) struct Graph<'p> {
    /// All entries. The program is the first.
    pub(crate) entries: BTreeMap<Key, Entry<'p>>,
    /// The tools that made the program or a part of it: name and version.
    pub(crate) tools: BTreeSet<(String, String)>,
}

impl Key {
    /// The identity of the entry in a document. No two entries have the same.
    pub(crate) fn reference(&self) -> String {
        match self {
            Self::Program => "program".to_owned(),
            Self::Part(path) => {
                let numbers: Vec<_> = path.iter().map(usize::to_string).collect();
                format!("part:{}", numbers.join("."))
            }
            Self::Crate(name, version, CrateSource::CratesIo) => purl(name, version),
            Self::Crate(name, version, CrateSource::Other(source)) => {
                let [name, version, source] = [name, version, source].map(|it| encoded(it));
                format!("crate:{name}@{version}?source={source}")
            }
        }
    }

    /// The package's address, if it is a public one.
    pub(crate) fn purl(&self) -> Option<String> {
        match self {
            Self::Crate(name, version, CrateSource::CratesIo) => Some(purl(name, version)),
            _ => None,
        }
    }
}

impl<'p> Graph<'p> {
    /// The graph of a program of this name and version.
    pub(crate) fn new(program: &'p Program, name: &str, version: Option<&str>) -> Self {
        let mut graph = Self {
            entries: BTreeMap::new(),
            tools: BTreeSet::new(),
        };
        for part in &program.parts {
            let key = key(&part.path);
            let is_program = key == Key::Program;
            let (title, own) = match is_program {
                true => (name.to_owned(), version.map(str::to_owned)),
                false => (part.title(), part.metadata.version.clone()),
            };
            let needs = part.crates.as_deref().unwrap_or_default();
            let needs = graph.add_crates(needs);
            let entry = Entry {
                name: title,
                version: own,
                is_for_builds: false,
                part: Some(part),
                needs,
            };
            graph.entries.insert(key.clone(), entry);
            if let Some((_, around)) = part.path.split_last()
                && let Some(around) = graph.entries.get_mut(&self::key(around))
            {
                around.needs.insert(key);
            }
            let tools = part.producers.iter().filter(|it| it.field != "language");
            let tools = tools.map(|it| (it.name.clone(), it.version.clone()));
            graph.tools.extend(tools);
        }
        graph
    }

    /// Adds the crates of a module, and returns those that the module itself needs: the crate that
    /// was built, or all of them if none is marked so.
    fn add_crates(&mut self, crates: &[Crate]) -> BTreeSet<Key> {
        let keys: Vec<Key> = crates.iter().map(of_crate).collect();
        for (it, key) in crates.iter().zip(&keys) {
            let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry {
                name: it.name.clone(),
                version: Some(it.version.clone()),
                is_for_builds: true,
                part: None,
                needs: BTreeSet::new(),
            });
            entry.is_for_builds &= it.kind == CrateKind::Build;
            let needs = it.dependencies.iter().filter_map(|index| keys.get(*index));
            entry.needs.extend(needs.filter(|it| *it != key).cloned());
        }
        let all = || crates.iter().zip(&keys);
        let has_root = crates.iter().any(|it| it.root);
        let needed = all().filter(|(it, _)| it.root || !has_root);
        needed.map(|(_, key)| key.clone()).collect()
    }
}

fn key(path: &[usize]) -> Key {
    match path {
        [] => Key::Program,
        path => Key::Part(path.to_vec()),
    }
}

fn of_crate(it: &Crate) -> Key {
    Key::Crate(it.name.clone(), it.version.clone(), it.source.clone())
}

/// The address of a crate on crates.io.
///
/// Source: package-url specification, type `cargo`.
fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{}@{}", encoded(name), encoded(version))
}

/// A text in which only letters, digits and `-._~` stand for themselves (RFC 3986).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

impl Entry<'_> {
    /// What the sections of a part say.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.part.map(|part| &part.metadata)
    }

    /// What a document says about it beyond its own fields: names and values, sorted.
    pub(crate) fn properties(&self, key: &Key) -> Vec<(&'static str, String)> {
        let mut properties = Vec::new();
        if let Some(part) = self.part {
            let kind = match part.kind {
                PartKind::Component => "component",
                PartKind::Module => "core module",
            };
            properties.push(("edgec:kind", kind.to_owned()));
            if !part.path.is_empty() {
                let range = format!("{:#x}..{:#x}", part.range.start, part.range.end);
                properties.push(("edgec:bytes", range));
            }
            properties.extend(part.producers.iter().map(of_producer));
            if let Some(revision) = &part.metadata.revision {
                properties.push(("edgec:revision", revision.clone()));
            }
        }
        if let Key::Crate(_, _, CrateSource::Other(source)) = key {
            properties.push(("cargo:source", source.clone()));
        }
        properties
    }
}

fn of_producer(producer: &Producer) -> (&'static str, String) {
    let name = match producer.field.as_str() {
        "language" => "edgec:producer:language",
        "sdk" => "edgec:producer:sdk",
        _ => "edgec:producer:processed-by",
    };
    let value = format!("{} {}", producer.name, producer.version);
    (name, value.trim_end().to_owned())
}
