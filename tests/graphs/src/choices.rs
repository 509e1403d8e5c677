//! The decisions that make a generated component.
//!
//! A decision is a number. The numbers come from a tape, or follow from a seed. The tape of a
//! component makes it again, and a tape with fewer or smaller numbers makes a smaller component.
//! So tapes can be made smaller without knowledge of components. 0 is always the plainest choice.

use super::random::Random;

/// A source of decisions, which records them.
pub struct Choices {
    tape: Vec<u32>,
    then: Option<Random>,
    made: Vec<u32>,
}

impl Choices {
    /// Decisions that follow from a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self {
            tape: Vec::new(),
            then: Some(Random::new(seed, "graph")),
            made: Vec::new(),
        }
    }

    /// Decisions from a tape. After its end, every decision is 0.
    pub fn of_tape(tape: impl IntoIterator<Item = u32>) -> Self {
        Self {
            tape: tape.into_iter().collect(),
            then: None,
            made: Vec::new(),
        }
    }

    /// The tape of all decisions until now.
    pub fn made(&self) -> &[u32] {
        &self.made
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        let drawn = match self.tape.get(self.made.len()) {
            Some(number) => *number as usize % end,
            None => self.then.as_mut().map_or(0, |random| random.below(end)),
        };
        self.made.push(drawn as u32);
        drawn
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The number of one of the weights, as often as its share of their sum. Not all may be 0.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut drawn = self.below(weights.iter().sum());
        for (number, weight) in weights.iter().enumerate() {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return number,
            }
        }
        unreachable!("the number is below the sum")
    }
}
