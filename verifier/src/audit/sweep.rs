//! One pass over the code that says of every byte what it is, and a second one over its branches.
//!
//! Cranelift puts into one section: functions, most of them at a multiple of 32 and with zeros in front,
//! and inside a function instructions, jump tables (behind the indirect jump that uses them)
//! and constants (behind all instructions, or behind a jump around them). So the code can be read
//! from the front to the back: whatever is no instruction has been referred to, or follows
//! a known sequence, or is zeros behind something that does not run on. What comes out is closed under
//! everything that a processor does by itself: no instruction runs on into another kind of byte, and no
//! direct branch or entry of a jump table leads to one. Source: `cranelift-codegen` 0.135,
//! `machinst/buffer.rs`, and `emit.rs` of the two families.

use std::collections::BTreeSet;

use super::features::Declared;
use super::finding::{Finding, Function, Place, Problem};
use super::{AuditReport, MAX_FINDINGS};

/// Cranelift aligns functions to this many bytes, in both families; small ones that only call on to others
/// are not aligned.
const FUNCTION_ALIGN: usize = 32;
const TABLE_ENTRY: usize = 4;

/// Reads the instructions of a family.
pub(super) trait Decoder {
    /// The instruction at an offset; `None` when there is none.
    fn decode(&mut self, at: usize) -> Option<Instruction>;
    /// The name of the instruction at an offset, for findings.
    fn mnemonic(&mut self, at: usize) -> String;
    /// Whether a frame is set up at an offset: that is how every function begins.
    fn prologue(&self, at: usize) -> bool;
    /// The length of a constant that is known by its content, and read through its address.
    fn constant(&self, at: u64) -> Option<usize>;
    /// The jump table of an indirect jump, when the instructions in front of it are the known sequence.
    /// `previous` gives the start of the instruction in front of another.
    fn table(&mut self, jump: usize, previous: &dyn Fn(usize) -> Option<usize>) -> Option<Table>;
}

/// What matters about an instruction.
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

/// Where a processor goes on. Targets are offsets into the code, and may lie outside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flow {
    Next,
    Stop,
    /// Does not go on behind it, and may have a table.
    IndirectJump,
    /// To the target or on.
    Branch(u64),
    Jump(u64),
    Call(u64),
}

/// What it refers to by an address relative to itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference {
    None,
    /// Reads so many bytes.
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
    /// How many, where that is known.
    pub(super) entries: Option<usize>,
}

/// What a byte is: the lower bits of its mark.
const FREE: u8 = 0;
const START: u8 = 1;
const INSIDE: u8 = 2;
const DATA: u8 = 3;
const PADDING: u8 = 4;
const GARBAGE: u8 = 5;
const KIND: u8 = 0x0f;
/// A function begins here.
const ENTRY: u8 = 0x40;
/// A branch leads here.
const TARGET: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Near,
    Call,
    Address,
}

pub(super) struct Sweep<'a, D> {
    text: &'a [u8],
    decoder: D,
    declared: Declared,
    marks: Vec<u8>,
    /// From, to, how; sorted by where they come from.
    edges: Vec<(u32, u32, Edge)>,
    starts: Vec<u32>,
    used: u64,
    report: AuditReport,
}

impl<'a, D: Decoder> Sweep<'a, D> {
    pub(super) fn new(text: &'a [u8], decoder: D, declared: Declared) -> Self {
        Self {
            text,
            decoder,
            declared,
            marks: vec![FREE; text.len()],
            edges: Vec::new(),
            starts: Vec::new(),
            used: 0,
            report: AuditReport::default(),
        }
    }

    pub(super) fn run(mut self, handlers: Vec<u32>) -> AuditReport {
        let handlers: BTreeSet<u32> = handlers.into_iter().collect();
        for handler in &handlers {
            self.mark_target(u64::from(*handler));
        }
        self.pass();
        for (from, to, edge) in std::mem::take(&mut self.edges) {
            self.check_edge(from, to, edge);
        }
        for handler in handlers {
            if let Some(at) = self.not_code(handler.into()) {
                self.found(handler.into(), Problem::Handler { at });
            }
        }
        let count = |kind| {
            self.marks
                .iter()
                .filter(|mark| **mark & KIND == kind)
                .count() as u64
        };
        self.report.length = self.text.len() as u64;
        self.report.functions = self.starts.len() as u64;
        self.report.instructions = count(START);
        self.report.data = count(DATA);
        self.report.padding = count(PADDING);
        self.report.features = self.declared.list(self.used);
        self.report.findings.sort_by_key(|finding| finding.offset);
        self.report
    }

    fn pass(&mut self) {
        let mut at = 0;
        // The last instruction, when the processor goes on behind it.
        let mut running: Option<usize> = None;
        while at < self.text.len() {
            if self.kind(at) == DATA {
                self.ran_out(running.take());
                at += 1;
                continue;
            }
            if running.is_none() {
                if let Some(end) = self.padding(at) {
                    self.mark(at..end, PADDING);
                    at = end;
                    continue;
                }
                if self.decoder.prologue(at) {
                    self.starts.push(narrow(at));
                    if let Some(mark) = self.marks.get_mut(at) {
                        *mark |= ENTRY;
                    }
                }
            }
            let decoded = self.decoder.decode(at);
            let Some(instruction) = decoded.filter(|it| self.is_free(at, it.len)) else {
                let end = self.after_garbage(at);
                let skipped = (end - at) as u64;
                self.found(at as u64, Problem::Undecodable { skipped });
                self.mark(at..end, GARBAGE);
                running = None;
                at = end;
                continue;
            };
            self.mark(at..at + 1, START);
            self.mark(at + 1..at + instruction.len, INSIDE);
            let on = self.look_at(at, &instruction);
            running = on.then_some(at);
            at += instruction.len;
        }
        self.ran_out(running);
    }

    /// Notes all that an instruction says; whether the processor goes on behind it.
    fn look_at(&mut self, at: usize, instruction: &Instruction) -> bool {
        match instruction.verdict {
            Verdict::Fine => {}
            Verdict::Forbidden(class) => {
                let mnemonic = self.decoder.mnemonic(at);
                self.found(at as u64, Problem::Forbidden { mnemonic, class });
            }
            Verdict::Unexpected => {
                let mnemonic = self.decoder.mnemonic(at);
                self.found(at as u64, Problem::Unexpected { mnemonic });
            }
        }
        if instruction.features != 0 {
            self.used |= instruction.features;
            if let Some(missing) = self.declared.missing(instruction.features) {
                let mnemonic = self.decoder.mnemonic(at);
                self.found(at as u64, Problem::Feature { mnemonic, missing });
            }
        }
        match instruction.reference {
            Reference::None => {}
            Reference::Data(target, len) => self.data(at, target, len),
            Reference::Address(target) => {
                if let Some(len) = self.decoder.constant(target) {
                    self.data(at, target, len);
                }
                self.edge(at, target, Edge::Address);
            }
        }
        match instruction.flow {
            Flow::Next => true,
            Flow::Stop => false,
            Flow::Branch(target) => {
                self.edge(at, target, Edge::Near);
                true
            }
            Flow::Call(target) => {
                self.edge(at, target, Edge::Call);
                true
            }
            Flow::Jump(target) => {
                self.edge(at, target, Edge::Near);
                false
            }
            Flow::IndirectJump => {
                let marks = &self.marks;
                let previous = |at: usize| {
                    let before = marks.get(..at)?.iter();
                    // No instruction is longer than fifteen bytes.
                    let back = before
                        .rev()
                        .take(15)
                        .position(|mark| mark & KIND == START)?;
                    at.checked_sub(back + 1)
                };
                if let Some(table) = self.decoder.table(at, &previous) {
                    self.table(at, table);
                }
                false
            }
        }
    }

    /// Reads a jump table. Where its length is not in the code it ends in front of the first place that is
    /// known to be something else: what follows a table is reached from somewhere, mostly from the
    /// table itself.
    fn table(&mut self, jump: usize, table: Table) {
        let limit = table.entries.unwrap_or(usize::MAX);
        let mut at = table.start;
        for _ in 0..limit {
            let Some(bytes) = self.text.get(at..).and_then(|rest| rest.first_chunk()) else {
                break;
            };
            let known = |mark: &u8| mark & TARGET != 0 || mark & KIND != FREE;
            let taken = self.marks.get(at..at + TABLE_ENTRY);
            if table.entries.is_none() && taken.is_none_or(|marks| marks.iter().any(known)) {
                break;
            }
            let offset = i64::from(i32::from_le_bytes(*bytes));
            let target = (table.start as u64).wrapping_add_signed(offset);
            let inside = (table.start as u64..(at + TABLE_ENTRY) as u64).contains(&target);
            if table.entries.is_none() && (inside || target >= self.text.len() as u64) {
                break;
            }
            self.mark(at..at + TABLE_ENTRY, DATA);
            self.edge(jump, target, Edge::Near);
            at += TABLE_ENTRY;
        }
    }

    /// Something is read relative to the instruction.
    fn data(&mut self, at: usize, target: u64, len: usize) {
        let range = usize::try_from(target).ok();
        let range = range.and_then(|start| Some(start..start.checked_add(len)?));
        let marks = range.clone().and_then(|range| self.marks.get(range));
        let (Some(range), Some(marks)) = (range, marks) else {
            let to = Place::Outside;
            self.found(at as u64, Problem::Reference { target, to });
            return;
        };
        let kinds = marks.iter().map(|mark| mark & KIND);
        if kinds.clone().any(|kind| kind != FREE && kind != DATA) {
            let to = Place::Code;
            self.found(at as u64, Problem::Reference { target, to });
            return;
        }
        self.mark(range, DATA);
    }

    fn edge(&mut self, from: usize, target: u64, edge: Edge) {
        if target >= self.text.len() as u64 {
            self.astray(from as u64, target, Place::Outside, edge);
            return;
        }
        // A jump table begins where its address says, and not with an instruction.
        if edge != Edge::Address {
            self.mark_target(target);
        }
        if let Ok(to) = u32::try_from(target) {
            self.edges.push((narrow(from), to, edge));
        }
    }

    fn check_edge(&mut self, from: u32, to: u32, edge: Edge) {
        let target = u64::from(to);
        if edge == Edge::Address && self.kind_of(target) == DATA {
            return;
        }
        let place = match self.not_code(target) {
            Some(place) => Some(place),
            // Inside a function anything may be branched to; functions are entered at the front.
            None if self.mark_of(target) & ENTRY != 0 => None,
            None if edge != Edge::Call && self.function(from) == self.function(to) => None,
            None => Some(Place::OtherFunction),
        };
        if let Some(place) = place {
            self.astray(from.into(), target, place, edge);
        }
    }

    fn astray(&mut self, from: u64, target: u64, to: Place, edge: Edge) {
        let problem = match edge {
            Edge::Near | Edge::Call => Problem::Branch { target, to },
            Edge::Address => Problem::Reference { target, to },
        };
        self.found(from, problem);
    }

    /// What is at a place, when no instruction begins there.
    fn not_code(&self, target: u64) -> Option<Place> {
        if target >= self.text.len() as u64 {
            return Some(Place::Outside);
        }
        match self.kind_of(target) {
            START => None,
            INSIDE => Some(Place::Inside),
            DATA => Some(Place::Data),
            PADDING => Some(Place::Padding),
            _ => Some(Place::Garbage),
        }
    }

    fn ran_out(&mut self, last: Option<usize>) {
        if let Some(at) = last {
            self.found(at as u64, Problem::RunsOut);
        }
    }

    /// The end of zeros that fill up to a constant, a function or an alignment.
    fn padding(&self, at: usize) -> Option<usize> {
        let aligned = (at + 1).next_multiple_of(FUNCTION_ALIGN);
        let limit = aligned.min(self.text.len());
        let marks = self.marks.get(at..limit)?.iter();
        let zeros = self.text.get(at..limit)?.iter().zip(marks);
        let len = zeros.take_while(|(byte, mark)| **byte == 0 && **mark == FREE);
        let end = at + len.count();
        let fills = end == limit || self.kind(end) == DATA || self.decoder.prologue(end);
        (end > at && fills).then_some(end)
    }

    /// Where reading can go on: at something that a branch leads to, or a function.
    fn after_garbage(&self, at: usize) -> usize {
        let next = |at: &usize| {
            self.mark_of(*at as u64) & TARGET != 0
                || self.kind(*at) == DATA
                || (at.is_multiple_of(FUNCTION_ALIGN) && self.decoder.prologue(*at))
        };
        (at + 1..self.text.len())
            .find(next)
            .unwrap_or(self.text.len())
    }

    fn is_free(&self, at: usize, len: usize) -> bool {
        let marks = self.marks.get(at..at.saturating_add(len));
        marks.is_some_and(|marks| marks.iter().all(|mark| mark & KIND == FREE))
    }

    fn mark(&mut self, range: std::ops::Range<usize>, kind: u8) {
        for mark in self.marks.get_mut(range).unwrap_or_default() {
            *mark = (*mark & !KIND) | kind;
        }
    }

    fn mark_target(&mut self, target: u64) {
        let place = usize::try_from(target).ok();
        if let Some(mark) = place.and_then(|place| self.marks.get_mut(place)) {
            *mark |= TARGET;
        }
    }

    fn mark_of(&self, at: u64) -> u8 {
        let place = usize::try_from(at).ok();
        place
            .and_then(|place| self.marks.get(place))
            .copied()
            .unwrap_or(FREE)
    }

    fn kind_of(&self, at: u64) -> u8 {
        self.mark_of(at) & KIND
    }

    fn kind(&self, at: usize) -> u8 {
        self.kind_of(at as u64)
    }

    /// How many functions begin up to a place.
    fn function(&self, at: u32) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn found(&mut self, offset: u64, problem: Problem) {
        self.report.found += 1;
        if self.report.findings.len() >= MAX_FINDINGS {
            return;
        }
        let place = usize::try_from(offset).unwrap_or(usize::MAX);
        let number = self.function(narrow(place)).checked_sub(1);
        let function = number.and_then(|number| {
            let start = u64::from(*self.starts.get(number)?);
            let number = number as u64;
            Some(Function { number, start })
        });
        let rest = self.text.get(place..).unwrap_or_default();
        let len = match problem {
            Problem::Undecodable { skipped } => usize::try_from(skipped).unwrap_or(usize::MAX),
            _ => self.decoder.decode(place).map_or(0, |it| it.len),
        };
        self.report.findings.push(Finding {
            function,
            offset,
            bytes: rest.iter().take(len.min(15)).copied().collect(),
            problem,
        });
    }
}

/// Offsets fit: there is a limit to the code.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
