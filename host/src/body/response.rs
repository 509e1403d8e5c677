//! The body of a response: at most so many bytes. When it ends, the request ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Finish;
use crate::failed::Failed;
use crate::fate::Ending;
use crate::hit::Hit;
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
    /// What becomes of the instance.
    ending: Ending,
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
        ending: Ending,
        mut finish: Finish,
    ) -> Self {
        if promised == Some(0) || body.is_end_stream() {
            finish.tell(Outcome::Answered);
        }
        Self::Program(Box::new(Written {
            body,
            left: most,
            promised,
            in_a_row: 0,
            hit: Arc::clone(hit),
            ending,
            finish,
        }))
    }
}

impl Written {
    /// The client gets a part of the body, and must see that.
    fn cut(&mut self, failed: &Failed, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.finish.cut(failed);
        Poll::Ready(Some(Err(error)))
    }

    /// Why the program's body ends with an error.
    fn reason(&self, error: &Error) -> Failed {
        let limited = self.hit.get().map(Failed::Limit);
        let failed = limited.or_else(|| self.ending.fate().failed());
        failed.unwrap_or_else(|| Failed::Unanswered(format!("its body has no end: {error}")))
    }

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
            None => match self.ending.hidden() {
                None if self.promised.is_none_or(|promised| promised == 0) => {
                    self.finish.tell(Outcome::Answered);
                    return Poll::Ready(None);
                }
                None => {
                    let failed = Failed::Unanswered("its body is too short".to_owned());
                    return self.cut(&failed, Error::HttpResponseIncomplete);
                }
                // The rest may be missing, so the client must not take it for whole.
                Some(failed) => return self.cut(&failed, Error::HttpResponseIncomplete),
            },
            Some(Err(error)) => {
                let failed = self.reason(error);
                self.finish.cut(&failed);
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
                let failed = Failed::Limit(Limit::ResponseBody);
                return self.cut(&failed, Error::HttpResponseBodySize(None));
            }
        }
        if let Some(promised) = &mut self.promised {
            // A response without a body promises nothing, and the server sends nothing of it.
            if *promised > 0 && length > *promised {
                let failed = Failed::Unanswered("its body is too long".to_owned());
                return self.cut(&failed, Error::HttpResponseBodySize(None));
            }
            *promised = promised.saturating_sub(length);
        }
        // The server does not ask again for the end of such a body.
        if is_trailers || self.promised == Some(0) || self.body.is_end_stream() {
            self.finish.tell(Outcome::Answered);
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

#[cfg(test)]
mod tests {
    use edgec_loader::wasmtime::Trap;
    use http::{Request, StatusCode};
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::Telemetry;
    use crate::application::Application;
    use crate::client::Client;
    use crate::config::{ApplicationConfig, Limits, LogConfig};
    use crate::door::Door;
    use crate::failed::Failed;
    use crate::fate::Fate;

    /// A body of a guest: nobody knows that it has ended before it is asked.
    struct Parts(Vec<Bytes>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Ready(self.0.pop().map(|part| Ok(Frame::data(part))))
        }
    }

    fn application() -> Arc<Application> {
        let limits = Limits::default();
        let telemetry = Telemetry::new(&LogConfig::default()).unwrap();
        let door = Arc::new(Door::new(&limits, &telemetry).unwrap());
        let config = ApplicationConfig::new("acme/app");
        let application = Application::new(config, &limits, &door, &telemetry, None);
        Arc::new(application.unwrap())
    }

    /// An instance that ends leaves a body that looks whole. The client must see that it is not.
    #[tokio::test]
    async fn the_body_of_an_instance_that_failed_is_cut() {
        for (failed, outcomes) in [
            (None, [1, 0, 0, 0, 0, 0, 0]),
            (Some(Failed::Limit(Limit::WallTime)), [0, 1, 0, 0, 0, 0, 0]),
            (
                Some(Failed::Trap(Trap::UnreachableCodeReached)),
                [0, 0, 1, 0, 0, 0, 0],
            ),
        ] {
            let application = application();
            let (telemetry, client) = (application.telemetry(), Client::new(None, false));
            let begin = telemetry.request_started(&application, &Request::new(()), client);
            let mut finish = Finish::new(&application, begin);
            finish.answered(StatusCode::OK, None);
            let is_whole = failed.is_none();
            let ending = Ending::Silent(Fate::sample(failed));
            let body = Parts(vec![Bytes::from_static(b"part")]).boxed_unsync();
            let mut body = ResponseBody::of(body, 100, None, &Arc::default(), ending, finish);
            assert!(body.frame().await.unwrap().is_ok());
            let end = body.frame().await;
            assert_eq!(end.is_none(), is_whole);
            assert!(end.is_none_or(|end| end.is_err()));
            assert_eq!(application.counted().outcomes(), outcomes);
        }
    }
}
