//! When an instance of `wasi:http` 0.3 ends: it has no requests for a time, or runs for too long.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime_wasi_http::handler::{WorkerExpiration, WorkerStatus};

use crate::Limit;
use crate::hit::Hit;
use crate::turn::Turn;

/// So much later than a request, its instance runs out of time. The request comes first, because
/// its answer names the limit.
pub(super) const BEHIND: Duration = Duration::from_millis(50);

/// When an instance ends.
pub(crate) struct Expiration {
    /// Its end, whatever its requests do.
    pub(super) last: Instant,
    /// The time of a request, from its start to its response, and from there to its end.
    pub(super) wall_time: Duration,
    pub(super) idle: Duration,
    pub(super) timer: Pin<Box<Sleep>>,
    pub(super) hit: Arc<Hit>,
    pub(super) clock: Arc<Clock>,
    pub(super) turn: Arc<Turn>,
}

/// The wall time of an instance.
#[derive(Default)]
pub(super) struct Clock {
    /// It has ended the instance, while requests used it.
    over: AtomicBool,
    /// A request without a response has counted the limit, so the instance does not.
    counted: AtomicBool,
}

impl Clock {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A request without a response has counted the limit.
    pub(super) fn request_counts(&self) {
        self.counted.store(true, Ordering::Relaxed);
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        // This is called whenever the instance waits.
        self.turn.end();
        let period = match status {
            WorkerStatus::Idle => self.idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.wall_time,
        };
        let deadline: tokio::time::Instant = self.last.min(start + period).into();
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        let expired = self.timer.as_mut().poll(cx);
        if expired.is_ready() && status != WorkerStatus::Idle {
            self.clock.over.store(true, Ordering::Relaxed);
            // A request without a response counts its own deadline.
            let is_counted = self.clock.counted.load(Ordering::Relaxed);
            if status == WorkerStatus::PostReturn && !is_counted {
                self.hit.set(Limit::WallTime);
            }
        }
        expired
    }
}
