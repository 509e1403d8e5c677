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
                Stream::Tcp(stream) => connection(host, stream).await,
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

/// Ready: the host takes requests. Below, the applications that are not served: a load balancer
/// must not take the whole host away because of one of them.
fn ready(host: &Host) -> Response<Full<Bytes>> {
    let (status, mut text) = match host.is_ready() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned()),
    };
    for application in host.applications() {
        if application.version().is_none() {
            text.push_str(&format!("not served: {}\n", application.name()));
        }
    }
    page(status, TEXT, text)
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
