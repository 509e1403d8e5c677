//! Runs the transcripts in documents.
//!
//! In a Markdown file, a block marked `console` is a session. Lines after `$ ` are commands, and
//! lines after `> ` continue them. The lines below are what they print (both streams). All blocks
//! of a file run in order in one empty folder. Some output differs from run to run: times, lengths,
//! and everything that depends on keys, which are new in each run. Any two times or lengths count
//! as equal. Digests that depend on keys count as equal if the document has the same one wherever
//! the run has the same one. Everything else is compared exactly, including the digests of what a
//! session builds: the same input gives the same bytes everywhere, so a document shows the current
//! digests. `BLESS=1` writes the output into the document where it differs, with the document's own
//! key ids. `BLESS=all` writes it everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use edgec_artifact::{Artifact, Sha256Digest, verity};
use regex::Regex;
use tempfile::TempDir;

use crate::{binary, forge, isolate, repository};

/// The home folder in documents.
const HOME: &str = "/home/you";

/// Runs every session of a document and compares the output.
///
/// # Panics
///
/// With both texts, if a command prints something else.
pub fn check(document: &Path) {
    let text = std::fs::read_to_string(document).unwrap();
    let mut session = Session::new();
    // Documents that show an attack use it. The others run without it.
    if text.contains("forge ") {
        session.add_forge();
    }
    let mut replayed = String::new();
    let mut lines = text.lines().peekable();
    let mut names = Names::default();
    let mut sessions = 0;
    while let Some(line) = lines.next() {
        writeln!(replayed, "{line}").unwrap();
        if line != "```console" {
            continue;
        }
        sessions += 1;
        let mut status = 0;
        while let Some(line) = lines.next_if(|line| *line != "```") {
            writeln!(replayed, "{line}").unwrap();
            let command = line.strip_prefix("$ ").unwrap_or_else(|| {
                panic!("{}: not a command: {line}", document.display());
            });
            let mut command = command.to_owned();
            while let Some(line) = lines.next_if(|line| *line == ">" || line.starts_with("> ")) {
                writeln!(replayed, "{line}").unwrap();
                command.push('\n');
                command.push_str(line.get(2..).unwrap_or_default());
            }
            let mut expected = String::new();
            while let Some(line) = lines.next_if(|line| *line != "```" && !line.starts_with("$ ")) {
                writeln!(expected, "{line}").unwrap();
            }
            let printed = session.run(&command, &mut status);
            let all = std::env::var_os("BLESS").is_some_and(|bless| bless == "all");
            let normal = |text: &str| normal(text, &session.built);
            let same = normal(&printed) == normal(&expected)
                && names.fit(&printed, &expected, &session.built);
            if same && !all {
                replayed.push_str(&expected);
            } else if std::env::var_os("BLESS").is_some() {
                replayed.push_str(&names.in_document(&printed, &session.built));
            } else {
                panic!(
                    "{}: `{command}` printed\n{printed}\nand not\n{expected}\n\
                     (BLESS=1 writes what was printed into the document; this run's keys are in \
                     the document {:?})",
                    document.display(),
                    names.0
                );
            }
        }
    }
    assert!(sessions > 0, "{}: no sessions", document.display());
    if std::env::var_os("BLESS").is_some() && replayed != text {
        std::fs::write(document, replayed).unwrap();
    }
}

struct Session {
    folder: TempDir,
    /// The digests of every artifact that existed after a command.
    built: BTreeSet<String>,
}

impl Session {
    /// A folder with the repository's examples, and a `bin` folder with the binary.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir_all(path.join("home/bin")).unwrap();
        std::fs::create_dir(path.join("work")).unwrap();
        std::os::unix::fs::symlink(binary(), path.join("home/bin/edgec")).unwrap();
        std::os::unix::fs::symlink(repository().join("examples"), path.join("work/examples"))
            .unwrap();
        let built = BTreeSet::new();
        Self { folder, built }
    }

    /// Adds the forge to the `bin` folder.
    fn add_forge(&self) {
        let program = self.folder.path().join("home/bin/forge");
        std::os::unix::fs::symlink(forge(), program).unwrap();
    }

    fn run(&mut self, line: &str, status: &mut i32) -> String {
        // The command that a document gives for a fresh clone also builds this binary.
        let line = line.replace("cargo run -- ", "edgec ");
        let home = self.folder.path().join("home");
        let mut shell = Command::new("sh");
        isolate(&mut shell, &self.folder.path().join("work"));
        let path = std::env::var("PATH").unwrap_or_default();
        let output = shell
            .arg("-c")
            .arg(format!("umask 022\n(exit {status})\n{line}"))
            .env("HOME", &home)
            .env("PATH", format!("{}:{path}", home.join("bin").display()))
            .output()
            .unwrap();
        *status = output.status.code().unwrap_or(255);
        let work = self.folder.path().join("work");
        note_digests(&work, &mut self.built);
        let printed = [output.stdout, output.stderr].concat();
        assert!(
            printed.is_empty() || printed.ends_with(b"\n"),
            "`{line}` does not end its last line"
        );
        String::from_utf8_lossy(&printed).replace(&home.display().to_string(), HOME)
    }
}

/// Adds the digests of all artifacts in a folder and below it: those of their images and those in
/// their manifests. They do not depend on a key.
fn note_digests(folder: &Path, digests: &mut BTreeSet<String>) {
    let digest = Regex::new(DIGEST).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            note_digests(&path, digests);
            continue;
        }
        let Some(file) = std::fs::read(&path).ok().filter(|_| path.is_file()) else {
            continue;
        };
        let Ok(artifact) = Artifact::decode(&file) else {
            continue;
        };
        let image = artifact.image();
        digests.insert(Sha256Digest::of(image).to_string());
        digests.insert(verity::digest(image).to_string());
        let payload = String::from_utf8_lossy(artifact.envelope().payload());
        digests.extend(digest.find_iter(&payload).map(|it| it.as_str().to_owned()));
    }
}

/// Maps this run's digests to the document's digests, for those that depend on keys.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    /// Whether two texts that differ only in digests belong together: each digest of this run
    /// stands for one digest of the document, as in the earlier texts.
    fn fit(&mut self, printed: &str, expected: &str, built: &BTreeSet<String>) -> bool {
        let digest = Regex::new(DIGEST).unwrap();
        let digests = digest.find_iter(printed).zip(digest.find_iter(expected));
        let mut names = self.0.clone();
        for (printed, expected) in digests.map(|(a, b)| (a.as_str(), b.as_str())) {
            if built.contains(printed) {
                continue;
            }
            let fits = match names.get(printed) {
                Some(known) => known == expected,
                None => !names.values().any(|it| it == expected),
            };
            if !fits {
                return false;
            }
            names.insert(printed.to_owned(), expected.to_owned());
        }
        self.0 = names;
        true
    }

    /// The text with the document's digests, as far as they are known.
    fn in_document(&mut self, printed: &str, built: &BTreeSet<String>) -> String {
        let digest = Regex::new(DIGEST).unwrap();
        let text = digest.replace_all(printed, |found: &regex::Captures<'_>| {
            let found = found.get(0).map_or("", |it| it.as_str());
            if built.contains(found) {
                return found.to_owned();
            }
            let own = || found.to_owned();
            self.0.entry(own()).or_insert_with(own).clone()
        });
        text.into_owned()
    }
}

const DIGEST: &str = r"\b[0-9a-f]{64}\b";

/// The text without everything that differs from run to run, and without padding, which depends on
/// it. Digests in `built` do not differ.
fn normal(text: &str, built: &BTreeSet<String>) -> String {
    let replace = |text: String, pattern: &str, with: &str| {
        let pattern = Regex::new(pattern).unwrap();
        pattern.replace_all(&text, with).into_owned()
    };
    let text = replace(text.to_owned(), r"\d+(\.\d+)? (ms|s)\b", "TIME");
    // When a verdict was given.
    let moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ";
    let text = replace(
        text,
        &format!(r"\bat {moment} by edgec"),
        "at TIME by edgec",
    );
    let text = replace(text, &format!("\"at\": \"{moment}\""), "\"at\": TIME");
    let digest = Regex::new(DIGEST).unwrap();
    let text = digest.replace_all(&text, |found: &regex::Captures<'_>| {
        let found = found.get(0).map_or("", |it| it.as_str());
        match built.contains(found) {
            true => found.to_owned(),
            false => "DIGEST".to_owned(),
        }
    });
    let text = text.into_owned();
    // The envelope contains signatures, so its compressed length differs. The length of code
    // depends on the engine. Other tests check both.
    let text = replace(text, r"\d+(\.\d+)? (B|KiB|MiB)\b", "SIZE");
    let text = replace(text, r"\b\d+ bytes", "SIZE");
    replace(text, " {2,}", "  ")
}
