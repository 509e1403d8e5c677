//! The runtime API of `edgec-loader` with a store: it chooses artifacts that fit, replaces versions
//! and unloads them.
//!
//! More than 400 lines: the promises of one type, each with a small test.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicU32, Ordering};

use edgec_loader::store::{
    ArtifactStore, Deployment, Distrust, LoadFromStore as _, PolicyFile, PolicySource, Preparation,
    RefreshError, Refreshed, StoreError, Versions,
};
use edgec_loader::{
    HostEngine, Limits, LoadError, LoadMode, Loaded, LoadedComponent, LoadedPre, TrustPolicy,
    Verdict,
};
use edgec_tests::programs;
use edgec_tests::stored::{ARCH, Stored, ask, edge, request};
use wasmtime::Trap;
use wasmtime::component::{InstancePre, Linker};

/// Hosts share these between threads and tasks.
#[test]
fn what_hosts_share_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<ArtifactStore>();
    shared::<HostEngine>();
    shared::<TrustPolicy>();
    shared::<LoadedComponent>();
    shared::<LoadedPre<()>>();
    shared::<Deployment<InstancePre<()>>>();
    shared::<LoadError>();
    shared::<RefreshError>();
}

#[test]
fn instances_come_from_what_was_loaded_once() {
    let stored = Stored::new();
    stored.admit_answer(7);
    let engine = edge(&Limits::OnDemand);
    let loaded = stored.load(&engine).unwrap();
    assert_eq!(loaded.report().verdict, Verdict::Fresh);
    assert!(loaded.report().mode >= LoadMode::TrustedStore);
    assert_eq!(loaded.report().image, loaded.manifest().image.fsverity);
    let pre = loaded.instantiate_pre(&Linker::new(&engine)).unwrap();
    assert_eq!(ask(&engine, &pre), 7);
    assert_eq!(ask(&engine, &pre), 7);

    let again = stored.load(&engine).unwrap();
    assert_eq!(again.report().verdict, Verdict::Cached);
    assert_eq!(again.manifest(), loaded.manifest());
    // Never across policies, even if they differ only a little.
    let other = stored.stricter(1);
    let other = stored.store.load(&engine, "app", &other).unwrap();
    assert_eq!(other.report().verdict, Verdict::Fresh);
}

#[test]
fn asynchronous_hosts_are_served_too() {
    let stored = Stored::new();
    stored.admit_answer(7);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers: Vec<_> = (0..8)
        .map(|_| {
            let (version, mut store) = (deployment.current().unwrap(), request(&engine));
            runtime.spawn(async move {
                let instance = version.instantiate_async(&mut store).await.unwrap();
                let answer = instance.get_typed_func::<(), (u32,)>(&mut store, "answer");
                answer.unwrap().call_async(&mut store, ()).await.unwrap().0
            })
        })
        .collect();
    for answer in answers {
        assert_eq!(runtime.block_on(answer).unwrap(), 7);
    }
}

#[test]
fn an_endless_loop_ends_with_its_deadline() {
    let stored = Stored::new();
    stored.admit_answer(7);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let mut store = request(&engine);
    let instance = deployment
        .current()
        .unwrap()
        .instantiate(&mut store)
        .unwrap();
    let spin = instance
        .get_typed_func::<(), ()>(&mut store, "spin")
        .unwrap();
    let ticker = engine.tick(std::time::Duration::from_millis(10));
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    drop(ticker);
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 7);
}

#[test]
fn a_name_is_replaced_while_its_versions_run() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let unchanged = deployment.refresh().unwrap();
    assert_eq!(unchanged, Refreshed::Unchanged);

    let old = deployment.current().unwrap();
    stored.admit_answer(2);
    let replaced = deployment.refresh().unwrap();
    assert_eq!(replaced, Refreshed::Replaced { from: 1, to: 2 });
    assert_eq!(deployment.current().unwrap().manifest().version, 2);
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 2);
    // A request that has the old version keeps it.
    assert_eq!(ask(&engine, &old), 1);

    stored.store.make_current("app", 1).unwrap();
    let back = deployment.refresh().unwrap();
    assert_eq!(back, Refreshed::Replaced { from: 2, to: 1 });
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);
}

#[test]
fn a_version_that_cannot_be_loaded_replaces_nothing() {
    let stored = Stored::new();
    stored.admit_answer(2);
    stored.admit_answer(3);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let kept = |policy: &TrustPolicy| {
        stored.follow(Some(policy.clone()));
        match deployment.refresh().unwrap_err() {
            RefreshError::Kept(reason) => {
                assert_eq!(ask(&engine, &deployment.current().unwrap()), 3);
                reason
            }
            error => panic!("{error:?}"),
        }
    };

    // The operator chooses an older version, which the policy refuses.
    stored.store.make_current("app", 2).unwrap();
    assert_eq!(kept(&stored.stricter(3)).code(), "rollback");

    // A version with an import that this host lacks.
    let import = "(component (import \"acme:host/thing\" (func)))";
    stored.admit(import, 4, &["-t", ARCH, "--profile", "edge"]);
    stored.store.make_current("app", 3).unwrap();
    stored.follow(Some(stored.policy.clone()));
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
    stored.store.make_current("app", 4).unwrap();
    let reason = kept(&stored.policy);
    assert!(matches!(reason, LoadError::Link(_)), "{reason:?}");
    assert!(reason.to_string().contains("acme:host/thing"), "{reason}");

    // A version for other engines.
    stored.admit(&programs::answer(5, 1), 5, &["-t", ARCH]);
    stored.store.make_current("app", 5).unwrap();
    assert_eq!(kept(&stored.policy).code(), "store-no-fit");

    // No version at all.
    stored.store.remove("app").unwrap();
    assert_eq!(kept(&stored.policy).code(), "store-unknown");

    // The version in use itself, whatever else the store has.
    stored.follow(Some(stored.stricter(4)));
    assert_eq!(distrusted(&deployment), "rollback");
    stored.follow(Some(stored.policy.clone()));
    assert_eq!(kept(&stored.policy).code(), "store-unknown");
}

/// Refreshes, and asserts that no request gets a program afterwards. Returns the code of the
/// reason.
pub(crate) fn distrusted(deployment: &Deployment<InstancePre<()>>) -> &'static str {
    match deployment.refresh().unwrap_err() {
        RefreshError::Distrusted(it) => {
            assert_eq!(deployment.current().err().unwrap().code(), it.code());
            it.code()
        }
        error => panic!("{error:?}"),
    }
}

/// If a refresh cannot judge the version in use, that version is not trusted until a refresh can.
#[test]
fn a_refresh_that_cannot_judge_distrusts() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let trusted_again = || {
        stored.follow(Some(stored.policy.clone()));
        assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
        assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);
    };

    stored.follow(None);
    assert_eq!(distrusted(&deployment), "policy-source");
    let error = deployment.current().err().unwrap();
    let text = edgec_loader::error_chain(&error);
    assert!(
        text.contains("not trusted any more: there is no trust policy"),
        "{text}"
    );
    // Without a policy, a new version is not put to work either.
    stored.admit_answer(2);
    assert_eq!(distrusted(&deployment), "policy-source");
    stored.store.make_current("app", 1).unwrap();
    trusted_again();

    // The policy changes, and the envelopes that it would judge are missing. So the version in use
    // cannot be judged.
    let envelopes = stored.sandbox.files().into_iter();
    let envelopes: Vec<_> = envelopes.filter(|name| name.ends_with(".dsse")).collect();
    assert!(!envelopes.is_empty());
    for name in &envelopes {
        let path = stored.path(name);
        std::fs::rename(&path, path.with_extension("gone")).unwrap();
    }
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
    stored.follow(Some(stored.stricter(1)));
    deployment.refresh().unwrap_err();
    let unjudged = deployment.current().err().unwrap();
    assert!(
        matches!(unjudged.reason(), Distrust::Unjudged(_)),
        "{unjudged:?}"
    );
    for name in &envelopes {
        let path = stored.path(name);
        std::fs::rename(path.with_extension("gone"), path).unwrap();
    }
    trusted_again();
}

/// After a panic in the host's policy source, the version in use is not trusted either.
#[test]
fn a_refresh_that_panics_distrusts() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let (policy, reads) = (stored.policy.clone(), AtomicU32::new(0));
    let source = PolicySource::by(move || match reads.fetch_add(1, Ordering::Relaxed) {
        1 => panic!("on purpose"),
        _ => Ok::<_, std::io::Error>(policy.clone()),
    });
    let linker = Linker::<()>::new(&engine);
    let deployment = Deployment::new(&stored.store, &engine, "app", source, linker).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deployment.refresh()));
    assert!(panicked.is_err());
    let undecided = deployment.current().err().unwrap();
    assert_eq!(undecided.code(), "undecided");
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);
}

/// A deployment without a policy does not start.
#[test]
fn nothing_is_put_to_work_without_a_policy() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    for file in ["missing.toml", "store"] {
        let policy = PolicyFile::new(stored.path(file));
        let linker = Linker::<()>::new(&engine);
        let error = Deployment::new(&stored.store, &engine, "app", policy, linker);
        let error = error.map(|_| ()).unwrap_err();
        assert!(matches!(error, LoadError::Policy(_)), "{error:?}");
    }
}

/// If a policy file has an older policy, the same process does not follow it. The next process does
/// not follow it either, if a state file remembers the newer one.
#[test]
fn a_policy_s_file_goes_forward_only() {
    let stored = Stored::new();
    let pem = String::from_utf8(stored.sandbox.read("key.pub.pem")).unwrap();
    let write = |head: &str| {
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        stored
            .sandbox
            .write("policy.toml", format!("{head}\nthreshold = 1\n{key}"))
    };
    let path = write("");
    let file = PolicyFile::new(&path);
    file.read().unwrap();
    write("name = 'fleet'\nversion = 2");
    file.read().unwrap();
    for (head, code) in [
        ("", "policy-rollback"),
        ("name = 'fleet'\nversion = 1", "policy-rollback"),
        ("name = 'other'\nversion = 3", "policy-rollback"),
        (
            "name = 'fleet'\nversion = 2\nexpires = 2999-01-01T00:00:00Z",
            "policy-rollback",
        ),
        (
            "name = 'fleet'\nversion = 3\nexpires = 2020-01-01T00:00:00Z",
            "policy-expired",
        ),
        ("version = 3", "trust-policy"),
    ] {
        write(head);
        assert_eq!(file.read().unwrap_err().code(), code, "{head}");
    }
    write("name = 'fleet'\nversion = 3");
    file.read().unwrap();

    let remembering = || PolicyFile::new(&path).remembered_in(stored.path("state"));
    remembering().read().unwrap();
    write("name = 'fleet'\nversion = 2");
    assert_eq!(remembering().read().unwrap_err().code(), "policy-rollback");
    let policy = stored.sandbox.policy();
    let root = policy.keys().next().unwrap().keys().only().cloned();
    let root = root.unwrap();
    let signed = PolicyFile::new(&path).signed_by(vec![root]);
    assert_eq!(signed.read().unwrap_err().code(), "policy-signature");
}

/// The closure of [`Preparation::component_as`] judges each version before it is put to work.
#[test]
fn a_host_prepares_each_version_once() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let prepare = |pre: InstancePre<()>| {
        let answer = pre.component().get_export_index(None, "answer");
        let answer = answer.ok_or_else(|| wasmtime::Error::msg("it does not answer"))?;
        Ok((pre, answer))
    };
    let linker = Linker::new(&engine);
    let versions = Versions::in_store(&stored.store, "app");
    let preparation = Preparation::component_as(linker, prepare);
    let policy = stored.policy.clone();
    let deployment = Deployment::of(versions, &engine, policy, preparation).unwrap();
    let current = deployment.current().unwrap();
    let (pre, answer) = current.program();
    let mut request = request(&engine);
    let instance = pre.instantiate(&mut request).unwrap();
    let answer = instance.get_typed_func::<(), (u32,)>(&mut request, answer);
    assert_eq!(answer.unwrap().call(&mut request, ()).unwrap(), (1,));

    stored.admit("(component)", 2, &["-t", ARCH, "--profile", "edge"]);
    let error = deployment.refresh().unwrap_err();
    assert!(matches!(error, RefreshError::Kept(LoadError::Link(_))));
    let text = edgec_loader::error_chain(&error);
    assert!(text.ends_with("it does not answer"), "{text}");
    assert_eq!(deployment.current().unwrap().manifest().version, 1);
    assert!(format!("{deployment:?}").contains("version: 1"));
}

/// A collection keeps what is in use, and removes it after it was unloaded.
#[test]
fn what_is_unloaded_may_go() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let typed = stored.load(&engine).unwrap().try_map(Ok::<_, ()>);
    let version = deployment.current().unwrap();
    let other = ArtifactStore::open(stored.path("store")).unwrap();
    other.remove("app").unwrap();
    let in_use = || {
        let collected = other.collect().unwrap().collection;
        assert_eq!(collected.images.len() + collected.in_use.len(), 1);
        collected.in_use.len() == 1
    };
    assert!(in_use());
    drop(typed);
    drop(deployment);
    assert!(in_use());
    assert_eq!(ask(&engine, &version), 1);
    drop(version);
    assert!(!in_use());
}

#[test]
fn what_is_for_others_is_refused_by_name() {
    let stored = Stored::new();
    let other = edgec_targets::all().find(|target| target.arch.name() != ARCH);
    let other = other.unwrap().id;
    stored.admit(&programs::answer(1, 1), 1, &["-t", ARCH]);
    stored.admit(
        &programs::answer(1, 1),
        1,
        &["-t", other, "--profile", "edge"],
    );
    let error = stored.load(&edge(&Limits::OnDemand)).unwrap_err();
    let LoadError::Store(StoreError::NoFit { what, targets }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(what, "`app`");
    assert_eq!(targets.len(), 2);
    for name in [format!("{ARCH} (default)"), format!("{other} (edge)")] {
        assert!(targets.contains(&name), "{targets:?}");
        assert!(error.to_string().contains(&name), "{error}");
    }
}

/// Of the artifacts that run here, the one that uses most features of the CPU is chosen.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_best_artifact_is_chosen() {
    let stored = Stored::new();
    for target in ["x86_64", "x86_64-v3"] {
        let options = ["-t", target, "--profile", "edge"];
        stored.admit(&programs::answer(1, 1), 1, &options);
    }
    let newer = ["avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe"];
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let has = |name: &str| match name {
        "lzcnt" => cpu.contains(" abm "),
        name => cpu.contains(&format!(" {name} ")),
    };
    let best = match newer.into_iter().all(has) {
        true => "x86_64-v3",
        false => "x86_64",
    };
    let engine = edge(&Limits::OnDemand);
    let loaded = stored.load(&engine).unwrap();
    assert_eq!(loaded.manifest().target.id, best);
    let pre = loaded.instantiate_pre(&Linker::new(&engine)).unwrap();
    assert_eq!(ask(&engine, &pre), 1);
}

#[test]
fn modules_are_kept_and_loaded_too() {
    let stored = Stored::new();
    let module = "(module (func (export \"f\") (result i32) i32.const 7))";
    stored.admit(module, 1, &["-t", ARCH, "--profile", "edge"]);
    let engine = edge(&Limits::OnDemand);
    let loaded = stored.store.load_module(&engine, "app", &stored.policy);
    let loaded = loaded.unwrap();
    let mut store = request(&engine);
    let instance = wasmtime::Instance::new(&mut store, loaded.program(), &[]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 7);
    let error = stored.load(&engine).unwrap_err();
    assert!(matches!(error, LoadError::Kind { .. }), "{error:?}");
}

/// The typed forms keep the facts about the program.
#[test]
fn a_program_in_another_form_is_the_same_program() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let loaded = stored.load(&engine).unwrap();
    let report = loaded.report();
    let named: Loaded<&str> = loaded.try_map(|_| Ok::<_, ()>("a program")).unwrap();
    assert_eq!(named.program(), &"a program");
    assert_eq!((named.report(), named.manifest().version), (report, 1));
    assert_eq!(named.accepted().len(), 1);
}
