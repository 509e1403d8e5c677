//! A small server that speaks as much of Redis's protocol (RESP2) as a shared cache uses. Tests
//! look at its objects and change them, as an attacker does who controls the store.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The server. It lives until the process ends.
pub struct Redis {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// What the server holds and was asked.
#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    asked: Vec<(String, String)>,
}

impl Default for Redis {
    fn default() -> Self {
        Self::new()
    }
}

impl Redis {
    /// Starts a server without objects.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { port, state }
    }

    /// The URL of a shared cache in it, with a password.
    pub fn url(&self) -> String {
        format!("redis://edgec:s3cret@127.0.0.1:{}/1/shared", self.port)
    }

    /// All objects, by their names.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().objects.clone()
    }

    /// Replaces all objects.
    pub fn replace(&self, objects: BTreeMap<String, Vec<u8>>) {
        self.state().objects = objects;
    }

    /// The reads and writes since the last call, with the names of their objects.
    pub fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers one client until it goes.
fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Ok(reading) = stream.try_clone() else {
        return;
    };
    let mut reading = BufReader::new(reading);
    while let Ok(command) = command(&mut reading) {
        let answer = answer(&command, state);
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn answer(command: &[Vec<u8>], state: &Mutex<State>) -> Vec<u8> {
    let text = |place: usize| {
        let part = command.get(place).map(Vec::as_slice);
        String::from_utf8_lossy(part.unwrap_or_default()).into_owned()
    };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (verb, name) = (text(0).to_uppercase(), text(1));
    if matches!(verb.as_str(), "GET" | "SET" | "EXISTS" | "STRLEN") {
        state.asked.push((verb.clone(), name.clone()));
    }
    match verb.as_str() {
        "PING" => b"+PONG\r\n".to_vec(),
        "GET" => match state.objects.get(&name) {
            Some(value) => {
                let head = format!("${}\r\n", value.len());
                [head.as_bytes(), value, b"\r\n"].concat()
            }
            None => b"$-1\r\n".to_vec(),
        },
        "SET" => {
            let value = command.get(2).cloned().unwrap_or_default();
            state.objects.insert(name, value);
            b"+OK\r\n".to_vec()
        }
        // AUTH, SELECT, CLIENT.
        _ => b"+OK\r\n".to_vec(),
    }
}

/// A command: its parts, the verb first.
fn command(reading: &mut BufReader<TcpStream>) -> io::Result<Vec<Vec<u8>>> {
    let count = number(reading, b'*')?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let length = number(reading, b'$')?;
        let mut part = vec![0; length + 2];
        reading.read_exact(&mut part)?;
        part.truncate(length);
        parts.push(part);
    }
    Ok(parts)
}

/// The number in a line that begins with `mark`.
fn number(reading: &mut BufReader<TcpStream>, mark: u8) -> io::Result<usize> {
    let mut line = String::new();
    reading.read_line(&mut line)?;
    let digits = line.strip_prefix(char::from(mark)).unwrap_or_default();
    let number = digits.trim_end().parse();
    number.map_err(|_| io::ErrorKind::InvalidData.into())
}
