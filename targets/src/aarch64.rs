//! aarch64 targets: the base architecture and the cores of real fleets.
//!
//! Sources: Arm Architecture Reference Manual, DDI 0487, section A2 (which version
//! makes which feature mandatory); the cores' technical reference manuals. Of each
//! level only the features that Cranelift 0.135 can use are listed.

use crate::{Arch, CpuFeature, Target};

const LSE: CpuFeature = CpuFeature::new("lse", "has_lse");
const FP16: CpuFeature = CpuFeature::new("fp16", "has_fp16");

pub(crate) const TARGETS: &[Target] = &[
    Target {
        id: "aarch64",
        aliases: &["arm64", "armv8", "armv8.0"],
        arch: Arch::Aarch64,
        level: "Armv8.0-A",
        features: &[],
        machines: "every 64-bit Arm CPU",
        source: "https://developer.arm.com/documentation/ddi0487",
    },
    Target {
        id: "neoverse-n1",
        aliases: &["graviton2", "ampere-altra"],
        arch: Arch::Aarch64,
        level: "Armv8.2-A",
        features: &[LSE, FP16],
        machines: "AWS Graviton2, Ampere Altra",
        source: "https://developer.arm.com/documentation/100616",
    },
];
