//! The private key is out of reach: edgec reads it after everything is compiled, and other
//! processes of the same user cannot read edgec's memory.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use edgec_tests::corpus::bombs::loops_around_variables;
use edgec_tests::ordinary_user::{as_user, give, root_becomes_user};
use edgec_tests::processes::children;
use edgec_tests::strace::{strace_present, without};
use edgec_tests::{Sandbox, binary, encrypted_key, fifo, isolate};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The time limit of a process that need not wait for anything.
const PATIENCE: Duration = Duration::from_secs(240);

/// More than a pipe can hold, in bytes. When all of it is written, its reader has begun to read.
const MORE_THAN_A_PIPE: usize = 1 << 18;

/// The end of a process that must not wait for anything.
fn ended(mut child: Child) -> Output {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it still waits: {:?}", child.wait_with_output());
        }
        sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// The writing end of a pipe, after `child` has opened it for reading.
fn writer(sandbox: &Sandbox, name: &str, child: &mut Child) -> File {
    let begin = Instant::now();
    loop {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match open(sandbox.path().join(name), flags, Mode::empty()) {
            Ok(pipe) => return pipe.into(),
            Err(error) => assert_eq!(error, Errno::NXIO),
        }
        let status = child.try_wait().unwrap();
        assert!(status.is_none(), "it ended without the key: {status:?}");
        assert!(begin.elapsed() < PATIENCE, "it does not read the key");
        sleep(Duration::from_millis(5));
    }
}

/// The key is opened after the last of several programs was compiled, or failed, and no worker
/// remains.
#[test]
fn a_key_is_read_when_nothing_is_left_to_compile() {
    let sandbox = Sandbox::new();
    sandbox.write("good.wat", "(module (func (export \"f\")))");
    sandbox.write("slow.wasm", loops_around_variables(2000));
    fifo(&sandbox.path().join("fifo.pem"));
    let build = ["build", "-O0", "-t", "x86_64", "--compile-timeout", "5"];
    let files = ["good.wat", "slow.wasm", "--key", "fifo.pem", "-o", "out"];
    let told = File::create(sandbox.path().join("told")).unwrap();
    let mut command = sandbox.command(&[&build[..], &files].concat());
    let mut child = command.stdout(Stdio::null()).stderr(told).spawn().unwrap();
    let mut pipe = writer(&sandbox, "fifo.pem", &mut child);
    let left = children(child.id());
    assert!(left.is_empty(), "{left:?}");
    let told = String::from_utf8(sandbox.read("told")).unwrap();
    assert!(
        told.starts_with("error[") && told.contains("slow.wasm: "),
        "{told}"
    );
    pipe.write_all(&sandbox.read("key.pem")).unwrap();
    drop(pipe);
    assert_eq!(ended(child).status.code(), Some(1));
    let artifact = "out/good.x86_64.cwasm";
    sandbox.ok(&["verify", "-q", artifact, "--key", "key.pub.pem"]);
    assert!(!sandbox.path().join("out/slow.x86_64.cwasm").exists());
}

/// If there is nothing to sign, no key is read, and nothing waits for one.
#[test]
fn without_a_program_no_key_is_read() {
    let sandbox = encrypted_key();
    sandbox.write("bad.wat", "(module (func (result i32)))");
    sandbox.write("good.wat", "(module (func (export \"f\")))");
    fifo(&sandbox.path().join("fifo.pem"));
    let build = |input: &str, key: &str| {
        let build = ["build", "--format", "json", "-t", "x86_64", "-o", "a.cwasm"];
        let mut command = sandbox.command(&[&build[..], &["--key", key, input]].concat());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        ended(command.spawn().unwrap())
    };
    // A development key is not made either.
    let mut command = sandbox.command(&["build", "bad.wat", "-t", "x86_64", "-o", "a.cwasm"]);
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    assert!(!sandbox.path().join("home").exists());
    for key in ["fifo.pem", "secret.pem"] {
        let output = build("bad.wat", key);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["inputs"][0]["error"]["code"], "invalid");
        assert!(summary["keyId"].is_null(), "{summary}");
    }
    // edgec asks for the passphrase after the program was compiled.
    let output = build("good.wat", "secret.pem");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.starts_with("error[no-passphrase]: secret.pem: "),
        "{told}"
    );
    assert!(!sandbox.path().join("a.cwasm").exists());
}

/// A build by this binary, from a standard input that has no content yet.
fn waiting(sandbox: &Sandbox, mut edgec: Command, more: &[&str]) -> Child {
    isolate(&mut edgec, sandbox.path());
    edgec.args(["build", "-", "--name", "app", "-t", "x86_64"]);
    edgec.args(["-o", "app.cwasm"]).args(more);
    edgec.stdin(Stdio::piped());
    edgec.stdout(Stdio::piped()).stderr(Stdio::piped());
    edgec.spawn().unwrap()
}

/// A key in a regular file is examined early and read late.
#[test]
fn a_regular_file_is_read_late_as_well() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let edgec = Command::new(binary());
    let mut child = waiting(&sandbox, edgec, &["--key", "key.pem"]);
    let mut input = child.stdin.take().unwrap();
    // When all of it is written, edgec reads its input, and has examined everything else.
    input.write_all(&vec![b' '; MORE_THAN_A_PIPE]).unwrap();
    let (other, key) = ("other.pem", "key.pem");
    std::fs::rename(sandbox.path().join(other), sandbox.path().join(key)).unwrap();
    input.write_all(b"(component)").unwrap();
    drop(input);
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");
    sandbox.ok(&["verify", "-q", "app.cwasm", "--key", "other.pub.pem"]);
}

/// Errors that can be found without the key are reported at once, and not after minutes of
/// compiling.
#[test]
fn what_is_wrong_with_a_key_is_told_before_the_program_is_read() {
    let sandbox = Sandbox::new();
    let mode = |name: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(sandbox.path().join(name), mode).unwrap();
    };
    std::fs::create_dir(sandbox.path().join("folder")).unwrap();
    sandbox.write_secret("long.pem", [b'x'; (1 << 16) + 1]);
    let key = sandbox.read("key.pem");
    for (name, bits) in [("open.pem", 0o644), ("locked.pem", 0o000)] {
        sandbox.write(name, &key);
        mode(name, bits);
    }
    mode("key.pub.pem", 0o644);
    let module = ["--pkcs11-module", "missing.so", "--pkcs11-token", "t"];
    let module = [&module[..], &["--pkcs11-key", "k"]].concat();
    let signer = ["--signer", "'x", "--public-key", "key.pub.pem"];
    let told = |edgec: Command, more: &[&str], code: i32, begins: &str| {
        let mut child = waiting(&sandbox, edgec, more);
        // It stays open, so the program never arrives.
        let input = child.stdin.take();
        let output = ended(child);
        drop(input);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {told}");
        assert!(told.starts_with(begins), "{more:?}: {told}");
    };
    for (more, code, begins) in [
        (&["--key", "missing.pem"][..], 3, "error[io]: missing.pem: "),
        (&["--key", "folder"], 1, "error[not-a-file]: folder: "),
        (&["--key", "long.pem"], 3, "error[io]: long.pem: "),
        (
            &["--key", "open.pem"],
            2,
            "error[key-permissions]: open.pem: ",
        ),
        (
            &["--key", "key.pub.pem"],
            1,
            "error[secret-key]: key.pub.pem: ",
        ),
        (
            &["--key", "env:MISSING"],
            2,
            "error[key-variable]: env:MISSING: ",
        ),
        (
            &["--key", "key.pem", "--public-key", "missing.pem"],
            3,
            "error[io]: missing.pem: ",
        ),
        (
            &["--key", "key.pem", "--passphrase-file", "open.pem"],
            2,
            "error[secret-permissions]: open.pem: ",
        ),
        (&signer, 2, "error[signer]: --signer: a quotation mark"),
        (&module, 3, "error[io]: missing.so: "),
    ] {
        told(Command::new(binary()), more, code, begins);
    }
    // Root can read everything.
    if geteuid().is_root() && !root_becomes_user() {
        return;
    }
    let edgec = as_user(give(&sandbox));
    let locked = ["--key", "locked.pem"];
    told(edgec, &locked, 3, "error[io]: locked.pem: ");
}

/// `--public-key` applies to the development key as well.
#[test]
fn a_development_key_can_be_held_to_its_public_half() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(component)");
    let build = ["build", "app.wat", "-t", "x86_64", "-o", "app.cwasm"];
    let other = [&build[..], &["--public-key", "key.pub.pem"]].concat();
    let told = sandbox.fails(1, &other);
    assert!(told.starts_with("error[other-key]: "), "{told}");
    assert!(!sandbox.path().join("app.cwasm").exists());
    let public = sandbox.path().join("home/.config/edgec/dev.pub.pem");
    let own = [&build[..], &["--public-key", public.to_str().unwrap()]].concat();
    sandbox.ok(&own);
}

/// Whether another process of the same user can reach a part of this process with a shell's
/// command.
fn reaches(process: u32, script: &str) -> bool {
    let script = script.replace("PROCESS", &process.to_string());
    let output = as_user("/bin/sh").args(["-c", &script]).output();
    output.unwrap().status.success()
}

/// What another process may try on one that holds a key. Many systems refuse the last attempt in
/// any case.
const WANTED: [&str; 5] = [
    "cat /proc/PROCESS/environ > /dev/null",
    "ls /proc/PROCESS/fd/ > /dev/null",
    "cat /proc/PROCESS/maps > /dev/null",
    "readlink /proc/PROCESS/exe > /dev/null",
    "exec 3< /proc/PROCESS/mem",
];

/// Asserts that no other process of the user can read this process's memory, and that it leaves no
/// core file.
fn assert_shielded(process: u32) {
    for wanted in WANTED {
        assert!(!reaches(process, wanted), "{wanted}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file"));
    let numbers: Vec<&str> = core.unwrap().split_whitespace().skip(4).take(2).collect();
    assert_eq!(numbers, ["0", "0"], "{limits}");
}

/// While edgec reads its input, waits for a key, or waits for a signing program, no other process
/// of the same user can read its memory, its environment or its descriptors.
#[test]
fn a_process_that_holds_a_key_is_shielded() {
    // Root may read every process.
    if geteuid().is_root() && !root_becomes_user() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(component)");
    fifo(&sandbox.path().join("fifo.pem"));
    let script = "#!/bin/sh\n: > started\nwhile [ ! -e go ]; do sleep 0.02; done\nexit 1\n";
    let signer = sandbox.write("signer", script);
    std::fs::set_permissions(signer, std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = give(&sandbox);
    let start = |arguments: &[&str]| {
        let mut command = as_user(&own);
        isolate(&mut command, sandbox.path());
        command.args(["build", "-q", "-t", "x86_64", "-o", "app.cwasm"]);
        command.args(arguments).stdin(Stdio::piped());
        command.env("EDGEC_PASSPHRASE", "correct horse");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };

    // The test can fail: a process without a secret is not shielded.
    let mut other = as_user("/bin/sleep").arg("1000").spawn().unwrap();
    let begin = Instant::now();
    while !reaches(other.id(), WANTED[0]) {
        // The process changes its user shortly after its start.
        assert!(begin.elapsed() < PATIENCE, "nothing is reached");
        sleep(Duration::from_millis(5));
    }
    for wanted in WANTED.iter().take(4) {
        assert!(reaches(other.id(), wanted), "{wanted}");
    }
    other.kill().unwrap();
    other.wait().unwrap();

    // Before the program arrives.
    let mut child = start(&["-", "--name", "app", "--key", "key.pem"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(&vec![b' '; MORE_THAN_A_PIPE]).unwrap();
    assert_shielded(child.id());
    input.write_all(b"(component)").unwrap();
    drop(input);
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");

    // While edgec waits for the key.
    let mut child = start(&["app.wat", "--key", "fifo.pem"]);
    let mut pipe = writer(&sandbox, "fifo.pem", &mut child);
    assert_shielded(child.id());
    pipe.write_all(&sandbox.read("key.pem")).unwrap();
    assert_shielded(child.id());
    drop(pipe);
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");

    // While a program signs.
    let signer = ["--signer", "./signer", "--public-key", "key.pub.pem"];
    let child = start(&[&["app.wat"][..], &signer].concat());
    let begin = Instant::now();
    while !sandbox.path().join("started").exists() {
        assert!(begin.elapsed() < PATIENCE, "nothing is signed");
        sleep(Duration::from_millis(5));
    }
    assert_shielded(child.id());
    sandbox.write("go", "");
    let output = ended(child);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// If the kernel refuses the shield, edgec says so.
#[test]
fn a_shield_that_is_refused_is_told() {
    if !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    let show = sandbox.command(&["keys", "show", "key.pem"]);
    let output = without(&show, "prctl", "EPERM");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    let says = "warning[shield]: this process: Operation not permitted";
    assert!(told.starts_with(says), "{told}");
    assert_eq!(told.matches("warning[").count(), 1, "{told}");
    // Otherwise there is no message.
    let output = sandbox.run(&["keys", "show", "key.pem"]);
    assert!(output.stderr.is_empty(), "{output:?}");
}
