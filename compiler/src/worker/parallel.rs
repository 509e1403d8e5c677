//! Several workers at a time.
//!
//! For a large program, one worker uses all processors. For a small program, most of a worker's
//! time is spent on starting it, so several workers at a time are faster. Each has its own memory,
//! so there are few of them.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

/// The maximum length of a program for which several workers run at a time, in bytes (4 MiB).
const SMALL: usize = 4 << 20;
/// The maximum number of workers at a time.
const MAX_WORKERS: usize = 4;

/// How many workers run at a time, from 1 to 4, for a program of `length` bytes and this many
/// pieces of work.
pub(crate) fn workers_at_once(length: usize, pieces: usize) -> usize {
    if length > SMALL {
        return 1;
    }
    let processors = available_parallelism().map_or(1, NonZero::get);
    processors.min(MAX_WORKERS).min(pieces).max(1)
}

/// Does `work` on every item and its number, on up to `workers` items at a time. The results have
/// the order of the items.
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
    // There is only one worker, or no more threads can be started.
    items.iter().enumerate().map(one).collect()
}

/// The pieces of work that are in progress, by their numbers. If there are several, the one that
/// began last may end long before the others. So a listener gets the whole set whenever it changes.
pub(crate) struct AtWork<F> {
    pieces: Mutex<BTreeSet<usize>>,
    told: F,
}

impl<F: Fn(&BTreeSet<usize>)> AtWork<F> {
    /// Nothing is in progress yet. `told` is called with the set whenever it changes, unless it is
    /// empty.
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
        // A poisoned lock does no harm: the set only decides what is reported.
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
        // No thread passes before all three have arrived.
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
