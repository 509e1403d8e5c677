//! Several workers at a time.
//!
//! A worker uses all processors if its program is large. With a small program, most of its time
//! goes to starting it, so several workers at a time end earlier. Each has memory of its own, so
//! they are few.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

/// The longest program, in bytes, of which several parts are worked on at a time (4 MiB).
const SMALL: usize = 4 << 20;
/// The most workers at a time.
const MAX_WORKERS: usize = 4;

/// How many workers run at a time, from 1 to 4, for a program of `length` bytes and so many pieces
/// of work.
pub(crate) fn workers_at_once(length: usize, pieces: usize) -> usize {
    if length > SMALL {
        return 1;
    }
    let processors = available_parallelism().map_or(1, NonZero::get);
    processors.min(MAX_WORKERS).min(pieces).max(1)
}

/// Does `work` on every item and its number, on up to `workers` of them at a time. The answers are
/// in the order of the items.
pub(crate) fn map_at_once<T: Sync, R: Send>(
    workers: usize,
    items: &[T],
    work: impl Fn(usize, &T) -> R + Sync + Send,
) -> Vec<R> {
    let one = |(number, item)| work(number, item);
    if workers > 1
        && let Ok(pool) = ThreadPoolBuilder::new().num_threads(workers).build()
    {
        return pool.install(|| items.par_iter().enumerate().map(one).collect());
    }
    // One at a time, or no more threads to be had.
    items.iter().enumerate().map(one).collect()
}

/// Which pieces of work are at work, by their numbers. Where several are at the same time, the one
/// that began last may end long before the others: so who waits is told of all, whenever that
/// changes.
pub(crate) struct AtWork<F> {
    pieces: Mutex<BTreeSet<usize>>,
    told: F,
}

impl<F: Fn(&BTreeSet<usize>)> AtWork<F> {
    /// Nothing yet. `told` is called with all that are at work, if there are any.
    pub(crate) fn new(told: F) -> Self {
        Self {
            pieces: Mutex::default(),
            told,
        }
    }

    /// Does the work on a piece.
    pub(crate) fn during<R>(&self, piece: usize, work: impl FnOnce() -> R) -> R {
        self.change(|pieces| pieces.insert(piece));
        let done = work();
        self.change(|pieces| pieces.remove(&piece));
        done
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<usize>) -> bool) {
        // A poisoned lock is harmless here: the set decides only what is told.
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pieces);
        if !pieces.is_empty() {
            (self.told)(&pieces);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn what_is_at_work_is_told_whenever_that_changes() {
        let told = Mutex::new(Vec::new());
        let at_work = AtWork::new(|pieces: &BTreeSet<usize>| {
            let pieces: Vec<usize> = pieces.iter().copied().collect();
            told.lock().unwrap().push(pieces);
        });
        let done = at_work.during(2, || at_work.during(1, || 7));
        assert_eq!(done, 7);
        let told = told.lock().unwrap();
        assert_eq!(*told, [vec![2], vec![1, 2], vec![2]]);
    }

    #[test]
    fn answers_have_the_order_of_the_items() {
        let items = [10, 20, 30, 40, 50];
        for workers in [0, 1, 3, 8] {
            let answers = map_at_once(workers, &items, |number, item| item + number);
            assert_eq!(answers, [10, 21, 32, 43, 54], "{workers}");
        }
        assert!(map_at_once(4, &[(); 0], |_, ()| ()).is_empty());
    }

    #[test]
    fn workers_are_there_at_the_same_time() {
        // None passes before all three are there.
        let barrier = Barrier::new(3);
        let passed = map_at_once(3, &[(); 3], |_, ()| barrier.wait().is_leader());
        assert_eq!(passed.iter().filter(|leader| **leader).count(), 1);
    }

    #[test]
    fn a_large_program_is_worked_on_by_one() {
        assert_eq!(workers_at_once(SMALL + 1, 9), 1);
        assert!((1..=MAX_WORKERS).contains(&workers_at_once(SMALL, 9)));
        assert_eq!(workers_at_once(SMALL, 0), 1);
    }
}
