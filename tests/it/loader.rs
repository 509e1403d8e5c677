//! `edgec-loader` as a host uses it.

use std::path::Path;
use std::time::{Duration, Instant};

use edgec_loader::{
    ArtifactFileError, Clock, ClockError, EngineProfile, Expected, HostEngine, HostEngineBuilder,
    LoadError, LoadMode, TrustPolicy, Unfit, UnixTime, VerifiedFile, load, load_async, load_module,
    load_module_async,
};
use edgec_tests::Sandbox;
use edgec_tests::programs::COLLECTED;
use wasmtime::Linker;

fn error(path: &Path, policy: &TrustPolicy) -> LoadError {
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    load(&engine, path, policy, &Expected::anything())
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn a_verified_component_is_loaded() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
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
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
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
    assert!(matches!(
        missing,
        LoadError::File(ArtifactFileError::Io { .. })
    ));
    assert_eq!(missing.code(), "io");
    let named = format!("cannot read `{}`", sandbox.path().join("missing").display());
    assert_eq!(missing.to_string(), named);
    assert!(matches!(
        error(sandbox.path(), &policy),
        LoadError::File(ArtifactFileError::NotAFile)
    ));

    let mut changed = file.clone();
    changed[0x1100] ^= 1;
    std::fs::write(&path, changed).unwrap();
    assert_eq!(error(&path, &policy).code(), "image-digest");

    let huge = std::fs::File::create(&path).unwrap();
    huge.set_len((1 << 30) + 1).unwrap();
    assert!(matches!(
        error(&path, &policy),
        LoadError::File(ArtifactFileError::TooLong { .. })
    ));

    std::fs::write(&path, &file).unwrap();
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let kind = load_module(&engine, &path, &policy, &Expected::anything())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        kind.to_string(),
        "the artifact holds a component, a module is wanted: their imports differ, and so does how they are instantiated"
    );

    // A module is refused if a component is expected.
    sandbox.write("module.wat", "(module (func (export \"f\")))");
    sandbox.build("module.wat", std::env::consts::ARCH, "module.cwasm");
    let swapped = error(&sandbox.path().join("module.cwasm"), &policy);
    assert_eq!(swapped.code(), "kind");

    // An engine with other settings.
    let other = HostEngine::builder(EngineProfile::Default).configure(|config| {
        config.epoch_interruption(true);
    });
    let other = other.build().unwrap();
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

/// A wrong name and a wrong key are different errors. A wrong name is a mistake of the caller or a
/// mix-up of files. A wrong key is an attack, or the policy lacks a key.
#[test]
fn a_wrong_name_is_no_wrong_signature() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let path = sandbox.path().join("hello.cwasm");
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let refused = |policy: &TrustPolicy, expected: &Expected| {
        let loaded = load(&engine, &path, policy, expected);
        loaded.map(|_| ()).unwrap_err()
    };
    let policy = sandbox.policy();
    for (expected, code) in [
        (Expected::application("other"), "application"),
        (Expected::application("hello").in_channel("beta"), "channel"),
    ] {
        let error = refused(&policy, &expected);
        assert!(matches!(error, LoadError::Unexpected(_)), "{error:?}");
        assert_eq!(error.code(), code);
    }
    // Another key: the name is not checked.
    let other = Sandbox::new().policy();
    let error = refused(&other, &Expected::application("other"));
    assert!(matches!(error, LoadError::Verify(_)), "{error:?}");
    // The expected name, which the policy does not allow.
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    let rule = format!("threshold = 1\n{key}[allow]\napplications = ['acme/*']\n");
    let strict = TrustPolicy::from_toml(&rule).unwrap();
    let error = refused(&strict, &Expected::application("hello"));
    assert!(matches!(error, LoadError::Verify(_)), "{error:?}");
    assert_eq!(error.code(), "application");
}

/// Bytes from other sources than files are checked like a file.
#[test]
fn bytes_are_loaded_as_files_are() {
    let sandbox = Sandbox::new();
    let mut bytes = sandbox.hello();
    let (policy, expected) = (sandbox.policy(), Expected::application("hello"));
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let verified = |bytes: &[u8]| VerifiedFile::from_bytes(bytes, &policy, &expected);
    let loaded = verified(&bytes).unwrap().component(&engine).unwrap();
    let from_file = load(
        &engine,
        sandbox.path().join("hello.cwasm"),
        &policy,
        &expected,
    );
    let from_file = from_file.unwrap();
    assert_eq!(loaded.manifest(), from_file.manifest());
    assert_eq!(loaded.report().mode, from_file.report().mode);
    assert_eq!(loaded.report().image, from_file.report().image);
    bytes[0x1100] ^= 1;
    assert_eq!(verified(&bytes).unwrap_err().code(), "image-digest");
    assert_eq!(verified(&[]).unwrap_err().code(), "layout");
}

/// The durations of the steps of a load are parts of its duration.
#[test]
fn a_report_says_how_long_each_step_took() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let path = sandbox.path().join("hello.cwasm");
    let begin = Instant::now();
    let loaded = load(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    let times = loaded.report().times;
    assert!(times.read + times.verify + times.engine <= begin.elapsed());
    assert!(times.verify > Duration::ZERO);
    assert!(times.engine > Duration::ZERO);
}

/// If a process has several engines, each accepts the artifacts of its own profile.
#[test]
fn one_process_has_both_profiles() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "seven.wat",
        "(module (func (export \"f\") (result i32) i32.const 7))",
    );
    let policy = sandbox.policy();
    let engines = EngineProfile::ALL.map(|profile| {
        let (name, arch) = (profile.name(), std::env::consts::ARCH);
        let output = format!("{name}.cwasm");
        let build = ["build", "-q", "seven.wat", "-t", arch, "--profile", name];
        sandbox.ok(&[&build[..], &["--key", "key.pem", "-o", &output]].concat());
        HostEngine::builder(profile).build().unwrap()
    });
    for engine in &engines {
        for profile in EngineProfile::ALL {
            let path = sandbox.path().join(format!("{}.cwasm", profile.name()));
            let loaded = load_module(engine, path, &policy, &Expected::anything());
            if profile != engine.profile() {
                assert_eq!(loaded.map(|_| ()).unwrap_err().code(), "profile");
                continue;
            }
            let program = loaded
                .unwrap()
                .instantiate_pre(&Linker::new(engine))
                .unwrap();
            let mut store = wasmtime::Store::new(engine, ());
            store.set_epoch_deadline(1);
            let instance = program.instantiate(&mut store).unwrap();
            let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap(), 7);
        }
    }
}

/// Validity is checked by the host's own clock. While the clock does not know the time, nothing is
/// loaded.
#[test]
fn a_host_may_have_a_clock_of_its_own() {
    #[derive(Debug)]
    struct Unset;

    impl Clock for Unset {
        fn now(&self) -> Result<UnixTime, ClockError> {
            Err(ClockError::new())
        }
    }

    let sandbox = Sandbox::new();
    sandbox.hello();
    let path = sandbox.path().join("hello.cwasm");
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    let policy = format!("threshold = 1\nexpires = 2999-01-01T00:00:00Z\n{key}");
    let policy = TrustPolicy::from_toml(&policy).unwrap();
    let code = |engine: HostEngineBuilder| {
        let loaded = load(
            &engine.build().unwrap(),
            &path,
            &policy,
            &Expected::anything(),
        );
        loaded.map(|_| ()).map_err(|error| error.code())
    };
    let engine = || HostEngine::builder(EngineProfile::Default);
    assert_eq!(code(engine()), Ok(()));
    // The beginning of the year 3000.
    let late = UnixTime::from_seconds(32_503_680_000);
    assert_eq!(code(engine().clock(late)), Err("policy-expired"));
    assert_eq!(code(engine().clock(Unset)), Err("clock"));
}

/// The version of the engine comes from the engine that runs the artifact.
#[test]
fn an_engine_says_which_version_runs() {
    let engine = HostEngine::builder(EngineProfile::Edge).build().unwrap();
    let version = engine.version();
    assert_eq!(version.to_string(), edgec_compiler::ENGINE_VERSION);
    assert_eq!(engine.host().engine(), version);
    let stated = HostEngine::builder(EngineProfile::Edge).edge_readers_tested(version);
    assert_eq!(stated.build().unwrap().version(), version);
}

#[test]
fn asynchronous_hosts_load_off_their_executor() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let path = sandbox.path().join("hello.cwasm");
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let policy = sandbox.policy();
    // The loads must not block the only thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let anything = Expected::anything();
        let loaded = load_async(&engine, &path, &policy, &anything).await;
        assert_eq!(loaded.unwrap().manifest().name, "hello");
        let kind = load_module_async(&engine, &path, &policy, &anything).await;
        assert_eq!(kind.map(|_| ()).unwrap_err().code(), "kind");
    });
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
