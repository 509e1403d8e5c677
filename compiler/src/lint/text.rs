//! Findings as text.

use std::fmt;

use super::{Cause, CoreModule, Finding, Item, PoolLimit, Reason, Rule, Work};
use crate::ProgramKind;

impl Rule {
    /// The rule's name in documents and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::MemoryCopied => "memory-copied",
            Self::TableEager => "table-eager",
            Self::PassiveElements => "passive-elements",
            Self::ComputedGlobals => "computed-globals",
            Self::StartFunction => "start-function",
            Self::StartupCode => "startup-code",
            Self::ManySegments => "many-segments",
            Self::ManyInstances => "many-instances",
            Self::PoolLimits => "pool-limits",
        }
    }

    /// What to do about it, in a program of this kind.
    pub fn hint(self, kind: ProgramKind) -> &'static str {
        match self {
            Self::MemoryCopied => {
                "define the memory in the module that has its data, with constant offsets: link statically"
            }
            Self::TableEager => {
                "define the table in the module that fills it, with constant offsets: link statically"
            }
            Self::PassiveElements => "make the segments active, with constant offsets",
            Self::ComputedGlobals => "link statically: the globals become constants",
            Self::StartFunction => match kind {
                ProgramKind::Component => {
                    "`edgec build --init FUNCTION` runs it before the build, if the component exports a function to name (docs/init.md)"
                }
                ProgramKind::Module => {
                    "a tool such as Wizer can run it before the build; or do its work when it is first needed"
                }
            },
            Self::StartupCode => "`edgec build` names the segment or the function",
            Self::ManySegments => "make the segments active, or merge them",
            Self::ManyInstances => "merge core modules: link statically",
            Self::PoolLimits => "raise the limit in the host's `PoolingAllocationConfig`",
        }
    }
}

/// The loss and its cost, as one sentence without a full stop.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(module) = &self.module {
            write!(f, "{module}: ")?;
        }
        write!(f, "{}", self.work)?;
        if let Work::Exceed { .. } = self.work {
            return write!(f, ": a pool of default size refuses it");
        }
        match self.rule {
            Rule::StartupCode => write!(
                f,
                ": it may fill a table, compute globals or be a start function"
            )?,
            Rule::MemoryCopied => write!(f, ", not mapped")?,
            Rule::TableEager => write!(f, ", not as they are used")?,
            _ => {}
        }
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        if let Some(nanoseconds) = self.nanoseconds() {
            write!(f, "; about {} an instance", Time(nanoseconds))?;
        }
        Ok(())
    }
}

impl fmt::Display for CoreModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core module {}", self.index)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        if self.instances > 1 {
            write!(f, " ({} times)", self.instances)?;
        }
        Ok(())
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Copy { bytes, segments } => write!(
                f,
                "{} of data in {} copied",
                Size(bytes),
                Are(segments, "segment")
            ),
            Self::Fill { elements } => write!(f, "{} set one by one", Are(elements, "element")),
            Self::Compute { globals } => write!(f, "{} computed", Are(globals, "global")),
            Self::Run { .. } => write!(f, "its own code runs first"),
            Self::Startup { bytes } => write!(f, "{} of code runs first", Size(bytes)),
            Self::Enter { segments } => {
                write!(f, "{} entered one by one", Are(segments, "data segment"))
            }
            Self::Connect { instances, imports } => write!(
                f,
                "{} made, with {imports} imports among them",
                Are(instances, "core instance")
            ),
            Self::Exceed {
                limit,
                needed,
                default,
            } => write!(f, "{} is {default}, and {needed} needed", limit.name()),
        }
    }
}

impl PoolLimit {
    /// The limit's name in the engine's `PoolingAllocationConfig`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTablesPerModule => "max_tables_per_module",
            Self::MaxMemoriesPerModule => "max_memories_per_module",
            Self::TableElements => "table_elements",
            Self::MaxMemorySize => "max_memory_size",
            Self::MaxCoreInstanceSize => "max_core_instance_size",
            Self::MaxComponentInstanceSize => "max_component_instance_size",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = match self.item {
            Item::Data => "data segment",
            Item::Element => "element segment",
            Item::Function => "function",
            Item::Global => "global",
            Item::Memory => "memory",
            Item::Table => "table",
        };
        // The name comes from the program; the index was assigned by the optimizer.
        match &self.name {
            Some(name) => write!(f, "{item} `{name}`")?,
            None => write!(f, "{item} {}", self.index)?,
        }
        if let Some(offset) = self.offset {
            write!(f, " (at offset {offset:#x})")?;
        }
        let reason = match self.reason {
            Reason::ImportedMemory if self.item == Item::Memory => "is imported",
            Reason::ImportedMemory => "goes into an imported memory",
            Reason::ImportedTable => "goes into an imported table",
            Reason::ComputedOffset => "has an offset that is not a constant",
            Reason::OutOfBounds => "reaches beyond the minimum size",
            Reason::Sparse => {
                "is far from the others: an image of 16 MiB or more would not be half full"
            }
            Reason::TooLarge => "reaches beyond element 1048576",
            Reason::NotFunctions => "does not hold functions",
            Reason::Expressions => "lists expressions, not functions",
            Reason::InitialValue => "begins with a value that is not null",
            Reason::Passive => "is passive",
            Reason::ComputedValue => "is not a constant",
            Reason::Start => "is the start function",
            Reason::Unknown => "is the cause",
        };
        write!(f, " {reason}")
    }
}

/// `1 segment is`, `2 segments are`.
struct Are(u64, &'static str);

impl fmt::Display for Are {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        match number {
            1 => write!(f, "1 {noun} is"),
            _ => write!(f, "{number} {noun}s are"),
        }
    }
}

/// A number of bytes in a suitable unit.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match bytes {
            0..1024 => write!(f, "{bytes} B"),
            1024..1_048_576 => write!(f, "{:.1} KiB", bytes as f64 / 1024.0),
            _ => write!(f, "{:.1} MiB", bytes as f64 / 1_048_576.0),
        }
    }
}

/// A number of nanoseconds with two digits, which is the most that an estimate has.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0 as f64;
        let (value, unit) = match self.0 {
            0..1_000 => (nanoseconds, "ns"),
            1_000..1_000_000 => (nanoseconds / 1e3, "µs"),
            1_000_000..1_000_000_000 => (nanoseconds / 1e6, "ms"),
            _ => (nanoseconds / 1e9, "s"),
        };
        if value < 9.95 {
            write!(f, "{value:.1} {unit}")
        } else {
            write!(f, "{value:.0} {unit}")
        }
    }
}
