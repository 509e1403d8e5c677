//! Instances: the time for one instance a request, and the memory of a thousand of them, compared
//! with stock Wasmtime with the same kind of pool.
//!
//! `cargo bench -p edgec instances`

use std::time::Duration;

use edgec_benches::{Contender, Guest, Stock, guests, medians, prepare, print};
use edgec_loader::store::{ArtifactStore, LoadFromStore as _};
use edgec_loader::{EngineProfile, Expected, HostEngine, Limits, LoadedComponent, PoolPlan};
use edgec_tests::Sandbox;
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

const INSTANCES: u32 = 1000;

pub(crate) fn run() {
    for guest in guests(&["rust-worker-p2", "rust-http-proxy", "js-http-proxy"]) {
        let sandbox = Sandbox::new();
        let (engine, loaded) = edge(&sandbox, &guest);
        let stock = Stock::of(&guest, sandbox.path(), stock_pool());
        let theirs = stock.load();
        requests(&guest.name, (&stock.engine, &theirs), (&engine, &loaded));
        if guest.name != "hello" {
            memory(&guest.name, "stock", &stock.engine, &theirs);
            memory(&guest.name, "edge", &engine, loaded.program());
        }
    }
}

/// A pool for the same number of instances, with Wasmtime's own dimensions for each.
fn stock_pool() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * 8)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES * 4)
        .max_tables_per_module(4);
    InstanceAllocationStrategy::Pooling(pool)
}

/// The guest, loaded from a store into an engine with the pool that the store plans.
fn edge(sandbox: &Sandbox, guest: &Guest) -> (HostEngine, LoadedComponent) {
    sandbox.write("guest.wasm", guest.component.bytes());
    let build = ["build", "guest.wasm", "--profile", "edge", "-q", "-t"];
    let key = ["--key", "key.pem", "-o", "guest.cwasm"];
    sandbox.ok(&[&build[..], &[std::env::consts::ARCH], &key].concat());
    let policy = sandbox.policy();
    let store = ArtifactStore::create(sandbox.path().join("store")).unwrap();
    let artifact = sandbox.path().join("guest.cwasm");
    store.add(artifact, &policy, &Expected::anything()).unwrap();
    let plan =
        PoolPlan::fitting(INSTANCES, 4 << 30, &store.manifests().unwrap().manifests).unwrap();
    let engine = HostEngine::builder(EngineProfile::Edge)
        .limits(Limits::Pooled(plan))
        .build()
        .unwrap();
    let loaded = store.load(&engine, "guest", &policy).unwrap();
    (engine, loaded)
}

fn requests(name: &str, stock: (&Engine, &Component), edge: (&HostEngine, &LoadedComponent)) {
    let theirs = prepare(stock.0, stock.1);
    let ours = prepare(edge.0, edge.1.program());
    let mut contenders = [
        Contender::new("stock, pooled: store, instance, drop", || {
            instance(stock.0, &theirs);
        }),
        Contender::new("edge, pooled: store, instance, drop", || {
            instance(edge.0, &ours);
        }),
    ];
    let times = medians(&mut contenders, Duration::from_secs(3));
    print(name, &contenders, &times);
}

fn instance(engine: &Engine, pre: &InstancePre<()>) -> wasmtime::Store<()> {
    let mut store = wasmtime::Store::new(engine, ());
    store.set_epoch_deadline(1);
    pre.instantiate(&mut store).unwrap();
    store
}

/// The resident memory of live instances, in bytes for each: everything that this process gained
/// while they were made.
fn memory(name: &str, whose: &str, engine: &Engine, component: &Component) {
    let pre = prepare(engine, component);
    drop(instance(engine, &pre));
    let before = resident();
    let stores: Vec<_> = (0..INSTANCES).map(|_| instance(engine, &pre)).collect();
    let each = resident().saturating_sub(before) / stores.len() as u64;
    let what = format!("{whose}: resident, each of {INSTANCES} live instances");
    println!("{name:24} {what:46} {each:>10} bytes");
}

/// The process's resident memory in bytes, as Linux counts it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.unwrap().parse::<u64>().unwrap() * 1024
}
