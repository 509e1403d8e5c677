//! What the benchmarks share: guests, medians, and series measured in turns.
//!
//! Machines are noisy and drift: what is compared is measured alternately in one run, and
//! what is reported is a ratio of medians.

use std::time::{Duration, Instant};

use edgec_compiler::{KindChoice, ValidComponent};

/// One way to do a thing.
pub struct Contender<'a> {
    /// Its name in the table.
    pub name: &'a str,
    /// The thing.
    pub work: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender.
    pub fn new(name: &'a str, work: impl FnMut() + 'a) -> Self {
        Self {
            name,
            work: Box::new(work),
        }
    }
}

/// Measures the contenders in turns, as many rounds as fit `budget` (at least 11), and
/// gives the median of each.
pub fn medians(contenders: &mut [Contender<'_>], budget: Duration) -> Vec<Duration> {
    let mut series = vec![Vec::new(); contenders.len()];
    // Once for the caches.
    for contender in contenders.iter_mut() {
        (contender.work)();
    }
    let start = Instant::now();
    while start.elapsed() < budget || series.iter().any(|times| times.len() < 11) {
        for (contender, times) in contenders.iter_mut().zip(&mut series) {
            let begin = Instant::now();
            (contender.work)();
            times.push(begin.elapsed());
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

/// Prints the medians, each beside the first as a ratio.
pub fn print(title: &str, contenders: &[Contender<'_>], medians: &[Duration]) {
    let first = medians[0].as_secs_f64();
    for (contender, median) in contenders.iter().zip(medians) {
        println!(
            "{title:24} {:44} {:>10.1} us  {:>5.2}x",
            contender.name,
            median.as_secs_f64() * 1e6,
            median.as_secs_f64() / first
        );
    }
}

/// Whether the command line asks for the benchmark `name`: `cargo bench` hands its filter
/// to every one of them.
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

/// The example of this repository, and the real programs beside it, where there are any.
pub fn guests(names: &[&str]) -> Vec<Guest> {
    let mut files = vec![edgec_tests::repository().join("examples/hello.wat")];
    if let Some(folder) = edgec_tests::shared("guests") {
        files.extend(names.iter().map(|name| folder.join(format!("{name}.wasm"))));
    }
    files
        .into_iter()
        .map(|file| {
            let bytes = std::fs::read(&file).unwrap();
            let input = edgec_compiler::read(&bytes).unwrap();
            let adapted = edgec_compiler::adapt(input, KindChoice::Auto).unwrap();
            Guest {
                name: file.file_stem().unwrap().to_string_lossy().into_owned(),
                component: adapted.component,
            }
        })
        .collect()
}
