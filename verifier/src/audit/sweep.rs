//! One pass over the code finds the kind of every byte, and a second pass ([`Map`]) checks its
//! branches.
//!
//! Cranelift puts functions into one section. Most of them stand at a multiple of 32, after zeros.
//! A function has instructions, jump tables (each after the indirect jump that uses it) and
//! constants (after all instructions, or after a jump around them). So the code can be read from
//! the front to the back: bytes that are not an instruction were referred to before, or follow a
//! known sequence, or are zeros after an instruction that does not run on. The result is closed
//! under everything that a processor does by itself: no instruction runs on into another kind of
//! byte, and no direct branch or entry of a jump table leads to one. Source: `cranelift-codegen`
//! 0.135, `machinst/buffer.rs`, and `emit.rs` of the two families.

use std::ops::Range;

use super::decoder::{Decoder, Flow, Instruction, Reference, Table, Verdict};
use super::features::Declared;
use super::finding::{Finding, Function, Place, Problem};
use super::map::{Edge, Map, problem_of};
use super::marks::{ADDRESSED, DATA, ENTRY, FREE, GARBAGE, INSIDE, PADDING, START, TARGET};
use super::{AuditReport, MAX_FINDINGS};

/// Cranelift aligns functions to this many bytes, in both families. It does not align small
/// functions that only call others.
pub(super) const FUNCTION_ALIGN: usize = 32;
const TABLE_ENTRY: usize = 4;

pub(super) struct Sweep<'a, D> {
    text: &'a [u8],
    /// The part of the code that this pass reads.
    range: Range<usize>,
    decoder: D,
    declared: Declared,
    map: Map,
    used: u64,
    /// Whether an instruction refers to a place outside of the part that the pass must mark.
    strayed: bool,
    report: AuditReport,
}

impl<'a, D: Decoder> Sweep<'a, D> {
    /// A pass over a part of the code, or over all of it.
    pub(super) fn new(text: &'a [u8], range: Range<usize>, decoder: D, declared: Declared) -> Self {
        Self {
            text,
            map: Map::new(range.clone()),
            range,
            decoder,
            declared,
            used: 0,
            strayed: false,
            report: AuditReport::default(),
        }
    }

    /// The first pass. At an exception handler, an instruction begins.
    pub(super) fn pass(&mut self, handlers: &[u32]) {
        for handler in handlers {
            self.map.marks.flag(u64::from(*handler), TARGET);
        }
        self.read_all();
        self.report.instructions = self.map.marks.count(START);
        self.report.data = self.map.marks.count(DATA);
        self.report.padding = self.map.marks.count(PADDING);
    }

    /// Whether nothing was found in this part, and it refers to no bytes of another part except by
    /// branches.
    pub(super) fn stands_alone(&self) -> bool {
        self.report.found == 0 && !self.strayed
    }

    /// Adds the results for the part that follows this one.
    pub(super) fn append(&mut self, next: Self) {
        self.range.end = next.range.end;
        self.map.append(next.map);
        self.used |= next.used;
        self.report.instructions += next.report.instructions;
        self.report.data += next.report.data;
        self.report.padding += next.report.padding;
    }

    /// The second pass, over the results of the first one for all of the code.
    pub(super) fn check(mut self, handlers: &[u32], entries: Option<&[u32]>) -> AuditReport {
        self.map.open_veneers();
        if !self.map.is_clean() {
            for (from, to, edge) in std::mem::take(&mut self.map.edges) {
                if let Some(place) = self.map.astray(from, to, edge) {
                    self.found(from.into(), |_| problem_of(edge, to.into(), place));
                }
            }
        }
        for handler in handlers.iter().copied().map(u64::from) {
            if let Some(at) = self.map.marks.not_code(handler) {
                self.found(handler, |_| Problem::Handler { at });
            }
        }
        for entry in entries.unwrap_or_default().iter().copied().map(u64::from) {
            if let Some(at) = self.map.marks.not_entry(entry) {
                self.found(entry, |_| Problem::Entry { at });
            }
        }
        self.report.length = self.text.len() as u64;
        self.report.functions = self.map.starts.len() as u64;
        self.report.entries = entries.map(|entries| entries.len() as u64);
        self.report.features = self.declared.list(self.used);
        self.report.findings.sort_by_key(|finding| finding.offset);
        self.report
    }

    fn read_all(&mut self) {
        let mut at = self.range.start;
        // The last instruction, if the processor goes on after it.
        let mut running: Option<usize> = None;
        while at < self.range.end {
            if self.kind(at) == DATA {
                self.ran_out(running.take());
                at += 1;
                continue;
            }
            if running.is_none() {
                if let Some(end) = self.padding(at) {
                    self.map.marks.set(at..end, PADDING);
                    at = end;
                    continue;
                }
                if self.decoder.prologue(at) {
                    self.map.starts.push(narrow(at));
                    self.map.marks.flag(at as u64, ENTRY);
                }
            }
            let decoded = self.decoder.decode(at);
            let Some(instruction) = decoded.filter(|it| self.is_free(at, it.len)) else {
                let end = self.after_garbage(at);
                let skipped = (end - at) as u64;
                self.found(at as u64, |_| Problem::Undecodable { skipped });
                self.map.marks.set(at..end, GARBAGE);
                running = None;
                at = end;
                continue;
            };
            self.map.marks.set(at..at + 1, START);
            self.map.marks.set(at + 1..at + instruction.len, INSIDE);
            let on = self.look_at(at, &instruction);
            running = on.then_some(at);
            at += instruction.len;
        }
        self.ran_out(running);
    }

    /// Records all facts about an instruction. Returns whether the processor goes on after it.
    fn look_at(&mut self, at: usize, instruction: &Instruction) -> bool {
        match instruction.verdict {
            Verdict::Fine => {}
            Verdict::Forbidden(class) => self.found(at as u64, |decoder| Problem::Forbidden {
                mnemonic: decoder.mnemonic(at),
                class,
            }),
            Verdict::Unexpected => self.found(at as u64, |decoder| Problem::Unexpected {
                mnemonic: decoder.mnemonic(at),
            }),
        }
        if instruction.features != 0 {
            self.used |= instruction.features;
            if let Some(missing) = self.declared.missing(instruction.features) {
                let list = self.declared.list(missing).join(", ");
                self.found(at as u64, |decoder| Problem::Feature {
                    mnemonic: decoder.mnemonic(at),
                    missing: list,
                });
            }
        }
        match instruction.reference {
            Reference::None => {}
            Reference::Data(target, len) => self.data(at, target, len),
            Reference::Address(target) => {
                if let Some(len) = self.decoder.constant(target) {
                    self.data(at, target, len);
                    self.map.marks.flag(target, ADDRESSED);
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
                let previous = |at| self.map.marks.previous(at);
                if let Some(table) = self.decoder.table(at, &previous) {
                    self.table(at, table);
                }
                false
            }
        }
    }

    /// Reads a jump table. If the code does not give its length, the table ends before the first
    /// place that is known to be something else: the bytes after a table are reached from
    /// somewhere, mostly from the table itself.
    fn table(&mut self, jump: usize, table: Table) {
        let limit = table.entries.unwrap_or(usize::MAX);
        self.map.marks.flag(table.start as u64, ADDRESSED);
        if let Some(veneer) = table.veneer {
            self.map.veneers.push((narrow(veneer), narrow(jump)));
        }
        let mut at = table.start;
        for _ in 0..limit {
            let Some(bytes) = self.text.get(at..).and_then(|rest| rest.first_chunk()) else {
                // The code is too short for a table of this length.
                if table.entries.is_some() {
                    let (target, to) = (at as u64, Place::Outside);
                    self.found(jump as u64, |_| Problem::Reference { target, to });
                }
                break;
            };
            if table.entries.is_none() && !self.map.marks.unknown(at..at + TABLE_ENTRY) {
                break;
            }
            let offset = i64::from(i32::from_le_bytes(*bytes));
            let target = (table.start as u64).wrapping_add_signed(offset);
            let inside = (table.start as u64..(at + TABLE_ENTRY) as u64).contains(&target);
            if table.entries.is_none() && (inside || target >= self.text.len() as u64) {
                break;
            }
            self.strayed |= !self.map.marks.cover(at..at + TABLE_ENTRY);
            self.map.marks.set(at..at + TABLE_ENTRY, DATA);
            self.edge(jump, target, Edge::Near);
            at += TABLE_ENTRY;
        }
    }

    /// The instruction reads bytes at an address relative to itself.
    fn data(&mut self, at: usize, target: u64, len: usize) {
        let range = usize::try_from(target).ok();
        let range = range.and_then(|start| Some(start..start.checked_add(len)?));
        let free = range.clone();
        let free = free.and_then(|range| self.map.marks.all(range, &[FREE, DATA]));
        let (Some(range), Some(free)) = (range, free) else {
            self.strayed = true;
            let to = Place::Outside;
            self.found(at as u64, |_| Problem::Reference { target, to });
            return;
        };
        if !free {
            let to = Place::Code;
            self.found(at as u64, |_| Problem::Reference { target, to });
            return;
        }
        self.map.marks.set(range, DATA);
    }

    fn edge(&mut self, from: usize, target: u64, edge: Edge) {
        if target >= self.text.len() as u64 {
            self.found(from as u64, |_| problem_of(edge, target, Place::Outside));
            return;
        }
        // A jump table begins where its address says, and does not begin with an instruction.
        if edge != Edge::Address {
            self.map.marks.flag(target, TARGET);
        }
        if let Ok(to) = u32::try_from(target) {
            self.map.edges.push((narrow(from), to, edge));
        }
    }

    fn ran_out(&mut self, last: Option<usize>) {
        if let Some(at) = last {
            self.found(at as u64, |_| Problem::RunsOut);
        }
    }

    /// The end of the zeros before a constant, a function or an alignment.
    fn padding(&self, at: usize) -> Option<usize> {
        let aligned = (at + 1).next_multiple_of(FUNCTION_ALIGN);
        let limit = aligned.min(self.range.end);
        let zeros = self.text.get(at..limit)?.iter().zip(at..);
        let unclaimed = |place| self.map.marks.unknown(place..place + 1);
        let len = zeros.take_while(|(byte, place)| **byte == 0 && unclaimed(*place));
        let end = at + len.count();
        let fills = end == limit || self.kind(end) == DATA || self.decoder.prologue(end);
        (end > at && fills).then_some(end)
    }

    /// Where the pass can go on: at the target of a branch, or at a function.
    fn after_garbage(&self, at: usize) -> usize {
        let next = |at: &usize| {
            self.map.marks.has(*at as u64, TARGET)
                || self.kind(*at) == DATA
                || (at.is_multiple_of(FUNCTION_ALIGN) && self.decoder.prologue(*at))
        };
        (at + 1..self.range.end)
            .find(next)
            .unwrap_or(self.range.end)
    }

    fn is_free(&self, at: usize, len: usize) -> bool {
        self.map.marks.all(at..at.saturating_add(len), &[FREE]) == Some(true)
    }

    fn kind(&self, at: usize) -> u8 {
        self.map.marks.kind(at as u64)
    }

    /// Counts a finding, and lists it if there are fewer than the limit. Only a listed problem is
    /// described.
    fn found(&mut self, offset: u64, problem: impl FnOnce(&mut D) -> Problem) {
        self.report.found += 1;
        if self.report.findings.len() >= MAX_FINDINGS {
            return;
        }
        let problem = problem(&mut self.decoder);
        let place = usize::try_from(offset).unwrap_or(usize::MAX);
        let number = self.map.function(narrow(place)).checked_sub(1);
        let function = number.and_then(|number| {
            let start = u64::from(*self.map.starts.get(number)?);
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

/// Every offset fits, since the length of the code is limited.
pub(super) fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
