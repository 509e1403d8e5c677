//! Several requests at a time, from code that blocks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `f` for all items, at most `most` at a time, and returns the results in the order of the
/// items. After an error, no further items are started.
///
/// # Errors
///
/// The error of the first item that failed, in the order of the items.
pub(crate) fn in_parallel<T: Sync, R: Send, E: Send>(
    most: usize,
    items: &[T],
    f: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let most = most.clamp(1, items.len().max(1));
    if most == 1 {
        return items.iter().map(f).collect();
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return;
            };
            let result = f(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            // The results are whole even if another thread panicked.
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((index, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..most {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_and_the_first_error_wins() {
        let items: Vec<u32> = (0..100).collect();
        for most in [0, 1, 3, 200] {
            let doubled = in_parallel(most, &items, |it| Ok::<_, ()>(it * 2)).unwrap();
            assert_eq!(doubled, items.iter().map(|it| it * 2).collect::<Vec<_>>());
            let failing = in_parallel(most, &items, |it| if *it < 7 { Ok(()) } else { Err(*it) });
            assert_eq!(failing, Err(7));
        }
        assert_eq!(in_parallel(4, &[], |it: &u32| Ok::<_, ()>(*it)), Ok(vec![]));
    }
}
