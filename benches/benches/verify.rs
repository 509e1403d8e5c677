//! Verifying a large artifact, compared with the fs-verity digest of its image by two threads,
//! which every verification needs, without and with the SHA-256 of image and file; and the peak
//! memory of `edgec verify`.
//!
//! `cargo bench -p edgec verify`

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use edgec_artifact::{Artifact, verity};
use edgec_benches::{Contender, guests, medians, print};
use edgec_tests::{Sandbox, binary};
use edgec_verifier::{Expected, UnixTime, verify, verify_fast};

/// The length of the data in the program that is made here, in bytes (30 MiB).
const DATA: usize = 30 << 20;

pub(crate) fn run() {
    let sandbox = Sandbox::new();
    let policy = sandbox.policy();

    let mut programs = vec![("30 MiB of data".to_owned(), large())];
    let wanted = |name: &str| name == "js-http-proxy";
    let real = guests(&["js-http-proxy"]).into_iter();
    programs.extend(
        real.filter(|guest| wanted(&guest.name))
            .map(|guest| (guest.name, guest.component.bytes().to_vec())),
    );
    println!("medians of one run, in turns; the ratio is to the first line of each program\n");
    for (name, program) in programs {
        let file = build(&sandbox, program);
        let image = Artifact::decode(&file).unwrap().image().to_vec();
        let mut contenders = [
            Contender::new("fs-verity digest, two threads", || {
                verity::digest(&image);
            }),
            Contender::new("verify_fast: signature, fs-verity, policy", || {
                verify_fast(&file, &policy, &Expected::anything(), UnixTime::EPOCH).unwrap();
            }),
            Contender::new("verify: the same, and both SHA-256", || {
                verify(&file, &policy, &Expected::anything(), UnixTime::EPOCH).unwrap();
            }),
        ];
        let times = medians(&mut contenders, Duration::from_secs(5));
        print(&name, &contenders, &times);
        let peak = peak_memory(sandbox.path());
        println!(
            "{name:24} {:44} {peak:>10} bytes {:>5.2}x of {} bytes\n",
            "peak memory of `edgec verify`",
            peak as f64 / file.len() as f64,
            file.len()
        );
    }
}

/// The text of a program with 30 MiB of data.
pub(crate) fn large() -> Vec<u8> {
    let data = "edge".repeat(DATA / 4);
    format!("(module (memory 512) (data (i32.const 0) \"{data}\"))").into_bytes()
}

/// Builds a program as `program.cwasm`.
pub(crate) fn build(sandbox: &Sandbox, program: Vec<u8>) -> Vec<u8> {
    sandbox.write("program.wat", program);
    let target = std::env::consts::ARCH;
    let options = ["-O0", "-q", "--kind", "auto", "-o", "program.cwasm"];
    let build = [
        &["build", "program.wat", "-t", target, "--key", "key.pem"],
        &options[..],
    ];
    sandbox.ok(&build.concat());
    sandbox.read("program.cwasm")
}

/// The peak resident memory of the process, in bytes, as Linux showed it last.
fn peak_memory(folder: &Path) -> u64 {
    let mut child = Command::new(binary())
        .current_dir(folder)
        .args(["verify", "program.cwasm", "--key", "key.pub.pem"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = kilobytes.map_or(peak, |kilobytes: u64| kilobytes * 1024);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return peak;
        }
    }
}
