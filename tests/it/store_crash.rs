//! Row 34 of `docs/threat-model.md`: if any system call fails, or the process is killed there, the
//! store is either unchanged or fully changed, and it can still be used.
//!
//! `EDGEC_REQUIRE_STRACE=1` makes it a failure if `strace` is missing.
//!
//! More than 400 lines: each change of a store is compared in the same way.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use edgec_loader::store::{
    AdmissionError, Application, ArtifactStore, Condition, LoadFromStore as _,
};
use edgec_loader::{EngineProfile, Expected, HostEngine, TrustPolicy};
use edgec_tests::strace::{Call, Fault, faulty, strace_present, traced};
use edgec_tests::{Sandbox, words};

/// Calls that change files, lock them or open them.
const CALLS: &str = "openat,openat2,mkdir,mkdirat,write,pwrite64,copy_file_range,fallocate,ftruncate,\
    fchmod,fchmodat,fsync,fdatasync,syncfs,sync_file_range,ioctl,rename,renameat,renameat2,link,linkat,\
    symlink,symlinkat,unlink,unlinkat,rmdir,flock,getdents64";
/// If one of these fails, the verb must report it: its output would be wrong otherwise.
const NEVER_IGNORED: &[&str] = &[
    "write",
    "pwrite64",
    "ftruncate",
    "fchmod",
    "fsync",
    "fdatasync",
    "syncfs",
    "renameat",
];
const NAME: &str = "app";

/// Two versions of an application, their signer, and an engine for both.
struct World {
    sandbox: Sandbox,
    policy: TrustPolicy,
    engine: HostEngine,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let sandbox = Sandbox::new();
        for (version, text) in [("1", "(component)"), ("2", "(component (core module))")] {
            sandbox.write("app.wat", text);
            let output = format!("{version}.cwasm");
            let target = std::env::consts::ARCH;
            let named = format!("--name {NAME} --app-version {version} -o {output}");
            let build = format!("build -q app.wat -t {target} --key key.pem {named}");
            sandbox.ok(&words(&build));
        }
        World {
            policy: sandbox.policy(),
            engine: HostEngine::builder(EngineProfile::Default).build().unwrap(),
            sandbox,
        }
    })
}

impl World {
    fn add(&self, store: &Path, version: u64) {
        self.try_to_add(store, version).unwrap();
    }

    fn try_to_add(&self, store: &Path, version: u64) -> Result<(), AdmissionError> {
        let store = ArtifactStore::create(store).unwrap();
        let file = self.sandbox.path().join(format!("{version}.cwasm"));
        let added = store.add(file, &self.policy, &Expected::anything());
        added.map(|_| ())
    }

    fn command(&self, store: &Path, arguments: &[&str]) -> Command {
        let store = store.to_str().unwrap();
        let verb = [&["store", "--store", store], arguments].concat();
        self.sandbox.command(&verb)
    }
}

/// The versions in a store, each with whether it is current. Empty if the store does not exist yet;
/// it is made before anything is admitted.
type State = Vec<(u64, bool)>;

fn state(store: &Path) -> State {
    let store = match ArtifactStore::open(store) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error.code(), "io" | "not-a-store"), "{error}");
            return Vec::new();
        }
    };
    let listing = store.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    let versions = listing
        .artifacts
        .iter()
        .inspect(|listed| assert_eq!(listed.condition, Condition::Whole));
    let versions = versions.map(|listed| (listed.version, listed.current));
    versions.collect()
}

/// A change of a store.
struct Change {
    /// The folder of the changed stores, which is removed at the end.
    _folder: tempfile::TempDir,
    /// The store before the change.
    template: PathBuf,
    arguments: &'static [&'static str],
    before: State,
    after: State,
}

impl Change {
    fn new(arguments: &'static [&'static str], prepare: impl FnOnce(&World, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().canonicalize().unwrap().join("template");
        prepare(world(), &template);
        let before = state(&template);
        let mut change = Self {
            _folder: folder,
            template,
            arguments,
            before,
            after: Vec::new(),
        };
        let store = change.store("after");
        let done = world().command(&store, arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        change.after = state(&store);
        change.sound(&store, "after");
        change
    }

    /// A copy of the store before the change.
    fn store(&self, name: &str) -> PathBuf {
        let to = self.template.with_file_name(name);
        if self.template.exists() {
            copy(&self.template, &to);
        }
        to
    }

    /// The calls on the store, or on the folder that contains it. The number of others may differ
    /// from run to run.
    fn calls(&self) -> Vec<Call> {
        let store = self.store("traced");
        let (output, mut calls) = traced(&world().command(&store, self.arguments), CALLS);
        assert!(output.status.success(), "{output:?}");
        let inside = store.parent().unwrap().to_str().unwrap();
        calls.retain(|call| call.arguments.contains(inside));
        fs::remove_dir_all(store).unwrap();
        calls
    }

    /// Every fault at every call.
    fn all_faults(&self) {
        let calls = self.calls();
        let (mut met, mut faults) = (0, 0);
        for fault in [Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")] {
            let possible = calls.iter().filter(|call| is_possible(call, fault));
            for call in possible {
                faults += 1;
                met += usize::from(self.one_fault(call, fault));
            }
        }
        let told = format!("{:?}: {met} of {faults} faults met", self.arguments);
        eprintln!("{told}, at {} calls", calls.len());
        // If a process is killed while its last thread ends, it may have ended before.
        assert!(met > 20 && met + 3 >= faults, "{told}");
    }

    fn one_fault(&self, call: &Call, fault: Fault) -> bool {
        let store = self.store("faulty");
        let (output, met) = faulty(&world().command(&store, self.arguments), call, fault);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let title = format!("{fault:?} at {call:?}: {stdout}{stderr}");
        let state = state(&store);
        match output.status.code() {
            None => {}
            Some(0) => {
                assert_eq!(state, self.after, "{title}");
                let ignored = !NEVER_IGNORED.contains(&&*call.name);
                assert!(ignored || !met, "{title}");
            }
            Some(code) => {
                assert!(code == 1 || code == 3, "{title}");
                assert!(stderr.starts_with("error["), "{title}");
                assert!(!stdout.contains("admitted as"), "{title}");
                // A collection reports what it removed before the failure.
                let collected = self.arguments == ["gc"];
                assert!(collected || !stdout.contains("removed"), "{title}");
            }
        }
        assert!(
            state == self.before || state == self.after,
            "{title}: {state:?}"
        );
        self.sound(&store, &title);
        fs::remove_dir_all(&store).unwrap();
        met
    }

    /// Asserts that everything in the list exists and can be loaded, and that the store can still
    /// be used.
    fn sound(&self, path: &Path, title: &str) {
        let World { engine, policy, .. } = world();
        if let Ok(store) = ArtifactStore::open(path) {
            let verified = store.verify(policy).unwrap();
            let problems = verified.problems;
            assert!(problems.is_empty(), "{title}: {problems:?}");
            for verified in verified.artifacts {
                let (listed, error) = (verified.artifact, verified.error);
                assert!(error.is_none(), "{title}: {error:?}");
                let application = Application::new(NAME).version(listed.version);
                let loaded = store.load(engine, application, policy);
                let loaded = loaded.unwrap_or_else(|error| panic!("{title}: {error}"));
                assert_eq!(loaded.manifest().version, listed.version);
                if listed.current {
                    let current = store.load(engine, NAME, policy).unwrap();
                    assert_eq!(current.manifest().version, listed.version);
                }
            }
        }
        let is_there = ArtifactStore::open(path)
            .is_ok_and(|_| state(path).iter().any(|(version, _)| *version == 1));
        let expected: &[u64] = match world().try_to_add(path, 1) {
            Ok(()) => &[1, 2],
            // The store remembers version 2, also if the process ended before it had a name.
            Err(error) => {
                assert!(!is_there, "{title}: {error}");
                assert_eq!(error.code(), "version-rollback", "{title}: {error}");
                &[2]
            }
        };
        world().add(path, 2);
        let both = state(path);
        let versions: Vec<u64> = both.iter().map(|(version, _)| *version).collect();
        assert_eq!(versions, expected, "{title}");
        assert_eq!(
            both.iter().filter(|(_, current)| *current).count(),
            1,
            "{title}"
        );

        let store = ArtifactStore::open(path).unwrap();
        store.collect().unwrap();
        let second = store.collect().unwrap();
        assert_eq!(second.collection, Default::default(), "{title}");
        assert!(second.problems.is_empty(), "{title}: {second:?}");
        assert_eq!(state(path), both, "{title}");
        let files = |name: &str| fs::read_dir(path.join(name)).unwrap().count();
        // An image, its envelope, and the record of its signatures.
        let kept = 3 * expected.len();
        assert_eq!(
            (files("artifacts"), files("temporary")),
            (kept, 0),
            "{title}"
        );
        assert_eq!(files("names"), 1, "{title}");
    }
}

/// Only a call that needs disk space can fail because there is none.
fn is_possible(call: &Call, fault: Fault) -> bool {
    match (fault, &*call.name) {
        (Fault::Kill | Fault::Error("EIO"), _) => true,
        (_, "openat") => call.arguments.contains("O_CREAT"),
        (_, "openat2" | "flock" | "getdents64" | "fchmod" | "unlinkat") => false,
        _ => true,
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

fn changes(arguments: &'static [&'static str], prepare: impl FnOnce(&World, &Path)) {
    if strace_present() {
        let change = Change::new(arguments, prepare);
        assert_in_order(&change);
        change.all_faults();
    }
}

const ADD_2: &[&str] = &["add", "--key", "key.pub.pem", "2.cwasm"];

#[test]
fn the_first_admission() {
    changes(ADD_2, |_, _| {});
}

#[test]
fn a_newer_version() {
    changes(ADD_2, |world, store| world.add(store, 1));
}

/// No file of it is new.
#[test]
fn the_same_once_more() {
    changes(ADD_2, |world, store| {
        world.add(store, 1);
        world.add(store, 2);
    });
}

#[test]
fn an_older_version() {
    let add = &["add", "--key", "key.pub.pem", "1.cwasm"];
    // It must still be there: an older version is not admitted anew.
    changes(add, both);
}

fn both(world: &World, store: &Path) {
    world.add(store, 1);
    world.add(store, 2);
}

#[test]
fn the_way_back() {
    changes(&["use", NAME, "--app-version", "1"], both);
}

#[test]
fn the_current_version_goes() {
    changes(&["rm", NAME, "--app-version", "2"], both);
}

#[test]
fn an_older_version_goes() {
    changes(&["rm", NAME, "--app-version", "1"], both);
}

#[test]
fn the_only_version_goes() {
    let rm = &["rm", NAME, "--app-version", "1"];
    changes(rm, |world, store| world.add(store, 1));
}

#[test]
fn an_application_goes() {
    changes(&["rm", NAME], both);
}

#[test]
fn a_collection() {
    changes(&["gc"], |world, store| {
        both(world, store);
        let opened = ArtifactStore::open(store).unwrap();
        opened.remove(Application::new(NAME).version(2)).unwrap();
        fs::write(store.join("temporary/1.2.3"), "of an admission").unwrap();
        fs::create_dir(store.join("names").join("0".repeat(64))).unwrap();
    });
}

/// Asserts the order: a file is on disk before it gets its name, and a name is on disk before
/// something relies on it.
fn assert_in_order(change: &Change) {
    let calls = change.calls();
    let mut synced: BTreeSet<String> = BTreeSet::new();
    let mut unsynced: BTreeSet<String> = BTreeSet::new();
    for call in calls.iter().filter(|call| call.succeeded()) {
        let descriptors = call.descriptors();
        let first = descriptors.first().copied().unwrap_or_default().to_owned();
        let strings = call.strings();
        let told = format!("{call:?}\n{calls:#?}");
        match &*call.name {
            "write" | "pwrite64" | "ftruncate" | "fchmod" | "fallocate" | "copy_file_range" => {
                synced.remove(&first);
            }
            "fsync" => {
                unsynced.remove(&first);
                synced.insert(first);
            }
            "syncfs" => unsynced.clear(),
            "mkdir" => {
                let above = Path::new(strings[0]).parent().unwrap();
                unsynced.insert(above.to_str().unwrap().to_owned());
            }
            "mkdirat" => drop(unsynced.insert(first)),
            "renameat" => {
                let from = format!("{first}/{}", strings[0]);
                let into = descriptors[1].to_owned();
                // A folder that is removed was synced when it was made.
                let goes = into.ends_with("/temporary");
                assert!(goes || synced.contains(&from), "not on the disk: {told}");
                let relies = !into.ends_with("/artifacts");
                assert!(
                    !relies || unsynced.is_empty(),
                    "{unsynced:?} are not: {told}"
                );
                unsynced.insert(into);
                if goes {
                    unsynced.insert(first);
                }
            }
            "unlinkat" if first.ends_with("/artifacts") => {
                let first_of_all = unsynced.iter().all(|folder| *folder == first);
                let asked = calls.iter().any(|call| call.name == "syncfs");
                assert!(first_of_all && asked, "{told}");
                unsynced.insert(first);
            }
            "unlinkat" if !first.contains("/temporary") => drop(unsynced.insert(first)),
            "rename" | "renameat2" | "link" | "linkat" => panic!("{told}"),
            _ => {}
        }
    }
    assert!(unsynced.is_empty(), "{unsynced:?}: {calls:#?}");
}
