//! Compares the registry of targets with the engine, the documents and this machine.

use std::collections::BTreeSet;

use edgec_artifact::{Artifact, elf::ElfImage};
use edgec_targets::{Arch, HostCpu, Target, Tier};
use edgec_tests::{Sandbox, hello, repository};
use serde_json::Value;

/// Flags of the engine that no target sets.
fn left_out(arch: Arch, flag: &str) -> bool {
    let mut unused = arch.unused_flags().iter();
    unused.any(|it| it.cranelift_flag == flag)
}

fn build_all(sandbox: &Sandbox) {
    let ids: Vec<&str> = edgec_targets::all().map(|target| target.id).collect();
    let build = ["build", "-q", &hello(), "--key", "key.pem", "-o", "out"];
    sandbox.ok(&[&build[..], &["--target", &ids.join(",")]].concat());
}

fn image_of(sandbox: &Sandbox, target: &Target) -> Vec<u8> {
    let file = sandbox.read(&format!("out/hello.{}.cwasm", target.id));
    let artifact = Artifact::decode(&file).unwrap();
    artifact.image().to_vec()
}

/// Targets use all flags of the engine, except those that are left out on purpose. A flag of a
/// newer engine needs a decision.
#[test]
fn every_cpu_flag_of_the_engine_is_some_target_s() {
    let sandbox = Sandbox::new();
    build_all(&sandbox);
    let pattern = regex::bytes::Regex::new("has_[a-z0-9_]+").unwrap();
    for arch in Arch::ALL {
        let targets: Vec<&Target> = edgec_targets::all().filter(|t| t.arch == arch).collect();
        let image = image_of(&sandbox, targets[0]);
        let sections = ElfImage::parse(&image).unwrap().sections;
        let engine = sections.iter().find(|it| it.name == ".wasmtime.engine");
        let engine = engine.unwrap();
        let begin = usize::try_from(engine.offset).unwrap();
        let engine = &image[begin..begin + usize::try_from(engine.size).unwrap()];
        let found = pattern.find_iter(engine);
        let found = found.map(|flag| std::str::from_utf8(flag.as_bytes()).unwrap());
        let found: BTreeSet<&str> = found.filter(|flag| !left_out(arch, flag)).collect();
        let features = targets.iter().flat_map(|target| target.features);
        let known: BTreeSet<&str> = features.map(|feature| feature.cranelift_flag).collect();
        assert_eq!(found, known, "{}", arch.name());
    }
    // If the registry says that two targets have the same code, they do.
    for target in edgec_targets::all() {
        if let Some(same) = target.same_code_as() {
            let (one, other) = (image_of(&sandbox, target), image_of(&sandbox, same));
            assert!(one == other, "{} and {}", target.id, same.id);
        }
    }
}

/// Targets of tier 1 are run: here those of this machine's family. `aarch64.rs` tests the other
/// family, and `x86_levels.rs` CPUs that lack features.
#[test]
fn tier_1_targets_of_this_family_run() {
    let sandbox = Sandbox::new();
    let host = HostCpu::detect();
    for target in edgec_targets::all() {
        let first = target.same_code_as().is_none() && target.tier == Tier::Executed;
        if !first || target.arch.name() != host.arch() {
            continue;
        }
        if let Err(misfit) = target.fits(&host) {
            let required = std::env::var_os("EDGEC_REQUIRE_TIER_1").is_some();
            assert!(!required, "{}: {misfit}", target.id);
            eprintln!("SKIPPED: {}: {misfit}", target.id);
            continue;
        }
        sandbox.build(&hello(), target.id, "hello.cwasm");
        let said = sandbox.ok(&["run", "--key", "key.pub.pem", "hello.cwasm"]);
        assert_eq!(said, "Hello from the edge!\n", "{}", target.id);
    }
}

/// A host profile may state every feature that some target uses, and no other. The document lists
/// them.
#[test]
fn the_document_lists_the_features_of_hosts() {
    let document = std::fs::read_to_string(repository().join("docs/targets.md")).unwrap();
    let text = document.split_whitespace().collect::<Vec<_>>().join(" ");
    for arch in Arch::ALL {
        let targets = edgec_targets::all().filter(|target| target.arch == arch);
        let features = targets.flat_map(|target| target.features);
        let features: BTreeSet<&str> = features.map(|feature| feature.name).collect();
        let features: Vec<&str> = features.into_iter().collect();
        let line = format!("- {}: {}", arch.name(), features.join(", "));
        assert!(text.contains(&line), "{line}");
    }
}

/// The document's table equals the registry.
#[test]
fn the_document_lists_the_registry() {
    let document = std::fs::read_to_string(repository().join("docs/targets.md")).unwrap();
    let mut rows = Vec::new();
    for target in edgec_targets::all() {
        let own = target.features.iter().map(|feature| feature.cranelift_flag);
        let own: Vec<&str> = own.collect();
        let flags = match target.same_code_as() {
            Some(same) => format!("same code as `{}`", same.id),
            None if own.is_empty() => "none".to_owned(),
            None => own.join(" "),
        };
        let aliases: Vec<_> = target
            .aliases
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let row = format!(
            "| `{}` | {} | {} | {flags} | {} | {} | {} |",
            target.id,
            target.tier.number(),
            target.level,
            target.machines,
            aliases.join(", "),
            target.source,
        );
        rows.push(row);
    }
    let table: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(table, rows, "the table should be:\n{}", rows.join("\n"));
}

/// The JSON output.
#[test]
fn the_list_for_machines() {
    let sandbox = Sandbox::empty();
    let list = edgec_tests::results(sandbox.ok(&["targets", "--format", "json"]));
    assert_eq!(list.len(), edgec_targets::all().count());
    for (entry, target) in list.iter().zip(edgec_targets::all()) {
        assert_eq!(entry["id"], target.id);
        assert_eq!(entry["triple"], target.triple());
        assert_eq!(entry["tier"], target.tier.number());
        assert_eq!(entry["pageSize"], target.arch.page_size());
        let flags: Vec<_> = target.features.iter().map(|f| f.cranelift_flag).collect();
        assert_eq!(entry["craneliftFlags"], serde_json::json!(flags));
    }
    // The detected features of this machine.
    let here: Value = sandbox
        .ok(&["targets", "--host", "--format", "json"])
        .parse()
        .unwrap();
    assert_eq!(here["host"], "this machine");
    let runs = here["targets"].as_array().unwrap().iter();
    let runs: Vec<_> = runs
        .filter(|entry| entry["runs"] == true)
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = HostCpu::detect().targets().iter().map(|t| t.id).collect();
    assert_eq!(runs, expected);
}
