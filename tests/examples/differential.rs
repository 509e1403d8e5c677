//! Does cases of the differential generator: the process behind `tests/it/differential.rs`, and one case by hand.
//!
//! `differential work FIRST END STEP SUITES [SEED:LEVEL]...` does many; `differential one SEED [SUITES]` does one, says what
//! came of it, and writes `SEED.wasm`; `differential shrink SEED [SUITES]` writes a small one that differs. `differential
//! passes FILE SEED PASS...` compares a module with what single passes of `wasm-opt` make of it, such as `--vacuum`.
//! `differential agree FIRST END EDGEC` compares this process as an optimizer with those that edgec starts.

use std::path::Path;

use edgec_compiler::Level;
use edgec_tests::differential::case::Made;
use edgec_tests::differential::{shrink, worker};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = |suites: &str| {
        let suites = Some(Path::new(suites)).filter(|path| !path.as_os_str().is_empty());
        worker::bench(folder.path(), suites)
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match arguments.as_slice() {
        ["work", first, end, step, suites, without @ ..] => {
            let without = without.iter().map(|text| {
                let (seed, level) = text.split_once(':').expect("SEED:LEVEL");
                let mut levels = Level::ALL.into_iter();
                let level = levels.find(|one| one.name() == level).expect("a level");
                (number(seed), level)
            });
            let step = number(step).try_into().expect("a small number");
            worker::work(&bench(suites), number(first), number(end), step, without);
        }
        ["one", seed, suites @ ..] => {
            let bench = bench(suites.first().unwrap_or(&""));
            let seed = number(seed);
            if let Some(program) = bench.program(seed) {
                std::fs::write(format!("{seed}.wasm"), program).expect("a file");
            }
            println!("{:#?}", bench.case(seed));
        }
        ["shrink", seed, suites @ ..] => {
            let bench = bench(suites.first().unwrap_or(&""));
            let seed = number(seed);
            let program = bench.program(seed).expect("a program");
            let made = bench.made(seed);
            let differs = |wasm: &[u8]| bench.case_of(seed, made, wasm).difference.is_some();
            let small = shrink::shrink(&program, &differs, std::time::Duration::from_secs(120));
            println!("{:#?}", bench.case_of(seed, made, &small));
            std::fs::write(format!("{seed}.small.wasm"), small).expect("a file");
        }
        ["passes", file, seed, passes @ ..] => {
            let bench = bench("");
            worker::only(passes);
            let program = std::fs::read(file).expect("a module");
            println!("{:#?}", bench.case_of(number(seed), Made::Module, &program));
        }
        ["agree", first, end, edgec] => {
            let seeds = number(first)..number(end);
            println!("{}", worker::agree(&bench(""), Path::new(edgec), seeds));
        }
        _ => panic!("differential work|one|shrink|passes|agree; see the source"),
    }
}
