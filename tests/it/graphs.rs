//! Component graphs: see [`edgec_tests::graphs`].
//!
//! `EDGEC_GRAPHS_CASES` is the number of cases, and `EDGEC_GRAPHS_SEED` the first seed: other seeds
//! give other components.

use std::path::PathBuf;

use edgec_tests::graphs::batch::{self, Totals};
use edgec_tests::graphs::behaviour::{Traps, behaviour, stock};
use edgec_tests::graphs::case::Bench;
use edgec_tests::graphs::pass;
use edgec_tests::graphs::shrink::{shrink, tape, text};
use edgec_tests::graphs::wrong::WRONG;
use edgec_tests::{Sandbox, example, number_in, repository};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The number of cases, unless the environment sets it.
const CASES: u64 = 5000;

#[test]
fn a_flattened_component_does_the_same() {
    let first = number_in("EDGEC_GRAPHS_SEED", 0);
    let totals = batch::run(
        &example("graphs"),
        first,
        number_in("EDGEC_GRAPHS_CASES", CASES),
    );
    println!("{totals}");
    for (seed, what) in &totals.differences {
        println!("seed {seed}, {what}");
        println!("  cargo run -p edgec-tests --example graphs -- shrink {seed}");
    }
    assert!(totals.differences.is_empty(), "see the seeds above");
    is_worth_it(&totals);
}

/// Checks that the cases test enough: a pass that refuses everything has no differences.
fn is_worth_it(totals: &Totals) {
    let all = totals.cases;
    // A few cases by hand may all be of one kind.
    if all < 500 {
        return;
    }
    assert!(totals.all_skipped() * 50 < all, "too many skipped");
    assert!(totals.flattened * 2 > all, "too few are flattened");
    assert!(totals.to_the_end * 20 > all, "too few become one module");
    assert!(totals.not_started * 4 < all, "too few are instantiated");
    assert!(
        totals.not_started * 50 > all,
        "too few are stopped by traps"
    );
    let (calls, host_calls) = totals.calls;
    assert!(calls > all * 5, "too few calls");
    assert!(host_calls > all * 3, "too few calls of the host");
    assert!(totals.cut_short * 20 < all, "too many cut short");
    assert!(totals.stock * 30 > all, "stock Wasmtime ran too few");
    // The conditions that forbid to merge are met, each by some components.
    for reason in REASONS {
        assert!(
            totals.kept.contains_key(*reason),
            "none is kept for {reason}"
        );
    }
}

/// Reasons to keep a core instance that the generated components must give.
const REASONS: &[&str] = &[
    "instantiated-again",
    "memories",
    "tables",
    "segment-may-trap",
    "unoptimizable",
];

/// The number of cases in which a wrong pass must be detected.
const ENOUGH: u64 = 300;

#[test]
fn a_wrong_pass_is_found_out() {
    for (what, wrong) in WRONG {
        let bench = Bench::new(*wrong);
        let found = (0..ENOUGH).find(|seed| bench.case(*seed).difference.is_some());
        let found = found.unwrap_or_else(|| panic!("a pass that {what} goes unnoticed"));
        println!("a pass that {what}: found with seed {found}");
    }
}

#[test]
fn a_difference_becomes_smaller() {
    let (_, wrong) = WRONG[0];
    let bench = Bench::new(wrong);
    let differs = |seed: u64, text: &str| bench.case_of(seed, text).difference.is_some();
    let found = (0..ENOUGH).find(|seed| bench.case(*seed).difference.is_some());
    let seed = found.expect("a difference");
    let before = Bench::text(seed);
    let time = std::time::Duration::from_secs(30);
    let small = shrink(tape(seed), &|text| differs(seed, text), time);
    assert!(differs(seed, &small));
    let (small, before) = (small.len(), before.len());
    assert!(small < before, "{small} of {before}");
}

/// The components with which a difference was found once, or which were not merged for no reason.
fn found() -> Vec<PathBuf> {
    let folder = repository().join("tests/graphs/found");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn what_was_found_does_not_come_back() {
    let bench = Bench::new(pass::flatten);
    for file in found() {
        let text = std::fs::read_to_string(&file).unwrap();
        for seed in 0..6 {
            let report = bench.case_of(seed, &text);
            let file = file.display();
            assert_eq!(report.skipped, None, "{file}");
            assert!(report.difference.is_none(), "{file}, {report:#?}");
            let merges = text.lines().any(|line| line == ";; merges");
            assert!(report.flattened() || !merges, "{file}, {report:#?}");
        }
    }
}

/// The fuzz target compares behaviour in an interpreter. Here, the engine runs the same components.
#[test]
fn the_fuzzers_components_do_the_same() {
    let bench = Bench::new(pass::flatten);
    let mut compared = 0;
    for folder in ["seeds", "regressions"] {
        let folder = repository().join("fuzz").join(folder).join("flatten");
        let Ok(files) = std::fs::read_dir(folder) else {
            continue;
        };
        for file in files {
            let file = file.unwrap().path();
            let tape: Vec<u32> = std::fs::read(&file)
                .unwrap()
                .into_iter()
                .map(u32::from)
                .collect();
            let report = bench.case_of(0, &text(&tape));
            assert!(report.difference.is_none(), "{file:?}, {report:#?}");
            compared += usize::from(report.skipped.is_none());
        }
    }
    assert!(compared > 5, "{compared}");
}

/// How many components go through whole builds.
const WHOLE: u64 = 30;

/// The real binary builds components merged and unmerged, and an unmodified Wasmtime loads them.
#[test]
fn whole_builds_do_the_same() {
    let sandbox = Sandbox::new();
    let engine = stock();
    let first = number_in("EDGEC_GRAPHS_SEED", 0);
    let bench = Bench::new(pass::flatten);
    // What is not a program for the pass is none for a build.
    let seeds = (first..).filter(|seed| bench.case(*seed).flattened());
    let seeds: Vec<u64> = seeds.take(WHOLE as usize).collect();
    for seed in &seeds {
        sandbox.write(&format!("{seed}.wat"), Bench::text(*seed));
    }
    let files: Vec<String> = seeds.iter().map(|seed| format!("{seed}.wat")).collect();
    let built = |options: &[&str], out: &str| {
        let mut arguments = vec!["build", "-q", "-t", std::env::consts::ARCH, "--key"];
        arguments.extend(["key.pem", "-o", out]);
        arguments.extend(options);
        arguments.extend(files.iter().map(String::as_str));
        sandbox.ok(&arguments);
    };
    built(&["-O1", "--no-flatten"], "apart/");
    built(&["-O1"], "merged/");
    built(&["-O2"], "optimized/");
    built(&["-O2", "--prune-imports"], "pruned/");
    for seed in seeds {
        let ran = |folder: &str| {
            let arch = std::env::consts::ARCH;
            let path = sandbox.path().join(format!("{folder}/{seed}.{arch}.cwasm"));
            // The optimizer may change the order of traps.
            behaviour(&load(&engine, &path), seed, Traps::Any).expect("known imports")
        };
        let apart = ran("apart");
        for folder in ["merged", "optimized", "pruned"] {
            let difference = apart.difference(&ran(folder));
            assert_eq!(difference, None, "seed {seed}, {folder}");
        }
    }
}

#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn load(engine: &Engine, path: &std::path::Path) -> Component {
    // SAFETY: this test built the file a moment ago, and nothing else writes it.
    unsafe { Component::deserialize_file(engine, path) }.unwrap()
}
