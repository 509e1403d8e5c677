//! The body of a response: how large it may be, and how long it may stop.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error as HttpError;

use super::Outbound;
use super::connect::{Connection, Destination};
use super::denial::{Denial, of_hyper};

/// A response's body, with the connection that carries it. If the guest reads it to its end, the
/// connection goes back to the pool. Otherwise it is closed.
pub(crate) struct ResponseBody {
    incoming: Incoming,
    carrier: Option<(Destination, Connection)>,
    outbound: Arc<Outbound>,
    /// Bytes that may still come.
    left: u64,
    /// How long the other side may be silent while the guest waits for it.
    patience: Duration,
    /// Runs while the guest waits.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl ResponseBody {
    /// # Errors
    ///
    /// The response says that its body is larger than it may be.
    pub(crate) fn new(
        incoming: Incoming,
        destination: Destination,
        connection: Connection,
        outbound: Arc<Outbound>,
        patience: Duration,
    ) -> Result<Self, Denial> {
        let left = outbound.settings().response_body;
        if incoming.size_hint().lower() > left {
            return Err(Denial::ResponseSize { limit: left });
        }
        let mut body = Self {
            incoming,
            carrier: Some((destination, connection)),
            outbound,
            left,
            patience,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            waiting: false,
        };
        body.settle();
        Ok(body)
    }

    /// Gives the connection back as soon as nothing more comes. A guest that knows the length may
    /// not ask for the end.
    fn settle(&mut self) {
        if self.incoming.is_end_stream()
            && let Some((destination, connection)) = self.carrier.take()
        {
            self.outbound.pool().give_back(destination, connection);
        }
    }

    fn refuse(&mut self, denial: Denial) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.carrier = None;
        self.outbound.report(&denial);
        Poll::Ready(Some(Err(denial.into())))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let body = self.get_mut();
        let polled = Pin::new(&mut body.incoming).poll_frame(context);
        if polled.is_ready() {
            body.waiting = false;
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match body
                    .left
                    .checked_sub(u64::try_from(length).unwrap_or(u64::MAX))
                {
                    Some(left) => body.left = left,
                    None => {
                        let limit = body.outbound.settings().response_body;
                        return body.refuse(Denial::ResponseSize { limit });
                    }
                }
                body.settle();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                body.carrier = None;
                Poll::Ready(Some(Err(of_hyper(error))))
            }
            Poll::Ready(None) => {
                if let Some((destination, connection)) = body.carrier.take() {
                    body.outbound.pool().give_back(destination, connection);
                }
                Poll::Ready(None)
            }
            Poll::Pending => {
                if !body.waiting {
                    body.waiting = true;
                    body.timer.as_mut().reset(Instant::now() + body.patience);
                }
                if body.timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                match body.carrier.take() {
                    Some((destination, _)) => {
                        body.refuse(Denial::BetweenBytesTimeout(destination.host))
                    }
                    None => Poll::Ready(None),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
