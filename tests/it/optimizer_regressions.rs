//! Small programs that an optimizer once changed. At every level, each behaves as without the
//! optimizer.
//!
//! They run like the programs of the differential generator, with several hosts, in the processes
//! that a build starts.

use edgec_compiler::{Optimizer, Runs};
use edgec_tests::differential::case::{Bench, Made};
use edgec_tests::differential::generator::{self, Generator};

/// The subject of each program, and its text.
const CASES: &[(&str, &str)] = &[(
    "a passive segment of functions beside an active one, which Binaryen refuses without \
     reference types",
    r#"(module
        (table $t 4 funcref)
        (elem (table $t) (i32.const 0) func $one)
        (elem $later func $one $two)
        (func $one (result i32) (i32.add (i32.const 0) (i32.const 1)))
        (func $two (result i32) (i32.mul (i32.const 1) (i32.const 2)))
        (func (export "run") (param i32) (result i32)
            (call_indirect (result i32) (i32.and (local.get 0) (i32.const 3)))))"#,
)];

#[test]
fn what_was_found_does_not_come_back() {
    let generator = Generator::start(generator::program(), None);
    let mut bench = Bench::new(|_, _| unreachable!("there are processes"), generator);
    bench.optimizer = Optimizer {
        program: edgec_tests::binary().to_owned(),
        arguments: vec!["__wasm-opt".into(), "8589934592".into()],
        runs: Runs::InProcesses,
        answers: None,
        ..bench.optimizer.clone()
    };
    for (what, text) in CASES {
        let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{what}: {error}"));
        for host in 0..4 {
            let report = bench.case_of(host, Made::Module, &wasm);
            assert_eq!(report.skipped, None, "{what}");
            assert!(report.difference.is_none(), "{what}: {report:#?}");
            // `-O1` leaves a module of which it gains nothing.
            let mut kept = report.kept.keys();
            let fails = |why: &String| !why.starts_with("-O1 would gain little");
            assert!(!kept.any(fails), "{what}: {report:#?}");
            assert!(report.compared > 0, "{what}: {report:#?}");
        }
    }
}
