//! Serves HTTP/1.1 until SIGTERM, or until the host has another reason to end. Then it answers the
//! running requests, and closes the connections.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::log::log;

/// Why a server ended.
pub(crate) enum End {
    /// SIGTERM.
    Terminated,
    /// The host's own reason.
    Reason,
}

/// Serves until SIGTERM or `reason`. At the end, connections have the time `patience` to finish.
pub(crate) async fn serve<R>(
    listener: TcpListener,
    patience: Duration,
    reason: impl Future<Output = ()>,
    respond: impl Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
) -> io::Result<End>
where
    R: Future<Output = Response<HyperOutgoingBody>> + Send + 'static,
{
    let mut terminate = signal(SignalKind::terminate())?;
    // Each connection has a receiver as long as it lives.
    let (stop, stopped) = watch::channel(());
    let mut reason = pin!(reason);
    let end = loop {
        let client = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => client,
                // For example, too many files are open. The connections that are served go on.
                Err(error) => {
                    log(format!("accept: {error}"));
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = terminate.recv() => break End::Terminated,
            () = reason.as_mut() => break End::Reason,
        };
        let (respond, mut stopped) = (respond.clone(), stopped.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = respond(request);
                async { Ok::<_, Infallible>(response.await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(client), service);
            let mut connection = pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                _ = stopped.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                log(format!("connection: {error}"));
            }
        });
    };
    drop((listener, stopped));
    stop.send_replace(());
    timeout(patience, stop.closed()).await?;
    Ok(end)
}
