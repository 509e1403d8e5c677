//! From a client's request to its response: the way through the door.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use crate::Limit;
use crate::answer_head;
use crate::application::Application;
use crate::body::{Finish, RequestBody, ResponseBody};
use crate::client::Client;
use crate::failed::Failed;
use crate::head;
use crate::hit::Hit;
use crate::host::Host;
use crate::routing::{RouteError, host_of};
use crate::run::{Answer, Entered, run};
use crate::telemetry::TraceContext;

/// How long a client should wait before it tries again, in seconds.
const RETRY: HeaderValue = HeaderValue::from_static("1");

impl Host {
    /// Answers a request. It always has an answer.
    pub(crate) async fn respond(
        &self,
        client: Client,
        mut request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let application = match self.route(&request) {
            Ok(application) => application,
            Err(error) => {
                let status = status_of(error);
                let telemetry = self.telemetry();
                telemetry.request_refused(&request, client, error.into(), status);
                return text(status, format!("{error}\n"));
            }
        };
        let application = &application;
        let has_unknown_coding = head::has_unknown_coding(request.headers());
        head::prepare(
            request.headers_mut(),
            client,
            self.config().listen.forwarded,
        );
        let telemetry = application.telemetry();
        let begin = telemetry.request_started(application, &request, client);
        let mut finish = Finish::new(application, begin);
        let head = request.method() == Method::HEAD;
        let hit = Arc::new(Hit::of(application));
        match self.requesters().enter(client) {
            Ok(requester) => finish.asked_by(requester),
            Err(limit) => {
                hit.set(limit);
                return failure(application, &Failed::Limit(limit), finish);
            }
        }
        if has_unknown_coding {
            let why = "its body has another coding than `chunked`".to_owned();
            return failure(application, &Failed::Malformed(why), finish);
        }
        match answer(application, client.scheme(), request, finish.trace(), &hit).await {
            Ok(answer) => written(application, answer, head, finish, &hit),
            Err(failed) => failure(application, &failed, finish),
        }
    }

    fn route<B>(&self, request: &Request<B>) -> Result<Arc<Application>, RouteError> {
        let host = host_of(request.version(), request.uri(), request.headers())?;
        let served = self.served();
        served.router.find(&host, request.uri().path()).cloned()
    }
}

async fn answer(
    application: &Arc<Application>,
    scheme: Scheme,
    mut request: Request<Incoming>,
    trace: TraceContext,
    hit: &Arc<Hit>,
) -> Result<Answer, Failed> {
    if request.method() == Method::CONNECT {
        return Err(Failed::Malformed("this host is no proxy".to_owned()));
    }
    let limits = application.limits();
    // A body that states its length is refused before it is sent.
    let most = limits.request_body.get();
    if answer_head::stated(request.headers()).is_some_and(|length| length > most) {
        hit.set(Limit::RequestBody);
        return Err(Failed::Limit(Limit::RequestBody));
    }
    let sharing = application.sharing().map_err(Failed::Withheld)?;
    let entered = application.enter(sharing).await;
    let permits = entered.map_err(|limit| {
        hit.set(limit);
        Failed::Limit(limit)
    })?;
    // After the queue: another version may be in use now, or none.
    let version = application.current().map_err(Failed::Withheld)?;
    trace.put_into(request.headers_mut());
    let request = request.map(|body| RequestBody::new(body, limits, hit));
    let (application, hit) = (Arc::clone(application), Arc::clone(hit));
    run(Entered {
        application,
        version,
        scheme,
        request,
        permits,
        trace,
        hit,
    })
    .await
}

/// The program's response, whose body is limited.
fn written(
    application: &Arc<Application>,
    answer: Answer,
    head: bool,
    mut finish: Finish,
    hit: &Arc<Hit>,
) -> Response<ResponseBody> {
    let Answer {
        response,
        permits,
        ending,
    } = answer;
    let (mut parts, body) = response.into_parts();
    if let Err(failed) = answer_head::check(parts.status) {
        return failure(application, &failed, finish);
    }
    let body = answer_head::fit(&mut parts, body);
    let most = application.limits().response_body.get();
    let promised = answer_head::promised(&parts, head);
    if promised.is_some_and(|length| length > most) {
        hit.set(Limit::ResponseBody);
        return failure(application, &Failed::Limit(Limit::ResponseBody), finish);
    }
    if promised.is_some_and(|length| length > 0) && body.is_end_stream() {
        let why = "the head of its response states a length, and there is no body";
        return failure(application, &Failed::Unanswered(why.to_owned()), finish);
    }
    finish.answered(parts.status, permits);
    let body = ResponseBody::of(body, most, promised, hit, ending, finish);
    Response::from_parts(parts, body)
}

/// The answer if the program gives none.
fn failure(
    application: &Arc<Application>,
    failed: &Failed,
    finish: Finish,
) -> Response<ResponseBody> {
    let (telemetry, status) = (application.telemetry(), failed.status());
    if let Some(what) = failed.log() {
        telemetry.log(failed.level(), Some(application.label()), what);
    }
    finish.failed(status, failed.outcome());
    text(status, failed.text())
}

/// The status of the answer to a request for no application.
fn status_of(error: RouteError) -> StatusCode {
    match error {
        RouteError::Host | RouteError::Scheme => StatusCode::BAD_REQUEST,
        // Source: RFC 9110, section 15.5.20.
        RouteError::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
        RouteError::UnknownPath => StatusCode::NOT_FOUND,
    }
}

/// A response of the host itself.
pub(crate) fn text(status: StatusCode, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::text(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY);
    }
    response
}
