//! The command line itself: names, places, versions and help.
//!
//! More than 400 lines: a quarter of it is one table of values.

use std::process::Stdio;

use edgec_tests::{Sandbox, fifo, hello, words};
use serde_json::Value;

#[test]
fn the_version_names_engine_and_optimizer() {
    let sandbox = Sandbox::empty();
    let engine = edgec_compiler::ENGINE_VERSION;
    let optimizer = edgec_compiler::BINARYEN_VERSION;
    let line = format!("edgec 0.1.0 (wasmtime {engine}, binaryen {optimizer})\n");
    for arguments in ["--version", "-V"] {
        assert_eq!(sandbox.ok(&[arguments]), line);
    }
    let text = sandbox.ok(&["version"]);
    for part in ["edgec 0.1.0", "wasmtime", engine, "binaryen", optimizer] {
        assert!(text.contains(part), "{text}");
    }
    let json = sandbox.ok(&["version", "--format", "json"]);
    let versions: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(versions["edgec"], "0.1.0");
    assert_eq!(versions["format"], 1);
    let tools = versions["tools"].as_array().unwrap();
    let wasmtime = tools
        .iter()
        .find(|tool| tool["name"] == "wasmtime")
        .unwrap();
    assert_eq!(wasmtime["version"], engine);
}

#[test]
fn help_is_short_or_long() {
    let sandbox = Sandbox::empty();
    for verb in ["build", "verify", "sign", "run", "validate", "store"] {
        let verb: &[&str] = match verb {
            "store" => &["store", "add"],
            _ => &[verb],
        };
        let short = sandbox.ok(&[verb, &["-h"]].concat());
        let long = sandbox.ok(&[verb, &["--help"]].concat());
        // Columns of the short form have room for the longest option.
        let words = |text: &str| text.split_whitespace().count();
        assert!(words(&short) < words(&long), "{verb:?}");
        assert!(long.contains("\nExamples:\n  "), "{long}");
        assert!(!short.contains("Examples:"), "{short}");
    }
    // Each option is under its own heading.
    let verify = sandbox.ok(&["verify", "-h"]);
    let under = |option: &str| {
        let before = &verify[..verify
            .find(option)
            .unwrap_or_else(|| panic!("{option}: {verify}"))];
        let heading = before
            .lines()
            .rev()
            .find(|line| line.ends_with(':') && !line.starts_with(' '));
        heading.unwrap().to_owned()
    };
    assert_eq!(under("--format"), "Output:");
    assert_eq!(under("--trust "), "Trust:");
    assert_eq!(under("--rebuild"), "Rebuilding:");
    assert_eq!(under("--wasm-opt"), "Limits and tools:");
}

/// An option of edgec may follow the artifact. `--help` there belongs to the program, as in
/// `wasmtime run`. After `--`, nothing is an option of edgec.
#[test]
fn the_help_of_run_says_where_the_program_s_arguments_go() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok(&["run", "--help"]);
    assert!(help.contains("app.cwasm -- \"$@\""), "{help}");
    sandbox.hello();
    let run = ["run", "--key", "key.pub.pem", "hello.cwasm"];
    let usual = sandbox.ok(&run);
    for word in ["--help", "-h", "--dir=/nonexistent", "--env=NOT_SET"] {
        assert_eq!(sandbox.ok(&[&run[..], &["--", word]].concat()), usual);
    }
    for word in ["--help", "-h", "-hh", "--help=x", "--version"] {
        assert_eq!(sandbox.ok(&[&run[..], &[word]].concat()), usual, "{word}");
    }
    let behind = ["run", "hello.cwasm", "--key", "key.pub.pem", "--help"];
    assert_eq!(sandbox.ok(&behind), usual);
    assert_eq!(sandbox.ok(&["run", "--help", "hello.cwasm"]), help);
    let stderr = sandbox.fails(2, &["run", "hello.cwasm", "--help"]);
    assert!(stderr.starts_with("error[no-trust]: "), "{stderr}");
    assert!(stderr.contains("hint: `edgec run --help` "), "{stderr}");
    sandbox.fails(3, &[&run[..], &["--dir=/nonexistent"]].concat());
}

/// Redirected input has no name, and edgec does not invent one.
#[cfg(unix)]
#[test]
fn an_input_without_a_name_wants_one() {
    let sandbox = Sandbox::new();
    let build = |input: &str, more: &[&str]| {
        let arguments = [
            &["build", "-q", input, "-t", "x86_64", "--key", "key.pem"][..],
            more,
        ]
        .concat();
        let mut command = sandbox.command(&arguments);
        let file = std::fs::File::open(hello()).unwrap();
        command.stdin(Stdio::from(file)).output().unwrap()
    };
    for input in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let output = build(input, &["-o", "a.cwasm"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.starts_with(&format!("error[name]: {input}: ")),
            "{stderr}"
        );
        assert!(
            stderr.contains("hint: name the application with --name"),
            "{stderr}"
        );
        let named = build(input, &["-o", "a.cwasm", "--name", "hello"]);
        assert!(named.status.success(), "{named:?}");
        let shown = sandbox.ok(&["inspect", "a.cwasm"]);
        assert!(shown.contains("hello"), "{shown}");
        std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
    }
    // A pipe with a name, like `<(…)` in a shell.
    fifo(&sandbox.path().join("pipe.wasm"));
    let output = build("pipe.wasm", &["-o", "a.cwasm"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.starts_with("error[name]: pipe.wasm: ") && stderr.contains("a pipe or a device"),
        "{stderr}"
    );
}

/// The error says what an option takes, in words that users know.
#[test]
fn values_of_options_are_explained() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module)");
    for (option, value, says) in [
        ("--app-version", "1.2.3", "--display-version takes"),
        ("--app-version", "v7", "a whole number"),
        (
            "--app-version",
            "9007199254740992",
            "write a number from 0 to ",
        ),
        ("--worker-memory", "8G", "a whole number of MiB"),
        (
            "--worker-memory",
            "60",
            "write a number from 64 to 1073741824: a whole number of MiB",
        ),
        (
            "--compile-timeout",
            "18446744073709551615",
            "write a number from 1 to 86400: a whole number of seconds",
        ),
        (
            "--optimizer-timeout",
            "18446744073709551615",
            "write a number from 1 to 86400: a whole number of seconds",
        ),
        ("--compile-timeout", "5s", "a whole number of seconds"),
        ("--compile-timeout", "0", "write a number from 1 to 86400"),
        ("--optimizer-timeout", "1.5", "a whole number of seconds"),
        ("--signer-timeout", "1m", "a whole number of seconds"),
        ("--keep-module", "0,x", "the number of a core module"),
        ("--issued", "soon", "2030-01-31T12:00:00+02:00"),
        ("--issued", "1893456000000", "after the year 9999"),
        ("--issued", "2026", "before 1973: write a date such as"),
        ("--issued", "20260101", "before 1973"),
        ("--not-before", "2026", "before 1973"),
        ("--expires", "20260101", "before 1973"),
        ("--not-before", "1893456000000", "seconds, not milliseconds"),
        ("--expires", "4102444800000", "seconds, not milliseconds"),
        ("--expires", "+99999999d", "after the year 9999"),
        ("--expires", "90d", "write +90d"),
        ("--expires", "+1y", "write +365d"),
        ("--expires", "soon", "write 2030-01-31, "),
    ] {
        let stderr = sandbox.fails(2, &["build", "in.wat", "--key", "key.pem", option, value]);
        let begins = format!(
            "error: invalid value '{}' for '{option} <",
            value.trim_start_matches("0,")
        );
        assert!(stderr.starts_with(&begins), "{option} {value}: {stderr}");
        assert!(stderr.contains(says), "{option} {value}: {stderr}");
        assert!(!stderr.contains("digit"), "{stderr}");
    }
    let store = ["store", "--store", "store"];
    for (arguments, option, value, says) in [
        (
            &["use", "app"][..],
            "--app-version",
            "v7",
            "`edgec store ls`",
        ),
        (&["rm", "app"], "--app-version", "1.2", "a whole number"),
        (
            &["path", "app"],
            "--app-version",
            "9007199254740992",
            "write a number from 0 to ",
        ),
        (&["plan"], "--instances", "many", "a whole number"),
        (&["plan"], "--instances", "0", "write a number from 1 to "),
        (&["plan"], "--memory", "4G", "a whole number of MiB"),
        (
            &["plan"],
            "--memory",
            "4097",
            "write a number from 1 to 4096",
        ),
    ] {
        let arguments = [&store[..], arguments, &[option, value]].concat();
        let stderr = sandbox.fails(2, &arguments);
        let begins = format!("error: invalid value '{value}' for '{option} <");
        assert!(stderr.starts_with(&begins), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    for arguments in [
        ["diff", "a", "b", "--most=x"],
        ["inspect", "a", "--signature", "x"],
    ] {
        let stderr = sandbox.fails(2, &arguments);
        assert!(stderr.contains(": write a whole number"), "{stderr}");
    }
    let long = "x".repeat(1025);
    let build = ["build", "in.wat", "--key", "key.pem", "--display-version"];
    let stderr = sandbox.fails(2, &[&build[..], &[long.as_str()]].concat());
    let says = "error[display-version]: --display-version has 1025 bytes, and 1024 is the limit";
    assert!(stderr.starts_with(says), "{stderr}");
    // Milliseconds in the variable for builders, and an expiry that lies before it.
    for (date, expires, says) in [
        ("1893456000000", "+90d", "seconds, not milliseconds"),
        (
            "today",
            "+90d",
            "error[source-date]: SOURCE_DATE_EPOCH: not a number",
        ),
        (
            "253402300799",
            "2999-01-01",
            "SOURCE_DATE_EPOCH (9999-12-31T23:59:59Z)",
        ),
    ] {
        let arguments = ["build", "in.wat", "--key", "key.pem", "--expires", expires];
        let mut command = sandbox.command(&arguments);
        let output = command.env("SOURCE_DATE_EPOCH", date).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

/// A date, a time with an offset from UTC, and seconds are the same point in time.
#[test]
fn times_have_several_forms() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module)");
    for time in [
        "4102444800",
        "2100-01-01",
        "2100-01-01T00:00:00Z",
        "2100-01-01T02:00:00+02:00",
        "2099-12-31T18:30:00-05:30",
    ] {
        let build = words("build -q in.wat -t x86_64 --key key.pem -o a.cwasm");
        let times = ["--expires", time, "--issued", "2030-01-01T00:00:00+01:00"];
        sandbox.ok(&[&build[..], &times].concat());
        let shown = sandbox.ok(&["inspect", "a.cwasm"]);
        assert!(
            shown.contains("until 2100-01-01T00:00:00Z"),
            "{time}: {shown}"
        );
        assert!(
            shown.contains("issued 2029-12-31T23:00:00Z"),
            "{time}: {shown}"
        );
    }
}

#[test]
fn a_name_with_an_ending_is_a_file_and_one_without_a_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module)");
    let build = ["build", "-q", "in.wat", "--key", "key.pem", "-o"];
    let error = sandbox.fails(2, &[&build[..], &["x.cwasm"]].concat());
    assert!(
        error.starts_with("error[output]: x.cwasm: 2 artifacts do not fit into one file"),
        "{error}"
    );
    assert!(
        error.contains("hint: name a folder, such as x.cwasm/"),
        "{error}"
    );
    assert!(!sandbox.path().join("x.cwasm").exists());
    let one = ["-t", "x86_64"];
    for (output, file) in [
        ("oo", "oo/in.x86_64.cwasm"),
        ("release-1.2", "release-1.2/in.x86_64.cwasm"),
        ("d.cwasm/", "d.cwasm/in.x86_64.cwasm"),
        ("app.cwasm", "app.cwasm"),
        ("new/app.bin", "new/app.bin"),
    ] {
        sandbox.ok(&[&build[..], &[output], &one].concat());
        assert!(sandbox.path().join(file).is_file(), "{output}");
    }
    // An existing artifact is replaced, and stays a file.
    std::fs::rename(sandbox.path().join("app.cwasm"), sandbox.path().join("old")).unwrap();
    sandbox.ok(&[&build[..], &["old"], &one, &["-O0"]].concat());
    assert_ne!(sandbox.read("old"), sandbox.read("oo/in.x86_64.cwasm"));
}

/// A backtrace of edgec's own code is of no use to its users.
#[test]
fn backtraces_are_not_for_users() {
    let sandbox = Sandbox::new();
    sandbox.write("trap.wat", TRAP);
    sandbox.write("bad.wat", "(module (func (result i32)))");
    sandbox.build("trap.wat", std::env::consts::ARCH, "trap.cwasm");
    for arguments in [
        &["run", "--key", "key.pub.pem", "trap.cwasm"][..],
        &["build", "bad.wat", "--key", "key.pem"],
        &["build", "missing.wat", "--key", "key.pem"],
        &["inspect", "bad.wat"],
        &["__lint"],
    ] {
        let plain = sandbox.run(arguments);
        for value in ["1", "full"] {
            let mut command = sandbox.command(arguments);
            command
                .env("RUST_BACKTRACE", value)
                .env("RUST_LIB_BACKTRACE", value);
            let with = command.output().unwrap();
            assert_eq!(with.status.code(), plain.status.code(), "{arguments:?}");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(&with.stdout), text(&plain.stdout), "{arguments:?}");
            assert_eq!(text(&with.stderr), text(&plain.stderr), "{arguments:?}");
        }
    }
}

/// Help and version are requested output, like the output of every verb.
#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_printed_is_an_error() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help"],
        &["build", "-h"],
        &["store", "add", "--help"],
    ] {
        let mut command = sandbox.command(arguments);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = command.stdout(full.unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.starts_with("error[io]: cannot write to standard output: No space left"),
            "{arguments:?}: {stderr}"
        );
        // Without a reader, nothing can be reported.
        let mut command = sandbox.command(arguments);
        let closed = std::io::pipe().unwrap().1;
        let output = command.stdout(closed).output().unwrap();
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

/// A command that traps.
pub(crate) const TRAP: &str = r#"(component
    (core module $m (func (export "run") (result i32) unreachable))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $exports (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $exports)))"#;

/// Folders in which no file can be made, as outputs.
#[cfg(target_os = "linux")]
#[test]
fn an_output_folder_that_takes_nothing_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module)");
    for (output, path) in [
        ("/proc/nowhere/", "/proc/nowhere"),
        ("/sys/kernel/", "/sys/kernel"),
    ] {
        let arguments = [
            "build", "in.wat", "-t", "x86_64", "--key", "key.pem", "-o", output,
        ];
        let error = sandbox.fails(3, &arguments);
        assert!(error.starts_with(&format!("error[io]: {path}")), "{error}");
        assert!(error.contains(": cannot "), "{error}");
    }
}

/// The parser's own tips would put these after `--`, where they would be names of files.
#[test]
fn tips_lead_on() {
    let sandbox = Sandbox::new();
    let build = ["build", "in.wat", "--key", "key.pem"];
    let behind = "'--host' took everything after it: put <ARTIFACT>... before '--host', or";
    for (line, tip) in [
        (
            &[&build[..], &["--expires", "-90d"]].concat()[..],
            "a value of '--expires' that begins with '-' is written '--expires=VALUE'",
        ),
        (
            &[&build[..], &["--app-version", "-1"]].concat(),
            "a value of '--app-version' that begins with '-' is written '--app-version=VALUE'",
        ),
        (&["build", "in.wat", "--kye", "key.pem"], "'--key'"),
        (&["verify", "a.cwasm", "--turst", "p.toml"], "'--trust'"),
        (
            &["run", "--key", "key.pub.pem", "--bogus", "app.cwasm"],
            "after the artifact: edgec run ARTIFACT -- ARGUMENTS",
        ),
        (
            &["verify", "--key", "key.pub.pem", "--host", "a.cwasm"],
            behind,
        ),
        (&["check", "--host", "x.toml", "a.cwasm"], behind),
    ] {
        let stderr = sandbox.fails(2, line);
        let tips = stderr
            .lines()
            .filter_map(|line| line.strip_prefix("  tip: "));
        let tips: Vec<&str> = tips.collect();
        assert!(
            matches!(&tips[..], [only] if only.contains(tip)),
            "{line:?}: {stderr}"
        );
        assert!(!stderr.contains("to pass '"), "{stderr}");
    }
    // No option has a similar name, and no file begins with a dash.
    for unknown in ["--bogus", "-x"] {
        let stderr = sandbox.fails(2, &[&build[..], &[unknown]].concat());
        assert!(!stderr.contains("tip: "), "{stderr}");
    }
    let stderr = sandbox.fails(2, &["store", "--key", "key.pub.pem", "add"]);
    assert!(stderr.contains("  tip: 'add --key' exists\n"), "{stderr}");
    let json = ["check", "--format", "json", "--host", "x.toml", "a.cwasm"];
    let output = sandbox.run(&json);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let hint = document["error"]["hint"].as_str().unwrap();
    assert!(hint.starts_with(behind), "{hint}");
}

#[test]
fn the_store_is_listed_by_either_name() {
    let sandbox = Sandbox::new();
    for verb in ["ls", "list"] {
        let stderr = sandbox.fails(2, &["store", verb]);
        assert!(
            stderr.starts_with("error[store]: no store is named"),
            "{stderr}"
        );
    }
    assert!(sandbox.ok(&["store", "--help"]).contains("[alias: list]"));
}

#[test]
fn one_advisory_is_shown_with_what_to_do() {
    let sandbox = Sandbox::new();
    let text = sandbox.ok(&["advisories", "ghsa-mghf-wjfp-p5xm"]);
    assert_eq!(text.matches("source").count(), 1, "{text}");
    assert!(text.contains("wasmtime 48.0.7 has the fix"), "{text}");
    let text = sandbox.ok(&["advisories", "EDGEC-2026-0002"]);
    assert!(text.contains("no wasmtime 48 has the fix"), "{text}");
}
