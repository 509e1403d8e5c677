//! Instance pools: every program of a store fits, no more instances than were planned, and what no
//! pool can hold is named.

#![cfg(target_os = "linux")]

use edgec_loader::store::LoadFromStore as _;
use edgec_loader::{Limits, PlanError, PoolPlan};
use edgec_tests::stored::{ARCH, Stored, ask, edge, request};
use edgec_tests::{programs, repository};
use wasmtime::PoolConcurrencyLimitError;
use wasmtime::component::Linker;

/// Every program of the store fits the pool; no more instances than were planned.
#[test]
fn a_pool_holds_what_was_planned_and_no_more() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let manifests = stored.store.manifests().unwrap().manifests;
    let plan = PoolPlan::fitting(2, 1 << 20, &manifests).unwrap();
    let engine = edge(&Limits::Pooled(plan));
    let deployment = stored.deploy(&engine);
    let pre = deployment.current().unwrap();
    let (mut first, mut second, mut third) = (request(&engine), request(&engine), request(&engine));
    pre.instantiate(&mut first).unwrap();
    pre.instantiate(&mut second).unwrap();
    let error = pre.instantiate(&mut third).unwrap_err();
    assert!(error.is::<PoolConcurrencyLimitError>(), "{error:?}");
    drop(first);
    pre.instantiate(&mut third).unwrap();
    drop((second, third));

    // A newer version that needs more than the pool's memories have is refused when it is loaded.
    let large = programs::answer(2, 17);
    stored.admit(&large, 2, &["-t", ARCH, "--profile", "edge"]);
    let error = deployment.refresh().unwrap_err();
    assert_eq!(error.code(), "pool-limits", "{error:?}");
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);
}

/// Real imports, adapters and several core instances; and components that call each other, for
/// which the engine makes instances of its own.
#[test]
fn a_pool_holds_programs_of_many_instances() {
    let stored = Stored::new();
    let hello = std::fs::read_to_string(repository().join("examples/hello.wat")).unwrap();
    let two = r#"(component
      (component $inner
        (core module $m (func (export "f") (result i32) i32.const 9))
        (core instance $i (instantiate $m))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (component $outer
        (import "f" (func $f (result u32)))
        (core func $f (canon lower (func $f)))
        (core module $m (import "" "f" (func $f (result i32))) (func (export "g") (result i32) call $f))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
        (func (export "answer") (result u32) (canon lift (core func $i "g"))))
      (instance $inner (instantiate $inner))
      (instance $outer (instantiate $outer (with "f" (func $inner "f"))))
      (export "answer" (func $outer "answer")))"#;
    let options = ["-t", ARCH, "--profile", "edge"];
    for (text, name) in [(hello.as_str(), "hello"), (two, "two")] {
        stored.admit(text, 1, &[&options[..], &["--name", name]].concat());
    }
    let load = |name: &str| {
        let manifests = stored.store.manifests().unwrap().manifests;
        let only: Vec<_> = manifests.iter().filter(|m| m.name == name).collect();
        assert_eq!(only.len(), 1);
        let plan = PoolPlan::fitting(1, 1 << 30, only).unwrap();
        let engine = edge(&Limits::Pooled(plan));
        let loaded = stored.store.load(&engine, name, &stored.policy);
        loaded.map(|loaded| (engine, loaded))
    };
    load("hello").unwrap();
    let (engine, loaded) = load("two").unwrap();
    let pre = loaded.instantiate_pre(&Linker::new(&engine)).unwrap();
    assert_eq!(ask(&engine, &pre), 9);
    assert_eq!(ask(&engine, &pre), 9);
}

#[test]
fn what_no_pool_can_hold_is_named() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let manifests = stored.store.manifests().unwrap().manifests;
    let [manifest] = manifests.as_slice() else {
        panic!("{manifests:?}");
    };
    let plan = |instances, memory, change: &dyn Fn(&mut edgec_loader::Manifest)| {
        let mut manifest = manifest.clone();
        change(&mut manifest);
        PoolPlan::fitting(instances, memory, [&manifest])
    };
    let same = |_: &mut edgec_loader::Manifest| {};
    let fits = plan(10, 64 << 10, &same).unwrap();
    assert_eq!((fits.instances, fits.memories, fits.tables), (10, 1, 0));

    let error = plan(10, (64 << 10) - 1, &same).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`app` starts with a memory of 65536, a pool holds 65535"
    );
    assert_eq!(error.code(), "plan-too-large");

    let error = plan(10, 1 << 20, &|m| m.resources.complete = false).unwrap_err();
    assert!(matches!(&error, PlanError::Incomplete { name } if name == "app"));
    assert_eq!(error.code(), "plan-incomplete");

    // What does not fit keeps nothing else out.
    let mut greedy = manifest.clone();
    greedy.resources.memories = vec![greedy.resources.memories[0]; 100];
    let (most, left_out) = PoolPlan::fitting_most(1000, 1 << 20, [&greedy, manifest]);
    assert_eq!((most.memories, left_out.len()), (1, 1));
    assert_eq!(left_out[0].code(), "plan-address-space");

    let table = |m: &mut edgec_loader::Manifest| {
        let mut limits = m.resources.memories[0];
        limits.minimum = 10_000_001;
        m.resources.tables.push(limits);
    };
    let error = plan(10, 1 << 20, &table).unwrap_err();
    assert!(
        matches!(
            error,
            PlanError::TooLarge {
                what: "a table",
                ..
            }
        ),
        "{error}"
    );

    let error = plan(1_000_000, 1 << 20, &same).unwrap_err();
    assert!(matches!(
        error,
        PlanError::AddressSpace {
            instances: 1_000_000,
            ..
        }
    ));
    assert_eq!(error.code(), "plan-address-space");
}
