//! The process that runs many cases, with Binaryen in it.
//!
//! A build starts a process for each module, which takes longer than optimizing a small module. So
//! this process optimizes one module after the other, with the product's own function for worker
//! processes. [`super::batch`] watches for crashes of this process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use edgec_compiler::{Failure, Level, Optimizer, Runs};
use serde_json::json;

use super::case::{Bench, Report, levels};
use super::generator::Generator;

/// The optimizer's memory limit in a build, in bytes.
const MEMORY: &str = "8589934592";
/// Modules of at least this length are optimized only once: the adapter's module is the same in all
/// command programs.
const LONG: usize = 8192;

/// State of the optimizer's function, which gets no other arguments.
struct Place {
    folder: PathBuf,
    /// The seeds and levels at which an earlier process died.
    without: BTreeSet<(u64, &'static str)>,
    now: (u64, Level),
    passes: Vec<OsString>,
    /// The passes of the last call.
    last: Vec<String>,
    known: BTreeMap<(Vec<u8>, Vec<OsString>), Vec<u8>>,
}

static PLACE: Mutex<Option<Place>> = Mutex::new(None);

/// The lines before and after each call of the optimizer.
pub(super) const OPTIMIZES: &str = "optimizes";
pub(super) const OPTIMIZED: &str = "optimized";
/// The lines before a case, and with its report.
pub(super) const BEGINS: &str = "begins";
pub(super) const ENDS: &str = "ends";

/// A bench whose optimizer is the Binaryen in this process, which writes its files to `folder`.
pub fn bench(folder: &Path, generator: Generator) -> Bench {
    *PLACE.lock().expect("no panic") = Some(Place {
        folder: folder.to_owned(),
        without: BTreeSet::new(),
        now: (0, Level::O0),
        passes: Vec::new(),
        last: Vec::new(),
        known: BTreeMap::new(),
    });
    let mut bench = Bench::new(binaryen, generator);
    bench.progress = Box::new(|seed, level| {
        if let Some(place) = PLACE.lock().expect("no panic").as_mut() {
            place.now = (seed, level);
        }
    });
    bench
}

/// The passes that the optimizer ran last.
pub fn last() -> Vec<String> {
    let place = PLACE.lock().expect("no panic");
    place.as_ref().expect("a bench").last.clone()
}

/// From now on, the optimizer runs these passes at every level. This shows which of them is at
/// fault.
pub fn only(passes: &[impl AsRef<str>]) {
    if let Some(place) = PLACE.lock().expect("no panic").as_mut() {
        place.passes = passes.iter().map(|pass| pass.as_ref().into()).collect();
    }
}

/// Optimizes a module in this process, with `wasm-opt`'s arguments.
fn binaryen(module: &[u8], arguments: &[OsString]) -> Result<Vec<u8>, Failure> {
    let mut place = PLACE.lock().expect("no panic");
    let place = place.as_mut().expect("a bench");
    let (seed, level) = place.now;
    if place.without.contains(&(seed, level.name())) {
        return Err(Failure::Exit {
            status: "a signal".to_owned(),
            message: "the process died of it".to_owned(),
        });
    }
    let about_passes = |argument: &OsString| {
        let text = argument.to_string_lossy();
        !text.starts_with("--enable") && !text.starts_with("--mvp") && text != "-g"
    };
    let mut arguments = arguments.to_vec();
    if !place.passes.is_empty() {
        arguments.retain(|argument| !about_passes(argument));
        arguments.extend(place.passes.iter().cloned());
    }
    let passes = arguments.iter().filter(|it| about_passes(it));
    place.last = passes.map(|it| it.to_string_lossy().into_owned()).collect();
    let key = (module.to_vec(), arguments.clone());
    if let Some(known) = place.known.get(&key) {
        return Ok(known.clone());
    }
    say(OPTIMIZES, level.name());
    let (input, output) = (place.folder.join("in"), place.folder.join("out"));
    std::fs::write(&input, module).expect("a file for the optimizer");
    let mut command: Vec<OsString> = vec![(&input).into(), "-o".into()];
    command.push((&output).into());
    command.extend(arguments);
    let done = edgec_compiler::run_binaryen(command);
    say(OPTIMIZED, "");
    done.map_err(|message| Failure::Exit {
        status: "exit status: 1".to_owned(),
        message: message.lines().next().unwrap_or_default().to_owned(),
    })?;
    let optimized = std::fs::read(&output).expect("a file of the optimizer");
    // ext4 writes a file to disk if it replaces another file's content. It need not do so for a new
    // file.
    for file in [&input, &output] {
        let _ = std::fs::remove_file(file);
    }
    if module.len() >= LONG {
        place.known.insert(key, optimized.clone());
    }
    Ok(optimized)
}

fn say(what: &str, rest: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{what} {rest}").and_then(|()| out.flush());
    // If this fails, no process waits for the rest.
    written.expect("the process that started this one reads");
}

/// Runs the cases of the seeds from `first` up to `end`, without the levels at which an earlier
/// process died.
pub fn work(bench: &Bench, first: u64, end: u64, without: impl IntoIterator<Item = (u64, Level)>) {
    if let Some(place) = PLACE.lock().expect("no panic").as_mut() {
        let without = without
            .into_iter()
            .map(|(seed, level)| (seed, level.name()));
        place.without = without.collect();
    }
    for seed in first..end {
        say(BEGINS, &seed.to_string());
        let report = bench.case(seed);
        say(ENDS, &line(&report));
    }
}

/// Compares how this process optimizes the programs of some seeds with the processes that `edgec`
/// starts in a build. Each program is optimized at one level. Returns the number of programs.
///
/// # Panics
///
/// If the two differ.
pub fn agree(bench: &Bench, edgec: &Path, seeds: Range<u64>) -> usize {
    let each = Optimizer {
        program: edgec.to_owned(),
        arguments: vec!["__wasm-opt".into(), MEMORY.into()],
        runs: Runs::InProcesses,
        answers: None,
        ..bench.optimizer.clone()
    };
    let mut compared = 0;
    for seed in seeds {
        let program = bench.program(seed).map(edgec_compiler::validate);
        let Some(Ok(program)) = program else { continue };
        let level = levels().nth(seed as usize % 6).expect("six levels");
        let optimized = |optimizer| {
            let optimized = edgec_compiler::optimize(program.clone(), level, optimizer, |_, _| {});
            let optimized = optimized.expect("enough time and memory");
            optimized.component.bytes().to_vec()
        };
        let (many, each) = (optimized(&bench.optimizer), optimized(&each));
        assert!(many == each, "seed {seed} at -O{}", level.name());
        compared += 1;
    }
    compared
}

/// A report on one line.
fn line(report: &Report) -> String {
    let difference = report
        .difference
        .as_ref()
        .map(|difference| json!([difference.levels, difference.before, difference.after]));
    json!({
        "made": format!("{:?}", report.made),
        "skipped": report.skipped,
        "compared": report.compared,
        "cutShort": report.cut_short,
        "kept": report.kept,
        "calls": report.calls,
        "started": report.started,
        "whole": report.whole,
        "difference": difference,
    })
    .to_string()
}
