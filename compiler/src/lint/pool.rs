//! Finds programs that the pooling allocator refuses in its default configuration.
//!
//! Source: `wasmtime` 48, `config.rs`, `InstanceLimits::default`, and
//! `runtime/vm/instance/allocator/pooling.rs`, `validate_module` and `validate_component`.

use wasmtime_environ::component::{Component, VMComponentOffsets};
use wasmtime_environ::{HostPtr, Module, VMOffsets};

use super::{CoreModule, Finding, PoolLimit, Rule, Work};

const MAX_TABLES_PER_MODULE: u64 = 1;
const MAX_MEMORIES_PER_MODULE: u64 = 1;
const TABLE_ELEMENTS: u64 = 20_000;
const MAX_MEMORY_SIZE: u64 = 1 << 32;
const INSTANCE_SIZE: u64 = 1 << 20;

/// The limits that a core module exceeds.
pub(super) fn of_module(module: &Module, core: &CoreModule) -> Vec<Finding> {
    let tables = module.tables.values().skip(module.num_imported_tables);
    let memories = module.memories.values().skip(module.num_imported_memories);
    let sizes = memories.clone();
    // A size of more than 64 bits exceeds every limit.
    let sizes = sizes.map(|memory| memory.minimum_byte_size().unwrap_or(u64::MAX));
    let needs = [
        (
            PoolLimit::MaxTablesPerModule,
            tables.clone().count() as u64,
            MAX_TABLES_PER_MODULE,
        ),
        (
            PoolLimit::MaxMemoriesPerModule,
            memories.count() as u64,
            MAX_MEMORIES_PER_MODULE,
        ),
        (
            PoolLimit::TableElements,
            tables.map(|table| table.limits.min).max().unwrap_or(0),
            TABLE_ELEMENTS,
        ),
        (
            PoolLimit::MaxMemorySize,
            sizes.max().unwrap_or(0),
            MAX_MEMORY_SIZE,
        ),
        (
            PoolLimit::MaxCoreInstanceSize,
            instance_size(module),
            INSTANCE_SIZE,
        ),
    ];
    findings(needs, Some(core))
}

/// The limits that a component exceeds. `instances` is the size of its core instances.
pub(super) fn of_component(component: &Component, instances: u64) -> Vec<Finding> {
    let offsets = VMComponentOffsets::new(HostPtr, component);
    let size = u64::from(offsets.size_of_vmctx()).saturating_add(instances);
    let needs = [(PoolLimit::MaxComponentInstanceSize, size, INSTANCE_SIZE)];
    findings(needs, None)
}

/// The engine's memory for an instance of a module, without a few hundred bytes that are the same
/// for all.
pub(super) fn instance_size(module: &Module) -> u64 {
    VMOffsets::new(HostPtr, module).size_of_vmctx().into()
}

fn findings<const N: usize>(
    needs: [(PoolLimit, u64, u64); N],
    core: Option<&CoreModule>,
) -> Vec<Finding> {
    needs
        .into_iter()
        .filter(|(_, needed, default)| needed > default)
        .map(|(limit, needed, default)| Finding {
            rule: Rule::PoolLimits,
            module: core.cloned(),
            cause: None,
            work: Work::Exceed {
                limit,
                needed,
                default,
            },
        })
        .collect()
}
