//! What a user demands of a program on the command line: a world, imports, limits.

use std::collections::BTreeMap;
use std::path::Path;

use edgec_compiler::{Gate, ImportPattern, NeedLimits, WorldSource};
use serde::Serialize;

use crate::escape::safe;
use crate::failure::Failure;
use crate::number::{COUNT, MEBIBYTES, number};
use crate::wit;

/// What a user demands of a program.
#[derive(clap::Args)]
pub(crate) struct GateArguments {
    /// Refuse a program that does not fit this world: `wasi:http/proxy`, or a WIT file or folder,
    /// followed by `#WORLD` if it has several (docs/world.md)
    #[arg(long, value_name = "NAME|DIR")]
    world: Option<String>,
    /// Refuse imports that no such pattern allows: `wasi:http/types`, `wasi:cli/*`, `env::*`; the
    /// version may be left out; repeatable
    #[arg(long = "allow-import", value_name = "PATTERN", value_parser = parse_pattern)]
    allow_imports: Vec<ImportPattern>,
    /// The most core instances that an instance of the program may have
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=u64::MAX, COUNT))]
    max_core_instances: Option<u64>,
    /// The most memories that an instance may have
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=u64::MAX, COUNT))]
    max_memories: Option<u64>,
    /// The largest size of a memory at the start
    #[arg(long, value_name = "MIB", value_parser = number(0..=1 << 40, MEBIBYTES))]
    max_memory: Option<u64>,
    /// The most tables that an instance may have
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=u64::MAX, COUNT))]
    max_tables: Option<u64>,
    /// The most elements of a table at the start
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=u64::MAX, COUNT))]
    max_table_elements: Option<u64>,
}

fn parse_pattern(text: &str) -> Result<ImportPattern, &'static str> {
    match text {
        "" => Err("write the name of an import, or a pattern such as wasi:http/*"),
        text => Ok(ImportPattern::new(text)),
    }
}

/// What a project demands of a program.
#[derive(Default)]
pub(crate) struct Demands {
    /// The world, as `--world` takes it.
    pub(crate) world: Option<String>,
    pub(crate) imports: Option<Vec<ImportPattern>>,
    pub(crate) limits: NeedLimits,
}

impl GateArguments {
    /// The demands, with the files of the world.
    pub(crate) fn gate(&self) -> Result<Gate, Failure> {
        self.gate_or(&Demands::default(), Path::new(""))
    }

    /// The same. What a project in `folder` demands is demanded too, if the command line demands
    /// nothing else in its place.
    pub(crate) fn gate_or(&self, project: &Demands, folder: &Path) -> Result<Gate, Failure> {
        let world = match (&self.world, project.world.as_deref()) {
            (Some(world), _) => Some(wit::world(world, Path::new(""))?),
            (None, Some(world)) => Some(wit::world(world, folder)?),
            (None, None) => None,
        };
        let imports = match self.allow_imports.is_empty() {
            true => project.imports.as_deref(),
            false => Some(self.allow_imports.as_slice()),
        };
        let limits = project.limits;
        let memory_bytes = self.max_memory.map(|mebibytes| mebibytes << 20);
        Ok(Gate {
            world,
            imports: imports.map(<[ImportPattern]>::to_vec),
            limits: NeedLimits {
                core_instances: self.max_core_instances.or(limits.core_instances),
                memories: self.max_memories.or(limits.memories),
                memory_bytes: memory_bytes.or(limits.memory_bytes),
                tables: self.max_tables.or(limits.tables),
                table_elements: self.max_table_elements.or(limits.table_elements),
            },
        })
    }
}

/// What was demanded of a program that broke none of it, for documents.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GateReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    world: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_imports: Option<Vec<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<&'static str, u64>,
}

impl GateReport {
    /// `None` if nothing was demanded.
    pub(crate) fn of(gate: &Gate) -> Option<Self> {
        let patterns = |patterns: &Vec<ImportPattern>| {
            let patterns = patterns.iter().map(|pattern| safe(&pattern.to_string()));
            patterns.collect::<Vec<_>>()
        };
        let limits = [
            ("coreInstances", gate.limits.core_instances),
            ("memories", gate.limits.memories),
            ("memoryBytes", gate.limits.memory_bytes),
            ("tables", gate.limits.tables),
            ("tableElements", gate.limits.table_elements),
        ];
        let limits = limits.into_iter();
        (!gate.is_open()).then(|| Self {
            world: gate.world.as_ref().map(|world| safe(&named(world))),
            allow_imports: gate.imports.as_ref().map(patterns),
            limits: limits
                .filter_map(|(name, limit)| Some((name, limit?)))
                .collect(),
        })
    }
}

/// The world's name, or the first of its files and the name of a world in it.
fn named(world: &WorldSource) -> String {
    match world {
        WorldSource::Wasi(name) => name.clone(),
        WorldSource::Files { packages, world } => {
            let mut files = packages.iter().flat_map(|package| &package.files);
            let file = files.next().map_or("", |file| file.name.as_str());
            match world {
                Some(world) => format!("{file}#{world}"),
                None => file.to_owned(),
            }
        }
    }
}
