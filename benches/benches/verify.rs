//! Verifying a large artifact, beside the fs-verity digest of its image by two threads,
//! which no verification can do without; and the most memory that `edgec verify` takes.
//!
//! `cargo bench -p edgec verify`

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use edgec_artifact::{Artifact, verity};
use edgec_benches::{Contender, guests, medians, print};
use edgec_tests::{Sandbox, binary};
use edgec_verifier::{Expected, UnixTime, verify};

/// Bytes of data in the program that is made here (30 MiB).
const DATA: usize = 30 << 20;

pub(crate) fn run() {
    let sandbox = Sandbox::new();
    let policy = sandbox.policy();

    let data = "edge".repeat(DATA / 4);
    let module = format!("(module (memory 512) (data (i32.const 0) \"{data}\"))");
    let mut programs = vec![("30 MiB of data".to_owned(), module.into_bytes())];
    let wanted = |name: &str| name == "js-http-proxy";
    let real = guests(&["js-http-proxy"]).into_iter();
    programs.extend(
        real.filter(|guest| wanted(&guest.name))
            .map(|guest| (guest.name, guest.component.bytes().to_vec())),
    );
    println!("medians of one run, in turns; the ratio is to the first line of each program\n");
    for (name, program) in programs {
        sandbox.write("program.wat", program);
        let target = std::env::consts::ARCH;
        let options = ["-O0", "-q", "--kind", "auto", "-o", "program.cwasm"];
        let build = [
            &["build", "program.wat", "-t", target, "--key", "key.pem"],
            &options[..],
        ];
        sandbox.ok(&build.concat());
        let file = sandbox.read("program.cwasm");
        let image = Artifact::decode(&file).unwrap().image().to_vec();
        let mut contenders = [
            Contender::new("fs-verity digest, two threads", || {
                verity::digest(&image);
            }),
            Contender::new("verify: signature, digest, image, policy", || {
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

/// The high-water mark of the process's resident memory, in bytes, as Linux last showed it.
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
