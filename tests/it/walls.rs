//! The walls around edgec's worker processes, tested from inside and from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use edgec_tests::strace::{Call, strace_present, traced};
use edgec_tests::{Sandbox, example, repository};

/// What a process can and cannot do after a program took it over: the lines that it printed.
/// `command` starts it. It gets its input and an inherited descriptor.
#[cfg(target_os = "linux")]
fn attempts(command: &[&str]) -> Vec<String> {
    use std::io::Write as _;
    let sandbox = Sandbox::empty();
    sandbox.write("secret", b"secret");
    let file = sandbox.path().join("secret");
    std::fs::copy("/bin/true", file.with_extension("tool")).unwrap();
    let mut child = Command::new("/bin/sh")
        .args(["-c", "file=$1; shift; exec \"$@\" 9< \"$file\"", "sh"])
        .arg(&file)
        .args(command)
        .arg(&file)
        .arg(std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.pop().unwrap(), "worked: input", "{command:?}");
    lines
}

#[cfg(target_os = "linux")]
#[track_caller]
fn all_refused(command: &[&str]) {
    let lines = attempts(command);
    assert_eq!(lines.len(), 12, "{command:?}: {lines:#?}");
    for line in lines {
        // This also fails if the kernel lacks a wall: then edgec's claims do not hold on this
        // machine.
        assert!(line.starts_with("refused: "), "{command:?}: {line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_in_reach_from_behind_the_walls() {
    let walled = example("walled");
    for walls in ["nothing", "streams"] {
        all_refused(&[walled.to_str().unwrap(), walls]);
    }
}

/// A program that the user named runs behind the same walls, although it has not put them up
/// itself.
#[cfg(target_os = "linux")]
#[test]
fn nothing_of_the_users_is_in_reach_of_an_optimizer() {
    let (edgec, walled) = (edgec_tests::binary(), example("walled"));
    let (edgec, walled) = (edgec.to_str().unwrap(), walled.to_str().unwrap());
    for limits in ["8589934592", "8589934592,confined"] {
        all_refused(&[edgec, "__launch", limits, walled, "open"]);
    }
}

/// The same attempts succeed without walls. Otherwise the tests above would show nothing.
#[cfg(target_os = "linux")]
#[test]
fn without_walls_everything_is_in_reach() {
    let lines = attempts(&[example("walled").to_str().unwrap(), "open"]);
    assert_eq!(lines.len(), 12, "{lines:#?}");
    for line in lines {
        assert!(line.starts_with("done: "), "{line}");
    }
}

/// The attempts of a script that acts as an optimizer. It ends itself by `SIGKILL` if one succeeds.
#[cfg(target_os = "linux")]
const TRIES: &str = r#"
try() { "$@" > /dev/null 2>&1 && kill -KILL $$; }
try cat key.pem
try ls .
try ls /
try sh -c 'echo > new'
try mkdir folder
try rm key.pem
try chmod 644 key.pem
try touch key.pem
try ./more/tool
try kill -CONT $PPID
try cat /proc/$PPID/environ
try cat /proc/$PPID/cmdline
try ls /proc/$PPID/fd
try head -c 1 /proc/$PPID/mem
cat
"#;

/// A build runs an optimizer behind the walls, and a script can use the programs that it needs.
#[cfg(target_os = "linux")]
#[test]
fn an_optimizer_that_is_a_script_works_and_reaches_nothing_else() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::ExitStatusExt as _;
    let sandbox = Sandbox::new();
    let tool = |name: &str, script: &str| {
        let path = sandbox.write(name, script);
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, executable).unwrap();
    };
    tool("more/tool", "#!/bin/sh\ncat\n");
    let hello = repository().join("examples/hello.wat");
    let build = |more: &[&str]| {
        let build = ["build", "-q", "-O2", "-t", "x86_64", "--key", "key.pem"];
        let output = ["-o", "a.cwasm", hello.to_str().unwrap()];
        let program = ["--wasm-opt", "./wasm-opt"];
        sandbox.run(&[&build[..], &output, &program, more].concat())
    };
    sandbox.fake_optimizer("cat");
    assert!(build(&[]).status.success());
    let expected = sandbox.read("a.cwasm");
    sandbox.fake_optimizer(TRIES);
    for more in [&[][..], &["--require-confinement"]] {
        let output = build(more);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        assert_eq!(sandbox.read("a.cwasm"), expected);
    }
    // Without walls, the script ends itself at the first attempt.
    let open = Command::new("./wasm-opt")
        .current_dir(sandbox.path())
        .stdin(Stdio::null())
        .status();
    assert_eq!(open.unwrap().signal(), Some(9));

    // Programs of the system, pipes, and a program beside it.
    tool("helper", "#!/bin/sh\nexec cat\n");
    sandbox.fake_optimizer("echo note > /dev/null; cat | cat | \"${0%/*}/helper\"");
    let output = build(&["--require-confinement"]);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_eq!(sandbox.read("a.cwasm"), expected);
    std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();

    // If it lacks something that it needs, the build fails. On another machine it might get it, and
    // the module would have other bytes.
    for body in ["./more/tool", "cat > in.wasm || exit 1; cat in.wasm"] {
        sandbox.fake_optimizer(body);
        let output = build(&[]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{body}: {stderr}");
        assert!(stderr.starts_with("error[worker]: "), "{body}: {stderr}");
        assert!(stderr.contains("ermission denied"), "{body}: {stderr}");
        assert!(stderr.contains("docs/environment.md"), "{body}: {stderr}");
        assert!(!sandbox.path().join("a.cwasm").exists(), "{body}");
    }
}

/// The workers that a command started, and whether each put up its walls before it read its input.
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
        "__assemble",
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
    // The JSON for machines has the host profile, and beside it the walls.
    let json = |arguments: &[&str]| {
        let printed = sandbox.ok(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str::<serde_json::Value>(&printed).unwrap()
    };
    let expected = serde_json::json!({
        "confined": true,
        "walls": ["closed descriptors", "no dumps", "Landlock", "seccomp"],
        "missing": [],
    });
    let host = json(&["host", "--name", "fra-1"]);
    assert_eq!(host["confinement"], expected);
    assert_eq!(host["profile"]["name"], "fra-1");
    assert_eq!(host["profile"]["schema"], 1);
    assert_eq!(json(&[&build[..], &more].concat())["confinement"], expected);
    assert!(json(&build).get("confinement").is_none());
    sandbox.fails(2, &["host", "--format", "json", "--save", "host.toml"]);
    sandbox.fake_optimizer("cat");
    let program = ["--wasm-opt", "./wasm-opt"];
    let printed = sandbox.ok(&[&build[..], &more, &program].concat());
    assert!(printed.starts_with(said), "{printed}");
}

/// A filter of an outer sandbox removes a wall.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_lacks_a_wall_does_not_work_if_all_are_demanded() {
    if !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let without_landlock = |arguments: &[&str]| {
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
        command.arg(edgec_tests::binary()).args(arguments);
        command.current_dir(sandbox.path()).output().unwrap()
    };
    let build = |more: &[&str]| {
        let build = [
            "build", "-q", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
        ];
        without_landlock(&[&build[..], more, &[hello.to_str().unwrap()]].concat())
    };
    let demanded = build(&["--require-confinement"]);
    assert_eq!(demanded.status.code(), Some(3), "{demanded:?}");
    let said = String::from_utf8(demanded.stderr).unwrap();
    assert!(said.contains("missing walls: Landlock\n"), "{said}");
    assert!(!sandbox.path().join("a.cwasm").exists());
    // The hint fits this case: the kernel, the container, or the option.
    for says in [
        "Linux 5.13",
        "seccomp profile",
        "edgec host",
        "without --require-confinement",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    assert!(!said.contains("/dev/stdin"), "{said}");
    // The JSON for machines says the same.
    let host = without_landlock(&["host", "--format", "json"]);
    let host: serde_json::Value = serde_json::from_slice(&host.stdout).unwrap();
    let confinement = &host["confinement"];
    assert_eq!(confinement["confined"], false, "{host}");
    assert_eq!(confinement["missing"], serde_json::json!(["Landlock"]));
    let standing = serde_json::json!(["closed descriptors", "no dumps", "seccomp"]);
    assert_eq!(confinement["walls"], standing);
    let offered = build(&[]);
    assert!(offered.status.success(), "{offered:?}");
    // The user's program is not even started.
    let launch = |limits| without_landlock(&["__launch", limits, "/bin/echo", "started"]);
    let demanded = launch("1000000000,confined");
    assert_eq!(demanded.status.code(), Some(1), "{demanded:?}");
    assert!(demanded.stdout.is_empty(), "{demanded:?}");
    let said = String::from_utf8(demanded.stderr).unwrap();
    assert!(said.contains("missing walls: Landlock"), "{said}");
    assert_eq!(launch("1000000000").stdout, b"started\n");
}
