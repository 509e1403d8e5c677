//! Runs the tests: all, the fast ones, single transcripts.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::Outcome;
use crate::shell::{cargo, command, read, repository, run, target_folder};
use crate::slow::{SLOW, correction};

/// The end-to-end tests alone, with the same features as every other command on the workspace.
const END_TO_END: [&str; 5] = ["test", "--workspace", "--test", "it", "--"];

/// All tests.
pub(crate) fn whole(arguments: &[&str]) -> Outcome {
    run(cargo(&["test", "--workspace", "--"]).args(arguments))
}

/// All tests except the doc tests and the slow subjects.
pub(crate) fn fast(arguments: &[&str]) -> Outcome {
    let begin = Instant::now();
    run(cargo(&["test", "--workspace", "--lib", "--bins", "--"]).args(arguments))?;
    examples(&[])?;
    let modules = modules()?;
    let mut end_to_end = cargo(&END_TO_END);
    for (slow, _) in SLOW {
        end_to_end.args(["--skip", &format!("{slow}::")]);
    }
    run(end_to_end.args(arguments))?;
    println!(
        "{} of {} subjects, {} s; left out: {}",
        modules.len() - SLOW.len(),
        modules.len(),
        begin.elapsed().as_secs(),
        SLOW.iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(())
}

/// How long each subject takes, the slowest first. Each time includes about a second for cargo.
pub(crate) fn times() -> Outcome {
    examples(&[])?;
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--test",
        "it",
        "--no-run",
    ]))?;
    let modules = modules()?;
    let mut times = Vec::new();
    for module in &modules {
        let mut tests = cargo(&END_TO_END);
        tests.args(only(module, &modules));
        tests.stdout(Stdio::null()).stderr(Stdio::null());
        let begin = Instant::now();
        let outcome = run(&mut tests);
        times.push((begin.elapsed(), module, outcome.is_ok()));
        eprint!(".");
    }
    eprintln!();
    times.sort_unstable();
    for (time, module, passed) in times.into_iter().rev() {
        // The time of a failure says nothing about the subject.
        let note = match passed {
            true => correction(module, time),
            false => "  FAILED",
        };
        println!("{:>7.1} s  {module}{note}", time.as_secs_f64());
    }
    Ok(())
}

/// Writes what the commands in documents print into the documents. `tests/src/transcript.rs`
/// explains `how`.
pub(crate) fn bless(how: &str, files: &[&str]) -> Outcome {
    let list = read("tests/it/transcripts.rs")?;
    let mut tests = Vec::new();
    for file in files {
        let document = in_repository(file)?;
        if !list.contains(&format!("\"{document}\"")) {
            return Err(format!("{document} is not in tests/it/transcripts.rs"));
        }
        tests.push(format!("transcripts::{}", test_name(&document)));
    }
    examples(&["--example", "forge"])?;
    run(cargo(&END_TO_END)
        .env("BLESS", how)
        .arg("--exact")
        .args(tests))
}

/// Makes the seeds of the fuzz targets, from the binary and the documents.
pub(crate) fn seeds() -> Outcome {
    run(&mut cargo(&[
        "build",
        "--workspace",
        "--bin",
        "edgec",
        "--example",
        "seeds",
    ]))?;
    let folder = target_folder()?.join("debug");
    let program = folder.join("examples/seeds");
    let edgec = folder.join(format!("edgec{}", std::env::consts::EXE_SUFFIX));
    run(command(&program.to_string_lossy()).env("EDGEC_BIN", edgec))
}

/// Builds the examples that tests start: all, or the one that `which` names.
fn examples(which: &[&str]) -> Outcome {
    let which: &[&str] = match which {
        [] => &["--examples"],
        named => named,
    };
    run(cargo(&["build", "--workspace"]).args(which))
}

/// The subjects of the end-to-end tests.
pub(crate) fn modules() -> Result<Vec<String>, String> {
    let main = read("tests/it/main.rs")?;
    let modules = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .map(str::to_owned);
    Ok(modules.collect())
}

/// The arguments of the test program for the tests of one subject only. A filter is a part of a
/// name, and `build::` is also a part of `attack_build::`.
fn only(module: &str, modules: &[String]) -> Vec<String> {
    let others = modules
        .iter()
        .filter(|other| *other != module && other.ends_with(module));
    let skip = others.flat_map(|other| ["--skip".to_owned(), format!("{other}::")]);
    std::iter::once(format!("{module}::")).chain(skip).collect()
}

/// The name of a document's test, as `tests/it/transcripts.rs` makes it.
fn test_name(document: &str) -> String {
    let stem = document.trim_end_matches(".md").to_ascii_lowercase();
    stem.replace(['/', '-'], "_")
}

/// Converts a path that the user gave to a path from the root of the repository.
fn in_repository(file: &str) -> Result<String, String> {
    let path = Path::new(file).canonicalize();
    let path = path.map_err(|error| format!("{file}: {error}"))?;
    let root = repository().canonicalize();
    let root = root.map_err(|error| format!("{}: {error}", repository().display()))?;
    let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
    let inside = inside.ok_or_else(|| format!("{file} is not in this repository"))?;
    Ok(inside.replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_run_without_those_whose_names_end_like_its_own() {
        let modules = ["attack_build", "build", "walls"].map(str::to_owned);
        assert_eq!(only("walls", &modules), ["walls::"]);
        let build = ["build::", "--skip", "attack_build::"];
        assert_eq!(only("build", &modules), build);
    }

    #[test]
    fn a_document_is_found_from_wherever_it_is_named() {
        let readme = repository().join("xtask/../README.md");
        assert_eq!(
            in_repository(readme.to_str().unwrap()).unwrap(),
            "README.md"
        );
        assert!(in_repository("/").is_err());
        assert_eq!(test_name("tests/cli/cold-start.md"), "tests_cli_cold_start");
    }
}
