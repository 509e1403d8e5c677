//! The findings of an audit.

use std::fmt;

use serde::{Serialize, Serializer};

/// Something in the code that should not be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The function that contains it; `None` before the first function.
    pub function: Option<Function>,
    /// Where it is, in bytes from the start of the code (`.text`).
    pub offset: u64,
    /// The bytes there, at most fifteen.
    #[serde(serialize_with = "hex")]
    pub bytes: Vec<u8>,
    /// What it is.
    #[serde(flatten)]
    pub problem: Problem,
}

/// A function, as the code shows it: an image of the `edge` profile has no table of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Function {
    /// Counted from 0 in the order of the code.
    pub number: u64,
    /// Where it begins, in bytes from the start of the code.
    pub start: u64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Bytes that are no instruction, no padding, and no constant that an instruction reads.
    Undecodable {
        /// The number of bytes that the audit skipped.
        skipped: u64,
    },
    /// An instruction that native guest code must not have.
    Forbidden {
        /// Its name.
        mnemonic: String,
        /// Why it must not be here.
        class: Forbidden,
    },
    /// An instruction that Cranelift 0.135 does not emit, without a more specific reason.
    Unexpected {
        /// Its name.
        mnemonic: String,
    },
    /// An instruction that the declared CPU features do not cover.
    Feature {
        /// Its name.
        mnemonic: String,
        /// The missing features.
        missing: String,
    },
    /// A branch to a place where no instruction begins, or a call to a place where no function
    /// begins.
    Branch {
        /// Where it leads, in bytes from the start of the code. It can lie outside of the code.
        target: u64,
        /// What is there.
        to: Place,
    },
    /// An exception handler of the engine's table, at a place where no instruction begins.
    Handler {
        /// What is there.
        at: Place,
    },
    /// A place where the engine enters the code, although no function begins there.
    Entry {
        /// What is there.
        at: Place,
    },
    /// A taken address of something other than code, a jump table, or a constant whose address the
    /// compiler takes; or a load from outside the constants.
    Reference {
        /// The address, in bytes from the start of the code. It can lie outside of the code.
        target: u64,
        /// What is there.
        to: Place,
    },
    /// The code runs on into constants, padding or the end.
    RunsOut,
}

/// What is at a place of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The place lies outside of the code.
    Outside,
    /// The inside of an instruction.
    Inside,
    /// A constant or a jump table.
    Data,
    /// Zeros before an aligned part.
    Padding,
    /// Bytes that do not decode.
    Garbage,
    /// An instruction in another function, other than its first.
    OtherFunction,
    /// An instruction in a function, other than its first.
    Body,
    /// An instruction where a constant should be.
    Code,
}

/// Why an instruction must not be in native guest code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Forbidden {
    /// Enters the operating system.
    SystemCall,
    /// Raises an interrupt or debug exception, or returns from one.
    Interrupt,
    /// Talks to devices.
    InputOutput,
    /// For the operating system only. It faults, and no compiler means it.
    Privileged,
    /// Changes or reads the rights of memory protection keys.
    ProtectionKeys,
    /// Loads or saves state of the host: floating-point control, extended state.
    ExtendedState,
    /// Reads, writes or uses segments, which lead to the host's thread-local storage.
    Segment,
    /// Leaves the code segment.
    FarTransfer,
    /// Calls a hypervisor, a secure monitor or an enclave.
    Virtualization,
    /// Reads a clock or counter. Side channels need one for their measurements.
    Clock,
    /// Flushes caches: the half of a side channel that a guest cannot do itself.
    Cache,
    /// Uses transactions, which hide faults.
    Transaction,
    /// Waits, or yields the core.
    Wait,
    /// Changes the shadow stack.
    ShadowStack,
    /// Asks which machine this is.
    Machine,
    /// Reads or writes memory tags.
    MemoryTags,
}

impl Forbidden {
    /// Every class, for documents and tests.
    pub const ALL: [Self; 16] = [
        Self::SystemCall,
        Self::Interrupt,
        Self::InputOutput,
        Self::Privileged,
        Self::ProtectionKeys,
        Self::ExtendedState,
        Self::Segment,
        Self::FarTransfer,
        Self::Virtualization,
        Self::Clock,
        Self::Cache,
        Self::Transaction,
        Self::Wait,
        Self::ShadowStack,
        Self::Machine,
        Self::MemoryTags,
    ];

    /// A short name that does not change between releases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SystemCall => "system-call",
            Self::Interrupt => "interrupt",
            Self::InputOutput => "input-output",
            Self::Privileged => "privileged",
            Self::ProtectionKeys => "protection-keys",
            Self::ExtendedState => "extended-state",
            Self::Segment => "segment",
            Self::FarTransfer => "far-transfer",
            Self::Virtualization => "virtualization",
            Self::Clock => "clock",
            Self::Cache => "cache",
            Self::Transaction => "transaction",
            Self::Wait => "wait",
            Self::ShadowStack => "shadow-stack",
            Self::Machine => "machine",
            Self::MemoryTags => "memory-tags",
        }
    }
}

impl Problem {
    /// A short name for the problem that does not change between releases.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Undecodable { .. } => "undecodable",
            Self::Forbidden { class, .. } => class.name(),
            Self::Unexpected { .. } => "unexpected",
            Self::Feature { .. } => "feature",
            Self::Branch { .. } => "branch",
            Self::Handler { .. } => "handler",
            Self::Entry { .. } => "entry",
            Self::Reference { .. } => "reference",
            Self::RunsOut => "runs-out",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside => "outside the code",
            Self::Inside => "inside an instruction",
            Self::Data => "in a constant or jump table",
            Self::Padding => "in padding",
            Self::Garbage => "in bytes that do not decode",
            Self::OtherFunction => "inside another function",
            Self::Body => "inside a function",
            Self::Code => "at an instruction",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable { skipped } => {
                write!(f, "not an instruction; {skipped} bytes not audited")
            }
            Self::Forbidden { mnemonic, class } => write!(f, "`{mnemonic}` ({})", class.name()),
            Self::Unexpected { mnemonic } => {
                write!(f, "`{mnemonic}`, which the compiler does not emit")
            }
            Self::Feature { mnemonic, missing } => {
                write!(
                    f,
                    "`{mnemonic}` needs {missing}, which the manifest does not declare"
                )
            }
            Self::Branch { target, to } => write!(f, "leads to {target:#x}, {to}"),
            Self::Handler { at } => write!(f, "an exception handler, {at}"),
            Self::Entry { at } => write!(f, "an entry point of the engine, {at}"),
            Self::Reference { target, to } => write!(f, "refers to {target:#x}, {to}"),
            Self::RunsOut => f.write_str("runs on into bytes that are not code"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.offset)?;
        if let Some(function) = self.function {
            let inside = self.offset.saturating_sub(function.start);
            write!(f, " (function {} + {inside:#x})", function.number)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("problem", self.name())?;
        map.serialize_entry("message", &self.to_string())?;
        map.end()
    }
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&text)
}
