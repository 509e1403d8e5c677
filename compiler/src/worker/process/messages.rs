//! The messages that a process writes to standard error: the first part and the last.
//!
//! The first line often names the cause, and the last line says why a process ended. There may be
//! any amount of text in between.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::worker::machine::MachineError;

/// The length of the first part and of the last part, in bytes.
const MOST_KEPT: usize = 4096;

/// How long to wait for more messages. The process has already written them, but on a busy machine
/// the thread that reads them may be late, and they decide what is at fault.
const MOST_SILENCE: Duration = Duration::from_secs(2);

/// How long to wait altogether. Another process may have the stream, and write without end.
const MOST_TALK: Duration = Duration::from_secs(10);

/// The messages of a process, which a thread reads.
pub(super) struct Messages {
    said: Arc<Mutex<Said>>,
    /// Signals that more was read.
    news: Receiver<()>,
}

impl Messages {
    /// Begins to read a stream. Reads on after the maximum, so that a full pipe does not stop the
    /// process.
    pub(super) fn read(mut stream: impl Read + Send + 'static) -> Result<Self, MachineError> {
        let said = Arc::new(Mutex::new(Said::default()));
        // One message is enough: it stands for everything that was read before it is taken.
        let (sender, news) = sync_channel(1);
        let heard = Arc::clone(&said);
        let read = move || {
            let mut piece = [0; 1024];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                lock(&heard).add(piece.get(..length).unwrap_or_default());
                let _ = sender.try_send(());
            }
        };
        let thread = thread::Builder::new().spawn(read);
        thread.map_err(MachineError::of_thread)?;
        Ok(Self { said, news })
    }

    /// The messages of a process that has ended. A child of the process may keep the stream open,
    /// so this does not wait for the stream's end.
    pub(super) fn text(&self) -> String {
        self.text_within(MOST_SILENCE, MOST_TALK)
    }

    fn text_within(&self, silence: Duration, talk: Duration) -> String {
        let begin = Instant::now();
        while self.news.recv_timeout(silence).is_ok() && begin.elapsed() < talk {}
        lock(&self.said).text()
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The two parts.
#[derive(Default)]
struct Said {
    first: Vec<u8>,
    last: VecDeque<u8>,
    /// Whether text between them was lost.
    is_cut: bool,
}

impl Said {
    /// Adds a piece. The same stream gives the same parts, in whatever pieces it comes.
    fn add(&mut self, piece: &[u8]) {
        let room = MOST_KEPT.saturating_sub(self.first.len());
        let (first, rest) = piece.split_at(room.min(piece.len()));
        self.first.extend_from_slice(first);
        self.last.extend(rest);
        let surplus = self.last.len().saturating_sub(MOST_KEPT);
        self.last.drain(..surplus);
        self.is_cut |= surplus > 0;
    }

    /// Both parts. If text between them was lost, the last part begins with a whole line, because
    /// the end of a line could look like a separate message.
    fn text(&self) -> String {
        let mut bytes = self.first.clone();
        let last = self.last.iter();
        if self.is_cut {
            bytes.push(b'\n');
            bytes.extend(last.skip_while(|byte| **byte != b'\n').skip(1));
        } else {
            bytes.extend(last);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn text(whole: &[u8], length: usize) -> String {
        let mut said = Said::default();
        whole.chunks(length).for_each(|piece| said.add(piece));
        said.text()
    }

    #[test]
    fn the_first_part_and_the_last_are_kept() {
        let lines = |count: usize| -> String {
            let line = |number| format!("line {number} of many\n");
            (0..count).map(line).collect()
        };
        for count in [0, 1, 100, 300, 400, 5000] {
            let whole = format!("first\n{}last\n", lines(count));
            let kept = text(whole.as_bytes(), 1024);
            for length in [1, 7, 4096, 100_000] {
                assert_eq!(text(whole.as_bytes(), length), kept, "{count}, {length}");
            }
            assert!(kept.starts_with("first\n") && kept.ends_with("\nlast\n"));
            assert_eq!(kept == whole, whole.len() <= 2 * MOST_KEPT, "{count}");
            assert!(kept.len() <= 2 * MOST_KEPT + 1);
            // Only a line at the end of the first part may be cut.
            let all: Vec<&str> = whole.lines().collect();
            let cut = kept.lines().filter(|line| !all.contains(line));
            assert!(cut.count() <= 1, "{count}: {kept}");
        }
    }

    #[test]
    fn the_end_of_a_line_is_no_message() {
        let long = "x".repeat(3 * MOST_KEPT);
        assert_eq!(
            text(long.as_bytes(), 1024),
            format!("{}\n", &long[..MOST_KEPT])
        );
        let whole = format!("{long}error[limit]: no\nlast");
        let kept = text(whole.as_bytes(), 1024);
        assert_eq!(kept, format!("{}\nlast", &long[..MOST_KEPT]));
        // Nothing was lost: it is one line.
        let whole = format!("{}y", &long[..2 * MOST_KEPT - 1]);
        assert_eq!(text(whole.as_bytes(), 1024), whole);
    }

    /// Repeats the same text without end, until it is stopped.
    struct Endless(Arc<AtomicBool>);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.load(Ordering::Relaxed) {
                return Ok(0);
            }
            thread::sleep(Duration::from_millis(1));
            "again\n".as_bytes().read(buffer)
        }
    }

    #[test]
    fn a_stream_without_end_is_not_waited_for() {
        let stop = Arc::new(AtomicBool::new(false));
        let messages = Messages::read(Endless(Arc::clone(&stop))).unwrap();
        let minute = Duration::from_secs(60);
        let said = messages.text_within(minute, Duration::from_millis(50));
        assert!(said.starts_with("again\n"), "{said}");
        stop.store(true, Ordering::Relaxed);
        let said = messages.text_within(minute, minute);
        assert!(said.ends_with("again\n"), "{said}");
    }
}
