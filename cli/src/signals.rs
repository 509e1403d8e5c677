//! Makes signals wait while files are put in place.
//!
//! At any other time a signal ends edgec at once, and nothing has been written. Between the first
//! temporary file and the last rename, that would leave temporary files, or only some of the files
//! in place. So during this time, a signal waits until all files are in place or removed. While a
//! user types a passphrase, the terminal does not show it: a signal ends edgec after the terminal
//! has its settings back. `SIGKILL` does not wait.
//!
//! A process inherits which signals are ignored. A signal that edgec inherits as ignored (from
//! `nohup`, or a shell's `&`) does not end it. But while `SIGCHLD` is ignored, the system forgets
//! how a child ended (`wait(2)`), so edgec does not ignore it. Blocked signals (also inherited)
//! stay blocked: edgec waits for no signal, and stops other processes with `SIGKILL`.

#[cfg(all(unix, any(feature = "registry", feature = "serve")))]
pub(crate) use unix::handled_by_work;
#[cfg(unix)]
pub(crate) use unix::{install, on_silent_terminal, uninterrupted};

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::sync::{Arc, OnceLock};
    use std::thread;
    use std::time::Duration;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
    use signal_hook::{flag, low_level};

    /// How often a thread checks for a signal while a user types a passphrase.
    const PERIOD: Duration = Duration::from_millis(20);

    struct Signals {
        /// Whether a signal ends the process at once.
        deadly: Arc<AtomicBool>,
        /// The signal that came during the work, or 0.
        pending: Arc<AtomicUsize>,
    }

    static SIGNALS: OnceLock<Signals> = OnceLock::new();

    /// Call this once, before any file is written.
    pub(crate) fn install() -> io::Result<()> {
        let signals = Signals {
            deadly: Arc::new(AtomicBool::new(true)),
            pending: Arc::new(AtomicUsize::new(0)),
        };
        let ignored = ignored();
        let is_ignored = |signal| ignored.is_some_and(|ignored| holds(ignored, signal));
        let endings = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter();
        for signal in endings.filter(|signal| !is_ignored(*signal)) {
            // The order matters: if the first handler does not end the process, the second stores
            // the signal.
            flag::register_conditional_default(signal, Arc::clone(&signals.deadly))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&signals.pending), number)?;
        }
        // If a write exceeds the limit on the size of files, it gets an error instead.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        // A handled signal is not ignored. If it is unknown whether `SIGCHLD` was ignored, this
        // does no harm.
        if ignored.is_none() || is_ignored(SIGCHLD) {
            flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
        }
        let _ = SIGNALS.set(signals);
        Ok(())
    }

    /// The signals that this process ignores, one bit for each. `None` if the system does not say.
    ///
    /// Source: `proc_pid_status(5)`, `SigIgn`.
    fn ignored() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let bits = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(bits.trim(), 16).ok()
    }

    /// Whether a set contains a signal. The first bit stands for signal 1.
    fn holds(set: u64, signal: i32) -> bool {
        let bit = signal
            .checked_sub(1)
            .and_then(|bit| u32::try_from(bit).ok());
        let rest = bit.and_then(|bit| set.checked_shr(bit));
        rest.is_some_and(|rest| rest & 1 == 1)
    }

    impl Signals {
        /// Ends the process if a signal has come.
        fn obey(&self) {
            let pending = self.pending.swap(0, Ordering::SeqCst);
            if let (Ok(signal), 1..) = (i32::try_from(pending), pending) {
                let _ = low_level::emulate_default_handler(signal);
            }
        }
    }

    /// Does `work`. A signal that comes during the work ends the process afterwards.
    pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
        let Some(signals) = SIGNALS.get() else {
            return work();
        };
        // If calls are nested, the outermost one decides.
        let outermost = signals.deadly.swap(false, Ordering::SeqCst);
        let _again = Again(outermost.then_some(signals));
        work()
    }

    /// Does `work`, which handles the signals itself. A signal that came during the work is done.
    #[cfg(any(feature = "registry", feature = "serve"))]
    pub(crate) fn handled_by_work<T>(work: impl FnOnce() -> T) -> T {
        let Some(signals) = SIGNALS.get() else {
            return work();
        };
        let outermost = signals.deadly.swap(false, Ordering::SeqCst);
        let done = work();
        signals.pending.store(0, Ordering::SeqCst);
        signals.deadly.store(outermost, Ordering::SeqCst);
        done
    }

    /// When dropped, lets signals end the process again, even if the work panicked.
    struct Again<'a>(Option<&'a Signals>);

    impl Drop for Again<'_> {
        fn drop(&mut self) {
            let Some(signals) = self.0 else { return };
            signals.deadly.store(true, Ordering::SeqCst);
            signals.obey();
        }
    }

    /// Does `work`, which asks for lines. The terminal does not show what is typed: neither while
    /// the work waits for a line, nor before and after. A signal that comes during the work ends
    /// the process at once, after the terminal has its settings back.
    pub(crate) fn on_silent_terminal<T>(work: impl FnOnce() -> T) -> T {
        let Some((terminal, settings)) = terminal() else {
            return work();
        };
        let Some(signals) = SIGNALS.get() else {
            return work();
        };
        let outermost = signals.deadly.swap(false, Ordering::SeqCst);
        let _again = Again(outermost.then_some(signals));
        // Dropped first: the terminal gets its settings back before a signal ends the process.
        let _silence = Silence::begin(&terminal, &settings);
        let watch = |ended: &mpsc::Receiver<()>| {
            while ended.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                if outermost && signals.pending.load(Ordering::SeqCst) != 0 {
                    // If the work itself handles Ctrl-C, it ends at once, and also changes the
                    // terminal's settings.
                    if ended.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                    let _ = tcsetattr(&terminal, OptionalActions::Now, &settings);
                    signals.obey();
                }
            }
        };
        thread::scope(|scope| {
            // Dropped at the end of this closure, even if the work panicked.
            let (_end, ended) = mpsc::channel();
            // Without a thread, a signal waits until the work is done.
            let _watching = thread::Builder::new().spawn_scoped(scope, move || watch(&ended));
            work()
        })
    }

    /// A terminal that does not show what is typed. It gets its settings back at the end, even if
    /// the work panicked.
    struct Silence<'a> {
        terminal: &'a File,
        settings: &'a Termios,
    }

    impl<'a> Silence<'a> {
        fn begin(terminal: &'a File, settings: &'a Termios) -> Self {
            let mut silent = settings.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            // If this fails, reading a line fails as well.
            let _ = tcsetattr(terminal, OptionalActions::Now, &silent);
            Self { terminal, settings }
        }
    }

    impl Drop for Silence<'_> {
        fn drop(&mut self) {
            let _ = tcsetattr(self.terminal, OptionalActions::Now, self.settings);
        }
    }

    /// The terminal of this process and its settings.
    fn terminal() -> Option<(File, Termios)> {
        let terminal = File::open("/dev/tty").ok()?;
        let settings = tcgetattr(&terminal).ok()?;
        Some((terminal, settings))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_set_holds_the_signals_whose_bits_it_has() {
            // The set that `nohup` leaves, with `SIGPIPE`, which Rust's runtime ignores.
            let set = 0x1001;
            assert!(holds(set, SIGHUP) && holds(set, 13));
            for signal in [SIGINT, SIGCHLD, 0, -1, 64, 65, i32::MIN, i32::MAX] {
                assert!(!holds(set, signal), "{signal}");
            }
            assert!(holds(1 << 63, 64));
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn linux_says_what_is_ignored() {
            assert!(holds(ignored().unwrap(), 13));
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

#[cfg(all(not(unix), any(feature = "registry", feature = "serve")))]
pub(crate) fn handled_by_work<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(not(unix))]
pub(crate) fn on_silent_terminal<T>(work: impl FnOnce() -> T) -> T {
    work()
}
