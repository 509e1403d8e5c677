//! `edgec run`: what it cannot give to a program.

use edgec_tests::publisher::Publisher;
use edgec_tests::{Sandbox, words};

/// A sandbox, and the command line that runs its program with more options.
fn sandbox() -> (Sandbox, impl Fn(&[&'static str]) -> Vec<&'static str>) {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let run = |more: &[&'static str]| {
        let run = ["run", "--key", "key.pub.pem", "hello.cwasm"];
        [&run[..], more].concat()
    };
    (sandbox, run)
}

#[test]
fn what_is_not_there_is_named() {
    let (sandbox, run) = sandbox();
    for (more, code, says) in [
        (
            ["--env", "EDGEC_TEST_ABSENT"],
            2,
            "error[env]: --env EDGEC_TEST_ABSENT: the variable is not set\n  hint: set it",
        ),
        (
            ["--env", "="],
            2,
            "error[env]: --env: the variable has no name\n  hint: write --env NAME=VALUE",
        ),
        (
            ["--env", "=hunter2"],
            2,
            "error[env]: --env: the variable has no name\n  hint: write --env NAME=VALUE",
        ),
        (
            ["--env", ""],
            2,
            "error[env]: --env: the variable has no name\n  hint: write --env NAME=VALUE",
        ),
        (
            ["--dir", "missing"],
            3,
            "error[dir]: --dir missing: cannot open: No such file",
        ),
    ] {
        let stderr = sandbox.fails(code, &run(&more));
        assert!(stderr.starts_with(says), "{stderr}");
    }
}

/// WASI has UTF-8 only. The value of a variable may be a secret.
#[cfg(unix)]
#[test]
fn what_is_not_text_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let (sandbox, run) = sandbox();
    let value = OsStr::from_bytes(b"hunter2\xff");
    let mut argument = sandbox.command(&run(&[]));
    argument.arg(value);
    let mut variable = sandbox.command(&run(&["--env", "EDGEC_TEST"]));
    variable.env("EDGEC_TEST", value);
    for (mut command, says) in [
        (argument, "error[argument]: "),
        (
            variable,
            "error[env]: --env EDGEC_TEST: the variable is not UTF-8 text\n",
        ),
    ] {
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with(says), "{stderr}");
        if says.contains("[env]") {
            assert!(!stderr.contains("hunter2"), "{stderr}");
        }
    }
}

/// In a log of many programs, the message names the program.
#[test]
fn a_trap_names_the_program() {
    let sandbox = Sandbox::new();
    sandbox.write("trap.wat", crate::usage::TRAP);
    sandbox.build("trap.wat", std::env::consts::ARCH, "trap.cwasm");
    let stderr = sandbox.fails(134, &["run", "--key", "key.pub.pem", "trap.cwasm"]);
    let says = "error[trap]: trap.cwasm: the program trapped\n";
    assert!(stderr.starts_with(says), "{stderr}");
}

/// Statements are options of edgec, so they come before the program's own arguments.
#[test]
fn a_statement_after_the_programs_arguments_is_the_programs() {
    let publisher = Publisher::new();
    let run = format!(
        "run --trust edgec-trust.toml 1/hello.{}.cwasm",
        std::env::consts::ARCH
    );
    let statements = "--release 1.release.json --timestamp 1.timestamp.json";
    publisher.ok(&format!("{run} {statements}"));
    for (arguments, says) in [
        (
            "--release 1.release.json word --timestamp 1.timestamp.json".to_owned(),
            "`--timestamp` after `word` was given to the program; put it before the artifact",
        ),
        (
            format!("word {statements}"),
            "`--release` after `word` was given to the program; put it before the artifact",
        ),
    ] {
        let error = publisher.0.fails(1, &words(&format!("{run} {arguments}")));
        assert!(error.contains(says), "{arguments}: {error}");
    }
    // A store has its own.
    let stored = format!("run --store s --trust edgec-trust.toml {statements} acme/hello");
    let error = publisher.0.fails(2, &words(&stored));
    assert!(error.contains("--release"), "{error}");
}
