//! Builds with and without the build cache: an empty cache, a program that did not change, and one
//! whose data changed.
//!
//! `cargo bench -p edgec cache`

use std::time::{Duration, Instant};

use edgec_benches::{Contender, guests, print};
use edgec_tests::Sandbox;

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
