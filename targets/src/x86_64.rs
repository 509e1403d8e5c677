//! x86-64 targets: the micro-architecture levels of the psABI, and the cores of real fleets.
//!
//! Sources: x86-64 psABI, section 3.1.1, table 3.1 (<https://gitlab.com/x86-psABIs/x86-64-ABI>).
//! For cores, the `-march` list of GCC's manual
//! (<https://gcc.gnu.org/onlinedocs/gcc/x86-Options.html>), which follows the makers' manuals. Only
//! features that Cranelift 0.135 can use are listed (`meta/src/isa/x86.rs`), and for a core only
//! those that firmware and hypervisors leave on.

use crate::{Arch, CpuFeature, Target, Tier, UnusedFlag};

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
const BITALG: CpuFeature = CpuFeature::new("avx512bitalg", "has_avx512bitalg");
const VBMI: CpuFeature = CpuFeature::new("avx512vbmi", "has_avx512vbmi");
const VNNI: CpuFeature = CpuFeature::new("avx512vnni", "has_avx512vnni");
const AVX_VNNI: CpuFeature = CpuFeature::new("avxvnni", "has_avx_vnni");

const V2: &[CpuFeature] = &[SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT];
const V3: &[CpuFeature] = &[
    SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, FMA, LZCNT,
];
const V4: &[CpuFeature] = &[
    SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, FMA, LZCNT, AVX512F,
    AVX512DQ, AVX512VL,
];
/// Adds the features of Ice Lake and Zen 4.
const BYTES: &[CpuFeature] = &[
    SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, FMA, LZCNT, AVX512F,
    AVX512DQ, AVX512VL, BITALG, VBMI, VNNI,
];
/// Adds the features of Sapphire Rapids and Zen 5.
const DOTS: &[CpuFeature] = &[
    SSE3, SSSE3, CMPXCHG16B, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, FMA, LZCNT, AVX512F,
    AVX512DQ, AVX512VL, BITALG, VBMI, VNNI, AVX_VNNI,
];

const PSABI: &str = "https://gitlab.com/x86-psABIs/x86-64-ABI, section 3.1.1, table 3.1";
const GCC: &str = "https://gcc.gnu.org/onlinedocs/gcc/x86-Options.html, -march";

/// Flags that no target sets.
pub(crate) const UNUSED: &[UnusedFlag] = &[];

pub(crate) const TARGETS: &[Target] = &[
    Target {
        id: "x86_64",
        aliases: &["x86_64-v2", "x86-64", "x86-64-v2", "amd64"],
        arch: Arch::X86_64,
        level: "x86-64-v2",
        features: V2,
        tier: Tier::Executed,
        machines: "every server CPU since 2011 (Nehalem, Bulldozer and later)",
        source: PSABI,
    },
    Target {
        id: "x86_64-v1",
        aliases: &["x86-64-v1"],
        arch: Arch::X86_64,
        level: "x86-64-v1",
        features: &[],
        tier: Tier::Executed,
        machines: "every x86-64 CPU",
        source: PSABI,
    },
    Target {
        id: "x86_64-v3",
        aliases: &["x86-64-v3"],
        arch: Arch::X86_64,
        level: "x86-64-v3",
        features: V3,
        tier: Tier::Executed,
        machines: "Haswell, Zen and later",
        source: PSABI,
    },
    Target {
        id: "x86_64-v4",
        aliases: &["x86-64-v4"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: V4,
        tier: Tier::Compiled,
        machines: "Skylake-SP, Zen 4 and later",
        source: PSABI,
    },
    Target {
        id: "haswell",
        aliases: &["core-avx2", "broadwell"],
        arch: Arch::X86_64,
        level: "x86-64-v3",
        features: V3,
        tier: Tier::Executed,
        machines: "Intel Xeon E5 v3 and v4",
        source: GCC,
    },
    Target {
        id: "skylake-sp",
        aliases: &["skylake-avx512", "skx"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: V4,
        tier: Tier::Compiled,
        machines: "Intel Xeon Scalable, first generation and later",
        source: GCC,
    },
    Target {
        id: "icelake-server",
        aliases: &["icelake-sp"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: BYTES,
        tier: Tier::Compiled,
        machines: "Intel Xeon Scalable, third generation (Ice Lake)",
        source: GCC,
    },
    Target {
        id: "sapphire-rapids",
        aliases: &["sapphirerapids", "emerald-rapids"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: DOTS,
        tier: Tier::Compiled,
        machines: "Intel Xeon Scalable, fourth and fifth generation",
        source: GCC,
    },
    Target {
        id: "znver2",
        aliases: &["zen2", "rome"],
        arch: Arch::X86_64,
        level: "x86-64-v3",
        features: V3,
        tier: Tier::Executed,
        machines: "AMD EPYC 7002",
        source: GCC,
    },
    Target {
        id: "znver3",
        aliases: &["zen3", "milan"],
        arch: Arch::X86_64,
        level: "x86-64-v3",
        features: V3,
        tier: Tier::Executed,
        machines: "AMD EPYC 7003",
        source: GCC,
    },
    Target {
        id: "znver4",
        aliases: &["zen4", "genoa"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: BYTES,
        tier: Tier::Compiled,
        machines: "AMD EPYC 9004",
        source: GCC,
    },
    Target {
        id: "znver5",
        aliases: &["zen5", "turin"],
        arch: Arch::X86_64,
        level: "x86-64-v4",
        features: DOTS,
        tier: Tier::Compiled,
        machines: "AMD EPYC 9005",
        source: GCC,
    },
];
