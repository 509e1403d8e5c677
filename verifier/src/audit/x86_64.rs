//! x86-64: where instructions lead, what they refer to, and which instructions stand before them.
//!
//! Sources: Intel SDM, volume 2; `cranelift-codegen` 0.135, `isa/x64/inst/emit.rs` (jump tables).
//! The decoder is iced-x86.

use iced_x86::{Code, FlowControl, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::Forbidden;
use super::decoder::{Decoder, Flow, Instruction, Previous, Reference, Table, Verdict};
use super::x86_64_encodings::{Known, known};

/// What the search backwards from a jump table's jump looks for.
enum Clamp {
    /// The choice between a value and the limit.
    Select,
    /// A comparison with the limit. No instruction in between may change its flags.
    Compare,
    /// The instruction that sets the limit.
    Limit,
}

pub(super) struct X86<'a> {
    text: &'a [u8],
    decoder: iced_x86::Decoder<'a>,
    instruction: iced_x86::Instruction,
    info: InstructionInfoFactory,
    known: &'static [Known],
}

fn is_write(access: OpAccess) -> bool {
    use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
    matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
}

/// `push rbp; mov rbp, rsp`.
const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];

/// The length, in bytes, of the table of masks for shifts of bytes by a variable amount
/// (`isa/x64/lower/isle.rs`). The compiler takes the address of no other kind of constant.
const SHIFT_MASKS: usize = 128;

impl<'a> X86<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            decoder: iced_x86::Decoder::with_ip(64, text, 0, iced_x86::DecoderOptions::NONE),
            instruction: iced_x86::Instruction::new(),
            info: InstructionInfoFactory::new(),
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

    /// The largest value of a table's index before `at`:
    /// `mov index, last; cmp value, index; cmovb index, value`, with moves between them
    /// (`isa/x64/lower.isle`, `br_table`).
    fn clamp(&mut self, mut at: usize, index: Register, previous: Previous<'_>) -> Option<usize> {
        let mut limit = index.full_register();
        let mut step = Clamp::Select;
        for _ in 0..64 {
            at = previous(at)?;
            self.read(at)?;
            let it = &self.instruction;
            if it.flow_control() != FlowControl::Next {
                return None;
            }
            let used = self.info.info(it).used_registers();
            let writes = |register: Register| {
                let mut used = used.iter();
                used.any(|it| is_write(it.access()) && it.register().full_register() == register)
            };
            let moved = it.mnemonic() == Mnemonic::Mov && it.op1_kind() == OpKind::Register;
            let (first, second) = (it.op0_register(), it.op1_register());
            let (first, second) = (first.full_register(), second.full_register());
            match step {
                // The compared value is not checked, because each of the two instructions may read
                // it from the stack.
                Clamp::Compare if it.rflags_modified() != 0 => {
                    if it.mnemonic() != Mnemonic::Cmp || second != limit {
                        return None;
                    }
                    step = Clamp::Limit;
                }
                _ if !writes(limit) => {}
                _ if moved => limit = second,
                Clamp::Select if it.mnemonic() == Mnemonic::Cmovb && second != Register::None => {
                    step = Clamp::Compare;
                }
                Clamp::Limit => {
                    return match it.mnemonic() {
                        Mnemonic::Mov if it.op1_kind() == OpKind::Immediate32 => {
                            usize::try_from(it.immediate32()).ok()
                        }
                        Mnemonic::Xor if first == second => Some(0),
                        _ => None,
                    };
                }
                _ => return None,
            }
        }
        None
    }

    /// The verdict about an instruction with a prefix that the compiler never writes there.
    /// Processors differ in the meaning of some prefixes before branches, and two segments have a
    /// base.
    fn prefixed(&self, at: usize, branches: bool) -> Option<Verdict> {
        let it = &self.instruction;
        if it.segment_prefix() != Register::None {
            return Some(Verdict::Forbidden(Forbidden::Segment));
        }
        if it.has_xacquire_prefix() || it.has_xrelease_prefix() {
            return Some(Verdict::Forbidden(Forbidden::Transaction));
        }
        // The decoder does not report a prefix that belongs to the opcode.
        if it.has_rep_prefix() || it.has_repne_prefix() {
            return Some(Verdict::Unexpected);
        }
        // A prefix can stand anywhere before the opcode, also after a REX, which then has no
        // effect.
        let prefixes = self.text.get(at..)?.iter();
        let mut prefixes =
            prefixes.take_while(|it| matches!(it, 0x40..=0x4f | 0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3));
        let repeats = prefixes.clone().filter(|it| matches!(it, 0xf2 | 0xf3));
        let unknown = |it: &u8| *it == 0x67 || branches && !matches!(it, 0x40..=0x4f);
        let unexpected = repeats.count() > 1 || prefixes.any(unknown);
        unexpected.then_some(Verdict::Unexpected)
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
        let branches = !matches!(known.flow, FlowControl::Next);
        let mut reference = Reference::None;
        let mut no_constant = false;
        if it.is_ip_rel_memory_operand() {
            let target = it.ip_rel_memory_address();
            reference = match it.mnemonic() {
                Mnemonic::Lea => Reference::Address(target),
                _ => Reference::Data(target, it.memory_size().size().max(1)),
            };
            // Constants are only read: no instruction writes there, or keeps such an address.
            let mut used = self.info.info(it).used_memory().iter();
            no_constant = branches || used.any(|it| is_write(it.access()));
        }
        let form = match known.verdict {
            Verdict::Fine if no_constant => Some(Verdict::Unexpected),
            Verdict::Fine => self.prefixed(at, branches),
            _ => None,
        };
        Some(Instruction {
            len: self.instruction.len(),
            flow,
            reference,
            verdict: form.unwrap_or(known.verdict),
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
        // Left and right: each row is sixteen times the mask of a shift by the row's number.
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
        Some(Table {
            start,
            entries,
            veneer: None,
        })
    }
}
