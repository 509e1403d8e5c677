//! The differential generator: see [`edgec_tests::differential`].
//!
//! `EDGEC_DIFFERENTIAL_CASES` is the number of cases, and `EDGEC_DIFFERENTIAL_SEED` the first seed:
//! other seeds give other programs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use edgec_compiler::KindChoice;
use edgec_tests::differential::batch::{self, Totals};
use edgec_tests::differential::case::{Bench, Made, Optimize};
use edgec_tests::differential::generator::{self, Generator};
use edgec_tests::differential::sections::{DATA, ELEMENTS, EXPORTS, Sections};
use edgec_tests::differential::shrink::shrink;
use edgec_tests::{Sandbox, example, number_in, shared};

/// The number of cases, unless the environment sets it.
const CASES: u64 = 5000;

/// The public suites, unpacked, if they are beside the repository.
fn suites(sandbox: &Sandbox) -> Option<PathBuf> {
    let archive = shared("conformance/conformance.tar.zst")?;
    let unpacked = Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(archive)
        .current_dir(sandbox.path())
        .status();
    assert!(unpacked.unwrap().success(), "tar and zstd are installed");
    Some(sandbox.path().to_owned())
}

#[test]
fn every_level_keeps_what_made_up_programs_do() {
    let sandbox = Sandbox::empty();
    let suites = suites(&sandbox);
    let (first, cases) = (
        number_in("EDGEC_DIFFERENTIAL_SEED", 0),
        number_in("EDGEC_DIFFERENTIAL_CASES", CASES),
    );
    let worker = example("differential");
    let totals = batch::run(
        &worker,
        generator::program(),
        first,
        cases,
        suites.as_deref(),
    );
    println!("{totals}");
    for (seed, what) in &totals.differences {
        println!("seed {seed}, {what}");
    }
    assert!(totals.differences.is_empty(), "see the seeds above");
    is_worth_it(&totals);
}

/// Checks that the cases test enough: a generator without effect would find nothing.
fn is_worth_it(totals: &Totals) {
    let all = totals.all();
    assert!(totals.all_skipped() * 10 < all, "too many skipped");
    // `-O1` leaves most small modules as they are.
    let kept = totals.kept.iter();
    let kept = kept.filter(|(why, _)| !why.starts_with("-O1 would gain little"));
    let kept: usize = kept.map(|(_, times)| times).sum();
    assert!(kept * 10 < all * 6, "too many left as they were");
    assert!(totals.compared > all * 3, "too few are optimized");
    assert!(
        totals.cut_short * 20 < totals.compared,
        "too many cut short"
    );
    assert!(totals.not_started * 3 < all, "too few are instantiated");
    assert!(totals.calls > all * 3, "too few calls");
    // A single case by hand may be of another kind.
    assert!(all < 1000 || totals.whole > 0, "stock never ran");
}

/// An optimizer that replaces the bytes of an operator.
macro_rules! writes {
    ($new:tt for $old:tt) => {
        |module, _| Ok(changed(module, |it| it.with_operator(&$old, &$new)))
    };
}

/// An optimizer that loses the last entry of a section.
macro_rules! loses {
    ($section:ident) => {
        |module, _| Ok(changed(module, |it| it.without_last($section)))
    };
}

/// Wrong optimizers, which the comparison must detect.
const WRONG: &[(&str, Optimize)] = &[
    ("forgets what a local is set to", writes!([0x1a] for [0x21])),
    ("forgets stores", writes!([0x1a, 0x1a] for [0x36])),
    ("loses a segment of data", loses!(DATA)),
    ("loses a segment of functions", loses!(ELEMENTS)),
    ("loses an export", loses!(EXPORTS)),
    ("subtracts instead of adding", writes!([0x6b] for [0x6a])),
    (
        "subtracts instead of adding 64 bits",
        writes!([0x7d] for [0x7c]),
    ),
    (
        "shifts in zeros instead of the sign",
        writes!([0x76] for [0x75]),
    ),
    (
        "compares 64 bits without the sign",
        writes!([0x54] for [0x53]),
    ),
    (
        "rotates to the right instead of left",
        writes!([0x78] for [0x77]),
    ),
    ("counts zeros at the wrong end", writes!([0x68] for [0x67])),
    (
        "extends 32 bits without the sign",
        writes!([0xad] for [0xac]),
    ),
    (
        "subtracts doubles instead of adding",
        writes!([0xa1] for [0xa0]),
    ),
];

fn generator() -> Generator {
    Generator::start(generator::program(), None)
}

/// The number of cases in which a wrong optimizer must be detected.
const ENOUGH: u64 = 200;

#[test]
fn a_wrong_optimizer_is_found_out() {
    for (what, wrong) in WRONG {
        let bench = Bench::new(*wrong, generator());
        let found = (0..ENOUGH).find(|seed| bench.case(*seed).difference.is_some());
        let found = found.unwrap_or_else(|| panic!("an optimizer that {what} goes unnoticed"));
        println!("an optimizer that {what}: found with seed {found}");
    }
}

/// A rule that makes a component from every program, even if the program exits with other codes,
/// for example.
#[test]
fn a_wrong_rule_for_preview_1_is_found_out() {
    let programs = generator();
    let mut bench = Bench::new(WRONG[0].1, generator());
    // The optimizer does nothing.
    bench.levels.clear();
    let mut differs = |kind: KindChoice, mut seeds: std::ops::Range<u64>| {
        bench.kind = kind;
        seeds.find(|seed| {
            let program = programs.program(Made::Command, *seed);
            let report = program.map(|it| bench.case_of(*seed, Made::Command, &it));
            report.is_some_and(|it| it.difference.is_some())
        })
    };
    let found = differs(KindChoice::Component, 0..ENOUGH);
    let found = found.expect("a rule that always makes components goes unnoticed");
    println!("a rule that always makes components: found with seed {found}");
    assert_eq!(differs(KindChoice::Auto, 0..found + 1), None);
}

#[test]
fn a_difference_becomes_smaller() {
    let (_, wrong) = WRONG[0];
    let bench = Bench::new(wrong, generator());
    let differs =
        |seed: u64, wasm: &[u8]| bench.case_of(seed, Made::Module, wasm).difference.is_some();
    let found = (0..ENOUGH).find(|seed| bench.case(*seed).difference.is_some());
    let seed = found.expect("a difference");
    let program = bench.program(seed).expect("a program");
    let differs = |wasm: &[u8]| differs(seed, wasm);
    let small = shrink(&program, &differs, Duration::from_secs(60));
    assert!(differs(&small));
    assert!(
        small.len() * 2 < program.len(),
        "{} of {}",
        small.len(),
        program.len()
    );
}

/// The module with a change, or as it is if there is nothing to change.
fn changed(module: &[u8], change: impl Fn(&Sections) -> Option<Sections>) -> Vec<u8> {
    let module = Sections::of(module);
    change(&module).unwrap_or(module).bytes()
}

/// One process that optimizes all modules has the same results as one process for each module in a
/// build.
#[test]
fn a_worker_for_many_modules_is_no_other_optimizer() {
    let agrees = Command::new(example("differential"))
        .arg(generator::program())
        .args(["", "agree", "0", "100"])
        .arg(edgec_tests::binary())
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&agrees.stdout);
    assert!(agrees.status.success(), "{seen}{agrees:?}");
    // The lines before it say what the process is doing, so that a crash can be located.
    let last = seen.lines().last().unwrap_or_default();
    let compared: usize = last.parse().unwrap_or_else(|_| panic!("{seen}"));
    assert!(compared > 80, "{compared}");
}
