//! `[listen]`: where a host listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use edgec_configuration::{Word, words};
use serde::Deserialize;

use super::forwarded::Forwarded;
use super::socket_mode::SocketMode;

/// Where a host listens. A host with nothing here listens only at the sockets that systemd passes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct ListenConfig {
    /// Addresses for HTTP/1.1 and HTTP/2 without TLS.
    pub http: Vec<SocketAddr>,
    /// Addresses for HTTP/1.1 and HTTP/2 over TLS.
    pub https: Vec<SocketAddr>,
    /// Unix sockets, without TLS. A socket that a former process left behind is replaced.
    pub unix: Vec<PathBuf>,
    /// The mode of `unix`. `None`: what the process's mask leaves of 0777.
    pub unix_mode: Option<SocketMode>,
    /// What happens to the fields that say who the client is.
    pub forwarded: Forwarded,
    /// The certificate for `https`.
    pub tls: Option<TlsConfig>,
    /// The address of the admin interface: health, metrics, status. It is never a public one.
    pub admin: Option<AdminAddress>,
    /// Whether the host takes the sockets that systemd passes (`LISTEN_FDS`). A socket with the
    /// name `https` gets TLS, and one with the name `admin` is the admin interface.
    pub systemd: bool,
}

/// `[listen.tls]`: a certificate and its key. Both files are read again when they change.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct TlsConfig {
    /// The certificate in PEM, followed by those between it and its root.
    pub cert: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
}

impl TlsConfig {
    /// The certificate and the key in these files.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (cert, key) = (cert.into(), key.into());
        Self { cert, key }
    }
}

/// The address of the admin interface: a loopback address, or a Unix socket (`unix:/run/edgec`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

words!(AdminAddress);

impl Word for AdminAddress {
    const WRITE: &'static str = "a loopback address or a Unix socket in quotes, such as \
                                 \"127.0.0.1:9090\" or \"unix:/run/edgec/admin.sock\"";

    fn read(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.is_empty() {
                false => Ok(Self::Unix(PathBuf::from(path))),
                true => Err("the socket has no path".to_owned()),
            };
        }
        let address: SocketAddr = text.parse().map_err(|_| format!("write {}", Self::WRITE))?;
        match address.ip().is_loopback() {
            true => Ok(Self::Tcp(address)),
            false => Err("other machines can reach this address: \
                          the admin interface has a loopback address or a Unix socket"
                .to_owned()),
        }
    }
}

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text)
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
