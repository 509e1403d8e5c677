//! What an instance has at its start, against the limits of its application.
//!
//! Without this check, a version that can never have an instance would replace a good one, and get
//! a pool.

use edgec_loader::Manifest;

use crate::Limit;
use crate::config::{ByteSize, Limits};

/// A program of which no instance can be made.
#[derive(Debug, thiserror::Error)]
#[error("its {what} with {needed}, and the limit `{}` is {most}", limit.name())]
pub(crate) struct TooLarge {
    what: &'static str,
    limit: Limit,
    needed: String,
    most: String,
}

/// Checks that an instance can be made. The limits count all memories and tables together.
pub(crate) fn check(manifest: &Manifest, limits: &Limits) -> Result<(), TooLarge> {
    let needs = &manifest.resources;
    let memory = needs.memories.iter().map(|it| it.minimum);
    let memory = memory.fold(0, u64::saturating_add);
    if memory > limits.memory.get() {
        return Err(TooLarge {
            what: "memories start",
            limit: Limit::Memory,
            needed: ByteSize::bytes(memory).to_string(),
            most: limits.memory.to_string(),
        });
    }
    let elements = needs.tables.iter().map(|it| it.minimum);
    let elements = elements.fold(0, u64::saturating_add);
    if elements > u64::from(limits.table_elements) {
        return Err(TooLarge {
            what: "tables start",
            limit: Limit::TableElements,
            needed: format!("{elements} elements"),
            most: limits.table_elements.to_string(),
        });
    }
    Ok(())
}
