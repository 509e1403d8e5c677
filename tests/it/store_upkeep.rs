//! The verbs of a store without damage: admissions, choices, collections, locks.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use edgec_artifact::{UnixTime, Validity};
use edgec_loader::Expected;
use edgec_loader::store::{AdmissionError, Application, ArtifactStore, LoadFromStore as _};
use edgec_tests::corpus::{Forge, fails, material};
use edgec_tests::store_host::{StoreHost, VERIFY, app, overwrite};
use serde_json::json;

/// `use` needs a version: otherwise a rollback could be undone by mistake.
#[test]
fn a_choice_names_its_version() {
    let host = StoreHost::with_two();
    let (_, stderr) = host.told(&["use", "app"], 2);
    assert!(stderr.contains("--app-version"), "{stderr}");
    let choose = |version| host.report(&["use", "app", "--app-version", version], 0);
    let chosen = choose("1");
    assert_eq!(
        (&chosen["previous"], &chosen["stays"]),
        (&json!(2), &json!(true))
    );
    let chosen = choose("2");
    assert_eq!(
        (&chosen["previous"], &chosen["stays"]),
        (&json!(1), &json!(false))
    );
}

#[test]
fn an_admission_says_what_it_found() {
    let host = StoreHost::with_two();
    let add = |file: &[u8]| {
        host.sandbox.write("a.cwasm", file);
        let added = host.report(&["add", "--key", "key.pub.pem", "a.cwasm"], 0);
        added["results"][0].clone()
    };
    let first = app(1);
    assert_eq!(add(&first)["change"], "unchanged");
    overwrite(&host.folder("app").join("1"), b"{");
    assert_eq!(add(&first)["change"], "repaired");
    assert_eq!(add(&first)["change"], "unchanged");
    let image = host.store.image_paths(Application::new("app").version(1));
    overwrite(&image.unwrap()[0], b"");
    assert_eq!(add(&first)["change"], "repaired");
    host.told(&VERIFY, 0);

    // A version has one artifact for a target: neither another manifest nor another image.
    let again = Forge::of(material()).with_manifest(|manifest| {
        manifest.name = "app".to_owned();
        manifest.version = 1;
        let issued = UnixTime::from_seconds(1);
        manifest.validity = Validity::default().with_issued(issued).into_stated();
    });
    let other = Forge::new(&material().evil, &material().signer);
    let other = other.with_manifest(|manifest| {
        manifest.name = "app".to_owned();
        manifest.version = 1;
    });
    for file in [&again, &other] {
        host.sandbox.write("a.cwasm", file);
        let refused = host.report(&["add", "--key", "key.pub.pem", "a.cwasm"], 1);
        assert_eq!(refused["results"][0]["error"]["code"], "version-taken");
    }
    assert_eq!(add(&first)["change"], "unchanged");
}

/// Otherwise the first load would be the first to report it.
#[test]
fn an_admission_warns_of_loads_that_will_be_refused() {
    let host = StoreHost::empty();
    let pem = material().signer.public().to_pem();
    let write_policy = |mode: &str| {
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        let policy = format!("threshold = 1\nminimum-load-mode = '{mode}'\n{key}");
        host.sandbox.write("policy.toml", policy);
    };
    host.sandbox.write("a.cwasm", &material().hello);
    let add = ["add", "--trust", "policy.toml", "a.cwasm"];
    write_policy("trusted-store");
    assert_eq!(host.told(&add, 0).1, "");
    write_policy("fs-verity");
    let admitted = host.report(&add, 0);
    let admitted = &admitted["results"][0];
    if admitted["mode"] == "fs-verity" {
        eprintln!("SKIPPED: with fs-verity there is nothing to warn of");
        return;
    }
    assert_eq!(admitted["warnings"][0]["code"], "load-mode");
    let (stdout, stderr) = host.told(&add, 0);
    assert!(stdout.starts_with("a.cwasm: admitted as hello"), "{stdout}");
    let warning = "warning[load-mode]: a.cwasm: ";
    assert!(stderr.starts_with(warning), "{stderr}");
    let run = ["run", "--trust", "policy.toml", "--store", "store", "hello"];
    let stderr = fails(&host.sandbox, 1, &run, "load-mode");
    assert!(stderr.starts_with("error[load-mode]: hello: "), "{stderr}");
}

/// A host for components cannot load a module. An admission that changes the kind of an application
/// warns of this.
#[test]
fn a_change_of_kind_is_told() {
    let host = StoreHost::empty();
    let version = |file: &[u8], version: u64| {
        let file = Forge::new(file, &material().signer).with_manifest(|manifest| {
            manifest.name = "app".to_owned();
            manifest.version = version;
        });
        host.sandbox.write("a.cwasm", file);
    };
    let add = ["add", "--key", "key.pub.pem", "a.cwasm"];
    version(&material().hello, 1);
    assert!(host.report(&add, 0)["results"][0]["warnings"].is_null());
    version(&material().module, 2);
    let (stdout, stderr) = host.told(&add, 0);
    assert!(stdout.ends_with("; current\n"), "{stdout}");
    let warning =
        "warning[kind]: a.cwasm: this is a module; version 1, which was current, is a component\n";
    assert!(stderr.starts_with(warning), "{stderr}");
    // The current version is the module now.
    assert_eq!(host.told(&add, 0).1, "");
    version(&material().hello, 3);
    let warned = host.report(&add, 0);
    assert_eq!(warned["results"][0]["warnings"][0]["code"], "kind");

    let choose = ["use", "app", "--app-version", "2"];
    let (_, stderr) = host.told(&choose, 0);
    let warning = "warning[kind]: app version 2: this is a module; version 3, which was current, ";
    assert!(stderr.starts_with(warning), "{stderr}");
    let back = ["use", "app", "--app-version", "1"];
    assert_eq!(host.report(&back, 0)["warnings"][0]["code"], "kind");

    // If the current version is removed, another becomes current.
    host.report(&choose, 0);
    let away = |version| ["rm", "app", "--app-version", version];
    assert!(host.report(&away("3"), 0)["warnings"].is_null());
    let (_, stderr) = host.told(&away("2"), 0);
    let warning =
        "warning[kind]: app version 1: this is a component; version 2, which was current, ";
    assert!(stderr.starts_with(warning), "{stderr}");
    let (stdout, _) = host.told(&["rm", "app"], 0);
    let told = "no version is left; hosts that serve it keep it until they restart\n";
    assert!(stdout.ends_with(told), "{stdout}");
}

#[test]
fn a_collection_removes_only_what_a_store_writes() {
    let host = StoreHost::with_two();
    let digest = "0".repeat(64);
    let path = |inside: &str| host.path(inside);
    let nested = path("temporary/1.2.3/nested");
    fs::create_dir_all(&nested).unwrap();
    fs::write(path("temporary/1.2.3/current"), "").unwrap();
    fs::write(path("temporary/4.5.6"), "remains").unwrap();
    symlink("../edgec-store", path("temporary/7.8.9")).unwrap();
    let other = host.folder("other");
    let other = other.strip_prefix(host.store.path()).unwrap();
    let files = [
        "artifacts/notes.txt".to_owned(),
        "temporary/mine".to_owned(),
        format!("{}/007", other.display()),
    ];
    let folders = [
        format!("artifacts/{digest}-{digest}.dsse"),
        format!("artifacts/{}.elf", "2".repeat(64)),
        "names/lost+found".to_owned(),
    ];
    let link = format!("artifacts/{digest}.elf");
    symlink("nowhere", path(&link)).unwrap();
    files
        .iter()
        .for_each(|file| fs::write(path(file), "mine").unwrap());
    folders
        .iter()
        .for_each(|folder| fs::create_dir(path(folder)).unwrap());
    // If an image has another name (a hard link), removing it frees no space.
    let orphan = path(&format!("artifacts/{}.elf", "1".repeat(64)));
    overwrite(&orphan, &[1; 10_000]);
    let kept = host.sandbox.path().join("kept");
    fs::hard_link(&orphan, &kept).unwrap();

    let collected = host.report(&["gc"], 0);
    assert_eq!(collected["remains"], 2, "{collected}");
    assert_eq!(collected["images"].as_array().unwrap().len(), 1);
    assert_eq!(collected["bytes"], 0, "{collected}");
    assert_eq!(collected["spared"], false, "{collected}");
    assert!(kept.exists() && !orphan.exists());
    let gone = [
        "temporary/4.5.6",
        "temporary/7.8.9",
        "temporary/1.2.3/current",
    ];
    assert!(
        gone.iter()
            .all(|gone| fs::symlink_metadata(path(gone)).is_err())
    );
    assert!(nested.exists() && path("edgec-store").exists());
    let mut foreign = [&files[..], &folders, &[link, "temporary/1.2.3".to_owned()]].concat();
    for name in &mut foreign {
        assert!(fs::symlink_metadata(path(name)).is_ok(), "{name}");
        *name = format!("store/{name}");
    }
    foreign.sort();
    let left = collected["foreign"].as_array().unwrap();
    let mut left: Vec<_> = left.iter().map(|name| name.as_str().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, foreign);
    // They disturb no one.
    let (text, stderr) = host.told(&["gc"], 0);
    assert!(text.starts_with("0 images removed"), "{text}");
    let warnings = stderr.matches("warning[foreign]: store/").count();
    assert_eq!(warnings, foreign.len(), "{stderr}");
    host.told(&VERIFY, 0);
}

/// What a bare name means does not depend on the environment.
#[test]
fn run_does_not_ask_the_environment_for_a_store() {
    let host = StoreHost::new();
    let arguments = ["run", "--key", "key.pub.pem", "hello"];
    let mut run = host.sandbox.command(&arguments);
    let output = run.env("EDGEC_STORE", "store").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    host.sandbox.write("hello", &material().hello);
    let output = run.env("EDGEC_STORE", "nowhere").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A reader of a store waits for no other process, and delays none.
#[test]
fn locks_are_for_changes() {
    let host = StoreHost::with_two();
    let locks = ["admissions", "changes", "turn"].map(|name| {
        let file = fs::File::open(host.path(name)).unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
        file.lock().unwrap();
        file
    });
    host.store.load(&host.engine, "app", &host.policy).unwrap();
    for verb in [&["ls"][..], &["path", "app"], &VERIFY, &["plan"]] {
        host.told(verb, 0);
    }
    drop(locks);
    host.told(&["gc"], 0);
}

/// Verdicts depend on the time of the store's clock only.
#[test]
fn a_store_has_the_clock_that_it_was_given() {
    let host = StoreHost::empty();
    let expires = UnixTime::from_seconds(4_000_000_000);
    let file = Forge::of(material()).with_manifest(|manifest| {
        manifest.validity = Validity::default().with_expires(expires).into_stated();
    });
    let path = host.sandbox.write("a.cwasm", &file);
    let at = |seconds| {
        let clock = UnixTime::from_seconds(seconds);
        host.store.clone().with_clock(clock)
    };
    let (early, late) = (at(3_999_999_999), at(4_000_000_000));
    assert_eq!(late.clock().now(), Ok(expires));
    let add = |store: &ArtifactStore| store.add(&path, &host.policy, &Expected::anything());
    assert_eq!(add(&late).unwrap_err().code(), "expired");
    add(&early).unwrap();
    assert!(early.verify(&host.policy).unwrap().is_clean());
    let verified = late.verify(&host.policy).unwrap();
    assert!(!verified.is_clean());
    let error = verified.artifacts[0].error.as_ref();
    assert_eq!(error.map(AdmissionError::code), Some("expired"));
    // A load uses the same clock.
    let load = |store: &ArtifactStore| store.load(&host.engine, "hello", &host.policy);
    load(&early).unwrap();
    let error = load(&late).err();
    assert_eq!(error.map(|error| error.code()), Some("expired"));
}
