//! Threads of a lower priority, for programs that compute for long.
//!
//! The runtime knows no priorities, and the system does. While long computations fill these
//! threads, a short request wakes a thread of the usual priority, and the system gives it the
//! processor at once.

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

/// So much is added to the nice value of the process (`nice(2)`, from -20 to 19). A thread with 10
/// more gets about a tenth of the time of one that competes with it.
const NICE: i32 = 10;

/// The threads.
pub(crate) struct Long(Option<Runtime>);

impl Long {
    /// A thread for each processor.
    pub(crate) fn new() -> Result<Self, HostError> {
        let lower = || {
            // Without the lower priority, everything works, and short requests take longer.
            if let Ok(nice) = getpriority_process(None) {
                let _ = setpriority_process(None, nice.saturating_add(NICE).min(19));
            }
        };
        let runtime = Builder::new_multi_thread()
            .thread_name("long")
            .on_thread_start(lower)
            .enable_all()
            .build();
        let what = "no threads can be started";
        let runtime = runtime.map_err(|source| HostError::System { what, source })?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a program here until it has computed for long, and then in these threads. Dropping the
    /// result ends the program.
    pub(crate) async fn run<F>(&self, work: Metered<F>) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let begins_long = work.is_long();
        let mut work = work;
        let short = poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if work.is_long() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        // A program that is long from its beginning does not begin here.
        let ended = match begins_long {
            true => None,
            false => short.await,
        };
        if let Some(ended) = ended {
            return ended;
        }
        let Some(runtime) = &self.0 else {
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
}

impl Drop for Long {
    fn drop(&mut self) {
        // The usual end of a runtime waits for its threads, which no asynchronous code may do.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Long").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use crate::meter::Meter;
    use crate::turn::{Turn, Turns};

    fn metered<F: Future>(turn: &Arc<Turn>, work: F) -> Metered<F> {
        Metered::new(Arc::new(Meter::default()), Arc::clone(turn), work)
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
        let (long, turn) = (Long::new().unwrap(), turn());
        let own = Arc::clone(&turn);
        let work = async move {
            let (name, nice) = (thread(), getpriority_process(None).unwrap());
            own.becomes_long();
            yield_now().await;
            (name, nice, thread(), getpriority_process(None).unwrap())
        };
        let (name, nice, later, lower) = long.run(metered(&turn, work)).await;
        assert_ne!(name.as_deref(), Some("long"));
        assert_eq!(later.as_deref(), Some("long"));
        assert_eq!(lower, (nice + NICE).min(19));
    }

    #[tokio::test]
    async fn a_short_program_stays() {
        let (long, turn) = (Long::new().unwrap(), turn());
        let work = async {
            yield_now().await;
            thread()
        };
        assert_ne!(
            long.run(metered(&turn, work)).await.as_deref(),
            Some("long")
        );
    }

    #[tokio::test]
    async fn who_stops_waiting_ends_the_program() {
        let (long, turn) = (Long::new().unwrap(), turn());
        let own = Arc::clone(&turn);
        let (held, dropped) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            own.becomes_long();
            pending::<()>().await;
        };
        let mut run = Box::pin(long.run(metered(&turn, work)));
        let polled = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx)));
        assert!(polled.await.is_pending());
        drop(run);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    #[should_panic(expected = "as a program of the host")]
    async fn a_panic_is_not_lost() {
        let (long, turn) = (Long::new().unwrap(), turn());
        let own = Arc::clone(&turn);
        let work = async move {
            own.becomes_long();
            yield_now().await;
            assert_eq!(0, 1, "as a program of the host");
        };
        long.run(metered(&turn, work)).await;
    }
}
