//! The admin interface: health, readiness, metrics and status, at a socket of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::host::Host;
use crate::listener::{Socket, Stream};

/// Connections at one time. The socket is only for this machine.
const CONNECTIONS: usize = 64;
/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the admin interface. It never ends by itself, so that a drain can be watched.
pub(crate) async fn serve(host: Arc<Host>, socket: Socket) -> Infallible {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&connections).acquire_owned().await;
        let Ok(stream) = socket.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let host = Arc::clone(&host);
        tokio::spawn(async move {
            let _permit = permit;
            match stream {
                Stream::Tcp(stream, _) => connection(host, stream).await,
                Stream::Unix(stream) => connection(host, stream).await,
            }
        });
    }
}

async fn connection(host: Arc<Host>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&host, &request);
        async { Ok::<_, Infallible>(response) }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    // What goes wrong here concerns only the one who asked.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

fn respond<B>(host: &Host, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return page(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "GET and HEAD only\n".to_owned(),
        );
    }
    match request.uri().path() {
        // The process answers.
        "/healthz" => page(StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => ready(host),
        path => match host.telemetry().page(path, host) {
            Some(found) => page(StatusCode::OK, found.content_type, found.body),
            None => page(StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned()),
        },
    }
}

/// Ready: the host takes requests, and serves an application. Below, those that it does not serve.
fn ready(host: &Host) -> Response<Full<Bytes>> {
    let applications = host.applications();
    let served = applications
        .iter()
        .map(|it| (it.label(), it.version().is_some()));
    let (status, text) = readiness(host.is_ready(), &served.collect::<Vec<_>>());
    page(status, TEXT, text)
}

/// A load balancer must not take the whole host away because of one application. If the host serves
/// none, another host may.
fn readiness(takes_requests: bool, served: &[(&str, bool)]) -> (StatusCode, String) {
    let (status, first) = match (takes_requests, served.iter().any(|(_, it)| *it)) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        (true, false) => (StatusCode::SERVICE_UNAVAILABLE, "nothing is served\n"),
        (true, true) => (StatusCode::OK, "ready\n"),
    };
    let absent = served.iter().filter(|(_, is_served)| !is_served);
    let absent = absent.map(|(name, _)| format!("not served: {name}\n"));
    (
        status,
        [first.to_owned()].into_iter().chain(absent).collect(),
    )
}

const TEXT: &str = "text/plain; charset=utf-8";

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_serves_nothing_is_not_ready() {
        let (shop, blog) = (("acme/shop", true), ("acme/blog@next", false));
        let none = [("acme/shop", false), blog];
        for (takes_requests, served, status, text) in [
            (true, &[shop][..], 200, "ready\n"),
            (
                true,
                &[shop, blog],
                200,
                "ready\nnot served: acme/blog@next\n",
            ),
            (
                true,
                &none,
                503,
                "nothing is served\nnot served: acme/shop\nnot served: acme/blog@next\n",
            ),
            (false, &[shop], 503, "draining\n"),
            (
                false,
                &[blog],
                503,
                "draining\nnot served: acme/blog@next\n",
            ),
        ] {
            let (found, said) = readiness(takes_requests, served);
            assert_eq!((found.as_u16(), &*said), (status, text));
        }
    }
}
