//! Threads of a lower priority, for programs that compute for long, and for those that usually take
//! a large part of a tick.
//!
//! The runtime knows no priorities, and the system does. While computations fill these threads, a
//! short request wakes a thread of the usual priority, and the system gives it the processor at
//! once.

use std::fmt;
use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::Poll;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::HostError;
use crate::meter::Metered;
use crate::turn::Length;

/// So much is added to the nice value of the process (`nice(2)`, from -20 to 19) for programs of
/// medium length. A thread with 5 more gets about a third of the time of one that competes with it.
const MEDIUM: i32 = 5;
/// The same for long ones. A thread with 10 more gets about a tenth.
const LONG: i32 = 10;

/// The threads.
pub(crate) struct Lower {
    medium: Option<Runtime>,
    long: Option<Runtime>,
}

impl Lower {
    /// A thread for each processor, of both kinds.
    pub(crate) fn new() -> Result<Self, HostError> {
        Ok(Self {
            medium: Some(threads("medium", MEDIUM)?),
            long: Some(threads("long", LONG)?),
        })
    }

    /// Runs a program where programs of its length run: here if it is short, and in these threads
    /// if it is not. It moves when it has computed for long. Dropping the result ends the program.
    pub(crate) async fn run<F>(&self, work: Metered<F>) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let ran = match work.length() {
            Length::Short => until_long(work).await,
            Length::Medium => within(self.medium.as_ref(), until_long(work)).await,
            Length::Long => Err(work),
        };
        match ran {
            Ok(ended) => ended,
            Err(work) => within(self.long.as_ref(), work).await,
        }
    }
}

/// Runs a program until it ends, or until it has computed for long.
async fn until_long<F: Future>(mut work: Metered<F>) -> Result<F::Output, Metered<F>> {
    let ended = poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if work.length() == Length::Long => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match ended.await {
        Some(ended) => Ok(ended),
        None => Err(work),
    }
}

/// Does some work in the threads of a runtime. Dropping the result ends the work.
async fn within<W>(runtime: Option<&Runtime>, work: W) -> W::Output
where
    W: Future + Send + 'static,
    W::Output: Send,
{
    let Some(runtime) = runtime else {
        return work.await;
    };
    match AbortOnDropHandle::new(runtime.spawn(work)).await {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The host ends, and no request waits any more.
            Err(_) => pending().await,
        },
    }
}

/// A thread for each processor, with this much more as its nice value.
fn threads(name: &'static str, more: i32) -> Result<Runtime, HostError> {
    let lower = move || {
        // Without the lower priority, everything works, and short requests take longer.
        if let Ok(nice) = getpriority_process(None) {
            let _ = setpriority_process(None, nice.saturating_add(more).min(19));
        }
    };
    let runtime = Builder::new_multi_thread()
        .thread_name(name)
        .on_thread_start(lower)
        .enable_all()
        .build();
    let what = "no threads can be started";
    runtime.map_err(|source| HostError::System { what, source })
}

impl Drop for Lower {
    fn drop(&mut self) {
        // The usual end of a runtime waits for its threads, which no asynchronous code may do.
        for runtime in [self.medium.take(), self.long.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lower").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use crate::meter::Meter;
    use crate::turn::{Habit, Turn, Turns};

    fn metered<F: Future>(turn: &Arc<Turn>, work: F) -> Metered<F> {
        Metered::new(Arc::new(Meter::new(turn.length())), Arc::clone(turn), work)
    }

    fn turn() -> Arc<Turn> {
        Arc::new(Turn::new(
            &Turns::default(),
            &Turns::default(),
            &Arc::default(),
        ))
    }

    fn thread() -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }

    #[tokio::test]
    async fn a_long_program_goes_on_in_threads_of_lower_priority() {
        let (lower, turn) = (Lower::new().unwrap(), turn());
        let own = Arc::clone(&turn);
        let work = async move {
            let (name, nice) = (thread(), getpriority_process(None).unwrap());
            own.becomes_long();
            yield_now().await;
            (name, nice, thread(), getpriority_process(None).unwrap())
        };
        let (name, nice, later, other) = lower.run(metered(&turn, work)).await;
        assert_ne!(name.as_deref(), Some("long"));
        assert_eq!(later.as_deref(), Some("long"));
        assert_eq!(other, (nice + LONG).min(19));
    }

    #[tokio::test]
    async fn a_medium_program_begins_between_the_two() {
        let (lower, habit) = (Lower::new().unwrap(), Arc::<Habit>::default());
        let all = Turns::default();
        let turn = || Arc::new(Turn::new(&Turns::default(), &all, &habit));
        let nice = getpriority_process(None).unwrap();
        for _ in 0..20 {
            habit.ended(&turn(), Duration::from_micros(1500));
        }
        // Another application is asked too.
        Turn::new(&Turns::default(), &all, &Arc::default());
        let turn = turn();
        let own = Arc::clone(&turn);
        let work = async move {
            let begins = (thread(), getpriority_process(None).unwrap());
            own.becomes_long();
            yield_now().await;
            [begins, (thread(), getpriority_process(None).unwrap())]
        };
        let found = lower.run(metered(&turn, work)).await;
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(found[0], (name("medium"), (nice + MEDIUM).min(19)));
        assert_eq!(found[1], (name("long"), (nice + LONG).min(19)));
    }

    #[tokio::test]
    async fn a_short_program_stays() {
        let (lower, turn) = (Lower::new().unwrap(), turn());
        let work = async {
            yield_now().await;
            thread()
        };
        assert_ne!(
            lower.run(metered(&turn, work)).await.as_deref(),
            Some("long")
        );
    }

    #[tokio::test]
    async fn who_stops_waiting_ends_the_program() {
        let (lower, turn) = (Lower::new().unwrap(), turn());
        let own = Arc::clone(&turn);
        let (held, dropped) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            own.becomes_long();
            pending::<()>().await;
        };
        let mut run = Box::pin(lower.run(metered(&turn, work)));
        let polled = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx)));
        assert!(polled.await.is_pending());
        drop(run);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    #[should_panic(expected = "as a program of the host")]
    async fn a_panic_is_not_lost() {
        let (lower, turn) = (Lower::new().unwrap(), turn());
        let own = Arc::clone(&turn);
        let work = async move {
            own.becomes_long();
            yield_now().await;
            assert_eq!(0, 1, "as a program of the host");
        };
        lower.run(metered(&turn, work)).await;
    }
}
