//! Rows 38 to 40 of `docs/threat-model.md`: the build's inputs, tools, and output.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use edgec_tests::corpus::bombs::{bombs, loops_around_variables};
use edgec_tests::corpus::{GREETING, fails, refused};
use edgec_tests::disk::SmallDisk;
use edgec_tests::{OLD_ARTIFACT, Sandbox, binary, isolate, repository};

fn hello() -> Vec<u8> {
    wat::parse_file(repository().join("examples/hello.wat")).unwrap()
}

/// The binary, in a shell that first sets limits.
fn limited(sandbox: &Sandbox, limits: &str, arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    isolate(&mut shell, sandbox.path());
    let script = format!("{limits}; exec {} \"$@\"", binary().display());
    shell.args(["-c", &script, "sh"]).args(arguments);
    shell.output().unwrap()
}

/// The code of the only error on standard error.
fn code(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    // Warnings about modules that were not optimized may come first.
    let error = stderr.lines().find_map(|line| line.strip_prefix("error["));
    let code = error.and_then(|rest| rest.split(']').next());
    code.unwrap_or_else(|| panic!("no named error: {stderr}"))
        .to_owned()
}

const BUILD: &[&str] = &[
    "build", "-q", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
];

/// Row 38: every beginning of a program goes through the libraries, and one in sixteen through the
/// binary.
#[test]
fn row_38_truncated() {
    let sandbox = Sandbox::new();
    let wasm = hello();
    for len in 0..wasm.len() {
        try_all(&wasm[..len], false);
    }
    for len in (0..wasm.len()).step_by(16) {
        sandbox.write("in.wasm", &wasm[..len]);
        let output = sandbox.run(&[BUILD, &["in.wasm"]].concat());
        if len == 8 {
            assert!(output.status.success(), "an empty module is one");
            std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{len}: {output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = code(&output);
        assert!(
            code == "not-wasm" || code == "invalid" && stderr.contains("(at offset 0x"),
            "{len}: {stderr}"
        );
        assert_eq!(sandbox.files(), ["in.wasm", "key.pem", "key.pub.pem"]);
    }
}

/// Row 38: every bit of a program is changed. If the result is valid, it is compiled, in one of
/// eight cases.
#[test]
fn row_38_bit_flips() {
    let mut wasm = hello();
    for at in 0..wasm.len() {
        for bit in 0..8 {
            wasm[at] ^= 1 << bit;
            try_all(&wasm, bit == at % 8);
            wasm[at] ^= 1 << bit;
        }
    }
}

/// An error of any stage names a place, if it is about the binary. No stage panics.
fn try_all(wasm: &[u8], compile: bool) {
    use edgec_compiler::{
        AdaptError, EngineProfile, KindChoice, ValidateError, adapt, precompile, read,
    };
    let Ok(input) = read(wasm.to_vec()) else {
        return;
    };
    match adapt(input, KindChoice::Auto) {
        Ok(adapted) if compile => {
            let target = edgec_targets::find("x86_64").unwrap();
            let _ = precompile(&adapted.component, target, EngineProfile::Default);
        }
        Err(AdaptError::Invalid(error @ ValidateError::Invalid { .. })) => {
            assert!(error.to_string().contains("(at offset 0x"), "{error}");
        }
        _ => {}
    }
}

/// Row 38: each input ends in an artifact or in a named error, within limits that suit a test: 2 s
/// a tool, 1 GiB a process.
#[test]
fn row_38_bombs() {
    let sandbox = Sandbox::new();
    let expected = [
        "invalid",
        "not-wasm",
        "unsupported",
        "validate-timeout",
        "precompile",
        "compile-timeout",
        "compile-memory",
        "optimize-timeout",
        "optimize-memory",
    ];
    for bomb in bombs() {
        sandbox.write("bomb.wasm", &bomb.wasm);
        for level in ["-O0", "-O1"] {
            let limits = [
                level,
                "--compile-timeout",
                "2",
                "--optimizer-timeout",
                "2",
                "--worker-memory",
                "1024",
                "bomb.wasm",
            ];
            let arguments = [BUILD, &limits].concat();
            let output = limited(&sandbox, "ulimit -d 1048576", &arguments);
            let what = format!("{} {level}: {output:?}", bomb.name);
            let mut files = vec!["bomb.wasm", "key.pem", "key.pub.pem"];
            if output.status.success() {
                sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);
                files.insert(0, "a.cwasm");
            } else {
                assert_eq!(output.status.code(), Some(1), "{what}");
                let code = code(&output);
                assert!(expected.contains(&&*code), "{what}");
            }
            assert_eq!(sandbox.files(), files, "{what}");
            let _ = std::fs::remove_file(sandbox.path().join("a.cwasm"));
        }
    }
}

/// Row 38: if the compiler would not finish, the error names the limit.
#[test]
fn row_38_time_and_memory_have_limits() {
    let sandbox = Sandbox::new();
    sandbox.write("bomb.wasm", loops_around_variables(2000));
    let with = |more: &[&'static str]| [BUILD, &["-O0"], more].concat();
    let time = with(&["--compile-timeout", "1", "bomb.wasm"]);
    let stderr = refused(&sandbox, &time, "compile-timeout");
    assert!(stderr.contains("after 1 s"), "{stderr}");
    assert!(stderr.contains("--compile-timeout"), "{stderr}");
    if cfg!(target_os = "linux") {
        let memory = with(&["--worker-memory", "128", "bomb.wasm"]);
        let stderr = refused(&sandbox, &memory, "compile-memory");
        assert!(stderr.contains("128 MiB"), "{stderr}");
    }
}

/// Row 38: only the build can start the worker, and the worker refuses other callers.
#[test]
fn row_38_the_worker_alone() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["__precompile"][..],
        &["__precompile", "x", "x86_64", "module", "0"],
        &["__precompile", "1000000000", "x86_65", "module", "0"],
        &["__precompile", "1000000000", "x86_64", "neither", "0"],
        &["__precompile", "1000000000", "x86_64", "module", "-1"],
        &["__init"],
        &["__init", "x", "0", "f"],
        &["__init", "1000000000", "-1", "f"],
        &["__front-end"],
        &["__front-end", "x", "auto"],
        &["__front-end", "1000000000", "other"],
        &["__front-end", "1000000000"],
        &["__assemble"],
        &["__assemble", "x"],
        &["__assemble", "1000000000"],
        &["__walls", "x"],
        &["__walls", "1000000000", "more"],
        &["__wasm-opt"],
        &["__wasm-opt", "x"],
        &["__launch"],
        &["__launch", "x", "/bin/true"],
        &["__launch", "1000000000"],
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
    }
    let rubbish = sandbox.write("rubbish", "rubbish");
    let mut command = sandbox.command(&["__precompile", "1000000000", "x86_64", "module", "0"]);
    let output = command
        .stdin(std::fs::File::open(rubbish).unwrap())
        .output()
        .unwrap();
    assert!(!output.stdout.starts_with(b"\0"), "{output:?}");
}

/// Row 39: if an optimizer returns a bad module, the build goes on with the original module. If an
/// optimizer is late, or crashes without a message, the build stops.
#[test]
fn row_39_a_broken_optimizer() {
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    for (what, body) in [
        (
            "an assertion",
            "echo Assertion failed: f >&2; kill -ABRT $$",
        ),
        ("a failure", "exit 3"),
        ("a failure after some output", "head -c 100; exit 3"),
        ("no output", "exit 0"),
        ("another module", "printf '\\0asm\\1\\0\\0\\0'"),
        ("a component", "printf '\\0asm\\15\\0\\1\\0'"),
        ("text", "echo '(module)'"),
        ("much output", "head -c 50000000 /dev/zero"),
    ] {
        sandbox.fake_optimizer(body);
        let output = sandbox.hello_with(&["-q", "-O2", "--wasm-opt", "./wasm-opt"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{what}: {stderr}");
        assert!(stderr.contains("warning"), "{what}: {stderr}");
        let run = ["run", "--key", "key.pub.pem", "hello.cwasm"];
        assert_eq!(sandbox.ok(&run), GREETING, "{what}");
        let files = ["hello.cwasm", "key.pem", "key.pub.pem", "wasm-opt"];
        assert_eq!(sandbox.files(), files, "{what}");
    }
    for (what, body) in [
        ("a hang", "exec sleep 100"),
        ("a hang after all of its output", "cat; exec sleep 100"),
    ] {
        sandbox.fake_optimizer(body);
        let late = [
            "-O2",
            "--wasm-opt",
            "./wasm-opt",
            "--optimizer-timeout",
            "1",
        ];
        let build = [BUILD, &late, &[hello.to_str().unwrap()]].concat();
        let stderr = refused(&sandbox, &build, "optimize-timeout");
        assert!(stderr.contains("after 1 s"), "{what}: {stderr}");
    }
    for (what, body) in [
        ("a crash", "kill -SEGV $$"),
        ("a crash after some output", "head -c 100; kill -SEGV $$"),
    ] {
        sandbox.fake_optimizer(body);
        let fake = ["-O2", "--wasm-opt", "./wasm-opt"];
        let build = [BUILD, &fake, &[hello.to_str().unwrap()]].concat();
        let stderr = refused(&sandbox, &build, "optimize-crash");
        assert!(stderr.contains("SIGSEGV"), "{what}: {stderr}");
    }
}

fn small() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "(module (func (export \"f\")))");
    sandbox.write("a.cwasm", OLD_ARTIFACT);
    sandbox
}

/// Row 40: a limit on the size of files, which has the same effect as a full disk.
#[test]
fn row_40_no_room_for_the_artifact() {
    let sandbox = small();
    let before = sandbox.files();
    for limits in ["ulimit -f 4", "trap '' XFSZ; ulimit -f 4", "ulimit -f 0"] {
        let output = limited(&sandbox, limits, &[BUILD, &["-O0", "in.wat"]].concat());
        assert_eq!(output.status.code(), Some(3), "{limits}: {output:?}");
        assert!(["io", "limit"].contains(&&*code(&output)), "{output:?}");
        assert_eq!(sandbox.files(), before, "{limits}");
        assert_eq!(sandbox.read("a.cwasm"), OLD_ARTIFACT, "{limits}");
    }
}

/// Row 40: a full disk, if the test may mount one.
#[test]
fn row_40_a_full_disk() {
    let sandbox = small();
    let Some(_disk) = SmallDisk::mount(&sandbox, 16) else {
        return;
    };
    sandbox.write("disk/a.cwasm", OLD_ARTIFACT);
    let hello = repository().join("examples/hello.wat");
    let arguments = [
        "build",
        "-q",
        hello.to_str().unwrap(),
        "-t",
        "x86_64,aarch64",
        "--key",
        "key.pem",
        "-o",
        "disk",
    ];
    fails(&sandbox, 3, &arguments, "io");
    let one = [
        "build",
        "-q",
        hello.to_str().unwrap(),
        "-t",
        "x86_64",
        "--key",
        "key.pem",
        "-o",
        "disk/a.cwasm",
    ];
    fails(&sandbox, 3, &one, "io");
    assert_eq!(sandbox.read("disk/a.cwasm"), OLD_ARTIFACT);
    tries_a_store_and_a_key(&sandbox);
}

/// The folder `disk` of the sandbox has little space: first too little for an image, then none.
fn tries_a_store_and_a_key(sandbox: &Sandbox) {
    sandbox.hello();
    let add = ["store", "--store", "disk/store", "add"];
    let add = [&add[..], &["--key", "key.pub.pem", "hello.cwasm"]].concat();
    let stderr = sandbox.fails(3, &add);
    assert!(stderr.starts_with("error[io]: "), "{stderr}");
    assert!(stderr.contains("disk/store/"), "{stderr}");
    assert!(stderr.contains("\n  hint: the disk is full"), "{stderr}");
    // The file is written as far as it fits.
    let _ = std::fs::write(sandbox.path().join("disk/filler"), vec![1; 1 << 16]);
    let stderr = fails(sandbox, 3, &["keygen", "-o", "disk/new.pem"], "io");
    let says = "error[io]: disk/new.pem: cannot write: No space left on device";
    assert!(stderr.starts_with(says), "{stderr}");
    assert!(stderr.contains("\n  hint: the disk is full"), "{stderr}");
    assert!(!stderr.contains(".edgec-"), "{stderr}");
    let files = sandbox.files();
    assert!(
        !files.iter().any(|name| name.contains("new.p")),
        "{files:?}"
    );
}

/// Row 40: for a store and a key, the error names the limit on the size of files, and what to do.
#[test]
fn row_40_no_room_for_a_store_or_a_key() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let add = ["store", "--store", "store", "add"];
    let add = [&add[..], &["--key", "key.pub.pem", "hello.cwasm"]].concat();
    for (limit, arguments, path) in [
        ("ulimit -f 4", &add[..], "store/"),
        (
            "ulimit -f 0",
            &["keygen", "-o", "new.pem"],
            "new.pem: cannot write",
        ),
    ] {
        let output = limited(&sandbox, limit, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.starts_with("error[io]: "), "{stderr}");
        assert!(stderr.contains(path), "{stderr}");
        assert!(stderr.contains("ulimit -f unlimited"), "{stderr}");
    }
    assert!(!sandbox.path().join("new.pem").exists());
}

/// Row 40: an output replaces a symbolic link, and the link's target stays.
#[test]
fn row_40_the_output_is_a_symlink() {
    let sandbox = small();
    let (link, precious) = (sandbox.path().join("a.cwasm"), "precious");
    std::fs::remove_file(&link).unwrap();
    sandbox.write(precious, "precious");
    for target in [precious, "nowhere"] {
        let _ = std::fs::remove_file(&link);
        symlink(target, &link).unwrap();
        sandbox.ok(&[BUILD, &["-O0", "in.wat"]].concat());
        assert!(!link.is_symlink());
        sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);
        assert_eq!(sandbox.read(precious), b"precious");
    }
    // The output may not be a link to a device, or to an input.
    std::fs::remove_file(&link).unwrap();
    symlink("/dev/full", &link).unwrap();
    fails(&sandbox, 2, &[BUILD, &["-O0", "in.wat"]].concat(), "output");
    std::fs::remove_file(&link).unwrap();
    symlink("key.pem", &link).unwrap();
    let key = sandbox.read("key.pem");
    fails(&sandbox, 2, &[BUILD, &["-O0", "in.wat"]].concat(), "output");
    assert_eq!(sandbox.read("key.pem"), key);
}

/// Row 40: the last of several builds wins, and its file is whole.
#[test]
fn row_40_two_builds_to_one_path() {
    let sandbox = small();
    let before = sandbox.files();
    for _ in 0..5 {
        let mut builds: Vec<_> = (0..4)
            .map(|_| {
                let mut command = sandbox.command(&[BUILD, &["-O0", "in.wat"]].concat());
                command.spawn().unwrap()
            })
            .collect();
        for build in &mut builds {
            assert!(build.wait().unwrap().success());
        }
        sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);
        assert_eq!(sandbox.files(), before);
    }
}

/// Row 40: if a build is interrupted at any moment, it has either written everything or nothing.
#[test]
fn row_40_interrupted() {
    use rustix::process::{Pid, Signal, kill_process};
    let sandbox = small();
    let before = sandbox.files();
    let arguments = [BUILD, &["-O0", "in.wat"]].concat();
    // The moments cover the time that a whole build takes here, and a little more.
    let begin = Instant::now();
    sandbox.ok(&arguments);
    let moment = begin.elapsed() / 50;
    let (mut old, mut new) = (0, 0);
    for step in 0..60u32 {
        let signal = [Signal::INT, Signal::TERM, Signal::HUP][step as usize % 3];
        sandbox.write("a.cwasm", OLD_ARTIFACT);
        let mut command = sandbox.command(&arguments);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment * step);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        // It may have ended already, without being waited for.
        kill_process(pid, signal).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() || status.signal().is_some(), "{status}");
        assert_eq!(sandbox.files(), before, "after {step} steps");
        if sandbox.read("a.cwasm") == OLD_ARTIFACT {
            old += 1;
            assert!(!status.success());
        } else {
            new += 1;
            sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);
        }
    }
    assert!(old > 0, "{old} old, {new} new");
}
