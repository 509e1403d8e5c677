//! All benchmarks, compared with stock Wasmtime in the same run: `cargo bench -p edgec [NAME]...`.
//!
//! They are one program, because each would link the engine and the optimizer again. If several are
//! requested, each runs in a separate process, because some measure the memory of their process.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cloned_instead_of_copied,
    clippy::expect_used,
    clippy::manual_let_else,
    clippy::missing_errors_doc,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::redundant_closure_for_method_calls,
    clippy::semicolon_if_nothing_returned,
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise; the other lints are those of edgec-benches"
)]

mod audit;
mod cache;
mod digests;
mod flattened;
mod instances;
mod instructions;
mod lint;
mod load;
mod optimizer;
mod signatures;
mod size;
mod store;
mod targets;
mod verify;

use std::process::Command;

use edgec_benches::selected;

/// The arguments of `cargo bench`, and the benchmarks that they run. No name is a part of another
/// one.
const BENCHMARKS: [(&str, fn()); 13] = [
    ("audit", audit::run),
    ("cache", cache::run),
    ("flattened", flattened::run),
    ("instances", instances::run),
    ("instructions", instructions::run),
    ("lint", lint::run),
    ("load", load::run),
    ("optimizer", optimizer::run),
    ("signatures", signatures::run),
    ("size", size::run),
    ("store", store::run),
    ("targets", targets::run),
    ("verify", verify::run),
];

fn main() {
    if optimizer::worker() || targets::worker() || instructions::counted() || flattened::answered()
    {
        return;
    }
    let chosen: Vec<_> = BENCHMARKS
        .iter()
        .filter(|(name, _)| selected(name))
        .collect();
    if let [(_, run)] = chosen[..] {
        return run();
    }
    for (name, _) in chosen {
        let program = std::env::current_exe().unwrap();
        let status = Command::new(program).arg(name).status().unwrap();
        assert!(status.success(), "{name}: {status}");
    }
}
