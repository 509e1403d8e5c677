//! The tables of `edgec.toml`, as they stand in the file. `docs/project.md` and
//! `docs/schema/edgec.toml.json` describe them; a test compares the names.

use std::collections::BTreeSet;

use edgec_compiler::NeedLimits;
use serde::Deserialize;
use toml::Spanned;

use super::budget::{Budgets, NewCapabilities};
use super::values::{
    Import, Inside, Kind, Line, Mebibytes, Name, OfMachine, Optimize, Profile, Relative,
    TargetName, World,
};
use super::version::{ComponentName, DisplayVersion, Version};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(default)]
    pub(super) project: Shared,
    #[serde(default)]
    pub(super) component: Vec<Entry>,
}

/// `[project]`: what all components share.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Shared {
    pub(super) key: Option<OfMachine>,
    pub(super) wasm_opt: Option<OfMachine>,
    pub(super) provenance: Option<bool>,
    pub(super) output: Option<Inside>,
    pub(super) targets: Option<Vec<TargetName>>,
    pub(super) fleet: Option<Spanned<Relative>>,
    pub(super) profile: Option<Profile>,
    pub(super) optimize: Option<Optimize>,
    pub(super) flatten: Option<bool>,
    pub(super) prune_imports: Option<bool>,
    pub(super) debug_file: Option<bool>,
    pub(super) channel: Option<Name>,
    pub(super) version: Option<Version>,
    pub(super) display_version: Option<DisplayVersion>,
    pub(super) expires: Option<Line>,
    pub(super) policy: Option<Relative>,
    pub(super) world: Option<World>,
    pub(super) allow_imports: Option<Vec<Import>>,
    #[serde(default)]
    pub(super) limits: LimitTable,
    pub(super) capabilities: Option<Vec<Import>>,
    #[serde(default)]
    pub(super) budgets: BudgetTable,
}

/// `[[component]]`. It repeats the fields of [`Shared`]: if serde flattened them, it could neither
/// deny unknown fields nor keep places in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    pub(super) name: Spanned<ComponentName>,
    pub(super) input: Relative,
    pub(super) kind: Option<Kind>,
    pub(super) wit: Option<Relative>,
    pub(super) wit_world: Option<Spanned<Line>>,
    pub(super) init: Option<Line>,
    #[serde(default)]
    pub(super) keep_modules: BTreeSet<usize>,
    pub(super) key: Option<OfMachine>,
    pub(super) output: Option<Inside>,
    pub(super) targets: Option<Vec<TargetName>>,
    pub(super) fleet: Option<Spanned<Relative>>,
    pub(super) profile: Option<Profile>,
    pub(super) optimize: Option<Optimize>,
    pub(super) flatten: Option<bool>,
    pub(super) prune_imports: Option<bool>,
    pub(super) debug_file: Option<bool>,
    pub(super) channel: Option<Name>,
    pub(super) version: Option<Version>,
    pub(super) display_version: Option<DisplayVersion>,
    pub(super) expires: Option<Line>,
    pub(super) policy: Option<Relative>,
    pub(super) world: Option<World>,
    pub(super) allow_imports: Option<Vec<Import>>,
    #[serde(default)]
    pub(super) limits: LimitTable,
    pub(super) capabilities: Option<Vec<Import>>,
    #[serde(default)]
    pub(super) budgets: BudgetTable,
}

/// `limits`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LimitTable {
    core_instances: Option<u64>,
    memories: Option<u64>,
    memory_mib: Option<Mebibytes>,
    tables: Option<u64>,
    table_elements: Option<u64>,
}

impl LimitTable {
    /// These limits, and those of `others` for what these do not limit.
    pub(super) fn or(&self, others: &Self) -> NeedLimits {
        let bytes = |it: &Self| it.memory_mib.map(|Mebibytes(bytes)| bytes);
        NeedLimits {
            core_instances: self.core_instances.or(others.core_instances),
            memories: self.memories.or(others.memories),
            memory_bytes: bytes(self).or_else(|| bytes(others)),
            tables: self.tables.or(others.tables),
            table_elements: self.table_elements.or(others.table_elements),
        }
    }
}

/// `budgets`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BudgetTable {
    image_bytes: Option<u64>,
    wire_bytes: Option<u64>,
    functions: Option<u64>,
    lost_fast_paths: Option<u64>,
    new_capabilities: Option<NewCapabilities>,
}

impl BudgetTable {
    pub(super) fn budgets(&self) -> Budgets {
        Budgets {
            image_bytes: self.image_bytes,
            wire_bytes: self.wire_bytes,
            functions: self.functions,
            lost_fast_paths: self.lost_fast_paths,
            new_capabilities: self.new_capabilities,
        }
    }
}
