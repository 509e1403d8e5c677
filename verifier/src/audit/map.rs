//! What the first pass over the code found, and whether its branches fit.

use std::ops::Range;
use std::thread;

use super::finding::{Place, Problem};
use super::marks::{ADDRESSED, DATA, ENTRY, Marks};

/// How an instruction refers to a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Near,
    Call,
    Address,
}

/// The kinds of all bytes, and what leads where.
pub(super) struct Map {
    pub(super) marks: Marks,
    /// From, to, kind; sorted by the place where they begin.
    pub(super) edges: Vec<(u32, u32, Edge)>,
    /// The starts of functions, sorted.
    pub(super) starts: Vec<u32>,
    /// The starts of veneers, and the jumps that lead on from them.
    pub(super) veneers: Vec<(u32, u32)>,
}

impl Map {
    pub(super) fn new(range: Range<usize>) -> Self {
        Self {
            marks: Marks::new(range),
            edges: Vec::new(),
            starts: Vec::new(),
            veneers: Vec::new(),
        }
    }

    /// Adds the map of the part that follows this one.
    pub(super) fn append(&mut self, mut next: Self) {
        self.marks.append(next.marks);
        self.edges.append(&mut next.edges);
        self.starts.append(&mut next.starts);
        self.veneers.append(&mut next.veneers);
    }

    /// If a veneer leads to a function's first instruction, it may be called like the function.
    pub(super) fn open_veneers(&mut self) {
        for (start, jump) in std::mem::take(&mut self.veneers) {
            let first = self.edges.partition_point(|(from, ..)| *from < jump);
            let leads = self.edges.get(first).filter(|(from, ..)| *from == jump);
            if leads.is_some_and(|(_, to, _)| self.marks.has(u64::from(*to), ENTRY)) {
                self.marks.flag(u64::from(start), ENTRY);
            }
        }
    }

    /// Whether all edges lead where they may. Two threads look at them.
    pub(super) fn is_clean(&self) -> bool {
        let (one, other) = self.edges.split_at(self.edges.len() / 2);
        let fit = |edges: &[(u32, u32, Edge)]| {
            let mut edges = edges.iter();
            edges.all(|(from, to, edge)| self.astray(*from, *to, *edge).is_none())
        };
        if self.edges.len() < MANY_EDGES {
            return fit(one) && fit(other);
        }
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, || fit(other));
            let here = fit(one);
            // If the system gives no thread, this one does all of the work.
            let there = beside.ok().and_then(|beside| beside.join().ok());
            here && there.unwrap_or_else(|| fit(other))
        })
    }

    /// What is at the end of an edge, if the edge may not lead there.
    pub(super) fn astray(&self, from: u32, to: u32, edge: Edge) -> Option<Place> {
        let target = u64::from(to);
        if edge == Edge::Address && self.marks.kind(target) == DATA {
            // Any other constant is only read, at once and as a whole.
            return (!self.marks.has(target, ADDRESSED)).then_some(Place::Data);
        }
        match self.marks.not_code(target) {
            Some(place) => Some(place),
            // Inside a function, a branch may lead to any instruction. A function is entered at its
            // first instruction.
            None if self.marks.has(target, ENTRY) => None,
            None if edge != Edge::Call && self.function(from) == self.function(to) => None,
            None => Some(Place::OtherFunction),
        }
    }

    /// The number of functions that begin up to a place.
    pub(super) fn function(&self, at: u32) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }
}

/// Below this number of edges, a second thread costs more than it saves.
const MANY_EDGES: usize = 1 << 14;

/// The problem of an edge that leads to this place.
pub(super) fn problem_of(edge: Edge, target: u64, to: Place) -> Problem {
    match edge {
        Edge::Near | Edge::Call => Problem::Branch { target, to },
        Edge::Address => Problem::Reference { target, to },
    }
}
