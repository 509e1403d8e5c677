//! What an audit can find.

use std::fmt;

use serde::{Serialize, Serializer};

/// Something in the code that should not be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The function that it is in; `None` in front of the first function.
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

/// A function, as its code shows it: an image of the `edge` profile has no table of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Function {
    /// Counted from 0 in the order of the code.
    pub number: u64,
    /// Where it begins, in bytes from the start of the code.
    pub start: u64,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Bytes that are no instruction, no constant that something reads, and no padding.
    Undecodable {
        /// How many bytes were passed over, and are not audited.
        skipped: u64,
    },
    /// An instruction that native guest code has no business with.
    Forbidden {
        /// Its name.
        mnemonic: String,
        /// Why it has no place here.
        class: Forbidden,
    },
    /// An instruction that Cranelift 0.135 does not emit, without a reason more particular.
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
    /// A branch or a call that does not lead to where an instruction, or for a call a function,
    /// begins.
    Branch {
        /// Where it leads, in bytes from the start of the code; it may lie outside.
        target: u64,
        /// What is there.
        to: Place,
    },
    /// An exception handler of the engine's table where no instruction begins.
    Handler {
        /// What is there.
        at: Place,
    },
    /// A place where the engine enters the code, and no function begins.
    Entry {
        /// What is there.
        at: Place,
    },
    /// An address that is taken, of something that is no code, no jump table and no constant of
    /// which the compiler takes the address; or a load from outside the constants.
    Reference {
        /// The address, in bytes from the start of the code; it may lie outside.
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
    /// Nothing: it lies outside the code.
    Outside,
    /// The inside of an instruction.
    Inside,
    /// A constant or a jump table.
    Data,
    /// Zeros in front of what is aligned.
    Padding,
    /// Bytes that do not decode.
    Garbage,
    /// An instruction of another function that is not its first.
    OtherFunction,
    /// An instruction of a function that is not its first.
    Body,
    /// An instruction, where a constant is to be.
    Code,
}

/// Why an instruction has no place in native guest code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Forbidden {
    /// Enters the operating system.
    SystemCall,
    /// Raises an interrupt or debug exception, or returns from one.
    Interrupt,
    /// Talks to devices.
    InputOutput,
    /// For the operating system only: it faults, and is never meant.
    Privileged,
    /// Changes or reads the rights of memory protection keys.
    ProtectionKeys,
    /// Loads or saves state of the host: floating-point control, extended state.
    ExtendedState,
    /// Reads, writes or goes through segments: the host's thread-local storage is behind them.
    Segment,
    /// Leaves the code segment.
    FarTransfer,
    /// Calls a hypervisor, a secure monitor or an enclave.
    Virtualization,
    /// Reads a clock or counter: what side channels are measured with.
    Clock,
    /// Flushes caches: the half of a side channel that a guest cannot do itself.
    Cache,
    /// Transactions, which hide faults.
    Transaction,
    /// Waits, or gives the core away.
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
