//! aarch64 targets: versions of the architecture, and the cores of real fleets.
//!
//! Sources: Arm Architecture Reference Manual, DDI 0487, section A2 (which version makes which
//! feature mandatory); the technical reference manuals of the cores. Only features that Cranelift
//! 0.135 can use are listed (`meta/src/isa/arm64.rs`). So SVE is not listed. Pointer authentication
//! is not listed either: it changes code only with a setting that the profiles leave off, and
//! hypervisors hide it. A product that uses another maker's core is an alias of that core.

use crate::{Arch, CpuFeature, Target, Tier, UnusedFlag};

const LSE: CpuFeature = CpuFeature::new("lse", "has_lse");
const FP16: CpuFeature = CpuFeature::new("fp16", "has_fp16");
const DOTPROD: CpuFeature = CpuFeature::new("dotprod", "has_dotprod");
const I8MM: CpuFeature = CpuFeature::new("i8mm", "has_i8mm");

const ARM: &str = "https://developer.arm.com/documentation/ddi0487, section A2";

/// Flags that no target sets.
pub(crate) const UNUSED: &[UnusedFlag] = &[
    UnusedFlag {
        cranelift_flag: "has_pauth",
        reason: "it changes no code by itself, and hypervisors hide the feature",
    },
    UnusedFlag {
        cranelift_flag: "sign_return_address",
        reason: "it is not a CPU feature but a way to generate code, and the profiles leave it off",
    },
    UnusedFlag {
        cranelift_flag: "sign_return_address_all",
        reason: "it changes no code unless return addresses are signed",
    },
    UnusedFlag {
        cranelift_flag: "sign_return_address_with_bkey",
        reason: "it changes no code unless return addresses are signed",
    },
    UnusedFlag {
        cranelift_flag: "use_bti",
        reason: "it is not a CPU feature but a way to generate code, and the profiles leave it off",
    },
    UnusedFlag {
        cranelift_flag: "use_csdb",
        reason: "it is not a CPU feature but a way to generate code, and the profiles leave it off",
    },
];

pub(crate) const TARGETS: &[Target] = &[
    Target {
        id: "aarch64",
        aliases: &["arm64", "armv8", "armv8-a", "armv8.0", "armv8.0-a"],
        arch: Arch::Aarch64,
        level: "Armv8.0-A",
        features: &[],
        tier: Tier::Executed,
        machines: "every 64-bit Arm CPU",
        source: ARM,
    },
    Target {
        id: "armv8.1-a",
        aliases: &["armv8.1"],
        arch: Arch::Aarch64,
        level: "Armv8.1-A",
        features: &[LSE],
        tier: Tier::Executed,
        machines: "every server CPU since 2019 (atomic instructions)",
        source: ARM,
    },
    Target {
        id: "armv8.2-a",
        aliases: &["armv8.2"],
        arch: Arch::Aarch64,
        level: "Armv8.2-A",
        features: &[LSE],
        tier: Tier::Executed,
        machines: "Neoverse N1 and later",
        source: ARM,
    },
    Target {
        id: "armv9.0-a",
        aliases: &["armv9", "armv9-a", "armv9.0"],
        arch: Arch::Aarch64,
        level: "Armv9.0-A",
        features: &[LSE, DOTPROD],
        tier: Tier::Executed,
        machines: "Neoverse N2, V2 and later",
        source: ARM,
    },
    Target {
        id: "neoverse-n1",
        aliases: &["graviton2", "ampere-altra", "altra"],
        arch: Arch::Aarch64,
        level: "Armv8.2-A",
        features: &[LSE, FP16, DOTPROD],
        tier: Tier::Executed,
        machines: "AWS Graviton2, Ampere Altra",
        source: "https://developer.arm.com/documentation/100616",
    },
    Target {
        id: "neoverse-v1",
        aliases: &["graviton3"],
        arch: Arch::Aarch64,
        level: "Armv8.4-A",
        features: &[LSE, FP16, DOTPROD, I8MM],
        tier: Tier::Executed,
        machines: "AWS Graviton3",
        source: "https://developer.arm.com/documentation/101427",
    },
    Target {
        id: "neoverse-n2",
        aliases: &["cobalt", "cobalt-100"],
        arch: Arch::Aarch64,
        level: "Armv9.0-A",
        features: &[LSE, FP16, DOTPROD, I8MM],
        tier: Tier::Executed,
        machines: "Azure Cobalt 100",
        source: "https://developer.arm.com/documentation/102099",
    },
    Target {
        id: "neoverse-v2",
        aliases: &["graviton4", "axion", "grace"],
        arch: Arch::Aarch64,
        level: "Armv9.0-A",
        features: &[LSE, FP16, DOTPROD, I8MM],
        tier: Tier::Executed,
        machines: "AWS Graviton4, Google Axion, Nvidia Grace",
        source: "https://developer.arm.com/documentation/102375",
    },
    Target {
        id: "ampereone",
        aliases: &["ampere1"],
        arch: Arch::Aarch64,
        level: "Armv8.6-A",
        features: &[LSE, FP16, DOTPROD, I8MM],
        tier: Tier::Executed,
        machines: "AmpereOne",
        source: "https://gcc.gnu.org/onlinedocs/gcc/AArch64-Options.html, -mcpu=ampere1",
    },
];
