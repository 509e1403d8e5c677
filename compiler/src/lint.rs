//! The cold-start lint: which fast paths of the engine a program loses at instantiation, what this
//! costs, and which segment, function or module causes it.
//!
//! The lint asks the engine whether a path is lost, and never decides this itself. For a program,
//! it runs the engine's front end ([`program`]). For an image, it reads the description that the
//! engine reads at load ([`image`]). `docs/cold-start.md` has the rules with their places in the
//! engine's source.

mod cause;
mod cost;
mod image;
mod pool;
mod process;
mod program;
mod start;
#[cfg(test)]
mod tests;
mod text;

use serde::{Deserialize, Serialize};

pub use process::{LintProcess, lint_worker};

/// A fast path that the program loses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The lost path.
    pub rule: Rule,
    /// The core module that loses it. `None` if the whole component does.
    pub module: Option<CoreModule>,
    /// What stops the engine in the module, if this is visible.
    pub cause: Option<Cause>,
    /// The work that is done instead, at each instantiation.
    pub work: Work,
}

/// The rules. Their names are the same in all releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// Data is copied into memory, instead of a copy-on-write mapping.
    MemoryCopied,
    /// A table is filled at once, instead of at the first use of its elements.
    TableEager,
    /// The elements of passive segments are computed.
    PassiveElements,
    /// Globals are computed by code.
    ComputedGlobals,
    /// The program's own start function runs.
    StartFunction,
    /// Code runs. An image does not show whether the code fills a table or is a start function.
    StartupCode,
    /// Data segments are processed one by one.
    ManySegments,
    /// There are many core instances, or many imports among them.
    ManyInstances,
    /// The pooling allocator refuses the program in its default configuration.
    PoolLimits,
}

/// A core module of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreModule {
    /// Its number, counted from 0 in file order. The engine's own adapters come last.
    pub index: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// How often one instance of the program instantiates it.
    pub instances: u64,
}

/// What stops the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The kind of item.
    pub item: Item,
    /// Its index in the module.
    pub index: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its start, in bytes from the start of the program.
    pub offset: Option<u64>,
    /// The reason.
    pub reason: Reason,
}

/// The maximum length of a name of a module or cause in a finding, in bytes. A module's name is
/// repeated in each of its findings.
const MAX_NAME_LEN: usize = 256;

/// A name in the form that a finding has.
fn finding_name(name: &str) -> String {
    match name.get(..name.floor_char_boundary(MAX_NAME_LEN)) {
        Some(begin) if begin.len() < name.len() => format!("{begin}…"),
        _ => name.to_owned(),
    }
}

impl Cause {
    /// An item without name and offset.
    fn of_index(item: Item, index: u32, reason: Reason) -> Self {
        Self {
            item,
            index,
            name: None,
            offset: None,
            reason,
        }
    }
}

/// A core module's loss: a finding without the module.
type Loss = (Rule, Option<Cause>, Work);

/// A kind of item in a core module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Item {
    /// A data segment.
    Data,
    /// An element segment.
    Element,
    /// A function.
    Function,
    /// A global.
    Global,
    /// A memory.
    Memory,
    /// A table.
    Table,
}

/// Why the engine does not take the fast path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// It is for an imported memory.
    ImportedMemory,
    /// It is for an imported table.
    ImportedTable,
    /// Its offset is not a constant.
    ComputedOffset,
    /// It does not fit into the minimum size of the memory or table.
    OutOfBounds,
    /// The memory's image would have 16 MiB or more, and less than half of it would be data.
    Sparse,
    /// It extends beyond element 2^20.
    TooLarge,
    /// The table does not hold functions.
    NotFunctions,
    /// Its elements are expressions, not indices of functions.
    Expressions,
    /// The initial value of the table's elements is computed.
    InitialValue,
    /// It is passive, so the program decides its place.
    Passive,
    /// Its value is not a constant.
    ComputedValue,
    /// It is the module's start function.
    Start,
    /// The lint found none of the other reasons.
    Unknown,
}

/// The work at each instantiation, for each instance of the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Bytes are copied. For an image, this is the maximum.
    Copy {
        /// The number of bytes.
        bytes: u64,
        /// The number of segments.
        segments: u64,
    },
    /// Elements of tables are set, one by one.
    Fill {
        /// The number of elements.
        elements: u64,
    },
    /// Globals are computed.
    Compute {
        /// The number of globals.
        globals: u64,
    },
    /// Code of the program runs.
    Run {
        /// Whether it ends after a few instructions.
        little: bool,
    },
    /// Code that the engine made runs.
    Startup {
        /// Its length in the image.
        bytes: u64,
    },
    /// Segments are processed.
    Enter {
        /// The number of segments.
        segments: u64,
    },
    /// Instances are made and connected.
    Connect {
        /// The number of core instances.
        instances: u64,
        /// The number of all their imports.
        imports: u64,
    },
    /// More is needed than the pool's default.
    Exceed {
        /// The limit's name in the engine's `PoolingAllocationConfig`.
        limit: PoolLimit,
        /// The amount that is needed.
        needed: u64,
        /// The default.
        default: u64,
    },
}

/// A limit of the engine's pooling allocator, as its configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the engine's names")]
pub enum PoolLimit {
    MaxTablesPerModule,
    MaxMemoriesPerModule,
    TableElements,
    MaxMemorySize,
    MaxCoreInstanceSize,
    MaxComponentInstanceSize,
}

impl Finding {
    /// The estimated cost of the loss at each instantiation, in nanoseconds, from measured figures.
    /// `None` if it depends on the program.
    pub fn nanoseconds(&self) -> Option<u64> {
        let instances = self.module.as_ref().map_or(1, |module| module.instances);
        Some(cost::nanoseconds(&self.work)?.saturating_mul(instances))
    }

    /// Whether the loss is too small to be reported by default: smaller than the cost of a small
    /// component. A start function in an image is minor too, because it may be the short one that
    /// every program for WASI preview 1 has.
    pub fn is_minor(&self) -> bool {
        let threshold = match self.rule {
            Rule::StartFunction if self.cause.is_none() => return true,
            Rule::ManyInstances => cost::NOTABLE_INSTANCES,
            _ => cost::NOTABLE,
        };
        self.nanoseconds().is_some_and(|cost| cost < threshold)
    }
}
