//! x86-64 levels on CPUs that have them and on CPUs that lack them: the real binary, on QEMU's
//! models.

use std::fs::File;
use std::process::{Command, Output};

use edgec_targets::{HostCpu, Target};
use edgec_tests::{CLI_GUESTS, CliGuest, Sandbox, binary, emulated, guests, isolate, repository};

/// The features that the psABI's levels add, by their Rust names. Source: x86-64 psABI, table 3.1.
const V2: &[&str] = &["sse3", "ssse3", "cmpxchg16b", "sse4.1", "sse4.2", "popcnt"];
const V3: &[&str] = &["avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt"];

/// Models with their features that targets use, according to their makers; the test does not detect
/// them. In emulation, newer models have no more than these, because there is no AVX-512 (QEMU 7.2
/// and 11.1).
const MODELS: &[(&str, &[&[&str]])] = &[
    // With a part of the second level.
    ("core2duo", &[&["sse3", "ssse3", "cmpxchg16b"]]),
    ("Nehalem", &[V2]),
    // With a part of the third level.
    ("SandyBridge", &[V2, &["avx"]]),
    ("Haswell", &[V2, V3]),
];

/// Levels that have their own code.
fn levels() -> Vec<&'static Target> {
    let targets = edgec_targets::all().filter(|target| target.arch.name() == "x86_64");
    targets.filter(|it| it.same_code_as().is_none()).collect()
}

/// Runs the binary on a model. Returns exit code, standard output, standard error.
fn run(
    sandbox: &Sandbox,
    cpu: &str,
    artifact: &[&str],
    guest: Option<&CliGuest>,
) -> (Option<i32>, String, String) {
    let mut command = emulated::x86_64(cpu, binary());
    isolate(&mut command, sandbox.path());
    command.args(["run", "--key", "key.pub.pem"]).args(artifact);
    let output = fed(sandbox, &mut command, guest);
    // The emulator's warnings about features that it leaves out of a model.
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = stderr.lines().filter(|line| !line.starts_with("qemu-"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), stdout, lines.collect())
}

/// Runs a command to its end, with a guest's input if there is one.
fn fed(sandbox: &Sandbox, command: &mut Command, guest: Option<&CliGuest>) -> Output {
    if let Some(guest) = guest {
        let stdin = sandbox.write("stdin", guest.stdin);
        command.stdin(File::open(stdin).unwrap());
        command.args(guest.arguments);
    }
    command.output().unwrap()
}

#[test]
fn a_level_runs_where_the_cpu_has_it_and_is_refused_by_name_elsewhere() {
    if !emulated::has_x86_64() {
        return;
    }
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let ids: Vec<&str> = levels().iter().map(|target| target.id).collect();
    let build = ["build", "-q", hello.to_str().unwrap(), "--key", "key.pem"];
    sandbox.ok(&[&build[..], &["-t", &ids.join(","), "-o", "./"]].concat());
    let (mut ran, mut refused) = (0, 0);
    for (cpu, features) in MODELS {
        let features = features.concat().into_iter().map(str::to_owned);
        let host = HostCpu::new("x86_64", features);
        for target in levels() {
            let artifact = format!("hello.{}.cwasm", target.id);
            let (code, stdout, stderr) = run(&sandbox, cpu, &[&artifact], None);
            let mut features: Vec<&str> = target.features.iter().map(|it| it.name).collect();
            features.sort_unstable();
            match host.can_run("x86_64", features) {
                Ok(()) => {
                    let seen = (code, stdout.as_str(), stderr.as_str());
                    assert_eq!(seen, (Some(0), "Hello from the edge!\n", ""), "{cpu}");
                    ran += 1;
                }
                Err(misfit) => {
                    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{cpu}: {stderr}");
                    let said = format!(
                        "error[host]: {artifact}: this host cannot run the artifact: {misfit}"
                    );
                    assert!(stderr.starts_with(&said), "{cpu}: {stderr}, not {said}");
                    refused += 1;
                }
            }
        }
    }
    // Of several artifacts, the one that fits runs.
    let several = [
        "--also",
        "hello.x86_64.cwasm",
        "--also",
        "hello.x86_64-v1.cwasm",
    ];
    let several = [&several[..], &["hello.x86_64-v3.cwasm"]].concat();
    let (code, stdout, stderr) = run(&sandbox, "Nehalem", &several, None);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "Hello from the edge!\n"),
        "{stderr}"
    );
    // Every model both runs and refuses at least one artifact.
    assert!(ran >= MODELS.len() && refused >= MODELS.len());
}

/// Real programs behave the same on the oldest CPU that has the features of the code.
#[test]
fn programs_do_what_they_do_here() {
    if !emulated::has_x86_64() {
        return;
    }
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    for guest in CLI_GUESTS {
        let stem = guest.file.trim_end_matches(".wasm");
        let path = folder.join(guest.file);
        let build = ["build", "-q", path.to_str().unwrap(), "--key", "key.pem"];
        sandbox.ok(&[&build[..], &["-t", "x86_64-v1,x86_64-v3", "-o", "./"]].concat());
        let artifact = |level: &str| format!("{stem}.{level}.cwasm");
        let mut here = sandbox.command(&["run", "--key", "key.pub.pem", &artifact("x86_64-v1")]);
        let here = fed(&sandbox, &mut here, Some(guest));
        for (cpu, level) in [("core2duo", "x86_64-v1"), ("Haswell", "x86_64-v3")] {
            let (code, stdout, stderr) = run(&sandbox, cpu, &[&artifact(level)], Some(guest));
            let seen = (code, stdout);
            let expected = String::from_utf8_lossy(&here.stdout).into_owned();
            let expected = (here.status.code(), expected);
            assert!(seen == expected, "{stem} on {cpu}: {seen:?}, {stderr}");
        }
    }
}
