//! Instances that have answered, and whose memory is looked at before they end.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A look waits so long for an instance that has answered.
const PATIENCE: Duration = Duration::from_millis(500);

/// An instance, with all that it holds.
type Held = Box<dyn Send>;

/// Where a look gets an instance that has answered, before the engine takes its memory back: only
/// then, all pages that it wrote are there to be seen.
pub(crate) struct Finished {
    is_wanted: AtomicBool,
    sender: SyncSender<Held>,
    receiver: Mutex<Receiver<Held>>,
}

impl Default for Finished {
    fn default() -> Self {
        let (sender, receiver) = sync_channel(1);
        Self {
            is_wanted: AtomicBool::new(false),
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Finished {
    /// Ends an instance: here, or after the look that waits for one.
    pub(crate) fn end(&self, instance: impl Send + 'static) {
        if self.is_wanted.load(Ordering::Relaxed) && self.is_wanted.swap(false, Ordering::Relaxed) {
            // If the thread that looks has ended, the instance is dropped here.
            let _ = self.sender.try_send(Box::new(instance));
        }
    }

    /// Waits for the next one.
    pub(crate) fn next(&self) -> Option<Held> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_wanted.store(true, Ordering::Relaxed);
        let next = receiver.recv_timeout(PATIENCE).ok();
        self.is_wanted.store(false, Ordering::Relaxed);
        next
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finished").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_instance_that_nobody_waits_for_ends_at_once() {
        let (finished, instance) = (Finished::default(), Arc::new(()));
        finished.end(Arc::clone(&instance));
        assert_eq!(Arc::strong_count(&instance), 1);
    }

    #[test]
    fn a_look_gets_one_instance() {
        let (finished, instance) = (Arc::new(Finished::default()), Arc::new(()));
        let looks = Arc::clone(&finished);
        let look = std::thread::spawn(move || looks.next());
        // The look may not wait yet.
        while !look.is_finished() {
            finished.end(Arc::clone(&instance));
        }
        let held = look.join().unwrap();
        assert!(held.is_some());
        assert_eq!(Arc::strong_count(&instance), 2);
        drop(held);
        assert_eq!(Arc::strong_count(&instance), 1);
    }
}
