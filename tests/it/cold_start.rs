//! The cold-start lint in the binary: the output of `build` and `inspect`, and hostile images for
//! `inspect`.

use edgec_tests::{CLI_GUESTS, Sandbox, binary, guests, isolate};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The rules of the findings that deserve a line.
fn notable(cold_start: &Value) -> Vec<String> {
    let findings = cold_start["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["minor"] == false)
        .map(|finding| finding["rule"].as_str().unwrap().to_owned())
        .collect()
}

fn build(sandbox: &Sandbox, input: &str) -> Value {
    let report = sandbox.ok(&[
        "build",
        input,
        "-O0",
        "-t",
        "x86_64",
        "--key",
        "key.pem",
        "-o",
        "out.cwasm",
        "--format",
        "json",
    ]);
    json(&report)["inputs"][0]["built"]["coldStart"].take()
}

fn inspect(sandbox: &Sandbox, artifact: &str) -> Value {
    let report = sandbox.ok(&["inspect", artifact, "--format", "json"]);
    json(&report)["coldStart"].take()
}

#[test]
fn verbs_agree() {
    let sandbox = Sandbox::new();
    let text = "x".repeat(1 << 16);
    let program = format!(r#"(module (import "e" "m" (memory 2)) (data (i32.const 0) "{text}"))"#);
    sandbox.write("copied.wat", program);
    let built = build(&sandbox, "copied.wat");
    assert_eq!(notable(&built), ["memory-copied"]);
    let inspected = inspect(&sandbox, "out.cwasm");
    assert_eq!(notable(&inspected), ["memory-copied"]);
    let (built, inspected) = (&built["findings"][0], &inspected["findings"][0]);
    assert_eq!(built["work"], inspected["work"]);
    assert_eq!(built["cause"]["item"], "data");
    assert_eq!(built["cause"]["reason"], "imported-memory");
}

/// An offset leads to a place in the user's file. Otherwise there is no offset.
#[test]
fn offsets_are_those_of_the_input() {
    let sandbox = Sandbox::new();
    let needless = "(func $unused (drop (i32.const 7)))";
    let text = format!(
        r#"(module (import "e" "m" (memory 2)) {needless} (data (i32.const 0) "{}"))"#,
        "x".repeat(1 << 16)
    );
    let binary = wat::parse_str(&text).unwrap();
    // The flags of an active segment, then its offset `i32.const 0`.
    let segment = [0_u8, 0x41, 0, 0x0b];
    let begins = binary.windows(4).position(|four| four == segment).unwrap();
    sandbox.write("a.wat", &text);
    sandbox.write("a.wasm", &binary);
    let segment = |built: Value| {
        assert_eq!(notable(&built), ["memory-copied"]);
        let finding = &built["findings"][0];
        let message = finding["message"].as_str().unwrap().to_owned();
        assert!(message.contains(": data segment 0 "), "{message}");
        (
            finding["cause"]["offset"].as_u64(),
            message.contains("at offset"),
        )
    };
    let begins = u64::try_from(begins).unwrap();
    assert_eq!(segment(build(&sandbox, "a.wasm")), (Some(begins), true));
    assert_eq!(segment(build(&sandbox, "a.wat")), (None, false));
    // The optimizer removes the function.
    let optimize = ["build", "a.wasm", "-Oz", "-t", "x86_64", "--key", "key.pem"];
    let report = ["-o", "out.cwasm", "--format", "json"];
    let report = json(&sandbox.ok(&[&optimize[..], &report].concat()));
    let built = &report["inputs"][0]["built"];
    assert_eq!(segment(built["coldStart"].clone()), (None, false));
}

/// Real programs that are linked statically have no findings that deserve a line.
/// `EDGEC_REQUIRE_GUESTS=1` makes it a failure if they are missing.
#[test]
fn real_programs_lose_nothing() {
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    let mut files: Vec<&str> = CLI_GUESTS.iter().map(|guest| guest.file).collect();
    files.push("rust-http-proxy.wasm");
    files.dedup();
    for file in files {
        let path = folder.join(file);
        let built = build(&sandbox, path.to_str().unwrap());
        assert_eq!(notable(&built), Vec::<String>::new(), "{file}");
        assert!(built["unknown"].is_null(), "{file}");
        let inspected = inspect(&sandbox, "out.cwasm");
        assert_eq!(notable(&inspected), Vec::<String>::new(), "{file}");
    }
}

/// The engine's decoder reserves as much memory as a length states. Here it states 2^27 exports,
/// which take some gigabytes, in an image without any.
#[test]
fn a_hostile_description_costs_only_itself() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.wat", r#"(module (func (export "f")))"#);
    sandbox.build("empty.wat", "x86_64", "module.cwasm");
    sandbox.hello();
    for name in ["module.cwasm", "hello.cwasm"] {
        let report = json(&sandbox.ok(&["inspect", name, "--format", "json"]));
        let sections = report["sections"].as_array().unwrap();
        let info = sections.iter().find(|s| s["name"] == ".wasmtime.info");
        let begin = usize::try_from(info.unwrap()["offset"].as_u64().unwrap()).unwrap();
        let length = usize::try_from(info.unwrap()["size"].as_u64().unwrap()).unwrap();
        let genuine = sandbox.read(name);
        let bomb = [&[0; 4][..], &[0x80, 0x80, 0x80, 0x40]].concat();
        // Some bytes in the middle of it, and all of it.
        let mut changes = vec![(0, bomb), (0, vec![0xff; length]), (0, vec![0; length])];
        changes.extend((1..20).map(|part| (part * length / 20, vec![0x80, 0x80, 0x7f])));
        for (place, change) in changes {
            let mut hostile = genuine.clone();
            hostile[begin + place..][..change.len()].copy_from_slice(&change);
            sandbox.write("hostile.cwasm", &hostile);
            // Every answer is right, if the inspection succeeds.
            let cold_start = inspect(&sandbox, "hostile.cwasm");
            assert!(cold_start["findings"].is_array());
            let text = sandbox.ok(&["inspect", "hostile.cwasm"]);
            let unknown = !cold_start["unknown"].is_null();
            assert_eq!(unknown, text.contains("\n(not known)"), "{text}");
        }
        sandbox.write("hostile.cwasm", {
            let mut hostile = genuine;
            hostile[begin..][..length].fill(0xff);
            hostile
        });
        assert!(!inspect(&sandbox, "hostile.cwasm")["unknown"].is_null());
    }
}

/// Two lines for each of fifteen modules would be too many to read. The most expensive findings
/// come first.
#[test]
fn what_is_too_much_to_read_is_counted() {
    let sandbox = Sandbox::new();
    let text = "x".repeat(20_000);
    let modules: String = (0..15)
        .map(|number| {
            format!(
                r#"(core module $m{number} (import "libc" "m" (memory 1)) (start $f)
                     (func $f (loop (br 0))) (data (i32.const 0) "{text}"))
                   (core instance (instantiate $m{number} (with "libc" (instance $libc))))"#
            )
        })
        .collect();
    let component = format!(
        r#"(component (core module $libc (memory (export "m") 1))
             (core instance $libc (instantiate $libc)) {modules})"#
    );
    sandbox.write("many.wat", component);
    let arguments = [
        "build", "many.wat", "-O0", "-t", "x86_64", "--key", "key.pem", "-o", "m.cwasm",
    ];
    let output = sandbox.run(&arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr.matches("note[memory-copied]").count(),
        12,
        "{stderr}"
    );
    assert_eq!(stderr.matches("hint:").count(), 1);
    assert!(stderr.contains("18 more with --format json"));
    let shown = sandbox.ok(&["inspect", "m.cwasm"]);
    assert_eq!(shown.matches("\nmemory-copied").count(), 12, "{shown}");
    assert!(shown.contains("\n(3 more with --format json)\n"));
    // If both streams go to one place, notes come after the results.
    let script = format!("exec {} \"$@\" 2>&1", binary().display());
    let mut shell = std::process::Command::new("sh");
    isolate(&mut shell, sandbox.path());
    let both = shell.args(["-c", &script, "sh"]).args(arguments).output();
    let both = String::from_utf8(both.unwrap().stdout).unwrap();
    let results = both.split("note[").next().unwrap();
    assert!(results.contains("signed by key"), "{both}");
    // `-q` suppresses notes, and nothing else.
    let quiet = sandbox.run(&[&arguments[..], &["-q"]].concat());
    assert!(quiet.status.success() && quiet.stderr.is_empty());
}

/// No hint suggests what `build` would refuse, and findings in the adapter do not belong to the
/// program.
#[test]
fn hints_fit_the_kind_and_the_adapter_is_named() {
    let start = |built: &Value| {
        let findings = built["findings"].as_array().unwrap().iter();
        let mut start = findings.filter(|finding| finding["rule"] == "start-function");
        start.next().unwrap().clone()
    };
    let says = |finding: &Value, field: &str, text: &str| {
        let said = finding[field].as_str().unwrap();
        said.contains(text)
    };
    let sandbox = Sandbox::new();
    let module =
        "(module (func $s (loop (br_if 0 (i32.const 0)))) (start $s) (func (export \"f\")))";
    sandbox.write("module.wat", module);
    let found = start(&build(&sandbox, "module.wat"));
    assert!(says(&found, "hint", "Wizer"), "{found}");
    assert!(!says(&found, "hint", "--init"), "{found}");
    assert!(found.get("ofAdapter").is_none(), "{found}");

    let inner = module.replace("(module", "(core module $m");
    let component = format!("(component {inner} (core instance (instantiate $m)))");
    sandbox.write("component.wat", component);
    let found = start(&build(&sandbox, "component.wat"));
    assert!(
        says(&found, "hint", "edgec build --init FUNCTION"),
        "{found}"
    );
    assert!(found.get("ofAdapter").is_none(), "{found}");

    let command = r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8)))))"#;
    sandbox.write("command.wat", command);
    let found = start(&build(&sandbox, "command.wat"));
    assert_eq!(found["ofAdapter"], true, "{found}");
    assert!(says(&found, "message", "not in the program"), "{found}");
    assert!(says(&found, "hint", "--kind module"), "{found}");
}

/// A worker refuses arguments that edgec does not give it.
#[test]
fn the_worker_is_for_edgec_alone() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["__lint"][..],
        &["__lint", "many", "image", "module"],
        &["__lint", "100000000", "image", "neither"],
        &["__lint", "100000000", "neither", "module"],
    ] {
        let stderr = sandbox.fails(1, arguments);
        assert_eq!(stderr, "not started by edgec\n");
    }
}
