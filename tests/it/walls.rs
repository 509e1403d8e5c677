//! The walls around edgec's worker processes, from inside and from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use edgec_tests::strace::{Call, strace_present, traced};
use edgec_tests::{Sandbox, example, repository};

/// What a process behind these walls did and did not do: the lines that it printed. Its input and
/// an inherited descriptor are given.
#[cfg(target_os = "linux")]
fn attempts(walls: &str) -> Vec<String> {
    use std::io::Write as _;
    let sandbox = Sandbox::empty();
    sandbox.write("secret", b"secret");
    let file = sandbox.path().join("secret");
    let mut child = Command::new("/bin/sh")
        .args(["-c", "exec \"$0\" \"$1\" \"$2\" \"$3\" 9< \"$2\""])
        .arg(example("walled"))
        .arg(walls)
        .arg(&file)
        .arg(std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{walls}: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.pop().unwrap(), "worked: input", "{walls}");
    lines
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_in_reach_from_behind_the_walls() {
    for walls in ["nothing", "streams"] {
        let lines = attempts(walls);
        assert_eq!(lines.len(), 12, "{walls}: {lines:#?}");
        for line in lines {
            // Also where the kernel lacks a wall: then this machine does not hold what edgec says.
            assert!(line.starts_with("refused: "), "{walls}: {line}");
        }
    }
}

/// The same attempts succeed where there are no walls. Otherwise the test above shows nothing.
#[cfg(target_os = "linux")]
#[test]
fn without_walls_everything_is_in_reach() {
    let lines = attempts("open");
    assert_eq!(lines.len(), 12, "{lines:#?}");
    for line in lines {
        assert!(line.starts_with("done: "), "{line}");
    }
}

/// Which workers a command started, and whether each put up its walls before it read its input.
fn workers(command: &Command) -> BTreeMap<String, bool> {
    let names = "execve,landlock_restrict_self,seccomp,read";
    let (output, calls) = traced(command, names);
    assert!(output.status.success(), "{output:?}");
    let mut found = BTreeMap::new();
    let verb = |call: &Call| {
        let strings = call.strings();
        let worker = strings.iter().find(|text| text.starts_with("__"));
        worker.map(|verb| (*verb).to_owned())
    };
    let mut rest = calls.as_slice();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        let Some(verb) = verb(first).filter(|_| first.name == "execve" && first.succeeded()) else {
            continue;
        };
        let next = rest.iter().position(|call| call.name == "execve");
        let own = &rest[..next.unwrap_or(rest.len())];
        // The optimizer may start itself again.
        let input = |call: &&Call| call.name == "read" && call.arguments.starts_with("0<");
        let before: BTreeSet<&str> = own
            .iter()
            .take_while(|call| !input(call))
            .filter(|call| call.succeeded())
            .map(|call| call.name.as_str())
            .collect();
        let walled = ["landlock_restrict_self", "seccomp"];
        let walled = walled.iter().all(|name| before.contains(name));
        *found.entry(verb).or_insert(true) &= walled;
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn every_kind_of_worker_puts_up_its_walls_before_it_reads_its_input() {
    if !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    let file = |name: &str| {
        let path = repository().join("examples").join(name);
        path.to_str().unwrap().to_owned()
    };
    let (hello, squares) = (file("hello.wat"), file("squares.wat"));
    let mut found = BTreeMap::new();
    for arguments in [
        &[
            "build", "-q", "-O2", "--key", "key.pem", "-o", "hello/", &hello,
        ][..],
        &[
            "build", "-q", "-O0", "--key", "key.pem", "--init", "fill", "-o", "squares/", &squares,
        ],
        &["audit", "hello/hello.x86_64.cwasm"],
        &["host"],
    ] {
        found.extend(workers(&sandbox.command(arguments)));
    }
    let all = [
        "__code-map",
        "__front-end",
        "__init",
        "__lint",
        "__precompile",
        "__walls",
        "__wasm-opt",
    ];
    let expected = all.map(|verb| (verb.to_owned(), true));
    assert_eq!(found, BTreeMap::from(expected));
}

#[cfg(target_os = "linux")]
#[test]
fn what_confines_is_said_and_can_be_demanded() {
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let hello = hello.to_str().unwrap();
    let said = "edgec's processes are confined: closed descriptors, no dumps, Landlock, seccomp";
    assert!(sandbox.ok(&["host"]).contains(&format!("# {said}")));
    let build = [
        "build", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm", hello,
    ];
    let more = ["--verbose", "--require-confinement"];
    let printed = sandbox.ok(&[&build[..], &more].concat());
    assert!(printed.starts_with(said), "{printed}");
    let program = ["--require-confinement", "--wasm-opt", "/bin/true"];
    let refused = sandbox.run(&[&build[..], &program].concat());
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("not confined by edgec"), "{said}");
}

/// A filter that an outer sandbox has set takes a wall away.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_lacks_a_wall_does_not_work_if_all_are_demanded() {
    if !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let build = |more: &[&str]| {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=landlock_create_ruleset",
        ]);
        command.args(["-e", "inject=landlock_create_ruleset:error=ENOSYS"]);
        command.arg(edgec_tests::binary());
        command.args([
            "build", "-q", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
        ]);
        command.args(more).arg(&hello).current_dir(sandbox.path());
        command.output().unwrap()
    };
    let demanded = build(&["--require-confinement"]);
    assert_eq!(demanded.status.code(), Some(3), "{demanded:?}");
    let said = String::from_utf8(demanded.stderr).unwrap();
    assert!(said.contains("this system has no Landlock"), "{said}");
    assert!(!sandbox.path().join("a.cwasm").exists());
    let offered = build(&[]);
    assert!(offered.status.success(), "{offered:?}");
}
