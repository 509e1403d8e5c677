//! The interface between the pass over the code and the decoder of a CPU family.

/// Gives the start of the instruction before a place.
pub(super) type Previous<'a> = &'a dyn Fn(usize) -> Option<usize>;

/// Reads the instructions of a family.
pub(super) trait Decoder {
    /// The instruction at an offset; `None` if there is none.
    fn decode(&mut self, at: usize) -> Option<Instruction>;
    /// The name of the instruction at an offset, for findings.
    fn mnemonic(&mut self, at: usize) -> String;
    /// Whether a frame is set up at an offset. Every function begins like that.
    fn prologue(&self, at: usize) -> bool;
    /// The length of a constant that is known by its content and read through its address.
    fn constant(&self, at: u64) -> Option<usize>;
    /// The jump table of an indirect jump, if the instructions before the jump are the known
    /// sequence.
    fn table(&mut self, jump: usize, previous: Previous<'_>) -> Option<Table>;
}

/// The relevant facts about an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    /// In bytes, at least one.
    pub(super) len: usize,
    pub(super) flow: Flow,
    pub(super) reference: Reference,
    pub(super) verdict: Verdict,
    /// The bits of the CPU features that it needs.
    pub(super) features: u64,
}

/// Where a processor goes on. Targets are offsets into the code, and can lie outside of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flow {
    Next,
    Stop,
    /// Does not go on after it, and may have a table.
    IndirectJump,
    /// Goes on at the target or after the instruction.
    Branch(u64),
    Jump(u64),
    Call(u64),
}

/// What it refers to by an address relative to itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference {
    None,
    /// Reads this many bytes.
    Data(u64, usize),
    /// Takes the address.
    Address(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Fine,
    Forbidden(super::Forbidden),
    Unexpected,
}

/// A table of 32-bit offsets from its own start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) start: usize,
    /// The number of entries, if it is known.
    pub(super) entries: Option<usize>,
    /// The start of the veneer, if the jump belongs to one. A veneer takes branches and calls to
    /// targets beyond their reach.
    pub(super) veneer: Option<usize>,
}
