//! `edgec sync`, from a push to a host that serves it: in turn, behind a gate, and back.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use edgec_tests::{Sandbox, programs, results, until, words};
use rustix::process::{Pid, Signal, kill_process};

use crate::serve::{HOST, Running, request, status};

/// How long a line may take, in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const FLEET: &str = r#"
schema = 1
name = "pop-1"
[poll]
interval = "100ms"
backoff = "200ms"
[[application]]
name = "acme/shop"
channel = "stable"
reference = "oci-layout:layout:stable"
"#;

/// A running `edgec sync`, and its lines.
pub(crate) struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    pub(crate) fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        let mut command = sandbox.command(&words(&format!("sync {arguments}")));
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let log = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines() {
                let _ = sender.send(line.unwrap());
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

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn end(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a key, and a file that follows a layout in it.
pub(crate) fn prepared(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_secret("fleet.toml", format!("{FLEET}{more}"));
    sandbox
}

/// Builds a version that answers with this status, and puts it under the tag.
pub(crate) fn publish(sandbox: &Sandbox, version: u32, answer: u16) {
    let (arch, folder) = (std::env::consts::ARCH, format!("v{version}"));
    sandbox.write("shop.wat", programs::proxy(answer));
    sandbox.ok(&words(&format!(
        "build -q shop.wat -t {arch} --profile edge --name acme/shop --channel stable \
         --app-version {version} --key key.pem --release {version} -o {folder}/"
    )));
    let files = sandbox.files();
    let of = |ending: &str| {
        let found = files
            .iter()
            .find(|it| it.starts_with(&folder) && it.ends_with(ending));
        found
            .unwrap_or_else(|| panic!("no {ending} in {files:?}"))
            .clone()
    };
    let (artifact, release) = (of(".cwasm"), of(".release.json"));
    let push = format!("push -q oci-layout:layout:stable {artifact} --release {release}");
    sandbox.ok(&words(&push));
}

pub(crate) fn once(sandbox: &Sandbox) -> String {
    sandbox.ok(&words(
        "sync fleet.toml --store store --key key.pub.pem --once",
    ))
}

/// The versions in the store, and the current one.
pub(crate) fn stored(sandbox: &Sandbox) -> (Vec<u64>, Vec<u64>) {
    let listed = results(sandbox.ok(&words("store --store store ls --format json")));
    let version = |it: &serde_json::Value| it["version"].as_u64().unwrap();
    let current = listed.iter().filter(|it| it["current"] == true);
    (
        listed.iter().map(version).collect(),
        current.map(version).collect(),
    )
}

#[test]
fn one_round_brings_a_store_up_to_date() {
    let sandbox = prepared("");
    publish(&sandbox, 1, 201);
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 1\n");
    for version in [2, 3] {
        publish(&sandbox, version, 201);
        let said = once(&sandbox);
        assert_eq!(
            said,
            format!("acme/shop@stable: healthy, version {version}\n")
        );
    }
    // The version before stays, and older ones go.
    assert_eq!(stored(&sandbox), (vec![2, 3], vec![3]));
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 3\n");
}

#[test]
fn a_bad_release_goes_back_and_does_not_come_again() {
    let gate = "[gate]\ncommand = [\"sh\", \"-c\", \"test $1 != 2 || { echo ill >&2; exit 1; }\", \
                \"sh\", \"{version}\"]\nfor = \"0s\"\nfailures = 1\n";
    let sandbox = prepared(gate);
    publish(&sandbox, 1, 201);
    once(&sandbox);
    publish(&sandbox, 2, 201);
    for round in 0..2 {
        let arguments = words("sync fleet.toml --store store --key key.pub.pem --once");
        let output = sandbox.run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stdout).unwrap();
        let begins = "acme/shop@stable: went-back, version 1: release 2 (version 2) was bad: `sh` ";
        assert!(said.starts_with(begins), "{said}");
        assert!(said.ends_with(", or try it again with --retry\n"), "{said}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            log.contains("release 2 (version 2) is bad: `sh` ended with"),
            round == 0
        );
        assert_eq!(stored(&sandbox), (vec![1, 2], vec![1]));
    }
    publish(&sandbox, 3, 201);
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 3\n");
    assert_eq!(stored(&sandbox), (vec![1, 3], vec![3]));
}

#[test]
fn what_is_refused_leaves_the_version_that_is_there() {
    let sandbox = prepared("");
    publish(&sandbox, 1, 201);
    once(&sandbox);
    let arguments = words("sync fleet.toml --store store --key other.pub.pem --once");
    sandbox.ok(&words("keygen -o other.pem"));
    publish(&sandbox, 2, 201);
    let log = sandbox.fails(1, &arguments);
    assert!(log.contains("[sync-release]"), "{log}");
    assert_eq!(stored(&sandbox), (vec![1], vec![1]));
    // Nothing is there at all.
    sandbox.write_secret("fleet.toml", FLEET.replace("layout:stable", "layout:none"));
    let log = sandbox.fails(
        3,
        &words("sync fleet.toml --store store --key key.pub.pem --once"),
    );
    assert!(
        log.contains("no tag none") && log.contains("[registry-absent]"),
        "{log}"
    );
    // Artifacts without a release.
    let push = words("push -q oci-layout:layout:bare v1/shop.cwasm");
    let push = match sandbox.path().join("v1/shop.cwasm").exists() {
        true => push,
        false => return,
    };
    sandbox.ok(&push);
    sandbox.write_secret("fleet.toml", FLEET.replace("layout:stable", "layout:bare"));
    let log = sandbox.fails(
        1,
        &words("sync fleet.toml --store store --key key.pub.pem --once"),
    );
    assert!(log.contains("[sync-no-release]"), "{log}");
}

#[test]
fn a_host_waits_for_its_turn() {
    let waves = "[rollout]\nwaves = [{ share = 0, hosts = [\"pop-0\"], pause = \"1h\" }, \
                 { share = 1 }]\n";
    let sandbox = prepared(waves);
    publish(&sandbox, 1, 201);
    // It has nothing to lose.
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 1\n");
    publish(&sandbox, 2, 201);
    let said = once(&sandbox);
    let begins = "acme/shop@stable: waiting, version 1: its wave begins at ";
    assert!(said.starts_with(begins), "{said}");
    assert_eq!(stored(&sandbox), (vec![1], vec![1]));
    let first = "sync fleet.toml --store store --key key.pub.pem --once --name pop-0";
    assert_eq!(
        sandbox.ok(&words(first)),
        "acme/shop@stable: healthy, version 2\n"
    );
}

/// A host serves, and `edgec sync` beside it replaces versions while requests run. A version that
/// answers with errors goes back, by the metrics of the host.
#[test]
fn a_host_serves_what_sync_brings() {
    let sandbox = prepared("");
    publish(&sandbox, 1, 201);
    once(&sandbox);
    let serve = "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n\
                 [store]\npath = \"store\"\nrefresh = \"50ms\"\n\
                 [[application]]\nname = \"acme/shop\"\nchannel = \"stable\"\n";
    sandbox.write_secret("serve.toml", serve);
    let host = Running::start(
        &sandbox,
        &["--config", "serve.toml", "--key", "key.pub.pem"],
    );
    let (admin, address) = (host.address("(admin)"), host.address(""));
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    let gate = |time: &str| {
        format!(
            "[gate]\nmetrics = {{ url = \"http://{admin}\", min-requests = 3 }}\n\
             for = \"{time}\"\nevery = \"50ms\"\nfailures = 2\n"
        )
    };
    let start = |time: &str| {
        sandbox.write_secret("fleet.toml", format!("{FLEET}{}", gate(time)));
        Following::start(&sandbox, "fleet.toml --store store --key key.pub.pem")
    };
    let sync = start("0s");
    publish(&sandbox, 2, 202);
    sync.line("release 2 (version 2) is admitted");
    sync.line("release 2 (version 2) is healthy");
    assert_eq!(status(&request(&address, "GET", HOST)), 202);
    sync.end();
    // Long enough for the slowest machine: a bad release ends it early.
    let sync = start("1h");
    publish(&sandbox, 3, 503);
    sync.line("release 3 (version 3) is admitted");
    until(|| status(&request(&address, "GET", HOST)) == 503);
    until(|| status(&request(&address, "GET", HOST)) != 503);
    sync.line("release 3 (version 3) is bad: ");
    sync.line("it went back from version 3 to 2");
    assert_eq!(status(&request(&address, "GET", HOST)), 202);
    publish(&sandbox, 4, 204);
    sync.line("release 4 (version 4) is admitted");
    until(|| status(&request(&address, "GET", HOST)) == 204);
    sync.end();
    host.end();
}

#[test]
fn serve_keeps_its_own_store_current() {
    let sandbox = prepared("[gate]\nmetrics = {}\nfor = \"0s\"\nevery = \"50ms\"\n");
    publish(&sandbox, 1, 201);
    let serve = "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"unix:admin\"\n\
                 [store]\npath = \"store\"\nrefresh = \"50ms\"\n\
                 [sync]\nfleet = \"fleet.toml\"\n\
                 [[application]]\nname = \"acme/shop\"\nchannel = \"stable\"\n";
    sandbox.write_secret("serve.toml", serve);
    // The host begins with what the store has.
    sandbox.write_secret("fleet.toml", FLEET);
    once(&sandbox);
    let gate = "[gate]\nmetrics = {}\nfor = \"0s\"\nevery = \"50ms\"\n";
    sandbox.write_secret("fleet.toml", format!("{FLEET}{gate}"));
    let host = Running::start(
        &sandbox,
        &["--config", "serve.toml", "--key", "key.pub.pem"],
    );
    let address = host.address("");
    publish(&sandbox, 2, 202);
    host.line("sync: release 2 (version 2) is admitted");
    host.line("sync: release 2 (version 2) is healthy");
    assert_eq!(status(&request(&address, "GET", HOST)), 202);
    // A second process would undo its work.
    sandbox.write_secret("plain.toml", FLEET);
    let second = words("sync plain.toml --store store --key key.pub.pem --once");
    let error = sandbox.fails(3, &second);
    assert!(error.contains("error[sync-busy]"), "{error}");
    // The registry is gone: the host serves on. And it comes back.
    std::fs::rename(sandbox.path().join("layout"), sandbox.path().join("away")).unwrap();
    host.line("[registry-");
    assert_eq!(status(&request(&address, "GET", HOST)), 202);
    std::fs::rename(sandbox.path().join("away"), sandbox.path().join("layout")).unwrap();
    // Another file is followed, and one that cannot be used is not.
    sandbox.write_secret("fleet.toml", "schema = 1\n");
    host.line("fleet.toml is not used, ");
    sandbox.write_secret("fleet.toml", FLEET);
    host.line("fleet.toml was read again");
    publish(&sandbox, 3, 203);
    host.line("sync: release 3 (version 3) is healthy");
    until(|| status(&request(&address, "GET", HOST)) == 203);
    host.end();
    // A host does not start with a file that cannot be used.
    sandbox.write_secret("fleet.toml", "schema = 1\n");
    let error = sandbox.fails(1, &words("serve --config serve.toml --key key.pub.pem"));
    assert!(error.contains("error[sync-config]"), "{error}");
}

/// Killed again and again while releases come, it ends with the newest one, and the store is whole.
#[test]
fn a_kill_leaves_a_store_that_is_whole() {
    let sandbox = prepared("[gate]\ncommand = [\"true\"]\nfor = \"20ms\"\nevery = \"10ms\"\n");
    publish(&sandbox, 1, 201);
    once(&sandbox);
    for (round, version) in (2..6).enumerate() {
        publish(&sandbox, version, 201);
        let sync = Following::start(&sandbox, "fleet.toml --store store --key key.pub.pem");
        match round % 3 {
            0 => drop(sync.line("is there; wave")),
            1 => drop(sync.line("is admitted")),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
        sync.signal(Signal::KILL);
        drop(sync);
        sandbox.ok(&words("store --store store verify --key key.pub.pem"));
    }
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 5\n");
    sandbox.ok(&words("store --store store verify --key key.pub.pem"));
    assert!(stored(&sandbox).1 == [5]);
}

#[test]
fn signals_end_it_and_make_it_read_its_file_again() {
    let sandbox = prepared("");
    publish(&sandbox, 1, 201);
    let sync = Following::start(&sandbox, "fleet.toml --store store --key key.pub.pem");
    sync.line("release 1 (version 1) is healthy");
    let text = format!("{FLEET}[log]\nformat = \"json\"\n");
    sandbox.write_secret("fleet.toml", text.replace("layout:stable", "layout:other"));
    sync.signal(Signal::HUP);
    sync.line("the file was read again");
    let line = sync.line("no tag other");
    assert!(line.contains("[registry-absent]"), "{line}");
    sandbox.write_secret("fleet.toml", "schema = 1\n");
    sync.signal(Signal::HUP);
    sync.line("the file has no `[[application]]`");
    // What is wrong is seen before the work ends, and the work goes on.
    sandbox.write_secret("fleet.toml", format!("{FLEET}[gate]\nmetrics = {{}}\n"));
    sync.signal(Signal::HUP);
    sync.line("only inside `edgec serve`");
    publish(&sandbox, 2, 201);
    let copy = "copy -q oci-layout:layout:stable oci-layout:layout:other";
    sandbox.ok(&words(copy));
    sync.line("\"release 2 (version 2) is healthy\"");
    sync.end();
}

#[test]
fn what_is_wrong_has_its_place() {
    let sandbox = prepared("[gate]\nfor = \"10m\"\n");
    let error = sandbox.fails(1, &words("sync fleet.toml --store store --key key.pub.pem"));
    assert!(error.contains("error[sync-config]"), "{error}");
    assert!(error.contains("its unit is ms, s, min, h or d"), "{error}");
    assert!(error.contains("--> line 12:7"), "{error}");
    sandbox.write_secret("fleet.toml", FLEET);
    let error = sandbox.fails(2, &words("sync fleet.toml --store store"));
    assert!(error.contains("error[no-trust]"), "{error}");
    let none = "sync fleet.toml --store store --key key.pub.pem --name a/b";
    assert!(
        sandbox
            .fails(2, &words(none))
            .contains("is not the name of a host")
    );
    sandbox.write_secret("fleet.toml", format!("{FLEET}[gate]\nmetrics = {{}}\n"));
    let error = sandbox.fails(1, &words("sync fleet.toml --store store --key key.pub.pem"));
    assert!(error.contains("only inside `edgec serve`"), "{error}");
    sandbox.write("fleet.toml", FLEET);
    let path = sandbox.path().join("fleet.toml");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(path, mode).unwrap();
    let error = sandbox.fails(1, &words("sync fleet.toml --store store --key key.pub.pem"));
    assert!(error.contains("fleet.toml"), "{error}");
}
