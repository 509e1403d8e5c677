//! Debug files: what is removed from the image, and the results of `edgec symbolize`.

use std::io::Write as _;
use std::process::Stdio;

use edgec_tests::{Sandbox, repository};

const ARCH: &str = std::env::consts::ARCH;

/// Functions with names. One of them traps.
const TRAP: &str = r#"(module $app
    (memory (export "memory") 1)
    (func $fails (param i32) (result i32) local.get 0 i32.load offset=65535)
    (func (export "run") (param i32) (result i32) local.get 0 call $fails)
    (func $unnamed_by_nobody (export "other") (result i32) i32.const 7))"#;

fn build(sandbox: &Sandbox, input: &str, output: &str) {
    let fixed = [
        "build",
        "-q",
        "--key",
        "key.pem",
        "-t",
        ARCH,
        "--debug-file",
    ];
    sandbox.ok(&[&fixed[..], &["-o", output, input]].concat());
}

fn symbolize(sandbox: &Sandbox, debug: &str, text: &str) -> String {
    let mut command = sandbox.command(&["symbolize", debug]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_only_debugging_needs_is_beside_the_artifact() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    for profile in ["default", "edge"] {
        for target in ["x86_64", "aarch64"] {
            let output = format!("{profile}.{target}.cwasm");
            let arguments = ["--key", "key.pem", "-o", &output, "--profile", profile];
            sandbox.ok(&[&["build", "-q", "app.wat", "-t", target], &arguments[..]].concat());
            let report = sandbox.ok(&["inspect", "--format", "json", &output]);
            let report: serde_json::Value = serde_json::from_str(&report).unwrap();
            for section in report["sections"].as_array().unwrap() {
                let name = section["name"].as_str().unwrap();
                let unread = [
                    ".symtab",
                    ".strtab",
                    ".wasmtime.addrmap",
                    ".eh_frame",
                    ".name.wasm",
                ];
                assert!(!unread.contains(&name), "{output}: {name}");
            }
            // The image is the same with and without a debug file. The debug file is the same each
            // time.
            let image = sandbox.read(&output);
            let mut debug = Vec::new();
            for _ in 0..2 {
                let again = [&arguments[..], &["--debug-file"]].concat();
                sandbox.ok(&[&["build", "-q", "app.wat", "-t", target], &again[..]].concat());
                assert_eq!(sandbox.read(&output), image);
                debug.push(sandbox.read(&format!("{profile}.{target}.debug")));
            }
            assert_eq!(debug[0], debug[1]);
            // In the edge profile, functions that do not escape come last.
            let index = if profile == "edge" { 2 } else { 0 };
            let line = format!("<wasm function {index}>\n");
            let named = symbolize(&sandbox, &format!("{profile}.{target}.debug"), &line);
            let expected = format!("fails (core module 0 `app`, function {index})\n");
            assert_eq!(named, expected);
            let names = ["fails", "unnamed_by_nobody"];
            for name in names.map(str::as_bytes) {
                assert!(debug[0].windows(name.len()).any(|bytes| bytes == name));
                assert!(!image.windows(name.len()).any(|bytes| bytes == name));
            }
        }
    }
}

/// Adds names to the message of an unmodified Wasmtime when the program traps.
#[test]
#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn a_backtrace_of_stock_wasmtime_gets_its_names_back() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    build(&sandbox, "app.wat", "app.cwasm");
    let engine = wasmtime::Engine::default();
    let path = sandbox.path().join("app.cwasm");
    // SAFETY: the file was built a moment ago, and no process writes it.
    let module = unsafe { wasmtime::Module::deserialize_file(&engine, &path) }.unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run");
    let error = run.unwrap().call(&mut store, 1).unwrap_err();
    let trace = format!("{error:?}");
    assert!(trace.contains("<unknown>!<wasm function 0>"), "{trace}");
    let named = symbolize(&sandbox, "app.debug", &trace);
    let expected = [
        "    0: <unknown>!fails (core module 0 `app`, function 0)",
        "    1: <unknown>!<unnamed> (core module 0 `app`, function 1)",
    ];
    for line in expected {
        assert!(named.lines().any(|found| found == line), "{named}");
    }
    // Unknown lines stay unchanged.
    let other = "at f (/usr/lib/libc.so+0x1234)\n  7: <unknown>!<wasm function 99>\n";
    assert_eq!(symbolize(&sandbox, "app.debug", other), other);

    // The engine's own table of functions agrees with the debug file.
    for function in module.functions() {
        let address = format!("text+{:#x}", function.offset + 1);
        let named = sandbox.ok(&["symbolize", "app.debug", &address]);
        let index = format!("function {})", function.index.as_u32());
        assert!(named.contains(&index), "{named}");
        assert!(named.contains(" +0x1"), "{named}");
    }
    let text = module.text().len();
    let last = format!("text+{text:#x}");
    let outside = ["0x3f", "text+0xffffffffffffffff", &last].map(str::to_owned);
    for address in outside {
        let named = sandbox.ok(&["symbolize", "app.debug", &address]);
        assert!(named.ends_with("not in a function\n"), "{named}");
    }
}

/// A log may contain bytes of other programs, and may be long.
#[test]
fn a_backtrace_is_found_in_a_log() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    build(&sandbox, "app.wat", "app.cwasm");
    let mut log = b"another line\n".repeat(90_000);
    log.extend(b"caf\xe9\n  0: <unknown>!<wasm function 0>\n");
    let log = sandbox.write("log", log);
    let mut command = sandbox.command(&["symbolize", "app.debug"]);
    let output = command.stdin(std::fs::File::open(log).unwrap()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let named = String::from_utf8(output.stdout).unwrap();
    let end = "another line\ncaf\u{fffd}\n  0: <unknown>!fails (core module 0 `app`, function 0)\n";
    assert!(named.ends_with(end));
    assert_eq!(named.lines().count(), 90_002);
}

/// A place in the mapped file, in the form of `perf` and crash reports.
#[test]
fn a_place_in_the_file_is_one_in_the_code() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    build(&sandbox, "app.wat", "app.cwasm");
    let start = text_start(&sandbox, "app.cwasm");
    let within = |places: &str| {
        let named = sandbox.ok(&["symbolize", "app.debug", places, "--artifact", "app.cwasm"]);
        named.split_once("  ").unwrap().1.to_owned()
    };
    let named = within("text+0x1");
    assert!(named.contains("+0x1"), "{named}");
    assert_eq!(within(&format!("{:#x}", start + 1)), named);
    assert_eq!(within(&format!("/srv/app.cwasm+{:#x}", start + 1)), named);
    let line = format!("#1 0x7f (/srv/app.cwasm+{:#x})", start + 1);
    let found = symbolize(&sandbox, "app.debug", &format!("{line}\n"));
    assert_eq!(found, format!("{line}  {named}"));
    // In a function's body, and so somewhere in the WebAssembly.
    assert!(within("text+0x8").contains(", wasm offset 0x"));
}

/// Only places in the artifact get answers. If one place is in another file, the others still get
/// answers.
#[test]
fn a_wrong_address_costs_no_answers() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    build(&sandbox, "app.wat", "app.cwasm");
    for address in ["12", "0x", "0x+1", "0x12345678901234567", "text+", "a b"] {
        let stderr = sandbox.fails(1, &["symbolize", "app.debug", address]);
        let begins = format!("error[address]: {address}: not an address\n");
        assert!(stderr.starts_with(&begins), "{stderr}");
    }
    let named = sandbox.ok(&["symbolize", "app.debug", "text+0x1"]);
    let answer = named.split_once("  ").unwrap().1;
    let places = ["/usr/lib/libc.so.6+0x1234", "text+0x1", "12", "text+0x1"];
    let output = sandbox.run(&[&["symbolize", "app.debug"], &places[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let answers = String::from_utf8(output.stdout).unwrap();
    let line = format!("text+0x1  {answer}");
    assert_eq!(answers, line.repeat(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    for named in [places[0], places[2]] {
        let begins = format!("error[address]: {named}: ");
        assert!(errors.lines().any(|l| l.starts_with(&begins)), "{errors}");
    }

    // If the user names the artifact, no other artifact is accepted.
    let image = sandbox.ok(&["symbolize", "app.debug", "--artifact", "app.cwasm", "0x1"]);
    assert!(image.ends_with("not in a function\n"), "{image}");
    let known = ["symbolize", "app.debug", "--artifact", "app.cwasm"];
    for other in [
        "other.cwasm+0x1041",
        "my-app.cwasm+0x1041",
        "libc.so+0x1041",
    ] {
        let stderr = sandbox.fails(1, &[&known[..], &[other]].concat());
        assert!(stderr.contains("a place in another file"), "{stderr}");
    }
    // Another image of a store is refused, and the artifact's own image is accepted.
    let verified = sandbox.ok(&["verify", "--key", "key.pub.pem", "app.cwasm"]);
    let (_, digest) = verified.split_once("fs-verity ").unwrap();
    let (own, other) = (&digest[..64], "0".repeat(64));
    sandbox.ok(&["symbolize", "app.debug", &format!("/s/{own}.elf+0x1041")]);
    sandbox.fails(
        1,
        &["symbolize", "app.debug", &format!("/s/{other}.elf+0x1041")],
    );
    let trace = format!("#0 f+0x12 (/s/{other}.elf+0x1041)\n#1 /s/libc.so+0x1041\n");
    assert_eq!(symbolize(&sandbox, "app.debug", &trace), trace);
    let start = text_start(&sandbox, "app.cwasm");
    let line = format!("#0 f+0x12 (/s/{own}.elf+{:#x})", start + 1);
    let named = symbolize(&sandbox, "app.debug", &format!("{line}\n"));
    assert_eq!(named, format!("{line}  {answer}"));
}

/// Where the code begins in an artifact.
fn text_start(sandbox: &Sandbox, artifact: &str) -> u64 {
    let report = sandbox.ok(&["inspect", "--format", "json", artifact]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let sections = report["sections"].as_array().unwrap();
    let text = sections.iter().find(|section| section["name"] == ".text");
    text.unwrap()["offset"].as_u64().unwrap()
}

#[test]
fn the_wrong_file_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    build(&sandbox, "app.wat", "app.cwasm");
    sandbox.hello();
    let wrong = ["symbolize", "app.debug", "0x0", "--artifact", "hello.cwasm"];
    let stderr = sandbox.fails(1, &wrong);
    assert!(
        stderr.starts_with("error[build-id]: hello.cwasm: "),
        "{stderr}"
    );
    let wrong = ["symbolize", "app.debug", "0x0", "--artifact", "app.debug"];
    let stderr = sandbox.fails(1, &wrong);
    assert!(stderr.starts_with("error[layout]: app.debug: "), "{stderr}");

    let stderr = sandbox.fails(1, &["symbolize", "app.cwasm", "0x0"]);
    assert!(
        stderr.starts_with("error[debug-file]: app.cwasm: "),
        "{stderr}"
    );
    let mut changed = sandbox.read("app.debug");
    changed.push(0);
    sandbox.write("longer.debug", changed);
    let stderr = sandbox.fails(1, &["symbolize", "longer.debug", "0x0"]);
    assert!(
        stderr.contains("another program wrote or changed it"),
        "{stderr}"
    );

    let stderr = sandbox.fails(2, &["symbolize", "-"]);
    assert!(stderr.starts_with("error[stdin]"), "{stderr}");
    let named = ["build", "-q", "app.wat", "-t", ARCH, "--key", "key.pem"];
    let stderr = sandbox.fails(
        2,
        &[&named[..], &["--debug-file", "-o", "a.debug"]].concat(),
    );
    assert!(stderr.starts_with("error[output]: a.debug"), "{stderr}");
    // A debug file does not overwrite an input.
    std::fs::copy(
        sandbox.path().join("app.wat"),
        sandbox.path().join("in.debug"),
    )
    .unwrap();
    let over = ["build", "-q", "in.debug", "-t", ARCH, "--key", "key.pem"];
    let stderr = sandbox.fails(
        2,
        &[&over[..], &["--debug-file", "-o", "in.cwasm"]].concat(),
    );
    assert!(stderr.starts_with("error[output]: in.debug"), "{stderr}");
}

/// On aarch64, the 64 KiB of zeros before the code, and those after it, take no disk space.
#[cfg(unix)]
#[test]
fn zeros_are_holes() {
    use std::os::unix::fs::MetadataExt as _;
    let sandbox = Sandbox::new();
    let probe = std::fs::File::create(sandbox.path().join("probe")).unwrap();
    probe.set_len(1 << 20).unwrap();
    if probe.metadata().unwrap().blocks() != 0 {
        eprintln!("SKIPPED: this file system has no holes");
        return;
    }
    let hello = repository().join("examples/hello.wat");
    sandbox.build(hello.to_str().unwrap(), "aarch64", "hello.cwasm");
    let file = std::fs::metadata(sandbox.path().join("hello.cwasm")).unwrap();
    assert!(file.len() > 3 << 16, "{}", file.len());
    assert!(file.blocks() * 512 < 1 << 16, "{} blocks", file.blocks());
}
