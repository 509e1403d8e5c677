//! The body of a program of `wasi:http` 0.2, which knows whether it is whole.
//!
//! The engine shows the end of an instance as the end of its body. So the body is looked at before
//! the instance ends: what the program has finished ends then, and what it has not is cut.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, WasiBody};

/// What a program writes, as the server reads it.
struct Watched(Watch);

/// Sees the end of an instance, for the body of its response.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<State>>);

/// Looks at the body when it is dropped. Drop it before the store of the instance.
pub(crate) struct Look(Watch);

/// Says that the fate of the instance is known when it is dropped.
pub(crate) struct Told(Watch);

#[derive(Default)]
struct State {
    body: Option<WasiBody>,
    /// What was still to be read when the instance ended.
    rest: VecDeque<Result<Frame<Bytes>, Error>>,
    end: End,
    /// Whether the fate of the instance is known.
    is_told: bool,
    /// Wakes the server.
    waker: Option<Waker>,
}

/// The end of a body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    /// The program can still write.
    #[default]
    Open,
    /// The program has finished it.
    Whole,
    /// The instance ended first.
    Cut,
}

impl Watch {
    /// The body of the response, which ends with an error if it is not whole.
    pub(crate) fn body(&self, body: WasiBody) -> WasiBody {
        self.state().body = Some(body);
        Watched(self.clone()).boxed_unsync()
    }

    /// Looks at the body before the instance ends.
    pub(crate) fn look(&self) -> Look {
        Look(self.clone())
    }

    /// Lets a body that is cut end.
    pub(crate) fn told(&self) -> Told {
        Told(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let waker = self.state().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// Reads what is there. An instance keeps few pieces that nobody has read.
    fn look(&mut self) {
        let Some(body) = &mut self.body else { return };
        let cx = &mut Context::from_waker(Waker::noop());
        self.end = loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => break End::Cut,
                Poll::Ready(None) => break End::Whole,
                Poll::Ready(Some(frame)) => {
                    let is_last = frame.as_ref().map_or(true, Frame::is_trailers);
                    self.rest.push_back(frame);
                    if is_last {
                        break End::Whole;
                    }
                }
            }
        };
        self.body = None;
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.0.state().look();
        self.0.wake();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // The look may come later: another thread ends the instance.
        self.0.state().is_told = true;
        self.0.wake();
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.0.state();
        if let Some(frame) = state.rest.pop_front() {
            return Poll::Ready(Some(frame));
        }
        let state = &mut *state;
        let polled = match (&mut state.body, state.end) {
            (Some(body), _) => Pin::new(body).poll_frame(cx),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::Cut) if state.is_told => {
                Poll::Ready(Some(Err(Error::HttpResponseIncomplete)))
            }
            (None, End::Open | End::Cut) => Poll::Pending,
        };
        if polled.is_pending() {
            state.waker = Some(cx.waker().clone());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.state();
        match &state.body {
            Some(body) => body.is_end_stream(),
            None => state.rest.is_empty() && state.end == End::Whole,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.state();
        let body = state.body.as_ref();
        body.map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The program's writes fail from now on.
        let body = self.0.state().body.take();
        drop(body);
    }
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi_http::p2::body::{HostOutgoingBody, StreamContext};

    use super::*;

    /// A body with a part, and what the program holds of it.
    fn body(size: Option<u64>) -> (HostOutgoingBody, Watch, WasiBody) {
        let (mut held, body) = HostOutgoingBody::new(StreamContext::Response, size, 1, 1024);
        let mut stream = held.take_output_stream().unwrap();
        stream.write(Bytes::from_static(b"part")).unwrap();
        let watch = Watch::default();
        let body = watch.body(body);
        (held, watch, body)
    }

    async fn rest(body: WasiBody) -> Result<Bytes, Error> {
        Ok(body.collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn what_a_program_has_finished_is_whole() {
        let (held, watch, body) = body(None);
        held.finish(None).unwrap();
        drop(watch.look());
        assert_eq!(rest(body).await.unwrap(), "part");
    }

    #[tokio::test]
    async fn what_a_program_has_not_finished_is_cut() {
        for how in ["kept", "dropped", "short"] {
            let (held, watch, mut body) = body((how == "short").then_some(5));
            let held = match how {
                "kept" => Some(held),
                "dropped" => {
                    held.abort();
                    None
                }
                _ => {
                    held.finish(None).unwrap_err();
                    None
                }
            };
            let look = watch.look();
            let told = watch.told();
            drop(look);
            drop(held);
            assert!(body.frame().await.unwrap().is_ok(), "{how}");
            drop(told);
            assert!(rest(body).await.is_err(), "{how}");
        }
    }

    #[tokio::test]
    async fn the_end_of_a_cut_body_waits_for_its_reason() {
        let (held, watch, mut body) = body(None);
        let (look, told) = (watch.look(), watch.told());
        assert!(body.frame().await.unwrap().is_ok());
        let waits = tokio::spawn(rest(body));
        tokio::task::yield_now().await;
        drop(look);
        drop(held);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(told);
        assert!(waits.await.unwrap().is_err());
    }
}
