//! Components with merged core modules, compared with the same components unmerged and with stock
//! Wasmtime: the size of the image, its load, an instance from a pool, and the first answer of an
//! HTTP program.
//!
//! `cargo bench -p edgec flattened`. With `EDGEC_COMPONENTS=FOLDER`, it also measures the
//! components in that folder.
//!
//! A load of edgec is one from a store, with signatures and policy checked. Stock's load verifies
//! nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use edgec_benches::http::Host;
use edgec_benches::{
    Contender, Guest, Stock, deserialize, guests, made, medians, medians_of, prepare, print,
};
use edgec_loader::store::{ArtifactStore, LoadFromStore as _};
use edgec_loader::{EngineProfile, Expected, HostEngine, Limits, LoadedComponent, PoolPlan};
use edgec_tests::Sandbox;
use edgec_verifier::TrustPolicy;
use wasmtime::component::InstancePre;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How many instances the pool has.
const INSTANCES: u32 = 10;
/// The most parts of one instance.
const PARTS: u32 = 200;
/// The first argument of a process that answers one request and ends. It is this program.
const ANSWER: &str = "__answer";

/// Answers one request if this process was started for it. Returns whether it was.
pub(crate) fn answered() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, what, place, key] = arguments.as_slice() else {
        return false;
    };
    if first != ANSWER {
        return false;
    }
    let (host, place) = (Host::default(), Path::new(place));
    let answer = match what.as_str() {
        "stock" => {
            let engine = stock_engine();
            host.first_answer(&engine, &deserialize(&engine, place))
        }
        _ => {
            let key = std::fs::read_to_string(key).unwrap();
            let key = edgec_verifier::PublicKey::from_pem(&key).unwrap();
            let host_engine = Edgec::open(place, edgec_tests::trusting(key));
            let loaded = host_engine.load();
            host.first_answer(&host_engine.engine, loaded.program())
        }
    };
    assert_eq!(answer.unwrap().status, 200);
    true
}

pub(crate) fn run() {
    println!("medians of one run, in turns; the ratios are to the first line of each group\n");
    let named = [
        "rust-worker-p2",
        "c-cmark",
        "c-minigzip",
        "rust-worker-p1",
        "rust-http-proxy",
        "js-http-proxy",
    ];
    for guest in guests(&named).into_iter().chain(made()) {
        let sandbox = Sandbox::new();
        let stock = Stock::of(&guest, sandbox.path(), pool());
        sandbox.write("guest.wasm", guest.component.bytes());
        let programs = Programs {
            stock: &stock,
            apart: &Form::build(&sandbox, "apart", &["--no-flatten"]),
            merged: &Form::build(&sandbox, "merged", &[]),
        };
        programs.sizes(&guest);
        programs.loads(&guest);
        programs.instances(&guest);
        programs.answers(&guest, &sandbox);
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

/// Wasmtime's default engine with this pool.
fn stock_engine() -> Engine {
    let mut config = Config::new();
    config.allocation_strategy(pool());
    Engine::new(&config).unwrap()
}

/// A program that edgec built with some options.
struct Form {
    /// The artifact of the default profile, which any engine can load.
    any: PathBuf,
    /// The artifact of the edge profile, in a store.
    edge: Edgec,
    /// The store.
    store: PathBuf,
}

impl Form {
    fn build(sandbox: &Sandbox, name: &str, options: &[&str]) -> Self {
        for profile in ["default", "edge"] {
            let output = format!("{name}.{profile}.cwasm");
            let build = ["build", "guest.wasm", "-q", "-t", std::env::consts::ARCH];
            let named = ["--name", "guest", "--profile", profile];
            let signed = ["--key", "key.pem", "-o", &output];
            sandbox.ok(&[&build[..], &named, &signed, options].concat());
        }
        let (policy, folder) = (sandbox.policy(), sandbox.path().join(name));
        let store = ArtifactStore::create(&folder).unwrap();
        let artifact = sandbox.path().join(format!("{name}.edge.cwasm"));
        store.add(artifact, &policy, &Expected::anything()).unwrap();
        Self {
            any: sandbox.path().join(format!("{name}.default.cwasm")),
            edge: Edgec::open(&folder, policy),
            store: folder,
        }
    }

    /// The image of the edge profile.
    fn image(&self) -> PathBuf {
        let images = self.edge.store.image_paths("guest").unwrap();
        images.into_iter().next().unwrap()
    }
}

/// A store with the program `guest`, and an engine that is ready for it.
struct Edgec {
    store: ArtifactStore,
    policy: TrustPolicy,
    engine: HostEngine,
}

impl Edgec {
    fn open(folder: &Path, policy: TrustPolicy) -> Self {
        let store = ArtifactStore::open(folder).unwrap();
        let manifests = store.manifests().unwrap().manifests;
        let plan = PoolPlan::fitting(INSTANCES, 4 << 30, &manifests).unwrap();
        let engine = HostEngine::builder(EngineProfile::Edge).limits(Limits::Pooled(plan));
        Self {
            store,
            policy,
            engine: engine.build().unwrap(),
        }
    }

    fn load(&self) -> LoadedComponent {
        self.store
            .load(&self.engine, "guest", &self.policy)
            .unwrap()
    }
}

/// A program in three forms.
struct Programs<'a> {
    stock: &'a Stock,
    apart: &'a Form,
    merged: &'a Form,
}

impl Programs<'_> {
    fn sizes(&self, guest: &Guest) {
        let length = |file: &Path| std::fs::metadata(file).unwrap().len();
        let first = length(&self.stock.image);
        for (name, file) in [
            ("stock, image", self.stock.image.clone()),
            ("edgec, unmerged, artifact", self.apart.any.clone()),
            ("edgec, artifact", self.merged.any.clone()),
            ("edgec, unmerged, edge profile", self.apart.image()),
            ("edgec, edge profile", self.merged.image()),
        ] {
            let bytes = length(&file);
            let ratio = bytes as f64 / first as f64;
            println!("{:24} {name:46} {bytes:>10} B   {ratio:>6.3}x", guest.name);
        }
    }

    fn loads(&self, guest: &Guest) {
        let stock = Engine::default();
        let image = self.merged.image();
        let mut contenders = [
            Contender::making("stock deserialize_file", || {
                deserialize(&stock, &self.stock.image)
            }),
            Contender::making("edgec load, unmerged", || self.apart.edge.load()),
            Contender::making("edgec load", || self.merged.edge.load()),
            Contender::making("wasmtime's part of it: deserialize_file", || {
                deserialize(&self.merged.edge.engine, &image)
            }),
        ];
        let times = medians(&mut contenders, Duration::from_secs(4));
        print(&guest.name, &contenders, &times);
    }

    /// Instances of the default profile come from the same pool of an unmodified engine. Those of
    /// the edge profile come from the pool that the store plans.
    fn instances(&self, guest: &Guest) {
        let engine = &self.stock.engine;
        let of = |file: &Path| prepare(engine, &deserialize(engine, file));
        let programs = [&self.stock.image, &self.apart.any, &self.merged.any].map(|it| of(it));
        let [stock, apart, merged] = &programs;
        let edge = |form: &Form| prepare(&form.edge.engine, form.edge.load().program());
        let edges = [edge(self.apart), edge(self.merged)];
        let [edge_apart, edge_merged] = &edges;
        let mut contenders = [
            Contender::new("stock, pooled: store, instance, drop", || {
                instance(engine, stock)
            }),
            Contender::new("edgec, unmerged, pooled", || instance(engine, apart)),
            Contender::new("edgec, pooled", || instance(engine, merged)),
            Contender::new("edgec, unmerged, edge profile, pooled", || {
                instance(&self.apart.edge.engine, edge_apart)
            }),
            Contender::new("edgec, edge profile, pooled", || {
                instance(&self.merged.edge.engine, edge_merged)
            }),
        ];
        let times = medians(&mut contenders, Duration::from_secs(4));
        print(&guest.name, &contenders, &times);
    }

    /// From an engine that is ready to the last byte of the first answer: load, link, instance. And
    /// the whole process that does only this.
    fn answers(&self, guest: &Guest, sandbox: &Sandbox) {
        let (engine, host) = (stock_engine(), Host::default());
        let stock = || host.first_answer(&engine, &deserialize(&engine, &self.stock.image));
        let loaded = |form: &Form| host.first_answer(&form.edge.engine, form.edge.load().program());
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
        let key = sandbox.path().join("key.pub.pem");
        let process = |what: &str, place: &Path| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let status = command.args([ANSWER, what]).arg(place).arg(&key).status();
            assert!(status.unwrap().success(), "{what}");
        };
        let mut contenders = [
            Contender::new("stock, whole process", || {
                process("stock", &self.stock.image)
            }),
            Contender::new("edgec, unmerged, whole process", || {
                process("edgec", &self.apart.store)
            }),
            Contender::new("edgec, whole process", || {
                process("edgec", &self.merged.store)
            }),
        ];
        let times = medians_of(&mut contenders, Duration::from_secs(5), 21);
        print(&guest.name, &contenders, &times);
    }
}

fn instance(engine: &Engine, program: &InstancePre<()>) {
    let mut store = wasmtime::Store::new(engine, ());
    store.set_epoch_deadline(1);
    program.instantiate(&mut store).unwrap();
}
