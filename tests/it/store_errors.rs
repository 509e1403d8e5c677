//! Every error of a store, of loads from it and of plans for it, by its code. Attacks are in
//! `attack_store_files.rs`.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt as _;

use edgec_artifact::{LimitRange, Manifest};
use edgec_loader::store::{Application, Deployment, LoadFromStore as _, Refreshed, StoreError};
use edgec_loader::wasmtime::component::Linker;
use edgec_loader::{EngineProfile, HostEngine, LoadError};
use edgec_tests::corpus::{Forge, fails, material};
use edgec_tests::store_host::{StoreHost, overwrite};
use edgec_tests::{Sandbox, binary, isolate};

const STORE: [&str; 3] = ["store", "--store", "store"];

fn loaded(host: &StoreHost, engine: &HostEngine, application: &str) -> LoadError {
    let loaded = host.store.load(engine, application, &host.policy);
    loaded.map(|_| ()).unwrap_err()
}

#[test]
fn of_the_command_line() {
    let host = StoreHost::new();
    let sandbox = &host.sandbox;
    let long = std::fs::File::create(sandbox.path().join("long")).unwrap();
    long.set_len((1 << 30) + 1).unwrap();
    let add = ["add", "--key", "key.pub.pem"];
    let other = [&add[..], &["--name", "other", "a.cwasm"]].concat();
    for (verb, exit, code) in [
        (&["ls"][..], 0, ""),
        (&["path", "hi"], 1, "store-unknown"),
        (&["path", "hello", "--channel", "x"], 1, "store-unknown"),
        (&["use", "hello", "--app-version", "7"], 1, "store-unknown"),
        (&["path", "hello", "--channel", "../x"], 2, "name"),
        (&["rm", "hello", "--app-version", "7"], 1, "store-unknown"),
        (&["rm", "hi"], 1, "store-unknown"),
        (&[&add[..], &["missing"]].concat(), 3, "io"),
        (&[&add[..], &["store"]].concat(), 1, "not-a-file"),
        (&[&add[..], &["long"]].concat(), 1, "too-long"),
        (&[&add[..], &["key.pub.pem"]].concat(), 1, "layout"),
        (&other, 1, "application"),
    ] {
        let arguments = [&STORE[..], verb].concat();
        match exit {
            0 => drop(sandbox.ok(&arguments)),
            exit => drop(fails(sandbox, exit, &arguments, code)),
        }
    }
    fails(sandbox, 2, &["store", "ls"], "store");
    // One of several artifacts fails, and the others are admitted.
    let several = [&STORE[..], &add, &["missing", "a.cwasm", "key.pub.pem"]].concat();
    let output = sandbox.run(&several);
    assert_eq!(output.status.code(), Some(3));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with("a.cwasm: admitted as hello"), "{stdout}");
}

/// Only `add` makes a store.
#[test]
fn of_a_store_that_is_not_there() {
    let sandbox = Sandbox::empty();
    for verb in ["ls", "gc", "plan"] {
        let stderr = fails(&sandbox, 3, &["store", "--store", "none", verb], "io");
        assert_no_store(&stderr);
    }
    sandbox.write("key.pub.pem", material().signer.public().to_pem());
    let run = ["run", "--key", "key.pub.pem", "--store", "none", "hello"];
    assert_no_store(&fails(&sandbox, 3, &run, "io"));
}

fn assert_no_store(stderr: &str) {
    assert!(stderr.contains("none`: there is no store\n"), "{stderr}");
    assert!(
        stderr.contains("\n  hint: `edgec store add` makes one"),
        "{stderr}"
    );
}

/// The machine fails while the store is made, or while its first artifact is copied into it.
#[test]
fn of_a_first_admission_for_which_there_is_no_room() {
    let sandbox = Sandbox::empty();
    sandbox.write("key.pub.pem", material().signer.public().to_pem());
    sandbox.write("a.cwasm", &material().hello);
    let empty = sandbox.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o755)).unwrap();
    for limit in ["0", "4"] {
        for store in ["new", "new/deep/store", "empty", "empty/store"] {
            let script = format!("ulimit -f {limit}; exec {} \"$@\"", binary().display());
            let mut shell = std::process::Command::new("sh");
            isolate(&mut shell, sandbox.path());
            let add = ["store", "--store", store, "add", "--key", "key.pub.pem"];
            let output = shell.args(["-c", &script, "sh"]).args(add).arg("a.cwasm");
            let output = output.output().unwrap();
            assert_eq!(output.status.code(), Some(3), "{output:?}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.starts_with("error["), "{stderr}");
            assert!(!sandbox.path().join("new").exists(), "{limit}: {stderr}");
            let left = std::fs::read_dir(&empty).unwrap().count();
            assert_eq!(left, 0, "{limit} {store}: {stderr}");
        }
    }
    // An existing store stays, and so does a folder with a file in it.
    let add = |store| ["store", "--store", store, "add", "--key", "key.pub.pem"];
    sandbox.ok(&[&add("kept")[..], &["a.cwasm"]].concat());
    fails(
        &sandbox,
        3,
        &[&add("kept")[..], &["missing"]].concat(),
        "io",
    );
    sandbox.ok(&["store", "--store", "kept", "path", "hello"]);
    sandbox.write("other/artifacts/file", "theirs");
    sandbox.write("other/file", "theirs");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path().join("other"), mode).unwrap();
    let other = [&add("other")[..], &["a.cwasm"]].concat();
    fails(&sandbox, 1, &other, "not-a-store");
    assert_eq!(sandbox.read("other/artifacts/file"), b"theirs");
}

/// If no store can be made at a path, the message says what failed.
#[test]
fn of_a_store_that_cannot_be_made() {
    let sandbox = Sandbox::empty();
    sandbox.write("key.pub.pem", material().signer.public().to_pem());
    sandbox.write("a.cwasm", &material().hello);
    let add = ["store", "--store", "/proc/nowhere/store", "add", "a.cwasm"];
    let add = [&add[..], &["--key", "key.pub.pem"]].concat();
    let stderr = fails(&sandbox, 3, &add, "io");
    assert!(
        stderr.contains("`/proc/nowhere/store`: cannot create: "),
        "{stderr}"
    );
}

/// A store is made only for an artifact that is verified.
#[test]
fn of_a_first_admission_that_is_refused() {
    let sandbox = Sandbox::empty();
    sandbox.write("key.pub.pem", material().signer.public().to_pem());
    sandbox.write("a.cwasm", &material().hello);
    let path = |name: &str| sandbox.path().join(name);
    for folder in ["empty", "open"] {
        std::fs::create_dir(path(folder)).unwrap();
    }
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path("open"), mode(0o777)).unwrap();
    std::fs::set_permissions(path("empty"), mode(0o755)).unwrap();
    let add = |store, artifacts: &[&'static str]| {
        let add = ["store", "--store", store, "add", "--key", "key.pub.pem"];
        [&add[..], artifacts].concat()
    };
    for store in ["new", "new/deep/store", "empty", "empty/store"] {
        for (artifacts, exit, code) in [
            (&["--name", "other", "a.cwasm"][..], 1, "application"),
            (&["missing"], 3, "io"),
            (&["empty"], 1, "not-a-file"),
            (&["key.pub.pem"], 1, "layout"),
            (&["key.pub.pem", "missing"], 3, "layout"),
        ] {
            fails(&sandbox, exit, &add(store, artifacts), code);
            assert!(!path("new").exists());
            assert_eq!(std::fs::read_dir(path("empty")).unwrap().count(), 0);
        }
    }
    // No folder remains that others could have replaced.
    let replaceable = add("open/new/store", &["a.cwasm"]);
    fails(&sandbox, 1, &replaceable, "store-writable");
    let long = format!("new/{}", "x".repeat(300));
    fails(&sandbox, 3, &add(&long, &["a.cwasm"]), "io");
    assert!(!path("new").exists());
    assert_eq!(std::fs::read_dir(path("open")).unwrap().count(), 0);
    // The first verified artifact makes the store, at any position in the list.
    let several = add("new/deep/store", &["missing", "a.cwasm", "key.pub.pem"]);
    let output = sandbox.run(&several);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with("a.cwasm: admitted as hello"), "{stdout}");
    sandbox.ok(&["store", "--store", "new/deep/store", "path", "hello"]);
}

#[test]
fn of_loads() {
    let host = StoreHost::new();
    let add = |file: &[u8]| host.add(file).unwrap();
    add(&Forge::new(&material().foreign, &material().signer)
        .with_manifest(|manifest| manifest.name = "foreign".to_owned()));
    let error = loaded(&host, &host.engine, "foreign");
    let LoadError::Store(StoreError::NoFit { targets, .. }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((targets.len(), error.code()), (1, "store-no-fit"));
    let run = ["run", "--key", "key.pub.pem", "--store", "store", "foreign"];
    fails(&host.sandbox, 1, &run, "store-no-fit");

    // A release whose manifest says that it fits.
    let named = Application::new("foreign");
    let names = std::fs::read_dir(host.path("names")).unwrap();
    for folder in names.map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(folder.join("current")).unwrap();
        if text.contains("\"foreign\"") {
            let from = text.split("\"target\":\"").nth(1).unwrap();
            let from = from.split('"').next().unwrap();
            let text = text.replace(from, std::env::consts::ARCH);
            overwrite(&folder.join("current"), text.as_bytes());
        }
    }
    let refused = host.store.load(&host.engine, named, &host.policy);
    assert_eq!(refused.map(|_| ()).unwrap_err().code(), "store-damaged");

    let module = host.store.load_module(&host.engine, "hello", &host.policy);
    let error = module.map(|_| ()).unwrap_err();
    assert!(matches!(error, LoadError::Kind { .. }), "{error:?}");
    assert_eq!(error.code(), "kind");

    // An engine with other settings, which is checked again each time.
    let other = HostEngine::builder(EngineProfile::Default).configure(|config| {
        config.epoch_interruption(true);
    });
    let other = other.build().unwrap();
    for _ in 0..2 {
        let error = loaded(&host, &other, "hello");
        assert!(matches!(error, LoadError::Engine(_)), "{error:?}");
        host.assert_good();
    }

    let forge = Forge::of(material());
    add(&forge.with_manifest(|manifest| {
        manifest.name = "silent".to_owned();
        manifest.capabilities.imports.clear();
    }));
    for _ in 0..2 {
        let error = loaded(&host, &host.engine, "silent");
        assert_eq!(error.code(), "undeclared-import", "{error:?}");
    }
}

/// The version in use stays in use while the version in the store cannot be loaded.
#[test]
fn of_deployments() {
    let host = StoreHost::empty();
    let forge = Forge::new(&material().smallest, &material().signer);
    let version = |version: u64| {
        host.add(&forge.with_manifest(|manifest| {
            manifest.name = "app".to_owned();
            manifest.version = version;
        }))
        .unwrap();
    };
    let deploy = |linker| {
        let policy = host.policy.clone();
        Deployment::new(&host.store, &host.engine, "app", policy, linker)
    };
    let missing = deploy(Linker::<()>::new(&host.engine)).map(|_| ());
    assert_eq!(missing.unwrap_err().code(), "store-unknown");
    version(1);
    let deployment = deploy(Linker::<()>::new(&host.engine)).unwrap();
    let refresh = || deployment.refresh();
    assert_eq!(refresh().unwrap(), Refreshed::Unchanged);
    version(2);
    assert_eq!(refresh().unwrap(), Refreshed::Replaced { from: 1, to: 2 });
    host.store.make_current("app", 1).unwrap();
    assert_eq!(refresh().unwrap(), Refreshed::Replaced { from: 2, to: 1 });
    host.store.remove("app").unwrap();
    assert_eq!(refresh().unwrap_err().code(), "store-unknown");
    assert_eq!(host.store.collect().unwrap().collection.in_use.len(), 1);
    let current = deployment.current().unwrap();
    assert_eq!(current.manifest().version, 1);
    let mut store = edgec_loader::wasmtime::Store::new(&host.engine, ());
    current.instantiate(&mut store).unwrap();
    drop((deployment, current));
    assert_eq!(host.store.collect().unwrap().collection.images.len(), 1);
}

#[test]
fn of_plans() {
    let forge = Forge::of(material());
    let range = |minimum| LimitRange::new(minimum, None);
    type Change<'a> = &'a dyn Fn(&mut Manifest);
    let cases: [(Change<'_>, &[&str], &str); 5] = [
        (
            &|manifest| manifest.resources.complete = false,
            &[],
            "plan-incomplete",
        ),
        (
            &|manifest| manifest.resources.memories.push(range(1 << 33)),
            &[],
            "plan-too-large",
        ),
        (
            &|manifest| manifest.resources.memories.push(range(2 << 20)),
            &["--memory", "1"],
            "plan-too-large",
        ),
        (
            &|manifest| manifest.resources.tables.push(range(1 << 30)),
            &[],
            "plan-too-large",
        ),
        (
            &|manifest| manifest.resources.memories.push(range(0)),
            &["--instances", "4000000"],
            "plan-address-space",
        ),
    ];
    for (change, options, code) in cases {
        let host = StoreHost::empty();
        let file = forge.with_manifest(|manifest| change(manifest));
        host.add(&file).unwrap();
        let plan = [&STORE[..], &["plan"], options].concat();
        fails(&host.sandbox, 1, &plan, code);
    }
}
