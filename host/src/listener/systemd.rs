//! Sockets that systemd made and passes to this process.
//!
//! The sockets are the descriptors from 3 on. They are taken through the process itself
//! (`pidfd_getfd`), which gives new descriptors that belong to this code, so no statement about
//! foreign descriptors is needed. Source: sd_listen_fds(3).

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use tokio::net::{TcpListener, UnixListener};

use super::Socket;
use crate::HostError;

/// The number of the first descriptor that is passed.
const FIRST: i32 = 3;
/// As many are taken, at most.
const MOST: i32 = 64;

/// The sockets that were passed to this process, with their names. There may be none.
pub(super) fn passed() -> Result<Vec<(String, Socket)>, HostError> {
    taken().map_err(|source| HostError::Listen {
        address: "a socket of systemd".to_owned(),
        source,
    })
}

fn taken() -> io::Result<Vec<(String, Socket)>> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    // The variables may be inherited from a process that systemd started.
    if variable("LISTEN_PID") != std::process::id().to_string() {
        return Ok(Vec::new());
    }
    let count: i32 = variable("LISTEN_FDS").parse().unwrap_or(0);
    let names = variable("LISTEN_FDNAMES");
    let mut names = names.split(':');
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut sockets = Vec::new();
    for number in FIRST..FIRST + count.clamp(0, MOST) {
        let name = names.next().unwrap_or_default().to_owned();
        let descriptor = pidfd_getfd(&own, number, PidfdGetfdFlags::empty())?;
        sockets.push((name, socket(descriptor)?));
    }
    Ok(sockets)
}

fn socket(descriptor: OwnedFd) -> io::Result<Socket> {
    let address = rustix::net::getsockname(&descriptor)?;
    if address.address_family() == rustix::net::AddressFamily::UNIX {
        let listener = std::os::unix::net::UnixListener::from(descriptor);
        listener.set_nonblocking(true)?;
        // The file belongs to systemd.
        return Ok(Socket::Unix {
            listener: UnixListener::from_std(listener)?,
            _made: None,
        });
    }
    let listener = std::net::TcpListener::from(descriptor);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Socket::Tcp)
}
