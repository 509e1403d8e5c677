//! Runs many cases, in as many processes as there are processors.
//!
//! If a process dies or hangs, the case that it was at is a finding, and the next process goes on
//! after it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::case::{Bench, Report};
use crate::lanes::{lanes, lines};

/// The lines before a case, and with its report.
const BEGINS: &str = "begins";
const ENDS: &str = "ends";

/// The results of many cases.
#[derive(Default)]
pub struct Totals {
    /// The number of cases.
    pub cases: usize,
    /// The number of cases in which nothing was compared, by the reason.
    pub skipped: BTreeMap<String, usize>,
    /// How many components were flattened, at least in part.
    pub flattened: usize,
    /// How many components make at most two core instances after the pass, of at least four.
    pub to_the_end: usize,
    /// The number of core instances before and after.
    pub instances: (usize, usize),
    /// The number of core instances that were not merged, by the reason.
    pub kept: BTreeMap<String, usize>,
    /// The number of calls that the originals answered, and of their calls of the host.
    pub calls: (usize, usize),
    /// The number of components that were not instantiated.
    pub not_started: usize,
    /// The number of components that ran on stock Wasmtime too.
    pub stock: usize,
    /// How many comparisons ended early.
    pub cut_short: usize,
    /// The seeds of cases that differed, with the difference.
    pub differences: Vec<(u64, String)>,
}

/// Runs the cases of the seeds from `first` up to `end` in this process, and prints the reports.
pub fn work(bench: &Bench, first: u64, end: u64) {
    for seed in first..end {
        say(BEGINS, &seed.to_string());
        let report = bench.case(seed);
        say(ENDS, &line(&report));
    }
}

fn say(what: &str, rest: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{what} {rest}").and_then(|()| out.flush());
    // If this fails, no process waits for the rest.
    written.expect("the process that started this one reads");
}

/// A report on one line.
fn line(report: &Report) -> String {
    let difference = report
        .difference
        .as_ref()
        .map(|difference| json!([difference.what, difference.before, difference.after]));
    json!({
        "skipped": report.skipped,
        "instances": report.instances,
        "kept": report.kept,
        "calls": report.calls,
        "started": report.started,
        "stock": report.stock,
        "cutShort": report.cut_short,
        "difference": difference,
    })
    .to_string()
}

/// Runs `cases` cases, starting with the seed `first`. `worker` is the program that runs them; see
/// `tests/examples/graphs.rs`.
pub fn run(worker: &Path, first: u64, cases: u64) -> Totals {
    let all = lanes(first, cases, |mut next, end| {
        let mut totals = Totals::default();
        while next < end {
            next = totals.process(worker, next, end);
        }
        totals
    });
    let mut totals = Totals::default();
    for lane in all {
        totals.add(lane);
    }
    totals.differences.sort();
    totals
}

impl Totals {
    /// Starts a process, and reads its output until it ends. Returns the seed that is next.
    fn process(&mut self, worker: &Path, first: u64, end: u64) -> u64 {
        let mut next = first;
        let status = lines(
            Command::new(worker).args(["work", &first.to_string(), &end.to_string()]),
            |word, rest| match word {
                BEGINS => next = rest.parse().expect("a seed"),
                ENDS => {
                    self.report(next, rest);
                    next += 1;
                }
                _ => {}
            },
        );
        if next < end {
            let what = format!("the process died, or hung: {status}");
            self.differences.push((next, what));
            self.cases += 1;
            next += 1;
        }
        next
    }

    fn report(&mut self, seed: u64, line: &str) {
        let report: Value = serde_json::from_str(line).expect("a report");
        let pair = |name: &str| {
            let number = |place: usize| report[name][place].as_u64().expect("a number") as usize;
            (number(0), number(1))
        };
        self.cases += 1;
        if let Some(difference) = report["difference"].as_array() {
            let text = |number: usize| difference[number].as_str().expect("a text");
            let (what, before, after) = (text(0), text(1), text(2));
            let what = format!("{what}:\n  before: {before}\n  after:  {after}");
            self.differences.push((seed, what));
        }
        if let Some(why) = report["skipped"].as_str() {
            *self.skipped.entry(why.to_owned()).or_default() += 1;
            return;
        }
        let (before, after) = pair("instances");
        self.flattened += usize::from(after < before);
        self.to_the_end += usize::from(before >= 4 && after <= 2);
        sum(&mut self.instances, (before, after));
        sum(&mut self.calls, pair("calls"));
        self.not_started += usize::from(report["started"] == false);
        self.stock += usize::from(report["stock"] == true);
        self.cut_short += usize::from(report["cutShort"] == true);
        for (why, times) in report["kept"].as_object().expect("reasons") {
            let times = times.as_u64().expect("a number") as usize;
            *self.kept.entry(why.clone()).or_default() += times;
        }
    }

    fn add(&mut self, other: Self) {
        let merge = |to: &mut BTreeMap<String, usize>, from: BTreeMap<String, usize>| {
            for (what, times) in from {
                *to.entry(what).or_default() += times;
            }
        };
        self.cases += other.cases;
        merge(&mut self.skipped, other.skipped);
        merge(&mut self.kept, other.kept);
        self.flattened += other.flattened;
        self.to_the_end += other.to_the_end;
        sum(&mut self.instances, other.instances);
        sum(&mut self.calls, other.calls);
        self.not_started += other.not_started;
        self.stock += other.stock;
        self.cut_short += other.cut_short;
        self.differences.extend(other.differences);
    }

    /// The number of cases in which nothing was compared.
    pub fn all_skipped(&self) -> usize {
        self.skipped.values().sum()
    }
}

fn sum(to: &mut (usize, usize), more: (usize, usize)) {
    to.0 += more.0;
    to.1 += more.1;
}

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.instances;
        writeln!(
            out,
            "{} components, {} flattened",
            self.cases, self.flattened
        )?;
        writeln!(out, "{} to at most two core instances", self.to_the_end)?;
        writeln!(out, "{before} core instances before, {after} after")?;
        for (why, times) in &self.kept {
            writeln!(out, "{times} core instances left as they were: {why}")?;
        }
        let (calls, host_calls) = self.calls;
        writeln!(out, "{calls} calls, {host_calls} calls of the host")?;
        writeln!(out, "{} not instantiated", self.not_started)?;
        writeln!(out, "{} cut short by the stack", self.cut_short)?;
        writeln!(out, "{} also on stock Wasmtime", self.stock)?;
        for (why, times) in &self.skipped {
            writeln!(out, "{times} not compared: {why}")?;
        }
        write!(out, "{} differences", self.differences.len())
    }
}
