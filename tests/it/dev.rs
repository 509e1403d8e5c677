//! `edgec dev`: a program is built, served, and replaced when its file changes.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use edgec_tests::{Sandbox, programs};
use rustix::process::{Pid, Signal, kill_process};

/// After this time, a test stops waiting.
const NEVER: Duration = Duration::from_secs(300);

/// A running `edgec dev`, and what it has printed.
struct Dev {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Dev {
    /// Serves `app.wat` with the key of the sandbox.
    fn start(sandbox: &Sandbox, more: &[&str]) -> Self {
        let own = ["dev", "app.wat", "--addr", "127.0.0.1:0"];
        Self::run(sandbox, &[&own[..], &["--key", "key.pem"], more].concat())
    }

    fn run(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut child = command(sandbox, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        keep(child.stdout.take().unwrap(), &printed);
        keep(child.stderr.take().unwrap(), &printed);
        Self { child, printed }
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Waits until it has printed this text.
    fn wait_for(&self, text: &str) {
        self.wait(text, || self.printed().contains(text));
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let begin = Instant::now();
        while !done() {
            assert!(begin.elapsed() < NEVER, "no {what}: {}", self.printed());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it serves.
    fn address(&self) -> String {
        self.wait_for("(Ctrl-C ends it)");
        let printed = self.printed();
        let (_, rest) = printed.split_once("http://").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Sends the signal that `kill` sends. Returns the exit code.
    fn terminate(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(arguments);
    command.env("XDG_CACHE_HOME", sandbox.path().join("home/.cache"));
    command
}

/// Keeps what comes from a pipe.
fn keep(pipe: impl Read + Send + 'static, printed: &Arc<Mutex<String>>) {
    let printed = Arc::clone(printed);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            *printed.lock().unwrap() += &format!("{}\n", line.unwrap());
        }
    });
}

/// The status of the answer to a request.
fn status(address: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.0\r\nHost: edge.test\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let status = response.split(' ').nth(1);
    status.and_then(|it| it.parse().ok()).expect("a status")
}

/// Replaces `app.wat` as toolchains do.
fn write(sandbox: &Sandbox, text: &str) {
    let new = sandbox.write("app.new", text);
    fs::rename(new, sandbox.path().join("app.wat")).unwrap();
}

/// A program that answers 201, served with the key of the sandbox.
fn started() -> (Sandbox, Dev) {
    let sandbox = Sandbox::new();
    write(&sandbox, &programs::proxy(201));
    let dev = Dev::start(&sandbox, &[]);
    (sandbox, dev)
}

#[test]
fn each_change_is_served_and_no_request_fails() {
    let (sandbox, dev) = started();
    let address = dev.address();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        seen.push(status(&address));
                    }
                    seen
                })
            })
            .collect();
        for number in 2..=4 {
            write(&sandbox, &programs::proxy(200 + number));
            dev.wait_for(&format!("version {number}: "));
            assert_eq!(status(&address), 200 + number);
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            let seen = client.join().unwrap();
            // Neither a failure nor an older version after a newer one.
            assert!(seen.is_sorted(), "{seen:?}");
            assert!(seen.iter().all(|it| (201..=204).contains(it)), "{seen:?}");
        }
    });
    let printed = dev.printed();
    let first = printed.lines().next().unwrap();
    assert!(
        first.starts_with("app: ") && first.contains("-> image "),
        "{printed}"
    );
    assert!(printed.contains("1 import, built in"), "{printed}");
    // The program of another status is as long as before.
    assert!(!printed.contains("(was"), "{printed}");
    assert_eq!(dev.terminate(), Some(0));
}

#[test]
fn what_changed_is_told() {
    let (sandbox, dev) = started();
    dev.address();
    let imports = "(component (import \"wasi:cli/environment@0.2.0\" (instance))";
    let more = programs::proxy(202).replacen("(component", imports, 1);
    write(&sandbox, &more);
    dev.wait_for("  + imports wasi:cli/environment@0.2.0\n");
    write(&sandbox, &programs::proxy(203));
    dev.wait_for("  - imports wasi:cli/environment@0.2.0\n");
    assert!(dev.printed().contains("(was"), "{}", dev.printed());
}

#[test]
fn an_error_changes_nothing() {
    let (sandbox, dev) = started();
    let address = dev.address();
    for (broken, says) in [
        ("(component", "error["),
        (&*programs::answer(2, 1), "error[not-served]"),
    ] {
        let before = dev.printed().len();
        write(&sandbox, broken);
        dev.wait("error", || {
            let printed = dev.printed();
            let since = &printed[before..];
            since.contains(says) && since.contains("the old version goes on")
        });
        assert_eq!(status(&address), 201);
    }
    write(&sandbox, &programs::proxy(202));
    dev.wait("new version", || status(&address) == 202);
    assert_eq!(dev.terminate(), Some(0));
}

#[test]
fn a_file_that_is_gone_is_told() {
    let (sandbox, dev) = started();
    let address = dev.address();
    fs::remove_file(sandbox.path().join("app.wat")).unwrap();
    dev.wait_for("app.wat is gone; the old version goes on");
    assert_eq!(status(&address), 201);
    write(&sandbox, &programs::proxy(202));
    dev.wait_for("version 2: ");
    assert_eq!(status(&address), 202);
}

#[test]
fn the_store_keeps_one_version() {
    let sandbox = Sandbox::new();
    let images = || {
        let files = sandbox.files();
        let images = files.into_iter().filter(|name| name.ends_with(".elf"));
        images.count()
    };
    write(&sandbox, &programs::proxy(201));
    for _ in 0..2 {
        let dev = Dev::start(&sandbox, &[]);
        let address = dev.address();
        for number in [202, 203] {
            write(&sandbox, &programs::proxy(number));
            dev.wait("new version", || status(&address) == number);
        }
        dev.wait("collection", || images() == 1);
        assert_eq!(dev.terminate(), Some(0));
        write(&sandbox, &programs::proxy(201));
    }
}

#[test]
fn without_a_key_the_development_key_signs() {
    let sandbox = Sandbox::empty();
    write(&sandbox, &programs::proxy(201));
    let dev = Dev::run(&sandbox, &["dev", "app.wat", "--addr", "127.0.0.1:0"]);
    assert_eq!(status(&dev.address()), 201);
    let key = sandbox.path().join("home/.config/edgec/dev.pem");
    let mode = fs::metadata(key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_configuration_says_what_the_program_may_use() {
    let sandbox = Sandbox::new();
    write(&sandbox, &programs::proxy(201));
    let application = "[[application]]\nname = 'app'\nhost = 'shop.example'\npath = '/shop'\n";
    let head = "schema = 1\n[store]\npath = 'elsewhere'\n";
    sandbox.write("serve.toml", format!("{head}{application}"));
    let dev = Dev::start(&sandbox, &["--config", "serve.toml"]);
    // For every host and path.
    assert_eq!(status(&dev.address()), 201);
    drop(dev);

    let mut other = command(
        &sandbox,
        &["dev", "app.wat", "--key", "key.pem", "--name", "other"],
    );
    let output = other.args(["--config", "serve.toml"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("error[serve-config]: serve.toml: "), "{told}");
    assert!(
        told.contains("no application with the name `other`"),
        "{told}"
    );
}

#[test]
fn a_first_version_that_cannot_be_served_ends_it() {
    let sandbox = Sandbox::new();
    // A program that is not valid, and a component that answers no requests.
    for (text, codes) in [
        (
            "(component (core module (func (result i32))))",
            ["invalid", "build-failed"],
        ),
        (&*programs::answer(1, 1), ["not-served", "not-served"]),
    ] {
        write(&sandbox, text);
        let arguments = [
            "dev",
            "app.wat",
            "--key",
            "key.pem",
            "--addr",
            "127.0.0.1:0",
        ];
        let output = command(&sandbox, &arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        for code in codes {
            assert!(told.contains(&format!("error[{code}]")), "{told}");
        }
    }
}

#[test]
fn wrong_arguments_end_it_at_once() {
    let sandbox = Sandbox::new();
    write(&sandbox, &programs::proxy(201));
    let signed = ["dev", "app.wat", "--key", "key.pem"];
    for (arguments, exit, says) in [
        (
            &["dev", "no.wasm", "--key", "key.pem"][..],
            3,
            "error[io]: no.wasm",
        ),
        (
            &[&signed[..], &["--addr", "0.0.0.0:8080"]].concat()[..],
            2,
            "other machines can reach",
        ),
        (
            &[&signed[..], &["--addr", "here"]].concat()[..],
            2,
            "write an address and a port",
        ),
        (
            &[&signed[..], &["--", "--no-such-option"]].concat()[..],
            2,
            "--no-such-option",
        ),
        (
            &["dev", "app.wat", "--key", "env:KEY"][..],
            2,
            "the public key of --key is not known",
        ),
    ] {
        let output = command(&sandbox, arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {told}");
        assert!(told.contains(says), "{arguments:?}: {told}");
    }
}

#[test]
fn an_address_in_use_ends_it() {
    let sandbox = Sandbox::new();
    write(&sandbox, &programs::proxy(201));
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let arguments = ["dev", "app.wat", "--key", "key.pem", "--addr", &address];
    let output = command(&sandbox, &arguments).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("error[listen]"), "{told}");
}
