//! Shared by the benchmarks: guests, medians, and series that are measured in turns.
//!
//! Machines are noisy and drift. So the contenders are measured alternately in one run, and the
//! result is a ratio of medians.

pub mod http;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edgec_compiler::{KindChoice, ValidComponent};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy};

/// One way to do a task.
pub struct Contender<'a> {
    /// Its name in the table.
    pub name: &'a str,
    /// Does the task, and returns how long it took.
    work: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender whose whole time counts.
    pub fn new(name: &'a str, work: impl FnMut() + 'a) -> Self {
        Self::making(name, work)
    }

    /// A contender that makes a value. The time to drop the value does not count.
    pub fn making<T>(name: &'a str, mut work: impl FnMut() -> T + 'a) -> Self {
        let work = Box::new(move || {
            let begin = Instant::now();
            let made = work();
            let took = begin.elapsed();
            drop(made);
            took
        });
        Self { name, work }
    }
}

/// Measures the contenders in turns, for as many rounds as fit into `budget` (at least 11), and
/// returns the median of each.
pub fn medians(contenders: &mut [Contender<'_>], budget: Duration) -> Vec<Duration> {
    medians_of(contenders, budget, 11)
}

/// Like [`medians`], but with at least this many rounds.
pub fn medians_of(
    contenders: &mut [Contender<'_>],
    budget: Duration,
    rounds: usize,
) -> Vec<Duration> {
    let mut series = vec![Vec::new(); contenders.len()];
    // One round to fill the caches.
    for contender in contenders.iter_mut() {
        (contender.work)();
    }
    let start = Instant::now();
    while start.elapsed() < budget || series.iter().any(|times| times.len() < rounds) {
        for (contender, times) in contenders.iter_mut().zip(&mut series) {
            times.push((contender.work)());
        }
    }
    series
        .into_iter()
        .map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect()
}

/// Prints the medians, each with its ratio to the first.
pub fn print(title: &str, contenders: &[Contender<'_>], medians: &[Duration]) {
    let first = medians[0].as_secs_f64();
    for (contender, median) in contenders.iter().zip(medians) {
        println!(
            "{title:24} {:46} {:>10.1} us  {:>5.2}x",
            contender.name,
            median.as_secs_f64() * 1e6,
            median.as_secs_f64() / first
        );
    }
}

/// A file that Wasmtime compiled with its defaults, and an engine for it.
pub struct Stock {
    /// The engine.
    pub engine: Engine,
    /// The file.
    pub image: PathBuf,
}

impl Stock {
    /// Compiles `guest` into the file `stock.cwasm` in `folder`, for an engine of Wasmtime's
    /// default settings with this allocation strategy.
    pub fn of(guest: &Guest, folder: &Path, strategy: InstanceAllocationStrategy) -> Self {
        let mut config = Config::new();
        config.allocation_strategy(strategy);
        let engine = Engine::new(&config).unwrap();
        let image = folder.join("stock.cwasm");
        let bytes = engine
            .precompile_component(guest.component.bytes())
            .unwrap();
        std::fs::write(&image, bytes).unwrap();
        Self { engine, image }
    }

    /// Wasmtime's own load, which verifies nothing.
    pub fn load(&self) -> Component {
        deserialize(&self.engine, &self.image)
    }
}

/// Wasmtime's own load of a file that this process has written.
#[expect(unsafe_code, reason = "this is what edgec-loader is compared with")]
pub fn deserialize(engine: &Engine, path: &Path) -> Component {
    // SAFETY: this process or its child compiled the file, and nothing else writes it.
    unsafe { Component::deserialize_file(engine, path) }.unwrap()
}

/// A component with its imports looked up. A call of an import traps.
pub fn prepare(engine: &Engine, component: &Component) -> InstancePre<()> {
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(component).unwrap();
    linker.instantiate_pre(component).unwrap()
}

/// Whether the command line requests the benchmark `name`: `cargo bench` passes its filter on.
pub fn selected(name: &str) -> bool {
    let mut filters = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let first = filters.next();
    first.is_none_or(|first| name.contains(&first) || filters.any(|word| name.contains(&word)))
}

/// A program that is measured.
pub struct Guest {
    /// Its name in the table.
    pub name: String,
    /// The component.
    pub component: ValidComponent,
}

/// Makes a guest compute for a while.
pub struct Workload {
    /// The program's arguments.
    pub arguments: &'static [&'static str],
    /// What it reads from standard input.
    pub stdin: String,
}

/// A workload for a guest that computes.
pub fn workload(guest: &str) -> Option<Workload> {
    let numbers = || (0..400_000).map(|i: u64| format!("{} ", i * i % 9973));
    let (arguments, stdin): (&[&str], String) = match guest {
        "rust-worker-p2" => (&[], String::new()),
        "c-minigzip" => (&[], numbers().collect()),
        "c-quickjs" => (
            &["let s = 0; for (let i = 0; i < 3e6; i++) s = (s * 31 + i) | 0; s"],
            String::new(),
        ),
        _ => return None,
    };
    Some(Workload { arguments, stdin })
}

/// The example of this repository, and the real programs beside it, if there are any.
pub fn guests(names: &[&str]) -> Vec<Guest> {
    let mut files = vec![edgec_tests::repository().join("examples/hello.wat")];
    if let Some(folder) = edgec_tests::shared("guests") {
        files.extend(names.iter().map(|name| folder.join(format!("{name}.wasm"))));
    }
    files.iter().map(|file| guest(file)).collect()
}

/// The components in the folder that `EDGEC_COMPONENTS` names, if it is set: such as those that
/// `tests/toolchains/run.py --keep` makes.
pub fn made() -> Vec<Guest> {
    let Some(folder) = std::env::var_os("EDGEC_COMPONENTS") else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "wasm"));
    files.sort();
    files.iter().map(|file| guest(file)).collect()
}

fn guest(file: &Path) -> Guest {
    let bytes = std::fs::read(file).unwrap();
    let input = edgec_compiler::read(bytes).unwrap();
    let adapted = edgec_compiler::adapt(input, KindChoice::Component).unwrap();
    Guest {
        name: file.file_stem().unwrap().to_string_lossy().into_owned(),
        component: adapted.component,
    }
}
