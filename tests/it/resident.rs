//! What instances write stays resident in the slots of a pool, and the next instance finds its own
//! memory.

#![cfg(target_os = "linux")]

use edgec_loader::store::LoadFromStore as _;
use edgec_loader::{HostEngine, Limits, LoadedComponent, PoolPlan, ResidentPages};
use edgec_tests::stored::{ARCH, Stored, ask, edge, request};
use wasmtime::PoolingAllocationConfig;
use wasmtime::component::Linker;

/// Pages of 4 KiB to which the program writes, each apart from the others: more than the engine
/// resets.
const WRITTEN: u64 = 50;
/// The ranges that the engine resets (`MAX_REGIONS` in its `sys/unix/pagemap.rs`).
const RESET: u64 = 32;

/// Its answer is the sum of the bytes that it finds in its pages, which is 1 for each. Then it
/// changes them.
fn program() -> String {
    let byte = |place: u64| format!(r#"(data (i32.const {place}) "\01")"#);
    let data: String = (0..WRITTEN).map(|it| byte(it * 16384)).collect();
    let end = WRITTEN * 16384;
    format!(
        r#"(component
      (core module $m
        (memory (export "memory") 16)
        {data}
        (func (export "answer") (result i32) (local $at i32) (local $sum i32)
          (loop $next
            (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
            (i32.store8 (local.get $at) (i32.const 7))
            (local.set $at (i32.add (local.get $at) (i32.const 16384)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const {end}))))
          (local.get $sum)))
      (core instance $i (instantiate $m))
      (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#
    )
}

struct Host {
    _stored: Stored,
    engine: HostEngine,
    loaded: LoadedComponent,
}

/// A host with a pool of two slots.
fn host() -> Host {
    let stored = Stored::new();
    stored.admit(&program(), 1, &["-t", ARCH, "--profile", "edge"]);
    let manifests = stored.store.manifests().unwrap().manifests;
    let plan = PoolPlan::fitting(2, 1 << 20, &manifests).unwrap();
    let engine = edge(&Limits::Pooled(plan.keeping_resident(1 << 20)));
    let loaded = stored.store.load(&engine, "app", &stored.policy).unwrap();
    Host {
        _stored: stored,
        engine,
        loaded,
    }
}

/// Calls the program, and looks at the pages before its instance ends.
fn call(host: &Host, pages: &mut ResidentPages) -> edgec_loader::Settled {
    let pre = host.loaded.instantiate_pre(&Linker::new(&host.engine));
    let mut store = request(&host.engine);
    let instance = pre.unwrap().instantiate(&mut store).unwrap();
    let answer = instance.get_typed_func::<(), (u32,)>(&mut store, "answer");
    let (sum,) = answer.unwrap().call(&mut store, ()).unwrap();
    assert_eq!(u64::from(sum), WRITTEN, "another instance's bytes");
    pages.settle([host.loaded.program()]).unwrap()
}

#[test]
fn what_an_instance_writes_stays_resident_for_the_next() {
    let host = host();
    let page = u64::try_from(rustix::param::page_size()).unwrap();
    let mut pages = ResidentPages::new(1 << 20, 1 << 20).unwrap();

    // Without a look, the engine keeps the pages of as many ranges as it resets.
    ask(
        &host.engine,
        &host
            .loaded
            .instantiate_pre(&Linker::new(&host.engine))
            .unwrap(),
    );
    let found = pages.settle([host.loaded.program()]).unwrap();
    let is_told = PoolingAllocationConfig::is_pagemap_scan_available();
    if is_told {
        let by_itself = found.resident - found.added;
        assert_eq!((found.slots, by_itself), (1, RESET * page));
    }

    let first = call(&host, &mut pages);
    assert!(first.changed, "{first:?}");
    assert!(first.added > 0, "{first:?}");
    assert!(
        first.resident >= (WRITTEN * page) + first.added,
        "{first:?}"
    );
    // The next instance finds its own bytes, and all of these pages. The gaps are known by now.
    let second = call(&host, &mut pages);
    assert_eq!(second.slots, 1, "{second:?}");
    let third = call(&host, &mut pages);
    assert!(!third.changed, "{third:?}");
    if is_told {
        assert_eq!((second.added, third.added), (0, 0));
        assert_eq!(third.resident, first.resident);
    }
}

/// A slot that is used later gets the same pages.
#[test]
fn all_slots_are_alike() {
    let host = host();
    let mut pages = ResidentPages::new(1 << 20, 1 << 22).unwrap();
    let pre = host
        .loaded
        .instantiate_pre(&Linker::new(&host.engine))
        .unwrap();
    let one = call(&host, &mut pages);
    assert_eq!(one.slots, 1, "{one:?}");
    // Two at one time, so one of them is in the other slot.
    let mut first = request(&host.engine);
    pre.instantiate(&mut first).unwrap();
    let two = call(&host, &mut pages);
    drop(first);
    assert_eq!((two.slots, two.resident), (2, 2 * one.resident), "{two:?}");
    assert!(two.added > 0, "{two:?}");
}

#[test]
fn no_more_is_made_resident_than_allowed() {
    let host = host();
    for (slot, all) in [(0, 1 << 20), (1 << 20, 0)] {
        let mut pages = ResidentPages::new(slot, all).unwrap();
        let settled = call(&host, &mut pages);
        assert!(settled.changed, "{settled:?}");
        assert_eq!(settled.added, 0, "{settled:?}");
    }
}

#[test]
fn other_programs_are_left_alone() {
    let (host, other) = (host(), self::host());
    let mut pages = ResidentPages::new(1 << 20, 1 << 20).unwrap();
    call(&host, &mut pages);
    let found = pages.settle([other.loaded.program()]).unwrap();
    assert_eq!(
        (found.slots, found.resident),
        (0, 0),
        "it has no instance yet"
    );
    assert_eq!(pages.settle([]).unwrap(), edgec_loader::Settled::default());
}
