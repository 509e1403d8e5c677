//! Runs many cases, in as many processes as there are processors.
//!
//! If a process dies in the optimizer, one level of one case is skipped: a build would not optimize
//! that program. The next process goes on from there. If a process dies elsewhere, this is a
//! finding.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use edgec_compiler::Level;
use serde_json::Value;

use super::worker::{BEGINS, ENDS, OPTIMIZED, OPTIMIZES};
use crate::lanes::{lanes, lines};

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
    let all = lanes(first, cases, |next, end| {
        let mut lane = Lane {
            worker,
            generator,
            suites,
            next,
            end,
            without: Vec::new(),
            totals: Totals::default(),
        };
        while lane.next < lane.end {
            lane.process();
        }
        lane.totals
    });
    let mut totals = Totals::default();
    for lane in all {
        totals.add(lane);
    }
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
        let mut optimizes = None;
        let status = lines(&mut command, |word, rest| match word {
            BEGINS => self.next = rest.parse().expect("a seed"),
            OPTIMIZES => optimizes = level(rest),
            OPTIMIZED => optimizes = None,
            ENDS => {
                self.totals.report(self.next, rest);
                self.next += 1;
            }
            // Output of Binaryen itself.
            _ => {}
        });
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
