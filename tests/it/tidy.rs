//! Rules of the project that the compiler does not check. With `--nocapture`, the tests print the
//! edges between the crates, and the tree with its lengths.

mod lengths;
mod width;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use edgec_tests::repository;

/// The picture in ARCHITECTURE.md: the crates that each crate may import, directly or through
/// another.
const EDGES: &[(&str, &[&str])] = &[
    ("edgec-targets", &[]),
    ("edgec-artifact", &["edgec-targets"]),
    ("edgec-configuration", &[]),
    ("edgec-differences", &[]),
    ("edgec-files", &[]),
    ("edgec-sbom", &[]),
    ("edgec-compiler", &["edgec-targets"]),
    ("edgec-packager", &["edgec-artifact"]),
    ("edgec-pages", &[]),
    ("edgec-shared-cache", &["edgec-artifact", "edgec-packager"]),
    (
        "edgec-builder",
        &[
            "edgec-artifact",
            "edgec-compiler",
            "edgec-configuration",
            "edgec-files",
            "edgec-packager",
            "edgec-targets",
            "edgec-verifier",
        ],
    ),
    (
        "edgec-verifier",
        &["edgec-artifact", "edgec-files", "edgec-targets"],
    ),
    ("edgec-store", &["edgec-files", "edgec-verifier"]),
    (
        "edgec-loader",
        &["edgec-files", "edgec-store", "edgec-verifier"],
    ),
    (
        "edgec-host",
        &["edgec-configuration", "edgec-loader", "edgec-pages"],
    ),
    (
        "edgec-registry",
        &[
            "edgec-artifact",
            "edgec-differences",
            "edgec-files",
            "edgec-store",
            "edgec-verifier",
        ],
    ),
    (
        "edgec-sync",
        &[
            "edgec-artifact",
            "edgec-configuration",
            "edgec-files",
            "edgec-registry",
            "edgec-store",
            "edgec-verifier",
        ],
    ),
    (
        "edgec",
        &[
            "edgec-artifact",
            "edgec-builder",
            "edgec-compiler",
            "edgec-files",
            "edgec-host",
            "edgec-loader",
            "edgec-packager",
            "edgec-pages",
            "edgec-registry",
            "edgec-sbom",
            "edgec-shared-cache",
            "edgec-sync",
            "edgec-targets",
            "edgec-verifier",
        ],
    ),
];

/// Packages that a crate must not link if it verifies artifacts without an engine.
const WITHOUT_ENGINE: &[&str] = &[
    "wasmtime",
    "wasm-opt",
    "cranelift-codegen",
    "cxx",
    "cryptoki",
    "pkcs5",
];

/// Crates that must not be reachable from a crate, however indirectly.
const ABSENT: &[(&str, &[&str])] = &[
    ("edgec-targets", &["wasmtime", "ed25519-dalek", "object"]),
    ("edgec-artifact", &["wasmtime", "wasmparser", "wasm-opt"]),
    ("edgec-files", &["wasmtime", "ed25519-dalek", "serde"]),
    ("edgec-compiler", &["ed25519-dalek", "edgec-artifact"]),
    ("edgec-packager", &["wasmtime", "wasm-opt", "cryptoki"]),
    ("edgec-pages", &["serde", "wasmtime"]),
    (
        "edgec-builder",
        &["cryptoki", "rpassword", "edgec-loader", "opendal-core"],
    ),
    // One provider of cryptography, and no part of the compiler.
    (
        "edgec-shared-cache",
        &["wasmtime", "wasm-opt", "aws-lc-rs", "openssl-sys"],
    ),
    // One provider of cryptography, and no engine.
    (
        "edgec-registry",
        &["wasmtime", "wasm-opt", "aws-lc-rs", "openssl-sys"],
    ),
    (
        "edgec-sync",
        &["wasmtime", "wasm-opt", "aws-lc-rs", "openssl-sys"],
    ),
    ("edgec-configuration", &["wasmtime", "ed25519-dalek"]),
    ("edgec-differences", &["wasmtime", "ed25519-dalek"]),
    ("edgec-sbom", &["wasmtime", "wasm-opt"]),
    ("edgec-verifier", WITHOUT_ENGINE),
    ("edgec-store", WITHOUT_ENGINE),
    (
        "edgec-loader",
        &["wasm-opt", "cranelift-codegen", "cxx", "cryptoki", "pkcs5"],
    ),
    // One crypto provider: with a second one, no one knows which is meant.
    (
        "edgec-host",
        &[
            "wasm-opt",
            "cranelift-codegen",
            "cxx",
            "cryptoki",
            "pkcs5",
            "aws-lc-rs",
            "aws-lc-sys",
            "openssl-sys",
        ],
    ),
];

/// The crates of the workspace.
pub(crate) fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    let command = command.manifest_path(repository().join("Cargo.toml"));
    command.no_deps().exec().unwrap()
}

#[test]
fn the_picture_of_the_crates_is_true() {
    let metadata = metadata();
    for package in &metadata.packages {
        let known = EDGES.iter().any(|(name, _)| package.name == name);
        let outside = ["edgec-tests", "edgec-graphs", "edgec-benches", "xtask"]
            .iter()
            .any(|name| package.name == name);
        assert!(known || outside, "{} is not in the picture", package.name);
    }
    for (name, allowed) in EDGES {
        let package = metadata.packages.iter().find(|p| p.name == name);
        let package = package.unwrap_or_else(|| panic!("no crate {name}"));
        let imported: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
            .map(|dependency| dependency.name.as_str())
            .filter(|name| name.starts_with("edgec"))
            .collect();
        println!(
            "{name} -> {}",
            imported.iter().copied().collect::<Vec<_>>().join(", ")
        );
        let allowed = BTreeSet::from_iter(allowed.iter().copied());
        assert_eq!(imported, allowed, "{name} imports");
    }
}

/// `cargo run` needs no option: it runs `edgec`. The other program runs the project's checks, and
/// needs no crates, so it compiles in a moment. Other programs are examples.
#[test]
fn cargo_runs_edgec() {
    let metadata = metadata();
    let mut programs = Vec::new();
    for package in &metadata.packages {
        for target in package.targets.iter().filter(|target| target.is_bin()) {
            programs.push((target.name.as_str(), package.default_run.is_some()));
        }
        assert!(package.name != "xtask" || package.dependencies.is_empty());
    }
    programs.sort_unstable();
    assert_eq!(programs, [("edgec", true), ("xtask", false)]);
}

/// An edgec without its default features is built without C++.
#[test]
fn without_binaryen_there_is_no_cxx() {
    let linked = linked("edgec", &["--no-default-features"]);
    for package in ["cxx", "cxx-build", "wasm-opt", "wasm-opt-sys"] {
        assert!(!linked.contains(package), "{package}");
    }
    assert!(linked.contains("cranelift-codegen"));
}

/// An edgec without shared caches and without a host has no clients of servers, and no `rustls`.
#[test]
fn without_shared_caches_there_is_no_network() {
    let with = linked(
        "edgec",
        &["--no-default-features", "--features", "shared-cache"],
    );
    let without = linked("edgec", &["--no-default-features"]);
    for package in [
        "edgec-shared-cache",
        "opendal",
        "redis",
        "reqwest",
        "rustls",
    ] {
        assert!(with.contains(package), "{package}");
        assert!(!without.contains(package), "{package}");
    }
}

/// The crates that package `name` links, and those that it is built with, as cargo resolves it
/// alone.
fn linked(name: &str, options: &[&str]) -> BTreeSet<String> {
    let output = std::process::Command::new(env!("CARGO"))
        .current_dir(repository())
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--package", name])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let names = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// Cargo resolves each crate alone, as `cargo build -p <crate>` does.
#[test]
fn what_a_crate_must_not_link_is_not_there() {
    for (name, absent) in ABSENT {
        let linked = linked(name, &[]);
        assert!(linked.contains(*name));
        for package in *absent {
            assert!(!linked.contains(*package), "{name} links {package}");
        }
    }
}

/// There is only one version of the engine and of its parts.
#[test]
fn the_engine_has_one_version() {
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("name = ") else {
            continue;
        };
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = "));
        versions
            .entry(name.trim_matches('"'))
            .or_default()
            .extend(version.map(|version| version.trim_matches('"')));
    }
    assert_eq!(versions["wasmtime"], [edgec_compiler::ENGINE_VERSION]);
    let judged_by = edgec_verifier::ENGINE_VERSION.to_string();
    assert_eq!(judged_by, edgec_compiler::ENGINE_VERSION);
    // The versions that manifests name.
    for (name, version) in [
        (
            "wasi-preview1-component-adapter-provider",
            edgec_compiler::ADAPTER_VERSION,
        ),
        ("wit-component", edgec_compiler::ENCODER_VERSION),
        ("wat", edgec_compiler::TEXT_VERSION),
        ("wasmtime-wizer", edgec_compiler::WIZER_VERSION),
    ] {
        assert_eq!(versions[name], [version], "{name}");
    }
    for name in ["wasmparser", "cranelift-codegen", "wasm-opt"] {
        assert_eq!(versions[name].len(), 1, "{name}: {:?}", versions[name]);
    }
}

#[test]
fn every_file_says_what_it_is() {
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{}", file.display());
        let name = file.file_name().unwrap();
        assert!(name != "mod.rs" && name != "utils.rs", "{}", file.display());
    }
}

/// The project stands alone: only tests and CI may look beside it.
#[test]
fn nothing_but_tests_looks_beside_the_repository() {
    for file in sources() {
        let may = ["tests", "xtask"].map(|folder| repository().join(folder));
        if may.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("../shared"), "{}", file.display());
    }
}

/// The stated version of the optimizer is the one that the crate bundles.
#[test]
fn binaryens_version_is_the_bundled_one() {
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let bundled = format!(
        "name = \"wasm-opt\"\nversion = \"0.{}.",
        edgec_compiler::BINARYEN_VERSION
    );
    assert!(lock.contains(&bundled));
}

/// The Rust sources of the workspace and of the fuzz targets.
fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in [
        "artifact",
        "benches",
        "builder",
        "cli",
        "compiler",
        "configuration",
        "differences",
        "files",
        "fuzz/src",
        "fuzz/targets",
        "host",
        "loader",
        "packager",
        "pages",
        "registry",
        "sbom",
        "shared-cache",
        "store",
        "sync",
        "targets",
        "tests",
        "verifier",
        "xtask",
    ] {
        walk(&repository().join(folder), &mut found);
    }
    assert!(found.len() > 40);
    found
}
