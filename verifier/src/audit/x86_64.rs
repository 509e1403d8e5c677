//! x86-64: which instructions are fine, what they need, and where they lead.
//!
//! Sources: Intel SDM, volume 2 and 3, chapter 5.9 (privileged instructions); `cranelift-codegen`
//! 0.135, `isa/x64/inst/emit.rs` (jump tables). Decoded by iced-x86.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use iced_x86::{
    Code, CpuidFeature, FlowControl, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::Forbidden;
use super::features::{Names, UNKNOWN, named};
use super::sweep::{Decoder, Flow, Instruction, Reference, Table, Verdict};
use super::x86_64_list::EMITTED;

/// Beyond the base, which has SSE2.
pub(super) const FEATURES: Names = &[
    "adx",
    "avx",
    "avx2",
    "avx512bitalg",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512f",
    "avx512ifma",
    "avx512vbmi",
    "avx512vbmi2",
    "avx512vl",
    "avx512vnni",
    "avx512vpopcntdq",
    "avxvnni",
    "bmi1",
    "bmi2",
    "cmpxchg16b",
    "f16c",
    "fma",
    "gfni",
    "lzcnt",
    "movbe",
    "pclmulqdq",
    "popcnt",
    "sse3",
    "sse4.1",
    "sse4.2",
    "ssse3",
    "vaes",
    "vpclmulqdq",
    UNKNOWN,
];

/// The decoder's name of a feature, as manifests spell it; none for what every x86-64 has.
fn feature(feature: CpuidFeature) -> Option<&'static str> {
    use CpuidFeature as F;
    Some(match feature {
        F::INTEL8086 | F::INTEL186 | F::INTEL286 | F::INTEL386 | F::INTEL486 | F::X64 => {
            return None;
        }
        F::CMOV | F::CX8 | F::FPU | F::MMX | F::FXSR | F::SSE | F::SSE2 | F::MULTIBYTENOP => {
            return None;
        }
        F::ADX => "adx",
        F::AVX => "avx",
        F::AVX2 => "avx2",
        F::AVX512_BITALG => "avx512bitalg",
        F::AVX512BW => "avx512bw",
        F::AVX512CD => "avx512cd",
        F::AVX512DQ => "avx512dq",
        F::AVX512F => "avx512f",
        F::AVX512_IFMA => "avx512ifma",
        F::AVX512_VBMI => "avx512vbmi",
        F::AVX512_VBMI2 => "avx512vbmi2",
        F::AVX512VL => "avx512vl",
        F::AVX512_VNNI => "avx512vnni",
        F::AVX512_VPOPCNTDQ => "avx512vpopcntdq",
        F::AVX_VNNI => "avxvnni",
        F::BMI1 => "bmi1",
        F::BMI2 => "bmi2",
        F::CMPXCHG16B => "cmpxchg16b",
        F::F16C => "f16c",
        F::FMA => "fma",
        F::GFNI => "gfni",
        F::LZCNT => "lzcnt",
        F::MOVBE => "movbe",
        F::PCLMULQDQ => "pclmulqdq",
        F::POPCNT => "popcnt",
        F::SSE3 => "sse3",
        F::SSE4_1 => "sse4.1",
        F::SSE4_2 => "sse4.2",
        F::SSSE3 => "ssse3",
        F::VAES => "vaes",
        F::VPCLMULQDQ => "vpclmulqdq",
        _ => UNKNOWN,
    })
}

/// The classes of what is forbidden by name. Forms of allowed names are in [`forbidden_form`].
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

/// Forms of allowed names that are something else.
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

/// What is known of an encoding before its operands are.
#[derive(Clone, Copy)]
struct Known {
    verdict: Verdict,
    features: u64,
    flow: FlowControl,
}

/// By [`Code`].
fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let emitted: BTreeSet<&str> = EMITTED.split_whitespace().collect();
        let emitted: BTreeSet<Mnemonic> = Mnemonic::values()
            .filter(|mnemonic| emitted.contains(format!("{mnemonic:?}").to_lowercase().as_str()))
            .collect();
        let known = |code: Code| {
            let mnemonic = code.mnemonic();
            let allowed = emitted.contains(&mnemonic) && forbidden_form(code).is_none();
            let verdict = match forbidden_form(code).or_else(|| forbidden(mnemonic)) {
                Some(class) => Verdict::Forbidden(class),
                None if allowed => Verdict::Fine,
                None if code.is_privileged() => Verdict::Forbidden(Forbidden::Privileged),
                None => Verdict::Unexpected,
            };
            let needed = code.cpuid_features().iter().copied().filter_map(feature);
            Known {
                verdict,
                // What is not to be there at all is reported once.
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

/// Gives the start of the instruction in front of another.
type Previous<'a> = &'a dyn Fn(usize) -> Option<usize>;

pub(super) struct X86<'a> {
    text: &'a [u8],
    decoder: iced_x86::Decoder<'a>,
    instruction: iced_x86::Instruction,
    known: &'static [Known],
}

/// `push rbp; mov rbp, rsp`.
const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];

/// What shifts of bytes by a variable amount look their masks up in (`isa/x64/lower/isle.rs`): the only
/// constants of which the compiler takes the address, in bytes.
const SHIFT_MASKS: usize = 128;

impl<'a> X86<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            decoder: iced_x86::Decoder::with_ip(64, text, 0, iced_x86::DecoderOptions::NONE),
            instruction: iced_x86::Instruction::new(),
            known: known(),
        }
    }

    /// Decodes into `self.instruction`.
    fn read(&mut self, at: usize) -> Option<()> {
        if self.decoder.position() != at {
            self.decoder.set_position(at).ok()?;
        }
        self.decoder.set_ip(at as u64);
        self.decoder.decode_out(&mut self.instruction);
        (!self.instruction.is_invalid()).then_some(())
    }

    /// The largest value of a table's index in front of `at`: `mov index, last; cmp value, index; cmovb index,
    /// value`, with moves between them (`isa/x64/lower.isle`, `br_table`).
    fn clamp(&mut self, mut at: usize, index: Register, previous: Previous<'_>) -> Option<usize> {
        let mut info = InstructionInfoFactory::new();
        let mut wanted = index.full_register();
        let mut clamped = false;
        for _ in 0..64 {
            at = previous(at)?;
            self.read(at)?;
            let it = &self.instruction;
            let written = info.info(it).used_registers().iter().any(|used| {
                use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
                let writes = matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite);
                writes && used.register().full_register() == wanted
            });
            match it.mnemonic() {
                _ if it.flow_control() != FlowControl::Next => return None,
                _ if !written => {}
                Mnemonic::Cmovb if !clamped => clamped = true,
                Mnemonic::Mov if it.op1_kind() == OpKind::Register => {
                    wanted = it.op1_register().full_register();
                }
                Mnemonic::Mov if clamped && it.op1_kind() == OpKind::Immediate32 => {
                    return usize::try_from(it.immediate32()).ok();
                }
                Mnemonic::Xor if clamped && it.op1_register() == it.op0_register() => {
                    return Some(0);
                }
                _ => return None,
            }
        }
        None
    }

    /// An instruction with a prefix that the compiler never writes there: processors differ over what some
    /// mean in front of branches, and two segments have a base.
    fn prefixed(&self, at: usize, branches: bool) -> Option<Verdict> {
        if self.instruction.segment_prefix() != Register::None {
            return Some(Verdict::Forbidden(Forbidden::Segment));
        }
        // Anywhere in front of the opcode, also behind a REX, which then counts for nothing.
        let prefixes = self.text.get(at..)?.iter();
        let mut prefixes =
            prefixes.take_while(|it| matches!(it, 0x40..=0x4f | 0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3));
        let unknown = |it: &u8| *it == 0x67 || branches && !matches!(it, 0x40..=0x4f);
        prefixes.any(unknown).then_some(Verdict::Unexpected)
    }
}

impl Decoder for X86<'_> {
    fn decode(&mut self, at: usize) -> Option<Instruction> {
        self.read(at)?;
        let it = &self.instruction;
        let known = self.known.get(it.code() as usize)?;
        let near = it.op_count() == 1 && it.op0_kind() == OpKind::NearBranch64;
        let target = it.near_branch64();
        let flow = match known.flow {
            FlowControl::Call if near => Flow::Call(target),
            FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend if near => {
                Flow::Branch(target)
            }
            FlowControl::UnconditionalBranch if near => Flow::Jump(target),
            FlowControl::IndirectBranch => Flow::IndirectJump,
            FlowControl::UnconditionalBranch | FlowControl::Return | FlowControl::Exception => {
                Flow::Stop
            }
            _ => Flow::Next,
        };
        let mut reference = Reference::None;
        if it.is_ip_rel_memory_operand() {
            let target = it.ip_rel_memory_address();
            reference = match it.mnemonic() {
                Mnemonic::Lea => Reference::Address(target),
                _ => Reference::Data(target, it.memory_size().size().max(1)),
            };
        }
        let branches = !matches!(known.flow, FlowControl::Next);
        let prefixed = match known.verdict {
            Verdict::Fine => self.prefixed(at, branches),
            _ => None,
        };
        Some(Instruction {
            len: self.instruction.len(),
            flow,
            reference,
            verdict: prefixed.unwrap_or(known.verdict),
            features: known.features,
        })
    }

    fn mnemonic(&mut self, at: usize) -> String {
        match self.read(at) {
            Some(()) => format!("{:?}", self.instruction.mnemonic()).to_lowercase(),
            None => "(none)".to_owned(),
        }
    }

    fn prologue(&self, at: usize) -> bool {
        self.text
            .get(at..)
            .is_some_and(|rest| rest.starts_with(&PROLOGUE))
    }

    fn constant(&self, at: u64) -> Option<usize> {
        let bytes = self
            .text
            .get(usize::try_from(at).ok()?..)?
            .get(..SHIFT_MASKS)?;
        let (rows, _) = bytes.as_chunks::<16>();
        // Left and right: a row is sixteen times the mask of a shift by its number.
        let masks = |mask: fn(u32) -> u8| {
            let mut rows = (0..).zip(rows);
            rows.all(|(by, row)| row.iter().all(|byte| *byte == mask(by)))
        };
        let known = masks(|by| 0xff << by) || masks(|by| 0xff >> by);
        known.then_some(SHIFT_MASKS)
    }

    /// `lea base, [rip + table]; movsxd entry, [base + 4 * index]; add base, entry; jmp base`.
    fn table(&mut self, jump: usize, previous: Previous<'_>) -> Option<Table> {
        self.read(jump)?;
        let (start, base) = (self.decoder.position(), self.instruction.op0_register());
        if self.instruction.code() != Code::Jmp_rm64 || base == Register::None {
            return None;
        }
        let add = previous(jump)?;
        self.read(add)?;
        let entry = self.instruction.op1_register();
        if self.instruction.mnemonic() != Mnemonic::Add || self.instruction.op0_register() != base {
            return None;
        }
        let load = previous(add)?;
        self.read(load)?;
        let it = &self.instruction;
        let loads = it.code() == Code::Movsxd_r64_rm32
            && it.op0_register() == entry
            && it.memory_base() == base
            && it.memory_index_scale() == 4
            && it.memory_displacement64() == 0;
        let index = it.memory_index();
        let lea = previous(load)?;
        self.read(lea)?;
        let it = &self.instruction;
        let begins = it.code() == Code::Lea_r64_m
            && it.op0_register() == base
            && it.is_ip_rel_memory_operand()
            && it.ip_rel_memory_address() == start as u64;
        if !loads || !begins {
            return None;
        }
        let last = self.clamp(lea, index, previous);
        let entries = last.and_then(|last| last.checked_add(1));
        Some(Table { start, entries })
    }
}
