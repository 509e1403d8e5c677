//! `edgec-loader` as a host uses it.

use std::path::Path;

use edgec_loader::{
    EngineProfile, Expected, HostEngine, Limits, LoadError, LoadMode, TrustPolicy, Unfit, engine,
    load, load_module,
};
use edgec_tests::Sandbox;
use edgec_tests::programs::COLLECTED;

fn error(path: &Path, policy: &TrustPolicy) -> LoadError {
    let engine = engine(EngineProfile::Default, &Limits::OnDemand).unwrap();
    load(&engine, path, policy, &Expected::anything())
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn a_verified_component_is_loaded() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let engine = engine(EngineProfile::Default, &Limits::OnDemand).unwrap();
    let path = sandbox.path().join("hello.cwasm");
    let loaded = load(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    assert_eq!(loaded.manifest().name, "hello");
    if cfg!(target_os = "linux") {
        assert_eq!(loaded.report().mode, LoadMode::SealedMemfd);
    }
    assert!(loaded.program().component_type().exports(&engine).len() > 0);
}

/// A core module, and a program that needs the collector, which the profile must name.
#[test]
fn modules_are_loaded_too() {
    let sandbox = Sandbox::new();
    sandbox.write("gc.wat", COLLECTED);
    sandbox.build("gc.wat", std::env::consts::ARCH, "gc.cwasm");
    let engine = engine(EngineProfile::Default, &Limits::OnDemand).unwrap();
    let path = sandbox.path().join("gc.cwasm");
    let loaded = load_module(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    assert_eq!(loaded.accepted().len(), 1);
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &loaded.into_program(), &[]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 7);
}

#[test]
fn each_refusal_has_a_name() {
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let path = sandbox.path().join("hello.cwasm");
    let policy = sandbox.policy();

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
    let engine = engine(EngineProfile::Default, &Limits::OnDemand).unwrap();
    let kind = load_module(&engine, &path, &policy, &Expected::anything())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        kind.to_string(),
        "the artifact holds a component, a module is wanted: their imports differ, and so does how they are instantiated"
    );

    // The same in the other direction.
    sandbox.write("module.wat", "(module (func (export \"f\")))");
    sandbox.build("module.wat", std::env::consts::ARCH, "module.cwasm");
    let swapped = error(&sandbox.path().join("module.cwasm"), &policy);
    assert_eq!(swapped.code(), "kind");

    // An engine that this crate did not make, with other settings.
    let other = HostEngine::with(EngineProfile::Default, &Limits::OnDemand, |config| {
        config.epoch_interruption(true);
    });
    let other = other.unwrap();
    let refused = load(&other, &path, &policy, &Expected::anything())
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(refused, LoadError::Engine(_)), "{refused:?}");
    assert!(refused.to_string().contains("epoch interruption"));
}

#[test]
fn code_for_another_cpu_is_refused_before_the_engine_sees_it() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.wat", "(component)");
    let other = edgec_targets::all().find(|target| target.arch.name() != std::env::consts::ARCH);
    let other = other.unwrap().id;
    sandbox.build("empty.wat", other, "a.cwasm");
    let error = error(&sandbox.path().join("a.cwasm"), &sandbox.policy());
    assert!(
        matches!(error, LoadError::Unfit(Unfit::Cpu(_))),
        "{error:?}"
    );
    assert_eq!(error.code(), "host");
}

/// A host that runs for a long time does not follow a policy forever.
#[test]
fn an_expired_policy_lets_nothing_in() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    let policy = format!("threshold = 1\nexpires = 2020-01-01T00:00:00Z\n{key}");
    let policy = TrustPolicy::from_toml(&policy).unwrap();
    let error = error(&sandbox.path().join("hello.cwasm"), &policy);
    assert_eq!(error.code(), "policy-expired");
}
