//! Which version of a name loads take: no admission takes a program away from a host, and none
//! undoes a rollback.

#![cfg(target_os = "linux")]

use edgec_loader::store::{Application, LoadFromStore as _, Standing};
use edgec_tests::stored::Stored;

const EMPTY: &str = "(component)";

/// The current version, according to `store ls`.
fn current(stored: &Stored) -> u64 {
    let listing = stored.store.list().unwrap();
    let current = listing.artifacts.iter().find(|entry| entry.current);
    let current = current.unwrap().version;
    assert_eq!(stored.store.current(app()).unwrap(), Some(current));
    let all = listing.artifacts.iter().map(|entry| entry.version);
    assert_eq!(stored.store.versions(app()).unwrap(), all.collect());
    current
}

fn app() -> Application {
    Application::new("app")
}

#[test]
fn a_release_takes_over_when_it_is_there_for_every_host() {
    let stored = Stored::new();
    let admit = |version, target| stored.admit(EMPTY, version, &["-t", target]);
    assert_eq!(admit(1, "x86_64"), Standing::Current);
    assert_eq!(admit(1, "aarch64"), Standing::Current);
    let lacks = Standing::Lacks {
        current: 1,
        targets: vec!["x86_64 (default)".to_owned()],
    };
    assert_eq!(admit(2, "aarch64"), lacks);
    assert_eq!(current(&stored), 1);
    assert_eq!(admit(2, "x86_64"), Standing::Current);
    assert_eq!(current(&stored), 2);
    // One more target takes nothing away, and an older version is not a release.
    assert_eq!(admit(3, "x86_64-v3"), {
        let targets = ["aarch64 (default)", "x86_64 (default)"];
        let targets = targets.map(str::to_owned).to_vec();
        Standing::Lacks {
            current: 2,
            targets,
        }
    });
    assert_eq!(admit(1, "x86_64-v3"), Standing::Older { current: 2 });
    // Its owner may still want it.
    stored.store.make_current(app(), 3).unwrap();
    assert_eq!(current(&stored), 3);
    assert_eq!(admit(4, "x86_64-v3"), Standing::Current);
}

#[test]
fn a_rollback_stays_until_another_version_is_chosen() {
    let stored = Stored::new();
    let admit = |version| stored.admit(EMPTY, version, &["-t", "x86_64"]);
    for version in 1..=3 {
        assert_eq!(admit(version), Standing::Current);
    }
    stored.store.make_current(app(), 2).unwrap();
    assert_eq!(admit(3), Standing::Chosen { current: 2 });
    assert_eq!(admit(4), Standing::Chosen { current: 2 });
    assert_eq!(admit(2), Standing::Current);
    assert_eq!(admit(4), Standing::Chosen { current: 2 });
    assert_eq!(current(&stored), 2);

    // The version before it becomes current, and not the one that was rolled back.
    stored.store.remove(app().version(2)).unwrap();
    assert_eq!(current(&stored), 1);
    assert_eq!(admit(5), Standing::Chosen { current: 1 });

    // The newest version was chosen, so newer ones become current again.
    stored.store.make_current(app(), 5).unwrap();
    assert_eq!(admit(6), Standing::Current);
    assert_eq!(current(&stored), 6);
}

/// The promise of `edgec check`: the best artifact that the host can run, and not the best for its
/// CPU alone.
#[cfg(target_arch = "x86_64")]
#[test]
fn what_cannot_be_run_hides_nothing_that_can() {
    use edgec_loader::{EngineProfile, Expected, HostCpu, HostEngine};
    use edgec_packager::SecretKey;
    use edgec_tests::corpus::Forge;

    let stored = Stored::new();
    stored.admit(EMPTY, 1, &["-t", "x86_64-v3"]);
    let v3 = edgec_targets::find("x86_64-v3").unwrap();
    let features = v3.features.iter().map(|feature| feature.name.to_owned());
    let cpu = HostCpu::new("x86_64", features);
    let load = || {
        let engine = HostEngine::builder(EngineProfile::Default).cpu(cpu.clone());
        let engine = engine.build().unwrap();
        let loaded = stored.store.load(&engine, "app", &stored.policy).unwrap();
        loaded.manifest().target.id.clone()
    };
    // From another patch release, whose tables of exception handlers this engine cannot read.
    let pem = String::from_utf8(stored.sandbox.read("key.pem")).unwrap();
    let (file, key) = (
        stored.sandbox.read("app.cwasm"),
        SecretKey::from_pem(&pem).unwrap(),
    );
    let other = Forge::new(&file, &key).with_manifest(|manifest| {
        manifest.version = 2;
        manifest.engine.version = "48.0.5".to_owned();
        manifest.wasm_features.push("exceptions".to_owned());
        manifest.wasm_features.sort();
    });
    let path = stored.sandbox.write("other.cwasm", other);
    let added = stored
        .store
        .add(path, &stored.policy, &Expected::anything());
    added.unwrap();
    stored.admit(EMPTY, 2, &["-t", "x86_64"]);
    assert_eq!(load(), "x86_64");
}
