//! Makes a smaller component that still differs: from a smaller tape of decisions.
//!
//! It removes spans of the tape, and makes single decisions plainer, as long as the component
//! differs. It ends when nothing helps, or when the time is over.
//!
//! Source: MacIver and Donaldson, "Test-Case Reduction via Test-Case Generation" (ECOOP 2020).

use std::time::{Duration, Instant};

use edgec_graphs::{Choices, graph};

/// The tape of the component of a seed.
pub fn tape(seed: u64) -> Vec<u32> {
    let mut choices = Choices::of_seed(seed);
    graph(&mut choices);
    choices.made().to_vec()
}

/// The component of a tape, as text.
pub fn text(tape: &[u32]) -> String {
    graph(&mut Choices::of_tape(tape.iter().copied()))
}

/// Shrinks a tape whose component `differs`. Returns the component, as text.
pub fn shrink(tape: Vec<u32>, differs: &dyn Fn(&str) -> bool, time: Duration) -> String {
    let mut shrinking = Shrinking {
        best: tape,
        differs,
        end: Instant::now() + time,
    };
    loop {
        let before = shrinking.best.clone();
        let mut span = before.len() / 2;
        while span > 0 {
            shrinking.without(span);
            span /= 2;
        }
        shrinking.plainer();
        if shrinking.best == before || shrinking.over() {
            return text(&shrinking.best);
        }
    }
}

struct Shrinking<'a> {
    best: Vec<u32>,
    differs: &'a dyn Fn(&str) -> bool,
    end: Instant,
}

impl Shrinking<'_> {
    fn over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Takes the tape if its component differs.
    fn attempt(&mut self, tape: Vec<u32>) -> bool {
        let differs = tape != self.best && (self.differs)(&text(&tape));
        if differs {
            self.best = tape;
        }
        differs
    }

    /// Removes spans of this length, the last one first.
    fn without(&mut self, span: usize) {
        let mut end = self.best.len();
        while end >= span && !self.over() {
            let mut tape = self.best.clone();
            tape.drain(end - span..end);
            // Later decisions are then other ones, so the end of the tape is tried first.
            self.attempt(tape);
            end = (end - span).min(self.best.len());
        }
    }

    /// Makes decisions 0, or smaller.
    fn plainer(&mut self) {
        for place in 0..self.best.len() {
            for smaller in [0, self.best.get(place).map_or(0, |number| number / 2)] {
                if self.over() || place >= self.best.len() || self.best[place] <= smaller {
                    continue;
                }
                let mut tape = self.best.clone();
                tape[place] = smaller;
                self.attempt(tape);
            }
        }
    }
}
