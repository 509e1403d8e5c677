//! The gain and cost of CPU levels: how fast programs compute at each level that this machine can
//! run, compared with stock Wasmtime's code for this very machine; and what a build for all targets
//! of tier 1 costs, compared with stock Wasmtime compiling for each of them alone.
//!
//! `cargo bench -p edgec targets`

use std::process::Command;
use std::time::{Duration, Instant};

use edgec_benches::{Contender, Guest, guests, medians_of, workload};
use edgec_targets::{HostCpu, Target, Tier};
use edgec_tests::{Sandbox, stock};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// How often a build is measured. A build of a large program takes minutes.
const ROUNDS: usize = 3;
const LARGE: usize = 4 << 20;
/// How many processes measure run times. The same code can be up to a tenth faster or slower in
/// another process, where it lies at other addresses, for as long as the process lives.
const PROCESSES: usize = 9;
/// The first argument of a process that measures.
const MEASURE: &str = "__measure";

/// Measures, if this process was started for that. Returns whether it was.
pub(crate) fn worker() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != MEASURE) {
        return false;
    }
    let mut arguments = arguments.map(|argument| argument.into_string().unwrap());
    let guest = arguments.next().unwrap();
    measure(&guest, &arguments.collect::<Vec<_>>());
    true
}

pub(crate) fn run() {
    println!(
        "run times: medians of {PROCESSES} processes, in each of turns; ratios to stock of the same process, with the \
         smallest and the largest\n"
    );
    for guest in guests(&["rust-worker-p2", "c-minigzip", "c-quickjs"]) {
        speed(&guest);
    }
    println!("builds: medians, in turns\n");
    for guest in guests(&[
        "c-minigzip",
        "c-cmark",
        "c-quickjs",
        "rust-http-proxy",
        "js-http-proxy",
    ]) {
        build(&guest);
    }
}

/// Run times for each level.
fn speed(guest: &Guest) {
    if workload(&guest.name).is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("guest.wasm", guest.component.bytes());
    let native = Engine::default().precompile_component(guest.component.bytes());
    sandbox.write("stock", native.unwrap());
    let mut names = vec!["stock, native".to_owned(), "stock, once more".to_owned()];
    let mut files = vec!["stock".to_owned(), "stock".to_owned()];
    let mut add = |target: &str, level: &str| {
        let file = format!("{target}{level}.cwasm");
        let options = ["build", "-q", "guest.wasm", "-t", target, level];
        sandbox.ok(&[&options[..], &["--key", "key.pem", "-o", &file]].concat());
        names.push(format!("{target} {level}"));
        files.push(file);
    };
    let host = HostCpu::detect();
    let levels = edgec_targets::all().filter(|target| target.fits(&host).is_ok());
    for target in levels {
        if target.id.starts_with(std::env::consts::ARCH) {
            add(target.id, "-O1");
            // As in stock Wasmtime: without an optimizer.
            add(target.id, "-O0");
        }
    }
    let runs: Vec<Vec<f64>> = (0..PROCESSES)
        .map(|_| {
            let program = std::env::current_exe().unwrap();
            let mut child = Command::new(program);
            child.args([MEASURE, &guest.name]).args(&files);
            let output = child.current_dir(sandbox.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().map(|line| line.parse().unwrap()).collect()
        })
        .collect();
    for (place, name) in names.iter().enumerate() {
        let sorted = |value: &dyn Fn(&Vec<f64>) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(value).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let times = sorted(&|run| run[place]);
        let ratios = sorted(&|run| run[place] / run[0]);
        println!(
            "{:24} {name:24} {:>9.1} ms  {:>5.3}x  ({:.2} to {:.2})",
            guest.name,
            times[PROCESSES / 2],
            ratios[PROCESSES / 2],
            ratios[0],
            ratios[PROCESSES - 1]
        );
    }
    println!();
}

/// Loads images and runs them in turns. Prints medians in milliseconds.
fn measure(guest: &str, files: &[String]) {
    let engine = Engine::default();
    let work = workload(guest).unwrap();
    let programs: Vec<Component> = files
        .iter()
        .map(|file| edgec_benches::deserialize(&engine, file.as_ref()))
        .collect();
    let mut contenders: Vec<Contender<'_>> = programs
        .iter()
        .map(|program| {
            Contender::new("", || {
                stock::run(&engine, program, work.arguments, &work.stdin);
            })
        })
        .collect();
    for time in medians_of(&mut contenders, Duration::from_secs(2), 5) {
        println!("{}", time.as_secs_f64() * 1e3);
    }
}

/// The cost of a build for all targets of tier 1, signed and verified, with the real binary.
fn build(guest: &Guest) {
    let sandbox = Sandbox::new();
    sandbox.write("guest.wasm", guest.component.bytes());
    let targets: Vec<&Target> = edgec_targets::all()
        .filter(|target| target.tier == Tier::Executed)
        .collect();
    let ids: Vec<&str> = targets.iter().map(|target| target.id).collect();
    let ids = ids.join(",");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let rounds = match guest.component.bytes().len() {
        LARGE.. => 1,
        _ => ROUNDS,
    };
    for _ in 0..rounds {
        ours.push(took(|| {
            sandbox.ok(&[
                "build",
                "-q",
                "guest.wasm",
                "-t",
                &ids,
                "--key",
                "key.pem",
                "-o",
                "out",
            ]);
        }));
        theirs.push(took(|| {
            targets
                .iter()
                .for_each(|target| compile_as_stock(guest, target));
        }));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "{:24} {rounds} times, {} targets: edgec build {:.2} s, stock compiling for each {:.2} s, {:.2}x",
        guest.name,
        targets.len(),
        ours.as_secs_f64(),
        theirs.as_secs_f64(),
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
}

#[expect(unsafe_code, reason = "CPU features have no other setter")]
fn compile_as_stock(guest: &Guest, target: &Target) {
    let mut config = Config::new();
    config.target(target.triple()).unwrap();
    for feature in target.features {
        // SAFETY: the flags only say which instructions may be used; the code is never run.
        unsafe {
            config.cranelift_flag_enable(feature.cranelift_flag);
        }
    }
    let engine = Engine::new(&config).unwrap();
    engine
        .precompile_component(guest.component.bytes())
        .unwrap();
}

fn took(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
