//! What a user demands of a program on the command line: a world, imports, limits.

use edgec_compiler::{Gate, ImportPattern, NeedLimits};

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

impl GateArguments {
    /// The demands, with the files of the world.
    pub(crate) fn gate(&self) -> Result<Gate, Failure> {
        let world = self.world.as_deref().map(wit::world).transpose()?;
        let imports = &self.allow_imports;
        Ok(Gate {
            world,
            imports: (!imports.is_empty()).then(|| imports.clone()),
            limits: NeedLimits {
                core_instances: self.max_core_instances,
                memories: self.max_memories,
                memory_bytes: self.max_memory.map(|mebibytes| mebibytes << 20),
                tables: self.max_tables,
                table_elements: self.max_table_elements,
            },
        })
    }
}
