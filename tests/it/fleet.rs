//! `edgec build --fleet`: every host gets an artifact that it can load, and the same fleet always
//! gets the same targets.

use std::path::Path;

use edgec_tests::{Sandbox, hello};
use serde_json::Value;

/// Profiles of hosts that have the features of these targets.
fn profiles(sandbox: &Sandbox, hosts: &[(&str, &str)]) {
    for (name, target) in hosts {
        let target = edgec_targets::find(target).unwrap();
        let features: Vec<_> = target.features.iter().map(|feature| feature.name).collect();
        let (arch, features) = (target.arch.name(), serde_json::json!(features));
        let text = format!(
            "schema = 1\narch = '{arch}'\nfeatures = {features}\nengine = '48.0.8'\nprofiles = ['default']\n"
        );
        sandbox.write(&format!("hosts/{name}.toml"), text);
    }
}

fn fleet(sandbox: &Sandbox, head: &str, hosts: &[&str]) {
    let hosts = hosts
        .iter()
        .map(|name| format!("[[host]]\nfile = 'hosts/{name}.toml'\n"));
    sandbox.write(
        "fleet.toml",
        format!("schema = 1\n{head}{}", hosts.collect::<String>()),
    );
}

fn artifacts(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.files().into_iter();
    files.filter(|name| name.starts_with("out/")).collect()
}

fn build(sandbox: &Sandbox, more: &[&str]) -> Value {
    let _ = std::fs::remove_dir_all(sandbox.path().join("out"));
    let build = [
        "build",
        &hello(),
        "--key",
        "key.pem",
        "-o",
        "out/",
        "--format",
        "json",
    ];
    let said = sandbox.ok(&[&build[..], &["--fleet", "fleet.toml"], more].concat());
    said.parse().unwrap()
}

const HOSTS: &[(&str, &str)] = &[
    ("fra", "sapphire-rapids"),
    ("ams", "znver3"),
    ("nyc", "graviton2"),
    ("sin", "graviton4"),
];

#[test]
fn a_fleet_is_served_by_few_targets_or_the_best() {
    let sandbox = Sandbox::new();
    profiles(&sandbox, HOSTS);
    fleet(&sandbox, "", &["fra", "ams", "nyc", "sin"]);
    let report = build(&sandbox, &[]);
    assert_eq!(report["fleet"]["mode"], "fewest");
    assert_eq!(report["fleet"]["hosts"][0]["target"], "x86_64-v3");
    assert_eq!(report["fleet"]["hosts"][0]["best"], "sapphire-rapids");
    let few = ["out/hello.neoverse-n1.cwasm", "out/hello.x86_64-v3.cwasm"];
    assert_eq!(artifacts(&sandbox), few);
    // Every host can load the artifact that was built for it.
    sandbox.ok(&["check", few[0], few[1], "--fleet", "fleet.toml"]);

    let best = [
        "out/hello.neoverse-n1.cwasm",
        "out/hello.neoverse-v1.cwasm",
        "out/hello.sapphire-rapids.cwasm",
        "out/hello.x86_64-v3.cwasm",
    ];
    build(&sandbox, &["--fleet-best"]);
    assert_eq!(artifacts(&sandbox), best);
    let check: Vec<&str> = [
        &["check", "--fleet", "fleet.toml", "--format", "json"],
        &best[..],
    ]
    .concat();
    let report: Value = sandbox.ok(&check).parse().unwrap();
    for (number, target) in ["sapphire-rapids", "x86_64-v3", "neoverse-n1", "neoverse-v1"]
        .iter()
        .enumerate()
    {
        let taken = &report["releases"][0]["hosts"][number]["artifact"];
        assert_eq!(*taken, format!("out/hello.{target}.cwasm"));
    }
    // The file may set the mode, and the order of hosts does not matter.
    fleet(&sandbox, "mode = 'best'\n", &["sin", "nyc", "ams", "fra"]);
    build(&sandbox, &[]);
    assert_eq!(artifacts(&sandbox), best);
}

#[test]
fn a_fleet_that_cannot_be_served_is_refused() {
    let sandbox = Sandbox::new();
    profiles(&sandbox, HOSTS);
    fleet(&sandbox, "", &["fra", "ams"]);
    let build = ["build", &hello(), "--key", "key.pem", "-o", "out/"];
    let fails = |code, more: &[&str], says: &str| {
        let stderr = sandbox.fails(code, &[&build[..], more].concat());
        assert!(stderr.starts_with(says), "{stderr}");
        assert!(!Path::exists(&sandbox.path().join("out")));
    };
    let here = ["--fleet", "fleet.toml"];
    fails(
        2,
        &[&here[..], &["--target", "x86_64"]].concat(),
        "error: the argument",
    );
    fails(2, &["--fleet-best"], "error: the following required");
    fails(
        1,
        &[&here[..], &["--profile", "edge"]].concat(),
        "error[profile]: host `fra`: ",
    );
    fails(3, &["--fleet", "absent.toml"], "error[io]: absent.toml: ");

    let write = |name: &str, from: &str, to: &str| {
        let text = String::from_utf8(sandbox.read(name)).unwrap();
        sandbox.write(name, text.replace(from, to));
    };
    write("hosts/ams.toml", "48.0.8", "47.0.1");
    fails(1, &here, "error[engine-version]: host `ams`: ");
    write("hosts/ams.toml", "47.0.1", "48.0.8");
    write("hosts/ams.toml", "x86_64", "riscv64");
    fails(1, &here, "error[host-profile]: hosts/ams.toml: ");
    write("hosts/ams.toml", "riscv64", "aarch64");
    fails(1, &here, "error[host-profile]: hosts/ams.toml: ");
    fleet(&sandbox, "", &["fra", "fra"]);
    fails(2, &here, "error[same-host]: fra: ");
    fleet(&sandbox, "", &[]);
    fails(
        1,
        &here,
        "error[fleet]: fleet.toml: malformed fleet: the fleet has no host",
    );
    // No artifact overwrites the fleet's file.
    fleet(&sandbox, "", &["fra"]);
    let over = [
        "build",
        &hello(),
        "--key",
        "key.pem",
        "--fleet",
        "fleet.toml",
        "-o",
        "fleet.toml",
    ];
    let stderr = sandbox.fails(2, &over);
    assert!(
        stderr.starts_with("error[output]: fleet.toml: "),
        "{stderr}"
    );
}

/// Requirements that depend on program and target are checked after the build. If one fails,
/// nothing is written.
#[test]
fn a_host_that_could_not_load_what_is_built_for_it_is_named() {
    let sandbox = Sandbox::new();
    profiles(&sandbox, &[("fra", "x86_64-v3")]);
    fleet(&sandbox, "", &["fra"]);
    let genuine = String::from_utf8(sandbox.read("hosts/fra.toml")).unwrap();
    let build = ["build", &hello(), "--key", "key.pem", "-o", "out"];
    let build = [&build[..], &["-q", "--fleet", "fleet.toml"]].concat();
    let pool = "[pool]\nmemories = 1\ntables = 1\ntable-elements = 100\nmemory-bytes = 1\n";
    for (more, code) in [("page-size = 65536\n", "host"), (pool, "pool-limits")] {
        sandbox.write("hosts/fra.toml", format!("{genuine}{more}"));
        let stderr = sandbox.fails(1, &build);
        assert!(
            stderr.starts_with(&format!("error[{code}]: host `fra`: ")),
            "{stderr}"
        );
        assert!(!sandbox.path().join("out").exists());
    }
    // The command line does not show how many targets a fleet needs, so the output is always a
    // folder.
    sandbox.write("hosts/fra.toml", &genuine);
    sandbox.ok(&build);
    assert!(sandbox.path().join("out/hello.x86_64-v3.cwasm").is_file());
}
