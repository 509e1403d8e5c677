//! The sizes of artifacts: bytes, blocks on disk, and compressed by `zstd -19`, compared with files
//! that stock Wasmtime compiles with its defaults.
//!
//! `cargo bench -p edgec size`

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use edgec_benches::{Stock, guests};
use edgec_tests::Sandbox;
use wasmtime::InstanceAllocationStrategy;

pub(crate) fn run() {
    println!(
        "{:20} {:28} {:>11} {:>17} {:>17}",
        "", "", "bytes", "on disk", "zstd -19"
    );
    for guest in guests(&["rust-worker-p2", "rust-http-proxy", "js-http-proxy"]) {
        let sandbox = Sandbox::new();
        let stock = Stock::of(&guest, sandbox.path(), InstanceAllocationStrategy::OnDemand);
        sandbox.write("guest.wasm", guest.component.bytes());
        let first = Sizes::of(&stock.image);
        first.print(&guest.name, "stock", &first);
        let x86_64 = ["default", "edge"].map(|profile| ("x86_64", profile));
        for (target, profile) in x86_64.into_iter().chain([("aarch64", "edge")]) {
            let build = [
                "build",
                "guest.wasm",
                "-q",
                "--key",
                "key.pem",
                "-t",
                target,
            ];
            let output = ["--profile", profile, "-o", "guest.cwasm"];
            sandbox.ok(&[&build[..], &output].concat());
            let sizes = Sizes::of(&sandbox.path().join("guest.cwasm"));
            sizes.print(&guest.name, &format!("edgec {profile}, {target}"), &first);
        }
    }
}

struct Sizes {
    bytes: u64,
    disk: u64,
    packed: Option<u64>,
}

impl Sizes {
    fn of(file: &Path) -> Self {
        let metadata = std::fs::metadata(file).unwrap();
        Self {
            bytes: metadata.len(),
            disk: metadata.blocks() * 512,
            packed: packed(file),
        }
    }

    fn print(&self, guest: &str, what: &str, first: &Self) {
        let ratio = |mine: u64, theirs: u64| mine as f64 / theirs as f64;
        let packed = self.packed.zip(first.packed).map_or_else(
            || "no zstd here".to_owned(),
            |(mine, theirs)| format!("{mine} {:.2}x", ratio(mine, theirs)),
        );
        let disk = format!("{} {:.2}x", self.disk, ratio(self.disk, first.disk));
        println!(
            "{guest:20} {what:28} {:>11} {disk:>17} {packed:>17}",
            self.bytes
        );
    }
}

/// The length to which the program `zstd` compresses a file. `None` if there is no such program.
fn packed(file: &Path) -> Option<u64> {
    let mut zstd = Command::new("zstd")
        .args(["-19", "-T2", "--no-progress", "-c"])
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut output = zstd.stdout.take()?;
    let len = std::io::copy(&mut output, &mut std::io::sink()).ok()?;
    zstd.wait().ok()?.success().then_some(len)
}
