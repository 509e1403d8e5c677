//! A small client of HTTP, for pages on this machine and of other hosts of a fleet: one request, no
//! TLS, no redirects, and an answer of limited length within a limited time.
//!
//! Source: RFC 9112; the request is of HTTP/1.0, so that no answer comes in chunks.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::config::{Place, Url};

/// The longest head of an answer, in bytes (16 KiB).
const MAX_HEAD: usize = 16 << 10;
/// How often it tries a socket whose queue is full.
const PERIOD: Duration = Duration::from_millis(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The place cannot be reached, or breaks off.
    #[error("cannot read {url}")]
    Io {
        /// The address.
        url: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The answer takes too long.
    #[error("{url} did not answer within {limit:?}")]
    Slow {
        /// The address.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The answer is too long.
    #[error("{url} answered with more than {limit} bytes")]
    Long {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer is not one of HTTP.
    #[error("{url} did not answer with HTTP")]
    Malformed {
        /// The address.
        url: String,
    },
    /// The answer has another status than 200.
    #[error("{url} answered with status {status}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
}

impl HttpError {
    /// A short name for the error that does not change between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Slow { .. } => "http-slow",
            Self::Long { .. } => "http-long",
            Self::Malformed { .. } => "http-malformed",
            Self::Status { .. } => "http-status",
        }
    }
}

/// The body of the page at `url`: at most `limit` bytes, within `patience` altogether. If the place
/// has a name, the lookup comes on top, with the limits of the system.
///
/// # Errors
///
/// [`HttpError`].
pub(crate) fn get(url: &Url, limit: usize, patience: Duration) -> Result<Vec<u8>, HttpError> {
    let end = Instant::now() + patience;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => HttpError::Slow {
            url: url.to_string(),
            limit: patience,
        },
        _ => HttpError::Io {
            url: url.to_string(),
            source,
        },
    };
    let answer = ask(url, limit.saturating_add(MAX_HEAD), end).map_err(failed)?;
    body(url, &answer, limit)
}

/// Sends the request, and reads until the end or one byte more than `most`.
fn ask(url: &Url, most: usize, end: Instant) -> io::Result<Vec<u8>> {
    match &url.place {
        Place::Tcp(host, port) => {
            let mut last = io::Error::from(io::ErrorKind::NotFound);
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            for address in (bare, *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, left(end)?) {
                    Ok(stream) => return exchange(stream, url, host, most, end),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        Place::Unix(path) => {
            let stream = connected(path, end)?;
            exchange(stream, url, "localhost", most, end)
        }
    }
}

/// Connects to a socket in the file system. The system itself sets no limit: it waits for as long
/// as a program that accepts nobody has a full queue.
fn connected(path: &Path, end: Instant) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match net::connect(&socket, &address) {
            Ok(()) => {
                let stream = UnixStream::from(socket);
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(Errno::AGAIN) => thread::sleep(left(end)?.min(PERIOD)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A stream whose reads and writes can have a time limit.
trait Timed: Read + Write {
    fn limit(&self, time: Duration) -> io::Result<()>;
}

impl Timed for TcpStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Timed for UnixStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

fn exchange(
    mut stream: impl Timed,
    url: &Url,
    host: &str,
    most: usize,
    end: Instant,
) -> io::Result<Vec<u8>> {
    let authority = match &url.place {
        Place::Tcp(_, port) => format!("{host}:{port}"),
        Place::Unix(_) => host.to_owned(),
    };
    let path = &url.path;
    let request = format!(
        "GET {path} HTTP/1.0\r\nhost: {authority}\r\naccept: */*\r\nconnection: close\r\n\r\n"
    );
    stream.limit(left(end)?)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 8 << 10];
    while answer.len() <= most {
        // A peer that sends a byte now and then gets no more time.
        stream.limit(left(end)?)?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// The time that is left, which is not zero.
fn left(end: Instant) -> io::Result<Duration> {
    match end.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The body of an answer with status 200, whole.
pub(crate) fn body(url: &Url, answer: &[u8], limit: usize) -> Result<Vec<u8>, HttpError> {
    let malformed = || HttpError::Malformed {
        url: url.to_string(),
    };
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end
        .and_then(|end| Some((answer.get(..end)?, answer.get(end + 4..)?)))
        .ok_or_else(malformed)?;
    let head = std::str::from_utf8(head).map_err(|_| malformed())?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let is_http = first.next().is_some_and(|it| it.starts_with("HTTP/1."));
    let status = first.next().and_then(|status| status.parse::<u16>().ok());
    match status {
        Some(200) if is_http => {}
        Some(status) if is_http => {
            let url = url.to_string();
            return Err(HttpError::Status { url, status });
        }
        _ => return Err(malformed()),
    }
    if body.len() > limit {
        let url = url.to_string();
        return Err(HttpError::Long { url, limit });
    }
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    match length.map(|(_, length)| length.trim().parse::<usize>()) {
        None => Ok(body.to_vec()),
        Some(Ok(length)) if length == body.len() => Ok(body.to_vec()),
        // The connection broke off.
        Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A whole request. What is left unread when a server closes would cut off its answer.
    fn asked(stream: &mut impl Read) -> Vec<u8> {
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        request
    }

    /// What the client makes of this answer.
    fn answered(answer: &'static [u8]) -> Result<Vec<u8>, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::read(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = asked(&mut stream);
            let _ = stream.write_all(answer);
            request
        });
        let got = get(&url, 10, PATIENCE);
        assert!(server.join().unwrap().starts_with(b"GET /x HTTP/1.0\r\n"));
        got
    }

    #[test]
    fn an_answer_is_whole_and_short() {
        let good = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        assert_eq!(good, b"ok");
        assert_eq!(answered(b"HTTP/1.0 200 OK\r\n\r\nok").unwrap(), b"ok");
        let error = answered(b"HTTP/1.1 503 no\r\n\r\n").unwrap_err();
        assert!(matches!(error, HttpError::Status { status: 503, .. }));
        let error = answered(b"HTTP/1.1 200 OK\r\n\r\n0123456789x").unwrap_err();
        assert!(matches!(error, HttpError::Long { limit: 10, .. }));
        for bad in [
            &b"SSH-2.0\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nok",
            b"HTTP/1.1 x OK\r\n\r\nok",
            b"",
        ] {
            let error = answered(bad).unwrap_err();
            assert!(matches!(error, HttpError::Malformed { .. }), "{error}");
            assert_eq!(error.code(), "http-malformed");
        }
    }

    #[test]
    fn a_silent_place_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::read(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let error = get(&url, 10, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, HttpError::Slow { .. }), "{error}");
        drop(listener);
        let error = get(&url, 10, PATIENCE).unwrap_err();
        assert!(matches!(error, HttpError::Io { .. }), "{error}");
    }

    /// A program that accepts nobody, whose queue is full.
    #[test]
    fn a_full_queue_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let url = Url::read(&format!("unix:{}", path.display())).unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = connected(&path, Instant::now() + Duration::from_millis(20)) {
            waiting.push(stream);
        }
        let error = get(&url, 10, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, HttpError::Slow { .. }), "{error}");
    }

    #[test]
    fn a_unix_socket_is_asked_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = asked(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nm");
            request
        });
        let url = Url::read(&format!("unix:{}", path.display())).unwrap();
        assert_eq!(get(&url.or_path("/metrics"), 10, PATIENCE).unwrap(), b"m");
        assert!(
            server
                .join()
                .unwrap()
                .starts_with(b"GET /metrics HTTP/1.0\r\n")
        );
    }
}
