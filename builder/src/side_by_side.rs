//! Works on several programs at a time, within a limit on memory.
//!
//! Each program is expected to take some memory. A program starts when what all running programs
//! take and what finished programs keep leaves room for it. A program for which there is never room
//! runs alone, because a build that waits forever is worse than one that takes too much. The limits
//! of worker processes ([`Limits`](crate::Limits)) apply as well.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The memory of a program's processes that does not depend on its length, in bytes: the code of
/// edgec, the engine and the optimizer, and a small program.
const OWN_MEMORY: u64 = 96 << 20;

/// The memory for each byte of an input. Measured: a JavaScript engine of 13.0 MB, with two
/// targets, peaks at 1.0 GiB, which is 75 bytes for each byte. This is a quarter more.
const MEMORY_PER_BYTE: u64 = 96;

/// The memory that a build of an input of `length` bytes is expected to take at its peak, in bytes.
/// This is an estimate: code takes more than data.
pub const fn peak_memory(length: u64) -> u64 {
    OWN_MEMORY.saturating_add(length.saturating_mul(MEMORY_PER_BYTE))
}

/// How many programs may be worked on at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lanes {
    /// The largest number of programs.
    pub programs: NonZero<usize>,
    /// The memory that they may be expected to take together, in bytes.
    pub memory: u64,
}

impl Lanes {
    /// This many programs, within this memory in bytes.
    pub const fn new(programs: NonZero<usize>, memory: u64) -> Self {
        Self { programs, memory }
    }

    /// Does `work` on every item, and returns the results in the order of the items. `peak` is the
    /// memory that an item is expected to take, and `kept` what its result keeps, in bytes. Items
    /// that take most start first, so that the small ones fill what is left.
    pub fn work<T: Send, R: Send>(
        self,
        items: Vec<T>,
        peak: impl Fn(&T) -> u64,
        kept: impl Fn(&R) -> u64 + Sync,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        let threads = self.programs.get().min(items.len());
        let items = items.into_iter().enumerate().map(|(number, item)| Waiting {
            number,
            peak: peak(&item),
            item,
        });
        let mut waiting: Vec<Waiting<T>> = items.collect();
        // The next item is the last one. Of equal ones, the first in the caller's order.
        waiting.sort_by_key(|it| (it.peak, std::cmp::Reverse(it.number)));
        let queue = Queue {
            memory: self.memory,
            state: Mutex::new(State {
                waiting,
                running: 0,
                taken: 0,
            }),
            changed: Condvar::new(),
        };
        let worker = || {
            let mut results = Vec::new();
            while let Some((begun, number, item)) = queue.next() {
                let result = work(item);
                begun.end(kept(&result));
                results.push((number, result));
            }
            results
        };
        let mut results = thread::scope(|scope| {
            // If the system starts no more threads, the running ones do all of the work.
            let start = |_| thread::Builder::new().spawn_scoped(scope, worker).ok();
            let others: Vec<_> = (1..threads).filter_map(start).collect();
            let mut results = worker();
            for other in others {
                let more = other.join();
                results.extend(more.unwrap_or_else(|panic| resume_unwind(panic)));
            }
            results
        });
        results.sort_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

/// An item, its place in the caller's order, and the memory that it is expected to take.
struct Waiting<T> {
    number: usize,
    peak: u64,
    item: T,
}

struct Queue<T> {
    memory: u64,
    state: Mutex<State<T>>,
    /// Notified when an item ends.
    changed: Condvar,
}

struct State<T> {
    waiting: Vec<Waiting<T>>,
    running: usize,
    /// What running items are expected to take, and what finished ones keep, in bytes.
    taken: u64,
}

impl<T> Queue<T> {
    /// The next item, when there is room for it. `None` if no item waits.
    fn next(&self) -> Option<(Begun<'_, T>, usize, T)> {
        let mut state = self.state();
        loop {
            let room = self.memory.saturating_sub(state.taken);
            let largest = state.waiting.last()?;
            let at = match largest.peak <= room || state.running == 0 {
                true => Some(state.waiting.len().saturating_sub(1)),
                // A smaller one may have room now. The largest one starts at the latest when
                // nothing runs any more.
                false => state.waiting.iter().rposition(|it| it.peak <= room),
            };
            let Some(at) = at else {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Waiting { number, peak, item } = state.waiting.remove(at);
            state.running += 1;
            state.taken = state.taken.saturating_add(peak);
            let begun = Begun {
                queue: self,
                peak,
                kept: 0,
            };
            return Some((begun, number, item));
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic of the work does not happen while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An item that runs. Dropping it says that it has ended, also after a panic.
struct Begun<'q, T> {
    queue: &'q Queue<T>,
    peak: u64,
    kept: u64,
}

impl<T> Begun<'_, T> {
    /// The item has ended, and its result keeps this many bytes.
    fn end(mut self, kept: u64) {
        self.kept = kept;
    }
}

impl<T> Drop for Begun<'_, T> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.running = state.running.saturating_sub(1);
        state.taken = state
            .taken
            .saturating_sub(self.peak)
            .saturating_add(self.kept);
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// The most memory that items took at the same time, by their own account. Each takes its
    /// number, and keeps `kept` of it. The results must have the order of the items.
    fn most(items: &[u64], programs: usize, memory: u64, kept: u64) -> u64 {
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let lanes = Lanes::new(NonZero::new(programs).unwrap(), memory);
        let work = |item: u64| {
            let taken = now.fetch_add(item, Ordering::SeqCst) + item;
            most.fetch_max(taken, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(item - kept.min(item), Ordering::SeqCst);
            item
        };
        let results = lanes.work(items.to_vec(), |item| *item, |item| kept.min(*item), work);
        assert_eq!(results, items);
        most.into_inner()
    }

    #[test]
    fn what_runs_fits_into_the_memory() {
        let items: Vec<u64> = (0..200).map(|number| number * 37 % 50).collect();
        for programs in [1, 2, 8] {
            assert!(most(&items, programs, 100, 0) <= 100);
        }
        // With one thread, one item runs at a time.
        assert!(most(&items, 1, u64::MAX, 0) < 50);
        assert_eq!(most(&[], 4, 100, 0), 0);
    }

    #[test]
    fn what_is_too_large_runs_alone() {
        assert_eq!(most(&[150, 10, 10, 150], 4, 100, 0), 150);
    }

    /// Finished items count as well. When they leave no room, one item runs at a time.
    #[test]
    fn what_is_kept_counts() {
        assert!(most(&[10; 20], 4, 40, 1) <= 40);
        assert!(most(&[10; 20], 4, 5, 10) <= 200);
    }

    #[test]
    fn a_panic_of_one_item_does_not_stop_the_others() {
        let lanes = Lanes::new(NonZero::new(2).unwrap(), 10);
        let done = AtomicU64::new(0);
        let run = || {
            lanes.work(
                (0..10).collect::<Vec<u64>>(),
                |_| 10,
                |_| 0,
                |item| {
                    assert_ne!(item, 5);
                    done.fetch_add(1, Ordering::SeqCst);
                },
            )
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(result.is_err());
        // The thread that panics does no more work, and the other one does the rest, unless it is
        // the caller's own thread.
        assert!(done.into_inner() <= 9);
    }

    #[test]
    fn two_large_components_do_not_run_together_on_a_small_machine() {
        // A runner with 4 GiB, of which the system takes some, and three quarters of the rest.
        let memory = (3600 << 20) / 4 * 3;
        let large = peak_memory(20_000_000);
        assert!(large <= memory && 2 * large > memory);
        assert!(4 * peak_memory(2_000_000) <= memory);
        assert_eq!(peak_memory(u64::MAX), u64::MAX);
    }
}
