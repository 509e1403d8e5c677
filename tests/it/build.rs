//! `edgec build`: its results, where they are written, and what remains after a failure.
//!
//! More than 400 lines: one list of cases.

use std::io::Write as _;
use std::process::Stdio;

use edgec_tests::ordinary_user::{as_user, give, root_becomes_user};
use edgec_tests::{OLD_ARTIFACT, Sandbox, hello, isolate};

#[test]
fn two_builds_in_two_folders_are_identical() {
    let sandbox = Sandbox::new();
    for folder in ["a", "b"] {
        sandbox.ok(&["build", &hello(), "--key", "key.pem", "-o", folder]);
    }
    for target in ["x86_64", "aarch64"] {
        let name = format!("hello.{target}.cwasm");
        let artifact = sandbox.read(&format!("a/{name}"));
        assert_eq!(artifact, sandbox.read(&format!("b/{name}")));
        assert_ne!(artifact.len(), 0);
    }
}

#[test]
fn an_input_from_a_pipe_is_the_same_input() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(&[
            "build", "-", "--name", "hello", "--key", "key.pem", "-o", "piped",
        ])
        .stdin(std::fs::File::open(hello()).unwrap())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    sandbox.ok(&["build", &hello(), "--key", "key.pem", "-o", "named"]);
    let name = "hello.x86_64.cwasm";
    assert_eq!(
        sandbox.read(&format!("piped/{name}")),
        sandbox.read(&format!("named/{name}"))
    );
}

#[test]
fn one_artifact_goes_into_the_file_that_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("app.cwasm", OLD_ARTIFACT);
    sandbox.build(&hello(), "aarch64", "app.cwasm");
    assert_ne!(sandbox.read("app.cwasm"), OLD_ARTIFACT);
    sandbox.ok(&["verify", "app.cwasm", "--key", "key.pub.pem"]);
}

#[test]
fn what_fails_writes_nothing_and_loses_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.wat", "(module (func (result i32)))");
    sandbox.write("out/bad.x86_64.cwasm", OLD_ARTIFACT);
    let before = sandbox.files();
    sandbox.fails(1, &["build", "bad.wat", "--key", "key.pem", "-o", "out"]);
    assert_eq!(sandbox.files(), before);
    assert_eq!(sandbox.read("out/bad.x86_64.cwasm"), OLD_ARTIFACT);
}

#[test]
fn one_bad_input_does_not_stop_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.wat", "(module (func (result i32)))");
    sandbox.write("good.wat", "(module)");
    let stderr = sandbox.fails(
        1,
        &[
            "build", "bad.wat", "good.wat", "--key", "key.pem", "-o", "out",
        ],
    );
    assert!(stderr.starts_with("error[invalid]: bad.wat: "), "{stderr}");
    let built: Vec<String> = sandbox.files();
    assert!(built.contains(&"out/good.x86_64.cwasm".to_owned()));
    assert!(!built.iter().any(|name| name.starts_with("out/bad")));
}

#[test]
fn in_ci_a_key_must_be_named() {
    let sandbox = Sandbox::new();
    let build = |variable: Option<&str>| {
        let mut command = sandbox.command(&["build", &hello(), "-o", "out"]);
        command.env("CI", "true");
        if let Some(key) = variable {
            command.env("EDGEC_KEY", key);
        }
        command.output().unwrap()
    };
    let output = build(None);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("error[no-key]"), "{stderr}");
    assert!(stderr.contains("edgec keygen"), "{stderr}");
    assert!(!sandbox.path().join("out").exists());
    assert!(build(Some("key.pem")).status.success());
}

/// A build that names no key.
fn without_key(hello: &str) -> [&str; 7] {
    ["build", "-q", hello, "-t", "x86_64", "-o", "a.cwasm"]
}

/// CI systems leave an empty variable if they do not have the secret.
#[test]
fn an_empty_variable_names_no_key() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let build = without_key(&hello);
    let empty = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env("EDGEC_KEY", "").output().unwrap()
    };
    for ci in ["", "true"] {
        let mut command = sandbox.command(&build);
        let output = command.env("EDGEC_KEY", "").env("CI", ci).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        let says = "error[no-key]: EDGEC_KEY is empty\n  hint: ";
        assert!(stderr.starts_with(says), "{stderr}");
        assert!(!sandbox.path().join("a.cwasm").exists());
        assert!(!sandbox.path().join("home/.config/edgec/dev.pem").exists());
    }
    // The variable is not used if the command line names the key.
    let named = empty(&[&build[..], &["--key", "key.pem"]].concat());
    assert!(named.status.success(), "{named:?}");
    let sign = empty(&["sign", "a.cwasm"]);
    assert_eq!(sign.status.code(), Some(2), "{sign:?}");
}

#[cfg(unix)]
#[test]
fn the_development_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.ok(&["build", &hello(), "-t", "x86_64", "-o", "a.cwasm"]);
    let key = sandbox.path().join("home/.config/edgec/dev.pem");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    // Others cannot replace the key either.
    for folder in ["home/.config/edgec", "home/.config", "home"] {
        assert_eq!(mode(&sandbox.path().join(folder)), 0o700, "{folder}");
    }
    let public = sandbox.path().join("home/.config/edgec/dev.pub.pem");
    sandbox.ok(&["verify", "a.cwasm", "--key", public.to_str().unwrap()]);

    // A key that others may read is refused, even if edgec made it.
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let stderr = sandbox.fails(2, &["build", &hello(), "-t", "x86_64", "-o", "b.cwasm"]);
    assert!(stderr.contains("error[key-permissions]"), "{stderr}");
    assert!(!sandbox.path().join("b.cwasm").exists());
}

/// A user for a service often has no home folder.
#[cfg(unix)]
#[test]
fn without_a_home_a_key_must_be_named() {
    if !root_becomes_user() {
        return;
    }
    let sandbox = Sandbox::empty();
    sandbox.write("app.wat", "(component)");
    let mut command = as_user(give(&sandbox));
    isolate(&mut command, sandbox.path());
    command.env_remove("HOME").args(["build", "app.wat"]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let begins = "error[no-home]: the development key: ";
    assert!(
        stderr.starts_with(begins) && stderr.contains("\n  hint: set HOME"),
        "{stderr}"
    );
}

/// The key's file may be a pipe, which gives its content only once.
#[test]
fn the_public_key_of_a_build_is_read_once() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let build = without_key(&hello);
    sandbox.ok(&build);
    let own = sandbox.read("home/.config/edgec/dev.pub.pem");
    let other = sandbox.read("key.pub.pem");
    for (public, code) in [(own, 0), (other, 1)] {
        let mut command = sandbox.command(&[&build[..], &["--public-key", "-"]].concat());
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&public).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert_eq!(
            stderr.starts_with("error[other-key]: "),
            code == 1,
            "{stderr}"
        );
    }
}

/// A user can paste the summary's command into a shell.
#[test]
fn the_command_that_checks_an_artifact_is_quoted() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["build", &hello(), "-t", "x86_64", "-o", "a b/it's.cwasm"]);
    let line = said
        .lines()
        .find_map(|line| line.split_once("check it: edgec "));
    let (_, line) = line.unwrap();
    let script = format!("\"$0\" {line}");
    let edgec = edgec_tests::binary().to_str().unwrap();
    let verified = sandbox.tool("sh", &["-c", &script, edgec]);
    let verified = String::from_utf8(verified).unwrap();
    assert!(
        verified.starts_with("a b/it's.cwasm: verified"),
        "{verified}"
    );
}

/// The user has not named these files, so the hint says which one to move.
#[test]
fn a_damaged_development_key_is_told_what_to_do_about() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let build = without_key(&hello);
    sandbox.ok(&build);
    let file = |name: &str| sandbox.path().join("home/.config/edgec").join(name);
    let whole = std::fs::read(file("dev.pub.pem")).unwrap();
    // A public key that was cut off, or is another key's, is written again.
    std::fs::write(file("dev.pub.pem"), &whole[..40]).unwrap();
    sandbox.ok(&build);
    assert_eq!(std::fs::read(file("dev.pub.pem")).unwrap(), whole);
    for (name, exit, begins, says) in [
        ("dev.pub.pem", 2, "error[output]: ", "hint: remove it: "),
        (
            "dev.pem",
            1,
            "error[secret-key]: ",
            "hint: this is the development key: move it away",
        ),
    ] {
        std::fs::write(file(name), "Some words.\n").unwrap();
        let stderr = sandbox.fails(exit, &build);
        assert!(stderr.contains(begins) && stderr.contains(says), "{stderr}");
        assert!(stderr.contains(name), "{stderr}");
        std::fs::remove_file(file(name)).unwrap();
        sandbox.ok(&build);
    }
    assert_ne!(std::fs::read(file("dev.pub.pem")).unwrap(), whole);
}

#[test]
fn a_core_module_becomes_what_is_asked_for() {
    let sandbox = Sandbox::new();
    let kind = |arguments: &[&str]| {
        let mut all = vec!["build", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm"];
        all.extend(arguments);
        sandbox.ok(&all);
        let json = sandbox.ok(&["inspect", "a.cwasm", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        report["manifest"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind(&[&hello()]), "component");
    assert_eq!(kind(&[&hello(), "--kind", "module"]), "module");
    // A command that may exit with any code becomes a component only if the user asks for one.
    sandbox.write(
        "ten.wat",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 10))))"#,
    );
    assert_eq!(kind(&["ten.wat"]), "module");
    assert_eq!(kind(&["ten.wat", "--kind", "component"]), "component");
    // A component of a library would export nothing, so it is not made.
    sandbox.write("plain.wat", "(module (func (export \"f\")))");
    assert_eq!(kind(&["plain.wat"]), "module");
    let before = sandbox.read("a.cwasm");
    let asked = ["build", "plain.wat", "-t", "x86_64", "--kind", "component"];
    let output = ["--key", "key.pem", "-o", "a.cwasm"];
    let stderr = sandbox.fails(1, &[&asked[..], &output].concat());
    assert!(stderr.starts_with("error[kind]: plain.wat: "), "{stderr}");
    assert!(stderr.contains("it would export nothing"), "{stderr}");
    assert!(stderr.contains("--kind module"), "{stderr}");
    assert_eq!(sandbox.read("a.cwasm"), before);
}

#[test]
fn times_come_from_the_caller() {
    let sandbox = Sandbox::new();
    let (hello, key) = (hello(), ["--key", "key.pem", "-o", "a.cwasm"]);
    let build = [&["build", "-q", &hello, "-t", "x86_64"][..], &key].concat();
    let limited = |limits: &[&'static str]| [&build[..], limits].concat();
    let issued = "2026-01-01T00:00:00Z";
    // An artifact that has already expired would never run.
    for (expires, says) in [
        ("1767225700", "2026-01-01T00:01:40Z"),
        ("2020-02-02", "2020-02-02T00:00:00Z"),
    ] {
        let stderr = sandbox.fails(
            2,
            &limited(&["--issued", "1577836800", "--expires", expires]),
        );
        assert!(
            stderr.starts_with("error[validity]: --expires lies in the past"),
            "{stderr}"
        );
        assert!(stderr.contains(says), "{stderr}");
        assert!(!sandbox.path().join("a.cwasm").exists());
    }
    sandbox.ok(&limited(&[
        "--issued",
        issued,
        "--not-before",
        issued,
        "--expires",
        "+1s",
    ]));
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let stderr = sandbox.fails(1, &["verify", "a.cwasm", "--key", "key.pub.pem"]);
    assert!(stderr.contains("error[expired]"), "{stderr}");
    sandbox.ok(&limited(&["--expires", "+90d"]));
    let report = sandbox.ok(&["inspect", "--format", "json", "a.cwasm"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let expires = report
        .pointer("/manifest/validity/expires")
        .and_then(|it| it.as_u64());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let left = expires.unwrap() - now.unwrap().as_secs();
    assert!((7_770_000..=7_776_000).contains(&left), "{left}");
    sandbox.ok(&limited(&["--not-before", "2999-01-01T00:00:00Z"]));
    let stderr = sandbox.fails(1, &["verify", "a.cwasm", "--key", "key.pub.pem"]);
    assert!(stderr.contains("error[not-yet-valid]"), "{stderr}");
}

/// No feature of the compiling machine affects an artifact. For every target, the image requires
/// exactly the features in the target's registry entry.
#[test]
fn every_target_asks_for_its_own_features_and_no_more() {
    let sandbox = Sandbox::new();
    let ids: Vec<&str> = edgec_targets::all().map(|target| target.id).collect();
    let (hello, ids) = (hello(), ids.join(","));
    sandbox.ok(&["build", &hello, "-t", &ids, "--key", "key.pem", "-o", "out"]);
    for target in edgec_targets::all() {
        let file = sandbox.read(&format!("out/hello.{}.cwasm", target.id));
        let artifact = edgec_artifact::Artifact::decode(&file).unwrap();
        let image = edgec_artifact::elf::ElfImage::parse(artifact.image()).unwrap();
        let mut expected: Vec<_> = target.features.iter().map(|f| f.cranelift_flag).collect();
        let mut found = image.engine.isa_flags;
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{}", target.id);
        assert_eq!(image.engine.triple, target.triple());
        assert_eq!(image.arch, target.arch);
    }
}

/// If a known fault of this very engine affects a program, the program is built, and the build
/// warns of it.
#[test]
fn advisories_that_concern_what_was_made_are_told() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "collected.wat",
        "(module (table (export \"t\") 1 externref))",
    );
    let arguments = ["build", "collected.wat", "-q", "--key", "key.pem"];
    let output = sandbox.run(&[&arguments[..], &["--target", "x86_64"]].concat());
    assert!(output.status.success());
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        warning.starts_with("warning: collected.wat: GHSA-43j2-gcp4-m22g concerns"),
        "{warning}"
    );
    // The warning says what may happen, and what to do.
    for text in [
        "can abort the host",
        "\n  hint: no wasmtime 48 with the fix is published yet",
        "`advisories = true`",
        "`edgec advisories GHSA-43j2-gcp4-m22g`",
    ] {
        assert!(warning.contains(text), "{text}: {warning}");
    }
    // A host of the edge must not end because of one program.
    let edge = [&arguments[..], &["--target", "x86_64", "--profile", "edge"]].concat();
    let refused = sandbox.fails(1, &edge);
    assert!(
        refused.contains("error[advisory]: collected.wat: GHSA-43j2-gcp4-m22g concerns"),
        "{refused}"
    );
    assert!(
        refused.contains("--allow-advisory GHSA-43j2-gcp4-m22g"),
        "{refused}"
    );
    let allowed = ["--allow-advisory", "ghsa-43j2-gcp4-m22g"];
    sandbox.ok(&[&edge[..], &allowed].concat());
    let unknown = [&edge[..], &["--allow-advisory", "GHSA-0"]].concat();
    assert!(
        sandbox
            .fails(2, &unknown)
            .contains("error[unknown-advisory]")
    );
    // There is one warning for two targets.
    let both = ["--target", "x86_64", "--target", "aarch64"];
    let output = sandbox.run(&[&arguments[..], &both].concat());
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(warning.matches("GHSA-43j2-gcp4-m22g concerns").count(), 1);
    assert!(warning.contains("x86_64 and aarch64"), "{warning}");
    let output = sandbox.run(&[
        "build",
        "collected.wat",
        "--key",
        "key.pem",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = &report["inputs"][0]["built"]["advisories"];
    assert_eq!(told.as_array().map(Vec::len), Some(2), "{report}");
}
