//! The cold-start lint: which fast paths of the engine a program loses when it is instantiated,
//! what that costs, and which segment, function or module is the cause.
//!
//! Whether a path is lost is asked of the engine, never decided here: its front end for a
//! program ([`program`]), the description that it reads at load for an image ([`image`]).
//! `docs/cold-start.md` has the rules with their places in the engine's source.

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

/// A fast path that is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which one.
    pub rule: Rule,
    /// The core module that loses it; none when it is the whole component.
    pub module: Option<CoreModule>,
    /// What it is in the module that the engine stops at, where that can be seen.
    pub cause: Option<Cause>,
    /// What is done instead, at each instantiation.
    pub work: Work,
}

/// The rules. Their names do not change between releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// Data are copied into memory, instead of a copy-on-write mapping.
    MemoryCopied,
    /// A table is filled, instead of being filled as its elements are used.
    TableEager,
    /// The elements of passive segments are computed.
    PassiveElements,
    /// Globals are computed by code.
    ComputedGlobals,
    /// The program's own start function runs.
    StartFunction,
    /// Code runs; an image does not tell whether it fills a table or is a start function.
    StartupCode,
    /// Data segments are entered one by one.
    ManySegments,
    /// There are many core instances, or many imports among them.
    ManyInstances,
    /// The pooling allocator refuses the program unless it is told otherwise.
    PoolLimits,
}

/// A core module of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreModule {
    /// Its number, counted from 0 in file order; the engine's own adapters come last.
    pub index: u32,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// How often an instance of the program instantiates it.
    pub instances: u64,
}

/// What the engine stops at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What kind of thing it is.
    pub item: Item,
    /// Its index in the module.
    pub index: u32,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// Where it begins, in bytes from the start of the program.
    pub offset: Option<u64>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// The longest name of a module or of a cause that a finding has, in bytes. A module's name stands
/// in each of its findings.
const MAX_NAME_LEN: usize = 256;

/// A name as a finding has it.
fn finding_name(name: &str) -> String {
    match name.get(..name.floor_char_boundary(MAX_NAME_LEN)) {
        Some(begin) if begin.len() < name.len() => format!("{begin}…"),
        _ => name.to_owned(),
    }
}

impl Cause {
    /// A thing without a name, wherever it begins.
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

/// What a core module loses: a finding without the module.
type Loss = (Rule, Option<Cause>, Work);

/// A kind of thing in a core module.
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
    /// It goes into an imported memory.
    ImportedMemory,
    /// It goes into an imported table.
    ImportedTable,
    /// Its offset is not a constant.
    ComputedOffset,
    /// It does not fit into the memory's or table's minimum.
    OutOfBounds,
    /// The memory's image would be 16 MiB or more, and not half of it data.
    Sparse,
    /// It reaches beyond element 2^20.
    TooLarge,
    /// The table does not hold functions.
    NotFunctions,
    /// Its elements are expressions, not indices of functions.
    Expressions,
    /// The table's elements begin as something that is computed.
    InitialValue,
    /// It is passive: the program puts it where it goes.
    Passive,
    /// Its value is not a constant.
    ComputedValue,
    /// The module says that it runs first.
    Start,
    /// None of the above: the engine knows.
    Unknown,
}

/// What is done at each instantiation, for each instance of the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Bytes are copied; from an image, at most so many.
    Copy {
        /// How many bytes.
        bytes: u64,
        /// In how many segments.
        segments: u64,
    },
    /// Elements of tables are set, one by one.
    Fill {
        /// How many.
        elements: u64,
    },
    /// Globals are computed.
    Compute {
        /// How many.
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
    /// Segments are entered.
    Enter {
        /// How many.
        segments: u64,
    },
    /// Instances are made and connected.
    Connect {
        /// How many core instances.
        instances: u64,
        /// How many imports they have together.
        imports: u64,
    },
    /// More is needed than the pool's default.
    Exceed {
        /// The limit's name in the engine's `PoolingAllocationConfig`.
        limit: PoolLimit,
        /// What is needed.
        needed: u64,
        /// What the default is.
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
    /// What the loss costs at each instantiation, in nanoseconds: an estimate from measured
    /// figures. None where it depends on the program.
    pub fn nanoseconds(&self) -> Option<u64> {
        let instances = self.module.as_ref().map_or(1, |module| module.instances);
        Some(cost::nanoseconds(&self.work)?.saturating_mul(instances))
    }

    /// Whether it is too little to speak of unasked: less than a small component takes as a whole.
    /// And in an image a start function, which may be the little one that every program for WASI
    /// preview 1 has.
    pub fn is_minor(&self) -> bool {
        let threshold = match self.rule {
            Rule::StartFunction if self.cause.is_none() => return true,
            Rule::ManyInstances => cost::NOTABLE_INSTANCES,
            _ => cost::NOTABLE,
        };
        self.nanoseconds().is_some_and(|cost| cost < threshold)
    }
}
