//! The sockets at which a host listens: TCP, Unix sockets, and those that systemd passes.

mod systemd;
mod tls;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use crate::HostError;
use crate::config::{AdminAddress, ListenConfig, SocketMode};

pub(crate) use self::tls::Certificates;

/// Connections that wait until the host accepts them. The system may allow fewer
/// (`net.core.somaxconn`). A client whose connection finds no place tries again after a second.
const BACKLOG: u16 = 4096;

/// A socket at which clients connect.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: Socket,
    /// `None`: without TLS.
    pub(crate) tls: Option<Arc<Certificates>>,
}

/// A socket of either family.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    /// A Unix socket. The file is removed at the end, if this host made it.
    Unix {
        listener: UnixListener,
        _made: Option<Made>,
    },
}

/// A connection of either family.
#[derive(Debug)]
pub(crate) enum Stream {
    /// With the client's address.
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// The file of a socket. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Made(PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// All sockets of a host.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) public: Vec<Listener>,
    pub(crate) admin: Option<Socket>,
    /// The certificate of all listeners with TLS.
    pub(crate) certificates: Option<Arc<Certificates>>,
}

impl Listeners {
    /// Listens everywhere that the configuration names. Call it in a Tokio runtime.
    pub(crate) fn open(config: &ListenConfig) -> Result<Self, HostError> {
        let certificates = config.tls.as_ref().map(Certificates::read).transpose()?;
        let certificates = certificates.map(Arc::new);
        let mut public = Vec::new();
        for address in &config.http {
            let (socket, tls) = (tcp(*address)?, None);
            public.push(Listener { socket, tls });
        }
        for address in &config.https {
            let tls = Some(needed(certificates.as_ref(), address)?);
            let socket = tcp(*address)?;
            public.push(Listener { socket, tls });
        }
        for path in &config.unix {
            let mode = config.unix_mode.map(SocketMode::bits);
            let (socket, tls) = (unix(path, mode)?, None);
            public.push(Listener { socket, tls });
        }
        let mut admin = match &config.admin {
            Some(AdminAddress::Tcp(address)) => Some(tcp(*address)?),
            // Only this user may look.
            Some(AdminAddress::Unix(path)) => Some(unix(path, Some(0o600))?),
            None => None,
        };
        if config.systemd {
            for (name, socket) in systemd::passed()? {
                let tls = match name.as_str() {
                    "admin" => {
                        admin = Some(of_this_machine(socket)?);
                        continue;
                    }
                    "https" => Some(needed(certificates.as_ref(), &"https of systemd")?),
                    _ => None,
                };
                public.push(Listener { socket, tls });
            }
        }
        match public.is_empty() {
            true => Err(HostError::NoListener),
            false => Ok(Self {
                public,
                admin,
                certificates,
            }),
        }
    }
}

fn needed(
    certificates: Option<&Arc<Certificates>>,
    address: &impl fmt::Display,
) -> Result<Arc<Certificates>, HostError> {
    let missing = || HostError::Listen {
        address: address.to_string(),
        source: io::Error::other("`listen.tls` names no certificate"),
    };
    certificates.map(Arc::clone).ok_or_else(missing)
}

/// Other machines must not reach the admin interface, also if systemd made its socket.
fn of_this_machine(socket: Socket) -> Result<Socket, HostError> {
    let is_public = match &socket {
        Socket::Tcp(listener) => !listener
            .local_addr()
            .is_ok_and(|address| address.ip().is_loopback()),
        Socket::Unix { .. } => false,
    };
    match is_public {
        true => Err(HostError::Listen {
            address: socket.address("http"),
            source: io::Error::other("other machines can reach this socket for `admin`"),
        }),
        false => Ok(socket),
    }
}

fn failed(address: &impl fmt::Display) -> impl FnOnce(io::Error) -> HostError {
    let address = address.to_string();
    |source| HostError::Listen { address, source }
}

fn tcp(address: SocketAddr) -> Result<Socket, HostError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG.into())
    };
    listen().map(Socket::Tcp).map_err(failed(&address))
}

fn unix(path: &Path, mode: Option<u32>) -> Result<Socket, HostError> {
    let listen = || -> io::Result<Socket> {
        remove_abandoned(path)?;
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, kind, flags, None)?;
        net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        let made = Some(Made(path.to_owned()));
        // The mode is set before the socket listens, so no client connects before that.
        if let Some(mode) = mode {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        net::listen(&socket, BACKLOG.into())?;
        let listener = std::os::unix::net::UnixListener::from(socket);
        Ok(Socket::Unix {
            listener: UnixListener::from_std(listener)?,
            _made: made,
        })
    };
    listen().map_err(failed(&path.display()))
}

/// Removes a socket at which nobody listens, such as one of a host that was killed.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let is_socket = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        return Err(io::Error::other("another file has this name"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::from(io::ErrorKind::AddrInUse)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

impl Stream {
    /// The client's address. A Unix socket has none.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(_, address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }
}

impl Socket {
    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                // Responses are written as a whole, so waiting for more only delays them.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream, client))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok(Stream::Unix(stream))
            }
        }
    }

    /// Where clients connect, as text.
    pub(crate) fn address(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("{scheme}://{address}"),
                Err(_) => scheme.to_owned(),
            },
            Self::Unix { listener, .. } => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(
                    || "unix".to_owned(),
                    |path| format!("unix:{}", path.display()),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
