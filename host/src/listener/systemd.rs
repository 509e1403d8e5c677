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
/// As many may be passed, at most.
const MOST: i32 = 64;

/// The sockets that were passed to this process, with their names. There may be none.
pub(super) fn passed() -> Result<Vec<(String, Socket)>, HostError> {
    taken().map_err(|source| HostError::Listen {
        address: "a socket of systemd".to_owned(),
        source,
    })
}

fn taken() -> io::Result<Vec<(String, Socket)>> {
    let variable = |name: &str| {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    };
    let (process, count) = (variable("LISTEN_PID"), variable("LISTEN_FDS"));
    let count = number(process.as_deref(), count.as_deref(), std::process::id())?;
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut sockets = Vec::new();
    for number in FIRST..FIRST.saturating_add(count) {
        let name = names.next().unwrap_or_default().to_owned();
        let descriptor = pidfd_getfd(&own, number, PidfdGetfdFlags::empty())?;
        sockets.push((name, socket(descriptor)?));
    }
    Ok(sockets)
}

/// How many sockets were passed to the process `own`, by the values of `LISTEN_PID` and
/// `LISTEN_FDS`.
fn number(process: Option<&str>, count: Option<&str>, own: u32) -> io::Result<i32> {
    let wrong = |name: &str, value: &str, is_no: &str| {
        let what = format!("`{name}` is {value:?}, which is no {is_no}");
        io::Error::new(io::ErrorKind::InvalidInput, what)
    };
    let Some(process) = process else {
        return Ok(0);
    };
    let id = process.parse::<u32>();
    let id = id.map_err(|_| wrong("LISTEN_PID", process, "number of a process"))?;
    // The variables may be inherited from a process that systemd started.
    let (true, Some(count)) = (id == own, count) else {
        return Ok(0);
    };
    let number = count.parse().ok();
    let number = number.filter(|number| (0..=MOST).contains(number));
    number.ok_or_else(|| wrong("LISTEN_FDS", count, "number from 0 to 64"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_is_read_or_refused() {
        for (process, count, passed) in [
            (None, None, 0),
            (None, Some("1"), 0),
            // Of another process.
            (Some("8"), Some("1"), 0),
            (Some("8"), Some("many"), 0),
            (Some("7"), None, 0),
            (Some("7"), Some("0"), 0),
            (Some("7"), Some("64"), 64),
        ] {
            let found = number(process, count, 7).unwrap();
            assert_eq!(found, passed, "{process:?} {count:?}");
        }
        for (process, count, says) in [
            ("7", "", "`LISTEN_FDS` is \"\""),
            (
                "7",
                "many",
                "`LISTEN_FDS` is \"many\", which is no number from 0 to 64",
            ),
            ("7", "-1", "LISTEN_FDS"),
            ("7", "65", "LISTEN_FDS"),
            (
                "",
                "1",
                "`LISTEN_PID` is \"\", which is no number of a process",
            ),
            ("7 ", "1", "LISTEN_PID"),
        ] {
            let error = number(Some(process), Some(count), 7).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
