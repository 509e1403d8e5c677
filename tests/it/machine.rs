//! If the machine makes a build fail, edgec says so: exit code 3, the name of the cause, and never
//! other bytes.
//!
//! `EDGEC_REQUIRE_ROOT=1` and `EDGEC_REQUIRE_MOUNT=1` make it a failure if a test is skipped
//! because it lacks rights.
//!
//! More than 400 lines: the same build runs into each limit of the machine.
#![cfg(target_os = "linux")]

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use edgec_tests::corpus::bombs::loops_around_variables;
use edgec_tests::disk::SmallDisk;
use edgec_tests::ordinary_user::{as_user, give, root_becomes_user};
use edgec_tests::processes::children;
use edgec_tests::turns::{PROGRAM, Turns};
use edgec_tests::{Sandbox, binary, hello, isolate};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) const BUILD: &[&str] = &[
    "build", "-q", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
];

/// Runs the binary in a shell, after another command.
pub(crate) fn after(sandbox: &Sandbox, first: &str, arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    isolate(&mut shell, sandbox.path());
    let script = format!("{first}; exec {} \"$@\"", binary().display());
    shell.args(["-c", &script, "sh"]).args(arguments);
    shell.output().unwrap()
}

/// Expects a failure of the machine: exit code 3, an error with this code, and nothing written.
/// Returns the messages.
#[track_caller]
pub(crate) fn machines_fault(sandbox: &Sandbox, output: &Output, code: &str) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with(&format!("error[{code}]: ")), "{stderr}");
    assert!(stderr.contains("  hint: "), "{stderr}");
    assert!(!sandbox.path().join("a.cwasm").exists());
    stderr
}

/// A build gives the same bytes or none: if the optimizer is killed, the build does not use the
/// unoptimized module.
#[test]
fn an_optimizer_that_is_killed_gives_no_other_bytes() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let arguments = [BUILD, &["-O2", "--wasm-opt", "./wasm-opt", &hello]].concat();
    for (signal, name) in [("KILL", "SIGKILL"), ("TERM", "SIGTERM")] {
        sandbox.fake_optimizer(&format!("kill -{signal} $$"));
        let stderr = machines_fault(&sandbox, &sandbox.run(&arguments), "killed");
        assert!(
            stderr.contains("core module 0 was not optimized: "),
            "{stderr}"
        );
        assert!(stderr.contains(name), "{stderr}");
    }
    // A shell in between reports the signal as an exit code.
    sandbox.fake_optimizer("sh -c 'kill -KILL $$'");
    machines_fault(&sandbox, &sandbox.run(&arguments), "killed");
    // Without `/dev/stdin`, Binaryen cannot read.
    sandbox.fake_optimizer("echo \"Fatal: Failed opening '/dev/stdin'\" >&2; exit 1");
    let stderr = machines_fault(&sandbox, &sandbox.run(&arguments), "worker");
    assert!(stderr.contains("Failed opening '/dev/stdin'"), "{stderr}");
    // The user's program failed, not one of edgec's.
    sandbox.fake_optimizer("no-such-program");
    let stderr = machines_fault(&sandbox, &sandbox.run(&arguments), "worker");
    let hint = "  hint: `./wasm-opt` is the program that --wasm-opt names";
    assert!(
        stderr.contains("not found") && stderr.contains(hint),
        "{stderr}"
    );
    // The optimizer is killed once, and succeeds at the second attempt. The bytes are those of an
    // undisturbed build.
    let turns = Turns::of(&sandbox, "kill -KILL $$");
    let arguments = [BUILD, &["-O2", "--wasm-opt", PROGRAM, &hello]].concat();
    let output = sandbox.run(&arguments);
    assert!(output.status.success(), "{output:?}");
    // Three modules, and one of them twice.
    assert_eq!(turns.taken(), 4);
    assert!(output.stderr.is_empty(), "{output:?}");
    let shaken = sandbox.read("a.cwasm");
    sandbox.fake_optimizer_at(PROGRAM, "cat");
    sandbox.ok(&arguments);
    assert_eq!(sandbox.read("a.cwasm"), shaken);
}

#[test]
fn an_optimizer_without_time_or_memory_fails_the_build() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let arguments = [
        BUILD,
        &[
            "-O2",
            "--wasm-opt",
            "./wasm-opt",
            "--optimizer-timeout",
            "1",
            &hello,
        ],
    ]
    .concat();
    for (body, code, says) in [
        ("exec sleep 100", "optimize-timeout", "--optimizer-timeout"),
        (
            "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$",
            "optimize-memory",
            "--worker-memory",
        ),
    ] {
        sandbox.fake_optimizer(body);
        let output = sandbox.run(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(&format!("error[{code}]: ")), "{stderr}");
        assert!(
            stderr.contains(says) && stderr.contains("--keep-module 0"),
            "{stderr}"
        );
        assert!(!sandbox.path().join("a.cwasm").exists());
    }
}

/// The option that the error suggests works.
#[test]
fn a_module_that_is_spared_is_left_as_it_is() {
    let sandbox = Sandbox::new();
    let hello = hello();
    sandbox.fake_optimizer("kill -KILL $$");
    let fake = ["--wasm-opt", "./wasm-opt"];
    let build = [BUILD, &["-O2"], &fake].concat();
    let spare = ["--keep-module", "0,1", "--keep-module=2", &hello];
    let output = sandbox.run(&[&build[..], &spare].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let json = sandbox.ok(&["inspect", "a.cwasm", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let stages = report["manifest"]["builder"]["stages"].as_array().unwrap();
    let optimize = stages.iter().find(|stage| stage["name"] == "optimize");
    assert_eq!(optimize.unwrap()["settings"]["modulesKept"], "0-2");
    let verify = ["verify", "-q", "--key", "key.pub.pem", "a.cwasm"];
    sandbox.ok(&[&verify[..], &["--rebuild", &hello], &fake].concat());
    sandbox.fake_optimizer("cat");
    let stderr = sandbox.fails(2, &[&build[..], &["--keep-module", "3", &hello]].concat());
    assert!(stderr.starts_with("error[keep-module]: "), "{stderr}");
    assert!(
        stderr.contains("no core module 3: the program has 3 core modules"),
        "{stderr}"
    );
}

/// A build in which the compiler takes a long time.
fn long_build(sandbox: &Sandbox) -> Command {
    sandbox.write("bomb.wasm", loops_around_variables(2000));
    sandbox.command(&[BUILD, &["-O0", "bomb.wasm"]].concat())
}

/// Runs a command, and sends this signal to the worker with this verb.
fn killed(mut command: Command, verb: &str, signal: Signal) -> Output {
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let worker = loop {
        let found = children(child.id()).into_iter().find(|child| {
            let line = std::fs::read(format!("/proc/{child}/cmdline"));
            line.is_ok_and(|line| {
                line.split(|byte| *byte == 0)
                    .any(|it| it == verb.as_bytes())
            })
        });
        match found {
            Some(worker) => break worker,
            None if begin.elapsed() > Duration::from_secs(60) => panic!("no worker"),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let worker = Pid::from_raw(i32::try_from(worker).unwrap()).unwrap();
    kill_process(worker, signal).unwrap();
    child.wait_with_output().unwrap()
}

/// The real worker, and a real signal.
#[test]
fn a_compiler_that_is_killed_is_no_defect_of_the_engine() {
    let sandbox = Sandbox::new();
    for (signal, name) in [(Signal::KILL, "SIGKILL"), (Signal::TERM, "SIGTERM")] {
        let output = killed(long_build(&sandbox), "__precompile", signal);
        let stderr = machines_fault(&sandbox, &output, "killed");
        assert!(
            stderr.contains(name) && !stderr.contains("defect"),
            "{stderr}"
        );
    }
}

/// If a worker finds a defect in itself, it ends itself by this signal.
#[test]
fn a_worker_that_crashes_is_named() {
    let sandbox = Sandbox::new();
    let many = format!("(module{})", "(func)".repeat(900_000));
    sandbox.write("many.wat", many);
    let validate = sandbox.command(&["validate", "many.wat"]);
    for (command, verb, begins) in [
        (
            long_build(&sandbox),
            "__precompile",
            "error[compile-crash]: bomb.wasm: ",
        ),
        (validate, "__front-end", "error[validate-crash]: many.wat: "),
    ] {
        let output = killed(command, verb, Signal::ABORT);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(begins), "{stderr}");
        assert!(
            stderr.contains("SIGABRT") && stderr.contains("please report it"),
            "{stderr}"
        );
        assert!(!sandbox.path().join("a.cwasm").exists());
    }
}

#[test]
fn a_temporary_folder_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    let hello = hello();
    for (folder, says) in [
        ("/nonexistent/folder", "No such file or directory"),
        ("./file", "ot a directory"),
        ("/proc", ""),
    ] {
        for level in ["-O0", "-O2"] {
            let mut command = sandbox.command(&[BUILD, &[level, &hello]].concat());
            let output = command.env("TMPDIR", folder).output().unwrap();
            let stderr = machines_fault(&sandbox, &output, "temporary-folder");
            let place = format!("cannot write a temporary file in {folder}: ");
            assert!(stderr.contains(&place) && stderr.contains(says), "{stderr}");
            assert!(stderr.contains("TMPDIR"), "{stderr}");
        }
    }
    // Verbs that read artifacts start processes too.
    sandbox.hello();
    let mut command = sandbox.command(&["audit", "hello.cwasm"]);
    let output = command.env("TMPDIR", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.starts_with("error[temporary-folder]: hello.cwasm: "),
        "{stderr}"
    );
}

/// The folder is so full that the input does not fit, or that the input fits but an answer would
/// not. An answer does not go through the folder.
#[test]
fn a_full_temporary_folder_is_named_or_does_not_matter() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox, 64) else {
        return;
    };
    let hello = hello();
    sandbox.ok(&[BUILD, &[hello.as_str()]].concat());
    let whole = sandbox.read("a.cwasm");
    std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
    let mut full = 0;
    for room in [0, 4, 8, 16, 24, 32, 48] {
        sandbox.write("disk/filler", vec![1; (64 - room) << 10]);
        let mut command = sandbox.command(&[BUILD, &[hello.as_str()]].concat());
        let output = command.env("TMPDIR", disk.path()).output().unwrap();
        if output.status.success() {
            assert!(output.stderr.is_empty(), "{output:?}");
            assert_eq!(sandbox.read("a.cwasm"), whole, "{room} KiB");
            std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
            continue;
        }
        full += 1;
        let stderr = machines_fault(&sandbox, &output, "temporary-folder");
        assert!(stderr.contains("No space left on device"), "{stderr}");
        assert!(
            stderr.contains(&disk.path().display().to_string()),
            "{stderr}"
        );
    }
    assert!(full > 0);
}

#[test]
fn limits_are_named() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let build = [BUILD, &["-O0", &hello]].concat();
    let stderr = machines_fault(&sandbox, &after(&sandbox, "ulimit -f 4", &build), "limit");
    assert!(stderr.contains("`ulimit -f`"), "{stderr}");

    // The limits are close to the number of files that are open when a process starts.
    let mut met = 0;
    for files in 5..14 {
        let output = after(&sandbox, &format!("ulimit -n {files}"), &build);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap(),
            // The system's loader failed before the program began.
            Some(127) => {}
            code => {
                assert_eq!(code, Some(3), "{files}: {stderr}");
                met += usize::from(stderr.contains("`ulimit -n`"));
            }
        }
    }
    assert!(met > 0);

    sandbox.write("bomb.wasm", loops_around_variables(2000));
    let large = [BUILD, &["-O0", "bomb.wasm"]].concat();
    let stderr = machines_fault(&sandbox, &after(&sandbox, "ulimit -t 1", &large), "limit");
    assert!(stderr.contains("`ulimit -t`"), "{stderr}");

    for limit in ["ulimit -d 200000", "ulimit -v 800000"] {
        let stderr = machines_fault(&sandbox, &after(&sandbox, limit, &large), "limit");
        assert!(stderr.contains("`ulimit -v` or `ulimit -d`"), "{stderr}");
    }
}

/// If a tool gets no memory for its threads, it fails at once, or is found to be stuck after half a
/// minute. It does not wait for the time limit of the optimizer, and the input is not blamed.
#[test]
fn little_memory_is_named_or_enough() {
    let sandbox = Sandbox::new();
    let hello = hello();
    // More than half a minute, and less than the ten minutes of the default limit.
    let build = [BUILD, &["-O2", "--optimizer-timeout", "120", &hello]].concat();
    sandbox.ok(&build);
    let whole = sandbox.read("a.cwasm");
    // Binaryen gives the same bytes without threads.
    let mut command = sandbox.command(&build);
    let output = command.env("BINARYEN_CORES", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(sandbox.read("a.cwasm"), whole);

    let data = [4000, 6000, 10_000]
        .into_iter()
        .chain((14..25).map(|it| it * 1000));
    let data = data.map(|kibibytes| format!("ulimit -d {kibibytes}"));
    let space = (18..24).map(|it| format!("ulimit -v {}", it * 10_000));
    let mut met = 0;
    for limit in data.chain(space) {
        let _ = std::fs::remove_file(sandbox.path().join("a.cwasm"));
        let output = after(&sandbox, &limit, &build);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => assert_eq!(sandbox.read("a.cwasm"), whole, "{limit}"),
            // edgec's own process got no memory, so it could not say more.
            None => {
                let runtime = ["memory allocation of", "failed to initiate panic"];
                let said = runtime.iter().any(|said| stderr.contains(said));
                assert!(said, "{limit}: {stderr}");
            }
            Some(_) => {
                let stderr = machines_fault(&sandbox, &output, "limit");
                met += usize::from(stderr.contains("`ulimit -v` or `ulimit -d`"));
            }
        }
    }
    assert!(met > 0);
}

/// If a message cannot be printed, neither the exit code nor any file changes.
#[test]
fn standard_error_may_be_full_or_closed() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.wat", "(module (func (result i32)))");
    let hello = hello();
    let full = || {
        let file = std::fs::OpenOptions::new().write(true).open("/dev/full");
        Stdio::from(file.unwrap())
    };
    // No process reads this pipe.
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    let streams: [&dyn Fn() -> Stdio; 2] = [&full, &closed];
    sandbox.fake_optimizer("echo 'Assertion failed' >&2; kill -ABRT $$");
    let warns = [BUILD, &["-O2", "--wasm-opt", "./wasm-opt", &hello]].concat();
    for stderr in streams {
        for (arguments, exit) in [
            (&["validate", "bad.wat"][..], 1),
            (&["validate", "bad.wat", "--format", "json"], 1),
            (&["build", "bad.wat", "--key", "key.pem"], 1),
            (
                &["build", "bad.wat", "--key", "key.pem", "--format", "json"],
                1,
            ),
            (&["build", "bad.wat", "--key", "missing.pem"], 3),
            (&["build", "bad.wat", "-t", "sparc", "--key", "key.pem"], 2),
            (&["build", "--no-such-option"], 2),
            (&["verify", "bad.wat", "--key", "key.pub.pem"], 1),
        ] {
            let mut command = sandbox.command(arguments);
            command.stdout(Stdio::null()).stderr(stderr());
            let status = command.status().unwrap();
            assert_eq!(status.code(), Some(exit), "{arguments:?}");
        }
        // A build that only has a warning to print succeeds.
        let mut command = sandbox.command(&warns);
        let status = command.stderr(stderr()).status().unwrap();
        assert!(status.success(), "{status}");
        std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
        // If the requested output cannot be printed, this is still an error.
        let mut command = sandbox.command(&["targets"]);
        let status = command.stdout(full()).stderr(stderr()).status().unwrap();
        assert_eq!(status.code(), Some(3));
    }
}

/// Root has no limit on processes, so this runs as another user.
#[test]
fn a_limit_on_processes_is_named() {
    if !root_becomes_user() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module (func (export \"f\")))");
    let own = give(&sandbox);
    let mut met = 0;
    for processes in 1..8 {
        let mut command = as_user("sh");
        isolate(&mut command, sandbox.path());
        // Dash has another letter for this limit.
        let script = format!(
            "ulimit -u {processes} 2>/dev/null || ulimit -p {processes}; exec {} \"$@\"",
            own.display()
        );
        command
            .args(["-c", &script, "sh"])
            .args([BUILD, &["in.wat"]].concat());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap(),
            code => {
                assert_eq!(code, Some(3), "{processes}: {stderr}");
                assert!(stderr.contains("`ulimit -u`"), "{processes}: {stderr}");
                met += 1;
            }
        }
    }
    assert!(met > 0);
}

/// If threads do not start because memory is missing, the error names memory.
#[test]
fn a_low_limit_on_memory_is_named() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let mut met = 0;
    for kibibytes in [4000, 8000, 12000, 16000, 20000, 24000] {
        let limit = format!("ulimit -d {kibibytes}");
        let output = after(&sandbox, &limit, &[BUILD, &[hello.as_str()]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("`ulimit -u`"), "{limit}: {stderr}");
        match output.status.success() {
            true => std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap(),
            false => met += usize::from(stderr.contains("`ulimit -v` or `ulimit -d`")),
        }
    }
    assert!(met > 0);
}
