//! x86-64: what an encoding alone decides, without its operands: whether it is allowed, and which
//! features it needs.
//!
//! Sources: Intel SDM, volume 2 and 3, chapter 5.9 (privileged instructions).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use iced_x86::{Code, CpuidFeature, FlowControl, Mnemonic};

use super::Forbidden;
use super::decoder::Verdict;
use super::features::{Names, UNKNOWN, named};
use super::x86_64_list::{EMITTED, EMITTED_EVEX};

/// Features beyond the base, which has SSE2. Only features that an allowed instruction can need are
/// here.
pub(super) const FEATURES: Names = &[
    "avx",
    "avx2",
    "avx512bitalg",
    "avx512dq",
    "avx512f",
    "avx512vbmi",
    "avx512vl",
    "avx512vnni",
    "avxvnni",
    "bmi1",
    "bmi2",
    "cmpxchg16b",
    "fma",
    "lzcnt",
    "popcnt",
    "sse3",
    "sse4.1",
    "sse4.2",
    "ssse3",
    UNKNOWN,
];

/// The feature in the spelling of manifests; `None` for features of every x86-64.
fn feature(feature: CpuidFeature) -> Option<&'static str> {
    use CpuidFeature as F;
    Some(match feature {
        F::INTEL8086 | F::INTEL186 | F::INTEL286 | F::INTEL386 | F::INTEL486 | F::X64 => {
            return None;
        }
        F::CMOV | F::SSE | F::SSE2 | F::MULTIBYTENOP => return None,
        F::AVX => "avx",
        F::AVX2 => "avx2",
        F::AVX512_BITALG => "avx512bitalg",
        F::AVX512DQ => "avx512dq",
        F::AVX512F => "avx512f",
        F::AVX512_VBMI => "avx512vbmi",
        F::AVX512VL => "avx512vl",
        F::AVX512_VNNI => "avx512vnni",
        F::AVX_VNNI => "avxvnni",
        F::BMI1 => "bmi1",
        F::BMI2 => "bmi2",
        F::CMPXCHG16B => "cmpxchg16b",
        F::FMA => "fma",
        F::LZCNT => "lzcnt",
        F::POPCNT => "popcnt",
        F::SSE3 => "sse3",
        F::SSE4_1 => "sse4.1",
        F::SSE4_2 => "sse4.2",
        F::SSSE3 => "ssse3",
        _ => UNKNOWN,
    })
}

/// The classes of instructions that are forbidden by name. [`forbidden_form`] has the forms of
/// allowed names.
fn forbidden(mnemonic: Mnemonic) -> Option<Forbidden> {
    use Mnemonic as M;
    Some(match mnemonic {
        M::Syscall | M::Sysenter | M::Sysexit | M::Sysexitq | M::Sysret | M::Sysretq => {
            Forbidden::SystemCall
        }
        M::Int | M::Int1 | M::Int3 | M::Into | M::Iret | M::Iretd | M::Iretq | M::Bound => {
            Forbidden::Interrupt
        }
        M::Uiret | M::Clui | M::Stui | M::Testui | M::Senduipi => Forbidden::Interrupt,
        M::In | M::Out | M::Insb | M::Insw | M::Insd | M::Outsb | M::Outsw | M::Outsd => {
            Forbidden::InputOutput
        }
        M::Wrpkru | M::Rdpkru => Forbidden::ProtectionKeys,
        M::Xsave | M::Xsave64 | M::Xsavec | M::Xsavec64 | M::Xsaveopt | M::Xsaveopt64 => {
            Forbidden::ExtendedState
        }
        M::Xsaves | M::Xsaves64 | M::Xrstor | M::Xrstor64 | M::Xrstors | M::Xrstors64 => {
            Forbidden::ExtendedState
        }
        M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64 | M::Xsetbv | M::Xgetbv => {
            Forbidden::ExtendedState
        }
        M::Ldmxcsr | M::Vldmxcsr | M::Stmxcsr | M::Vstmxcsr | M::Fldcw | M::Fldenv => {
            Forbidden::ExtendedState
        }
        M::Fninit | M::Frstor | M::Fnsave | M::Emms | M::Vzeroall => Forbidden::ExtendedState,
        M::Rdfsbase | M::Rdgsbase | M::Wrfsbase | M::Wrgsbase | M::Swapgs | M::Lkgs => {
            Forbidden::Segment
        }
        M::Lds | M::Les | M::Lfs | M::Lgs | M::Lss | M::Verr | M::Verw | M::Lar | M::Lsl => {
            Forbidden::Segment
        }
        M::Retf => Forbidden::FarTransfer,
        M::Vmcall | M::Vmmcall | M::Vmfunc | M::Vmlaunch | M::Vmresume | M::Vmrun | M::Vmgexit => {
            Forbidden::Virtualization
        }
        M::Enclu | M::Encls | M::Enclv | M::Tdcall | M::Seamcall | M::Seamret | M::Seamops => {
            Forbidden::Virtualization
        }
        M::Rdtsc | M::Rdtscp | M::Rdpmc | M::Rdpru => Forbidden::Clock,
        M::Clflush | M::Clflushopt | M::Clwb | M::Cldemote | M::Clzero => Forbidden::Cache,
        M::Prefetch | M::Prefetchw | M::Prefetchwt1 | M::Prefetchnta => Forbidden::Cache,
        M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 => Forbidden::Cache,
        M::Prefetchit0 | M::Prefetchit1 => Forbidden::Cache,
        M::Xbegin | M::Xend | M::Xabort | M::Xtest | M::Xsusldtrk | M::Xresldtrk => {
            Forbidden::Transaction
        }
        M::Monitor | M::Monitorx | M::Mwait | M::Mwaitx | M::Umonitor | M::Umwait | M::Tpause => {
            Forbidden::Wait
        }
        M::Pause => Forbidden::Wait,
        M::Incsspd | M::Incsspq | M::Rdsspd | M::Rdsspq | M::Saveprevssp | M::Rstorssp => {
            Forbidden::ShadowStack
        }
        M::Wrssd | M::Wrssq | M::Wrussd | M::Wrussq | M::Setssbsy | M::Clrssbsy => {
            Forbidden::ShadowStack
        }
        M::Cpuid | M::Rdpid | M::Sgdt | M::Sidt | M::Sldt | M::Str | M::Smsw => Forbidden::Machine,
        _ => return None,
    })
}

/// Forbidden forms of allowed names.
fn forbidden_form(code: Code) -> Option<Forbidden> {
    Some(match code {
        Code::Mov_r64_cr | Code::Mov_cr_r64 | Code::Mov_r64_dr | Code::Mov_dr_r64 => {
            Forbidden::Privileged
        }
        Code::Mov_rm16_Sreg
        | Code::Mov_r32m16_Sreg
        | Code::Mov_r64m16_Sreg
        | Code::Mov_Sreg_rm16
        | Code::Mov_Sreg_r32m16
        | Code::Mov_Sreg_r64m16
        | Code::Pushw_FS
        | Code::Pushq_FS
        | Code::Pushw_GS
        | Code::Pushq_GS
        | Code::Popw_FS
        | Code::Popq_FS
        | Code::Popw_GS
        | Code::Popq_GS => Forbidden::Segment,
        Code::Jmp_m1616
        | Code::Jmp_m1632
        | Code::Jmp_m1664
        | Code::Call_m1616
        | Code::Call_m1632
        | Code::Call_m1664 => Forbidden::FarTransfer,
        _ => return None,
    })
}

/// Encodings of allowed names that the compiler does not use. Its vectors have 128 bits. The same
/// name can stand for a string instruction, an MMX form or an absolute address of eight bytes. Few
/// instructions have an EVEX form in the compiler.
fn other_form(code: Code, evex: &BTreeSet<Mnemonic>) -> bool {
    let name = format!("{code:?}");
    let strange = ["_mm_", "_mmm64", "moffs", "ymm", "zmm", "_F6r1", "_F7r1"];
    strange.iter().any(|part| name.contains(part))
        || name.ends_with("_mm")
        || matches!(code, Code::Movsd_m32_m32 | Code::Cmpsd_m32_m32)
        || name.starts_with("EVEX_") && !evex.contains(&code.mnemonic())
}

/// The facts about an encoding.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) verdict: Verdict,
    pub(super) features: u64,
    pub(super) flow: FlowControl,
}

/// The facts by [`Code`].
pub(super) fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mnemonics = |list: &str| -> BTreeSet<Mnemonic> {
            let list: BTreeSet<&str> = list.split_whitespace().collect();
            let listed = |it: &Mnemonic| list.contains(format!("{it:?}").to_lowercase().as_str());
            Mnemonic::values().filter(listed).collect()
        };
        let (emitted, evex) = (mnemonics(EMITTED), mnemonics(EMITTED_EVEX));
        let known = |code: Code| {
            let mnemonic = code.mnemonic();
            let needed = code.cpuid_features().iter().copied().filter_map(feature);
            let allowed = emitted.contains(&mnemonic)
                && !other_form(code, &evex)
                && needed.clone().all(|name| name != UNKNOWN);
            let verdict = match forbidden_form(code).or_else(|| forbidden(mnemonic)) {
                Some(class) => Verdict::Forbidden(class),
                None if allowed => Verdict::Fine,
                None if code.is_privileged() => Verdict::Forbidden(Forbidden::Privileged),
                None => Verdict::Unexpected,
            };
            Known {
                verdict,
                // A forbidden or unexpected instruction is reported once, without its features.
                features: match verdict {
                    Verdict::Fine => needed.fold(0, |bits, name| bits | named(FEATURES, name)),
                    _ => 0,
                },
                flow: code.flow_control(),
            }
        };
        Code::values().map(known).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every feature is needed by an allowed encoding, and no allowed encoding needs another
    /// feature.
    #[test]
    fn features_are_those_of_allowed_encodings() {
        let fine = known().iter();
        let fine = fine.filter(|known| matches!(known.verdict, Verdict::Fine));
        let used = fine.fold(0, |bits, known| bits | known.features);
        for name in FEATURES {
            assert_eq!(
                used & named(FEATURES, name) != 0,
                *name != UNKNOWN,
                "{name}"
            );
        }
    }

    /// If two instructions have one name, only the vector instruction is allowed.
    #[test]
    fn forms_are_told_apart() {
        let allowed = |code: Code| {
            let known = known().get(code as usize).unwrap();
            matches!(known.verdict, Verdict::Fine)
        };
        for (one, other) in [
            (Code::Movsd_xmm_xmmm64, Code::Movsd_m32_m32),
            (Code::Cmpsd_xmm_xmmm64_imm8, Code::Cmpsd_m32_m32),
            (Code::Paddb_xmm_xmmm128, Code::Paddb_mm_mmm64),
            (Code::Movd_xmm_rm32, Code::Movd_mm_rm32),
            (Code::Movq_xmm_rm64, Code::Movq_rm64_mm),
            (Code::Movq_xmmm64_xmm, Code::Movq_mmm64_mm),
            (Code::Pmovmskb_r32_xmm, Code::Pmovmskb_r32_mm),
            (Code::Pextrw_r32_xmm_imm8, Code::Pextrw_r32_mm_imm8),
            (Code::Mov_r64_rm64, Code::Mov_RAX_moffs64),
            (Code::Mov_rm8_r8, Code::Mov_moffs8_AL),
            (Code::Test_rm32_imm32, Code::Test_rm32_imm32_F7r1),
            (
                Code::VEX_Vaddps_xmm_xmm_xmmm128,
                Code::VEX_Vaddps_ymm_ymm_ymmm256,
            ),
            (
                Code::EVEX_Vaddpd_xmm_k1z_xmm_xmmm128b64,
                Code::EVEX_Vaddps_xmm_k1z_xmm_xmmm128b32,
            ),
        ] {
            assert!(allowed(one) && !allowed(other), "{one:?} {other:?}");
        }
    }
}
