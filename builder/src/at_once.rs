//! Works on several artifacts at a time: as many as there are processors.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

/// Does `work` on every item, and returns the results in the order of the items. If several items
/// fail, returns the failure of the first one.
pub(crate) fn at_once<T: Send, R: Send, E: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(items.len());
    let queue = Mutex::new(items.into_iter().enumerate());
    // After a failure, no more items are started. All earlier items have started already. So
    // threads do not decide which failure is the first.
    let failed = AtomicBool::new(false);
    let worker = || {
        let mut answers = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, item)) = next else { break };
            let answer = work(item);
            if answer.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            answers.push((number, answer));
        }
        answers
    };
    let mut answers = thread::scope(|scope| {
        // If the system starts no more threads, the running ones do all of the work.
        let start = |_| thread::Builder::new().spawn_scoped(scope, worker).ok();
        let others: Vec<_> = (1..threads).filter_map(start).collect();
        let mut answers = worker();
        for other in others {
            let more = other.join();
            answers.extend(more.unwrap_or_else(|panic| resume_unwind(panic)));
        }
        answers
    });
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_order_of_the_items() {
        let items: Vec<usize> = (0..50).collect();
        let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
        let answers = at_once(items, |item| Ok::<usize, ()>(item * 2));
        assert_eq!(answers.unwrap(), doubled);
        let none = at_once(Vec::<usize>::new(), Ok::<usize, ()>);
        assert!(none.unwrap().is_empty());
    }

    #[test]
    fn the_first_failure_is_the_failure() {
        let failed = at_once(vec![0, 1, 2, 3], |item| match item {
            0 => Ok(()),
            _ => Err(item),
        });
        assert_eq!(failed, Err(1));
    }
}
