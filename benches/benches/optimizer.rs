//! The cost and gain of each optimizer level: build time, sizes, load time, run time.
//!
//! `cargo bench -p edgec optimizer`

use std::ffi::OsString;
use std::time::{Duration, Instant};

use edgec_benches::{Contender, Workload, guests, medians, workload};
use edgec_compiler::{BINARYEN_VERSION, EngineProfile, Level, Optimizer, optimize, precompile};
use edgec_tests::stock;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The first argument of a worker process. It is this program, as it is `edgec` in a build.
const WORKER: &str = "__wasm-opt";

/// Optimizes, if this process was started as a worker. Returns whether it was.
pub(crate) fn worker() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != WORKER) {
        return false;
    }
    if let Err(message) = edgec_compiler::optimizer_worker(arguments) {
        println!("{message}");
        std::process::exit(1);
    }
    true
}

pub(crate) fn run() {
    let optimizer = Optimizer {
        program: std::env::current_exe().unwrap(),
        arguments: vec![OsString::from(WORKER), OsString::from("8589934592")],
        tool: edgec_compiler::Tool::Binaryen,
        version: BINARYEN_VERSION.to_owned(),
        timeout: Duration::from_secs(600),
        memory: 8 << 30,
        reads: edgec_compiler::Reads::Binaryen116,
        spared: Default::default(),
        runs: edgec_compiler::Runs::InProcesses,
        answers: None,
    };
    let names = [
        "rust-worker-p2",
        "c-minigzip",
        "c-quickjs",
        "c-cmark",
        "rust-http-proxy",
        "js-http-proxy",
    ];
    println!(
        "{:16} {:>3} {:>10} {:>11} {:>10} {:>11} {:>9} {:>9}",
        "guest", "-O", "optimize", "wasm", "compile", "image", "load", "run"
    );
    let target = edgec_targets::find(std::env::consts::ARCH).unwrap();
    for guest in guests(&names) {
        for level in [
            Level::O0,
            Level::O1,
            Level::O2,
            Level::O3,
            Level::Os,
            Level::Oz,
        ] {
            let begin = Instant::now();
            let optimized =
                optimize(guest.component.clone(), level, &optimizer, |_, _| {}).unwrap();
            let optimizing = begin.elapsed();
            let begin = Instant::now();
            let image = precompile(&optimized.component, target, EngineProfile::Default).unwrap();
            let compiling = begin.elapsed();
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), image.bytes()).unwrap();
            let engine = Engine::default();
            let mut loading = [Contender::new("load", || deserialize(&engine, file.path()))];
            let load = medians(&mut loading, Duration::from_millis(500));
            let run = workload(&guest.name).map(|work| run_time(file.path(), &work));
            println!(
                "{:16} {:>3} {:>8.2} s {:>11} {:>8.2} s {:>11} {:>6.0} us {}",
                guest.name,
                level.name(),
                optimizing.as_secs_f64(),
                optimized.component.bytes().len(),
                compiling.as_secs_f64(),
                image.bytes().len(),
                load[0].as_secs_f64() * 1e6,
                run.map_or("-".to_owned(), |run| format!(
                    "{:6.0} ms",
                    run.as_secs_f64() * 1e3
                )),
            );
        }
    }
}

fn run_time(artifact: &std::path::Path, work: &Workload) -> Duration {
    let mut contenders = [Contender::new("run", || {
        stock::load_and_run(artifact, work.arguments, &work.stdin);
    })];
    medians(&mut contenders, Duration::from_secs(1))[0]
}

#[expect(unsafe_code, reason = "the engine's own loading is what is measured")]
fn deserialize(engine: &Engine, path: &std::path::Path) {
    // SAFETY: this process compiled the file, and nothing else writes it.
    unsafe { Component::deserialize_file(engine, path) }.unwrap();
}
