//! How long a deployment serves what it has: until that expires, while refreshes come, and while
//! only the owner can change its files.

#![cfg(target_os = "linux")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, chown};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use edgec_artifact::{UnixTime, Validity};
use edgec_loader::Limits;
use edgec_loader::store::{Deployment, Distrust, LoadFromStore as _, PolicySource, Refreshed};
use edgec_tests::corpus::{Forge, material};
use edgec_tests::skipped;
use edgec_tests::store_host::{StoreHost, overwrite};
use edgec_tests::stored::{Stored, ask, edge};
use wasmtime::component::Linker;

use crate::deployment::distrusted;

/// A limit in time of a policy or a manifest takes effect even without a refresh.
#[test]
fn what_expires_is_not_served_without_a_refresh() {
    let host = StoreHost::empty();
    let forge = Forge::new(&material().smallest, &material().signer);
    let deploy = || {
        let linker = Linker::<()>::new(&host.engine);
        let policy = host.policy.clone();
        Deployment::new(&host.store, &host.engine, "app", policy, linker)
    };
    let mut seconds = 2;
    let deployment = loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expires = now.as_secs() + seconds;
        let file = forge.with_manifest(|manifest| {
            manifest.name = "app".to_owned();
            let expires = UnixTime::from_seconds(expires);
            manifest.validity = Validity::default().with_expires(expires).into_stated();
        });
        match host.add(&file).and_then(|_| deploy()) {
            Ok(deployment) => break deployment,
            // This machine was slower than that.
            Err(error) => assert_eq!(error.code(), "expired", "{error:?}"),
        }
        seconds *= 2;
    };
    let error = until(|| deployment.current().err());
    assert_eq!(error.code(), "expired");
}

/// Waits for an answer.
fn until<R>(answer: impl Fn() -> Option<R>) -> R {
    let begin = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(begin.elapsed().as_secs() < 300, "there is no answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// If refreshes cease, nothing is served, until there is one again.
#[test]
fn what_is_not_refreshed_is_not_served() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let deployment = stored.deploy(&engine).stale_after(Duration::ZERO);
    let stale = until(|| deployment.current().err());
    assert_eq!(stale.code(), "stale");
    let text = edgec_loader::error_chain(&stale);
    assert!(
        text.contains("no refresh has read the trust policy"),
        "{text}"
    );
    // A host that does not refresh on purpose says so.
    let deployment = deployment.never_stale();
    assert_eq!(ask(&engine, &deployment.current().unwrap()), 1);

    let deployment = deployment.stale_after(Duration::from_secs(1));
    assert_eq!(until(|| deployment.current().err()).code(), "stale");
    let current = until(|| {
        assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
        deployment.current().ok()
    });
    assert_eq!(ask(&engine, &current), 1);
}

/// A refresh that waits for its policy is none: what is at work is not served forever meanwhile.
#[test]
fn what_waits_for_its_policy_is_not_served() {
    let stored = Stored::new();
    stored.admit_answer(1);
    let engine = edge(&Limits::OnDemand);
    let (policy, reads) = (stored.policy.clone(), AtomicU32::new(0));
    let (answer, answers) = mpsc::channel::<()>();
    let answers = Mutex::new(answers);
    let source = PolicySource::by(move || {
        if reads.fetch_add(1, Ordering::Relaxed) == 1 {
            let _ = answers.lock().unwrap().recv();
        }
        Ok::<_, std::io::Error>(policy.clone())
    });
    let linker = Linker::<()>::new(&engine);
    let deployment = Deployment::new(&stored.store, &engine, "app", source, linker).unwrap();
    let deployment = deployment.stale_after(Duration::from_secs(1));
    std::thread::scope(|scope| {
        // Dropped here, also when an assertion fails: the refresh ends then.
        let release = answer;
        let refreshing = scope.spawn(|| deployment.refresh());
        let stale = until(|| deployment.current().err());
        assert!(
            matches!(stale.reason(), Distrust::Stale { .. }),
            "{stale:?}"
        );
        release.send(()).unwrap();
        assert_eq!(refreshing.join().unwrap().unwrap(), Refreshed::Unchanged);
    });
}

/// A store that users other than its owner can change is noticed while a program is at work, and so
/// is an image that was written. A load by a store that is open notices it too.
#[test]
fn what_others_can_change_is_not_served() {
    let host = StoreHost::empty();
    let forge = Forge::new(&material().smallest, &material().signer);
    let file = forge.with_manifest(|manifest| manifest.name = "app".to_owned());
    host.add(&file).unwrap();
    let (linker, policy) = (Linker::<()>::new(&host.engine), host.policy.clone());
    let deployment =
        Deployment::new(&host.store, &host.engine, "app", policy.clone(), linker).unwrap();
    let image = host.store.image_paths("app").unwrap().remove(0);
    let (folder, mode) = (host.current().parent().unwrap().to_owned(), |mode| {
        Permissions::from_mode(mode)
    });
    for (path, open) in [
        (host.store.path().to_owned(), 0o777),
        (host.path("artifacts"), 0o775),
        (host.path("names"), 0o757),
        (host.path("temporary"), 0o1777),
        (folder, 0o777),
        (image.clone(), 0o666),
        (host.envelope(), 0o646),
    ] {
        let what = path.display().to_string();
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, mode(open)).unwrap();
        assert_eq!(distrusted(&deployment), "store-writable", "{what}");
        let exposed = deployment.current().err().unwrap();
        assert!(
            matches!(exposed.reason(), Distrust::Exposed(_)),
            "{exposed:?}"
        );
        let loaded = host.store.load(&host.engine, "app", &policy);
        assert_eq!(loaded.err().unwrap().code(), "store-writable", "{what}");
        fs::set_permissions(&path, before).unwrap();
        assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
        deployment.current().unwrap();
    }
    for path in [host.path("artifacts"), image.clone(), host.envelope()] {
        if chown(&path, Some(12345), None).is_err() {
            let why = "only root can give a file to another user";
            skipped("EDGEC_REQUIRE_ROOT", why);
            break;
        }
        assert_eq!(distrusted(&deployment), "store-owner");
        chown(&path, Some(0), None).unwrap();
        deployment.refresh().unwrap();
    }

    // Written between two looks: the mode is as before, the file is not.
    fs::set_permissions(&image, mode(0o666)).unwrap();
    let Ok(writable) = File::options().write(true).open(&image) else {
        eprintln!("SKIPPED: with fs-verity the kernel lets no user write an image");
        return;
    };
    let bytes = fs::read(&image).unwrap();
    let last = bytes.len() as u64 - 1;
    writable
        .write_all_at(&[!bytes[bytes.len() - 1]], last)
        .unwrap();
    drop(writable);
    fs::set_permissions(&image, mode(0o444)).unwrap();
    for _ in 0..2 {
        assert_eq!(distrusted(&deployment), "store-damaged");
    }
    // Adding the artifact again puts a good file in its place, which is then at work.
    host.add(&file).unwrap();
    let version = forge.manifest.version;
    let replaced = Refreshed::Replaced {
        from: version,
        to: version,
    };
    assert_eq!(deployment.refresh().unwrap(), replaced);
    deployment.current().unwrap();
    // A file that is only replaced, as admissions do, is no change of what is at work.
    let bytes = fs::read(&image).unwrap();
    overwrite(&image, &bytes);
    assert_eq!(deployment.refresh().unwrap(), Refreshed::Unchanged);
}
