//! The admin interface: health, readiness, metrics and status, at a socket of its own.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::connection::ClientIo;
use crate::host::Host;
use crate::listener::{Socket, Stream};

/// Connections at one time. The socket is only for this machine.
const CONNECTIONS: usize = 64;
/// How long a connection may be silent, and how long its client may take no bytes.
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
            let respond = move |request: &Request<Incoming>| respond(&host, request);
            let at_tcp = |request: &Request<Incoming>| match is_for_this_machine(request) {
                true => respond(request),
                false => misdirected(),
            };
            match stream {
                Stream::Tcp(stream, _) => connection(at_tcp, stream).await,
                Stream::Unix(stream) => connection(respond, stream).await,
            }
        });
    }
}

async fn connection(
    respond: impl Fn(&Request<Incoming>) -> Response<Full<Bytes>>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) {
    let stream = ClientIo::new(stream, PATIENCE);
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(&request);
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

/// Whether a request names this machine by a loopback address or as `localhost`. A page of another
/// site, whose name resolves to this machine, makes a browser send another name (DNS rebinding).
fn is_for_this_machine<B>(request: &Request<B>) -> bool {
    let named = request.headers().get_all(HOST).iter();
    let named = named.map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    let mut named = named.chain(request.uri().authority().map(|it| Some(it.clone())));
    named.all(|authority: Option<Authority>| authority.is_some_and(|it| is_local(it.host())))
}

fn is_local(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

fn misdirected() -> Response<Full<Bytes>> {
    let text = "the host of the request is neither localhost nor a loopback address\n";
    page(StatusCode::MISDIRECTED_REQUEST, TEXT, text.to_owned())
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// More than a connection of these tests takes at once.
    const LARGE: usize = 1 << 20;

    fn large(_: &Request<Incoming>) -> Response<Full<Bytes>> {
        page(StatusCode::OK, TEXT, "x".repeat(LARGE))
    }

    const ASKED: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_left() {
        let (mut client, server) = duplex(1024);
        client.write_all(ASKED).await.unwrap();
        let begin = Instant::now();
        // This would hang.
        connection(large, server).await;
        assert!(begin.elapsed() < 2 * PATIENCE);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gets_a_whole_page() {
        let (mut client, server) = duplex(LARGE / 8);
        client.write_all(ASKED).await.unwrap();
        let served = tokio::spawn(connection(large, server));
        let (mut all, mut part) = (0, vec![0; LARGE / 8]);
        while all < LARGE {
            sleep(PATIENCE / 2).await;
            all += client.read(&mut part).await.unwrap();
        }
        drop(client);
        served.await.unwrap();
    }

    #[test]
    fn another_name_for_this_machine_is_refused() {
        let asked = |host: &str| {
            let request = Request::builder().uri("/metrics").header(HOST, host);
            is_for_this_machine(&request.body(()).unwrap())
        };
        for host in [
            "localhost",
            "LOCALHOST:9090",
            "127.0.0.1:9090",
            "[::1]:9090",
            "127.0.0.2",
        ] {
            assert!(asked(host), "{host}");
        }
        for host in [
            "rebind.example:9090",
            "192.0.2.1",
            "localhost.example",
            "",
            "a b",
        ] {
            assert!(!asked(host), "{host}");
        }
        // No browser leaves it out.
        assert!(is_for_this_machine(&Request::new(())));
        let request = Request::builder()
            .uri("http://rebind.example/")
            .header(HOST, "localhost");
        assert!(!is_for_this_machine(&request.body(()).unwrap()));
        assert_eq!(misdirected().status(), StatusCode::MISDIRECTED_REQUEST);
    }

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
