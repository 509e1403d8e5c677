//! The facts about every byte of the code.

use std::ops::Range;

use super::finding::Place;

/// The kind of a byte, in the lower bits of its mark.
pub(super) const FREE: u8 = 0;
pub(super) const START: u8 = 1;
pub(super) const INSIDE: u8 = 2;
pub(super) const DATA: u8 = 3;
pub(super) const PADDING: u8 = 4;
pub(super) const GARBAGE: u8 = 5;
const KIND: u8 = 0x0f;
/// A jump table begins here, or a constant whose address the compiler takes.
pub(super) const ADDRESSED: u8 = 0x20;
/// A function begins here.
pub(super) const ENTRY: u8 = 0x40;
/// A branch leads here.
pub(super) const TARGET: u8 = 0x80;

/// No instruction is longer.
const MAX_INSTRUCTION: usize = 15;

/// A mark for every byte of the code, or of a part of it. Nothing is known outside.
pub(super) struct Marks {
    /// The place of the first mark.
    from: usize,
    marks: Vec<u8>,
}

impl Marks {
    pub(super) fn new(range: Range<usize>) -> Self {
        Self {
            from: range.start,
            marks: vec![FREE; range.len()],
        }
    }

    /// Adds the marks of the part that follows this one.
    pub(super) fn append(&mut self, mut next: Self) {
        self.marks.append(&mut next.marks);
    }

    /// Whether these are the marks of a whole range.
    pub(super) fn cover(&self, range: Range<usize>) -> bool {
        self.get(range).is_some()
    }

    fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        let (start, end) = (range.start.checked_sub(self.from)?, range.end);
        self.marks.get(start..end.checked_sub(self.from)?)
    }

    fn get_mut(&mut self, range: Range<usize>) -> Option<&mut [u8]> {
        let (start, end) = (range.start.checked_sub(self.from)?, range.end);
        self.marks.get_mut(start..end.checked_sub(self.from)?)
    }

    pub(super) fn kind(&self, at: u64) -> u8 {
        self.mark(at) & KIND
    }

    pub(super) fn has(&self, at: u64, flag: u8) -> bool {
        self.mark(at) & flag != 0
    }

    fn mark(&self, at: u64) -> u8 {
        let place = usize::try_from(at).ok();
        let place = place.and_then(|place| place.checked_sub(self.from));
        let mark = place.and_then(|place| self.marks.get(place));
        mark.copied().unwrap_or(FREE)
    }

    /// Whether all bytes of a range are of one of these kinds. `None` if the range reaches outside.
    pub(super) fn all(&self, range: Range<usize>, kinds: &[u8]) -> Option<bool> {
        let mut marks = self.get(range)?.iter();
        Some(marks.all(|mark| kinds.contains(&(mark & KIND))))
    }

    /// Whether nothing is known of a range, not even that a branch or an address leads there.
    pub(super) fn unknown(&self, range: Range<usize>) -> bool {
        self.get(range).is_some_and(|marks| {
            let known = |mark: &u8| mark & TARGET != 0 || mark & KIND != FREE;
            !marks.iter().any(known)
        })
    }

    pub(super) fn set(&mut self, range: Range<usize>, kind: u8) {
        for mark in self.get_mut(range).unwrap_or_default() {
            *mark = (*mark & !KIND) | kind;
        }
    }

    pub(super) fn flag(&mut self, at: u64, flag: u8) {
        let place = usize::try_from(at).ok();
        let place = place.and_then(|place| place.checked_sub(self.from));
        if let Some(mark) = place.and_then(|place| self.marks.get_mut(place)) {
            *mark |= flag;
        }
    }

    pub(super) fn count(&self, kind: u8) -> u64 {
        self.marks
            .iter()
            .filter(|mark| **mark & KIND == kind)
            .count() as u64
    }

    /// The start of the instruction before a place.
    pub(super) fn previous(&self, at: usize) -> Option<usize> {
        let before = self.get(self.from..at)?.iter().rev();
        let mut before = before.take(MAX_INSTRUCTION);
        let back = before.position(|mark| mark & KIND == START)?;
        at.checked_sub(back + 1)
    }

    /// The contents of a place where no instruction begins. These are the marks of all of the code.
    pub(super) fn not_code(&self, target: u64) -> Option<Place> {
        if target >= self.marks.len() as u64 {
            return Some(Place::Outside);
        }
        match self.kind(target) {
            START => None,
            INSIDE => Some(Place::Inside),
            DATA => Some(Place::Data),
            PADDING => Some(Place::Padding),
            _ => Some(Place::Garbage),
        }
    }

    /// The contents of a place where no function begins.
    pub(super) fn not_entry(&self, target: u64) -> Option<Place> {
        let place = self.not_code(target);
        let entry = self.has(target, ENTRY);
        place.or_else(|| (!entry).then_some(Place::Body))
    }
}
