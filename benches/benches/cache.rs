//! Builds with and without the build cache: an empty cache, a program that did not change, and one
//! whose data changed. If `EDGEC_REDIS` or `EDGEC_S3` has the URL of a shared cache, also a second
//! machine: an empty folder, and a shared cache that another machine has filled.
//!
//! If `EDGEC_WASMTIME` names the program `wasmtime`, stock Wasmtime is beside them. If
//! `EDGEC_COMPONENTS` names a folder with two components on the same engine, one is built after the
//! other.
//!
//! `cargo bench -p edgec cache`

use std::process::Command;
use std::time::{Duration, Instant};

use edgec_benches::{Contender, guests, made, print};
use edgec_tests::Sandbox;
use wasmparser::{Operator, Parser, Payload};

/// How often each build is measured; a large program takes seconds.
fn rounds(program: &[u8]) -> usize {
    match program.len() {
        0..LARGE => 5,
        _ => 3,
    }
}

/// The length of a large program, in bytes.
const LARGE: usize = 4 << 20;

pub(crate) fn run() {
    println!("medians, in turns; the ratio is to the first line of each table\n");
    for guest in guests(&["rust-http-proxy", "js-http-proxy"]) {
        let (name, program) = (&guest.name, guest.component.bytes());
        for (targets, level) in [
            ("x86_64,aarch64", "-O0"),
            ("x86_64", "-O0"),
            ("x86_64", "-O1"),
        ] {
            one_machine(name, program, targets, level);
        }
        both_targets(name, program);
    }
    if let [one, other] = &made()[..] {
        another_program(one.component.bytes(), other.component.bytes());
    } else {
        println!("EDGEC_COMPONENTS names no folder with two components: not measured\n");
    }
    for (variable, named) in [("EDGEC_REDIS", "Redis"), ("EDGEC_S3", "S3")] {
        match std::env::var(variable) {
            Ok(url) => second_machine(named, &url),
            Err(_) => println!("{variable} names no server: nothing of {named} is measured\n"),
        }
    }
}

/// A machine on which builds are measured.
struct Machine {
    sandbox: Sandbox,
    targets: &'static str,
    level: &'static str,
}

impl Machine {
    fn new(targets: &'static str, level: &'static str) -> Self {
        let sandbox = Sandbox::new();
        Self {
            sandbox,
            targets,
            level,
        }
    }

    /// The time of a build with these options.
    fn build(&self, program: &[u8], options: &[&str]) -> Duration {
        self.sandbox.write("guest.wasm", program);
        let build = ["build", "guest.wasm", "-q", "-t", self.targets, self.level];
        let signed = ["--key", "key.pem", "-o", "out/"];
        let begin = Instant::now();
        self.sandbox.ok(&[&build[..], &signed, options].concat());
        begin.elapsed()
    }

    /// The time in which stock Wasmtime compiles a program for the first target, if
    /// `EDGEC_WASMTIME` names its program.
    fn stock(&self, program: &[u8]) -> Option<Duration> {
        let stock = std::env::var_os("EDGEC_WASMTIME")?;
        let triple = match self.targets.starts_with("x86_64") {
            true => "x86_64-unknown-linux-gnu",
            false => "aarch64-unknown-linux-gnu",
        };
        self.sandbox.write("guest.wasm", program);
        let mut command = Command::new(stock);
        command
            .args(["compile", "-C", "cache=n", "--target", triple])
            .args(["guest.wasm", "-o", "stock.cwasm"])
            .current_dir(self.sandbox.path());
        let begin = Instant::now();
        assert!(command.status().unwrap().success(), "stock compiles");
        Some(begin.elapsed())
    }

    fn forget(&self, cache: &str) {
        std::fs::remove_dir_all(self.sandbox.path().join(cache)).unwrap();
    }
}

/// Builds on one machine: without a cache, with an empty one, and with a full one.
fn one_machine(name: &str, program: &[u8], targets: &'static str, level: &'static str) {
    let machine = Machine::new(targets, level);
    let mut table = Table::default();
    for _ in 0..rounds(program) {
        let cache = ["--cache", "cache"];
        if let Some(time) = machine.stock(program).filter(|_| !targets.contains(',')) {
            table.add("stock Wasmtime compiles it", time);
        }
        table.add("no cache", machine.build(program, &["--no-cache"]));
        table.add("empty cache", machine.build(program, &cache));
        table.add("nothing changed", machine.build(program, &cache));
        let edited = edited(program);
        table.add("data changed", machine.build(&edited, &cache));
        if let Some(changed) = with_another_function(program) {
            table.add("function changed", machine.build(&changed, &cache));
        }
        machine.forget("cache");
    }
    table.print(&format!("{name} {level} {targets}"));
}

/// Two targets at once, beside each alone.
fn both_targets(name: &str, program: &[u8]) {
    let [both, one, other] =
        ["x86_64,aarch64", "x86_64", "aarch64"].map(|targets| Machine::new(targets, "-O0"));
    let mut table = Table::default();
    for _ in 0..rounds(program) {
        let options = ["--no-cache"];
        let alone = one.build(program, &options) + other.build(program, &options);
        table.add("each target alone, in sum", alone);
        table.add("both targets at once", both.build(program, &options));
    }
    table.print(&format!("{name} -O0, two targets"));
}

/// A program after another one that runs on the same engine, with the cache that the other one
/// has filled.
fn another_program(one: &[u8], other: &[u8]) {
    for level in ["-O0", "-O1", "-O2"] {
        let machine = Machine::new("x86_64", level);
        let mut table = Table::default();
        for _ in 0..rounds(other) {
            table.add("no cache", machine.build(other, &["--no-cache"]));
            machine.build(one, &["--cache", "cache"]);
            let after = machine.build(other, &["--cache", "cache"]);
            table.add("after a program on the same engine", after);
            machine.forget("cache");
        }
        table.print(&format!("another program, {level} x86_64"));
    }
}

/// The times of contenders, in the order of their first appearance.
#[derive(Default)]
struct Table(Vec<(&'static str, Vec<Duration>)>);

impl Table {
    fn add(&mut self, name: &'static str, time: Duration) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(time),
            None => self.0.push((name, vec![time])),
        }
    }

    fn print(mut self, title: &str) {
        let medians: Vec<Duration> = self.0.iter_mut().map(|(_, times)| median(times)).collect();
        let names = self.0.iter().map(|(name, _)| Contender::new(name, || {}));
        print(title, &names.collect::<Vec<_>>(), &medians);
        println!();
    }
}

/// A build without a cache, that of the first machine, which fills the store, and those of a second
/// one with an empty folder: of the same input, and of one with another function.
fn second_machine(named: &str, url: &str) {
    for guest in guests(&["rust-http-proxy", "js-http-proxy"]) {
        for level in ["-O0", "-O1"] {
            let machine = Machine::new("x86_64,aarch64", level);
            machine.sandbox.ok(&["keygen", "-o", "cache.pem"]);
            let program = guest.component.bytes().to_vec();
            let Some(changed) = with_another_function(&program) else {
                continue;
            };
            let mut table = Table::default();
            for round in 0..rounds(&program) {
                // Nothing of earlier rounds, and of earlier runs, is in this project.
                let scope = format!("{}-{round}", std::process::id());
                let namespace = format!("bench-{scope}");
                let shared = ["--cache", "cache", "--cache", url, "--cache-scope", &scope];
                let trust = ["--cache-trust", "cache.pub.pem", "--cache-deadline", "60"];
                let namespace = ["--cache-namespace", &namespace];
                let read = [&shared[..], &trust, &namespace].concat();
                let write = [&read[..], &["--cache-write", "--cache-key", "cache.pem"]].concat();
                let build = |program: &[u8], options: &[&str]| {
                    let time = machine.build(program, options);
                    machine.forget("cache");
                    time
                };
                table.add("no cache", machine.build(&program, &["--no-cache"]));
                table.add("first machine, filling it", build(&program, &write));
                table.add("second machine, same input", build(&program, &read));
                table.add("second machine, a function changed", build(&changed, &read));
            }
            table.print(&format!("{named}: {} {level} x86_64,aarch64", guest.name));
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The program with another byte in the middle of its longest data segment.
fn edited(program: &[u8]) -> Vec<u8> {
    let mut longest = 0..0;
    for payload in Parser::new(0).parse_all(program) {
        if let Payload::DataSection(section) = payload.expect("a program") {
            for segment in section {
                let segment = segment.expect("a segment");
                let start = segment.range.end - segment.data.len();
                if segment.data.len() > longest.len() {
                    longest = start..segment.range.end;
                }
            }
        }
    }
    let mut edited = program.to_vec();
    if !longest.is_empty() {
        edited[longest.start + longest.len() / 2] ^= 1;
    }
    edited
}

/// The program with another constant in the first function that has one of three bytes or more,
/// such as an address. The code keeps its length.
fn with_another_function(program: &[u8]) -> Option<Vec<u8>> {
    let bodies =
        Parser::new(0)
            .parse_all(program)
            .filter_map(|payload| match payload.expect("a program") {
                Payload::CodeSectionEntry(body) => Some(body),
                _ => None,
            });
    let constants = bodies.flat_map(|body| {
        let operators = body.get_operators_reader().expect("operators");
        let operators = operators.into_iter_with_offsets();
        operators.filter_map(|operator| match operator.expect("an operator") {
            (Operator::I32Const { value }, place) if value > 1 << 14 => Some(place),
            _ => None,
        })
    });
    let place = constants.into_iter().next()?;
    let mut changed = program.to_vec();
    // The lowest bit of the number.
    changed[place + 1] ^= 1;
    Some(changed)
}
