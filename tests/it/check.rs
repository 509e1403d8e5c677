//! `edgec check` and `edgec run` agree: for every host profile, artifacts run exactly if the check
//! says so.

use std::path::PathBuf;

use edgec_loader::{
    EngineProfile, Expected, HostCpu, HostEngine, HostProfile, Limits, LoadError, Misfit, PoolPlan,
    Unfit, VerifiedFile, best_of,
};
use edgec_targets::Target;
use edgec_tests::{Sandbox, hello, words};
use serde_json::{Value, json};

fn cpu_of(target: &Target) -> HostCpu {
    let features = target
        .features
        .iter()
        .map(|feature| feature.name.to_owned());
    HostCpu::new(target.arch.name(), features)
}

/// An artifact for every target of this machine's family, each in `out`.
fn family() -> (Sandbox, Vec<&'static Target>) {
    let arch = std::env::consts::ARCH;
    let targets = edgec_targets::all().filter(|target| target.arch.name() == arch);
    let targets: Vec<&Target> = targets.collect();
    let ids: Vec<&str> = targets.iter().map(|target| target.id).collect();
    let sandbox = Sandbox::new();
    let build = ["build", "-q", &hello(), "--key", "key.pem", "-o", "out/"];
    sandbox.ok(&[&build[..], &["--target", &ids.join(",")]].concat());
    (sandbox, targets)
}

fn path_of(sandbox: &Sandbox, target: &Target) -> PathBuf {
    let name = format!("out/hello.{}.cwasm", target.id);
    sandbox.path().join(name)
}

/// An engine on a CPU that is stated and not detected.
fn engine_on(cpu: HostCpu) -> HostEngine {
    let engine = HostEngine::builder(EngineProfile::Default).cpu(cpu);
    engine.build().unwrap()
}

fn open(sandbox: &Sandbox, target: &Target) -> VerifiedFile {
    let path = path_of(sandbox, target);
    VerifiedFile::open(path, &sandbox.policy(), &Expected::anything()).unwrap()
}

/// On this machine, through the real binary.
#[test]
fn what_check_says_of_this_machine_run_does() {
    let (sandbox, targets) = family();
    let files: Vec<String> = targets
        .iter()
        .map(|target| format!("out/hello.{}.cwasm", target.id))
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    sandbox.ok(&["host", "--save", "here.toml", "--name", "here"]);
    let check = [&["check", "--format", "json"][..], &files].concat();
    let asked: Value = sandbox.ok(&check).parse().unwrap();
    let saved: Value = sandbox
        .ok(&[&check[..], &["--host", "here.toml"]].concat())
        .parse()
        .unwrap();
    assert_eq!(asked["signaturesChecked"], false);
    assert_eq!(asked["hosts"], json!(["this machine"]));
    for (number, file) in files.iter().enumerate() {
        let cell = &asked["artifacts"][number]["hosts"][0];
        let output = sandbox.run(&["run", "--key", "key.pub.pem", file]);
        assert_eq!(cell["loads"], output.status.success(), "{file}");
        let again = &saved["artifacts"][number]["hosts"][0];
        for field in ["loads", "best", "obstacles"] {
            assert_eq!(again[field], cell[field], "{file}: {field}");
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        for obstacle in cell["obstacles"].as_array().unwrap() {
            assert!(
                stderr.contains(obstacle["message"].as_str().unwrap()),
                "{stderr}"
            );
        }
    }
    let best = HostProfile::here().cpu().targets()[0];
    let best = format!("out/hello.{}.cwasm", best.id);
    assert_eq!(asked["releases"][0]["hosts"][0]["artifact"], best);
}

/// On CPUs whose features are stated, as an embedder with an emulator states them. Every artifact
/// is loaded on every CPU of the family, or refused with the features that the check names. If the
/// real CPU lacks a feature that is stated, the engine itself refuses.
#[test]
fn what_a_profile_says_the_loader_does() {
    let (sandbox, targets) = family();
    let here = HostCpu::detect();
    for host in &targets {
        let stated = engine_on(cpu_of(host));
        let text = HostProfile::here()
            .with_cpu(cpu_of(host))
            .to_toml()
            .unwrap();
        let profile = HostProfile::from_toml(&text).unwrap();
        for target in &targets {
            let file = open(&sandbox, target);
            let answer = profile.can_run(file.manifest());
            assert_eq!(
                answer.is_ok(),
                host.contains(target),
                "{} {}",
                host.id,
                target.id
            );
            let loaded = file.component(&stated).map(|_| ());
            match (answer, loaded) {
                (Ok(()), Ok(())) => {}
                (Ok(()), Err(LoadError::Engine(_))) => assert!(target.fits(&here).is_err()),
                (Err(afar), Err(LoadError::Unfit(unfit))) => assert_eq!(afar, unfit),
                (afar, loaded) => panic!("{}: {afar:?}, {loaded:?}", target.id),
            }
        }
    }
}

/// An artifact that is too new for the stated CPU is refused, and the error names what the CPU
/// lacks.
#[test]
fn a_stated_cpu_is_what_counts() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let bare = engine_on(HostCpu::new("x86_64", ["sse3".to_owned()]));
    let bare = match std::env::consts::ARCH {
        "x86_64" => bare,
        _ => return eprintln!("SKIPPED: the base of this family needs nothing"),
    };
    let path = sandbox.path().join("hello.cwasm");
    let loaded = edgec_loader::load(&bare, path, &sandbox.policy(), &Expected::anything());
    let error = loaded.map(|_| ()).unwrap_err();
    let LoadError::Unfit(Unfit::Cpu(Misfit::Features { missing })) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        missing,
        &["cmpxchg16b", "popcnt", "sse4.1", "sse4.2", "ssse3"]
    );
    assert_eq!(error.code(), "host");
    assert_eq!(bare.host().cpu().features().collect::<Vec<_>>(), ["sse3"]);
}

/// Of several files, the one that fits best is loaded. Each refusal has its own name.
#[test]
fn the_best_of_several_files() {
    let (sandbox, targets) = family();
    let all = || {
        targets
            .iter()
            .map(|target| open(&sandbox, target))
            .collect()
    };
    for target in &targets {
        let host = HostProfile::here().with_cpu(cpu_of(target));
        let (_, chosen) = best_of(&host, all()).unwrap();
        let expected = target.same_code_as().unwrap_or(target);
        assert_eq!(chosen.manifest().target.id, expected.id, "on {}", target.id);
    }
    let other = HostProfile::here().with_cpu(HostCpu::new("sparc64", []));
    let error = best_of(&other, all()).map(|_| ()).unwrap_err();
    let LoadError::NoneFits { unfit } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((unfit.len(), error.code()), (targets.len(), "no-fit"));
    let empty = best_of(&HostProfile::here(), Vec::new()).map(|_| ());
    assert_eq!(
        empty.unwrap_err().to_string(),
        "none of the artifacts fits this host"
    );

    // The binary also takes the best.
    let (first, rest) = targets.split_first().unwrap();
    let mut run = vec![
        "run".to_owned(),
        "--key".to_owned(),
        "key.pub.pem".to_owned(),
    ];
    for target in rest {
        run.extend([
            "--also".to_owned(),
            path_of(&sandbox, target).display().to_string(),
        ]);
    }
    run.push(path_of(&sandbox, first).display().to_string());
    let run: Vec<&str> = run.iter().map(String::as_str).collect();
    assert_eq!(sandbox.ok(&run), "Hello from the edge!\n");
}

#[test]
fn files_of_different_releases_are_no_choice() {
    let sandbox = Sandbox::new();
    let arch = std::env::consts::ARCH;
    for version in ["1", "2"] {
        let output = format!("{version}.cwasm");
        let build = ["build", "-q", &hello(), "-t", arch, "--key", "key.pem"];
        let options = [
            "--app-version",
            version,
            "--channel",
            "stable",
            "-o",
            &output,
        ];
        sandbox.ok(&[&build[..], &options].concat());
    }
    let run = [
        "run",
        "--key",
        "key.pub.pem",
        "--also",
        "2.cwasm",
        "1.cwasm",
    ];
    let stderr = sandbox.fails(1, &run);
    let says = "error[mixed-releases]: the artifacts are of different releases: \
                `hello` of channel `stable`, version 1, and `hello` of channel `stable`, version 2";
    assert!(stderr.starts_with(says), "{stderr}");
    // An artifact without a signature is refused, and not skipped.
    let mut file = sandbox.read("2.cwasm");
    file[0x1100] ^= 1;
    sandbox.write("2.cwasm", file);
    let stderr = sandbox.fails(1, &run);
    assert!(
        stderr.starts_with("error[image-digest]: 2.cwasm"),
        "{stderr}"
    );
}

/// The limits of a pool: the comparison of a host profile and the loader have the same results, and
/// so does an engine that is asked without them.
#[test]
fn a_pool_too_small_is_told_from_afar() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "large.wat",
        "(component
            (core module $m (memory 3) (memory 1) (table 30000 funcref) (table 1 funcref))
            (core instance (instantiate $m)))",
    );
    // Binaryen would remove them, because nothing uses them.
    let build = ["build", "-q", "large.wat", "-O0", "--key", "key.pem"];
    let here = ["-t", std::env::consts::ARCH, "-o", "large.cwasm"];
    sandbox.ok(&[&build[..], &here].concat());
    let path = sandbox.path().join("large.cwasm");
    let open = || VerifiedFile::open(&path, &sandbox.policy(), &Expected::anything()).unwrap();
    let manifest = open().manifest().clone();
    let plan = PoolPlan::fitting(1, 1 << 20, [&manifest]).unwrap();
    let judge = |change: &dyn Fn(&mut PoolPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        let limits = plan.limits();
        let profile = HostProfile::of_profile(EngineProfile::Default).with_pool(limits);
        let afar = profile.can_run(&manifest);
        let pooled = HostEngine::builder(EngineProfile::Default)
            .limits(Limits::Pooled(plan))
            .build()
            .unwrap();
        match open().component(&pooled).map(|_| ()) {
            Ok(()) => assert_eq!(afar, Ok(())),
            Err(LoadError::Unfit(unfit)) => assert_eq!(afar, Err(unfit)),
            Err(error) => panic!("{error:?}"),
        }
        let untold = HostEngine::builder(EngineProfile::Default).configure(move |config| {
            let mut pool = wasmtime::PoolingAllocationConfig::new();
            pool.total_component_instances(1)
                .total_memories(8)
                .total_tables(8)
                .max_memories_per_component(limits.memories)
                .max_tables_per_component(limits.tables)
                .max_memories_per_module(limits.memories)
                .max_tables_per_module(limits.tables)
                .table_elements(usize::try_from(limits.table_elements).unwrap())
                .max_memory_size(usize::try_from(limits.memory_bytes).unwrap());
            config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
        });
        let loaded = open().component(&untold.build().unwrap()).map(|_| ());
        assert_eq!(loaded.is_ok(), afar.is_ok(), "{loaded:?}, {afar:?}");
        afar.map_or_else(
            |unfit| {
                assert_eq!(unfit.code(), "pool-limits");
                std::error::Error::source(&unfit).unwrap().to_string()
            },
            |()| String::new(),
        )
    };
    assert_eq!(judge(&|_| {}), "");
    assert_eq!(
        judge(&|plan| plan.memories = 1),
        "memories: 2 needed, the pool has 1"
    );
    assert_eq!(
        judge(&|plan| plan.tables = 1),
        "tables: 2 needed, the pool has 1"
    );
    assert_eq!(
        judge(&|plan| plan.table_elements = 29_999),
        "elements of a table: 30000 needed, the pool has 29999"
    );
    assert_eq!(
        judge(&|plan| plan.memory_bytes = 2 << 16),
        "bytes of a memory: 196608 needed, the pool has 131072"
    );
    // A pool for programs without any needs still has one of each.
    assert_eq!(judge(&|plan| plan.memories = 2), "");
}

/// Every kind of obstacle through the binary, with its code and with what is missing.
#[test]
fn obstacles_for_machines() {
    let sandbox = Sandbox::new();
    let build = ["build", "-q", &hello(), "--key", "key.pem", "-o", "out/"];
    sandbox.ok(&[&build[..], &["-t", "x86_64-v3,aarch64"]].concat());
    let host = |name: &str, lines: &str| {
        let text = format!("schema = 1\nname = '{name}'\n{lines}");
        sandbox.write(&format!("{name}.toml"), text);
    };
    host(
        "old",
        "arch = 'x86_64'\nfeatures = ['sse3', 'avx']\nengine = '48.0.8'\nprofiles = ['default']",
    );
    host(
        "far",
        "arch = 'aarch64'\nfeatures = []\npage-size = 131072\nengine = '47.0.0'\nprofiles = ['edge']\n\
         [pool]\nmemories = 1\ntables = 1\ntable-elements = 0\nmemory-bytes = 65536",
    );
    let check = words("check --format json out/hello.x86_64-v3.cwasm out/hello.aarch64.cwasm");
    let hosts = ["--host", "old.toml", "far.toml"];
    let output = sandbox.run(&[&check[..], &hosts].concat());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complete"], false);
    let old = &report["artifacts"][0]["hosts"][0]["obstacles"];
    assert_eq!(old.as_array().unwrap().len(), 1, "{old}");
    assert_eq!(old[0]["code"], "host");
    let missing = words("avx2 bmi1 bmi2 cmpxchg16b fma lzcnt popcnt sse4.1 sse4.2 ssse3");
    assert_eq!(old[0]["missing"], json!(missing));
    let far = report["artifacts"][1]["hosts"][1]["obstacles"].as_array();
    let codes: Vec<_> = far
        .unwrap()
        .iter()
        .map(|it| it["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes[..3], ["profile", "engine-version", "host"]);
    assert!(codes[3..].iter().all(|code| *code == "pool-limits") && codes.len() > 3);
    assert_eq!(
        report["releases"][0]["hosts"],
        json!([
            {"host": "old", "artifact": null}, {"host": "far", "artifact": null}
        ])
    );

    // The error names a damaged file, and the other files still get answers.
    let mut file = sandbox.read("out/hello.aarch64.cwasm");
    file[0x1100] ^= 1;
    sandbox.write("damaged.cwasm", file);
    let output = sandbox.run(&["check", "--format", "json", "damaged.cwasm"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"][0]["code"], "image-digest");
    assert_eq!(
        sandbox.run(&["check", "absent.cwasm"]).status.code(),
        Some(3)
    );
}

#[test]
fn what_is_no_answer_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["host", "--save", "a.toml"]);
    fn check<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["check", "hello.cwasm"][..], more].concat()
    }
    let stderr = sandbox.fails(2, &check(&["--host", "a.toml", "a.toml"]));
    assert!(stderr.starts_with("error[same-host]: a: "), "{stderr}");
    sandbox.write("b.toml", "schema = 7\n");
    let stderr = sandbox.fails(1, &check(&["--host", "b.toml"]));
    assert!(
        stderr.starts_with("error[host-profile]: b.toml: "),
        "{stderr}"
    );
    assert_eq!(
        sandbox.run(&check(&["--host", "c.toml"])).status.code(),
        Some(3)
    );
    let stderr = sandbox.fails(2, &["host", "--name", "../x"]);
    assert!(stderr.starts_with("error[name]: ../x: "), "{stderr}");
    let stderr = sandbox.fails(2, &["host", "--save", "-"]);
    assert!(stderr.starts_with("error[output]"), "{stderr}");
    let only = sandbox.ok(&["host", "--profile", "edge"]);
    assert!(only.contains("profiles = [\"edge\"]"), "{only}");
}
