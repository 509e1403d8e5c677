//! Whether an instance of a program fits into a host's pool.
//!
//! What the engine's pooling allocator refuses at load, said in a manifest's terms (`wasmtime` 48,
//! `vm/instance/allocator/pooling.rs`). A manifest that does not state everything is judged by what
//! it states; the engine judges the rest.

use edgec_artifact::{LimitRange, Resources};
use serde::{Deserialize, Serialize};

/// The largest of each that one instance may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct PoolLimits {
    /// Memories in one component, at most.
    pub memories: u32,
    /// Tables in one component, at most.
    pub tables: u32,
    /// Elements of one table, at most.
    pub table_elements: u64,
    /// Bytes of one memory, at most.
    pub memory_bytes: u64,
}

/// What of a program a pool has no room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {needed} needed, the pool has {most}")]
#[non_exhaustive]
pub struct PoolMisfit {
    /// What there is too much of.
    pub what: &'static str,
    /// How much the program starts with.
    pub needed: u64,
    /// How much there is.
    pub most: u64,
}

impl PoolLimits {
    /// A pool that has room for every program. Set the fields that the host limits.
    pub const fn unlimited() -> Self {
        Self {
            memories: u32::MAX,
            tables: u32::MAX,
            table_elements: u64::MAX,
            memory_bytes: u64::MAX,
        }
    }

    /// Everything of what an instance starts with that has no place.
    pub(crate) fn misfits(&self, needs: &Resources) -> Vec<PoolMisfit> {
        let largest = |ranges: &[LimitRange]| ranges.iter().map(|range| range.minimum).max();
        let rows = [
            (
                "memories",
                needs.memories.len() as u64,
                self.memories.into(),
            ),
            (
                "bytes of a memory",
                largest(&needs.memories).unwrap_or(0),
                self.memory_bytes,
            ),
            ("tables", needs.tables.len() as u64, self.tables.into()),
            (
                "elements of a table",
                largest(&needs.tables).unwrap_or(0),
                self.table_elements,
            ),
        ];
        let misfits = rows.into_iter().filter(|(_, needed, most)| needed > most);
        misfits
            .map(|(what, needed, most)| PoolMisfit { what, needed, most })
            .collect()
    }
}
