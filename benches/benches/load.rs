//! Loading an artifact: verified by edgec-loader, compared with stock Wasmtime's unverified
//! `Component::deserialize_file` of a file that stock Wasmtime compiled with its defaults.
//!
//! `cargo bench -p edgec load`

use std::time::Duration;

use edgec_benches::{Contender, Stock, deserialize, guests, medians, print};
use edgec_loader::{EngineProfile, Expected, HostEngine, load};
use edgec_tests::Sandbox;
use edgec_verifier::{UnixTime, verify};
use wasmtime::InstanceAllocationStrategy;

pub(crate) fn run() {
    let sandbox = Sandbox::new();
    let policy = sandbox.policy();
    let ours = HostEngine::builder(EngineProfile::Default).build().unwrap();

    println!("medians of one run, in turns; the ratio is to the first line of each guest\n");
    for guest in guests(&["rust-worker-p2", "rust-http-proxy", "js-http-proxy"]) {
        // Both get the same component: another benchmark measures the optimizer's gain.
        let wasm = guest.component.bytes();
        sandbox.write("guest.wasm", wasm);
        sandbox.ok(&[
            "build",
            "guest.wasm",
            "-O0",
            "-q",
            "-t",
            std::env::consts::ARCH,
            "--key",
            "key.pem",
            "-o",
            "guest.cwasm",
        ]);
        let stock = Stock::of(&guest, sandbox.path(), InstanceAllocationStrategy::OnDemand);
        let artifact = sandbox.path().join("guest.cwasm");
        let bytes = std::fs::read(&artifact).unwrap();
        let mut contenders = [
            Contender::making("stock deserialize_file, stock image", || stock.load()),
            Contender::making("stock deserialize_file, edgec artifact", || {
                deserialize(&stock.engine, &artifact)
            }),
            Contender::making("edgec load: read, seal, verify, map", || {
                load(&ours, &artifact, &policy, &Expected::anything()).unwrap()
            }),
            Contender::new("  of which verify", || {
                verify(&bytes, &policy, &Expected::anything(), UnixTime::EPOCH).unwrap();
            }),
        ];
        let times = medians(&mut contenders, Duration::from_secs(3));
        print(&guest.name, &contenders, &times);
        println!(
            "{:24} {:44} {:>10} and {} bytes\n",
            guest.name,
            "stock image and edgec artifact",
            std::fs::metadata(&stock.image).unwrap().len(),
            bytes.len()
        );
    }
}
