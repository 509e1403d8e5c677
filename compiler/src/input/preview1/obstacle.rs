//! Why a component might behave differently from the core module that it was made from.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An allocator that is recognized by parts of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allocator {
    /// `sbrk` and `dlmalloc` of wasi-libc, since wasi-sdk 20. They use the memory that the linker
    /// gave them, and what `memory.grow` returns. They expect that other code grows the memory in
    /// between.
    WasiLibc,
    /// The allocator of Zig's standard library. It divides what `memory.grow` returns, and never
    /// asks where the memory ends.
    Zig,
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Allocator::WasiLibc => "wasi-libc's",
            Allocator::Zig => "Zig's",
        })
    }
}

/// What a host must offer to run a core module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostNeed {
    /// WASI preview 1, as `edgec run` offers it. The host then calls `_start`.
    Preview1,
    /// Imports that do not belong to WASI preview 1.
    Imports,
    /// Only imports of WASI preview 1, but calls of the module's exports, because it has no
    /// `_start` of a command.
    Calls,
}

/// How a working component differs from the core module that it was made from: at least one
/// obstacle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacks(Vec<Obstacle>);

impl Lacks {
    /// `None` if nothing differs.
    pub(crate) fn new(obstacles: Vec<Obstacle>) -> Option<Self> {
        (!obstacles.is_empty()).then_some(Self(obstacles))
    }

    /// The differences.
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.0
    }
}

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let obstacles: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&obstacles.join("; "))
    }
}

/// Why a component might behave differently from the core module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// An import that no adapter implements.
    #[error("it imports `{import}`, which does not belong to WASI preview 1")]
    OtherImport {
        /// `module::name`.
        import: String,
    },
    /// An import of `wasi_snapshot_preview1` that WASI preview 1 does not have.
    #[error("it imports `{import}`, which WASI preview 1 does not have")]
    UnknownFunction {
        /// `module::name`.
        import: String,
    },
    /// An import of `wasi_snapshot_preview1` with the wrong type.
    #[error("it imports `{import}` with the type {found}; in WASI preview 1 it has {expected}")]
    ImportType {
        /// `module::name`.
        import: String,
        /// Its type in the module.
        found: String,
        /// Its type in WASI.
        expected: String,
    },
    /// There is no `_start`, so a component would have nothing to export.
    #[error("it exports no `_start`: it is a library, and a component of it would export nothing")]
    NoStart,
    /// `_start` has another type than in a command, where it is a function () -> ().
    #[error("its `_start` is {found}, a command's is a function () -> ()")]
    StartType {
        /// Its type or kind.
        found: String,
    },
    /// There is no memory that WASI could read and write.
    #[error(
        "it exports no memory as `memory`, which WASI preview 1 works on{}",
        named(others)
    )]
    NoMemory {
        /// The names of other exported memories.
        others: Vec<String>,
    },
    /// The adapter cannot use the memory.
    #[error("its memory is {what}, which the adapter cannot use")]
    Memory {
        /// For example, `64-bit`.
        what: Cow<'static, str>,
    },
    /// The memory has no room for the adapter.
    #[error("its memory has {} and may have {maximum}: the adapter needs two more", pages(*initial))]
    FixedMemory {
        /// The initial number of pages of 64 KiB.
        initial: u64,
        /// The maximum number of pages of 64 KiB.
        maximum: u64,
    },
    /// The program may fill the memory before the adapter gets its pages.
    #[error(
        "its memory may have at most {}, and it may grow to that before the adapter has its pages",
        pages(*maximum)
    )]
    Maximum {
        /// The maximum number of pages of 64 KiB.
        maximum: u64,
    },
    /// The start section may call an import. In a component, the adapter does not exist yet at this
    /// time.
    #[error("its start section may call `{import}`, before there is an adapter that answers")]
    StartSection {
        /// `module::name`.
        import: String,
    },
    /// An export that the encoder would call.
    #[error("it exports `{name}`, a name with a meaning of its own in a component")]
    ReservedExport {
        /// The export.
        name: String,
    },
    /// A function may use the adapter's pages as the program's own.
    #[error("{function} {asks}, and may take the adapter's memory for the program's")]
    Allocator {
        /// The first such function: its index, and its name if the module has one.
        function: String,
        /// What the function does.
        asks: Cow<'static, str>,
    },
    /// The allocator seems to be one that takes only its own memory. If so, a component works.
    #[error(
        "its allocator looks like {like}, but that does not prove that it takes no memory but its \
         own"
    )]
    LikelyAllocator {
        /// The allocator that it seems to be.
        like: Allocator,
    },
    /// The adapter implements these functions differently from the engine. Apart from that, a
    /// component works.
    #[error("it imports `{}`, which the adapter answers differently", imports.join("`, `"))]
    DifferentFunction {
        /// `module::name` of each.
        imports: Vec<String>,
    },
    /// The program may exit with a code that WASI 0.2 lacks. Apart from that, a component works.
    #[error("it may exit with other codes than 0 and 1, and a component has no others")]
    ExitCode,
    /// The encoder refuses it for another reason.
    #[error("{reason}")]
    Encoder {
        /// The encoder's errors, the outermost first.
        reason: String,
    },
}

fn named(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!(" (it exports one as `{}`)", others.join("`, `")),
    }
}

fn pages(count: u64) -> String {
    match count {
        1 => "1 page".to_owned(),
        count => format!("{count} pages"),
    }
}
