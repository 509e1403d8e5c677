//! The body of a request: at most so many bytes, and no long silence while the program reads.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

use crate::Limit;
use crate::config::Limits;
use crate::hit::Hit;

/// The body of a client's request, as a program reads it.
pub(crate) struct RequestBody {
    body: Incoming,
    /// The bytes that may still come.
    left: u64,
    patience: Duration,
    /// Runs while the program waits for the client.
    silence: Option<Pin<Box<Sleep>>>,
    hit: Arc<Hit>,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, limits: &Limits, hit: &Arc<Hit>) -> Self {
        Self {
            body,
            left: limits.request_body.get(),
            patience: limits.request_body_time.get(),
            silence: None,
            hit: Arc::clone(hit),
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        let silence = self
            .silence
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        silence.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.poll_silence(cx));
                self.hit.set(Limit::RequestBodyTime);
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        let patience = self.patience;
        if let Some(silence) = &mut self.silence {
            silence.as_mut().reset(Instant::now() + patience);
        }
        let Some(frame) = frame.transpose().map_err(Error::Hyper)? else {
            return Poll::Ready(None);
        };
        if let Some(data) = frame.data_ref() {
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => {
                    self.hit.set(Limit::RequestBody);
                    return Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))));
                }
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
