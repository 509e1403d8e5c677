//! Does the same work on several artifacts at a time, on as many as there are processors.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

use crate::failure::Failure;
use crate::machine::no_thread;

/// Does `work` on every item. The answers are in the order of the items; the first failure in that
/// order is the failure.
pub(crate) fn at_once<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let work = &work;
    let mut items = items.into_iter();
    let mut done = Vec::new();
    loop {
        let mut some: Vec<T> = items.by_ref().take(processors).collect();
        // This thread takes one of them.
        let Some(last) = some.pop() else {
            return Ok(done);
        };
        let answers: Vec<Result<R, Failure>> = thread::scope(|scope| {
            let start = |item| thread::Builder::new().spawn_scoped(scope, move || work(item));
            let started: Vec<_> = some.into_iter().map(start).collect();
            let last = work(last);
            let ended = started.into_iter().map(|started| match started {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(error) => Err(no_thread(error)),
            });
            ended.chain([last]).collect()
        });
        for answer in answers {
            done.push(answer?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_order_of_the_items() {
        let items: Vec<usize> = (0..50).collect();
        let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
        assert_eq!(at_once(items, |item| Ok(item * 2)).unwrap(), doubled);
        let none = at_once(Vec::<usize>::new(), Ok);
        assert!(none.unwrap().is_empty());
    }

    #[test]
    fn the_first_failure_is_the_failure() {
        let failed = at_once(vec![0, 1, 2, 3], |item| match item {
            0 => Ok(()),
            _ => Err(Failure::usage("test", format!("item {item}"))),
        });
        let json = serde_json::to_string(&failed.unwrap_err()).unwrap();
        assert!(json.contains("item 1"), "{json}");
    }
}
