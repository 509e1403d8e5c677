//! The body of a response: at most so many bytes. When it ends, the request ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::application::Application;
use crate::hit::Hit;
use crate::queue::Permits;
use crate::telemetry::{Begun, TraceContext};
use crate::{Limit, Outcome};

/// The body of a response to a client.
pub(crate) enum ResponseBody {
    /// The host's own text.
    Text(Option<Bytes>),
    /// What a program writes.
    Program(Box<Written>),
}

/// What a program writes.
pub(crate) struct Written {
    body: WasiBody,
    /// The bytes that may still come.
    left: u64,
    /// The bytes that must still come, if the head of the response states its length. The server
    /// asks for no more.
    promised: Option<u64>,
    /// The bytes since others could run.
    in_a_row: u64,
    hit: Arc<Hit>,
    finish: Finish,
}

/// After so many bytes, others run. Otherwise a large response keeps a thread until the client's
/// socket is full, which takes megabytes.
const IN_A_ROW: u64 = 128 << 10;

impl ResponseBody {
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// The body of a program's response. `promised` is its length, if the head states it.
    pub(crate) fn of(
        body: WasiBody,
        most: u64,
        promised: Option<u64>,
        hit: &Arc<Hit>,
        mut finish: Finish,
    ) -> Self {
        if promised == Some(0) || body.is_end_stream() {
            finish.with(Outcome::Answered);
        }
        Self::Program(Box::new(Written {
            body,
            left: most,
            promised,
            in_a_row: 0,
            hit: Arc::clone(hit),
            finish,
        }))
    }
}

impl Written {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.in_a_row >= IN_A_ROW {
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // Nothing follows trailers, and the server does not ask again.
        let is_trailers = matches!(&frame, Some(Ok(frame)) if frame.is_trailers());
        let length = match &frame {
            None => {
                self.finish.with(Outcome::Answered);
                return Poll::Ready(None);
            }
            Some(Err(_)) => {
                let limited = self.hit.get().map(Outcome::Limited);
                self.finish.with(limited.unwrap_or(Outcome::Trapped));
                return Poll::Ready(frame);
            }
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
        };
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.in_a_row = self.in_a_row.saturating_add(length);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            // The program's writes fail from now on, and the client sees that the body is cut.
            None => {
                self.hit.set(Limit::ResponseBody);
                self.finish.with(Outcome::Limited(Limit::ResponseBody));
                return Poll::Ready(Some(Err(Error::HttpResponseBodySize(None))));
            }
        }
        if let Some(promised) = &mut self.promised {
            *promised = promised.saturating_sub(length);
        }
        // The server does not ask again for the end of such a body.
        if is_trailers || self.promised == Some(0) || self.body.is_end_stream() {
            self.finish.with(Outcome::Answered);
        }
        Poll::Ready(frame)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Program(written) => written.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Program(written) => written.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Program(written) => written.body.size_hint(),
        }
    }
}

/// The status of a request whose client has gone before there was a response. No client sees it.
/// Other servers write this number into their logs as well.
const GONE: u16 = 499;

/// The end of a request. It is told once: with what was found, or else that the client has gone.
/// The server drops the request of such a client, also while it waits or runs.
pub(crate) struct Finish {
    application: Arc<Application>,
    /// `None`: there is no response yet.
    status: Option<StatusCode>,
    begin: Begun,
    /// Holds the places of the request, if its instance does not.
    places: Option<AbortOnDropHandle<()>>,
    told: bool,
}

impl Finish {
    /// Of a request that begins.
    pub(crate) fn new(application: &Arc<Application>, begin: Begun) -> Self {
        Self {
            application: Arc::clone(application),
            status: None,
            begin,
            places: None,
            told: false,
        }
    }

    /// The trace of the request.
    pub(crate) fn trace(&self) -> TraceContext {
        self.begin.trace
    }

    /// A program has answered. The request holds these places until its response has ended, and no
    /// longer than its program may run: a client that takes no bytes must not hold them for ever.
    pub(crate) fn answered(&mut self, status: StatusCode, permits: Option<Permits>) {
        self.status = Some(status);
        let wall_time = self.application.limits().wall_time.get();
        self.places = permits.map(|permits| {
            AbortOnDropHandle::new(tokio::spawn(async move {
                sleep(wall_time).await;
                drop(permits);
            }))
        });
    }

    /// The host answers in place of a program.
    pub(crate) fn failed(mut self, status: StatusCode, outcome: Outcome) {
        self.status = Some(status);
        self.with(outcome);
    }

    fn with(&mut self, outcome: Outcome) {
        if !self.told {
            self.told = true;
            self.places = None;
            let telemetry = self.application.telemetry();
            let gone = || StatusCode::from_u16(GONE).unwrap_or(StatusCode::BAD_REQUEST);
            let status = self.status.unwrap_or_else(gone);
            telemetry.request_finished(&self.application, &self.begin, status, outcome);
        }
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.with(Outcome::Gone);
    }
}
