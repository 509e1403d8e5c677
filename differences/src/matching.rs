//! Finds how an image derives from a base: parts that are almost the same, and new bytes.
//!
//! If one function of a program grows, everything behind it moves: each call across the place and
//! each address has another value, and the bytes between are the same. So a part is compared byte
//! by byte with a part of the base, and a few differences do not end it.
//!
//! Source: Colin Percival, "Naive differences of executable code" (2003), and his bsdiff 4.3.

use crate::index::{Index, Match, same};

/// One step: bytes that are like those of the base, then new bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where the part of the base begins.
    pub(crate) from: usize,
    /// How many bytes are like it.
    pub(crate) like: usize,
    /// How many bytes are new.
    pub(crate) new: usize,
}

/// How many bytes more another place must explain before a step goes there.
const GAIN: usize = 8;
/// If so many bytes go on as before, no other place is looked for.
const GOES_ON: usize = 32;

/// The steps that make `new`. `progress` gets how many of its bytes are done.
pub(crate) fn steps(base: &[u8], new: &[u8], progress: &mut dyn FnMut(usize)) -> Vec<Step> {
    let index = Index::new(base);
    let mut steps = Vec::new();
    let mut along = Along {
        base,
        new,
        start: 0,
        from: 0,
    };
    let mut scan = 0;
    let mut found = Match::default();
    while scan < new.len() {
        progress(scan);
        scan += found.length;
        let mut counted = scan;
        // How many bytes of what was found are also the same if the step goes on.
        let mut score = 0_usize;
        found = Match::default();
        while scan < new.len() {
            found = along.find(&index, scan);
            while counted < scan + found.length {
                score += usize::from(along.agrees(counted));
                counted += 1;
            }
            if (found.length == score && found.length != 0) || found.length > score + GAIN {
                break;
            }
            // The byte leaves what is counted, if it was in it.
            score -= usize::from(counted > scan && along.agrees(scan));
            scan += 1;
            counted = counted.max(scan);
        }
        if found.length != score || scan >= new.len() {
            let (step, next) = along.end(scan, found.at);
            steps.push(step);
            along = next;
        }
    }
    steps
}

/// The step that is being made: where it began in the new image and in the base.
#[derive(Clone, Copy)]
struct Along<'a> {
    base: &'a [u8],
    new: &'a [u8],
    start: usize,
    from: usize,
}

impl Along<'_> {
    /// The place in the base that belongs to a place of the new image, if the step goes on.
    fn place(&self, at: usize) -> usize {
        self.from + (at - self.start)
    }

    /// Whether the byte is the same if the step goes on.
    fn agrees(&self, at: usize) -> bool {
        let there = self.base.get(self.place(at));
        there.is_some() && there == self.new.get(at)
    }

    /// Where the bytes from here on are in the base. If they go on as before, it is there.
    fn find(&self, index: &Index<'_>, at: usize) -> Match {
        let ahead = self.new.get(at..).unwrap_or_default();
        let place = self.place(at);
        let length = same(self.base.get(place..).unwrap_or_default(), ahead);
        if length >= GOES_ON {
            return Match { at: place, length };
        }
        index.find(ahead)
    }

    /// Ends the step: bytes from `scan` on are at `found` of the base. Where the step is no longer
    /// like the base is where most bytes agree; the next step may begin before `scan`.
    fn end(&self, scan: usize, found: usize) -> (Step, Self) {
        let mut like = self.forward(scan);
        let mut back = self.backward(scan, found);
        let both = (like + back).saturating_sub(scan - self.start);
        if both > 0 {
            // Both steps explain these bytes: the first gets as many as it explains better.
            let first = self.start + like - both;
            let (mut gain, mut best, mut kept) = (0_i64, 0_i64, 0);
            for index in 0..both {
                let place = first + index;
                let other = self.base.get(found + place - scan);
                let other = other.is_some() && other == self.new.get(place);
                gain += i64::from(self.agrees(place)) - i64::from(other);
                if gain > best {
                    (best, kept) = (gain, index + 1);
                }
            }
            like = like - both + kept;
            back -= kept;
        }
        let start = scan - back;
        let step = Step {
            from: self.from,
            like,
            new: start - (self.start + like),
        };
        let from = found - back;
        (
            step,
            Self {
                start,
                from,
                ..*self
            },
        )
    }

    /// How many bytes of the step are like the base: to where most agree.
    fn forward(&self, scan: usize) -> usize {
        let (mut same, mut best, mut like) = (0_usize, 0_i64, 0);
        let room = self.base.len().saturating_sub(self.from);
        for index in 0..(scan - self.start).min(room) {
            same += usize::from(self.agrees(self.start + index));
            let score = excess(same, index + 1);
            if score > best {
                (best, like) = (score, index + 1);
            }
        }
        like
    }

    /// How many bytes before `scan` are like those before `found`.
    fn backward(&self, scan: usize, found: usize) -> usize {
        let (mut same, mut best, mut like) = (0_usize, 0_i64, 0);
        if scan >= self.new.len() {
            return 0;
        }
        for back in 1..=(scan - self.start).min(found) {
            same += usize::from(self.base.get(found - back) == self.new.get(scan - back));
            let score = excess(same, back);
            if score > best {
                (best, like) = (score, back);
            }
        }
        like
    }
}

/// By how much more bytes agree than do not. It falls while bytes are different.
fn excess(same: usize, of: usize) -> i64 {
    let (same, of) = (i64::try_from(same), i64::try_from(of));
    same.unwrap_or(i64::MAX / 4) * 2 - of.unwrap_or(i64::MAX / 4)
}
