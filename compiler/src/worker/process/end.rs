//! Waits for the end of a process that has given its answer.
//!
//! On Linux, a descriptor of the process becomes readable when the process ends, so this process
//! wakes at once. Other systems, Linux before 5.3 and containers that forbid the call have no such
//! descriptor. There, this process checks repeatedly.
//!
//! Source: `pidfd_open(2)`.

#[cfg(not(target_os = "linux"))]
use std::convert::Infallible;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
type Descriptor = OwnedFd;
#[cfg(not(target_os = "linux"))]
type Descriptor = Infallible;

/// The shortest pause between two checks.
const SHORTEST: Duration = Duration::from_micros(20);

/// The end of a process. The wait began when this value was made.
pub(super) struct End {
    descriptor: Option<Descriptor>,
    since: Instant,
}

impl End {
    /// The end of `child`, whose exit status must not have been collected yet: after that, another
    /// process may have its process ID.
    pub(super) fn of(child: &Child) -> Self {
        Self {
            descriptor: descriptor(child),
            since: Instant::now(),
        }
    }

    /// Waits until the process has ended, for at most `most`. May return earlier.
    pub(super) fn wait(&self, most: Duration) {
        if let Some(descriptor) = &self.descriptor
            && is_awaited(descriptor, most)
        {
            return;
        }
        // A process ends soon after its answer. If it does not, a late check costs little.
        let pause = self.since.elapsed() / 16;
        thread::sleep(pause.max(SHORTEST).min(most));
    }
}

#[cfg(target_os = "linux")]
fn descriptor(child: &Child) -> Option<Descriptor> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn descriptor(_: &Child) -> Option<Descriptor> {
    None
}

/// Whether the system waited.
#[cfg(target_os = "linux")]
fn is_awaited(descriptor: &Descriptor, most: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    let Ok(most) = Timespec::try_from(most) else {
        return false;
    };
    let mut end = [PollFd::new(descriptor, PollFlags::IN)];
    // A signal ends the wait early.
    matches!(poll(&mut end, Some(&most)), Ok(_) | Err(Errno::INTR))
}

#[cfg(not(target_os = "linux"))]
fn is_awaited(descriptor: &Descriptor, _: Duration) -> bool {
    match *descriptor {}
}
