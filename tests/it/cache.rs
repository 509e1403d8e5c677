//! The build cache: a build with it gives the same bytes as a build without it, whatever happens to
//! the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use edgec_tests::{Sandbox, guests, hello};
use serde_json::Value;

/// The options of all builds here: both families of CPUs, and the same key.
const OPTIONS: [&str; 6] = [
    "--key",
    "key.pem",
    "-t",
    "x86_64,aarch64",
    "--format",
    "json",
];

struct Built {
    /// The artifacts for both targets.
    artifacts: [Vec<u8>; 2],
    hits: u64,
    misses: u64,
    warnings: String,
}

/// Builds `app` with a cache in the folder `cache`.
fn build(sandbox: &Sandbox, app: &str, options: &[&str]) -> Built {
    let cache = ["build", app, "-o", "out", "--cache", "cache"];
    run(sandbox, &[&cache[..], &OPTIONS, options].concat())
}

/// Builds `app` without a cache.
fn uncached(sandbox: &Sandbox, app: &str, options: &[&str]) -> [Vec<u8>; 2] {
    let without = ["build", app, "-o", "out", "--no-cache"];
    let built = run(sandbox, &[&without[..], &OPTIONS, options].concat());
    assert_eq!((built.hits, built.misses), (0, 0));
    built.artifacts
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Built {
    let output = sandbox.run(arguments);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {warnings}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stem = PathBuf::from(arguments[1]);
    let stem = stem.file_stem().unwrap().to_str().unwrap();
    let number = |name: &str| summary["cache"][name].as_u64().unwrap_or(0);
    Built {
        artifacts: ["x86_64", "aarch64"]
            .map(|cpu| sandbox.read(&format!("out/{stem}.{cpu}.cwasm"))),
        hits: number("hits"),
        misses: number("misses"),
        warnings,
    }
}

/// A sandbox with the example of the README as `hello.wat`.
fn with_hello() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("hello.wat", fs::read(hello()).unwrap());
    sandbox
}

/// The files of the entries in the cache.
fn entries(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = sandbox.files();
    let entries = files.iter().filter(|file| file.starts_with("cache/v1/"));
    // Neither the digest of the program nor a question is an answer of a step.
    let is_answer = |file: &&String| {
        !["program", "asked"]
            .iter()
            .any(|kind| file.starts_with(&format!("cache/v1/{kind}/")))
    };
    let entries = entries.filter(is_answer);
    entries.map(|file| sandbox.path().join(file)).collect()
}

fn replace(entry: &PathBuf, bytes: &[u8]) {
    fs::set_permissions(entry, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(entry, bytes).unwrap();
    fs::set_permissions(entry, fs::Permissions::from_mode(0o444)).unwrap();
}

#[test]
fn a_second_build_takes_every_step_from_the_cache() {
    let sandbox = with_hello();
    let expected = uncached(&sandbox, "hello.wat", &[]);
    let first = build(&sandbox, "hello.wat", &[]);
    assert_eq!(first.hits, 0);
    assert!(first.misses > 2, "{}", first.misses);
    let second = build(&sandbox, "hello.wat", &[]);
    // Compiled functions are asked for only if there is no image.
    assert!(
        second.hits > 2 && second.hits < first.misses,
        "{}",
        second.hits
    );
    assert_eq!(second.misses, 0);
    assert!(first.artifacts == expected && second.artifacts == expected);
    assert_eq!(
        second.warnings.matches("warning").count(),
        0,
        "{}",
        second.warnings
    );
}

#[test]
fn every_option_that_decides_bytes_makes_another_question() {
    let sandbox = with_hello();
    build(&sandbox, "hello.wat", &[]);
    for options in [
        &["-O2"][..],
        &["-O0"],
        &["--no-flatten"],
        &["--profile", "edge"],
        &["--keep-module", "0"],
    ] {
        let expected = uncached(&sandbox, "hello.wat", options);
        for _ in 0..2 {
            assert!(
                build(&sandbox, "hello.wat", options).artifacts == expected,
                "{options:?}"
            );
        }
    }
    // The release is no part of the code.
    let later = build(
        &sandbox,
        "hello.wat",
        &["--app-version", "9", "--channel", "beta"],
    );
    assert_eq!(later.misses, 0);
    let expected = uncached(
        &sandbox,
        "hello.wat",
        &["--app-version", "9", "--channel", "beta"],
    );
    assert!(later.artifacts == expected);
}

#[test]
fn guests_and_their_edits_are_the_same_with_and_without_a_cache() {
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    for name in ["c-minigzip", "c-cmark", "rust-http-proxy"] {
        let original = fs::read(folder.join(format!("{name}.wasm"))).unwrap();
        let file = format!("{name}.wasm");
        for (number, bytes) in edits(&original).into_iter().enumerate() {
            sandbox.write(&file, &bytes);
            let expected = uncached(&sandbox, &file, &[]);
            let first = build(&sandbox, &file, &[]);
            let second = build(&sandbox, &file, &[]);
            assert!(first.artifacts == expected, "{name}, edit {number}");
            assert!(second.artifacts == expected, "{name}, edit {number}");
            assert_eq!(second.misses, 0, "{name}, edit {number}");
        }
    }
}

/// The program, and programs that differ from it in one letter of a data segment.
fn edits(original: &[u8]) -> Vec<Vec<u8>> {
    let texts: [&[u8]; 2] = [b"invalid", b"memory"];
    let mut edits = vec![original.to_vec()];
    for text in texts {
        let place = original.windows(text.len()).rposition(|part| part == text);
        let Some(place) = place else { continue };
        let mut edited = original.to_vec();
        edited[place] ^= 1;
        edits.push(edited);
    }
    edits
}

/// Makes a damaged entry of an entry and another one.
type Damage = fn(&[u8], &[u8]) -> Vec<u8>;

#[test]
fn a_damaged_entry_is_no_entry() {
    let sandbox = with_hello();
    let expected = uncached(&sandbox, "hello.wat", &[]);
    let steps = build(&sandbox, "hello.wat", &[]).misses;
    let all = entries(&sandbox);
    assert_eq!(all.len() as u64, steps);
    let genuine: Vec<Vec<u8>> = all.iter().map(|entry| fs::read(entry).unwrap()).collect();
    let damages: [Damage; 6] = [
        |_, _| Vec::new(),
        |own, _| own[..own.len() - 1].to_vec(),
        |own, _| [own, &b"x"[..]].concat(),
        |own, _| {
            let mut own = own.to_vec();
            *own.last_mut().unwrap() ^= 1;
            own
        },
        // A genuine entry under another name is foreign code.
        |_, other| other.to_vec(),
        |_, _| vec![0; 1 << 20],
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        for (place, entry) in all.iter().enumerate() {
            let other = &genuine[(place + 1) % genuine.len()];
            replace(entry, &damage(&genuine[place], other));
        }
        let built = build(&sandbox, "hello.wat", &[]);
        assert!(built.artifacts == expected, "damage {number}");
        assert_eq!((built.hits, built.misses), (0, steps), "damage {number}");
        // The build has written all of them again.
        let again = build(&sandbox, "hello.wat", &[]);
        assert_eq!(again.misses, 0, "damage {number}");
        assert!(again.artifacts == expected, "damage {number}");
    }
}

#[test]
fn verify_removes_damaged_entries() {
    let sandbox = with_hello();
    build(&sandbox, "hello.wat", &[]);
    let cache = ["cache", "verify", "--cache", "cache"];
    assert!(
        sandbox
            .ok(&cache)
            .ends_with(" whole, 0 damaged and removed\n")
    );
    let entry = &entries(&sandbox)[0];
    replace(entry, b"damaged");
    let output = sandbox.run(&cache);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with(" whole, 1 damaged and removed\n"), "{said}");
    assert!(!entry.exists());
}

/// The bytes of all entries, and the number of entries.
fn held(sandbox: &Sandbox) -> (u64, u64) {
    let said = sandbox.ok(&["cache", "stats", "--cache", "cache", "--format", "json"]);
    let stats: Value = serde_json::from_str(&said).unwrap();
    (
        stats["bytes"].as_u64().unwrap(),
        stats["entries"].as_u64().unwrap(),
    )
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let sandbox = with_hello();
    // Two MiB that do not become shorter.
    sandbox.write("large.wat", large());
    build(&sandbox, "large.wat", &[]);
    let old = entries(&sandbox);
    for entry in &old {
        let file = fs::File::open(entry).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
    }
    build(&sandbox, "hello.wat", &[]);
    let new = entries(&sandbox);
    let new: Vec<_> = new
        .into_iter()
        .filter(|entry| !old.contains(entry))
        .collect();
    assert!(held(&sandbox).0 > 2 << 20);
    sandbox.ok(&["cache", "prune", "--cache", "cache", "--to", "1"]);
    assert!(held(&sandbox).0 <= 1 << 20);
    let left = entries(&sandbox);
    assert!(new.iter().all(|entry| left.contains(entry)));
    sandbox.ok(&["cache", "prune", "--cache", "cache"]);
    assert_eq!(held(&sandbox), (0, 0));
}

/// A component with two MiB of data.
fn large() -> String {
    let data = "x".repeat(2 << 20);
    format!(r#"(component (core module (memory 40) (data (i32.const 0) "{data}")))"#)
}

#[test]
fn a_build_keeps_the_cache_within_its_size() {
    let sandbox = with_hello();
    let built = build(&sandbox, "hello.wat", &["--cache-size", "0"]);
    assert!(built.misses > 0);
    assert_eq!(entries(&sandbox), Vec::<PathBuf>::new());
}

#[test]
fn a_cache_that_others_can_change_is_not_used() {
    let sandbox = with_hello();
    let expected = build(&sandbox, "hello.wat", &[]).artifacts;
    let folder = sandbox.path().join("cache");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let built = build(&sandbox, "hello.wat", &[]);
    assert_eq!((built.hits, built.misses), (0, 0));
    assert!(built.artifacts == expected);
    assert!(
        built.warnings.contains("warning[cache-folder]: "),
        "{}",
        built.warnings
    );
    assert!(built.warnings.contains("--no-cache"), "{}", built.warnings);
}

#[test]
fn builds_at_the_same_time_share_a_cache() {
    let sandbox = with_hello();
    let expected = uncached(&sandbox, "hello.wat", &[]);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (sandbox, expected) = (&sandbox, &expected);
            scope.spawn(move || {
                let out = format!("out{number}");
                let cache = ["build", "hello.wat", "-q", "-o", &out, "--cache", "cache"];
                sandbox.ok(&[&cache[..], &OPTIONS[..4]].concat());
                for (cpu, bytes) in ["x86_64", "aarch64"].iter().zip(expected) {
                    assert!(sandbox.read(&format!("{out}/hello.{cpu}.cwasm")) == *bytes);
                }
            });
        }
    });
}

#[test]
fn a_rebuild_does_all_of_its_work() {
    let sandbox = with_hello();
    build(&sandbox, "hello.wat", &[]);
    let verify = [
        "verify",
        "out/hello.x86_64.cwasm",
        "--key",
        "key.pub.pem",
        "--rebuild",
        "hello.wat",
    ];
    // No verb but `build` has a cache.
    let output = sandbox
        .command(&verify)
        .env("EDGEC_CACHE", "cache")
        .output();
    assert!(output.unwrap().status.success());
    let said = sandbox.fails(2, &[&verify[..], &["--cache", "cache"]].concat());
    assert!(said.contains("--cache"), "{said}");
}
