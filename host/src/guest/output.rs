//! What a program writes to its standard output and its standard error: lines of the host's log.
//! They are escaped there, like everything that a program says.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::Application;

/// The longest line, in bytes. A longer one becomes several.
const MAX_LINE: usize = 1024;

/// How much of what an instance writes to one stream is logged, in bytes (64 KiB). A program must
/// not fill the disk of its host.
const MAX_OUTPUT: usize = 64 << 10;

/// How many bytes a program may write in one call.
const ROOM: usize = 64 << 10;

/// One of the two streams of an instance.
#[derive(Clone)]
pub(super) struct Output {
    application: Arc<Application>,
    /// `stdout` or `stderr`.
    stream: &'static str,
}

impl Output {
    pub(super) fn new(application: &Arc<Application>, stream: &'static str) -> Self {
        Self {
            application: Arc::clone(application),
            stream,
        }
    }

    fn writer(&self) -> Writer {
        Writer {
            output: self.clone(),
            lines: Lines::default(),
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.writer())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.writer())
    }
}

/// Writes lines to the log.
struct Writer {
    output: Output,
    lines: Lines,
}

impl Writer {
    fn take(&mut self, bytes: &[u8]) {
        let Output {
            application,
            stream,
        } = &self.output;
        self.lines.add(bytes, |line| {
            let telemetry = application.telemetry();
            telemetry.said(application, stream, &line);
        });
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.lines.line.is_empty() {
            self.take(b"\n");
        }
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(ROOM)
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.get_mut().take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Bytes that become lines, up to a maximum.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    /// How many bytes were taken.
    taken: usize,
    /// Whether the log says that the rest is left out.
    is_full: bool,
}

impl Lines {
    fn add(&mut self, bytes: &[u8], mut told: impl FnMut(String)) {
        let left = MAX_OUTPUT.saturating_sub(self.taken);
        let (kept, more) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        self.taken = self.taken.saturating_add(bytes.len());
        for byte in kept {
            if *byte != b'\n' {
                self.line.push(*byte);
            }
            if *byte == b'\n' || self.line.len() >= MAX_LINE {
                told(self.end());
            }
        }
        if !more.is_empty() && !self.is_full {
            self.is_full = true;
            if !self.line.is_empty() {
                told(self.end());
            }
            told(format!(
                "(more than {MAX_OUTPUT} bytes; the rest is left out)"
            ));
        }
    }

    fn end(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parts: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut told = Vec::new();
        for part in parts {
            lines.add(part, |line| told.push(line));
        }
        told
    }

    #[test]
    fn parts_become_lines() {
        assert_eq!(lines(&[b"a", b"b\nc", b"\n\nd"]), ["ab", "c", ""]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        let long = vec![b'x'; MAX_LINE + 1];
        assert_eq!(lines(&[&long])[0].len(), MAX_LINE);
    }

    #[test]
    fn a_program_fills_no_disk() {
        let much = vec![b'x'; MAX_OUTPUT - 1];
        let told = lines(&[&much, b"yz", b"more\n", b"\n"]);
        let (last, shown) = told.split_last().unwrap();
        assert_eq!(last, "(more than 65536 bytes; the rest is left out)");
        assert_eq!(shown.iter().map(String::len).sum::<usize>(), MAX_OUTPUT);
        let full = vec![b'x'; MAX_OUTPUT];
        assert_eq!(lines(&[&full, b"y", b"z"]).last(), Some(last));
    }
}
