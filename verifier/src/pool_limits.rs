//! Whether an instance of a program fits into a host's pool.
//!
//! These are the conditions under which the engine's pooling allocator refuses a load, in a
//! manifest's terms (`wasmtime` 48, `vm/instance/allocator/pooling.rs`). If a manifest is not
//! complete, only its statements are compared; the engine judges the rest.

use edgec_artifact::{LimitRange, Resources};
use serde::{Deserialize, Serialize};

/// The limits of one instance.
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

/// A need of a program that a pool has no room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {needed} needed, the pool has {most}")]
#[non_exhaustive]
pub struct PoolMisfit {
    /// The resource that is too small.
    pub what: &'static str,
    /// How much the program has at the start.
    pub needed: u64,
    /// How much the pool has.
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

    /// Whether an instance with these needs fits as it starts.
    pub fn has_room_for(&self, needs: &Resources) -> bool {
        self.misfits(needs).is_empty()
    }

    /// Everything that an instance has at the start and the pool has no room for.
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
