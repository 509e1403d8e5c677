//! Runs many cases, in as many processes as there are processors.
//!
//! If a process dies in the optimizer, one level of one case is skipped: a build would not optimize
//! that program. The next process goes on from there. If a process dies elsewhere, this is a
//! finding.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use edgec_compiler::Level;
use serde_json::Value;

use super::worker::{BEGINS, ENDS, OPTIMIZED, OPTIMIZES};

/// How long a process may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The results of many cases.
#[derive(Default)]
pub struct Totals {
    /// The number of cases of each kind.
    pub cases: BTreeMap<String, usize>,
    /// The number of cases in which nothing was compared, by the reason.
    pub skipped: BTreeMap<String, usize>,
    /// How many optimized programs were compared with the originals.
    pub compared: usize,
    /// How many of those comparisons ended early.
    pub cut_short: usize,
    /// The number of programs that were not optimized, by the reason.
    pub kept: BTreeMap<String, usize>,
    /// The number of calls that unoptimized programs answered.
    pub calls: usize,
    /// The number of programs that were not instantiated, because a segment did not fit or the
    /// start function failed.
    pub not_started: usize,
    /// The number of programs that ran beside stock Wasmtime.
    pub whole: usize,
    /// The seeds of cases that differed, with the difference.
    pub differences: Vec<(u64, String)>,
}

/// Runs `cases` cases, starting with the seed `first`. `worker` is the program that runs them; see
/// `tests/examples/differential.rs`.
pub fn run(
    worker: &Path,
    generator: &Path,
    first: u64,
    cases: u64,
    suites: Option<&Path>,
) -> Totals {
    let processes = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    // Consecutive seeds, because every n-th seed would give all programs of a kind to one process.
    let begin = |number| first + cases * number / processes;
    let one = |number| {
        let mut lane = Lane {
            worker,
            generator,
            suites,
            next: begin(number),
            end: begin(number + 1),
            without: Vec::new(),
            totals: Totals::default(),
        };
        while lane.next < lane.end {
            lane.process();
        }
        lane.totals
    };
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..processes)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        for lane in lanes {
            totals.add(lane.join().expect("no panic"));
        }
    });
    totals.differences.sort();
    totals
}

/// Consecutive cases, in one process after the other.
struct Lane<'a> {
    worker: &'a Path,
    generator: &'a Path,
    suites: Option<&'a Path>,
    next: u64,
    end: u64,
    without: Vec<(u64, Level)>,
    totals: Totals,
}

impl Lane<'_> {
    /// Starts a process, and reads its output until it ends.
    fn process(&mut self) {
        let mut command = Command::new(self.worker);
        command.arg(self.generator);
        command.arg(self.suites.unwrap_or(Path::new("")));
        command.args(["work", &self.next.to_string(), &self.end.to_string()]);
        let without = self.without.iter().filter(|(seed, _)| *seed == self.next);
        command.args(without.map(|(seed, level)| format!("{seed}:{}", level.name())));
        // One thread, because every processor already has its process.
        command.env("BINARYEN_CORES", "1");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the worker can be started");
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut optimizes = None;
        while let Ok(line) = lines.recv_timeout(SILENCE) {
            match line.split_once(' ').unwrap_or((&line, "")) {
                (BEGINS, seed) => self.next = seed.parse().expect("a seed"),
                (OPTIMIZES, name) => optimizes = level(name),
                (OPTIMIZED, _) => optimizes = None,
                (ENDS, report) => {
                    self.totals.report(self.next, report);
                    self.next += 1;
                }
                // Output of Binaryen itself.
                _ => {}
            }
        }
        let _ = child.kill();
        let status = child.wait().expect("a process of ours");
        reader.join().expect("no panic");
        if self.next >= self.end {
            return;
        }
        match optimizes {
            Some(level) => self.without.push((self.next, level)),
            None => {
                let what = format!("the process died outside of the optimizer: {status}");
                self.totals.differences.push((self.next, what));
                self.next += 1;
            }
        }
    }
}

fn level(name: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.name() == name)
}

impl Totals {
    fn report(&mut self, seed: u64, line: &str) {
        let report: Value = serde_json::from_str(line).expect("a report");
        let number = |name: &str| report[name].as_u64().expect("a number") as usize;
        let made = report["made"].as_str().expect("a name").to_owned();
        *self.cases.entry(made).or_default() += 1;
        if let Some(why) = report["skipped"].as_str() {
            *self.skipped.entry(why.to_owned()).or_default() += 1;
            return;
        }
        self.compared += number("compared");
        self.cut_short += number("cutShort");
        self.calls += number("calls");
        self.not_started += usize::from(report["started"] == false);
        self.whole += usize::from(report["whole"] == true);
        for (why, times) in report["kept"].as_object().expect("reasons") {
            let times = times.as_u64().expect("a number") as usize;
            *self.kept.entry(why.clone()).or_default() += times;
        }
        if let Some(difference) = report["difference"].as_array() {
            let text = |number: usize| difference[number].as_str().expect("a text");
            let (levels, before, after) = (text(0), text(1), text(2));
            let what = format!("at -O{levels}:\n  before: {before}\n  after:  {after}");
            self.differences.push((seed, what));
        }
    }

    fn add(&mut self, other: Self) {
        let merge = |to: &mut BTreeMap<String, usize>, from: BTreeMap<String, usize>| {
            for (what, times) in from {
                *to.entry(what).or_default() += times;
            }
        };
        merge(&mut self.cases, other.cases);
        merge(&mut self.skipped, other.skipped);
        merge(&mut self.kept, other.kept);
        self.compared += other.compared;
        self.cut_short += other.cut_short;
        self.calls += other.calls;
        self.not_started += other.not_started;
        self.whole += other.whole;
        self.differences.extend(other.differences);
    }

    /// The number of all cases.
    pub fn all(&self) -> usize {
        self.cases.values().sum()
    }

    /// The number of cases in which nothing was compared.
    pub fn all_skipped(&self) -> usize {
        self.skipped.values().sum()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} cases: {:?}", self.all(), self.cases)?;
        writeln!(out, "{} skipped: {:?}", self.all_skipped(), self.skipped)?;
        let (compared, short) = (self.compared, self.cut_short);
        writeln!(
            out,
            "{compared} optimized programs compared, {short} of them cut short"
        )?;
        writeln!(
            out,
            "{} calls, {} not instantiated",
            self.calls, self.not_started
        )?;
        writeln!(out, "{} beside stock Wasmtime", self.whole)?;
        for (why, times) in &self.kept {
            writeln!(out, "{times} left as they were: {why}")?;
        }
        write!(out, "{} differences", self.differences.len())
    }
}
