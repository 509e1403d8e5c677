//! The speed of the audit of native code, compared with the fs-verity digest, which every
//! verification computes over all of the code; and the audit's share of a build.
//!
//! `cargo bench -p edgec audit`

use std::time::{Duration, Instant};

use edgec_artifact::{Artifact, Statement, verity};
use edgec_benches::{Contender, guests, medians};
use edgec_tests::Sandbox;

pub(crate) fn run() {
    println!(
        "{:16} {:10} {:>12} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "guest", "target", "code", "audit", "MB/s", "digest", "build", "share"
    );
    for guest in guests(&["c-quickjs", "rust-http-proxy", "js-http-proxy"]) {
        let sandbox = Sandbox::new();
        sandbox.write("guest.wasm", guest.component.bytes());
        for target in ["x86_64-v3", "aarch64"] {
            let begin = Instant::now();
            sandbox.build("guest.wasm", target, "guest.cwasm");
            let build = begin.elapsed();
            let file = sandbox.read("guest.cwasm");
            let artifact = Artifact::decode(&file).unwrap();
            let statement = Statement::decode(artifact.envelope().payload()).unwrap();
            let mut length = 0;
            let mut contenders = [
                Contender::new("audit", || {
                    let report =
                        edgec_verifier::audit::audit(artifact.image(), &statement.manifest, None)
                            .unwrap();
                    assert!(report.is_clean(), "{:?}", report.findings);
                    length = report.length;
                }),
                Contender::new("digest", || {
                    verity::digest(artifact.image());
                }),
            ];
            let times = medians(&mut contenders, Duration::from_secs(2));
            drop(contenders);
            println!(
                "{:16} {target:10} {length:>12} {:>7.1} ms {:>8.0} {:>7.1} ms {:>8.2} s {:>7.1}%",
                guest.name,
                times[0].as_secs_f64() * 1e3,
                length as f64 / times[0].as_secs_f64() / 1e6,
                times[1].as_secs_f64() * 1e3,
                build.as_secs_f64(),
                times[0].as_secs_f64() / build.as_secs_f64() * 100.0
            );
        }
    }
}
