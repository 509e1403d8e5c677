//! `edgec-loader` as a host uses it.

use std::path::Path;

use edgec_loader::{
    EngineProfile, LoadError, LoadMode, PublicKey, TrustPolicy, TrustedKey, engine, load,
    load_module,
};
use edgec_tests::Sandbox;

fn policy(sandbox: &Sandbox) -> TrustPolicy {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = PublicKey::from_pem(&pem).unwrap();
    let name = "test".to_owned();
    TrustPolicy::new(vec![TrustedKey { name, key }], 1).unwrap()
}

fn error(path: &Path, policy: &TrustPolicy) -> LoadError {
    let engine = engine(EngineProfile::Default).unwrap();
    load(&engine, path, policy).map(|_| ()).unwrap_err()
}

#[test]
fn a_verified_component_is_loaded() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let engine = engine(EngineProfile::Default).unwrap();
    let path = sandbox.path().join("hello.cwasm");
    let loaded = load(&engine, &path, &policy(&sandbox)).unwrap();
    assert_eq!(loaded.manifest().name, "hello");
    if cfg!(target_os = "linux") {
        assert_eq!(loaded.mode(), LoadMode::SealedMemfd);
    }
    // What happens to the file afterwards is nothing to the loaded component.
    std::fs::write(&path, "gone").unwrap();
    assert!(loaded.program().component_type().exports(&engine).len() > 0);
}

/// The file is swapped between the opening and the use of it: there is no such moment.
#[test]
fn what_is_loaded_is_what_was_verified() {
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let path = sandbox.path().join("hello.cwasm");
    let policy = policy(&sandbox);
    let engine = engine(EngineProfile::Default).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut changed = file.clone();
    changed[0x1100] ^= 1;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                std::fs::write(&path, &changed).unwrap();
                std::fs::write(&path, &file).unwrap();
            }
        });
        let (mut good, mut bad) = (0, 0);
        for _ in 0..300 {
            match load(&engine, &path, &policy) {
                Ok(loaded) => {
                    good += 1;
                    assert_eq!(loaded.manifest().name, "hello");
                }
                Err(LoadError::Verify(_) | LoadError::Io(_)) => bad += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(good + bad, 300);
    });
}

#[test]
fn each_refusal_has_a_name() {
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let path = sandbox.path().join("hello.cwasm");
    let policy = policy(&sandbox);

    let missing = error(&sandbox.path().join("missing"), &policy);
    assert!(matches!(missing, LoadError::Io(_)));
    assert_eq!(missing.code(), "io");
    assert!(matches!(
        error(sandbox.path(), &policy),
        LoadError::NotAFile
    ));

    let mut changed = file.clone();
    changed[0x1100] ^= 1;
    std::fs::write(&path, changed).unwrap();
    assert_eq!(error(&path, &policy).code(), "image-digest");

    let huge = std::fs::File::create(&path).unwrap();
    huge.set_len((1 << 30) + 1).unwrap();
    assert!(matches!(error(&path, &policy), LoadError::TooLong { .. }));

    std::fs::write(&path, &file).unwrap();
    let engine = engine(EngineProfile::Default).unwrap();
    let kind = load_module(&engine, &path, &policy)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        kind.to_string(),
        "the artifact holds a component, a module is wanted"
    );

    // An engine that was not made by this crate, and with other settings.
    let mut config = edgec_loader::config(EngineProfile::Default);
    config.epoch_interruption(true);
    let other = wasmtime::Engine::new(&config).unwrap();
    let refused = load(&other, &path, &policy).map(|_| ()).unwrap_err();
    assert!(matches!(refused, LoadError::Engine(_)), "{refused:?}");
    assert!(refused.to_string().contains("epoch interruption"));
}

/// A pipe in an artifact's place neither blocks the host nor is read.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    assert!(matches!(
        error(&pipe, &policy(&sandbox)),
        LoadError::NotAFile
    ));
}

#[test]
fn code_for_another_cpu_is_refused_before_the_engine_sees_it() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.wat", "(component)");
    let other = edgec_targets::all().find(|target| target.arch.name() != std::env::consts::ARCH);
    let other = other.unwrap().id;
    sandbox.ok(&[
        "build",
        "empty.wat",
        "-t",
        other,
        "--key",
        "key.pem",
        "-o",
        "a.cwasm",
    ]);
    let error = error(&sandbox.path().join("a.cwasm"), &policy(&sandbox));
    assert!(matches!(error, LoadError::Host(_)), "{error:?}");
    assert_eq!(error.code(), "host");
}
