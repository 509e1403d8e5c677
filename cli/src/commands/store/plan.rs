//! `edgec store plan`: the pool that admits every current program.

use std::process::ExitCode;

use edgec_loader::PoolPlan;
use edgec_loader::store::Store;
use serde::Serialize;

use super::failure;
use crate::Outcome;
use crate::failure::{Exit, Failure, code};
use crate::render::out;
use crate::render::{self, Format};

#[derive(clap::Args)]
pub(super) struct Plan {
    /// How many instances run at one time
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    instances: u32,
    /// How far one memory may grow
    #[arg(long, value_name = "MIB", default_value = "4096", value_parser = clap::value_parser!(u64).range(1..=4096))]
    memory: u64,
    /// How the plan is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned {
    programs: usize,
    #[serde(flatten)]
    pool: PoolPlan,
    address_space: u64,
}

pub(super) fn print_plan(store: &Store, plan: &Plan) -> Outcome {
    let manifests = store.manifests().map_err(|error| failure(&error))?;
    let (pool, left_out) = PoolPlan::fitting_most(plan.instances, plan.memory << 20, &manifests);
    for error in &left_out {
        Failure::rejected(error.code(), error).print();
    }
    let exit = match left_out.is_empty() {
        true => ExitCode::SUCCESS,
        false => code(Exit::Rejected),
    };
    let planned = Planned {
        programs: manifests.len() - left_out.len(),
        address_space: pool.address_space(),
        pool,
    };
    if plan.format == Format::Json {
        render::json(&planned);
        return Ok(exit);
    }
    let pool = &planned.pool;
    let rows = [
        (
            "programs",
            planned.programs.to_string(),
            "current in this store",
        ),
        (
            "instances",
            pool.instances.to_string(),
            "components at one time",
        ),
        (
            "memories",
            pool.memories.to_string(),
            "in one component, at most",
        ),
        (
            "tables",
            pool.tables.to_string(),
            "in one component, at most",
        ),
        (
            "table elements",
            pool.table_elements.to_string(),
            "of one table, at most",
        ),
        (
            "memory",
            render::size(pool.memory_bytes),
            "of one memory, at most",
        ),
        (
            "address space",
            render::size(planned.address_space),
            "reserved for memories",
        ),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, value, what)| vec![name.to_owned(), value, what.to_owned()])
        .collect();
    out!("{}", render::table(&rows));
    Ok(exit)
}
