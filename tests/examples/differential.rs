//! Runs cases of the differential generator: many for `tests/it/differential.rs`, or one by hand.
//!
//! `differential GENERATOR SUITES work FIRST END [SEED:LEVEL]...` runs many cases. `... agree FIRST
//! END EDGEC` compares this process as an optimizer with the processes that edgec starts. To run
//! one by hand, in the folder where cargo runs it:
//!
//! - `differential one SEED [SUITES]` runs one case, prints the report, and writes `SEED.wasm`;
//! - `differential shrink SEED [SUITES]` writes a small program that still differs, and prints the
//!   passes that cause this;
//! - `differential passes FILE SEED PASS...` compares a module with the result of passes of
//!   `wasm-opt`, such as `--vacuum`.

use std::path::Path;
use std::time::Duration;

use edgec_compiler::Level;
use edgec_tests::differential::case::{Bench, Made};
use edgec_tests::differential::generator::{self, Generator};
use edgec_tests::differential::shrink::shrink;
use edgec_tests::differential::worker;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = |generator: &Path, suites: &str| {
        let suites = Some(Path::new(suites)).filter(|path| !path.as_os_str().is_empty());
        worker::bench(folder.path(), Generator::start(generator, suites))
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match arguments.as_slice() {
        [generator, suites, "work", first, end, without @ ..] => {
            let without = without.iter().map(|text| {
                let (seed, level) = text.split_once(':').expect("SEED:LEVEL");
                let mut levels = Level::ALL.into_iter();
                let level = levels.find(|one| one.name() == level).expect("a level");
                (number(seed), level)
            });
            let bench = bench(Path::new(generator), suites);
            worker::work(&bench, number(first), number(end), without);
        }
        [generator, suites, "agree", first, end, edgec] => {
            let bench = bench(Path::new(generator), suites);
            let seeds = number(first)..number(end);
            println!("{}", worker::agree(&bench, Path::new(edgec), seeds));
        }
        ["one", seed, suites @ ..] => {
            let bench = bench(generator::program(), suites.first().unwrap_or(&""));
            let seed = number(seed);
            if let Some(program) = bench.program(seed) {
                std::fs::write(format!("{seed}.wasm"), program).expect("a file");
            }
            println!("{:#?}", bench.case(seed));
        }
        ["shrink", seed, suites @ ..] => {
            let mut bench = bench(generator::program(), suites.first().unwrap_or(&""));
            let seed = number(seed);
            let program = bench.program(seed).expect("a program");
            let small = smaller(&mut bench, seed, &program);
            std::fs::write(format!("{seed}.small.wasm"), small).expect("a file");
        }
        ["passes", file, seed, passes @ ..] => {
            let bench = bench(generator::program(), "");
            worker::only(passes);
            let program = std::fs::read(file).expect("a module");
            println!("{:#?}", bench.case_of(number(seed), Made::Module, &program));
        }
        _ => panic!("differential one|shrink|passes; see the source"),
    }
}

/// Returns a small program that still differs. Prints the difference, and the passes that cause it.
fn smaller(bench: &mut Bench, seed: u64, program: &[u8]) -> Vec<u8> {
    let made = bench.made(seed);
    let difference = bench.case_of(seed, made, program).difference;
    let difference = difference.expect("a program that differs");
    let differs_at = |level: &Level| difference.levels.split(", ").any(|it| it == level.name());
    bench.levels.retain(differs_at);
    bench.levels.truncate(1);
    let differs = |wasm: &[u8]| bench.case_of(seed, made, wasm).difference.is_some();
    let small = shrink(program, &differs, Duration::from_secs(120));
    println!("{:#?}", bench.case_of(seed, made, &small));
    let mut passes = worker::last();
    let mut place = 0;
    while place < passes.len() {
        let mut fewer = passes.clone();
        // An option together with its value.
        let with_value = !fewer[place].starts_with("--");
        fewer.drain(place..=place + usize::from(with_value));
        worker::only(&fewer);
        match !fewer.is_empty() && differs(&small) {
            true => passes = fewer,
            false => place += 1 + usize::from(with_value),
        }
    }
    println!("{}", passes.join(" "));
    small
}
