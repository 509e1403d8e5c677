//! Deployments beyond components of a store: core modules, a host's own source of artifacts, a
//! grace time for the policy, and asynchronous hosts.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edgec_loader::store::{
    ArtifactSource, Candidate, Deployment, Distrust, PolicyFile, PolicySource, Preparation,
    RefreshError, Refreshed, SourceFailure, Versions, WHILE_EXHAUSTED,
};
use edgec_loader::{Expected, HostEngine, Limits, LoadError, LoadMode};
use edgec_tests::programs;
use edgec_tests::stored::{ARCH, Stored, ask, edge, request};
use wasmtime::component::{InstancePre, Linker};

use crate::deployment::distrusted;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

fn module(answer: u32) -> String {
    format!("(module (func (export \"f\") (result i32) i32.const {answer}))")
}

fn ask_module(engine: &HostEngine, program: &wasmtime::InstancePre<()>) -> i32 {
    let mut store = request(engine);
    let instance = program.instantiate(&mut store).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f");
    f.unwrap().call(&mut store, ()).unwrap()
}

#[test]
fn core_modules_are_replaced_too() {
    let stored = Stored::new();
    let options = ["-t", ARCH, "--profile", "edge"];
    stored.admit(&module(1), 1, &options);
    let engine = edge(&Limits::OnDemand);
    let versions = Versions::in_store(&stored.store, "app");
    let preparation = Preparation::module(wasmtime::Linker::<()>::new(&engine));
    let deployment = Deployment::of(versions, &engine, stored.source(), preparation).unwrap();
    let old = deployment.current().unwrap();
    assert_eq!(ask_module(&engine, &old), 1);
    stored.admit(&module(2), 2, &options);
    let replaced = Refreshed::Replaced { from: 1, to: 2 };
    assert_eq!(deployment.refresh().unwrap(), replaced);
    assert_eq!(ask_module(&engine, &deployment.current().unwrap()), 2);
    assert_eq!(ask_module(&engine, &old), 1);
    // A component does not replace a module.
    stored.admit_answer(3);
    let error = deployment.refresh().unwrap_err();
    let kept = matches!(error, RefreshError::Kept(LoadError::Kind { .. }));
    assert!(kept, "{error:?}");
    // Trust in a module can be withdrawn, like trust in a component.
    stored.follow(Some(stored.stricter(3)));
    let error = deployment.refresh().unwrap_err();
    assert_eq!(error.code(), "rollback");
    assert_eq!(deployment.current().err().unwrap().code(), "rollback");
}

/// The host chooses what a deployment of modules makes of each version.
#[test]
fn a_host_prepares_modules_too() {
    let stored = Stored::new();
    stored.admit(&module(1), 1, &["-t", ARCH, "--profile", "edge"]);
    let engine = edge(&Limits::OnDemand);
    let exports = |program: wasmtime::InstancePre<()>| {
        let names = program.module().exports().map(|it| it.name().to_owned());
        Ok(names.collect::<Vec<_>>())
    };
    let preparation = Preparation::module_as(wasmtime::Linker::new(&engine), exports);
    let versions = Versions::in_store(&stored.store, "app");
    let deployment = Deployment::of(versions, &engine, stored.policy.clone(), preparation);
    assert_eq!(deployment.unwrap().current().unwrap().program(), &["f"]);
}

/// A host's own source, in memory. It checks nothing.
#[derive(Default)]
struct Shelf {
    files: Mutex<HashMap<String, Vec<u8>>>,
    /// The result of `candidates`, which fails if there is none.
    offered: Mutex<Option<Candidate>>,
    reads: AtomicU32,
}

impl Shelf {
    fn offer(&self, id: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().insert(id.to_owned(), bytes);
        *self.offered.lock().unwrap() = Some(Candidate::new(id, ARCH, "edge"));
    }

    fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl ArtifactSource for Shelf {
    fn candidates(&self) -> Result<Vec<Candidate>, SourceFailure> {
        let offered = self.offered.lock().unwrap().clone();
        Ok(vec![offered.ok_or("the shelf is out of reach")?])
    }

    fn read(&self, candidate: &Candidate) -> Result<Vec<u8>, SourceFailure> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let files = self.files.lock().unwrap();
        Ok(files
            .get(candidate.id())
            .ok_or("there is no such file")?
            .clone())
    }
}

/// The artifact of a version that answers with its number.
fn answer(stored: &Stored, version: u32) -> Vec<u8> {
    stored.admit_answer(version);
    stored.sandbox.read("app.cwasm")
}

fn from_shelf(
    stored: &Stored,
    engine: &HostEngine,
    shelf: &Arc<Shelf>,
) -> Result<Deployment<InstancePre<()>>, LoadError> {
    let versions = Versions::from_source(Arc::clone(shelf), Expected::application("app"));
    let preparation = Preparation::component(Linker::new(engine));
    Deployment::of(versions, engine, stored.source(), preparation)
}

/// An artifact from a host's own source is not trusted for that: it is copied and verified
/// completely.
#[test]
fn a_source_of_the_host_s_own_is_not_trusted() {
    let stored = Stored::new();
    let engine = edge(&Limits::OnDemand);
    let shelf = Arc::new(Shelf::default());
    let error = from_shelf(&stored, &engine, &shelf)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.code(), "artifact-source");

    shelf.offer("one", answer(&stored, 1));
    let deployment = from_shelf(&stored, &engine, &shelf).unwrap();
    let current = || deployment.current().unwrap();
    assert_eq!(current().report().mode, LoadMode::SealedMemfd);
    assert_eq!(ask(&engine, &current()), 1);
    // The artifact is read again only if the source or the policy has changed.
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
    assert_eq!(shelf.reads(), 1);
    shelf.offer("two", answer(&stored, 2));
    let replaced = Refreshed::Replaced { from: 1, to: 2 };
    assert_eq!(deployment.refresh().unwrap(), replaced);
    assert_eq!(shelf.reads(), 2);

    let kept = |code: &str| {
        let error = deployment.refresh().unwrap_err();
        assert!(matches!(error, RefreshError::Kept(_)), "{error:?}");
        assert_eq!(error.code(), code);
        assert_eq!(ask(&engine, &current()), 2);
    };
    let mut changed = answer(&stored, 3);
    changed[0x1100] ^= 1;
    shelf.offer("changed", changed);
    kept("image-digest");
    // The same key, but another application.
    stored.sandbox.write("other.wat", programs::answer(4, 1));
    let build = [
        "build",
        "-q",
        "other.wat",
        "-O0",
        "-t",
        ARCH,
        "--profile",
        "edge",
    ];
    let signed = ["--key", "key.pem", "-o", "other.cwasm"];
    stored.sandbox.ok(&[&build[..], &signed].concat());
    shelf.offer("other", stored.sandbox.read("other.cwasm"));
    kept("application");
    *shelf.offered.lock().unwrap() = Some(Candidate::new("two", ARCH, "default"));
    kept("store-no-fit");
    *shelf.offered.lock().unwrap() = None;
    kept("artifact-source");
}

/// The version in use is checked under a new policy, for which its bytes are read again.
#[test]
fn a_source_is_read_again_for_another_policy() {
    let stored = Stored::new();
    let engine = edge(&Limits::OnDemand);
    let shelf = Arc::new(Shelf::default());
    shelf.offer("one", answer(&stored, 1));
    let deployment = from_shelf(&stored, &engine, &shelf).unwrap();
    stored.follow(Some(stored.stricter(1)));
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
    assert_eq!(shelf.reads(), 2);
    stored.follow(Some(stored.stricter(2)));
    assert_eq!(distrusted(&deployment), "rollback");
    stored.follow(Some(stored.stricter(1)));
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);

    // Other bytes with the same id, then no bytes.
    shelf.offer("one", answer(&stored, 2));
    stored.follow(Some(stored.policy.clone()));
    assert_eq!(distrusted(&deployment), "store-damaged");
    shelf.files.lock().unwrap().clear();
    assert_eq!(distrusted(&deployment), "artifact-source");
    let unjudged = deployment.current().err().unwrap();
    assert!(
        matches!(unjudged.reason(), Distrust::Unjudged(_)),
        "{unjudged:?}"
    );
}

/// If the policy cannot be read, trust is withdrawn after the host's grace time.
#[test]
fn a_policy_out_of_reach_has_a_grace_time() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let unread = || {
        let error = deployment.refresh_within(LONG).unwrap_err();
        let RefreshError::Unread { left, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(*left <= LONG);
        assert_eq!(error.code(), "policy-source");
    };
    stored.follow(None);
    unread();
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);
    // Without a policy, no other version is loaded.
    stored.admit_answer(2);
    unread();
    assert_eq!(deployment.current().unwrap().manifest().version, 1);
    // Without a grace time, trust is withdrawn at once. A grace time does not restore it.
    assert_eq!(distrusted(&deployment), "policy-source");
    let error = deployment.refresh_within(LONG).unwrap_err();
    assert!(matches!(error, RefreshError::Distrusted(_)), "{error:?}");
    stored.follow(Some(stored.policy.clone()));
    let replaced = Refreshed::Replaced { from: 1, to: 2 };
    assert_eq!(deployment.refresh_within(LONG).unwrap(), replaced);
}

/// A machine that lacks open files says nothing about the policy: the last one holds for a while.
#[test]
fn a_lack_of_open_files_does_not_stop_what_runs_at_once() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let (policy, errno) = (stored.policy.clone(), Arc::new(AtomicI32::new(0)));
    let now = Arc::clone(&errno);
    let source = PolicySource::by(move || match now.load(Ordering::Relaxed) {
        0 => Ok(policy.clone()),
        errno => Err(std::io::Error::from_raw_os_error(errno)),
    });
    let linker = Linker::<()>::new(&engine);
    let deployment = Deployment::new(&stored.store, &engine, "app", source, linker).unwrap();
    // EMFILE.
    errno.store(24, Ordering::Relaxed);
    let error = deployment.refresh().unwrap_err();
    let RefreshError::Unread { left, source } = &error else {
        panic!("{error:?}");
    };
    assert!(*left <= WHILE_EXHAUSTED && source.is_exhausted());
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);
    // EACCES: the policy is withdrawn, and no lack brings it back.
    errno.store(13, Ordering::Relaxed);
    assert_eq!(distrusted(&deployment), "policy-source");
    errno.store(24, Ordering::Relaxed);
    assert_eq!(distrusted(&deployment), "policy-source");
}

/// The grace time does not apply to a policy that can be read but must not be followed.
#[test]
fn a_bad_policy_has_no_grace_time() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let pem = String::from_utf8(stored.sandbox.read("key.pub.pem")).unwrap();
    let write = |head: &str| {
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        let text = format!("name = 'fleet'\n{head}\nthreshold = 1\n{key}");
        stored.sandbox.write("policy.toml", text)
    };
    let path = write("version = 2");
    let linker = Linker::<()>::new(&engine);
    let policy = PolicyFile::new(&path);
    let deployment = Deployment::new(&stored.store, &engine, "app", policy, linker).unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = deployment.refresh_within(LONG).unwrap_err();
    assert!(matches!(error, RefreshError::Unread { .. }), "{error:?}");
    let text = edgec_loader::error_chain(&error);
    assert!(text.contains(&format!("`{}`", path.display())), "{text}");
    for (head, code) in [
        ("version = 1", "policy-rollback"),
        (
            "version = 3\nexpires = 2020-01-01T00:00:00Z",
            "policy-expired",
        ),
        ("version = 3\ntreshold = 1", "trust-policy"),
    ] {
        write(head);
        let error = deployment.refresh_within(LONG).unwrap_err();
        assert!(matches!(error, RefreshError::Distrusted(_)), "{error:?}");
        assert_eq!(error.code(), code);
        write("version = 2");
        let unchanged = deployment.refresh_within(LONG).unwrap();
        assert_eq!(unchanged, Refreshed::Unchanged);
    }
}

#[test]
fn asynchronous_hosts_refresh_off_their_executor() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let versions = Versions::in_store(&stored.store, "app");
    let preparation = Preparation::component(Linker::<()>::new(&engine));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let loaded = versions.load_async(&engine, &stored.policy).await.unwrap();
        assert_eq!(loaded.manifest().version, 1);
        let kind = versions.load_module_async(&engine, &stored.policy).await;
        assert_eq!(kind.map(|_| ()).unwrap_err().code(), "kind");
        let deployment = Deployment::of_async(versions, &engine, stored.source(), preparation);
        let deployment = Arc::new(deployment.await.unwrap());
        stored.admit_answer(2);
        let refreshed = deployment.refresh_async(Duration::ZERO).await.unwrap();
        assert_eq!(refreshed, Refreshed::Replaced { from: 1, to: 2 });
        stored.follow(None);
        let error = deployment.refresh_async(LONG).await.unwrap_err();
        assert!(matches!(error, RefreshError::Unread { .. }), "{error:?}");
        let error = deployment.refresh_async(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, RefreshError::Distrusted(_)), "{error:?}");
    });
}
