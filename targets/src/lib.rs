//! The registry of CPU targets that edgec compiles for.
//!
//! A [`Target`] has a name, a triple, the Cranelift flags of its level, and the CPU features that a
//! host needs for them. [`HostCpu`] is what a machine offers, and [`Target::fits`] compares the
//! two. The crate also has what compiler and verifier must spell alike: [`EngineProfile`] names
//! engine settings, [`EngineSettings`] lists them, [`ProgramKind`] is the kind of a program,
//! [`import_text`] writes a core module's imports, [`pattern_matches`] compares names with
//! patterns, and [`nearest_name`] finds the name that was probably meant. It contains data and
//! comparisons. It touches no files, and knows neither the engine nor signatures.
//!
//! To add a target, add one constant in `x86_64.rs` or `aarch64.rs`.

#![forbid(unsafe_code)]

mod aarch64;
mod cover;
mod edits;
mod host;
mod import;
mod kind;
mod near;
mod pattern;
mod profile;
mod registry;
mod settings;
mod x86_64;

pub use cover::{Assignment, Cover, Uncovered, cover};
pub use host::{HostCpu, Misfit};
pub use import::import_text;
pub use kind::ProgramKind;
pub use near::{nearest_alike, nearest_name};
pub use pattern::pattern_matches;
pub use profile::{EngineProfile, UnknownProfile};
pub use registry::{Rank, UnknownTarget, all, default_targets, find};
pub use settings::{EngineSettings, HeapSettings};

/// A CPU architecture family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86, little-endian.
    X86_64,
    /// 64-bit Arm, little-endian.
    Aarch64,
}

impl Arch {
    /// Every family.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The family whose name begins triples with `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == name)
    }

    /// The family with this name, in edgec or in other tools (Docker, Debian, Apple).
    pub fn called(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|arch| arch.name() == name || arch.aliases().contains(&name))
    }

    /// The family's names in other tools. Each is also an alias of the family's default target.
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => &["x86-64", "amd64"],
            Arch::Aarch64 => &["arm64"],
        }
    }

    /// The family with this `e_machine`.
    pub fn of_elf_machine(machine: u16) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|arch| arch.elf_machine() == machine)
    }

    /// The code generator's flags for this family that no target sets. Targets use all other flags.
    pub const fn unused_flags(self) -> &'static [UnusedFlag] {
        match self {
            Arch::X86_64 => x86_64::UNUSED,
            Arch::Aarch64 => aarch64::UNUSED,
        }
    }

    /// The name with which the family's triples begin.
    pub const fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// The value of `e_machine` in an ELF header (System V gABI, "ELF Header").
    pub const fn elf_machine(self) -> u16 {
        match self {
            Arch::X86_64 => 62,   // EM_X86_64
            Arch::Aarch64 => 183, // EM_AARCH64
        }
    }

    /// The alignment of the code in an image, in bytes: the largest page size that a Linux kernel
    /// for this family may be configured with.
    pub const fn page_size(self) -> u64 {
        match self {
            Arch::X86_64 => 4096,
            Arch::Aarch64 => 65536,
        }
    }

    /// The triple of every target of the family. One operating system is enough, because the
    /// engine's code is position-independent and calls no C library.
    pub const fn triple(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-linux-gnu",
            Arch::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The triple, and the triple with each alias of the family in front. A pattern for the whole
    /// family may match any of them.
    pub const fn triples(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => &[
                "x86_64-unknown-linux-gnu",
                "x86-64-unknown-linux-gnu",
                "amd64-unknown-linux-gnu",
            ],
            Arch::Aarch64 => &["aarch64-unknown-linux-gnu", "arm64-unknown-linux-gnu"],
        }
    }
}

/// One CPU feature. A host must have it if Cranelift may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuFeature {
    /// The name in Rust and LLVM, for example `avx2` or `lse`.
    pub name: &'static str,
    /// The Cranelift flag that lets the code generator use it, for example `has_avx2`.
    pub cranelift_flag: &'static str,
}

/// A flag of the code generator that no target sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusedFlag {
    /// The Cranelift flag, for example `has_pauth`.
    pub cranelift_flag: &'static str,
    /// Why no target sets it.
    pub reason: &'static str,
}

impl CpuFeature {
    const fn new(name: &'static str, cranelift_flag: &'static str) -> Self {
        Self {
            name,
            cranelift_flag,
        }
    }
}

/// How the project's tests check a target's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Tier 1: the tests run it, on such a CPU or in an emulator of one.
    Executed,
    /// Tier 2: the tests compile it and examine the image.
    Compiled,
}

impl Tier {
    /// The tier's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Executed => 1,
            Self::Compiled => 2,
        }
    }
}

/// One CPU target: a micro-architecture level of one family.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// The name on the command line and in the manifest, for example `x86_64-v3`.
    pub id: &'static str,
    /// Other names that mean the same target.
    pub aliases: &'static [&'static str],
    /// The family.
    pub arch: Arch,
    /// The micro-architecture level, as its source names it.
    pub level: &'static str,
    /// The features that code for this target may use. All others are off.
    pub features: &'static [CpuFeature],
    /// How far the tests check it.
    pub tier: Tier,
    /// The machines that have it, in a few words.
    pub machines: &'static str,
    /// The source of these facts.
    pub source: &'static str,
}

impl Target {
    /// The target triple.
    pub const fn triple(&self) -> &'static str {
        self.arch.triple()
    }

    /// All names that may stand for the target or its family: id, aliases, triples.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let names = std::iter::once(self.id).chain(self.aliases.iter().copied());
        names.chain(self.arch.triples().iter().copied())
    }

    /// The first target of the registry that has the same code, byte for byte: the code generator
    /// knows CPUs only by their features. `None` if no earlier target has the same code.
    pub fn same_code_as(&self) -> Option<&'static Target> {
        all()
            .take_while(|other| other.id != self.id)
            .find(|other| self.has_code_of(other))
    }

    /// Whether both targets have the same code: only the features affect it.
    pub fn has_code_of(&self, other: &Target) -> bool {
        self.contains(other) && other.contains(self)
    }

    /// Whether this target uses every feature of `other`, so that its hosts run the other's code
    /// too.
    pub fn contains(&self, other: &Target) -> bool {
        let mut theirs = other.features.iter();
        self.arch == other.arch && theirs.all(|feature| self.features.contains(feature))
    }

    /// Whether code for this target runs on `host`.
    ///
    /// # Errors
    ///
    /// [`Misfit`]: another family, or all missing features.
    pub fn fits(&self, host: &HostCpu) -> Result<(), Misfit> {
        host.can_run(self.arch.name(), self.features.iter().map(|f| f.name))
    }
}
