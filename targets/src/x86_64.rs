//! x86-64 targets: the micro-architecture levels of the psABI.
//!
//! Source: x86-64 psABI, section 3.1.1, table 3.1
//! (<https://gitlab.com/x86-psABIs/x86-64-ABI>). Of each level only the features
//! that Cranelift 0.135 can use are listed.

use crate::{Arch, CpuFeature, Target};

const SSE3: CpuFeature = CpuFeature::new("sse3", "has_sse3");
const SSSE3: CpuFeature = CpuFeature::new("ssse3", "has_ssse3");
const CMPXCHG16B: CpuFeature = CpuFeature::new("cmpxchg16b", "has_cmpxchg16b");
const SSE41: CpuFeature = CpuFeature::new("sse4.1", "has_sse41");
const SSE42: CpuFeature = CpuFeature::new("sse4.2", "has_sse42");
const POPCNT: CpuFeature = CpuFeature::new("popcnt", "has_popcnt");
const AVX: CpuFeature = CpuFeature::new("avx", "has_avx");
const AVX2: CpuFeature = CpuFeature::new("avx2", "has_avx2");
const BMI1: CpuFeature = CpuFeature::new("bmi1", "has_bmi1");
const BMI2: CpuFeature = CpuFeature::new("bmi2", "has_bmi2");
const FMA: CpuFeature = CpuFeature::new("fma", "has_fma");
const LZCNT: CpuFeature = CpuFeature::new("lzcnt", "has_lzcnt");
const AVX512F: CpuFeature = CpuFeature::new("avx512f", "has_avx512f");
const AVX512DQ: CpuFeature = CpuFeature::new("avx512dq", "has_avx512dq");
const AVX512VL: CpuFeature = CpuFeature::new("avx512vl", "has_avx512vl");

const PSABI: &str = "https://gitlab.com/x86-psABIs/x86-64-ABI";

pub(crate) const TARGETS: &[Target] = &[
    Target {
        id: "x86_64",
        aliases: &["x86_64-v2", "x86-64", "x86-64-v2", "amd64"],
        arch: Arch::X86_64,
        level: "x86-64-v2",
        features: &[SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT],
        machines: "every server CPU since 2011 (Nehalem, Bulldozer and later)",
        source: PSABI,
    },
    Target {
        id: "x86_64-v1",
        aliases: &["x86-64-v1"],
        arch: Arch::X86_64,
        level: "x86-64-v1",
        features: &[],
        machines: "every x86-64 CPU",
        source: PSABI,
    },
    Target {
        id: "x86_64-v3",
        aliases: &["x86-64-v3"],
        arch: Arch::X86_64,
        level: "x86-64-v3",
        features: &[
            SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, FMA, LZCNT,
        ],
        machines: "Haswell, Zen and later",
        source: PSABI,
    },
    Target {
        id: "x86_64-v4",
        aliases: &["x86-64-v4"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: &[
            SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, FMA, LZCNT,
            AVX512F, AVX512DQ, AVX512VL,
        ],
        machines: "Skylake-SP, Zen 4 and later",
        source: PSABI,
    },
];
