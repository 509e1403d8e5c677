//! `edgec sync --once`, killed at system calls from the first to the last: the host can load a
//! version, and another round brings the store to the right state. `store_crash` does the same to
//! each single change of a store.
//!
//! `EDGEC_REQUIRE_STRACE=1` makes it a failure if `strace` is missing. `EDGEC_SYNC_KILLS` is at how
//! many calls each round is killed, spread over all of them.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgec_loader::store::{Application, ArtifactStore, LoadFromStore as _};
use edgec_loader::{EngineProfile, HostEngine, TrustPolicy};
use edgec_tests::strace::{Call, Fault, faulty, strace_present, traced};
use edgec_tests::{Sandbox, number_in, words};

use crate::sync::{FLEET, once, prepared, publish};

/// Calls that change files, lock them or open them.
const CALLS: &str = "openat,openat2,mkdir,mkdirat,write,pwrite64,copy_file_range,fallocate,ftruncate,\
    fchmod,fsync,fdatasync,syncfs,ioctl,renameat,renameat2,linkat,unlinkat,rmdir,flock,getdents64";
/// How many kills of each round are tried.
const KILLS: u64 = 24;
/// What a round says that brings version 2.
const HEALTHY: &str = "acme/shop@stable: healthy, version 2\n";
/// The versions in the store after it, and which of them is current.
const TAKEN: &[(u64, bool)] = &[(1, false), (2, true)];
const GATE: &str = "[gate]\ncommand = [\"sh\", \"-c\", \"test ! -e ill\"]\nfor = \"0s\"\n\
                    failures = 1\n";

/// A host with version 1, and what one round does there.
struct Round {
    sandbox: Sandbox,
    policy: TrustPolicy,
    engine: HostEngine,
    /// The options of the round beside `--once`.
    options: &'static str,
    /// What the last round says.
    says: &'static str,
    /// The versions in the store at the end, and the current one.
    versions: &'static [(u64, bool)],
}

impl Round {
    /// A round that brings version 2, which is `ill` or not.
    fn new(ill: bool) -> Self {
        let sandbox = prepared("");
        // One thread, so that the calls come in the same order each time.
        let fleet = FLEET.replace("[poll]\n", "[poll]\nconcurrency = 1\n");
        sandbox.write_secret("fleet.toml", format!("{fleet}{GATE}"));
        publish(&sandbox, 1, 201);
        once(&sandbox);
        publish(&sandbox, 2, 202);
        if ill {
            sandbox.write("ill", "");
        }
        Self {
            policy: sandbox.policy(),
            engine: HostEngine::builder(EngineProfile::Edge).build().unwrap(),
            sandbox,
            options: "",
            says: match ill {
                true => "acme/shop@stable: went-back, version 1: release 2 (version 2) was bad: ",
                false => HEALTHY,
            },
            versions: match ill {
                true => &[(1, true), (2, false)],
                false => TAKEN,
            },
        }
    }

    fn command(&self, store: &Path, options: &str) -> Command {
        let store = store.display();
        let line = format!("sync fleet.toml --store {store} --key key.pub.pem {options}");
        self.sandbox.command(&words(&line))
    }

    /// A copy of the store before the round.
    fn store(&self, name: &str) -> PathBuf {
        let store = self.sandbox.path().canonicalize().unwrap().join(name);
        let copied = Command::new("cp")
            .args(["-a", "store"])
            .arg(&store)
            .current_dir(self.sandbox.path())
            .status();
        assert!(copied.unwrap().success());
        store
    }

    /// The calls on the store in a round that nothing disturbs.
    fn calls(&self) -> Vec<Call> {
        let store = self.store("traced");
        let options = format!("--once {}", self.options);
        let (output, mut calls) = traced(&self.command(&store, &options), CALLS);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(self.says), "{output:?}");
        self.right(&store, "undisturbed");
        let inside = store.to_str().unwrap();
        calls.retain(|call| call.arguments.contains(inside));
        fs::remove_dir_all(store).unwrap();
        calls
    }

    /// Kills the round at calls from the first to the last.
    fn all_kills(&self) {
        let calls = self.calls();
        let kills = usize::try_from(number_in("EDGEC_SYNC_KILLS", KILLS)).unwrap();
        let last = calls.len() - 1;
        let (mut met, mut before) = (0, 0);
        let steps = kills.saturating_sub(1).max(1);
        let mut chosen: Vec<usize> = (0..kills).map(|at| at * last / steps).collect();
        chosen.dedup();
        for at in &chosen {
            let (is_met, version) = self.one_kill(&calls[*at]);
            met += usize::from(is_met);
            before += usize::from(version == 1);
        }
        let of = chosen.len();
        eprintln!("{met} of {of} kills, at {} calls", calls.len());
        // Threads do not do the same each time, and a process may have ended before its last call.
        assert!(met * 4 >= of * 3, "{met} of {of}");
        assert!(before > 0);
    }

    /// Returns whether the kill happened, and the version that the host would load after it.
    fn one_kill(&self, call: &Call) -> (bool, u64) {
        let store = self.store("killed");
        let title = format!("{call:?}");
        let options = format!("--once {}", self.options);
        let (_, met) = faulty(&self.command(&store, &options), call, Fault::Kill);
        let version = self.loads(&store, &title);
        if !self.options.is_empty() {
            // The operator cannot know whether the order was obeyed. If it was, this changes
            // nothing.
            self.command(&store, self.options).output().unwrap();
        }
        let output = self.command(&store, "--once").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with(self.says), "{title}: {output:?}");
        self.right(&store, &title);
        fs::remove_dir_all(store).unwrap();
        (met, version)
    }

    /// The version that a host loads.
    fn loads(&self, store: &Path, title: &str) -> u64 {
        let store = ArtifactStore::open(store).unwrap();
        let listing = store.list().unwrap();
        assert!(listing.problems.is_empty(), "{title}: {listing:?}");
        let application = Application::new("acme/shop").in_channel("stable");
        let loaded = store.load(&self.engine, application, &self.policy);
        let loaded = loaded.unwrap_or_else(|error| panic!("{title}: {error}"));
        let version = loaded.manifest().version;
        assert!(matches!(version, 1 | 2), "{title}: {version}");
        version
    }

    /// The store and the state are as they should be, and nothing is left behind.
    fn right(&self, path: &Path, title: &str) {
        let store = ArtifactStore::open(path).unwrap();
        let listing = store.list().unwrap();
        let found = listing.artifacts.iter().map(|it| (it.version, it.current));
        let found: Vec<(u64, bool)> = found.collect();
        assert_eq!(found, self.versions, "{title}");
        let verified = store.verify(&self.policy).unwrap();
        assert!(verified.problems.is_empty(), "{title}: {verified:?}");
        for folder in ["temporary", "sync/temporary", "sync/orders"] {
            let left = match fs::read_dir(path.join(folder)) {
                Ok(left) => left.count(),
                Err(_) => 0,
            };
            assert_eq!(left, 0, "{title}: {folder}");
        }
    }
}

#[test]
fn a_good_release() {
    if strace_present() {
        Round::new(false).all_kills();
    }
}

#[test]
fn a_bad_release() {
    if strace_present() {
        Round::new(true).all_kills();
    }
}

#[test]
fn a_release_that_is_tried_again() {
    if strace_present() {
        let mut round = Round::new(true);
        let once = words("sync fleet.toml --store store --key key.pub.pem --once");
        assert_eq!(round.sandbox.run(&once).status.code(), Some(1));
        fs::remove_file(round.sandbox.path().join("ill")).unwrap();
        (round.says, round.versions) = (HEALTHY, TAKEN);
        round.options = "--retry acme/shop:2";
        round.all_kills();
    }
}
