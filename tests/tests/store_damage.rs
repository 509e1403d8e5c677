//! What is damaged in a store hides nothing else: each verb names it, goes on with the rest, and nothing is removed that it
//! might name.

#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use edgec_artifact::Validity;
use edgec_loader::store::{Application, Change, Condition, StoreError};
use edgec_tests::corpus::{Forge, fails, material};
use edgec_tests::store_host::{StoreHost, overwrite};
use serde_json::{Value, json};

/// The example, under another name and version.
fn named(name: &str, version: u64) -> Vec<u8> {
    Forge::of(material()).with_manifest(|manifest| {
        manifest.name = name.to_owned();
        manifest.version = version;
    })
}

/// Versions 1 and 2 of `app`, which have one image, and `other`, which has another.
fn host() -> StoreHost {
    let host = StoreHost::empty();
    for version in [1, 2] {
        let added = host.add(&named("app", version)).unwrap();
        assert_eq!(added, Change::Added);
    }
    let other = Forge::new(&material().smallest, &material().signer);
    let other = other.with_manifest(|manifest| manifest.name = "other".to_owned());
    host.add(&other).unwrap();
    host
}

/// The folder of an application.
fn folder(host: &StoreHost, name: &str) -> PathBuf {
    let folders = fs::read_dir(host.path("names")).unwrap();
    let mut folders = folders.map(|folder| folder.unwrap().path());
    let whose = format!("\"name\":\"{name}\"");
    let found = folders.find(|folder| {
        let current = fs::read_to_string(folder.join("current"));
        current.is_ok_and(|current| current.contains(&whose))
    });
    found.unwrap()
}

/// A verb on the host's store.
fn store<'a>(verb: &[&'a str]) -> Vec<&'a str> {
    [&["store", "--store", "store"], verb].concat()
}

/// Standard output and standard error, after this exit code.
fn told(host: &StoreHost, verb: &[&str], exit: i32) -> (String, String) {
    let output = host.sandbox.run(&store(verb));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let code = output.status.code();
    assert_eq!(code, Some(exit), "{verb:?}: {stdout}{stderr}");
    (stdout, stderr)
}

fn report(host: &StoreHost, verb: &[&str], exit: i32) -> Value {
    let (stdout, _) = told(host, &[verb, &["--format", "json"]].concat(), exit);
    serde_json::from_str(&stdout).unwrap()
}

fn artifacts(host: &StoreHost) -> Vec<PathBuf> {
    let files = fs::read_dir(host.path("artifacts")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Puts something in the place of a file.
type Put<'a> = &'a dyn Fn(&Path);

const VERIFY: [&str; 3] = ["verify", "--key", "key.pub.pem"];

fn writable(path: &Path) {
    overwrite(path, b"{}");
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn one_damaged_release_stops_nothing() {
    let link = |path: &Path| {
        let other = path.with_file_name("3");
        overwrite(&other, b"{}");
        fs::hard_link(other, path).unwrap();
    };
    let puts: [(Put<'_>, &str); 6] = [
        (&|path| overwrite(path, b"{"), ""),
        (&|path| symlink("elsewhere", path).unwrap(), "not-a-file"),
        (&pipe, "not-a-file"),
        (&|path| fs::create_dir(path).unwrap(), "not-a-file"),
        (&writable, "store-writable"),
        (&link, "store-link"),
    ];
    for (put, code) in puts {
        for file in ["current", "1", "7"] {
            assert_only_this_is_out(file, put, code);
        }
    }
}

fn assert_only_this_is_out(file: &str, put: Put<'_>, code: &str) {
    let host = host();
    let path = folder(&host, "app").join(file);
    // Nobody names this, for all that can be read.
    let orphan = format!("artifacts/{}.elf", "0".repeat(64));
    overwrite(&host.path(&orphan), b"x");
    let before = artifacts(&host);
    let _ = fs::remove_file(&path);
    put(&path);
    let code = match (code, file) {
        ("", "current") => "store-current",
        ("", _) => "store-damaged",
        (code, _) => code,
    };
    let inside = path.strip_prefix(host.path("names")).unwrap();
    let named = inside.to_str().unwrap();

    let (listed, _) = told(&host, &["ls"], 0);
    let row = listed.lines().find(|line| line.contains(named));
    let row = row.unwrap_or_else(|| panic!("{listed}"));
    assert!(row.starts_with("app ") && row.contains(code), "{row}");
    let others = listed.lines().filter(|line| line.starts_with("other "));
    assert_eq!(others.count(), 1, "{listed}");

    let (verified, stderr) = told(&host, &VERIFY, 1);
    assert!(verified.contains("other version 0"), "{verified}");
    assert!(verified.contains("app version 2"), "{verified}");
    let message = format!("error[{code}]: app");
    assert!(stderr.starts_with(&message), "{stderr}");
    assert!(stderr.contains(named), "{stderr}");

    let (kept, stderr) = told(&host, &["gc"], 1);
    assert!(kept.starts_with("every image kept"), "{kept}");
    assert!(stderr.starts_with(&message), "{stderr}");
    assert!(stderr.contains(named), "{stderr}");
    assert_eq!(artifacts(&host), before);

    // Which version is current is all that a plan asks.
    let (exit, programs, left_out) = match file {
        "current" => (1, 1, 1),
        _ => (0, 2, 0),
    };
    let plan = report(&host, &["plan"], exit);
    assert_eq!(plan["programs"], programs, "{plan}");
    let missing = plan["leftOut"].as_array().unwrap();
    assert_eq!(missing.len(), left_out, "{plan}");

    // And everything else can be loaded.
    let load = |application: Application| {
        let loaded = host.store.load(&host.engine, application, &host.policy);
        loaded.unwrap()
    };
    load(Application::new("other"));
    load(Application::new("app").version(2));
}

/// As the hint has it.
#[test]
fn a_version_that_is_chosen_mends_current() {
    let puts: [Put<'_>; 4] = [
        &|path| overwrite(path, b"{"),
        &|path| symlink("elsewhere", path).unwrap(),
        &pipe,
        &writable,
    ];
    for put in puts {
        let host = host();
        let current = folder(&host, "app").join("current");
        fs::remove_file(&current).unwrap();
        put(&current);
        told(&host, &["path", "app"], 1);
        let chosen = report(&host, &["use", "app", "--app-version", "1"], 0);
        let expected = json!({ "name": "app", "current": 1, "stays": true });
        assert_eq!(chosen, expected);
        told(&host, &["path", "app"], 0);
        told(&host, &VERIFY, 0);
    }
    let host = host();
    overwrite(&folder(&host, "app").join("current"), b"{");
    let hint = fails(&host.sandbox, 1, &store(&["path", "app"]), "store-current");
    let verb = "edgec store use NAME --app-version N";
    assert!(hint.contains(verb), "{hint}");
}

/// Which version `use` means is said: without one, a rollback could be undone by a slip.
#[test]
fn a_choice_names_its_version() {
    let host = host();
    let (_, stderr) = told(&host, &["use", "app"], 2);
    assert!(stderr.contains("--app-version"), "{stderr}");
    let choose = |version| report(&host, &["use", "app", "--app-version", version], 0);
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

/// A version that goes makes way for one that can be read.
#[test]
fn the_version_before_is_one_that_can_be_read() {
    let host = host();
    host.add(&named("app", 3)).unwrap();
    overwrite(&folder(&host, "app").join("2"), b"{");
    let removed = report(&host, &["rm", "app", "--app-version", "3"], 0);
    let expected = json!({ "name": "app", "versions": [3], "current": 1 });
    assert_eq!(removed, expected);
    // None is left that can be: nothing is done.
    let rm = store(&["rm", "app", "--app-version", "1"]);
    fails(&host.sandbox, 1, &rm, "store-damaged");
    told(&host, &["path", "app"], 0);
    let removed = report(&host, &["rm", "app"], 0);
    let expected = json!({ "name": "app", "versions": [1, 2], "current": null });
    assert_eq!(removed, expected);
}

#[test]
fn an_admission_says_what_it_found() {
    let host = host();
    let add = |file: &[u8]| {
        host.sandbox.write("a.cwasm", file);
        let added = report(&host, &["add", "--key", "key.pub.pem", "a.cwasm"], 0);
        added[0].clone()
    };
    let first = named("app", 1);
    assert_eq!(add(&first)["change"], "unchanged");
    overwrite(&folder(&host, "app").join("1"), b"{");
    assert_eq!(add(&first)["change"], "repaired");
    assert_eq!(add(&first)["change"], "unchanged");
    let image = host.store.image_paths(Application::new("app").version(1));
    overwrite(&image.unwrap()[0], b"");
    assert_eq!(add(&first)["change"], "repaired");
    told(&host, &VERIFY, 0);

    // The same image, signed anew; then another one.
    let again = Forge::of(material()).with_manifest(|manifest| {
        manifest.name = "app".to_owned();
        manifest.version = 1;
        manifest.validity = Validity {
            issued: Some(1),
            not_before: None,
            expires: None,
        }
        .into_stated();
    });
    let added = add(&again);
    assert_eq!(added["change"], "replaced");
    assert_eq!(added["replaced"], added["image"]);
    let earlier = added["image"].clone();
    let other = Forge::new(&material().evil, &material().signer);
    let added = add(&other.with_manifest(|manifest| {
        manifest.name = "app".to_owned();
        manifest.version = 1;
    }));
    assert_eq!(added["change"], "replaced");
    assert_eq!(added["replaced"], earlier);
    assert_ne!(added["image"], earlier);
}

/// Else the first load would be what tells.
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
    assert_eq!(told(&host, &add, 0).1, "");
    write_policy("fs-verity");
    let admitted = report(&host, &add, 0);
    if admitted[0]["mode"] == "fs-verity" {
        eprintln!("SKIPPED: with fs-verity there is nothing to warn of");
        return;
    }
    assert_eq!(admitted[0]["warning"]["code"], "load-mode");
    let (stdout, stderr) = told(&host, &add, 0);
    assert!(stdout.starts_with("a.cwasm: admitted as hello"), "{stdout}");
    let warning = "warning[load-mode]: a.cwasm: ";
    assert!(stderr.starts_with(warning), "{stderr}");
    let run = ["run", "--trust", "policy.toml", "--store", "store", "hello"];
    let stderr = fails(&host.sandbox, 1, &run, "load-mode");
    assert!(stderr.starts_with("error[load-mode]: hello: "), "{stderr}");
}

#[test]
fn what_is_missing_or_cut_off_is_not_listed_as_whole() {
    let host = host();
    let image = host.store.image_paths("app").unwrap().remove(0);
    let bytes = fs::read(&image).unwrap();
    let condition = || host.store.list().unwrap().0[0].condition;
    assert_eq!(condition(), Condition::Whole);
    for (cut, word) in [
        (Some(0), "damaged"),
        (Some(4096), "damaged"),
        (None, "missing"),
    ] {
        match cut {
            Some(len) => overwrite(&image, &bytes[..len]),
            None => fs::remove_file(&image).unwrap(),
        }
        let (listed, _) = told(&host, &["ls"], 0);
        let rows = listed.lines().filter(|line| line.starts_with("app "));
        assert_eq!(rows.filter(|row| row.contains(word)).count(), 2, "{listed}");
        assert_eq!(report(&host, &["ls"], 0)[0]["condition"], word);
        let path = store(&["path", "app"]);
        fails(&host.sandbox, 1, &path, "store-damaged");
        // Before anything is hashed.
        let (_, stderr) = told(&host, &VERIFY, 1);
        let what = cut.map_or("it is not there".to_owned(), |len| {
            format!("it has {len} bytes, its manifest says {}", bytes.len())
        });
        assert!(stderr.contains(&what), "{stderr}");
    }
    overwrite(&image, &bytes);
    assert_eq!(condition(), Condition::Whole);
    let envelopes = artifacts(&host).into_iter();
    let envelopes = envelopes.filter(|path| path.extension().is_some_and(|it| it == "dsse"));
    envelopes.for_each(|envelope| overwrite(&envelope, b"{}"));
    assert_eq!(condition(), Condition::Damaged);
    // Nothing is planned for nothing.
    let plan = report(&host, &["plan"], 1);
    assert_eq!(plan["programs"], 0);
    assert_eq!(plan.get("instances"), None);
    assert_eq!(plan["leftOut"].as_array().unwrap().len(), 2);
    let (stdout, stderr) = told(&host, &["plan"], 1);
    assert_eq!(stdout, "no program to plan for\n");
    let left_out = "error[store-damaged]: app version 2: ";
    assert!(stderr.starts_with(left_out), "{stderr}");
}

#[test]
fn a_collection_removes_only_what_a_store_writes() {
    let host = host();
    let digest = "0".repeat(64);
    let path = |inside: &str| host.path(inside);
    let nested = path("temporary/1.2.3/nested");
    fs::create_dir_all(&nested).unwrap();
    fs::write(path("temporary/1.2.3/current"), "").unwrap();
    fs::write(path("temporary/4.5.6"), "remains").unwrap();
    symlink("../edgec-store", path("temporary/7.8.9")).unwrap();
    let other = folder(&host, "other");
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
    // An image with another name gives nothing back.
    let orphan = path(&format!("artifacts/{}.elf", "1".repeat(64)));
    overwrite(&orphan, &[1; 10_000]);
    let kept = host.sandbox.path().join("kept");
    fs::hard_link(&orphan, &kept).unwrap();

    let collected = report(&host, &["gc"], 0);
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
    // They are in nobody's way.
    let (text, stderr) = told(&host, &["gc"], 0);
    assert!(text.starts_with("0 images removed"), "{text}");
    let warnings = stderr.matches("warning[foreign]: store/").count();
    assert_eq!(warnings, foreign.len(), "{stderr}");
    told(&host, &VERIFY, 0);
}

/// A mode that lets somebody write is told, with the one that is expected.
#[test]
fn modes_are_told() {
    let host = StoreHost::new();
    let image = host.image();
    fs::set_permissions(&image, Permissions::from_mode(0o644)).unwrap();
    let error = host.store.image_paths("hello").unwrap_err();
    let StoreError::Writable { mode, expected, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*mode, *expected), (0o644, 0o444));
    let text = error.to_string();
    assert!(text.contains("0644") && text.contains("0444"), "{text}");
    let writable = Permissions::from_mode(0o775);
    fs::set_permissions(host.store.path(), writable).unwrap();
    let stderr = fails(&host.sandbox, 1, &store(&["ls"]), "store-writable");
    assert!(
        stderr.contains("0775") && stderr.contains("0755"),
        "{stderr}"
    );
}

/// What a name alone means does not depend on the environment.
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
