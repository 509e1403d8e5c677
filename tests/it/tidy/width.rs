//! Running text has lines that a reader sees whole.

use std::path::PathBuf;

use edgec_tests::repository;

#[test]
fn text_has_at_most_100_columns() {
    let mut wide = Vec::new();
    let mut read = 0;
    for (file, kind) in texts(repository().to_owned()) {
        let text = std::fs::read_to_string(&file).unwrap();
        read += 1;
        for line in wide_lines(&text, kind) {
            wide.push(format!("{}:{line}", file.display()));
        }
    }
    assert!(read > 100, "{read} files");
    assert!(wide.is_empty(), "over 100 columns:\n{}", wide.join("\n"));
}

#[test]
fn the_check_of_the_width_sees_wide_lines() {
    let long = "a word and ".repeat(10);
    let words = "word".repeat(30);
    let prose = format!("{long}\n```text\n{long}\n```\n| {long} |\n- {words}\n{long}\n");
    assert_eq!(wide_lines(&prose, Text::Markdown), [1, 7]);
    let rust =
        format!("let a = \"{long}\";\n    // {long}\n//! ```\n//! {long}\n//! ```\n/// {long}\n");
    assert_eq!(wide_lines(&rust, Text::Rust), [2, 6]);
    let script = format!("echo {long}\n# {long}\n# {words}\n");
    assert_eq!(wide_lines(&script, Text::Script), [2]);
}

/// The form of a file's running text.
#[derive(Clone, Copy, PartialEq)]
enum Text {
    Markdown,
    Rust,
    Script,
}

/// The numbers, from 1, of the lines of running text that are too wide.
fn wide_lines(text: &str, kind: Text) -> Vec<usize> {
    let mut fenced = false;
    let mut wide = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let prose = match kind {
            Text::Markdown => Some(trimmed),
            Text::Rust => trimmed
                .strip_prefix("//")
                .map(|rest| rest.trim_start_matches(['/', '!']).trim_start()),
            Text::Script => trimmed.strip_prefix('#').map(str::trim_start),
        };
        let Some(prose) = prose else {
            continue;
        };
        if kind != Text::Script && prose.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let words = prose.trim_start_matches("- ").split_whitespace().count();
        if !fenced && !prose.starts_with('|') && words > 1 && line.chars().count() > 100 {
            wide.push(number);
        }
    }
    wide
}

/// The repository's documents, sources and scripts, without files of builds and runs.
fn texts(folder: PathBuf) -> Vec<(PathBuf, Text)> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            let built = path.join("CACHEDIR.TAG").exists() || name == "soak-findings";
            let hidden = name.starts_with('.') && name != ".ci" && name != ".github";
            if built || hidden || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let extension = path.extension().unwrap_or_default();
            let kind = match extension.to_string_lossy().as_ref() {
                "md" => Text::Markdown,
                "rs" => Text::Rust,
                "py" | "sh" | "toml" => Text::Script,
                _ => continue,
            };
            found.push((path, kind));
        }
    }
    found
}
