//! `edgec-pod`: what a container without a shell needs beside edgec.
//!
//! ```text
//! edgec-pod probe ADDRESS PATH   asks http://ADDRESS PATH; ends with 0 if the answer is 200
//! edgec-pod folder PATH          makes a folder that only this user can change
//! ```
//!
//! The admin interface of `edgec serve` has a loopback address, which a probe from outside a pod
//! cannot reach. And Kubernetes makes volumes that every user of the pod can write to: edgec keeps
//! no store there, but in a folder of its own user.
//!
//! It is one file without dependencies: `rustc --edition 2024 main.rs` makes it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long each step of a probe may take. A probe of Kubernetes has a limit of its own.
const STEP: Duration = Duration::from_secs(2);
/// How much of an answer is read, in bytes: its first line is enough.
const MOST: u64 = 4096;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["probe", address, path] => probe(address, path),
        ["folder", path] => folder(Path::new(path)),
        _ => {
            eprintln!("usage: edgec-pod probe ADDRESS PATH | edgec-pod folder PATH");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}

/// Asks for a path. Anything but 200 is an error, with the first line of the answer.
fn probe(address: &str, path: &str) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    let to: SocketAddr = address.parse().map_err(|_| wrong("write IP:PORT"))?;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("a path begins with a slash and has no spaces"));
    }
    let mut stream = TcpStream::connect_timeout(&to, STEP)?;
    stream.set_read_timeout(Some(STEP))?;
    stream.set_write_timeout(Some(STEP))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let line = first_line(stream)?;
    match line.split(' ').nth(1) {
        Some("200") if line.starts_with("HTTP/1.") => Ok(()),
        _ => Err(io::Error::other(line)),
    }
}

/// The first line of an answer, without characters that a terminal would obey.
fn first_line(stream: TcpStream) -> io::Result<String> {
    let (mut read, mut stream) = (Vec::new(), stream.take(MOST));
    let mut piece = [0; 512];
    while !read.contains(&b'\n') {
        match stream.read(&mut piece)? {
            0 => break,
            got => read.extend_from_slice(piece.get(..got).unwrap_or_default()),
        }
    }
    let text = String::from_utf8_lossy(&read);
    let line = text.lines().next().unwrap_or_default().trim_end();
    let line = line.chars().filter(|c| !c.is_control()).take(200);
    Ok(line.collect())
}

/// Makes a folder with the mode 0700. One that is there already must be this user's own: it is one
/// of an earlier start of the container.
fn folder(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let found = std::fs::symlink_metadata(path)?;
    // A file that this process makes belongs to its user.
    let own = std::fs::metadata("/proc/self")?.uid();
    if !found.is_dir() || found.uid() != own || found.mode() & 0o022 != 0 {
        let what = "something else is there, or other users can change it";
        return Err(io::Error::other(what));
    }
    Ok(())
}
