//! A registry in this process that does what a test tells it, with one thread for each connection.
//! It keeps what it is asked, so that a test can look for secrets that it should not have seen.
//!
//! More than 400 lines: one server, whose parts share one state.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use edgec_artifact::Sha256Digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the registry does instead of answering as it should.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Answers with this status, these headers and this body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection after so many bytes of the answer's body.
    CutAfter(usize),
    /// Changes the byte at this place of the answer's body.
    Flip(usize),
    /// Sends more bytes than there are, without saying how many.
    Endless,
    /// Says that it has so many bytes.
    Length(usize),
    /// Answers as if no part had been asked for.
    IgnoreRange,
    /// Answers with a part that starts elsewhere.
    OtherRange,
    /// Keeps so many bytes of the request's body, and closes the connection.
    TakeOnly(usize),
    /// Does what is asked, and closes the connection without an answer.
    NoAnswer,
    /// Says nothing.
    Silence,
    /// Sends a byte every 20 ms.
    Drip,
    /// Forgets all uploads before it answers.
    Forget,
}

/// A request that the registry has got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Content {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    uploads: BTreeMap<String, Vec<u8>>,
    faults: Vec<(String, String, Fault)>,
    seen: Vec<Seen>,
    has_referrers: bool,
    /// The header that requests must have, and the challenge to those that do not.
    login: Option<(String, String)>,
    has_mounts: bool,
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    content: Arc<Mutex<Content>>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

impl Fake {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// A registry with TLS, whose certificate is from the authority in `tls/ca.pem`.
    pub(crate) fn start_tls() -> Self {
        let chain = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::start_with(Some(Arc::new(config)))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            content: Arc::default(),
        };
        let serving = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serving, tls) = (serving.clone(), tls.clone());
                thread::spawn(move || {
                    // A client may end the connection at any time.
                    let _ = match tls {
                        None => serving.serve(stream),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            serving.serve(StreamOwned::new(connection, stream))
                        }
                    };
                });
            }
        });
        fake
    }

    fn with<T>(&self, work: impl FnOnce(&mut Content) -> T) -> T {
        work(&mut self.content.lock().unwrap())
    }

    /// Does something else once, for the next request with this method whose path has this part.
    pub(crate) fn once(&self, method: &str, part: &str, fault: Fault) {
        self.times(1, method, part, fault);
    }

    pub(crate) fn times(&self, times: usize, method: &str, part: &str, fault: Fault) {
        let fault = (method.to_owned(), part.to_owned(), fault);
        self.with(|it| it.faults.extend(vec![fault; times]));
    }

    /// Does as it should from now on.
    pub(crate) fn forgive(&self) {
        self.with(|it| it.faults.clear());
    }

    pub(crate) fn log_in_with(&self, header: &str, challenge: &str) {
        self.with(|it| it.login = Some((header.to_owned(), challenge.to_owned())));
    }

    pub(crate) fn has_referrers(&self) {
        self.with(|it| it.has_referrers = true);
    }

    pub(crate) fn has_mounts(&self) {
        self.with(|it| it.has_mounts = true);
    }

    pub(crate) fn put_blob(&self, bytes: &[u8]) {
        let digest = format!("sha256:{}", Sha256Digest::of(bytes));
        self.with(|it| it.blobs.insert(digest, bytes.to_vec()));
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let digest = format!("sha256:{}", Sha256Digest::of(bytes));
        self.with(|it| it.blobs.get(&digest).cloned())
    }

    pub(crate) fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) {
        let manifest = (media_type.to_owned(), bytes.to_vec());
        self.with(|it| it.manifests.insert(name.to_owned(), manifest));
    }

    pub(crate) fn manifest(&self, name: &str) -> Option<Vec<u8>> {
        self.with(|it| it.manifests.get(name).map(|(_, bytes)| bytes.clone()))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.with(|it| it.seen.clone())
    }

    /// The methods and paths of all requests, without the repository.
    pub(crate) fn requests(&self) -> Vec<String> {
        let seen = self.seen();
        let short = |it: &Seen| format!("{} {}", it.method, it.path.replace("/v2/shop/", ""));
        seen.iter().map(short).collect()
    }

    fn serve(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let Some((mut seen, length)) = read_head(&mut reader)? else {
                return Ok(());
            };
            let fault = self.with(|it| {
                let is_meant = |(method, part, _): &(String, String, Fault)| {
                    *method == seen.method && seen.path.contains(part.as_str())
                };
                let at = it.faults.iter().position(is_meant)?;
                Some(it.faults.remove(at).2)
            });
            let take = match fault {
                Some(Fault::TakeOnly(most)) => most.min(length),
                _ => length,
            };
            seen.body = vec![0; take];
            reader.read_exact(&mut seen.body)?;
            if matches!(fault, Some(Fault::Forget)) {
                self.with(|it| it.uploads.clear());
            }
            if matches!(fault, Some(Fault::IgnoreRange)) {
                seen.headers.remove("range");
            }
            self.with(|it| it.seen.push(seen.clone()));
            let mut answer = match &fault {
                Some(Fault::Status(status, headers, body)) => Answer {
                    status: *status,
                    headers: headers.clone(),
                    body: body.clone().into_bytes(),
                },
                Some(Fault::Silence) => Answer::new(200),
                _ => self.with(|it| answer(it, &seen)),
            };
            match fault {
                Some(Fault::TakeOnly(_) | Fault::NoAnswer) => return Ok(()),
                Some(Fault::Silence) => {
                    // Until the client ends the connection.
                    let _ = reader.read(&mut [0]);
                    return Ok(());
                }
                Some(Fault::Flip(at)) => answer.body[at] ^= 1,
                Some(Fault::OtherRange) => {
                    answer.headers.retain(|(name, _)| *name != "Content-Range");
                    answer = answer.with("Content-Range", "bytes 1-2/3");
                }
                _ => {}
            }
            let length = match fault {
                Some(Fault::Length(length)) => Some(length),
                Some(Fault::Endless | Fault::Drip) => None,
                _ => Some(answer.body.len()),
            };
            let is_head = seen.method == "HEAD";
            let writer = reader.get_mut();
            write_head(writer, &answer, length)?;
            match fault {
                Some(Fault::CutAfter(most)) => {
                    writer.write_all(&answer.body[..most])?;
                    return writer.flush();
                }
                Some(Fault::Endless) => loop {
                    writer.write_all(&answer.body)?;
                },
                Some(Fault::Drip) => {
                    for byte in answer.body {
                        writer.write_all(&[byte])?;
                        thread::sleep(Duration::from_millis(20));
                    }
                    return Ok(());
                }
                _ if is_head || answer.status == 204 || answer.status == 304 => {}
                _ => writer.write_all(&answer.body)?,
            }
        }
    }
}

fn read_head(reader: &mut impl io::BufRead) -> io::Result<Option<(Seen, usize)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|it| it.parse().ok());
    let seen = Seen {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    Ok(Some((seen, length.unwrap_or(0))))
}

fn write_head(writer: &mut impl Write, answer: &Answer, length: Option<usize>) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match length {
        Some(length) => head.push_str(&format!("Content-Length: {length}\r\n\r\n")),
        None => head.push_str("Connection: close\r\n\r\n"),
    }
    writer.write_all(head.as_bytes())
}

/// What a registry answers.
fn answer(content: &mut Content, seen: &Seen) -> Answer {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    if path == "/token" {
        return Answer::new(200).body(br#"{"token":"granted"}"#.to_vec());
    }
    if let Some((header, challenge)) = &content.login
        && seen.headers.get("authorization") != Some(header)
    {
        let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}"#.to_vec();
        return Answer::new(401)
            .with("WWW-Authenticate", challenge)
            .body(body);
    }
    let path = path.strip_prefix("/v2/shop/").unwrap_or_default();
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
        pairs
            .find(|(it, _)| *it == name)
            .map(|(_, value)| value.to_owned())
    };
    match (seen.method.as_str(), path.split_once('/')) {
        ("GET", Some(("manifests", name))) => match content.manifests.get(name) {
            None => Answer::new(404),
            Some((media_type, bytes)) => {
                let digest = format!("sha256:{}", Sha256Digest::of(bytes));
                let known = seen.headers.get("if-none-match");
                if known == Some(&format!("\"{digest}\"")) {
                    return Answer::new(304);
                }
                let answer = Answer::new(200).with("Content-Type", media_type);
                answer
                    .with("Docker-Content-Digest", digest)
                    .body(bytes.clone())
            }
        },
        ("PUT", Some(("manifests", name))) => {
            let digest = format!("sha256:{}", Sha256Digest::of(&seen.body));
            let media_type = seen
                .headers
                .get("content-type")
                .cloned()
                .unwrap_or_default();
            let manifest = (media_type, seen.body.clone());
            content.manifests.insert(name.to_owned(), manifest.clone());
            content.manifests.insert(digest.clone(), manifest);
            let answer = Answer::new(201).with("Docker-Content-Digest", digest);
            match content.has_referrers {
                true => answer.with("OCI-Subject", "sha256:x"),
                false => answer,
            }
        }
        ("GET", Some(("referrers", subject))) if content.has_referrers => {
            let list = content.manifests.get(&format!("referrers-{subject}"));
            let list = list.map_or_else(|| br#"{"schemaVersion":2}"#.to_vec(), |it| it.1.clone());
            let answer = Answer::new(200).body(list);
            answer.with("Content-Type", "application/vnd.oci.image.index.v1+json")
        }
        (method, Some(("blobs", rest))) => blobs(content, seen, method, rest, parameter),
        _ => Answer::new(404),
    }
}

fn blobs(
    content: &mut Content,
    seen: &Seen,
    method: &str,
    rest: &str,
    parameter: impl Fn(&str) -> Option<String>,
) -> Answer {
    let status = |status: u16, upload: &str, has: usize| {
        let answer = Answer::new(status).with("Location", format!("{upload}?state=1"));
        answer.with("Range", format!("0-{}", has.saturating_sub(1)))
    };
    match (method, rest.strip_prefix("uploads/")) {
        ("POST", Some(_)) => {
            let mounted = parameter("mount").filter(|_| content.has_mounts);
            if let Some(digest) = mounted {
                content.blobs.insert(digest, Vec::new());
                return Answer::new(201);
            }
            let name = format!("/v2/shop/blobs/uploads/{}", content.seen.len());
            content.uploads.insert(name.clone(), Vec::new());
            status(202, &name, 0)
        }
        (method, Some(_)) => {
            let name = seen.path.split('?').next().unwrap_or_default();
            let Some(upload) = content.uploads.get_mut(name) else {
                return Answer::new(404);
            };
            if method == "GET" {
                return status(204, name, upload.len());
            }
            let range = seen.headers.get("content-range");
            let start = range.and_then(|it| it.split_once('-')?.0.parse().ok());
            if start.is_some_and(|it: usize| it != upload.len()) {
                return status(416, name, upload.len());
            }
            upload.extend(&seen.body);
            if method == "PATCH" {
                return status(202, name, upload.len());
            }
            let digest = format!("sha256:{}", Sha256Digest::of(upload));
            if parameter("digest") != Some(digest.clone()) {
                let body = br#"{"errors":[{"code":"DIGEST_INVALID"}]}"#.to_vec();
                return Answer::new(400).body(body);
            }
            let blob = upload.clone();
            content.uploads.remove(name);
            content.blobs.insert(digest, blob);
            Answer::new(201)
        }
        (_, None) => {
            let Some(blob) = content.blobs.get(rest) else {
                return Answer::new(404);
            };
            let range = seen.headers.get("range");
            let range = range.and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-'));
            let Some(start) = range.and_then(|it| it.parse::<usize>().ok()) else {
                return Answer::new(200).body(blob.clone());
            };
            let part = format!("bytes {start}-{}/{}", blob.len() - 1, blob.len());
            let answer = Answer::new(206).with("Content-Range", part);
            answer.body(blob[start..].to_vec())
        }
    }
}
