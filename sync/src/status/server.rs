//! The server of the status: `/status` (JSON), `/metrics` (Prometheus) and `/healthz`. It answers
//! few clients at a time, each within a short time, and reads nothing but the line of a request.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Board;

/// The greatest number of clients at one time. More are closed at once.
const MOST_CLIENTS: usize = 64;
/// How many of them may have one address of IPv4, or of one /64 network of IPv6. So one machine of
/// the fleet cannot keep the others out.
const MOST_OF_ONE: usize = 8;
/// How long a client may take to ask, and how long to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 8 << 10;
/// How often the server looks whether it should end.
const PERIOD: Duration = Duration::from_millis(50);

/// A server of the status. Dropping it ends it.
#[derive(Debug)]
pub struct StatusServer {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StatusServer {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn start(address: SocketAddr, board: Arc<Board>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = thread::Builder::new().name("status".to_owned());
        let thread = thread.spawn(move || accept(&listener, &board, &told))?;
        Ok(Self {
            address,
            ended,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, board: &Arc<Board>, ended: &AtomicBool) {
    let clients = Arc::new(Clients::default());
    while !ended.load(Ordering::Relaxed) {
        // Too many open files, for example, may be over soon.
        let Ok((stream, from)) = listener.accept() else {
            thread::sleep(PERIOD);
            continue;
        };
        let Some(client) = clients.enter(from.ip()) else {
            continue;
        };
        let board = Arc::clone(board);
        let work = move || {
            // What goes wrong here concerns only the one who asked.
            let _ = answer(stream, &board);
            drop(client);
        };
        // Without a thread, the client is closed.
        let _ = thread::Builder::new().name("status".to_owned()).spawn(work);
    }
}

/// The addresses of the clients.
#[derive(Default)]
struct Clients(Mutex<Vec<IpAddr>>);

/// A client. Dropping it makes room for another one.
struct Client {
    all: Arc<Clients>,
    address: IpAddr,
}

impl Clients {
    /// Another client, if there is room for it.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Client> {
        let address = network(address);
        let mut all = self.lock();
        let same = all.iter().filter(|it| **it == address).count();
        if all.len() >= MOST_CLIENTS || same >= MOST_OF_ONE {
            return None;
        }
        all.push(address);
        let all = Arc::clone(self);
        Some(Client { all, address })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(at) = all.iter().position(|it| *it == self.address) {
            all.swap_remove(at);
        }
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

fn answer(mut stream: TcpStream, board: &Board) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = head(&mut stream)?;
    let mut words = head.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        (Some("GET" | "HEAD"), "/status" | "/") => ("200 OK", "application/json", board.document()),
        (Some("GET" | "HEAD"), "/metrics") => (
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            board.metrics(),
        ),
        (Some("GET" | "HEAD"), "/healthz") => ("200 OK", "text/plain", "ok\n".into()),
        (Some("GET" | "HEAD"), _) => ("404 Not Found", "text/plain", "not found\n".into()),
        _ => (
            "405 Method Not Allowed",
            "text/plain",
            "GET and HEAD only\n".into(),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let body = match method {
        Some("HEAD") => &[],
        _ => body.as_bytes(),
    };
    let end = Instant::now() + PATIENCE;
    for part in std::iter::once(head.as_bytes()).chain(body.chunks(64 << 10)) {
        // A client that takes a little now and then gets no more time.
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.write_all(part)?;
    }
    stream.flush()
}

/// The first line of a request, after its whole head was read.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let end = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut part = [0; 1 << 10];
    loop {
        let left = end.checked_duration_since(Instant::now());
        let left = left.filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        let length = stream.read(&mut part)?;
        head.extend_from_slice(part.get(..length).unwrap_or_default());
        if head.windows(4).any(|four| four == b"\r\n\r\n") {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Ok(String::from_utf8_lossy(line).into_owned());
        }
        if length == 0 || head.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Url;
    use crate::http::{self, HttpError};
    use crate::status::ApplicationStatus;

    #[test]
    fn pages_are_served() {
        let board = Arc::new(Board::new("pop-1"));
        let status = ApplicationStatus {
            name: "shop".to_owned(),
            ..ApplicationStatus::default()
        };
        board.put("shop", &status);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = StatusServer::start(any, board).unwrap();
        let page = |path: &str| {
            let url = Url::read(&format!("http://{}{path}", server.address())).unwrap();
            http::get(&url, 1 << 20, Duration::from_secs(20))
        };
        let text = |path: &str| String::from_utf8(page(path).unwrap()).unwrap();
        assert!(text("/status").contains("\"host\": \"pop-1\""));
        assert!(text("/status?x").contains("\"phase\": \"starting\""));
        assert!(text("/metrics").contains("edgec_sync_wave{application=\"shop\"} 0"));
        assert_eq!(text("/healthz"), "ok\n");
        let error = page("/other").unwrap_err();
        assert!(matches!(error, HttpError::Status { status: 404, .. }));
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(b"POST /status HTTP/1.1\r\n\r\n").unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 405 "), "{said}");
        let mut long = TcpStream::connect(server.address()).unwrap();
        let _ = long.write_all(&vec![b'x'; MAX_HEAD + 1]);
        let mut said = Vec::new();
        let _ = long.read_to_end(&mut said);
        assert!(said.is_empty());
    }

    /// Silent clients do not keep others out, until there are too many.
    #[test]
    fn clients_are_counted() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = StatusServer::start(any, Arc::new(Board::new("pop-1"))).unwrap();
        let answers = || {
            let mut client = TcpStream::connect(server.address()).unwrap();
            let _ = client.write_all(b"GET /healthz HTTP/1.1\r\n\r\n");
            let mut said = String::new();
            let _ = client.read_to_string(&mut said);
            said.starts_with("HTTP/1.1 200 ")
        };
        let connect = |_| TcpStream::connect(server.address()).unwrap();
        let mut silent: Vec<TcpStream> = (1..MOST_OF_ONE).map(connect).collect();
        assert!(answers());
        // The one that was answered may still count for a moment.
        let is_full = |_| {
            silent.push(connect(0));
            !answers()
        };
        assert!((0..MOST_OF_ONE).any(is_full));
        silent.clear();
        let is_free = |_| {
            thread::sleep(PERIOD);
            answers()
        };
        assert!((0..1000).any(is_free));
    }

    #[test]
    fn one_machine_keeps_no_other_out() {
        let clients = Arc::new(Clients::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let enter = |text: &str| clients.enter(address(text));
        let one: Vec<Client> = (0..MOST_OF_ONE)
            .map(|at| enter(&format!("2001:db8::{at}")).unwrap())
            .collect();
        assert!(enter("2001:db8::ffff").is_none());
        let mut others = vec![enter("2001:db8:0:1::1").unwrap()];
        let more = (1..=MOST_CLIENTS).map_while(|at| enter(&format!("10.0.0.{at}")));
        others.extend(more);
        assert_eq!(one.len() + others.len(), MOST_CLIENTS);
        assert!(enter("10.0.1.1").is_none());
        drop(one);
        assert!(enter("10.0.1.1").is_some());
    }
}
