//! aarch64: which instructions are allowed, what they need, and where they lead.
//!
//! Sources: Arm Architecture Reference Manual, DDI 0487, chapters C4 (encodings) and C5 (system
//! instructions); `cranelift-codegen` 0.135, `isa/aarch64/inst/{emit,mod}.rs` (jump tables,
//! veneers). Every instruction has four bytes, so a table of encodings is a decoder: instructions
//! in [`EMITTED`] are allowed, the table below judges each instruction of the system, and
//! everything else is a finding.

use std::sync::OnceLock;

use super::Forbidden;
use super::aarch64_list::EMITTED;
use super::decoder::{Decoder, Flow, Instruction, Previous, Reference, Table, Verdict};
use super::features::{Names, UNKNOWN, named};

/// Features beyond Armv8.0, which has SIMD. Only features that an instruction of [`EMITTED`] can
/// need are here.
pub(super) const FEATURES: Names = &["dotprod", "fp16", "i8mm", "lse", UNKNOWN];

/// An encoding of [`EMITTED`].
#[derive(Clone, Copy)]
struct Known {
    mask: u32,
    value: u32,
    features: u64,
    name: &'static str,
}

/// The encodings that a word can have, by its upper eleven bits.
fn candidates(word: u32) -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Vec<Known>>> = OnceLock::new();
    const LOW: u32 = 21;
    let known = KNOWN.get_or_init(|| {
        let encodings = EMITTED.iter().flat_map(|(name, feature, encodings)| {
            let features = feature.map_or(0, |feature| named(FEATURES, feature));
            encodings.iter().map(move |(mask, value)| Known {
                mask: *mask,
                value: *value,
                features,
                name,
            })
        });
        let mut encodings: Vec<Known> = encodings.collect();
        // Half precision is a special case of encodings that leave the precision open.
        encodings.sort_by_key(|it| std::cmp::Reverse(it.mask.count_ones()));
        let within = |upper: u32| {
            let fits = |it: &&Known| ((upper << LOW) ^ it.value) & it.mask >> LOW << LOW == 0;
            encodings.iter().filter(fits).copied().collect()
        };
        (0..1 << (32 - LOW)).map(within).collect()
    });
    let place = usize::try_from(word >> LOW).unwrap_or(usize::MAX);
    known.get(place).map_or(&[], Vec::as_slice)
}

fn emitted(word: u32) -> Option<&'static Known> {
    let mut candidates = candidates(word).iter();
    candidates.find(|it| word & it.mask == it.value)
}

/// The instructions with verdicts of their own: masks, values, names, verdicts. The first row that
/// fits counts.
#[rustfmt::skip]
const JUDGED: &[(u32, u32, &str, Verdict)] = &[
    (0xffff_0000, 0x0000_0000, "udf", Verdict::Fine),
    // Exception generation (C4.1.92).
    (0xffe0_001f, 0xd400_0001, "svc", no(Forbidden::SystemCall)),
    (0xffe0_001f, 0xd400_0002, "hvc", no(Forbidden::Virtualization)),
    (0xffe0_001f, 0xd400_0003, "smc", no(Forbidden::Virtualization)),
    (0xffe0_001f, 0xd420_0000, "brk", no(Forbidden::Interrupt)),
    (0xffe0_001f, 0xd440_0000, "hlt", no(Forbidden::Interrupt)),
    (0xffe0_001f, 0xd460_0000, "tcancel", no(Forbidden::Transaction)),
    (0xffe0_001c, 0xd4a0_0000, "dcps", no(Forbidden::Interrupt)),
    // Hints (C4.1.92): only those that Cranelift emits for a target of the registry. None of these
    // targets has landing pads (BTI) or signed pointers (PAuth): the keys for signed pointers are
    // the host's.
    (0xffff_ffff, 0xd503_201f, "nop", Verdict::Fine),
    (0xffff_ffff, 0xd503_229f, "csdb", Verdict::Fine),
    (0xffff_ffff, 0xd503_203f, "yield", no(Forbidden::Wait)),
    (0xffff_ffff, 0xd503_205f, "wfe", no(Forbidden::Wait)),
    (0xffff_ffff, 0xd503_207f, "wfi", no(Forbidden::Wait)),
    (0xffff_ffff, 0xd503_209f, "sev", no(Forbidden::Wait)),
    (0xffff_ffff, 0xd503_20bf, "sevl", no(Forbidden::Wait)),
    (0xffff_ffe0, 0xd503_1000, "wfet", no(Forbidden::Wait)),
    (0xffff_ffe0, 0xd503_1020, "wfit", no(Forbidden::Wait)),
    (0xffff_f01f, 0xd503_201f, "hint", Verdict::Unexpected),
    // Barriers: atomic accesses need `dmb ish`.
    (0xffff_ffff, 0xd503_3bbf, "dmb", Verdict::Fine),
    (0xffff_f01f, 0xd503_301f, "barrier", Verdict::Unexpected),
    // Transactions.
    (0xffff_ffe0, 0xd523_3060, "tstart", no(Forbidden::Transaction)),
    (0xffff_ffe0, 0xd523_3160, "ttest", no(Forbidden::Transaction)),
    // The flags may be read and written. Other system registers may not.
    (0xffff_ffe0, 0xd51b_4200, "msr nzcv", Verdict::Fine),
    (0xffff_ffe0, 0xd53b_4200, "mrs nzcv", Verdict::Fine),
    (0xffff_ffe0, 0xd53b_d040, "mrs tpidr_el0", no(Forbidden::Segment)),
    (0xffff_ffe0, 0xd53b_d060, "mrs tpidrro_el0", no(Forbidden::Segment)),
    (0xffff_ffe0, 0xd51b_d040, "msr tpidr_el0", no(Forbidden::Segment)),
    (0xffff_ffc0, 0xd51b_4400, "msr fpcr", no(Forbidden::ExtendedState)),
    (0xffff_ffc0, 0xd53b_4400, "mrs fpcr", no(Forbidden::ExtendedState)),
    (0xffff_ff00, 0xd53b_e000, "mrs timer", no(Forbidden::Clock)),
    (0xffff_f000, 0xd53b_9000, "mrs pmu", no(Forbidden::Clock)),
    (0xffff_ffe0, 0xd53b_a280, "mrs por_el0", no(Forbidden::ProtectionKeys)),
    (0xffff_ffe0, 0xd51b_a280, "msr por_el0", no(Forbidden::ProtectionKeys)),
    (0xffff_f800, 0xd538_0000, "mrs id", no(Forbidden::Machine)),
    (0xffff_ff00, 0xd53b_0000, "mrs ctr_el0", no(Forbidden::Machine)),
    (0xffff_ffe0, 0xd53b_2520, "mrs gcspr_el0", no(Forbidden::ShadowStack)),
    (0xfff0_0000, 0xd530_0000, "mrs", no(Forbidden::Privileged)),
    (0xfff0_0000, 0xd510_0000, "msr", no(Forbidden::Privileged)),
    (0xfff8_f01f, 0xd500_401f, "msr", no(Forbidden::Privileged)),
    // `sys` and `sysl` (C5.3): caches, shadow stacks, the rest.
    (0xffff_ff00, 0xd50b_7700, "gcs", no(Forbidden::ShadowStack)),
    (0xffff_ff00, 0xd52b_7700, "gcs", no(Forbidden::ShadowStack)),
    (0xffff_f000, 0xd50b_7000, "dc/ic", no(Forbidden::Cache)),
    (0xffd8_0000, 0xd508_0000, "sys", no(Forbidden::Privileged)),
    (0xff00_0000, 0xd500_0000, "system", no(Forbidden::Privileged)),
    // Branches to registers (C4.1.94).
    (0xffff_fc1f, 0xd61f_0000, "br", Verdict::Fine),
    (0xffff_fc1f, 0xd63f_0000, "blr", Verdict::Fine),
    (0xffff_fc1f, 0xd65f_0000, "ret", Verdict::Fine),
    (0xffff_f3ff, 0xd69f_03e0, "eret", no(Forbidden::Privileged)),
    (0xffff_ffff, 0xd6bf_03e0, "drps", no(Forbidden::Privileged)),
    // Loads and stores with the rights of programs, for the operating system only.
    (0x3b20_0c00, 0x3800_0800, "ldtr/sttr", no(Forbidden::Privileged)),
    // Memory tags.
    (0xff20_0000, 0xd920_0000, "ldg/stg", no(Forbidden::MemoryTags)),
    (0xffe0_fc00, 0x9ac0_1000, "irg", no(Forbidden::MemoryTags)),
    (0xffe0_fc00, 0x9ac0_1400, "gmi", no(Forbidden::MemoryTags)),
    (0xbfc0_c000, 0x9180_0000, "addg/subg", no(Forbidden::MemoryTags)),
    // The shadow stack.
    (0xffff_ec00, 0xd91f_0c00, "gcsstr", no(Forbidden::ShadowStack)),
    // Prefetches: programs use them to find out about the memory.
    (0xffc0_0000, 0xf980_0000, "prfm", no(Forbidden::Cache)),
    (0xff00_0000, 0xd800_0000, "prfm", no(Forbidden::Cache)),
    (0xffe0_0c00, 0xf8a0_0800, "prfm", no(Forbidden::Cache)),
    (0xffe0_0c00, 0xf880_0000, "prfum", no(Forbidden::Cache)),
];

const fn no(class: Forbidden) -> Verdict {
    Verdict::Forbidden(class)
}

fn judged(word: u32) -> Option<&'static (u32, u32, &'static str, Verdict)> {
    JUDGED
        .iter()
        .find(|(mask, value, ..)| word & mask == *value)
}

pub(super) struct Arm<'a> {
    text: &'a [u8],
}

impl<'a> Arm<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text }
    }

    fn word(&self, at: usize) -> Option<u32> {
        let bytes = self.text.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }
}

/// The instruction this many words before a place, if everything from there on is instructions.
type Before<'a> = &'a dyn Fn(usize) -> Option<u32>;

/// The number of entries of a table: `movz index, last; csel index, value, index, lo`, and `csdb`
/// if the target has it, before the other instructions.
fn clamp(before: Before<'_>, index: u32) -> Option<usize> {
    const CSDB: u32 = 0xd503_229f;
    let mut back = match before(1)? {
        CSDB => 2,
        _ => 1,
    };
    let select = before(back)?;
    if select & 0x7fe0_fc00 != 0x1a80_3000 || select & 31 != index || select >> 16 & 31 != index {
        return None;
    }
    let mut last = 0;
    loop {
        back += 1;
        let word = before(back)?;
        let shift = (word >> 21 & 3) * 16;
        last |= u64::from(word >> 5 & 0xffff) << shift;
        // movk: the instruction before it sets the bits that movk leaves.
        match word & 0x7f80_001f {
            it if it == 0x5280_0000 | index => break,
            it if it == 0x7280_0000 | index => {}
            _ => return None,
        }
    }
    usize::try_from(last.checked_add(1)?).ok()
}

/// A signed field of a word as a number of bytes: `bits` from `low` on, in units of four bytes.
fn offset(word: u32, low: u32, bits: u32) -> i64 {
    let field = word >> low << (32 - bits);
    i64::from(field.cast_signed() >> (32 - bits)) * 4
}

fn flow(word: u32, at: u64) -> Flow {
    let to = |offset: i64| at.wrapping_add_signed(offset);
    if word & 0x7c00_0000 == 0x1400_0000 {
        let target = to(offset(word, 0, 26));
        return match word >> 31 {
            0 => Flow::Jump(target),
            _ => Flow::Call(target),
        };
    }
    // b.cond and bc.cond; cbz and cbnz.
    if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
        return Flow::Branch(to(offset(word, 5, 19)));
    }
    // tbz and tbnz.
    if word & 0x7e00_0000 == 0x3600_0000 {
        return Flow::Branch(to(offset(word, 5, 14)));
    }
    // Unconditional branches to registers (C4.1.94); opc 1 and 9 are calls.
    if word & 0xfe00_0000 == 0xd600_0000 {
        return match (word >> 21) & 0xf {
            0 | 8 => Flow::IndirectJump,
            1 | 9 => Flow::Next,
            _ => Flow::Stop,
        };
    }
    match word >> 16 {
        // udf.
        0 => Flow::Stop,
        _ => Flow::Next,
    }
}

fn reference(word: u32, at: u64) -> Reference {
    let to = |offset: i64| at.wrapping_add_signed(offset);
    // Load (literal).
    if word & 0x3b00_0000 == 0x1800_0000 {
        let target = to(offset(word, 5, 19));
        return match (word >> 26 & 1, word >> 30) {
            (0, 0 | 2) | (1, 0) => Reference::Data(target, 4),
            (0, 1) | (1, 1) => Reference::Data(target, 8),
            (1, 2) => Reference::Data(target, 16),
            // A prefetch.
            _ => Reference::None,
        };
    }
    // adr: the two low bits of the offset are elsewhere.
    if word & 0x9f00_0000 == 0x1000_0000 {
        let low = i64::from(word >> 29 & 3);
        return Reference::Address(to(offset(word, 5, 19) + low));
    }
    Reference::None
}

impl Decoder for Arm<'_> {
    fn decode(&mut self, at: usize) -> Option<Instruction> {
        // Every instruction is aligned, and so is every place where the pass goes on.
        if !at.is_multiple_of(4) {
            return None;
        }
        let word = self.word(at)?;
        let (verdict, features) = match emitted(word) {
            Some(known) => (Verdict::Fine, known.features),
            None => match judged(word) {
                Some((.., verdict)) => (*verdict, 0),
                None => (Verdict::Unexpected, 0),
            },
        };
        Some(Instruction {
            len: 4,
            flow: flow(word, at as u64),
            reference: reference(word, at as u64),
            verdict,
            features,
        })
    }

    fn mnemonic(&mut self, at: usize) -> String {
        let Some(word) = self.word(at) else {
            return "(none)".to_owned();
        };
        match (emitted(word), judged(word)) {
            (Some(known), _) => known.name.to_owned(),
            (None, Some((_, _, name, _))) => (*name).to_owned(),
            // In an assembler's notation.
            (None, None) => format!(".inst {word:#010x}"),
        }
    }

    /// `stp x29, x30, [sp, #-16]!; mov x29, sp`.
    fn prologue(&self, at: usize) -> bool {
        let frame = (Some(0xa9bf_7bfd), Some(0x9100_03fd));
        at.is_multiple_of(4) && (self.word(at), self.word(at.saturating_add(4))) == frame
    }

    fn constant(&self, _: u64) -> Option<usize> {
        None
    }

    /// `adr base, table; ldrsw entry, [base, index, uxtw #2]; add base, base, entry; br base`, and
    /// the veneer of a branch: `ldrsw x16, word; adr x17, word; add x16, x16, x17; br x16; word`.
    fn table(&mut self, jump: usize, previous: Previous<'_>) -> Option<Table> {
        let base = self.word(jump)? >> 5 & 31;
        let in_front_of = |place: usize, back: usize| {
            let at = place.checked_sub(back.checked_mul(4)?)?;
            // Constants before a function may look like anything.
            let unbroken = previous(at.checked_add(4)?)? == at;
            self.word(at).filter(|_| unbroken)
        };
        let before = |back| in_front_of(jump, back);
        let (add, second, first) = (before(1)?, before(2)?, before(3)?);
        let start = jump.checked_add(4)?;
        let (rd, rn, rm) = (add & 31, add >> 5 & 31, add >> 16 & 31);
        if add & 0xffe0_fc00 != 0x8b00_0000 || rd != base || rn != base {
            return None;
        }
        // Both addresses are sixteen bytes after the first of the four instructions: the place
        // after the jump.
        let adr = |word: u32, register: u32, distance: u32| {
            word == 0x1000_0000 | (distance / 4) << 5 | register
        };
        let load = second & 0xffe0_fc00 == 0xb8a0_5800;
        let sequence = jump.checked_sub(12)?;
        if load && second & 31 == rm && second >> 5 & 31 == base && adr(first, base, 16) {
            let before = |back| in_front_of(sequence, back);
            return Some(Table {
                start,
                entries: clamp(&before, second >> 16 & 31),
                veneer: None,
            });
        }
        let literal = first == 0x9800_0000 | (16 / 4) << 5 | base;
        (literal && adr(second, rm, 12)).then_some(Table {
            start,
            entries: Some(1),
            veneer: Some(sequence),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No encoding hides another one's feature, and none belongs to the system.
    #[test]
    fn each_encoding_is_found_as_itself() {
        for (name, feature, encodings) in EMITTED {
            for (mask, value) in *encodings {
                assert_eq!(value & !mask, 0, "{name}");
                let found = emitted(*value).unwrap();
                let needed = feature.map_or(0, |feature| named(FEATURES, feature));
                // Some encodings are special cases of others, and mean the same.
                let special = feature.is_none() && found.mask.count_ones() > mask.count_ones();
                assert!(found.features == needed || special, "{name} {value:#x}");
                assert!(judged(*value).is_none(), "{name} {value:#x}");
            }
        }
        for (mask, value, name, _) in JUDGED {
            assert_eq!(value & !mask, 0, "{name}");
            assert!(emitted(*value).is_none(), "{name}");
        }
    }

    #[test]
    fn offsets_are_signed() {
        for (word, at, target) in [
            (0x1400_0001, 0, 4),
            (0x17ff_ffff, 8, 4),
            (0x3607_fffe, 8, 4),
        ] {
            match flow(word, at) {
                Flow::Jump(found) | Flow::Branch(found) => assert_eq!(found, target, "{word:#x}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(flow(0x97ff_ffff, 4), Flow::Call(0)));
        assert!(matches!(reference(0x5800_0040, 8), Reference::Data(16, 8)));
        assert!(matches!(reference(0x1000_0080, 4), Reference::Address(20)));
    }
}
