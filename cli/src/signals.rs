//! Signals that wait while files are put in place.
//!
//! At any other time an interrupted edgec ends at once, as the system wants it, and nothing
//! was written. Between the first temporary file and the last rename it would leave the one
//! behind or do without the other, so there a signal waits until the files are in place or
//! gone. `SIGKILL` waits for nothing.

#[cfg(unix)]
pub(crate) use unix::{install, uninterrupted};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::Arc;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::{flag, low_level};

    struct Signals {
        /// Whether a signal ends the process.
        deadly: Arc<AtomicBool>,
        /// The signal that has come meanwhile, or 0.
        pending: Arc<AtomicUsize>,
    }

    static SIGNALS: OnceLock<Signals> = OnceLock::new();

    /// To be called once, before any file is written.
    pub(crate) fn install() -> io::Result<()> {
        let signals = Signals {
            deadly: Arc::new(AtomicBool::new(true)),
            pending: Arc::new(AtomicUsize::new(0)),
        };
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // In this order: where the first does not end the process, the second remembers.
            flag::register_conditional_default(signal, Arc::clone(&signals.deadly))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&signals.pending), number)?;
        }
        // A limit on the size of files is an error of the write that meets it.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let _ = SIGNALS.set(signals);
        Ok(())
    }

    /// Does `work`; a signal that comes meanwhile ends the process afterwards.
    pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
        let Some(signals) = SIGNALS.get() else {
            return work();
        };
        // Work within work: the outermost decides.
        let outermost = signals.deadly.swap(false, Ordering::SeqCst);
        let _again = Again(outermost.then_some(signals));
        work()
    }

    /// Lets signals end the process again, also when the work panicked.
    struct Again<'a>(Option<&'a Signals>);

    impl Drop for Again<'_> {
        fn drop(&mut self) {
            let Some(signals) = self.0 else { return };
            signals.deadly.store(true, Ordering::SeqCst);
            let pending = signals.pending.swap(0, Ordering::SeqCst);
            if let (Ok(signal), 1..) = (i32::try_from(pending), pending) {
                let _ = low_level::emulate_default_handler(signal);
            }
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn install() -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    work()
}
