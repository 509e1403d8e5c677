//! Rows 28 and 30 to 33 of `docs/threat-model.md`: files that change, and paths that are not files.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgec_loader::{
    EngineProfile, Expected, HostEngine, LoadError, LoadedComponent, TrustPolicy, load,
};
use edgec_tests::corpus::{self, Forge, GREETING, Host, Trust, fails, material, refused};
use edgec_tests::{fifo, stock};

fn policy() -> TrustPolicy {
    edgec_tests::trusting(material().signer.public())
}

/// The evil program, complete, and signed by an untrusted key.
fn evil() -> Vec<u8> {
    let forge = Forge::new(&material().evil, &material().attacker);
    forge.with_manifest(|_| {})
}

fn assert_good(engine: &wasmtime::Engine, loaded: &LoadedComponent) {
    let behaviour = stock::run(engine, loaded.program(), &[], "");
    assert_eq!(String::from_utf8_lossy(&behaviour.stdout), GREETING);
}

/// Row 28: good and bad files alternate under one name. Each is judged by its own content.
#[test]
fn row_28_a_refusal_poisons_nothing() {
    let host = Host::new(&Trust::Signer);
    let forge = Forge::of(material());
    let bad = [evil(), forge.flipped(0x1100), forge.with_signatures(&[])];
    let codes = ["threshold", "image-digest", "no-signature"];
    for (bad, code) in bad.iter().zip(codes) {
        host.sandbox.write("a.cwasm", forge.file);
        host.sandbox.ok(&host.arguments("verify", "a.cwasm"));
        assert_eq!(host.sandbox.ok(&host.arguments("run", "a.cwasm")), GREETING);
        host.sandbox.write("a.cwasm", bad);
        for verb in ["verify", "run"] {
            refused(&host.sandbox, &host.arguments(verb, "a.cwasm"), code);
        }
    }
    host.sandbox.write("a.cwasm", forge.file);
    assert_eq!(host.sandbox.ok(&host.arguments("run", "a.cwasm")), GREETING);
}

/// Row 28, in one process with one engine.
#[test]
fn row_28_a_refusal_poisons_nothing_in_a_process() {
    let host = Host::new(&Trust::Signer);
    let path = host.sandbox.path().join("a.cwasm");
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let policy = policy();
    for _ in 0..3 {
        fs::write(&path, evil()).unwrap();
        let refused = load(&engine, &path, &policy, &Expected::anything())
            .map(|_| ())
            .unwrap_err();
        assert_eq!(refused.code(), "threshold");
        fs::write(&path, &material().hello).unwrap();
        assert_good(
            &engine,
            &load(&engine, &path, &policy, &Expected::anything()).unwrap(),
        );
    }
}

/// Row 30: while the file is swapped as fast as possible, by rename and in place, every loaded
/// program is the verified one.
#[test]
fn row_30_swapped_between_verification_and_load() {
    let host = Host::new(&Trust::Signer);
    let (ours, theirs) = (&material().hello, evil());
    let path = host.sandbox.write("a.cwasm", ours);
    let policy = policy();
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let stop = AtomicBool::new(false);
    let (mut good, mut bad) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&path, &[&theirs, ours], &stop));
        let enough = Instant::now() + Duration::from_secs(60);
        while (good < 50 || bad < 50) && Instant::now() < enough {
            match load(&engine, &path, &policy, &Expected::anything()) {
                Ok(loaded) => {
                    good += 1;
                    assert_good(&engine, &loaded);
                }
                Err(LoadError::Verify(_) | LoadError::File(_)) => bad += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(good > 0 && bad > 0, "{good} loaded, {bad} refused");
}

/// Row 30, with the binary.
#[test]
fn row_30_swapped_while_the_binary_runs() {
    let host = Host::new(&Trust::Signer);
    let path = host.sandbox.write("a.cwasm", &material().hello);
    let stop = AtomicBool::new(false);
    let theirs = evil();
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&path, &[&theirs, &material().hello], &stop));
        for _ in 0..20 {
            let output = host.sandbox.run(&host.arguments("run", "a.cwasm"));
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            match output.status.code() {
                Some(0) => assert_eq!(stdout, GREETING),
                code => assert_eq!((code.is_some(), &*stdout), (true, "")),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn swap(path: &Path, files: &[&Vec<u8>], stop: &AtomicBool) {
    let beside = path.with_extension("other");
    while !stop.load(Ordering::Relaxed) {
        for bytes in files {
            fs::write(&beside, bytes).unwrap();
            fs::rename(&beside, path).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Row 31: changes to the file after the load do not affect the program.
#[test]
fn row_31_written_or_truncated_after_the_load() {
    let host = Host::new(&Trust::Signer);
    let path = host.sandbox.path().join("a.cwasm");
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let ruin: [&dyn Fn(); 4] = [
        &|| fs::write(&path, &material().evil).unwrap(),
        &|| fs::write(&path, vec![0xcc; material().hello.len()]).unwrap(),
        &|| {
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(0)
                .unwrap()
        },
        &|| fs::remove_file(&path).unwrap(),
    ];
    for ruin in ruin {
        fs::write(&path, &material().hello).unwrap();
        let loaded = load(&engine, &path, &policy(), &Expected::anything()).unwrap();
        ruin();
        assert_good(&engine, &loaded);
    }
}

/// Row 33: a descriptor that was opened for writing before the load, and is used after it.
#[test]
fn row_33_a_writable_descriptor_kept_open() {
    let host = Host::new(&Trust::Signer);
    let path = host.sandbox.write("a.cwasm", &material().hello);
    let link = host.sandbox.path().join("link.cwasm");
    fs::hard_link(&path, &link).unwrap();
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let mut kept = File::options().read(true).write(true).open(&link).unwrap();
    let loaded = load(&engine, &path, &policy(), &Expected::anything()).unwrap();
    kept.write_all(&material().evil).unwrap();
    kept.sync_all().unwrap();
    assert_good(&engine, &loaded);
    kept.rewind().unwrap();
    kept.write_all(&vec![0xcc; material().hello.len()]).unwrap();
    kept.set_len(1).unwrap();
    assert_good(&engine, &loaded);
    // The next reader judges the new content.
    refused(&host.sandbox, &host.arguments("run", "a.cwasm"), "layout");
}

/// Row 32: paths that are not files. A symbolic link is followed: its target is read once and
/// judged.
#[test]
fn row_32_what_is_no_file() {
    let host = Host::new(&Trust::Signer);
    let sandbox = &host.sandbox;
    let path = |name: &str| sandbox.path().join(name);
    fifo(&path("fifo"));
    fs::create_dir(path("folder")).unwrap();
    symlink("/dev/zero", path("device")).unwrap();
    symlink("nowhere", path("dangling")).unwrap();
    symlink("circle", path("circle")).unwrap();
    sandbox.write("good.cwasm", &material().hello);
    sandbox.write("evil.cwasm", evil());
    symlink("good.cwasm", path("link")).unwrap();
    symlink("evil.cwasm", path("evil-link")).unwrap();
    for verb in ["verify", "run"] {
        for name in ["fifo", "folder", "device", "/dev/null", "/dev/zero"] {
            refused(sandbox, &host.arguments(verb, name), "not-a-file");
        }
        for name in ["dangling", "circle", "missing"] {
            fails(sandbox, 3, &host.arguments(verb, name), "io");
        }
        refused(sandbox, &host.arguments(verb, "evil-link"), "threshold");
        sandbox.ok(&host.arguments(verb, "link"));
    }
}

/// Row 32: a pipe without a writer counts as empty, so no verb waits for it.
#[test]
fn row_32_a_pipe_without_a_writer() {
    let host = Host::new(&Trust::Signer);
    let sandbox = &host.sandbox;
    fifo(&sandbox.path().join("fifo"));
    sandbox.write("good.cwasm", &material().hello);
    sandbox.fails(1, &["validate", "fifo"]);
    sandbox.fails(1, &["check", "good.cwasm", "--host", "fifo"]);
    let rebuild = ["--rebuild", "fifo"];
    sandbox.fails(
        1,
        &[&host.arguments("verify", "good.cwasm")[..], &rebuild].concat(),
    );
}

/// Row 32: whatever the names of inputs, artifacts are written to the named folder.
#[test]
fn row_32_artifacts_stay_in_their_folder() {
    let sandbox = edgec_tests::Sandbox::new();
    sandbox.write("in/deep/x.wat", "(component)");
    sandbox.write("work/here", "");
    let mut command = sandbox.command(&[]);
    let output = command
        .current_dir(sandbox.path().join("work"))
        .args(["build", "-q", "-t", "x86_64,aarch64", "--key", "../key.pem"])
        .args(["-o", "out", "../in/deep/../deep/x.wat"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let new = ["work/out/x.aarch64.cwasm", "work/out/x.x86_64.cwasm"];
    let all = sandbox.files();
    let written: Vec<_> = all.iter().filter(|name| name.ends_with("cwasm")).collect();
    assert_eq!(written, new);
    for name in ["../x", "a/../../x", "/x", ".x", "x\\y", ""] {
        let arguments = [
            "build",
            "in/deep/x.wat",
            "--key",
            "key.pem",
            "-o",
            "out",
            "--name",
            name,
        ];
        fails(&sandbox, 2, &arguments, "name");
    }
    // A signer's statement does not change this.
    let forge = Forge::of(material());
    let host = Host::new(&Trust::Signer);
    let named = forge.with_manifest(|manifest| manifest.name = "../x".to_owned());
    host.sandbox.write("a.cwasm", named);
    corpus::refused(
        &host.sandbox,
        &host.arguments("run", "a.cwasm"),
        "statement",
    );
}
