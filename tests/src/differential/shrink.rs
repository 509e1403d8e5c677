//! Makes a smaller module that still differs.
//!
//! It removes entries of sections and operators of functions, or replaces operators by constants,
//! as long as the result is valid and differs. It ends when nothing helps, or when the time is
//! over.

use std::time::{Duration, Instant};

use super::sections::{CODE, DATA, ELEMENTS, EXPORTS, Sections, operators, sized};

const ENTRIES: [u8; 3] = [EXPORTS, ELEMENTS, DATA];

/// What can replace operators: drops of their operands, and a value that the following code needs.
const REPLACEMENTS: &[&[u8]] = &[
    &[],
    &[0x00],
    &[0x1a],
    &[0x41, 0],
    &[0x42, 0],
    &[0x43, 0, 0, 0, 0],
    &[0x44, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0x1a, 0x41, 0],
    &[0x1a, 0x42, 0],
    &[0x1a, 0x1a],
    &[0x1a, 0x1a, 0x41, 0],
    &[0x1a, 0x1a, 0x42, 0],
    &[0x1a, 0x1a, 0x1a],
    &[0x41, 1],
];

/// Shrinks `module`, which `differs`.
pub fn shrink(module: &[u8], differs: &dyn Fn(&[u8]) -> bool, time: Duration) -> Vec<u8> {
    let mut shrinking = Shrinking {
        best: Sections::of(module),
        differs,
        end: Instant::now() + time,
    };
    loop {
        let before = shrinking.best.bytes();
        shrinking.sections();
        shrinking.entries();
        shrinking.bodies();
        shrinking.operators();
        if shrinking.best.bytes() == before || shrinking.over() {
            return before;
        }
    }
}

struct Shrinking<'a> {
    best: Sections,
    differs: &'a dyn Fn(&[u8]) -> bool,
    end: Instant,
}

impl Shrinking<'_> {
    fn over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Accepts the candidate if it is valid and differs.
    fn take(&mut self, candidate: Sections) -> bool {
        let bytes = candidate.bytes();
        let better = !self.over()
            && edgec_compiler::validate(bytes.clone()).is_ok()
            && (self.differs)(&bytes);
        if better {
            self.best = candidate;
        }
        better
    }

    /// Removes whole sections.
    fn sections(&mut self) {
        for place in (0..self.best.0.len()).rev() {
            let mut candidate = self.best.clone();
            candidate.0.remove(place);
            self.take(candidate);
        }
    }

    /// Removes entries of sections, one at a time.
    fn entries(&mut self) {
        for id in ENTRIES {
            let mut entry = 0;
            while let Some(entries) = self.best.entries(id) {
                if entry >= entries.len() || self.over() {
                    break;
                }
                let mut fewer = entries;
                fewer.remove(entry);
                let candidate = self.best.with_entries(id, &fewer);
                if !self.take(candidate) {
                    entry += 1;
                }
            }
        }
    }

    /// Makes functions trap or return at once.
    fn bodies(&mut self) {
        let count = self.best.entries(CODE).map_or(0, |bodies| bodies.len());
        for function in 0..count {
            for body in REPLACEMENTS {
                let mut bodies = self.best.entries(CODE).unwrap_or_default();
                let short = [&[0][..], body, &[0x0b]].concat();
                if bodies[function].len() <= short.len() + 1 {
                    break;
                }
                bodies[function] = sized(&short);
                let candidate = self.best.with_entries(CODE, &bodies);
                if self.take(candidate) {
                    break;
                }
            }
        }
    }

    /// Removes operators of functions, many at a time at first.
    fn operators(&mut self) {
        let count = self.best.entries(CODE).map_or(0, |bodies| bodies.len());
        for function in 0..count {
            let mut length = 64;
            while length > 0 {
                let mut from = 0;
                loop {
                    let bodies = self.best.entries(CODE).unwrap_or_default();
                    let Some((locals, operators)) = operators(&bodies[function]) else {
                        break;
                    };
                    if from + length >= operators.len() || self.over() {
                        break;
                    }
                    let old = operators[from..from + length].concat();
                    let shorter = REPLACEMENTS.iter().any(|new| {
                        if new.len() >= old.len() && (length > 1 || *new != [0x00]) {
                            return false;
                        }
                        if new.len() > old.len() || **new == *old {
                            return false;
                        }
                        let before = operators[..from].concat();
                        let after = operators[from + length..].concat();
                        let body = [locals.as_slice(), &before, new, &after].concat();
                        let mut bodies = bodies.clone();
                        bodies[function] = sized(&body);
                        let candidate = self.best.with_entries(CODE, &bodies);
                        self.take(candidate)
                    });
                    if !shorter {
                        from += 1;
                    }
                }
                length /= 2;
            }
        }
    }
}
