//! Row 37 of `docs/threat-model.md`: many processes use one store.
#![cfg(target_os = "linux")]

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use edgec_loader::Expected;
use edgec_loader::store::{Application, ArtifactStore, Collection, LoadFromStore as _};
use edgec_tests::corpus::{Forge, material};
use edgec_tests::stock;
use edgec_tests::store_host::{StoreHost, assert_hello};

struct Scene(StoreHost);

impl Deref for Scene {
    type Target = StoreHost;

    fn deref(&self) -> &StoreHost {
        &self.0
    }
}

impl Scene {
    fn new() -> Self {
        let host = StoreHost::empty();
        host.sandbox.write("a.cwasm", &material().hello);
        fs::remove_dir_all(host.store.path()).unwrap();
        Self(host)
    }

    fn start(&self, verb: &[&str]) -> Child {
        let arguments = [&["store", "--store", "store"], verb].concat();
        let mut command = self.sandbox.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn start_add(&self, file: &str) -> Child {
        self.start(&["add", "--key", "key.pub.pem", file])
    }

    fn collect(&self) -> Collection {
        let output = self.start(&["gc", "--format", "json"]);
        let output = output.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = |field: &str| {
            let names = report[field].as_array().unwrap().iter();
            names
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        let mut collected = Collection::default();
        collected.images = names("images");
        collected.in_use = names("inUse");
        collected
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let files = fs::read_dir(self.path(folder)).unwrap();
        let names = files.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn assert_done(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Row 37: sixteen processes make the store and admit the same artifact, while others collect.
#[test]
fn row_37_one_digest_at_once() {
    let scene = Scene::new();
    for _ in 0..3 {
        let adding: Vec<Child> = (0..16).map(|_| scene.start_add("a.cwasm")).collect();
        adding.into_iter().for_each(assert_done);
        let collecting: Vec<Child> = (0..2).map(|_| scene.start(&["gc"])).collect();
        collecting.into_iter().for_each(assert_done);
        assert_eq!(
            scene.files("artifacts").len(),
            3,
            "an image, its envelope, and what is known of its signatures"
        );
        assert_eq!(scene.files("temporary"), Vec::<String>::new());
        let store = ArtifactStore::open(scene.store.path()).unwrap();
        assert_eq!(store.list().unwrap().artifacts.len(), 1);
        assert!(store.verify(&scene.policy).unwrap().is_clean());
        let loaded = store.load(&scene.engine, "hello", &scene.policy).unwrap();
        assert_hello(&scene.engine, &loaded);
        // The next round begins without a store.
        fs::remove_dir_all(scene.store.path()).unwrap();
    }
}

/// Row 37: a name gets two images in turn, and a collection removes the unused one each time.
/// Versions are added and removed. Meanwhile, every load succeeds.
#[test]
fn row_37_admissions_loads_and_collections() {
    let scene = Scene::new();
    let (hello, evil) = (Forge::of(material()), &material().evil);
    let evil = Forge::new(evil, &material().signer);
    let named = |forge: &Forge<'_>, version: u64| {
        forge.with_manifest(|manifest| {
            manifest.name = "app".to_owned();
            manifest.version = version;
        })
    };
    let folder = scene.sandbox.path();
    let files = [
        write(folder, "0.cwasm", &named(&hello, 1)),
        write(
            folder,
            "1.cwasm",
            &evil.with_manifest(|manifest| {
                manifest.name = "other".to_owned();
            }),
        ),
        write(folder, "2.cwasm", &named(&hello, 2)),
    ];
    let store = || ArtifactStore::create(scene.store.path()).unwrap();
    let add = |store: &ArtifactStore, file: &Path| {
        let added = store.add(file, &scene.policy, &Expected::anything());
        added.unwrap();
    };
    add(&store(), &files[0]);
    let stop = AtomicBool::new(false);
    let going = || !stop.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        // In this process, but with separate locks, as other processes have them.
        scope.spawn(|| {
            let store = store();
            while going() {
                add(&store, &files[1]);
                store.remove(Application::new("other")).unwrap();
                add(&store, &files[0]);
            }
        });
        scope.spawn(|| {
            let store = store();
            while going() {
                add(&store, &files[2]);
                store.remove(Application::new("app").version(2)).unwrap();
            }
        });
        scope.spawn(|| {
            let store = store();
            while going() {
                let mut problems = store.collect().unwrap().problems;
                problems.extend(store.list().unwrap().problems);
                problems.extend(store.manifests().unwrap().problems);
                let verified = store.verify(&scene.policy).unwrap();
                problems.extend(verified.problems);
                assert!(problems.is_empty(), "{problems:?}");
                for verified in verified.artifacts {
                    assert!(verified.error.is_none(), "{verified:?}");
                }
            }
        });
        let shared = store();
        for round in 0..200 {
            // One store has remembered verdicts; another one is opened each time.
            let store = if round % 2 == 0 {
                shared.clone()
            } else {
                store()
            };
            let loaded = store.load(&scene.engine, "app", &scene.policy).unwrap();
            assert_eq!(loaded.manifest().name, "app");
            if round % 40 == 0 {
                let behaviour = stock::run(&scene.engine, loaded.program(), &[], "");
                assert!(!behaviour.stdout.is_empty());
                assert_done(scene.start(&["gc"]));
                assert_done(scene.start_add("2.cwasm"));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Row 37: a collection keeps images that a process uses, and images that have a name.
#[test]
fn row_37_what_is_in_use_stays() {
    let scene = Scene::new();
    assert_done(scene.start_add("a.cwasm"));
    let images = || {
        let mut files = scene.files("artifacts");
        files.retain(|name| name.ends_with(".elf"));
        files
    };
    let store = ArtifactStore::open(scene.store.path()).unwrap();
    let loaded = store.load(&scene.engine, "hello", &scene.policy).unwrap();
    let before = images();
    assert_eq!(scene.collect(), Collection::default());
    assert_done(scene.start(&["rm", "hello"]));
    let collected = scene.collect();
    assert_eq!((collected.images.len(), &collected.in_use), (0, &before));
    assert_eq!(images(), before);
    let again = store.load(&scene.engine, "hello", &scene.policy);
    assert_eq!(again.map(|_| ()).unwrap_err().code(), "store-unknown");
    assert_hello(&scene.engine, &loaded);
    // It gets a name again while it is not collected.
    assert_done(scene.start_add("a.cwasm"));
    drop(loaded);
    assert_eq!(scene.collect(), Collection::default());
    assert_eq!(images(), before);
    assert_done(scene.start(&["rm", "hello"]));
    assert_eq!(scene.collect().images, before);
    assert_eq!(scene.files("artifacts"), Vec::<String>::new());
}
