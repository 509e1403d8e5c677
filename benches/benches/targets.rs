//! What levels of CPUs gain and cost: how fast programs that compute run at each level that this machine can run,
//! beside stock Wasmtime's code for this very machine; and what a build for all targets of tier 1 costs, beside stock
//! Wasmtime compiling for each of them alone.
//!
//! `cargo bench -p edgec-benches targets`

use std::time::{Duration, Instant};

use edgec_benches::{Contender, Guest, guests, medians, print, selected, workload};
use edgec_targets::{HostCpu, Target, Tier};
use edgec_tests::{Sandbox, stock};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// How often a build is measured: one takes long.
const ROUNDS: usize = 3;

fn main() {
    if !selected("targets") {
        return;
    }
    println!("medians of one run, in turns; the ratio is to the first line of each table\n");
    for guest in guests(&["rust-worker-p2", "c-minigzip", "c-quickjs"]) {
        speed(&guest);
    }
    for guest in guests(&["c-quickjs", "rust-http-proxy"]) {
        build(&guest);
    }
}

/// Run time by level.
fn speed(guest: &Guest) {
    let Some(work) = workload(&guest.name) else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("guest.wasm", guest.component.bytes());
    let engine = Engine::default();
    let native = Component::new(&engine, guest.component.bytes()).unwrap();
    let host = HostCpu::detect();
    let levels = || {
        let fits = |target: &&Target| target.fits(&host).is_ok();
        let level = |target: &&Target| target.id.starts_with(std::env::consts::ARCH);
        edgec_targets::all().filter(fits).filter(level)
    };
    let mut programs = vec![("stock, native", native)];
    for target in levels() {
        sandbox.build("guest.wasm", target.id, "guest.cwasm");
        let file = sandbox.path().join("guest.cwasm");
        programs.push((target.id, edgec_benches::deserialize(&engine, &file)));
    }
    let mut contenders: Vec<Contender<'_>> = programs
        .iter()
        .map(|(name, program)| {
            Contender::new(name, || {
                stock::run(&engine, program, work.arguments, &work.stdin);
            })
        })
        .collect();
    let times = medians(&mut contenders, Duration::from_secs(20));
    print(&guest.name, &contenders, &times);
    println!();
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
    for _ in 0..ROUNDS {
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
        "{:24} {} targets: edgec build {:.2} s, stock compiling for each {:.2} s, {:.2}x",
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
