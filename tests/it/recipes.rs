//! The recipes of ARCHITECTURE.md, "Where to add what", name files that exist.

use std::path::Path;

use edgec_tests::repository;

/// Endings of files that a recipe may name.
const ENDINGS: &[&str] = &["md", "py", "rs", "sh", "toml", "yml"];

#[test]
fn every_file_that_a_recipe_names_exists() {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let (_, recipes) = text.split_once("\n## Where to add what\n").unwrap();
    let (recipes, _) = recipes.split_once("\n## ").unwrap();
    let paths = recipes.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = paths.filter(|path| is_path(path)).collect();
    assert!(paths.len() > 30, "{paths:?}");
    for path in paths {
        for path in alternatives(path) {
            assert!(exists(&path), "a recipe names {path}");
        }
    }
}

#[test]
fn a_wrong_recipe_is_found() {
    for right in [
        "cli/src/commands/<verb>.rs",
        "tests/soak/*_shapes.py",
        "docs/",
        "targets/src/x86_64.rs",
    ] {
        assert!(is_path(right) && exists(right), "{right}");
    }
    let both = ["targets/src/x86_64.rs", "targets/src/aarch64.rs"];
    assert_eq!(alternatives("targets/src/{x86_64,aarch64}.rs"), both);
    // No file, no folder, and an incomplete path.
    for wrong in [
        "cli/src/no_such_file.rs",
        "no_such_folder/<verb>.rs",
        "tests/soak/*_no_such.py",
        "main.rs",
    ] {
        assert!(is_path(wrong) && !exists(wrong), "{wrong}");
    }
    for other in ["gives_way_to", "cargo xtask ci", "edgec targets", "mod"] {
        assert!(!is_path(other), "{other}");
    }
}

/// Whether a word of a recipe names files: it ends like a file or a folder.
fn is_path(word: &str) -> bool {
    let file = word.rsplit_once('.');
    let ending = file.is_some_and(|(_, ending)| ENDINGS.contains(&ending));
    !word.contains(' ') && (ending || word.ends_with('/'))
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn alternatives(path: &str) -> Vec<String> {
    let braces = path.split_once('{').and_then(|(before, rest)| {
        let (names, behind) = rest.split_once('}')?;
        Some((before, names, behind))
    });
    let Some((before, names, behind)) = braces else {
        return vec![path.to_owned()];
    };
    let names = names.split(',');
    names
        .map(|name| format!("{before}{name}{behind}"))
        .collect()
}

/// Whether a path leads from the repository to a file or a folder. In its last part, `*` and `<…>`
/// stand for any text, and some file must match.
fn exists(path: &str) -> bool {
    let whole = repository().join(path);
    if path.ends_with('/') {
        return whole.is_dir();
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let blank = name.find(['*', '<']);
    let Some((start, end)) = blank.zip(name.rfind(['*', '>'])) else {
        return whole.is_file();
    };
    let (start, end) = (&name[..start], &name[end + 1..]);
    named_like(&repository().join(folder), start, end)
}

fn named_like(folder: &Path, start: &str, end: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .any(|name| name.starts_with(start) && name.ends_with(end))
}
