//! The bytes of a client: the protocol that they begin with, and clients that do not read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::frames::{Frames, PREFACE};

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A client's connection. A write that makes no progress for too long is an error.
pub(crate) struct ClientIo<I> {
    inner: I,
    /// Bytes that were read to find the protocol.
    before: Bytes,
    patience: Duration,
    /// Runs while the client does not read.
    stall: Option<Pin<Box<Sleep>>>,
    /// The frames of HTTP/2 that are bounded.
    frames: Option<Frames>,
}

impl<I: AsyncRead + AsyncWrite + Unpin> ClientIo<I> {
    pub(crate) fn new(inner: I, patience: Duration) -> Self {
        Self {
            inner,
            before: Bytes::new(),
            patience,
            stall: None,
            frames: None,
        }
    }

    /// From now on, the client speaks HTTP/2, and may send so many control frames a second.
    pub(super) fn bound_frames(&mut self, most: u32) {
        self.frames = Some(Frames::new(most, Instant::now().into_std()));
    }

    /// Reads as much as shows the protocol. What was read stays there for the server.
    pub(super) async fn protocol(&mut self) -> io::Result<Protocol> {
        let mut read = [0; PREFACE.len()];
        let mut filled = 0;
        loop {
            let rest = read.get_mut(filled..).unwrap_or_default();
            let more = self.inner.read(rest).await?;
            filled += more;
            let begun = read.get(..filled).unwrap_or_default();
            let can_be = PREFACE.starts_with(begun);
            if more == 0 || !can_be || begun.len() == PREFACE.len() {
                self.before = Bytes::copy_from_slice(begun);
                return match can_be && begun.len() == PREFACE.len() {
                    true => Ok(Protocol::Http2),
                    // Also a connection that ended: the server sees its end.
                    false => Ok(Protocol::Http1),
                };
            }
        }
    }

    /// What is written earns frames.
    fn count(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some(frames), Poll::Ready(Ok(written))) = (&mut self.frames, written) {
            frames.wrote(*written);
        }
    }

    /// The result of a write, or an error if the client has not read for too long.
    fn progress<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let patience = self.patience;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stall.as_mut().poll(cx));
        stall.as_mut().reset(Instant::now() + patience);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for ClientIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let already = buffer.filled().len();
        if self.before.is_empty() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        } else {
            let part = self.before.len().min(buffer.remaining());
            buffer.put_slice(self.before.get(..part).unwrap_or_default());
            self.before.advance(part);
        }
        if let Some(frames) = &mut self.frames {
            let read = buffer.filled().get(already..).unwrap_or_default();
            let read = frames.read(read, Instant::now().into_std());
            read.map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientIo<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.count(&written);
        self.progress(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.count(&written);
        self.progress(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.progress(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.progress(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn the_first_bytes_show_the_protocol_and_stay() {
        for (sent, protocol) in [
            (&b"GET / HTTP/1.1\r\n"[..], Protocol::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest", Protocol::Http2),
            (b"PRI * HTTP/1.1\r\n", Protocol::Http1),
            (b"PRI", Protocol::Http1),
            (b"", Protocol::Http1),
        ] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(sent).await.unwrap();
            drop(client);
            let mut io = ClientIo::new(server, Duration::from_secs(1));
            assert_eq!(io.protocol().await.unwrap(), protocol);
            let mut received = Vec::new();
            io.read_to_end(&mut received).await.unwrap();
            assert_eq!(received, sent);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_left() {
        let (_client, server) = tokio::io::duplex(4);
        let mut io = ClientIo::new(server, Duration::from_secs(5));
        let error = io.write_all(b"more than four bytes").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
