//! `edgec store gc`: removes images that no name points at.

use edgec_loader::store::{ArtifactStore, Collection};
use serde::Serialize;

use super::{conclude, problem_failure};
use crate::Outcome;
use crate::failure::Failure;
use crate::failures::loader::store_failure;
use crate::render::out;
use crate::render::{self, Format, safe};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    collection: Collection,
    problems: Vec<Failure>,
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let collected = store.collect().map_err(|error| store_failure(&error))?;
    let problems: Vec<Failure> = collected.problems.iter().map(problem_failure).collect();
    let report = Report {
        collection: collected.collection,
        problems,
    };
    conclude(&report, &report.problems, arguments.format, print_report)
}

fn print_report(report: &Report) {
    report.problems.iter().for_each(Failure::print);
    let collection = &report.collection;
    for name in &collection.foreign {
        eprintln!(
            "warning[foreign]: {}: it does not belong to a store, and stays",
            safe(name)
        );
    }
    let remains = render::count(collection.remains, "file");
    if collection.spared {
        return out!(
            "every image kept, because a release that cannot be read may name it; {remains} of unfinished admissions removed\n"
        );
    }
    out!(
        "{} removed ({}), {} in use kept, {remains} of unfinished admissions removed\n",
        render::count(collection.images.len(), "image"),
        render::size(collection.bytes),
        collection.in_use.len(),
    );
}
