//! Runs cases of component graphs: many for `tests/it/graphs.rs`, or one by hand.
//!
//! `graphs work FIRST END` runs many cases. To run one by hand:
//!
//! - `graphs one SEED` runs one case, prints the report, and writes `SEED.wat`;
//! - `graphs shrink SEED` writes `SEED.small.wat`, a smaller component that still differs;
//! - `graphs file FILE SEED` runs a component of a file, with the calls of a seed, and prints its
//!   behaviour;
//! - `graphs interpret FIRST END` runs many cases in the interpreter of the fuzz target, which is
//!   quick, and stops at the first difference.

use std::time::Duration;

use edgec_tests::graphs::behaviour::{self, Traps, behaviour};
use edgec_tests::graphs::case::Bench;
use edgec_tests::graphs::shrink::{shrink, tape};
use edgec_tests::graphs::{batch, pass};
use wasmtime::component::Component;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let bench = Bench::new(pass::flatten);
    match arguments.as_slice() {
        ["work", first, end] => batch::work(&bench, number(first), number(end)),
        ["one", seed] => {
            let text = Bench::text(number(seed));
            std::fs::write(format!("{seed}.wat"), text).expect("a file");
            println!("{:#?}", bench.case(number(seed)));
        }
        ["shrink", seed] => {
            let seed = number(seed);
            let differs = |text: &str| bench.case_of(seed, text).difference.is_some();
            let small = shrink(tape(seed), &differs, Duration::from_secs(300));
            println!("{:#?}", bench.case_of(seed, &small));
            std::fs::write(format!("{seed}.small.wat"), small).expect("a file");
        }
        ["interpret", first, end] => {
            for seed in number(first)..number(end) {
                let tape = tape(seed).into_iter().map(u8::try_from);
                let tape: Vec<u8> = tape.collect::<Result<_, _>>().expect("small decisions");
                println!("{seed}");
                edgec_fuzz::flatten(&tape);
            }
        }
        ["file", file, seed] => {
            let text = std::fs::read_to_string(file).expect("a file");
            let seed = number(seed);
            println!("{:#?}", bench.case_of(seed, &text));
            let engine = behaviour::engine();
            let component = Component::new(&engine, text).expect("a component");
            let seen = behaviour(&component, seed, Traps::Each).expect("known imports");
            println!("{}", seen.lines().join("\n"));
        }
        _ => panic!("graphs one|shrink|file|interpret; see the source"),
    }
}
