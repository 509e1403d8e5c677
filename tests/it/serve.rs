//! `edgec serve`: from an artifact to answered requests, and what a client sees of limits, traps,
//! hosts without an application, and new versions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use edgec_tests::{Sandbox, programs};
use rustix::process::{Pid, Signal, kill_process};

/// How long a host may take for a line, in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host that runs, and the lines that it prints.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command: Command = sandbox.command(&[&["serve"], arguments].concat());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let (out, log) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let told = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let _ = told.send(line.unwrap());
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines() {
                let _ = sender.send(format!("log: {}", line.unwrap()));
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that contains this, and returns it.
    pub(crate) fn line(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {part:?}"));
            println!("{line}");
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The address behind `http://` in the next such line.
    pub(crate) fn address(&self, end: &str) -> String {
        loop {
            let line = self.line("http://");
            if line.ends_with(end) {
                let address = line.strip_prefix("http://").unwrap();
                return address.split(' ').next().unwrap().to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it with SIGTERM, and checks that it ends well.
    pub(crate) fn end(mut self) {
        self.signal(Signal::TERM);
        self.line("a drain begins");
        self.line("the drain has ended");
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a host answers to a request for `/`: the whole response as text.
pub(crate) fn request(address: &str, method: &str, head: &str) -> String {
    request_for(address, &format!("{method} /"), head)
}

/// What a host answers to a request for a target, such as `GET /path`.
fn request_for(address: &str, target: &str, head: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("{target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    response
}

pub(crate) fn status(response: &str) -> u16 {
    let code = response.split(' ').nth(1);
    code.unwrap_or_else(|| panic!("{response:?}"))
        .parse()
        .unwrap()
}

pub(crate) fn build(sandbox: &Sandbox, answer: u16, version: &str, profile: &str, output: &str) {
    build_as(sandbox, "acme/shop", answer, version, profile, output);
}

fn build_as(
    sandbox: &Sandbox,
    name: &str,
    answer: u16,
    version: &str,
    profile: &str,
    output: &str,
) {
    sandbox.write("shop.wat", programs::proxy(answer));
    let arch = std::env::consts::ARCH;
    sandbox.ok(&[
        "build",
        "-q",
        "shop.wat",
        "-t",
        arch,
        "--profile",
        profile,
        "--name",
        name,
        "--app-version",
        version,
        "--key",
        "key.pem",
        "-o",
        output,
    ]);
}

pub(crate) const HOST: &str = "Host: shop.example\r\n";

#[test]
fn a_file_is_served_by_one_command() {
    let sandbox = Sandbox::new();
    build(&sandbox, 207, "7", "edge", "shop.cwasm");
    let arguments = [
        "--key",
        "key.pub.pem",
        "--addr",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "shop.cwasm",
    ];
    let host = Running::start(&sandbox, &arguments);
    host.line("acme/shop version 7");
    let admin = host.address("(admin)");
    let address = host.address("");
    assert_eq!(status(&request(&address, "GET", HOST)), 207);
    // A trap and an endless loop end their own requests.
    let response = request(&address, "POST", HOST);
    assert_eq!(status(&response), 500, "{response}");
    assert!(response.contains("\r\n\r\ntrap: "), "{response}");
    let response = request(&address, "PUT", HOST);
    assert_eq!(status(&response), 504, "{response}");
    assert!(response.contains("\r\n\r\ncpu-time: "), "{response}");
    assert_eq!(status(&request(&address, "GET", HOST)), 207);
    // A request that does not name one host has no application.
    assert_eq!(status(&request(&address, "GET", "")), 400);
    let twice = format!("{HOST}{HOST}");
    assert_eq!(status(&request(&address, "GET", &twice)), 400);
    let page = |path: &str| request_for(&admin, &format!("GET {path}"), "Host: localhost\r\n");
    // The admin interface answers only requests that name this machine.
    assert_eq!(status(&request_for(&admin, "GET /healthz", HOST)), 421);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&page(path)), 200, "{path}");
    }
    // Everything was counted, and the status page is off by default.
    let metrics = page("/metrics");
    for line in [
        "edgec_requests_total{application=\"acme/shop\",outcome=\"answered\"} 2",
        "edgec_requests_total{application=\"acme/shop\",outcome=\"trapped\"} 1",
        "edgec_requests_total{application=\"acme/shop\",outcome=\"limited\"} 1",
        "edgec_traps_total{application=\"acme/shop\",code=\"UnreachableCodeReached\"} 1",
        "edgec_limits_hit_total{application=\"acme/shop\",limit=\"cpu-time\"} 1",
        "edgec_application_version{application=\"acme/shop\"} 7",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    assert_eq!(status(&page("/_edgec/")), 404);
    host.end();
}

#[test]
fn a_store_is_served_as_its_configuration_says() {
    let sandbox = Sandbox::new();
    build(&sandbox, 201, "1", "edge", "one.cwasm");
    build(&sandbox, 202, "2", "edge", "two.cwasm");
    let add = |artifact| {
        sandbox.ok(&[
            "store",
            "--store",
            "store",
            "add",
            "--key",
            "key.pub.pem",
            artifact,
        ]);
    };
    add("one.cwasm");
    let config = r#"
schema = 1
[listen]
http = ["127.0.0.1:0"]
[store]
path = "store"
refresh = "50ms"
[limits]
request-body = 10
[[application]]
name = "acme/shop"
host = "shop.example"
"#;
    sandbox.write("serve.toml", config);
    let host = Running::start(
        &sandbox,
        &["--config", "serve.toml", "--key", "key.pub.pem"],
    );
    let address = host.address("");
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    assert_eq!(
        status(&request(&address, "GET", "Host: other.example\r\n")),
        421
    );
    let large = format!("{HOST}Content-Length: 11\r\n");
    assert_eq!(status(&request(&address, "GET", &large)), 413);
    add("two.cwasm");
    host.line("version 2 in place of 1");
    assert_eq!(status(&request(&address, "GET", HOST)), 202);
    host.end();
}

#[test]
fn changes_of_the_configuration_take_effect() {
    let sandbox = Sandbox::new();
    build(&sandbox, 201, "1", "edge", "shop.cwasm");
    let write = |head: &str, host: &str, more: &str| {
        let head = format!("schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\n{head}");
        let shop = format!("name = \"acme/shop\"\nartifact = \"shop.cwasm\"\nhost = \"{host}\"\n");
        let text = format!("{head}[[application]]\n{shop}{more}");
        // In one step, so that the host never reads a part.
        let new = sandbox.write("serve.toml.new", text);
        std::fs::rename(&new, new.with_file_name("serve.toml")).unwrap();
    };
    write("", "shop.example", "");
    let arguments = ["--config", "serve.toml", "--key", "key.pub.pem"];
    let host = Running::start(&sandbox, &arguments);
    let address = host.address("");
    let of = |host: &str| status(&request(&address, "GET", &format!("Host: {host}\r\n")));
    assert_eq!((of("shop.example"), of("new.example")), (201, 421));
    write("", "new.example", "");
    host.line("the configuration was read again; changed: acme/shop");
    assert_eq!((of("shop.example"), of("new.example")), (421, 201));
    // What cannot be used changes nothing.
    write("", "shop.example", "zzz = 1\n");
    let line = host.line("the configuration stays as it was");
    assert!(
        line.contains("line 8, column 1: unknown name `zzz`"),
        "{line}"
    );
    write(
        "",
        "shop.example",
        "outbound = { ca-file = \"none.pem\" }\n",
    );
    let line = host.line("the configuration stays as it was");
    assert!(line.contains("none.pem"), "{line}");
    assert_eq!((of("shop.example"), of("new.example")), (421, 201));
    let more = "[limits]\nconnections = 9\ncpu-time = \"500ms\"\n";
    write(more, "shop.example", "");
    host.line("changed: acme/shop; after a restart only: limits.connections");
    assert_eq!((of("shop.example"), of("new.example")), (201, 421));
    host.end();
}

#[test]
fn a_signal_makes_the_host_read_its_configuration_at_once() {
    let sandbox = Sandbox::new();
    build(&sandbox, 201, "1", "edge", "shop.cwasm");
    let add = ["store", "--store", "store", "add", "--key", "key.pub.pem"];
    sandbox.ok(&[&add[..], &["shop.cwasm"]].concat());
    let write = |host: &str| {
        let head = "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\n[store]\npath = \"store\"\n";
        let shop = format!("[[application]]\nname = \"acme/shop\"\nhost = \"{host}\"\n");
        sandbox.write("serve.toml", format!("{head}refresh = \"1h\"\n{shop}"));
    };
    write("shop.example");
    let arguments = ["--config", "serve.toml", "--key", "key.pub.pem"];
    let host = Running::start(&sandbox, &arguments);
    let address = host.address("");
    write("new.example");
    host.signal(Signal::HUP);
    host.line("the configuration was read again; changed: acme/shop");
    let new = request(&address, "GET", "Host: new.example\r\n");
    assert_eq!(status(&new), 201);
    host.end();
}

#[test]
fn several_artifacts_have_a_url_each() {
    let sandbox = Sandbox::new();
    build_as(&sandbox, "acme/shop", 201, "1", "edge", "shop.cwasm");
    build_as(&sandbox, "acme/shop", 202, "2", "edge", "newer.cwasm");
    build_as(&sandbox, "acme/blog", 203, "1", "edge", "blog.cwasm");
    let own = ["--key", "key.pub.pem", "--addr", "127.0.0.1:0"];
    let host = Running::start(
        &sandbox,
        &[&own[..], &["shop.cwasm", "blog.cwasm"]].concat(),
    );
    for (path, answer) in [("/acme/shop", 201), ("/acme/blog", 203)] {
        let line = host.line(path);
        let address = line
            .strip_prefix("http://")
            .and_then(|url| url.strip_suffix(path));
        let address = address.unwrap_or_else(|| panic!("{line}"));
        let response = request_for(address, &format!("GET {path}"), HOST);
        assert_eq!(status(&response), answer, "{response}");
    }
    host.end();
    // Two of one application would answer for one path. The store is not touched.
    let store = ["--store", "store"];
    for second in ["newer.cwasm", "shop.cwasm"] {
        let files = ["shop.cwasm", second];
        for more in [&[][..], &store] {
            let error = sandbox.fails(2, &[&["serve"], &own[..], more, &files].concat());
            assert!(
                error.contains("this is `acme/shop`, and so is shop.cwasm"),
                "{error}"
            );
        }
    }
    assert!(!sandbox.path().join("store").exists());
}
