//! edgec asks a program that `--wasm-opt` names for its version under the same conditions as for
//! its work: behind walls, within limits, and without the content of the user's environment.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use edgec_tests::{Sandbox, binary, isolate, repository, words};

const BUILD: &str =
    "build -O2 -q -t x86_64 --key key.pem -o a.cwasm --wasm-opt ./wasm-opt hello.wat";

/// The arguments of a build, and more.
fn build<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&words(BUILD)[..], more].concat()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let hello = std::fs::read(repository().join("examples/hello.wat")).unwrap();
    sandbox.write("hello.wat", hello);
    sandbox
}

/// Writes a `wasm-opt` that runs this for `--version`, and otherwise returns its module unchanged.
fn program(sandbox: &Sandbox, version: &str) {
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] || exec cat\n{version}\n");
    let path = sandbox.write("wasm-opt", script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Asserts that nothing is built, and returns the message.
fn refused(sandbox: &Sandbox, arguments: &[&str], code: &str) -> String {
    let before = sandbox.files();
    let stderr = sandbox.fails(3, arguments);
    let begins = format!("error[{code}]: ./wasm-opt: ");
    assert!(stderr.starts_with(&begins), "{stderr}");
    assert!(stderr.contains("\n  hint: "), "{stderr}");
    assert_eq!(sandbox.files(), before);
    stderr
}

#[test]
fn a_version_takes_no_more_than_the_work() {
    let sandbox = sandbox();
    for (version, says, hint) in [
        (
            "exec sleep 100",
            "was stopped after 1 s",
            "--optimizer-timeout",
        ),
        (
            "echo fake 1; exec sleep 100",
            "was stopped after 1 s",
            "--compile-timeout",
        ),
        ("exec yes AAAA", "prints more than 4096 bytes", "one line"),
        (
            "head -c 5000 /dev/zero",
            "prints more than 4096 bytes",
            "one line",
        ),
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            "MiB of memory",
            "--worker-memory",
        ),
        (
            "echo oh no >&2; exit 3",
            "ended with exit status: 3: oh no",
            "one line",
        ),
        ("kill -SEGV $$", "SIGSEGV", "one line"),
        ("no-such-program", "no-such-program", "docs/environment.md"),
    ] {
        program(&sandbox, version);
        let late = ["--optimizer-timeout", "1"];
        let stderr = refused(&sandbox, &build(&late), "optimizer");
        assert!(stderr.contains(says), "{version}: {stderr}");
        assert!(stderr.contains(hint), "{version}: {stderr}");
    }
    // The time for a whole program is also a limit.
    program(&sandbox, "exec sleep 100");
    let late = ["--compile-timeout", "1"];
    let stderr = refused(&sandbox, &build(&late), "optimizer");
    assert!(stderr.contains("was stopped after 1 s"), "{stderr}");
    program(&sandbox, "kill -KILL $$");
    let stderr = refused(&sandbox, &build(&[]), "killed");
    assert!(stderr.contains("SIGKILL"), "{stderr}");
    std::fs::remove_file(sandbox.path().join("wasm-opt")).unwrap();
    let stderr = refused(&sandbox, &build(&[]), "optimizer");
    assert!(stderr.contains("No such file or directory"), "{stderr}");
}

/// A rebuild asks for the version too.
#[test]
fn a_rebuild_does_not_wait_for_a_version() {
    let sandbox = sandbox();
    program(&sandbox, "echo fake 1");
    sandbox.ok(&build(&[]));
    let verify = ["verify", "--key", "key.pub.pem", "a.cwasm", "--rebuild"];
    let with = ["hello.wat", "--wasm-opt", "./wasm-opt"];
    let verify = [&verify[..], &with].concat();
    sandbox.ok(&verify);
    program(&sandbox, "exec sleep 100");
    let late = ["--optimizer-timeout", "1"];
    let stderr = refused(&sandbox, &[&verify[..], &late].concat(), "optimizer");
    assert!(stderr.contains("was stopped after 1 s"), "{stderr}");
}

/// What a program can reach when edgec asks for its version, as its answer: variables, a descriptor
/// of the process that started edgec, a file, and its memory limit in KiB.
const ANSWERS: &str = r#"
    variables=$(env | grep -c -e '^FIRST_SECRET=' -e '^OTHER_SECRET=' -e '^HOME=')
    descriptor=$( (: >&9) 2> /dev/null && echo open || echo closed)
    file=$( (: < key.pem) 2> /dev/null && echo readable || echo refused)
    ( : > note ) 2> /dev/null
    echo "fake $variables $descriptor $file $(ulimit -d)""#;

#[test]
fn a_version_is_told_behind_the_walls() {
    let sandbox = sandbox();
    program(&sandbox, ANSWERS);
    let run = |script: &str, arguments: &[&str]| {
        let mut shell = Command::new("sh");
        isolate(&mut shell, sandbox.path());
        let script = format!("exec 9> held; export FIRST_SECRET=2 OTHER_SECRET=3; {script} \"$@\"");
        shell.args(["-c", &script, "sh"]).args(arguments);
        let output = shell.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // The test can fail: without edgec, all of this can be reached.
    let open = run("exec ./wasm-opt", &["--version"]);
    assert!(open.starts_with("fake 3 open readable "), "{open}");
    std::fs::remove_file(sandbox.path().join("note")).unwrap();

    let edgec = format!("exec {}", binary().display());
    let more = ["--worker-memory", "1024", "--require-confinement"];
    run(&edgec, &build(&more));
    assert!(!sandbox.path().join("note").exists());
    let json = sandbox.ok(&["inspect", "a.cwasm", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let stages = report["manifest"]["builder"]["stages"].as_array().unwrap();
    let optimize = stages.iter().find(|stage| stage["name"] == "optimize");
    assert_eq!(
        optimize.unwrap()["version"],
        "fake 0 closed refused 1048576"
    );
}
