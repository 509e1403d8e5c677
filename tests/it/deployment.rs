//! The runtime API of `edgec-loader` over a store: what fits is chosen, names are replaced and
//! unloaded.

#![cfg(target_os = "linux")]

use edgec_loader::store::{Application, Deployment, RefreshError, Refreshed, Store, StoreError};
use edgec_loader::{
    HostEngine, Limits, LoadError, LoadMode, Loaded, LoadedComponent, LoadedPre, TrustPolicy,
    Verdict,
};
use edgec_tests::programs;
use edgec_tests::stored::{ARCH, Stored, ask, edge, request};
use wasmtime::Trap;
use wasmtime::component::{InstancePre, Linker};

/// Hosts keep these in what their threads and tasks share.
#[test]
fn what_hosts_share_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Store>();
    shared::<HostEngine>();
    shared::<TrustPolicy>();
    shared::<LoadedComponent>();
    shared::<LoadedPre<()>>();
    shared::<Deployment<()>>();
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
    // Never across policies, however little they differ.
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
            let (version, mut store) = (deployment.current(), request(&engine));
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
    let instance = deployment.current().instantiate(&mut store).unwrap();
    let spin = instance
        .get_typed_func::<(), ()>(&mut store, "spin")
        .unwrap();
    let ticker = engine.tick(std::time::Duration::from_millis(10));
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    drop(ticker);
    assert_eq!(ask(&engine, &deployment.current()), 7);
}

#[test]
fn a_name_is_replaced_while_its_versions_run() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let unchanged = deployment.refresh(&stored.policy).unwrap();
    assert_eq!(unchanged, Refreshed::Unchanged);

    let old = deployment.current();
    stored.admit_answer(2);
    let replaced = deployment.refresh(&stored.policy).unwrap();
    assert_eq!(replaced, Refreshed::Replaced { from: 1, to: 2 });
    assert_eq!(deployment.current().manifest().version, 2);
    assert_eq!(ask(&engine, &deployment.current()), 2);
    // Whoever has the old one keeps it.
    assert_eq!(ask(&engine, &old), 1);

    stored.store.make_current("app", 1).unwrap();
    let back = deployment.refresh(&stored.policy).unwrap();
    assert_eq!(back, Refreshed::Replaced { from: 2, to: 1 });
    assert_eq!(ask(&engine, &deployment.current()), 1);
}

#[test]
fn what_cannot_be_loaded_takes_nobodys_place() {
    let stored = Stored::new();
    stored.admit_answer(3);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let kept = |policy: &TrustPolicy| match deployment.refresh(policy).unwrap_err() {
        RefreshError::Kept(reason) => {
            assert_eq!(ask(&engine, &deployment.current()), 3);
            reason
        }
        error => panic!("{error:?}"),
    };

    // An older one, by the operator's hand, that the policy does not let in.
    stored.admit_answer(2);
    stored.store.make_current("app", 2).unwrap();
    assert_eq!(kept(&stored.stricter(3)).code(), "rollback");

    // One with an import that this host has not.
    let import = "(component (import \"acme:host/thing\" (func)))";
    stored.admit(import, 4, &["-t", ARCH, "--profile", "edge"]);
    stored.store.make_current("app", 3).unwrap();
    assert_eq!(
        deployment.refresh(&stored.policy).unwrap(),
        Refreshed::Unchanged
    );
    stored.store.make_current("app", 4).unwrap();
    let reason = kept(&stored.policy);
    assert!(matches!(reason, LoadError::Link(_)), "{reason:?}");
    assert!(reason.to_string().contains("acme:host/thing"), "{reason}");

    // One for other engines.
    stored.admit(&programs::answer(5, 1), 5, &["-t", ARCH]);
    stored.store.make_current("app", 5).unwrap();
    assert_eq!(kept(&stored.policy).code(), "store-no-fit");

    // None at all.
    stored.store.remove(&Application::new("app")).unwrap();
    assert_eq!(kept(&stored.policy).code(), "store-unknown");

    // What is at work itself, whatever else the store has.
    match deployment.refresh(&stored.stricter(4)).unwrap_err() {
        RefreshError::Distrusted(reason) => assert_eq!(reason.code(), "rollback"),
        error => panic!("{error:?}"),
    }
    assert_eq!(ask(&engine, &deployment.current()), 3);
}

/// What [`Deployment::with`] is given judges each version before it is put to work.
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
    let (store, policy) = (&stored.store, &stored.policy);
    let deployment = Deployment::with(store, &engine, "app", policy, linker, prepare).unwrap();
    let current = deployment.current();
    let (pre, answer) = current.program();
    let mut request = request(&engine);
    let instance = pre.instantiate(&mut request).unwrap();
    let answer = instance.get_typed_func::<(), (u32,)>(&mut request, answer);
    assert_eq!(answer.unwrap().call(&mut request, ()).unwrap(), (1,));

    stored.admit("(component)", 2, &["-t", ARCH, "--profile", "edge"]);
    let error = deployment.refresh(policy).unwrap_err();
    assert!(matches!(error, RefreshError::Kept(LoadError::Link(_))));
    let text = edgec_loader::error_chain(&error);
    assert!(text.ends_with("it does not answer"), "{text}");
    assert_eq!(deployment.current().manifest().version, 1);
    assert!(format!("{deployment:?}").contains("version: 1"));
}

/// A collection leaves what is in use, and takes it when it was unloaded.
#[test]
fn what_is_unloaded_may_go() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine);
    let typed = stored.load(&engine).unwrap().try_map(Ok::<_, ()>);
    let version = deployment.current();
    let other = Store::open(stored.path("store")).unwrap();
    other.remove(&Application::new("app")).unwrap();
    let in_use = || {
        let (collected, _) = other.collect().unwrap();
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

/// Of the artifacts that run here, the one that uses most of the CPU.
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

/// The typed forms carry along what is known of the program.
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
