//! Real programs, if they are beside the repository: they behave the same as with stock Wasmtime,
//! optimized or not. `EDGEC_REQUIRE_GUESTS=1` makes it a failure if they are missing.

use std::io::Write as _;
use std::process::Stdio;

use edgec_tests::stock::{self, Behaviour};
use edgec_tests::{CLI_GUESTS, CliGuest, Sandbox, guests};

fn run(sandbox: &Sandbox, artifact: &str, guest: &CliGuest) -> Behaviour {
    let mut arguments = vec!["run", "--key", "key.pub.pem", artifact];
    arguments.extend(guest.arguments);
    let mut child = sandbox
        .command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(guest.stdin.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    output.into()
}

#[test]
fn guests_behave_as_under_stock_wasmtime() {
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    for guest in CLI_GUESTS {
        let path = folder.join(guest.file);
        let stem = guest.file.trim_end_matches(".wasm");
        let wasm = std::fs::read(&path).unwrap();
        // As in stock Wasmtime: a core module stays a core module, even if edgec makes a component
        // from it.
        let expected = stock::compile_and_run(&wasm, guest.arguments, guest.stdin);
        for options in [
            &["-O0"][..],
            &["-O1"],
            &["-O2"],
            &["-O2", "--prune-imports"],
            &["--profile", "edge"],
        ] {
            let out = format!("out{}", options.concat());
            let folder = format!("{out}/");
            let arch = std::env::consts::ARCH;
            let mut arguments = vec!["build", path.to_str().unwrap(), "-t", arch];
            arguments.extend(["--key", "key.pem", "-o", &folder]);
            arguments.extend(options);
            sandbox.ok(&arguments);
            let artifact = format!("{out}/{stem}.{}.cwasm", std::env::consts::ARCH);
            let found = run(&sandbox, &artifact, guest);
            assert_eq!(found, expected, "{} {options:?}", guest.file);
            if options.contains(&"edge") {
                continue;
            }
            let loaded = stock::load_and_run(
                &sandbox.path().join(&artifact),
                guest.arguments,
                guest.stdin,
            );
            assert_eq!(loaded, expected, "{} {options:?}, stock host", guest.file);
        }
    }
}

/// Every guest, for both CPUs, in one run. Every artifact verifies. If it is built again, in
/// another working folder and with another path to the same input, the bytes are the same.
#[test]
fn every_guest_builds_for_both_cpus_and_always_the_same() {
    let Some(folder) = guests() else { return };
    let sandbox = Sandbox::new();
    let mut inputs: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            inputs.push(path.to_str().unwrap().to_owned());
        }
    }
    inputs.sort();
    let mut arguments = vec!["build", "--target", "x86_64", "--target", "aarch64"];
    arguments.extend(["--key", "key.pem", "-o", "out/"]);
    arguments.extend(inputs.iter().map(String::as_str));
    sandbox.ok(&arguments);
    let built: Vec<String> = sandbox.files();
    let built: Vec<&str> = built
        .iter()
        .map(String::as_str)
        .filter(|file| file.starts_with("out/"))
        .collect();
    assert_eq!(built.len(), 2 * inputs.len(), "{built:?}");
    let mut verify = vec!["verify", "--key", "key.pub.pem"];
    verify.extend(&built);
    let report = sandbox.ok(&verify);
    assert_eq!(report.matches(": verified").count(), built.len());

    for input in inputs.iter().filter(|input| !input.contains("js-http")) {
        let name = std::path::Path::new(input).file_name().unwrap();
        let name = name.to_str().unwrap();
        std::fs::create_dir_all(sandbox.path().join("again")).unwrap();
        std::fs::copy(input, sandbox.path().join("again").join(name)).unwrap();
        let mut command = sandbox.command(&["build", name, "--key", "../key.pem", "-q"]);
        command.current_dir(sandbox.path().join("again"));
        assert!(command.status().unwrap().success());
        for target in ["x86_64", "aarch64"] {
            let artifact = format!("{}.{target}.cwasm", name.trim_end_matches(".wasm"));
            assert!(
                sandbox.read(&format!("out/{artifact}"))
                    == sandbox.read(&format!("again/{artifact}")),
                "{artifact} differs"
            );
        }
    }
}
