//! There are no circles of imports, neither between siblings nor between the top modules of a
//! crate.
//!
//! A top module is a module of the crate's root, with all modules below it. A parent and its child
//! modules may import each other. An item that a parent exports again belongs to the parent. Tests
//! may import anything.
//!
//! With `--nocapture`, the test prints which top modules import which others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::tidy::metadata;

/// The names of a module and of its parents, the outermost first.
type Module = Vec<String>;
/// Which children of a module import which others.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_module_imports_itself_through_its_siblings() {
    let mut circles = Vec::new();
    for package in &metadata().packages {
        let root = package.manifest_path.parent().unwrap().join("src");
        let outside = ["edgec-tests", "edgec-graphs", "edgec-benches"];
        if outside.iter().any(|name| package.name == name) || !root.exists() {
            continue;
        }
        for (parent, imports) in imports_in(root.as_std_path()) {
            if parent.is_empty() {
                print_edges(&package.name, &imports);
            }
            let found = imports.keys().find_map(|child| circle(child, &imports));
            let names = |circle: Vec<&str>| circle.join(" -> ");
            let shown = |circle| format!("{} {parent:?}: {}", package.name, names(circle));
            circles.extend(found.map(shown));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// Prints which top modules of a crate import which others.
fn print_edges(package: &impl std::fmt::Display, imports: &Imports) {
    for (module, imported) in imports {
        let imported: Vec<&str> = imported.iter().map(String::as_str).collect();
        println!("{package}: {module} -> {}", imported.join(", "));
    }
}

#[test]
fn circles_are_found() {
    let imports = |pairs: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in pairs {
            let of = imports.entry((*from).to_owned()).or_default();
            of.insert((*to).to_owned());
        }
        imports
    };
    let round = imports(&[("a", "b"), ("b", "c"), ("c", "a")]);
    assert_eq!(circle("a", &round), Some(vec!["a", "b", "c", "a"]));
    assert_eq!(circle("a", &imports(&[("a", "b"), ("c", "b")])), None);

    let code = "use crate::one::{self, two::{Three, Four as Five}};\n\
                use super::six; fn f() { self::seven::eight(); }\n\
                // crate::comment\n#[cfg(test)]\nmod tests { use crate::nine; }";
    let read: Vec<String> = paths(&code_of(code))
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(
        read,
        [
            "crate::one::self",
            "crate::one::two::Three",
            "crate::one::two::Four",
            "super::six",
            "self::seven::eight"
        ]
    );
}

/// The imports in a crate, for each module that has children.
fn imports_in(root: &Path) -> BTreeMap<Module, Imports> {
    let mut modules = BTreeMap::new();
    find(root, &Module::new(), &mut modules);
    let mut found: BTreeMap<Module, Imports> = BTreeMap::new();
    for (module, file) in &modules {
        let text = std::fs::read_to_string(file).unwrap();
        for path in paths(&code_of(&text)) {
            let imported = resolved(module, &path, &modules);
            let same = module.iter().zip(&imported).take_while(|(a, b)| a == b);
            let depth = same.count();
            if let (Some(from), Some(to)) = (module.get(depth), imported.get(depth)) {
                let imports = found.entry(module[..depth].to_vec()).or_default();
                let of = imports.entry(from.clone()).or_default();
                of.insert(to.clone());
            }
        }
    }
    found
}

/// Every file of a crate except its tests, by its module.
fn find(folder: &Path, module: &Module, modules: &mut BTreeMap<Module, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem == "tests" {
            continue;
        }
        let mut below = module.clone();
        if !["lib", "main"].contains(&stem.as_str()) {
            below.push(stem);
        }
        if path.is_dir() {
            find(&path, &below, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            modules.insert(below, path);
        }
    }
}

/// The text without comments, and without the tests at its end.
fn code_of(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod tests");
    let lines = text[..tests.unwrap_or(text.len())].lines();
    let code = lines.map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The paths in some code that begin with `crate`, `super` or `self`.
fn paths(code: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("::") {
        let before = &rest[..start];
        let word = before.trim_end_matches(is_in_name).len();
        let begins = ["crate", "super", "self"].contains(&&before[word..]);
        rest = match begins {
            true => read(&rest[word..], &[], &mut found),
            false => &rest[start + 2..],
        };
    }
    found
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads one path, or a tree of paths, after those names. Returns the rest of the text.
fn read<'t>(text: &'t str, names: &[&'t str], found: &mut Vec<Vec<&'t str>>) -> &'t str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            match rest.strip_prefix('}') {
                Some(behind) => return behind,
                None if rest.is_empty() => return rest,
                None => rest = read(rest, names, found),
            }
        }
    }
    let end = text.find(|c: char| !is_in_name(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    if name.is_empty() {
        // `*`, or the arguments of a type.
        found.push(names.to_vec());
        let mut behind = text.chars();
        behind.next();
        return behind.as_str();
    }
    let mut names = names.to_vec();
    names.push(name);
    if let Some(below) = rest.strip_prefix("::") {
        return read(below, &names, found);
    }
    if let Some(renamed) = rest.strip_prefix(" as ") {
        rest = renamed.trim_start_matches(is_in_name);
    }
    found.push(names);
    rest
}

/// The module that a path leads to, or the module that contains the item.
fn resolved(from: &Module, path: &[&str], modules: &BTreeMap<Module, PathBuf>) -> Module {
    let (mut at, mut names) = (from.clone(), path);
    match names.split_first() {
        Some((&"crate", below)) => (at, names) = (Module::new(), below),
        Some((&"self", below)) => names = below,
        _ => {}
    }
    while let Some((&"super", below)) = names.split_first() {
        at.pop();
        names = below;
    }
    at.extend(names.iter().map(|name| (*name).to_owned()));
    while !at.is_empty() && !modules.contains_key(&at) {
        at.pop();
    }
    at
}

/// The shortest way by which a module imports itself.
fn circle<'i>(module: &'i str, imports: &'i Imports) -> Option<Vec<&'i str>> {
    let mut ways = vec![vec![module]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last().and_then(|last| imports.get(*last));
            for next in last.into_iter().flatten() {
                let mut way = way.clone();
                way.push(next.as_str());
                if next == module {
                    return Some(way);
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}
