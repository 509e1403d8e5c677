//! Why a component might not behave as the core module that it is made of.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An allocator that is recognized by parts of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allocator {
    /// `sbrk` and `dlmalloc` of wasi-libc, since wasi-sdk 20. They use the memory that the linker
    /// gave them, and what `memory.grow` returns. They expect that others grow the memory in
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

/// What a host must offer to run a core module as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostNeed {
    /// WASI preview 1, as `edgec run` does; it then calls `_start`.
    Preview1,
    /// Imports that are not of WASI preview 1.
    Imports,
    /// No other imports than those of WASI preview 1, but calls of its exports: it has no `_start`
    /// of a command.
    Calls,
}

/// How a component that works differs from the core module that it was made of: at least one
/// obstacle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacks(Vec<Obstacle>);

impl Lacks {
    /// `None` if nothing differs.
    pub(crate) fn new(obstacles: Vec<Obstacle>) -> Option<Self> {
        (!obstacles.is_empty()).then_some(Self(obstacles))
    }

    /// What differs.
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

/// Why a component might not behave as the core module does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// An import that no adapter implements.
    #[error("it imports `{import}`, which is not of WASI preview 1")]
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
    #[error("it imports `{import}` with the type {found}, WASI preview 1 has it as {expected}")]
    ImportType {
        /// `module::name`.
        import: String,
        /// Its type in the module.
        found: String,
        /// Its type in WASI.
        expected: String,
    },
    /// No `_start`: nothing that a component could export.
    #[error("it exports no `_start`: it is a library, and a component of it would export nothing")]
    NoStart,
    /// A `_start` of another type than a command's, which is a function () -> ().
    #[error("its `_start` is {found}, a command's is a function () -> ()")]
    StartType {
        /// What it is.
        found: String,
    },
    /// No memory that WASI could read and write.
    #[error(
        "it exports no memory as `memory`, which WASI preview 1 works on{}",
        named(others)
    )]
    NoMemory {
        /// The names under which it exports memories.
        others: Vec<String>,
    },
    /// A memory that the adapter cannot use.
    #[error("its memory is {what}, which the adapter cannot use")]
    Memory {
        /// For example, `64-bit`.
        what: Cow<'static, str>,
    },
    /// A memory without room for the adapter.
    #[error("its memory has {} and may have {maximum}: the adapter needs two more", pages(*initial))]
    FixedMemory {
        /// Pages of 64 KiB at instantiation.
        initial: u64,
        /// Pages of 64 KiB at most.
        maximum: u64,
    },
    /// A memory that the program may fill up before the adapter has its pages.
    #[error(
        "its memory may have at most {}, and it may grow to that before the adapter has its own",
        pages(*maximum)
    )]
    Maximum {
        /// Pages of 64 KiB at most.
        maximum: u64,
    },
    /// A start section that may call an import: in a component, the adapter does not exist yet.
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
    /// A function that may use the adapter's pages as the program's own.
    #[error("{function} {asks}, and may take the adapter's memory for the program's")]
    Allocator {
        /// The first such function: its index, and its name where the module has one.
        function: String,
        /// What it does.
        asks: Cow<'static, str>,
    },
    /// An allocator that takes no memory but its own, if it is what it looks like. A component
    /// works then.
    #[error(
        "its allocator looks like {like}, but that does not prove that it takes no memory but its \
         own"
    )]
    LikelyAllocator {
        /// What it looks like.
        like: Allocator,
    },
    /// Functions that the adapter implements in another way than the engine. A component works
    /// otherwise.
    #[error("it imports `{}`, which the adapter answers differently", imports.join("`, `"))]
    DifferentFunction {
        /// `module::name` of each.
        imports: Vec<String>,
    },
    /// An exit code that WASI 0.2 does not have. A component works otherwise.
    #[error("it may exit with other codes than 0 and 1, and a component has no others")]
    ExitCode,
    /// Something else that the encoder does not accept.
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
