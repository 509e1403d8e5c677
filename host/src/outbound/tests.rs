//! Requests to servers of these tests, on loopback addresses.

mod tls;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody};

use super::*;

/// What a server does with each connection.
#[derive(Clone, Copy)]
enum Server {
    /// Answers every request on a connection.
    Answers(&'static str),
    /// Answers one request, and closes.
    Closes(&'static str),
    /// Answers one request, and then says nothing.
    Stops(&'static str),
    /// Speaks first.
    Greets(&'static str),
}

/// Starts a server. Returns its port, and the number of its connections.
async fn start(server: Server) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(server, stream));
        }
    });
    (port, connections)
}

async fn serve(server: Server, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    loop {
        let mut head = Vec::new();
        if let Server::Greets(text) = server {
            let _ = stream.write_all(text.as_bytes()).await;
        }
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let (Server::Answers(text)
        | Server::Closes(text)
        | Server::Stops(text)
        | Server::Greets(text)) = server;
        let _ = stream.write_all(text.as_bytes()).await;
        match server {
            Server::Answers(_) | Server::Greets(_) => {}
            Server::Closes(_) => return,
            Server::Stops(_) => std::future::pending().await,
        }
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

struct Client {
    outbound: Arc<Outbound>,
    rules: Arc<Mutex<Vec<&'static str>>>,
    process: Arc<ProcessConnections>,
}

impl Client {
    fn new(allow: &[&str], networks: &[&str], settings: Settings) -> Self {
        Self::with_roots(allow, networks, settings, &Roots::public())
    }

    fn with_roots(allow: &[&str], networks: &[&str], settings: Settings, roots: &Roots) -> Self {
        let rules = Rules::new(
            allow.iter().map(|text| text.parse().unwrap()).collect(),
            networks.iter().map(|text| text.parse().unwrap()).collect(),
        );
        let heard = Arc::new(Mutex::new(Vec::new()));
        let observer = Arc::clone(&heard);
        let process = ProcessConnections::new(4, 4, 4);
        let outbound = Outbound::new(rules, settings, roots, &process, move |denial| {
            observer.lock().unwrap().push(denial.rule());
        });
        Self {
            outbound: outbound.unwrap(),
            rules: heard,
            process,
        }
    }

    /// A client that may use all loopback addresses.
    fn local(settings: Settings) -> Self {
        Self::new(&["*:*"], &["127.0.0.0/8"], settings)
    }

    async fn send(&self, uri: &str) -> Result<http::Response<WasiBody>, HttpError> {
        let request = Request::get(uri).header("host", "x").body(empty()).unwrap();
        self.outbound.send(request, None).await
    }

    async fn get(&self, uri: &str) -> Result<Bytes, HttpError> {
        let body = self.send(uri).await?.into_body();
        Ok(body.collect().await?.to_bytes())
    }

    fn rules(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.rules.lock().unwrap())
    }
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

#[tokio::test]
async fn a_response_arrives_and_its_connection_is_used_again() {
    let (port, connections) = start(Server::Answers(HELLO)).await;
    let client = Client::local(Settings::default());
    for _ in 0..3 {
        let body = client
            .get(&format!("http://127.0.0.1:{port}/a"))
            .await
            .unwrap();
        assert_eq!(body, "hello");
        // The connection goes back in a task of its own.
        let pool = client.outbound.pool();
        while pool.idle() == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    assert_eq!(client.process.free(), 3);
    assert_eq!(client.rules(), [""; 0]);
}

#[tokio::test]
async fn what_the_rules_do_not_allow_is_refused_under_its_name() {
    let (port, connections) = start(Server::Answers(HELLO)).await;
    let inside = format!("http://127.0.0.1:{port}/");
    let client = Client::new(&[], &["127.0.0.0/8"], Settings::default());
    let error = client.get(&inside).await.unwrap_err();
    assert!(matches!(error, HttpError::HttpRequestDenied), "{error}");
    assert_eq!(client.rules(), ["outbound-denied"]);

    let client = Client::new(&["*:*"], &[], Settings::default());
    // Names that lead to this machine, and ways of writing its address.
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
        "0x7f.1",
    ] {
        let error = client
            .get(&format!("http://{host}:{port}/"))
            .await
            .unwrap_err();
        assert!(
            matches!(error, HttpError::DestinationIpProhibited),
            "{host}: {error}"
        );
        assert_eq!(client.rules(), ["outbound-private"], "{host}");
    }
    let error = client
        .get(&format!("http://user@127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::HttpRequestUriInvalid), "{error}");
    assert_eq!(connections.load(Ordering::Relaxed), 0);
}

/// A name whose address is checked, and which resolves to another one afterwards, still leads to
/// the first: there is no second lookup. Here the second address would be the server's.
#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_checked() {
    let (port, connections) = start(Server::Answers(HELLO)).await;
    let hosts = BTreeMap::from([(
        "rebind.example".to_owned(),
        vec![
            "10.255.255.1".parse().unwrap(),
            "127.0.0.1".parse().unwrap(),
        ],
    )]);
    let settings = Settings {
        hosts,
        ..Settings::default()
    };
    let allow = ["rebind.example:*"];
    let client = Client::new(&allow, &["127.0.0.0/8"], settings.clone());
    // Of the two addresses, only one is allowed, and only that one is tried.
    let body = client
        .get(&format!("http://rebind.example:{port}/"))
        .await
        .unwrap();
    assert_eq!(body, "hello");
    let client = Client::new(&allow, &[], settings);
    let error = client
        .get(&format!("http://rebind.example:{port}/"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, HttpError::DestinationIpProhibited),
        "{error}"
    );
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_redirect_is_the_guests() {
    let moved =
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let (port, _) = start(Server::Answers(moved)).await;
    let client = Client::local(Settings::default());
    let response = client
        .send(&format!("http://127.0.0.1:{port}/"))
        .await
        .unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(client.rules(), [""; 0]);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_replaced() {
    let (port, connections) = start(Server::Closes(HELLO)).await;
    let client = Client::local(Settings::default());
    for _ in 0..3 {
        let body = client
            .get(&format!("http://127.0.0.1:{port}/"))
            .await
            .unwrap();
        assert_eq!(body, "hello");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_response_that_is_too_large_ends() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for text in [HELLO, chunked] {
        let (port, _) = start(Server::Answers(text)).await;
        let settings = |response_body| Settings {
            response_body,
            ..Settings::default()
        };
        let uri = format!("http://127.0.0.1:{port}/");
        let client = Client::local(settings(5));
        assert_eq!(client.get(&uri).await.unwrap(), "hello");
        let client = Client::local(settings(4));
        let error = client.get(&uri).await.unwrap_err();
        assert!(
            matches!(error, HttpError::HttpResponseBodySize(Some(4))),
            "{error}"
        );
        assert_eq!(client.rules(), ["upstream-body"]);
    }
}

#[tokio::test]
async fn a_server_that_stops_is_left() {
    let settings = Settings {
        first_byte_timeout: std::time::Duration::from_millis(20),
        between_bytes_timeout: std::time::Duration::from_millis(20),
        ..Settings::default()
    };
    for (text, rule) in [
        ("", "response-time"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
            "response-time",
        ),
    ] {
        let (port, _) = start(Server::Stops(text)).await;
        let client = Client::local(settings.clone());
        let error = client
            .get(&format!("http://127.0.0.1:{port}/"))
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::ConnectionReadTimeout), "{error}");
        assert_eq!(client.rules(), [rule]);
    }
}

/// A guest may ask for less patience, and not for more.
#[tokio::test]
async fn a_guests_timeouts_count_if_they_are_shorter() {
    let (port, _) = start(Server::Stops("")).await;
    let client = Client::local(Settings {
        first_byte_timeout: std::time::Duration::from_millis(20),
        ..Settings::default()
    });
    for first_byte_timeout in [
        std::time::Duration::ZERO,
        std::time::Duration::from_secs(3600),
    ] {
        let options = RequestOptions {
            first_byte_timeout: Some(first_byte_timeout),
            ..RequestOptions::default()
        };
        let request = Request::get(format!("http://127.0.0.1:{port}/"))
            .body(empty())
            .unwrap();
        let sent = client.outbound.send(request, Some(options)).await;
        assert!(matches!(sent.err(), Some(HttpError::ConnectionReadTimeout)));
    }
}

#[tokio::test]
async fn connections_are_bounded_and_free_again() {
    let (port, _) = start(Server::Answers(HELLO)).await;
    let client = Client::local(Settings {
        connections: 1,
        connect_timeout: std::time::Duration::from_millis(200),
        ..Settings::default()
    });
    let uri = format!("http://127.0.0.1:{port}/");
    assert_eq!(client.get(&uri).await.unwrap(), "hello");

    let (silent, _) = start(Server::Stops(
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
    ))
    .await;
    let held = client
        .send(&format!("http://127.0.0.1:{silent}/"))
        .await
        .unwrap();
    let error = client.get(&uri).await.unwrap_err();
    assert!(
        matches!(error, HttpError::ConnectionLimitReached),
        "{error}"
    );
    assert_eq!(client.rules(), ["application-connections"]);
    drop(held);
    assert_eq!(client.get(&uri).await.unwrap(), "hello");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let client = Client::local(Settings::default());
    let error = client
        .get(&format!("http://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::ConnectionRefused), "{error}");
    assert_eq!(client.rules(), ["outbound-connect"]);
}

#[tokio::test]
async fn there_are_no_tunnels() {
    let client = Client::local(Settings::default());
    let request = Request::connect("http://127.0.0.1:1/")
        .body(empty())
        .unwrap();
    let sent = client.outbound.send(request, None).await;
    assert!(matches!(
        sent.err(),
        Some(HttpError::HttpRequestMethodInvalid)
    ));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(128 << 10));
    let (port, _) = start(Server::Answers(String::leak(head))).await;
    let client = Client::local(Settings::default());
    let error = client
        .get(&format!("http://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, HttpError::HttpResponseHeaderSectionSize(None)),
        "{error}"
    );
    assert_eq!(client.rules(), ["upstream-head"]);
}
