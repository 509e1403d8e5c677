//! Cold starts from the admission store, compared with stock Wasmtime's unverified
//! `Component::deserialize_file` of a file that stock Wasmtime compiled with its defaults. Also
//! admission, compared with the one hash of the image that it needs.
//!
//! `cargo bench -p edgec store`

use std::fs;
use std::path::Path;
use std::time::Duration;

use edgec_artifact::{Artifact, verity};
use edgec_benches::{Contender, Stock, deserialize, guests, medians, print};
use edgec_loader::store::{ArtifactStore, LoadFromStore as _};
use edgec_loader::{EngineProfile, Expected, HostEngine, TrustPolicy};
use edgec_tests::Sandbox;
use wasmtime::InstanceAllocationStrategy;

/// Applications in the full store.
const MANY: usize = 10_000;

pub(crate) fn run() {
    println!("medians of one run, in turns; the ratio is to the first line of each table\n");
    for guest in guests(&["rust-worker-p2", "rust-http-proxy", "js-http-proxy"]) {
        let sandbox = Sandbox::new();
        let policy = sandbox.policy();
        let stock = Stock::of(&guest, sandbox.path(), InstanceAllocationStrategy::OnDemand);
        sandbox.write("guest.wasm", guest.component.bytes());
        let build = ["build", "guest.wasm", "--profile", "edge", "-q", "-t"];
        let key = ["--key", "key.pem", "-o", "guest.cwasm"];
        sandbox.ok(&[&build[..], &[std::env::consts::ARCH], &key].concat());
        let artifact = sandbox.path().join("guest.cwasm");
        loads(&guest.name, &sandbox, &stock, &policy, &artifact);
        admission(&guest.name, &sandbox, &policy, &artifact);
    }
}

fn loads(name: &str, sandbox: &Sandbox, stock: &Stock, policy: &TrustPolicy, artifact: &Path) {
    let engine = HostEngine::builder(EngineProfile::Edge).build().unwrap();
    let small = sandbox.path().join("small");
    let full = sandbox.path().join("full");
    for (folder, count) in [(&small, 10), (&full, MANY)] {
        let store = ArtifactStore::create(folder).unwrap();
        store.add(artifact, policy, &Expected::anything()).unwrap();
        fill(folder, count);
    }
    let (store, full) = (
        ArtifactStore::open(&small).unwrap(),
        ArtifactStore::open(&full).unwrap(),
    );
    let [image] = &store.image_paths("guest").unwrap()[..] else {
        panic!("the store has one image of the guest");
    };
    let mut contenders = [
        Contender::making("stock deserialize_file, stock image", || stock.load()),
        Contender::making("wasmtime's part: deserialize_file, edge image", || {
            deserialize(&engine, image)
        }),
        Contender::making("store of 10: load, verdict cached", || {
            store.load(&engine, "guest", policy).unwrap()
        }),
        Contender::making("store of 10000: load, verdict cached", || {
            full.load(&engine, "guest", policy).unwrap()
        }),
        Contender::making("store of 10: opened and loaded, nothing cached", || {
            let store = ArtifactStore::open(&small).unwrap();
            store.load(&engine, "guest", policy).unwrap()
        }),
    ];
    let times = medians(&mut contenders, Duration::from_secs(5));
    print(name, &contenders, &times);
    let beyond = times[2].as_secs_f64() - times[1].as_secs_f64();
    println!(
        "{name:24} {:46} {:>10.1} us\n",
        "cached load, beyond wasmtime's part",
        beyond * 1e6
    );
}

/// Adds names and files until there are `count` applications. They are not artifacts: a load only
/// has to find its own among them.
fn fill(store: &Path, count: usize) {
    for number in 1..count {
        let name = format!("{number:064x}");
        let folder = store.join("names").join(&name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("current"), "{}").unwrap();
        fs::write(folder.join("1"), "{}").unwrap();
        let artifacts = store.join("artifacts");
        fs::write(artifacts.join(format!("{name}.elf")), &name).unwrap();
        fs::write(artifacts.join(format!("{name}-{name}.dsse")), &name).unwrap();
    }
}

fn admission(name: &str, sandbox: &Sandbox, policy: &TrustPolicy, artifact: &Path) {
    let bytes = fs::read(artifact).unwrap();
    let image = Artifact::decode(&bytes).unwrap().image().to_vec();
    let store = ArtifactStore::create(sandbox.path().join("admissions")).unwrap();
    let mut contenders = [
        Contender::new("fs-verity digest, two threads", || {
            verity::digest(&image);
        }),
        Contender::making("a copy of the file, synced", || {
            let to = sandbox.path().join("copy");
            fs::copy(artifact, &to).unwrap();
            fs::File::open(&to).unwrap().sync_all().unwrap();
            fs::remove_file(to).unwrap();
        }),
        Contender::making("store add, of a new image", || {
            store.add(artifact, policy, &Expected::anything()).unwrap();
            Gone(&store, "guest")
        }),
    ];
    let times = medians(&mut contenders, Duration::from_secs(5));
    print(name, &contenders, &times);
    println!();
}

/// A store whose one application is removed between measurements, so that the next image is new
/// again.
pub(crate) struct Gone<'a>(pub(crate) &'a ArtifactStore, pub(crate) &'a str);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.remove(self.1).unwrap();
        self.0.collect().unwrap();
    }
}
