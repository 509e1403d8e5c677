//! Hostile programs and clients of `edgec serve`: each meets its limit, and costs nobody else
//! anything. `tests/serve/run.py hostile` does the same in large numbers, and measures the others.

#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use edgec_tests::{Sandbox, repository};

use crate::hosting::{admit, sandbox};

/// After this time, a test stops waiting.
const NEVER: Duration = Duration::from_secs(120);

/// What the hostile program may take.
pub(crate) const CONFIGURATION: &str = r#"
schema = 1

[listen]
http = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[store]
path = "store"

[policy]
file = "policy.toml"

[limits]
header-read-time = "500ms"
request-body-time = "500ms"

[[application]]
name = "hostile"
host = "hostile.test"

[application.limits]
cpu-time = "200ms"
wall-time = "6s"
memory = "16MiB"
response-body = "1MiB"
resources = 100
sockets = 5

[application.outbound]
sockets = ["tcp"]

[[application]]
name = "good"
host = "good.test"
"#;

/// A running `edgec serve`.
pub(crate) struct Server {
    child: Child,
    pub(crate) public: String,
    admin: String,
    log: Arc<Mutex<String>>,
    sandbox: Sandbox,
}

impl Server {
    /// A host of [`CONFIGURATION`].
    pub(crate) fn start() -> Self {
        Self::of(CONFIGURATION, &["hostile", "good"])
    }

    /// A host of a configuration. Its store has the hostile program under these names.
    pub(crate) fn of(configuration: &str, names: &[&str]) -> Self {
        let sandbox = sandbox();
        for name in names {
            admit(&sandbox, &guest(), name, 1);
        }
        sandbox.write("serve.toml", configuration);
        let mut command = sandbox.command(&["serve", "--config", "serve.toml"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                *kept.lock().unwrap() += &format!("{}\n", line.unwrap());
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut address = |what: &str| loop {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "no {what}: {}", log.lock().unwrap());
            if let Some((_, address)) = line.split_once("http://")
                && line.contains("(admin)") == (what == "admin")
            {
                break address.split_whitespace().next().unwrap().to_owned();
            }
        };
        let (admin, public) = (address("admin"), address("public"));
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self {
            child,
            public,
            admin,
            log,
            sandbox,
        }
    }

    /// Puts the hostile program into the store under a name.
    pub(crate) fn admit(&self, name: &str) {
        admit(&self.sandbox, &guest(), name, 1);
    }

    /// Waits until the log has this text, and returns the line.
    pub(crate) fn logged(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log.lock().unwrap().clone();
            if let Some(line) = log.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(begin.elapsed() < NEVER, "no {text:?}: {log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The answer of the admin interface.
    pub(crate) fn admin(&self, path: &str) -> String {
        let head = "host: localhost\r\nconnection: close";
        answer(
            &self.admin,
            &format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n"),
        )
    }

    /// What comes back for these bytes on a new connection, until it is closed.
    pub(crate) fn answer(&self, request: &str) -> String {
        answer(&self.public, request)
    }

    /// The answer to a GET of an application.
    pub(crate) fn get(&self, application: &str, path: &str) -> String {
        self.answer(&format!(
            "GET {path} HTTP/1.1\r\nhost: {application}.test\r\nconnection: close\r\n\r\n"
        ))
    }

    /// The answer of the hostile program, which has this status.
    pub(crate) fn get_hostile(&self, path: &str, status: &str) -> String {
        let answer = self.get("hostile", path);
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begin), "{path}: {answer}");
        answer
    }

    /// How often a limit was hit, or what else a line of the metrics with this text counts.
    pub(crate) fn counted(&self, text: &str) -> f64 {
        let metrics = self.admin("/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
        let lines = metrics.lines().filter(|line| line.contains(text));
        let lines = lines.filter(|line| !line.starts_with('#'));
        let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>());
        values.map(Result::unwrap).sum()
    }

    /// Waits until a line of the metrics with this text has this value.
    pub(crate) fn wait_for(&self, text: &str, value: f64) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.counted(text) != value {
            assert!(Instant::now() < end, "{text} does not become {value}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Expects that something is counted, and that the others are answered.
    fn meets(&self, limit: &str, attack: impl FnOnce()) {
        let text = match limit {
            "trap" => "edgec_traps_total".to_owned(),
            limit => format!("limit=\"{limit}\""),
        };
        let before = self.counted(&text);
        attack();
        assert!(self.counted(&text) > before, "{limit} is not counted");
        let good = self.get("good", "/a");
        assert!(good.starts_with("HTTP/1.1 200 "), "{limit}: {good}");
        let log = self.log.lock().unwrap();
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that does what its path says.
fn guest() -> String {
    let guest = repository().join("tests/serve/guests/hostile.wat");
    guest.to_str().unwrap().to_owned()
}

fn answer(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut found = Vec::new();
    // A host may reset a connection; what came before counts.
    let _ = stream.read_to_end(&mut found);
    String::from_utf8_lossy(&found).into_owned()
}

#[test]
fn a_hostile_program_meets_its_limits() {
    let server = Server::start();
    for (path, limit, status) in [
        ("/l", "cpu-time", "504"),
        ("/m", "memory", "500"),
        ("/h", "resources", "500"),
        ("/s", "wall-time", "504"),
        ("/t", "trap", "500"),
        ("/g", "fields", "500"),
        // The program is told, and goes on.
        ("/c", "application-sockets", "200"),
    ] {
        server.meets(limit, || {
            server.get_hostile(path, status);
        });
    }
    server.meets("response-body", || {
        let answer = server.get("hostile", "/b");
        // Its head is sent before its body is too long. The client sees that the end is missing.
        assert!(answer.len() <= 2 << 20, "{} bytes", answer.len());
        assert!(!answer.ends_with("0\r\n\r\n"), "it seems to be whole");
    });
    let answer = server.get("hostile", "/a");
    assert!(answer.contains("ok\n"), "{answer}");
}

/// It waits for a program that waits for a minute.
#[test]
fn a_client_that_goes_away_leaves_no_request_behind() {
    let server = Server::start();
    let running = "edgec_requests_running{application=\"good\"}";
    let mut client = TcpStream::connect(&server.public).unwrap();
    client
        .write_all(b"GET /s HTTP/1.1\r\nhost: good.test\r\n\r\n")
        .unwrap();
    server.wait_for(running, 1.0);
    drop(client);
    let gone = "edgec_requests_total{application=\"good\",outcome=\"gone\"}";
    server.wait_for(gone, 1.0);
    server.wait_for(running, 0.0);
}

/// What one program holds is not there for another one, and comes back when it ends.
#[test]
fn memory_and_sockets_of_all_programs_are_bounded() {
    let limits = "[limits]\nmemory-total = \"24MiB\"\nsockets = 3\n";
    let server = Server::of(
        &CONFIGURATION.replace("[limits]\n", limits),
        &["hostile", "good"],
    );
    for (path, limit, status) in [
        // An application has half of the memory of several.
        ("/m", "application-memory-total", "503"),
        ("/c", "sockets", "200"),
        ("/c", "sockets", "200"),
    ] {
        server.meets(limit, || {
            let answer = server.get_hostile(path, status);
            assert_eq!(answer.contains("retry-after"), status == "503", "{answer}");
        });
    }
}

/// Header fields that the host keeps count like the program's own memory.
#[test]
fn what_the_host_keeps_for_a_program_is_bounded() {
    let small = "memory = \"1MiB\"\nfields = \"64MiB\"";
    let configuration = CONFIGURATION.replace("memory = \"16MiB\"", small);
    let server = Server::of(&configuration, &["hostile", "good"]);
    server.meets("memory", || {
        server.get_hostile("/g", "500");
    });
    server.get_hostile("/a", "200");
}

#[test]
fn a_slow_client_meets_its_limits() {
    let server = Server::start();
    server.meets("header-read-time", || {
        let answer = server.answer("GET /a HTTP/1.1\r\nhost: good.test\r\n");
        assert!(!answer.contains(" 200 "), "{answer}");
    });
    server.meets("request-body-time", || {
        let head = "POST /r HTTP/1.1\r\nhost: hostile.test\r\ncontent-length: 9\r\n\r\n";
        let answer = server.answer(&format!("{head}begin"));
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    });
}
