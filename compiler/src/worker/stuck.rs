//! Finds a process that waits without end.
//!
//! A worker waits for nothing outside itself: its input is a file, and its answer is read while it
//! is written. If none of its threads runs for half a minute, they wait for each other. This
//! happens if the machine refused something to one of them. To wait for the deadline would take
//! longer, and would blame the input.
//!
//! Source: `proc_pid_stat(5)`. Systems other than Linux only have the deadline.

use std::time::{Duration, Instant};

/// How long a process must do nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The time between two checks.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of a process in the last checks.
pub(crate) struct Watch {
    process: u32,
    patience: Duration,
    pause: Duration,
    next: Instant,
    /// Its CPU time at the last check, if all its threads slept.
    asleep: Option<u64>,
    /// How many checks in a row showed the same.
    looks: u32,
}

impl Watch {
    pub(crate) fn new(process: u32) -> Self {
        Self::with_patience(process, PATIENCE, PAUSE)
    }

    /// Like [`Self::new`], with other times.
    pub(crate) fn with_patience(process: u32, patience: Duration, pause: Duration) -> Self {
        Self {
            process,
            patience,
            pause,
            next: Instant::now() + pause,
            asleep: None,
            looks: 0,
        }
    }

    /// Checks the process, if it is time. Returns whether it slept at every check for long enough,
    /// and used no CPU time in between. It counts checks, not time: if the whole machine stood
    /// still, this was one check.
    pub(crate) fn is_stuck(&mut self) -> bool {
        let now = Instant::now();
        if now < self.next {
            return false;
        }
        self.next = now + self.pause;
        let asleep = cpu_time_if_asleep(self.process);
        self.looks = match asleep {
            Some(_) if asleep == self.asleep => self.looks.saturating_add(1),
            _ => 0,
        };
        self.asleep = asleep;
        self.pause * self.looks >= self.patience
    }
}

/// The CPU time of a process, in ticks of the system's clock. `None` if one of its threads does not
/// sleep: it runs, waits for a disk, or was stopped.
#[cfg(target_os = "linux")]
fn cpu_time_if_asleep(process: u32) -> Option<u64> {
    let mut sum: u64 = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let stat = std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        // The second field is a name in parentheses, which may contain anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        if fields.next()? != "S" {
            return None;
        }
        // Fields 14 and 15 of the line: CPU time in the program, and in the kernel.
        for ticks in fields.skip(10).take(2) {
            sum = sum.checked_add(ticks.parse().ok()?)?;
        }
    }
    Some(sum)
}

#[cfg(not(target_os = "linux"))]
fn cpu_time_if_asleep(_: u32) -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    struct Ends(Child);

    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Whether a shell script is found to be stuck within two seconds.
    fn is_found(script: &str) -> bool {
        let child = Command::new("/bin/sh").args(["-c", script]).spawn();
        let child = Ends(child.unwrap());
        let short = Duration::from_millis;
        let mut watch = Watch::with_patience(child.0.id(), short(500), short(50));
        let begin = Instant::now();
        while begin.elapsed() < short(2000) {
            if watch.is_stuck() {
                return true;
            }
            std::thread::sleep(short(10));
        }
        false
    }

    #[test]
    fn a_process_that_sleeps_is_found() {
        assert!(is_found("exec sleep 600"));
    }

    #[test]
    fn a_process_that_works_was_stopped_or_has_ended_is_not_found() {
        for script in ["while :; do :; done", "kill -STOP $$", "exit 0"] {
            assert!(!is_found(script), "{script}");
        }
    }
}
