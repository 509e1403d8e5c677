//! One outbound connection: by address, so that nothing is looked up a second time, and with the
//! places that it has among those of its application and of the process.

use std::net::{IpAddr, SocketAddr};

use hyper::client::conn::http1;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::io::TokioIo;

use super::denial::Denial;
use super::tls::Tls;
use crate::destination::Host;

/// The size of a response's header section, at most, in bytes. A response with a larger one fails.
const HEADER_SECTION: usize = 64 << 10;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) tls: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// The places of a connection. They are free again when the connection is closed.
#[derive(Debug)]
pub(crate) struct Places {
    pub(super) _application: OwnedSemaphorePermit,
    pub(super) _process: OwnedSemaphorePermit,
}

/// An open connection. It is closed when this is dropped, whatever it was doing.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sender: http1::SendRequest<WasiBody>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects to the first of `addresses` that accepts, and shakes hands.
    pub(crate) async fn open(
        destination: &Destination,
        addresses: &[IpAddr],
        tls: &Tls,
        end: Instant,
        places: Places,
    ) -> Result<Self, Denial> {
        let host = &destination.host;
        let stream = connect(destination, addresses, end).await?;
        // Small requests must not wait for the acknowledgement of what was sent before.
        let _ = stream.set_nodelay(true);
        if destination.tls {
            Self::shake(host, tls.connect(host, stream).await?, places).await
        } else {
            Self::shake(host, stream, places).await
        }
    }

    async fn shake<S>(host: &Host, stream: S, places: Places) -> Result<Self, Denial>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = http1::Builder::new();
        let shaken = builder
            .max_buf_size(HEADER_SECTION)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, driver) = shaken.map_err(|error| Denial::Connect {
            host: host.clone(),
            error: std::io::Error::other(error),
        })?;
        let driver = tokio::spawn(async move {
            // Errors of the connection are errors of the request that it carries.
            let _ = driver.await;
            drop(places);
        });
        let driver = driver.abort_handle();
        Ok(Self { sender, driver })
    }
}

/// Tries the addresses one after the other. Each has its share of the time that is left, so that
/// one that does not answer leaves time for the next.
async fn connect(
    destination: &Destination,
    addresses: &[IpAddr],
    end: Instant,
) -> Result<TcpStream, Denial> {
    let host = || destination.host.clone();
    let mut last = None;
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let shares = u32::try_from(addresses.len().saturating_sub(tried)).unwrap_or(u32::MAX);
        let share = left / shares.max(1);
        let remote = SocketAddr::new(*address, destination.port);
        match tokio::time::timeout(share, TcpStream::connect(remote)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
    }
    Err(match last {
        Some(error) => Denial::Connect {
            host: host(),
            error,
        },
        None => Denial::ConnectTimeout(host()),
    })
}
