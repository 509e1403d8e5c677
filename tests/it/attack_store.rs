//! Rows 28, 31, 33 and 35 of `docs/threat-model.md` for the admission store: remembered verdicts,
//! and files that change.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edgec_artifact::{Manifest, UnixTime, Validity};
use edgec_loader::store::{AdmissionError, Application, LoadFromStore as _};
use edgec_loader::{Expected, LoadMode, TrustPolicy, Verdict, load};
use edgec_tests::corpus::{Forge, material};
use edgec_tests::store_host::{StoreHost, assert_hello, overwrite};

fn policy(more: &str) -> TrustPolicy {
    let pem = material().signer.public().to_pem();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    // Fields of the file's head come first.
    let (head, tables) = more.split_once('\n').unwrap_or((more, ""));
    TrustPolicy::from_toml(&format!("threshold = 1\n{head}\n{key}{tables}")).unwrap()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Row 28: a verdict under one policy does not count under another, and a refusal does not affect
/// the next load.
#[test]
fn row_28_verdicts_are_of_one_policy() {
    let host = StoreHost::new();
    let image = host.load().unwrap().report().image;
    let strict = [
        ("", "[minimum-version]\nhello = 1\n".to_owned(), "rollback"),
        ("", "[allow]\nimports = []\n".to_owned(), "import"),
        (
            "",
            format!("[[revoked-digest]]\nfsverity = '{image}'\nreason = 'r'\n"),
            "revoked-digest",
        ),
        (
            "expires = 2020-01-01T00:00:00Z",
            String::new(),
            "policy-expired",
        ),
        (
            "minimum-load-mode = 'fs-verity'",
            String::new(),
            "load-mode",
        ),
    ];
    for (head, tables, code) in strict {
        let strict = policy(&format!("{head}\n{tables}"));
        for _ in 0..2 {
            // A clone shares the verdicts.
            let store = host.store.clone();
            let refused = store.load(&host.engine, "hello", &strict);
            assert_eq!(refused.map(|_| ()).unwrap_err().code(), code);
            assert_eq!(host.load().unwrap().report().verdict, Verdict::Cached);
        }
    }
    // For another application, the verdict is another one.
    for (application, code) in [
        (Application::new("other"), "store-unknown"),
        (
            Application::new("hello").in_channel("beta"),
            "store-unknown",
        ),
        (Application::new("hello").version(1), "store-unknown"),
        (Application::new("../hello"), "name"),
    ] {
        let refused = host.store.load(&host.engine, application, &host.policy);
        assert_eq!(refused.map(|_| ()).unwrap_err().code(), code);
    }
    assert_eq!(host.load().unwrap().report().verdict, Verdict::Cached);
}

/// Row 28: a refused artifact is not in the store, and the artifacts in the store stay.
#[test]
fn row_28_a_refused_admission_leaves_nothing() {
    let host = StoreHost::new();
    let before = host.sandbox.files();
    let forge = Forge::of(material());
    let evil = Forge::new(&material().evil, &material().attacker);
    let bad = [
        (
            evil.with_manifest(|m| m.name = "hello".to_owned()),
            "threshold",
        ),
        (forge.flipped(0x1100), "image-digest"),
        (forge.with_signatures(&[]), "no-signature"),
        (forge.file[..forge.file.len() - 1].to_vec(), "layout"),
    ];
    for (bad, code) in bad {
        assert_eq!(host.add(&bad).unwrap_err().code(), code);
        assert_eq!(host.sandbox.files(), before);
        host.assert_good();
    }
}

/// Row 28: a verdict ends at a time limit of the artifact or the policy.
#[test]
fn row_28_verdicts_end_in_time() {
    let forge = Forge::of(material());
    let limited = |not_before: Option<u64>, expires: Option<u64>| {
        forge.with_manifest(|manifest: &mut Manifest| {
            manifest.validity = Validity::default()
                .with_not_before(not_before.map(UnixTime::from_seconds))
                .with_expires(expires.map(UnixTime::from_seconds))
                .into_stated();
        })
    };
    let wait = |moment: u64| {
        while now() < moment {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // On a busy machine, this tries again with more time.
    let in_time = [2, 8, 32].into_iter().any(|seconds| {
        let host = StoreHost::empty();
        let expires = now() + seconds;
        host.add(&limited(None, Some(expires))).unwrap();
        let verdicts = [host.load(), host.load()].map(|loaded| {
            let loaded = loaded.map(|loaded| loaded.report().verdict);
            loaded.map_err(|error| error.code())
        });
        if now() >= expires {
            return false;
        }
        assert_eq!(verdicts, [Ok(Verdict::Fresh), Ok(Verdict::Cached)]);
        wait(expires);
        assert_eq!(host.load().map(|_| ()).unwrap_err().code(), "expired");
        true
    });
    assert!(in_time);
    let host = StoreHost::empty();
    let begins = now() + 1;
    let refused = host.add(&limited(Some(begins), None)).err();
    assert!(refused.is_none_or(|error| error.code() == "not-yet-valid"));
    wait(begins);
    host.add(&limited(Some(begins), None)).unwrap();
    host.assert_good();
}

/// Row 31: after a load, changes to the store's files do not affect the program. Only the owner can
/// change these files.
#[test]
fn row_31_replaced_in_the_store_after_the_load() {
    let host = StoreHost::new();
    let loaded = host.load().unwrap();
    let image = host.image();
    // Even the owner has no descriptor for writing, and the mode does not let others write.
    assert_eq!(
        fs::metadata(&image).unwrap().permissions().mode() & 0o7777,
        0o444
    );
    overwrite(&image, &material().evil);
    assert_hello(&host.engine, &loaded);
    fs::remove_dir_all(host.store.path()).unwrap();
    assert_hello(&host.engine, &loaded);
}

/// Row 33: a process can go on writing the source. The store has a verified copy.
#[test]
fn row_33_the_source_kept_open_across_admission() {
    let host = StoreHost::empty();
    let path = host.sandbox.write("a.cwasm", &material().hello);
    let mut kept = File::options().write(true).open(&path).unwrap();
    let added = host.store.add(&path, &host.policy, &Expected::anything());
    assert_eq!(added.unwrap().manifest.name, "hello");
    let loaded = host.load().unwrap();
    kept.write_all(&material().evil).unwrap();
    kept.sync_all().unwrap();
    host.assert_good();
    kept.rewind().unwrap();
    kept.write_all(&vec![0xcc; material().hello.len()]).unwrap();
    kept.set_len(1).unwrap();
    host.assert_good();
    assert_hello(&host.engine, &loaded);
    assert_eq!(host.verify(), None);
}

/// Row 33: while the source is written as fast as possible, every admitted artifact was verified.
/// It depends on the machine how many admissions meet a whole file.
#[test]
fn row_33_the_source_written_during_admission() {
    let host = StoreHost::empty();
    let path = host.sandbox.write("a.cwasm", &material().hello);
    let add = || host.store.add(&path, &host.policy, &Expected::anything());
    let refused = |error| match error {
        AdmissionError::Verify(_) | AdmissionError::File(_) => {}
        other => panic!("{other:?}"),
    };
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                fs::write(&path, &material().evil[..5000]).unwrap();
                fs::write(&path, &material().hello).unwrap();
            }
        });
        let mut good = 0;
        for _ in 0..200 {
            match add() {
                Ok(_) => good += 1,
                Err(error) => refused(error),
            }
            if good > 0 {
                host.assert_good();
                assert_eq!(host.verify(), None);
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    fs::write(&path, &material().evil[..5000]).unwrap();
    refused(add().map(|_| ()).unwrap_err());
    fs::write(&path, &material().hello).unwrap();
    add().unwrap();
    host.assert_good();
    assert_eq!(host.verify(), None);
}

/// Rows 35 and 36 need a kernel with fs-verity (`tests/verity/run.sh`). Without it, a policy that
/// requires fs-verity accepts nothing.
#[test]
fn row_35_a_policy_that_wants_verity() {
    let host = StoreHost::new();
    let wants = |mode: &str| policy(&format!("minimum-load-mode = '{mode}'"));
    let found = host.load().unwrap().report().mode;
    let from_store = |mode| {
        let loaded = host.store.load(&host.engine, "hello", &wants(mode));
        loaded.map(|_| ()).map_err(|error| error.code())
    };
    let path = host.sandbox.path().join("a.cwasm");
    let from_file = |mode| {
        let anything = Expected::anything();
        let loaded = load(&host.engine, &path, &wants(mode), &anything);
        loaded.map(|_| ()).map_err(|error| error.code())
    };
    match found {
        LoadMode::FsVerity => assert_eq!(from_store("fs-verity"), Ok(())),
        _ => assert_eq!(from_store("fs-verity"), Err("load-mode")),
    }
    assert_eq!(from_store("trusted-store"), Ok(()));
    assert_eq!(from_file("sealed-memfd"), Ok(()));
    assert_eq!(from_file("fs-verity"), Err("load-mode"));
    assert_eq!(from_file("trusted-store"), Err("load-mode"));
}
