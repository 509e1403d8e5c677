//! Components with merged core modules, compared with the same components unmerged and with stock
//! Wasmtime: the size of the image, its load, an instance from a pool, and the first answer of an
//! HTTP program.
//!
//! `cargo bench -p edgec flattened`. With `EDGEC_COMPONENTS=FOLDER`, it also measures the
//! components in that folder.

use std::path::Path;
use std::time::Duration;

use edgec_benches::http::Host;
use edgec_benches::{
    Contender, Guest, Stock, deserialize, guests, made, medians, medians_of, prepare, print,
};
use edgec_loader::{EngineProfile, Expected, HostEngine, LoadedComponent, load};
use edgec_tests::Sandbox;
use edgec_verifier::TrustPolicy;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How many instances the pool has.
const INSTANCES: u32 = 10;
/// The most parts of one instance.
const PARTS: u32 = 200;

pub(crate) fn run() {
    println!("medians of one run, in turns; the ratios are to the first line of each group\n");
    let named = [
        "rust-worker-p2",
        "c-cmark",
        "rust-http-proxy",
        "js-http-proxy",
    ];
    for guest in guests(&named).into_iter().chain(made()) {
        let sandbox = Sandbox::new();
        let stock = Stock::of(&guest, sandbox.path(), pool());
        sandbox.write("guest.wasm", guest.component.bytes());
        for (output, option) in [
            ("apart.cwasm", Some("--no-flatten")),
            ("merged.cwasm", None),
        ] {
            let build = ["build", "guest.wasm", "-q", "-t", std::env::consts::ARCH];
            let signed = ["--key", "key.pem", "-o", output];
            let option: Vec<&str> = option.into_iter().collect();
            sandbox.ok(&[&build[..], &signed, &option].concat());
        }
        let programs = Programs {
            stock: &stock,
            apart: &sandbox.path().join("apart.cwasm"),
            merged: &sandbox.path().join("merged.cwasm"),
            policy: &sandbox.policy(),
        };
        programs.sizes(&guest);
        programs.loads(&guest);
        programs.instances(&guest);
        programs.answers(&guest);
        println!();
    }
}

/// A pool whose instances can have many parts.
fn pool() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * PARTS)
        .total_memories(INSTANCES * 4)
        .total_tables(INSTANCES * PARTS)
        .max_tables_per_module(4)
        .max_memories_per_module(4);
    InstanceAllocationStrategy::Pooling(pool)
}

/// A program in three forms.
struct Programs<'a> {
    stock: &'a Stock,
    apart: &'a Path,
    merged: &'a Path,
    policy: &'a TrustPolicy,
}

impl Programs<'_> {
    fn sizes(&self, guest: &Guest) {
        let length = |file: &Path| std::fs::metadata(file).unwrap().len();
        let first = length(&self.stock.image);
        for (name, file) in [
            ("stock, image", self.stock.image.as_path()),
            ("edgec, unmerged, artifact", self.apart),
            ("edgec, artifact", self.merged),
        ] {
            let bytes = length(file);
            let ratio = bytes as f64 / first as f64;
            println!("{:24} {name:46} {bytes:>10} B   {ratio:>5.2}x", guest.name);
        }
    }

    fn load(&self, engine: &HostEngine, file: &Path) -> LoadedComponent {
        load(engine, file, self.policy, &Expected::anything()).unwrap()
    }

    fn loads(&self, guest: &Guest) {
        let engine = Engine::default();
        let ours = host_engine();
        let mut contenders = [
            Contender::making("stock deserialize_file", || {
                deserialize(&engine, &self.stock.image)
            }),
            Contender::making("edgec load, unmerged", || self.load(&ours, self.apart)),
            Contender::making("edgec load", || self.load(&ours, self.merged)),
        ];
        let times = medians(&mut contenders, Duration::from_secs(3));
        print(&guest.name, &contenders, &times);
    }

    /// Instances of all three come from the same pool of an unmodified engine.
    fn instances(&self, guest: &Guest) {
        let engine = &self.stock.engine;
        let of = |file: &Path| prepare(engine, &deserialize(engine, file));
        let programs = [self.stock.image.as_path(), self.apart, self.merged].map(of);
        let [stock, apart, merged] = &programs;
        let mut contenders = [
            Contender::new("stock, pooled: store, instance, drop", || {
                instance(engine, stock)
            }),
            Contender::new("edgec, unmerged, pooled", || instance(engine, apart)),
            Contender::new("edgec, pooled", || instance(engine, merged)),
        ];
        let times = medians(&mut contenders, Duration::from_secs(3));
        print(&guest.name, &contenders, &times);
    }

    /// From an engine that is ready to the last byte of the first answer: load, link, instance.
    fn answers(&self, guest: &Guest) {
        let (engine, ours, host) = (Engine::default(), host_engine(), Host::default());
        let stock = || host.first_answer(&engine, &deserialize(&engine, &self.stock.image));
        let loaded = |file| host.first_answer(&ours, self.load(&ours, file).program());
        let Some(right) = stock() else { return };
        assert_eq!(loaded(self.apart).as_ref(), Some(&right), "{}", guest.name);
        assert_eq!(loaded(self.merged).as_ref(), Some(&right), "{}", guest.name);
        let mut contenders = [
            Contender::new("stock, first answer", || drop(stock())),
            Contender::new("edgec, unmerged, first answer", || drop(loaded(self.apart))),
            Contender::new("edgec, first answer", || drop(loaded(self.merged))),
        ];
        let times = medians_of(&mut contenders, Duration::from_secs(5), 21);
        print(&guest.name, &contenders, &times);
    }
}

fn host_engine() -> HostEngine {
    HostEngine::builder(EngineProfile::Default).build().unwrap()
}

fn instance(engine: &Engine, program: &InstancePre<()>) {
    let mut store = wasmtime::Store::new(engine, ());
    store.set_epoch_deadline(1);
    program.instantiate(&mut store).unwrap();
}
