//! Builds with and without the build cache: an empty cache, a program that did not change, and one
//! whose data changed. If `EDGEC_REDIS` or `EDGEC_S3` has the URL of a shared cache, also a second
//! machine: an empty folder, and a shared cache that another machine has filled.
//!
//! `cargo bench -p edgec cache`

use std::time::{Duration, Instant};

use edgec_benches::{Contender, guests, print};
use edgec_tests::Sandbox;
use wasmparser::{Operator, Parser, Payload};

/// How often each build is measured.
const ROUNDS: usize = 5;

pub(crate) fn run() {
    println!(
        "medians of {ROUNDS} rounds, in turns; the ratio is to the first line of each table\n"
    );
    for guest in guests(&["rust-http-proxy", "js-http-proxy"]) {
        for (targets, level) in [("x86_64,aarch64", "-O0"), ("x86_64", "-O1")] {
            let sandbox = Sandbox::new();
            let program = guest.component.bytes().to_vec();
            let mut series = vec![Vec::new(); 4];
            for round in 0..ROUNDS {
                let cache = format!("cache{round}");
                let build = |bytes: &[u8], cache: &[&str]| {
                    sandbox.write("guest.wasm", bytes);
                    let build = ["build", "guest.wasm", "-q", "-t", targets, level];
                    let signed = ["--key", "key.pem", "-o", "out/"];
                    let begin = Instant::now();
                    sandbox.ok(&[&build[..], &signed, cache].concat());
                    begin.elapsed()
                };
                let with = ["--cache", &cache];
                let times = [
                    build(&program, &["--no-cache"]),
                    build(&program, &with),
                    build(&program, &with),
                    build(&edited(&program), &with),
                ];
                for (times, time) in series.iter_mut().zip(times) {
                    times.push(time);
                }
                std::fs::remove_dir_all(sandbox.path().join(&cache)).unwrap();
            }
            let medians: Vec<Duration> = series.iter_mut().map(|times| median(times)).collect();
            let named = ["no cache", "empty cache", "nothing changed", "data changed"];
            let contenders = named.map(|name| Contender::new(name, || {}));
            print(
                &format!("{} {level} {targets}", guest.name),
                &contenders,
                &medians,
            );
            println!();
        }
    }
    for (variable, named) in [("EDGEC_REDIS", "Redis"), ("EDGEC_S3", "S3")] {
        match std::env::var(variable) {
            Ok(url) => second_machine(named, &url),
            Err(_) => println!("{variable} names no server: nothing of {named} is measured\n"),
        }
    }
}

/// A build without a cache, that of the first machine, which fills the store, and those of a second
/// one with an empty folder: of the same input, and of one with another function.
fn second_machine(named: &str, url: &str) {
    for guest in guests(&["rust-http-proxy", "js-http-proxy"]) {
        for level in ["-O0", "-O1"] {
            let sandbox = Sandbox::new();
            sandbox.ok(&["keygen", "-o", "cache.pem"]);
            let program = guest.component.bytes().to_vec();
            let changed = with_another_function(&program);
            let mut series = vec![Vec::new(); 4];
            for round in 0..ROUNDS {
                // Nothing of earlier rounds, and of earlier runs, is in this project.
                let scope = format!("{}-{round}", std::process::id());
                let build = |bytes: &[u8], cache: &[&str]| {
                    sandbox.write("guest.wasm", bytes);
                    let build = ["build", "guest.wasm", "-q", "-t", "x86_64,aarch64", level];
                    let signed = ["--key", "key.pem", "-o", "out/"];
                    let begin = Instant::now();
                    sandbox.ok(&[&build[..], &signed, cache].concat());
                    let time = begin.elapsed();
                    let _ = std::fs::remove_dir_all(sandbox.path().join("cache"));
                    time
                };
                let namespace = format!("bench-{scope}");
                let shared = ["--cache", "cache", "--cache", url, "--cache-scope", &scope];
                let trust = ["--cache-trust", "cache.pub.pem", "--cache-deadline", "60"];
                let namespace = ["--cache-namespace", &namespace];
                let read = [&shared[..], &trust, &namespace].concat();
                let write = [&read[..], &["--cache-write", "--cache-key", "cache.pem"]].concat();
                let times = [
                    build(&program, &["--no-cache"]),
                    build(&program, &write),
                    build(&program, &read),
                    build(&changed, &read),
                ];
                for (times, time) in series.iter_mut().zip(times) {
                    times.push(time);
                }
            }
            let medians: Vec<Duration> = series.iter_mut().map(|times| median(times)).collect();
            let contenders = [
                "no cache",
                "first machine, filling it",
                "second machine, same input",
                "second machine, a function changed",
            ];
            let contenders = contenders.map(|name| Contender::new(name, || {}));
            let title = format!("{named}: {} {level} x86_64,aarch64", guest.name);
            print(&title, &contenders, &medians);
            println!();
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The program with another byte near the end of its last text.
fn edited(program: &[u8]) -> Vec<u8> {
    let text = b"const ";
    let found = program.windows(text.len()).rposition(|part| part == text);
    let found = found.or_else(|| program.windows(4).rposition(|part| part == b"http"));
    let mut edited = program.to_vec();
    if let Some(place) = found {
        edited[place] ^= 1;
    }
    edited
}

/// The program with another constant in the first function that has one of three bytes or more, such
/// as an address. The code keeps its length.
fn with_another_function(program: &[u8]) -> Vec<u8> {
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
    let place = constants.into_iter().next().expect("a long constant");
    let mut changed = program.to_vec();
    // The lowest bit of the number.
    changed[place + 1] ^= 1;
    changed
}
