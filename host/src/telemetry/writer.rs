//! Writes the log in a thread of its own. Its reader may stop: a pipe that is full then holds this
//! thread, and no request.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::line::Line;
use crate::HostError;
use crate::config::{LogFormat, LogLevel};

/// The lines that wait for the reader, in bytes (1 MiB). Further ones are lost.
const WAITING: usize = 1 << 20;
/// How long the end of a host waits for the reader.
const PATIENCE: Duration = Duration::from_millis(500);
/// While lines are lost all the time, the log says so at this interval.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where lines are written.
pub(super) struct Writer {
    sender: Sender<Job>,
    /// The bytes that wait.
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

enum Job {
    Line(String),
    /// Everything that was sent before is written.
    Tell(SyncSender<()>),
}

impl Writer {
    /// Lines go to `output`. `lost` counts those that find no place.
    ///
    /// # Errors
    ///
    /// [`HostError::System`] if the system gives no thread.
    pub(super) fn new(
        output: impl Write + Send + 'static,
        format: LogFormat,
        lost: Arc<AtomicU64>,
    ) -> Result<Self, HostError> {
        let (sender, jobs) = channel();
        let waiting = Arc::<AtomicUsize>::default();
        let work = Work {
            output,
            format,
            waiting: Arc::clone(&waiting),
            lost: Arc::clone(&lost),
            told: 0,
            told_at: None,
        };
        // It ends when the sender is dropped. Nobody waits for it: its reader may have stopped.
        let thread = thread::Builder::new().name("log".to_owned());
        let thread = thread.spawn(move || work.run(&jobs));
        let what = "no thread can be started";
        thread.map_err(|source| HostError::System { what, source })?;
        Ok(Self {
            sender,
            waiting,
            lost,
        })
    }

    /// Writes a line soon, or counts it as lost. Never waits.
    pub(super) fn write(&self, line: Line) {
        let line = line.finish();
        let (length, order) = (line.len(), Ordering::Relaxed);
        let more = |now: usize| Some(now.saturating_add(length)).filter(|all| *all <= WAITING);
        if self.waiting.fetch_update(order, order, more).is_err() {
            self.lost.fetch_add(1, order);
            return;
        }
        // The thread ends only after this sender, or by a panic of the system's library.
        if self.sender.send(Job::Line(line)).is_err() {
            self.lost.fetch_add(1, order);
        }
    }

    /// Waits until everything so far is written, and no longer than half a second.
    pub(super) fn flush(&self) {
        let (tell, told) = sync_channel(1);
        if self.sender.send(Job::Tell(tell)).is_ok() {
            let _ = told.recv_timeout(PATIENCE);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// What the thread does.
struct Work<W> {
    output: W,
    format: LogFormat,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    /// How many lost lines the log has told of.
    told: u64,
    told_at: Option<Instant>,
}

impl<W: Write> Work<W> {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Line(line) => {
                    self.put(&line);
                    let before = self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    self.tell_lost(before == line.len());
                }
                Job::Tell(tell) => _ = tell.send(()),
            }
        }
    }

    /// In one piece. If standard error is closed, there is nobody who could be told.
    fn put(&mut self, line: &str) {
        let _ = self.output.write_all(line.as_bytes());
    }

    /// Lines are lost only while others wait, so a line was written before and this is called
    /// after the last loss.
    fn tell_lost(&mut self, was_last: bool) {
        let lost = self.lost.load(Ordering::Relaxed);
        let is_late = self.told_at.is_none_or(|at| at.elapsed() >= INTERVAL);
        if lost == self.told || !(was_last || is_late) {
            return;
        }
        let what = "lines of the log were lost, because its reader is too slow";
        let now = SystemTime::now();
        let mut line = Line::new(self.format, now, LogLevel::Warn, None, &what);
        line.number("lines", lost.saturating_sub(self.told));
        self.put(&line.finish());
        (self.told, self.told_at) = (lost, Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::RecvTimeoutError;

    use super::*;

    /// A pipe whose reader takes a piece for each message.
    struct Pipe {
        reader: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            self.reader.recv().map_err(gone)?;
            let text = String::from_utf8_lossy(bytes).into_owned();
            let _ = self.written.send(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(message: &str) -> Line {
        let (format, now) = (LogFormat::Text, SystemTime::UNIX_EPOCH);
        Line::new(format, now, LogLevel::Info, None, &message)
    }

    #[test]
    fn a_reader_that_stops_holds_nobody_and_hears_later_what_it_missed() {
        let (reads, reader) = channel();
        let (written, seen) = channel();
        let lost = Arc::<AtomicU64>::default();
        let pipe = Pipe { reader, written };
        let writer = Writer::new(pipe, LogFormat::Text, Arc::clone(&lost)).unwrap();
        let message = "x".repeat(4000);
        let sent = 2 * WAITING / message.len();
        // This would hang if it waited for the reader.
        for _ in 0..sent {
            writer.write(line(&message));
        }
        writer.flush();
        let missed = lost.load(Ordering::Relaxed);
        assert!(missed > 0);
        let kept = sent - usize::try_from(missed).unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        let mut told = 0;
        let mut lines = 0;
        // The last line is about the lost ones.
        while lines < kept || told < missed {
            assert!(
                Instant::now() < end,
                "{lines} of {kept} lines, {told} of {missed}"
            );
            let _ = reads.send(());
            match seen.recv_timeout(Duration::from_secs(60)) {
                Ok(text) => match text.trim_end().split_once(" lines=") {
                    Some((_, number)) => told += number.parse::<u64>().unwrap(),
                    None => lines += 1,
                },
                Err(error) => assert_eq!(error, RecvTimeoutError::Timeout),
            }
        }
        assert_eq!((lines, told), (kept, missed));
        // There is room again.
        writer.write(line("after"));
        let _ = reads.send(());
        assert!(seen.recv().unwrap().ends_with(" info after\n"));
        assert_eq!(lost.load(Ordering::Relaxed), missed);
    }

    #[test]
    fn the_end_waits_for_what_was_written() {
        let (written, seen) = channel();
        let (reads, reader) = channel();
        for _ in 0..3 {
            reads.send(()).unwrap();
        }
        let pipe = Pipe { reader, written };
        let writer = Writer::new(pipe, LogFormat::Text, Arc::default()).unwrap();
        for message in ["one", "two", "three"] {
            writer.write(line(message));
        }
        drop(writer);
        assert_eq!(seen.try_iter().count(), 3);
    }

    #[test]
    fn a_closed_output_loses_lines_and_nothing_else() {
        let (written, _) = channel();
        let (_, reader) = channel();
        let pipe = Pipe { reader, written };
        let writer = Writer::new(pipe, LogFormat::Text, Arc::default()).unwrap();
        writer.write(line("one"));
        writer.flush();
    }
}
