//! Loading an artifact: verified by edgec-loader, beside stock Wasmtime's unverified
//! `Component::deserialize_file` of what stock Wasmtime compiles by default.
//!
//! `cargo bench -p edgec-benches load`

use std::time::Duration;

use edgec_benches::{Contender, guests, medians, print, selected};
use edgec_loader::{EngineProfile, Expected, Limits, load};
use edgec_tests::Sandbox;
use edgec_verifier::verify;
use wasmtime::Engine;
use wasmtime::component::Component;

fn main() {
    if !selected("load") {
        return;
    }
    let sandbox = Sandbox::new();
    let policy = sandbox.policy();
    let stock = Engine::default();
    let ours = edgec_loader::engine(EngineProfile::Default, &Limits::OnDemand).unwrap();

    println!("medians of one run, in turns; the ratio is to the first line of each guest\n");
    for guest in guests(&["rust-worker-p2", "rust-http-proxy", "js-http-proxy"]) {
        // The same component for both: what the optimizer gains is another benchmark's.
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
        let theirs = sandbox.write("stock.cwasm", stock.precompile_component(wasm).unwrap());
        let artifact = sandbox.path().join("guest.cwasm");
        let bytes = std::fs::read(&artifact).unwrap();
        let mut contenders = [
            Contender::new("stock deserialize_file, stock image", || {
                deserialize(&stock, &theirs);
            }),
            Contender::new("stock deserialize_file, edgec artifact", || {
                deserialize(&stock, &artifact);
            }),
            Contender::new("edgec load: read, seal, verify, map", || {
                load(&ours, &artifact, &policy, &Expected::anything()).unwrap();
            }),
            Contender::new("  of which verify", || {
                verify(&bytes, &policy, &Expected::anything(), 0).unwrap();
            }),
        ];
        let times = medians(&mut contenders, Duration::from_secs(3));
        print(&guest.name, &contenders, &times);
        println!(
            "{:24} {:44} {:>10} and {} bytes\n",
            guest.name,
            "stock image and edgec artifact",
            std::fs::metadata(&theirs).unwrap().len(),
            bytes.len()
        );
    }
}

#[expect(unsafe_code, reason = "this is what edgec-loader is compared with")]
fn deserialize(engine: &Engine, path: &std::path::Path) {
    // SAFETY: the file was compiled by this process, and nobody writes it.
    unsafe { Component::deserialize_file(engine, path) }.unwrap();
}
