//! `edgec store plan`: prints the pool that admits every current program.

use edgec_loader::PoolPlan;
use edgec_loader::store::{ArtifactStore, CurrentManifests};
use serde::Serialize;

use super::{conclude, problem_failure};
use crate::Outcome;
use crate::failure::Failure;
use crate::failures::loader::store_failure;
use crate::number::{COUNT, MEBIBYTES, number};
use crate::render::out;
use crate::render::{self, Format};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The number of instances that run at one time
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = number(1..=u64::from(u32::MAX), COUNT))]
    instances: u64,
    /// The largest size of one memory
    #[arg(long, value_name = "MIB", default_value = "4096", value_parser = number(1..=4096, MEBIBYTES))]
    memory: u64,
    /// The format of the plan
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifacts: usize,
    /// `None` if there is no program to plan for.
    #[serde(flatten)]
    pool: Option<Pool>,
    left_out: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    #[serde(flatten)]
    plan: PoolPlan,
    address_space: u64,
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let CurrentManifests {
        manifests,
        problems,
        ..
    } = store.manifests().map_err(|error| store_failure(&error))?;
    let instances = u32::try_from(arguments.instances).unwrap_or(u32::MAX);
    let memory = arguments.memory << 20;
    let (plan, mut unfit) = PoolPlan::fitting_most(instances, memory, &manifests);
    let artifacts = manifests.len() - unfit.len();
    // One entry for each program, not for each target.
    unfit.dedup();
    let unfit = unfit.iter();
    let unfit = unfit.map(|error| Failure::rejected(error.code(), error));
    let left_out: Vec<Failure> = problems.iter().map(problem_failure).chain(unfit).collect();
    let report = Report {
        artifacts,
        pool: (artifacts > 0).then(|| Pool {
            address_space: plan.address_space(),
            plan,
        }),
        left_out,
    };
    conclude(&report, &report.left_out, arguments.format, print_report)
}

fn print_report(report: &Report) {
    report.left_out.iter().for_each(Failure::print);
    let Some(Pool {
        plan,
        address_space,
    }) = &report.pool
    else {
        return out!("no program to plan for\n");
    };
    let rows = [
        (
            "artifacts",
            report.artifacts.to_string(),
            "current in this store",
        ),
        (
            "instances",
            plan.instances.to_string(),
            "components at one time",
        ),
        (
            "memories",
            plan.memories.to_string(),
            "in one component, at most",
        ),
        (
            "tables",
            plan.tables.to_string(),
            "in one component, at most",
        ),
        (
            "table elements",
            plan.table_elements.to_string(),
            "of one table, at most",
        ),
        (
            "memory",
            render::size(plan.memory_bytes),
            "of one memory, at most",
        ),
        (
            "address space",
            render::size(*address_space),
            "reserved for memories",
        ),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, value, what)| vec![name.to_owned(), value, what.to_owned()])
        .collect();
    out!("{}", render::table(&rows));
}
