//! One connection of a client: TLS, the choice between HTTP/1.1 and HTTP/2, their limits, and its
//! end.

mod frames;
mod io;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use self::frames::Flood;
pub(crate) use self::io::ClientIo;
use self::io::Protocol;
use crate::Limit;
use crate::client::Client;
use crate::config::{Limits, LogLevel, count};
use crate::host::Host;
use crate::listener::{Certificates, Stream};
use crate::telemetry::Refused;

/// Serves a connection until the client or the host ends it.
pub(crate) async fn serve(
    host: Arc<Host>,
    stream: Stream,
    tls: Option<Arc<Certificates>>,
    stop: watch::Receiver<bool>,
) {
    let is_over_tls = tls.is_some();
    match stream {
        Stream::Tcp(stream, address) => {
            let client = Client::new(Some(address), is_over_tls);
            begin(host, stream, client, tls, stop).await;
        }
        Stream::Unix(stream) => {
            begin(host, stream, Client::new(None, is_over_tls), tls, stop).await;
        }
    }
}

/// Finds out which protocol the client speaks.
async fn begin<I>(
    host: Arc<Host>,
    stream: I,
    client: Client,
    tls: Option<Arc<Certificates>>,
    stop: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &host.config().limits;
    let (patience, stall) = (limits.header_read_time.get(), limits.wall_time.get());
    let Some(tls) = tls else {
        // HTTP/2 without TLS begins with a preface (RFC 9113, section 3.3).
        let mut io = ClientIo::new(stream, stall);
        let found = within(&host, patience, io.protocol()).await;
        if let Some(protocol) = found {
            protocol_of(host, io, client, protocol, stop).await;
        }
        return;
    };
    let Some(stream) = within(&host, patience, tls.acceptor().accept(stream)).await else {
        return;
    };
    let (_, session) = stream.get_ref();
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let io = ClientIo::new(stream, stall);
    protocol_of(host, io, client, protocol, stop).await;
}

/// The result, unless the client is too slow or breaks off.
async fn within<T>(
    host: &Host,
    patience: Duration,
    work: impl Future<Output = std::io::Result<T>>,
) -> Option<T> {
    match timeout(patience, work).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            let what = format!("a connection did not begin: {error}");
            host.telemetry().log(LogLevel::Debug, None, what);
            None
        }
        Err(_) => {
            host.telemetry().limit_hit(None, Limit::HeaderReadTime);
            None
        }
    }
}

async fn protocol_of<I>(
    host: Arc<Host>,
    mut io: ClientIo<I>,
    client: Client,
    protocol: Protocol,
    mut stop: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = host.config().limits.clone();
    let busy = Arc::new(Busy::new());
    let streams = match protocol {
        Protocol::Http1 => usize::MAX,
        Protocol::Http2 => count(limits.http2_streams),
    };
    let (served, counted) = (Arc::clone(&host), Arc::clone(&busy));
    let service = service_fn(move |request: Request<Incoming>| {
        let host = Arc::clone(&served);
        let request_runs = Busy::begin(&counted);
        // The protocol refuses further ones. They are not seen here.
        if counted.running() >= streams {
            host.telemetry().limit_hit(None, Limit::Http2Streams);
        }
        async move {
            let response = host.respond(client, request).await;
            drop(request_runs);
            Ok::<_, Infallible>(response)
        }
    });
    let ended = match protocol {
        Protocol::Http1 => {
            let connection = http1(&limits).serve_connection(TokioIo::new(io), service);
            let mut connection = pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Protocol::Http2 => {
            io.bound_frames(limits.http2_control_frames);
            let connection = http2(&limits).serve_connection(TokioIo::new(io), service);
            let mut connection = pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
                // A silent client answers pings, so only the absence of requests shows it.
                () = busy.silence(limits.header_read_time.get()) => {
                    connection.as_mut().graceful_shutdown();
                    // A client can leave a response in its window for ever, and answer pings.
                    let Ok(ended) = timeout(limits.wall_time.get(), connection).await else {
                        host.telemetry().limit_hit(None, Limit::WallTime);
                        return;
                    };
                    ended
                }
            }
        }
    };
    if let Err(error) = ended {
        tell(&host, client, &error);
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_time.get())
        .max_header_size(limits.header_size.as_usize());
    server
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let resets = count(limits.http2_resets);
    let headers = u32::try_from(limits.header_size.get()).unwrap_or(u32::MAX);
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_pending_accept_reset_streams(resets)
        .max_local_error_reset_streams(resets)
        .max_header_list_size(headers)
        .max_send_buf_size(64 << 10)
        // A client that does not answer is gone.
        .keep_alive_interval(limits.header_read_time.get())
        .keep_alive_timeout(limits.header_read_time.get());
    server
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // If the sender is gone, the host ends as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Counts what the server itself answers or ends: limits that it watches, and what is no HTTP.
fn tell(host: &Host, client: Client, error: &hyper::Error) {
    let telemetry = host.telemetry();
    if error.is_timeout() {
        telemetry.limit_hit(None, Limit::HeaderReadTime);
    } else if error.is_parse_too_large() {
        telemetry.limit_hit(None, Limit::HeaderSize);
        telemetry.head_refused(client, Refused::Limit(Limit::HeaderSize));
    } else if error.is_parse() {
        telemetry.head_refused(client, Refused::Syntax);
    } else if is_reset_flood(error) {
        telemetry.limit_hit(None, Limit::Http2Resets);
    } else if edgec_loader::error_chain(error).contains(&Flood.to_string()) {
        telemetry.limit_hit(None, Limit::Http2ControlFrames);
    }
    let what = format!("a connection ended: {}", edgec_loader::error_chain(error));
    telemetry.log(LogLevel::Debug, None, what);
}

/// Whether the server closed an HTTP/2 connection because of too many resets.
fn is_reset_flood(error: &hyper::Error) -> bool {
    // The text of ENHANCE_YOUR_CALM (RFC 9113, section 7).
    edgec_loader::error_chain(error).contains("excessive load")
}

/// The requests of a connection that run, and when the last one ended.
struct Busy {
    begin: Instant,
    running: AtomicUsize,
    /// Milliseconds since the beginning.
    last: AtomicUsize,
}

impl Busy {
    fn new() -> Self {
        Self {
            begin: Instant::now(),
            running: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
        }
    }

    fn begin(busy: &Arc<Self>) -> Runs {
        busy.running.fetch_add(1, Ordering::Relaxed);
        Runs(Arc::clone(busy))
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    fn since_begin(&self) -> usize {
        usize::try_from(self.begin.elapsed().as_millis()).unwrap_or(usize::MAX)
    }

    /// Returns when no request has run for a time.
    async fn silence(&self, period: Duration) {
        let period_ms = usize::try_from(period.as_millis()).unwrap_or(usize::MAX);
        loop {
            sleep(period).await;
            let idle = self
                .since_begin()
                .saturating_sub(self.last.load(Ordering::Relaxed));
            if self.running() == 0 && idle >= period_ms {
                return;
            }
        }
    }
}

/// A request that runs, until the head of its response.
struct Runs(Arc<Busy>);

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.last.store(self.0.since_begin(), Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
