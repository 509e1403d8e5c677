//! Artifacts for aarch64 run in an unmodified Wasmtime, on emulated CPUs, with the same results as
//! on this machine. docs/aarch64.md lists the other tests.

use std::path::Path;
use std::thread;

use edgec_artifact::{Artifact, Manifest, Statement};
use edgec_tests::stock::{self, Behaviour};
use edgec_tests::{CLI_GUESTS, CliGuest, Sandbox, emulated, guests, repository};
use edgec_verifier::{HostCpu, HostProfile, Misfit, Unfit};
use serde_json::{Value, json};

/// A core without the atomic instructions of Armv8.1, and the core of the newer target.
const OLDER: &str = "cortex-a72";
const NEWER: &str = "neoverse-n1";

/// A core with all features. Its pointer authentication is of the simple kind that the manual
/// leaves to implementations: emulating the architected cipher makes everything four times slower
/// (QEMU, "A-profile CPU features", `pauth-impdef`).
const NEWEST: &str = "max,pauth-impdef=on";

/// An artifact, and its program's input.
struct Job<'a> {
    artifact: String,
    arguments: &'a [&'a str],
    stdin: &'a str,
}

impl Job<'_> {
    fn new(artifact: impl Into<String>) -> Self {
        Self {
            artifact: artifact.into(),
            arguments: &[],
            stdin: "",
        }
    }
}

/// The results of an emulated machine.
struct Machine {
    cpu: HostCpu,
    /// For each job, the result of `run_components.py`, and the program's output.
    results: Vec<(Value, Vec<u8>)>,
}

/// Runs artifacts of the sandbox on a CPU model.
fn run(root: &Path, sandbox: &Sandbox, cpu: &str, jobs: &[Job]) -> Machine {
    let folder = format!("run-{cpu}");
    let path = |number: usize, name: &str| format!("{folder}/{number}.{name}");
    let list = jobs.iter().enumerate().map(|(number, job)| {
        sandbox.write(&path(number, "stdin"), job.stdin);
        json!({
            "artifact": job.artifact,
            "epochs": job.artifact.contains("edge"),
            "arguments": job.arguments,
            "stdin": path(number, "stdin"),
            "stdout": path(number, "stdout"),
            "stderr": path(number, "stderr"),
        })
    });
    let list = Value::from_iter(list).to_string();
    let list = sandbox.write(&format!("{folder}/jobs.json"), list);
    let output = emulated::aarch64(root, cpu, "usr/bin/python3.13")
        .current_dir(sandbox.path())
        .arg(repository().join("tests/aarch64/run_components.py"))
        .arg(list)
        .env("PYTHONPATH", root.join("opt/wasmtime"))
        .output()
        .expect("qemu-aarch64-static is installed");
    assert!(output.status.success(), "{cpu}: {output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let features = said["features"].as_array().unwrap().iter();
    let features = features.map(|feature| feature.as_str().unwrap().to_owned());
    let results = said["results"].as_array().unwrap().iter().enumerate();
    let printed = |number| std::fs::read(sandbox.path().join(path(number, "stdout")));
    Machine {
        cpu: HostCpu::new(said["machine"].as_str().unwrap(), features),
        results: results
            .map(|(number, result)| (result.clone(), printed(number).unwrap_or_default()))
            .collect(),
    }
}

fn build(sandbox: &Sandbox, inputs: &[String], options: &[&str]) {
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let build = ["build", "-q", "--key", "key.pem", "--kind", "component"];
    sandbox.ok(&[&build[..], options, &inputs].concat());
}

fn manifest(sandbox: &Sandbox, artifact: &str) -> Manifest {
    let bytes = sandbox.read(artifact);
    let artifact = Artifact::decode(&bytes).unwrap();
    let statement = Statement::decode(artifact.envelope().payload());
    statement.unwrap().manifest
}

/// For every target and every model, the loader's comparison agrees with an unmodified engine's.
#[test]
fn what_a_cpu_lacks_is_refused_by_name_and_everything_else_runs() {
    let Some(root) = emulated::aarch64_system() else {
        return;
    };
    let sandbox = Sandbox::new();
    let hello = [repository()
        .join("examples/hello.wat")
        .display()
        .to_string()];
    // Every target that has its own code.
    let targets = edgec_targets::all().filter(|target| target.arch.name() == "aarch64");
    let targets = targets.filter(|target| target.same_code_as().is_none());
    let targets: Vec<&str> = targets.map(|target| target.id).collect();
    let list = targets.join(",");
    build(&sandbox, &hello, &["-t", &list, "-o", "out/"]);
    build(
        &sandbox,
        &hello,
        &["-t", "aarch64", "--profile", "edge", "-o", "edge/"],
    );

    let artifacts = targets.iter().map(|it| format!("out/hello.{it}.cwasm"));
    let artifacts = artifacts.chain(["edge/hello.aarch64.cwasm".to_owned()]);
    let jobs: Vec<Job> = artifacts.map(Job::new).collect();
    let mut refused = Vec::new();
    for cpu in [OLDER, NEWER, NEWEST] {
        let machine = run(&root, &sandbox, cpu, &jobs);
        let host = HostProfile::here().with_cpu(machine.cpu);
        for (job, (result, stdout)) in jobs.iter().zip(&machine.results) {
            let manifest = manifest(&sandbox, &job.artifact);
            let target = &manifest.target.id;
            match host.can_run(&manifest) {
                Ok(()) => {
                    assert_eq!(result["code"], 0, "{target} on {cpu}: {result}");
                    assert_eq!(stdout, b"Hello from the edge!\n");
                }
                Err(Unfit::Cpu(Misfit::Features { missing })) => {
                    let said = result["refused"].as_str().unwrap_or_default();
                    assert!(
                        missing
                            .iter()
                            .any(|feature| said.contains(&format!("has_{feature}"))),
                        "{target} on {cpu}: lacks {missing:?}, but {result}"
                    );
                    refused.push((cpu, target.clone(), missing));
                }
                Err(unfit) => panic!("{cpu}: {unfit}"),
            }
        }
    }
    let too_new = refused
        .iter()
        .find(|(cpu, target, _)| (*cpu, target.as_str()) == (OLDER, NEWER));
    let (.., missing) = too_new.expect("code for the newer core is refused on the older one");
    assert!(missing.iter().any(|feature| feature == "lse"));
    // A core with all features runs everything.
    assert!(refused.iter().all(|(cpu, ..)| *cpu != NEWEST));
}

/// The program's behaviour in a stock Wasmtime on this machine, compiled without edgec.
fn expected(folder: &Path, guest: &CliGuest) -> Behaviour {
    let wasm = std::fs::read(folder.join(guest.file)).unwrap();
    let input = edgec_compiler::read(wasm).unwrap();
    let adapted = edgec_compiler::adapt(input, edgec_compiler::KindChoice::Component).unwrap();
    stock::compile_and_run(adapted.component.bytes(), guest.arguments, guest.stdin)
}

/// At two levels, each on a core that has only the features of that level.
#[test]
fn programs_do_what_they_do_here() {
    let Some(root) = emulated::aarch64_system() else {
        return;
    };
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    let path = |file: &str| folder.join(file).display().to_string();
    let mut commands: Vec<String> = CLI_GUESTS.iter().map(|it| path(it.file)).collect();
    commands.dedup();
    let proxies = ["rust-http-proxy", "js-http-proxy"];
    let proxy = proxies.map(|name| path(&format!("{name}.wasm")));
    let levels = ["-t", "aarch64,neoverse-n1", "-o", "out/"];
    build(&sandbox, &commands, &levels);
    build(&sandbox, &proxy, &["-O0", "-t", "aarch64", "-o", "out/"]);
    let edge = ["-t", "aarch64", "--profile", "edge", "-o", "edge/"];
    build(&sandbox, &[path("rust-worker-p2.wasm")], &edge);
    let expected: Vec<Behaviour> = CLI_GUESTS.iter().map(|it| expected(&folder, it)).collect();

    let models = [(OLDER, "aarch64"), (NEWER, "neoverse-n1")];
    let machines = thread::scope(|scope| {
        let machines = models.map(|(cpu, target)| {
            let jobs = CLI_GUESTS.iter().map(|guest| {
                let stem = guest.file.trim_end_matches(".wasm");
                Job {
                    artifact: format!("out/{stem}.{target}.cwasm"),
                    arguments: guest.arguments,
                    stdin: guest.stdin,
                }
            });
            let edge = Job::new("edge/rust-worker-p2.aarch64.cwasm");
            let served = proxies.map(|name| Job::new(format!("out/{name}.aarch64.cwasm")));
            let jobs: Vec<Job> = jobs.chain([edge]).chain(served).collect();
            let (root, sandbox) = (&root, &sandbox);
            scope.spawn(move || run(root, sandbox, cpu, &jobs))
        });
        machines.map(|machine| machine.join().unwrap())
    });
    for ((cpu, _), machine) in models.iter().zip(machines) {
        let mut results = machine.results.iter();
        let mut next = || results.next().unwrap();
        for (guest, expected) in CLI_GUESTS.iter().zip(&expected) {
            let (result, stdout) = next();
            assert_eq!(result["code"], expected.code, "{} on {cpu}", guest.file);
            assert!(*stdout == expected.stdout, "{} on {cpu}", guest.file);
        }
        let (result, stdout) = next();
        assert_eq!(CLI_GUESTS[0].file, "rust-worker-p2.wasm");
        assert_eq!(result["code"], 0, "edge on {cpu}: {result}");
        assert!(*stdout == expected[0].stdout, "edge on {cpu}");
        // This host only instantiates programs of `wasi:http` (tests/aarch64/loader.sh sends
        // requests).
        for name in proxies {
            let (result, _) = next();
            let exports = result["exports"].to_string();
            let handler = "wasi:http/incoming-handler@0.2.";
            assert!(exports.contains(handler), "{name} on {cpu}: {result}");
        }
    }
}
