//! Reads orders as text, and prints a report. Of the standard library alone.

use std::io::{self, Write as _};
use std::process::ExitCode;

use orders::{Day, Report, read};

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let orders = match std::env::args().nth(1) {
        Some(path) => read(io::BufReader::new(std::fs::File::open(path)?))?,
        None => read(io::stdin().lock())?,
    };
    let mut report = Report::default();
    let (mut first, mut last) = (None::<Day>, None::<Day>);
    for order in &orders {
        report
            .add(order)
            .map_err(|problem| format!("order {}: {problem}", order.number))?;
        first = Some(first.map_or(order.day, |day| day.min(order.day)));
        last = Some(last.map_or(order.day, |day| day.max(order.day)));
    }
    let mut out = io::stdout().lock();
    if let (Some(first), Some(last)) = (first, last) {
        writeln!(out, "{} orders, {first} to {last}", orders.len())?;
    }
    report.print(&mut out)?;
    Ok(out.flush()?)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
