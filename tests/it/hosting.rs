//! The examples of `edgec-loader`, as a host uses them: programs from a store, concurrent requests,
//! new versions while programs run, and programs that trap or never end.
//!
//! More than 400 lines: all tests use one server, which is defined before them.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use edgec_artifact::Sha256Digest;
use edgec_tests::{Sandbox, example, guests, programs, repository};
use rustix::process::{Pid, Signal, kill_process};

const ARCH: &str = std::env::consts::ARCH;

/// Builds a program for hosts, and admits it to the store.
pub(crate) fn admit(sandbox: &Sandbox, input: &str, name: &str, version: u32) {
    let version = version.to_string();
    let build = ["build", "-q", input, "-O0", "-t", ARCH, "--profile", "edge"];
    let signed = [
        "--name",
        name,
        "--app-version",
        &version,
        "--key",
        "key.pem",
    ];
    sandbox.ok(&[&build[..], &signed, &["-o", "admitted.cwasm"]].concat());
    let add = ["store", "--store", "store", "add", "--trust", "policy.toml"];
    sandbox.ok(&[&add[..], &["admitted.cwasm"]].concat());
}

pub(crate) fn admit_proxy(sandbox: &Sandbox, status: u16, version: u32) {
    sandbox.write("proxy.wat", programs::proxy(status));
    admit(sandbox, "proxy.wat", "proxy", version);
}

/// A sandbox with a policy that trusts its key.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write_policy(&sandbox, "");
    sandbox
}

fn write_policy(sandbox: &Sandbox, more: &str) {
    put_policy(sandbox, "", more);
}

pub(crate) fn put_policy(sandbox: &Sandbox, head: &str, more: &str) {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let policy = format!("{head}threshold = 1\n[[key]]\nname = 'k'\npem = '''\n{pem}'''\n{more}");
    // The file is replaced in one step, as for a running host.
    sandbox.write("policy.new", policy);
    let path = |name| sandbox.path().join(name);
    std::fs::rename(path("policy.new"), path("policy.toml")).unwrap();
}

/// The options of a host without root keys and without a state file.
pub(crate) const UNGUARDED: [&str; 2] = ["--no-root", "--no-state"];

/// After this time, a test stops waiting.
const NEVER: Duration = Duration::from_secs(300);

/// The running `http_host` example.
struct Server {
    child: Child,
    address: String,
    /// Its log.
    log: Arc<Mutex<String>>,
}

impl Server {
    fn spawn(sandbox: &Sandbox, name: &str, seconds: &str) -> Child {
        Command::new(example("http_host"))
            .current_dir(sandbox.path())
            .args(UNGUARDED)
            .args(["store", name])
            .args(["policy.toml", "127.0.0.1:0", seconds])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// After it has started, nothing reads its output any more.
    fn start_unheard(sandbox: &Sandbox, name: &str) -> Self {
        let mut child = Self::spawn(sandbox, name, "60");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        drop((stdout, child.stderr.take()));
        let address = line.trim_end().split_once("http://").map(|(_, it)| it);
        Self {
            child,
            address: address.expect("an address").to_owned(),
            log: Arc::default(),
        }
    }

    fn start(sandbox: &Sandbox, name: &str, seconds: &str) -> Self {
        let mut child = Self::spawn(sandbox, name, seconds);
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines() {
                *lines.lock().unwrap() += &format!("{}\n", line.unwrap());
            }
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let Some((_, address)) = line.trim_end().split_once("http://") else {
            panic!(
                "no address: {line}{:?}: {}",
                child.wait(),
                log.lock().unwrap()
            );
        };
        let address = address.to_owned();
        // Later output is not needed, but a full pipe must not block the server.
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self {
            child,
            address,
            log,
        }
    }

    /// Sends one request on a new connection. Returns the status, and the response without its
    /// first line.
    fn request(&self, method: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{method} / HTTP/1.0\r\nHost: edge.test\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, rest) = response.split_once("\r\n").expect("a status line");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("a status"), rest.to_owned())
    }

    fn status(&self, method: &str) -> u16 {
        self.request(method).0
    }

    /// Sends requests until the answer has this status. Until then, it must be `before`.
    fn wait_for(&self, before: u16, status: u16) {
        self.wait(|| match self.status("GET") {
            found if found == status => true,
            found => {
                assert_eq!(found, before, "{}", self.log.lock().unwrap());
                false
            }
        });
    }

    /// Waits until the log contains this text.
    fn wait_for_line(&self, part: &str) {
        self.wait(|| self.log.lock().unwrap().contains(part));
    }

    fn wait(&self, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < NEVER, "{}", self.log.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn terminate(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn real_proxies_answer_many_requests_at_once() {
    let Some(guests) = guests() else { return };
    let sandbox = sandbox();
    for name in ["rust-http-proxy", "js-http-proxy"] {
        let path = guests.join(format!("{name}.wasm"));
        admit(&sandbox, path.to_str().unwrap(), name, 1);
    }
    for name in ["rust-http-proxy", "js-http-proxy"] {
        let server = Server::start(&sandbox, name, "60");
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..4 {
                        let (status, response) = server.request("GET");
                        assert_eq!(status, 200, "{name}: {response}");
                        let (_, body) = response.split_once("\r\n\r\n").unwrap();
                        let json = serde_json::from_str::<serde_json::Value>(body);
                        assert!(json.unwrap().is_object(), "{name}: {body}");
                    }
                });
            }
        });
        assert!(server.terminate().success(), "{name}");
    }
}

/// While versions change, no request fails, and no request sees an older version after a newer one.
#[test]
fn a_newer_version_comes_while_requests_run() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let server = Server::start(&sandbox, "proxy", "60");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                server.wait_for(201, 202);
                assert_eq!(server.status("GET"), 202);
            });
        }
        admit_proxy(&sandbox, 202, 2);
    });
    // The operator can go back to an older version. An admission never does this.
    let choose = |version| {
        let chosen = ["store", "--store", "store", "use", "proxy", "--app-version"];
        sandbox.ok(&[&chosen[..], &[version]].concat());
    };
    choose("1");
    server.wait_for(202, 201);
    // A newer version that this host cannot serve does not replace the version in use.
    sandbox.write("no-proxy.wat", programs::answer(1, 1));
    admit(&sandbox, "no-proxy.wat", "proxy", 3);
    choose("3");
    server.wait_for_line("the store's current version was not loaded");
    assert_eq!(server.status("GET"), 201);
}

#[test]
fn what_traps_or_never_ends_costs_its_own_request_only() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let server = Server::start(&sandbox, "proxy", "5");
    assert_eq!(server.status("POST"), 500);
    assert_eq!(server.status("GET"), 201);
    thread::scope(|scope| {
        // More of them than the host has threads.
        let loops: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| server.request("PUT")))
            .collect();
        assert_eq!(server.status("GET"), 201);
        for ended in loops {
            let (status, response) = ended.join().unwrap();
            assert_eq!(status, 504, "{response}");
        }
    });
    assert_eq!(server.status("GET"), 201);
}

/// A revocation also stops programs that are at work.
#[test]
fn what_is_not_trusted_any_more_is_not_served() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let server = Server::start(&sandbox, "proxy", "60");
    assert_eq!(server.status("GET"), 201);
    write_policy(&sandbox, "[minimum-version]\nproxy = 2\n");
    server.wait_for(201, 503);
    server.wait_for_line("the version in use is not trusted any more");
    write_policy(&sandbox, "");
    server.wait_for(503, 201);
}

/// Without a valid policy, nothing is served, however the policy was lost. When there is a policy
/// again, the server serves again.
#[test]
fn a_host_without_a_policy_serves_nothing() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let path = sandbox.path().join("policy.toml");
    let edition = |version: u32, more: &str| {
        put_policy(
            &sandbox,
            &format!("name = 'fleet'\nversion = {version}\n{more}"),
            "",
        );
    };
    edition(1, "");
    let server = Server::start(&sandbox, "proxy", "60");
    assert_eq!(server.status("GET"), 201);
    let lost = |says: &str| {
        server.wait_for(201, 503);
        server.wait_for_line(says);
        // This does not change later.
        thread::sleep(Duration::from_millis(1500));
        assert_eq!(server.status("GET"), 503, "{says}");
    };
    let found = |version| {
        edition(version, "");
        server.wait_for(503, 201);
    };

    edition(2, "expires = 2020-01-01T00:00:00Z\n");
    lost("the trust policy expired at 2020-01-01T00:00:00Z");
    found(3);
    std::fs::remove_file(&path).unwrap();
    lost("cannot read the file: No such file");
    found(4);
    edition(5, "treshold = 1\n");
    lost("unknown field `treshold`");
    found(6);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    lost("users other than its owner can write it");
    found(7);
    edition(6, "");
    lost("version 6 of the trust policy is older than 7");
    found(8);
    // This happens by itself, without a change of the file.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let soon = edgec_verifier::UnixTime::from_seconds(now.as_secs() + 5);
    edition(9, &format!("expires = {soon}\n"));
    lost("the trust policy");
    found(10);
    assert!(server.terminate().success());
}

/// If the output of a host is closed, it still reads its policy again.
#[test]
fn a_host_that_nothing_hears_still_follows_its_policy() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let server = Server::start_unheard(&sandbox, "proxy");
    admit_proxy(&sandbox, 202, 2);
    server.wait_for(201, 202);
    // A request that would be logged.
    assert_eq!(server.status("POST"), 500);
    std::fs::remove_file(sandbox.path().join("policy.toml")).unwrap();
    server.wait_for(202, 503);
    write_policy(&sandbox, "");
    server.wait_for(503, 202);
    assert!(server.terminate().success());
}

/// A running host notices if users other than the owner can change its store.
#[test]
fn a_store_that_others_can_change_is_not_served() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let server = Server::start(&sandbox, "proxy", "60");
    let artifacts = sandbox.path().join("store/artifacts");
    let files = std::fs::read_dir(&artifacts).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    // What is known of the signatures is read, and checked, only for a policy that asks for it.
    paths.retain(|path| path.extension() != Some(OsStr::new("admitted")));
    assert_eq!(paths.len(), 2, "image and envelope");
    paths.extend([sandbox.path().join("store"), artifacts]);
    for path in paths {
        let before = std::fs::metadata(&path).unwrap().permissions();
        let open = std::fs::Permissions::from_mode(before.mode() | 0o022);
        std::fs::set_permissions(&path, open).unwrap();
        server.wait_for(201, 503);
        let name = path.file_name().unwrap().to_str().unwrap();
        server.wait_for_line(&format!("{name}` has mode 0"));
        std::fs::set_permissions(&path, before).unwrap();
        server.wait_for(503, 201);
    }
}

/// Whether the process at the other end, on this machine, has read everything that was written to a
/// connection.
///
/// Source: `proc_pid_net(5)`, the columns `local_address`, `rem_address` and `tx_queue:rx_queue` of
/// `tcp`.
fn is_read(stream: &TcpStream) -> bool {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let ours = port(stream.local_addr().unwrap());
    let theirs = port(stream.peer_addr().unwrap());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let queues = |from: &str, to: &str| -> Vec<String> {
        let sockets = table.lines().map(|line| line.split_whitespace());
        let sockets = sockets.map(Iterator::collect::<Vec<_>>);
        let ends = |socket: &Vec<&str>| socket[1].ends_with(from) && socket[2].ends_with(to);
        let queues = sockets.filter(ends).map(|socket| socket[4].to_owned());
        queues.collect()
    };
    // First everything is sent and acknowledged, then read.
    let sent = queues(&ours, &theirs);
    let sent = sent.iter().all(|queues| queues.starts_with("00000000:"));
    let read = queues(&theirs, &ours);
    sent && read.iter().any(|queues| queues.ends_with(":00000000"))
}

/// If the host is told to end, running requests still get their answers.
#[test]
fn an_end_is_orderly() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let server = Server::start(&sandbox, "proxy", "3");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "PUT / HTTP/1.1\r\nHost: edge.test\r\n\r\n").unwrap();
    // A connection without a request is closed.
    server.wait(|| is_read(&stream));
    assert_eq!(server.status("GET"), 201);
    let status = server.terminate();
    assert!(status.success(), "{status}");
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 504 "), "{response}");
}

pub(crate) fn cli_host(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let mut command = Command::new(example("cli_host"));
    let command = command.current_dir(sandbox.path()).args(arguments);
    command.output().unwrap()
}

/// Like [`cli_host`], without root keys and without a state file.
pub(crate) fn plain_cli_host(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    cli_host(sandbox, &[&UNGUARDED[..], arguments].concat())
}

#[test]
fn a_command_runs_from_the_store() {
    let sandbox = sandbox();
    let hello = repository().join("examples/hello.wat");
    admit(&sandbox, hello.to_str().unwrap(), "acme/hello", 1);
    let output = plain_cli_host(&sandbox, &["store", "acme/hello", "policy.toml"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"Hello from the edge!\n");

    let output = plain_cli_host(&sandbox, &["store", "acme/shop", "policy.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error[store-unknown]: the store has no `acme/shop`\n"
    );
}

#[test]
fn a_real_command_runs_from_the_store() {
    let Some(guests) = guests() else { return };
    let sandbox = sandbox();
    let path = guests.join("rust-worker-p2.wasm");
    admit(&sandbox, path.to_str().unwrap(), "worker", 1);
    let output = plain_cli_host(&sandbox, &["store", "worker", "policy.toml"]);
    assert!(output.status.success(), "{output:?}");
    // According to the guest's own document.
    assert_eq!(
        Sha256Digest::of(&output.stdout).to_string(),
        "99dc60feda09f98d6eec70e08edb1f4c0c893524d3b84b7c3173b9034676bc79"
    );
}
