//! Damage in a store does not hide other releases: each verb names it and goes on with the rest,
//! and nothing is removed that a damaged file may refer to.

#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use edgec_loader::store::{Application, Condition, FolderError, LoadFromStore as _, StoreError};
use edgec_tests::corpus::fails;
use edgec_tests::fifo;
use edgec_tests::store_host::{StoreHost, VERIFY, app, in_store, overwrite};
use serde_json::{Value, json};

fn artifacts(host: &StoreHost) -> Vec<PathBuf> {
    let files = fs::read_dir(host.path("artifacts")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Replaces a file with something else.
type Put<'a> = &'a dyn Fn(&Path);

fn writable(path: &Path) {
    overwrite(path, b"{}");
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
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
        (&fifo, "not-a-file"),
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
    let host = StoreHost::with_two();
    let path = host.folder("app").join(file);
    // Nothing that can be read refers to this.
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

    let (listed, _) = host.told(&["ls"], 0);
    let row = listed.lines().find(|line| line.contains(named));
    let row = row.unwrap_or_else(|| panic!("{listed}"));
    assert!(row.starts_with("app ") && row.contains(code), "{row}");
    let others = listed.lines().filter(|line| line.starts_with("other "));
    assert_eq!(others.count(), 1, "{listed}");

    let (verified, stderr) = host.told(&VERIFY, 1);
    assert!(verified.contains("other version 0"), "{verified}");
    assert!(verified.contains("app version 2"), "{verified}");
    let message = format!("error[{code}]: app");
    assert!(stderr.starts_with(&message), "{stderr}");
    assert!(stderr.contains(named), "{stderr}");

    let (kept, stderr) = host.told(&["gc"], 1);
    assert!(kept.starts_with("every image kept"), "{kept}");
    assert!(stderr.starts_with(&message), "{stderr}");
    assert!(stderr.contains(named), "{stderr}");
    assert_eq!(artifacts(&host), before);

    // A plan only needs to know which version is current.
    let (exit, programs, left_out) = match file {
        "current" => (1, 1, 1),
        _ => (0, 2, 0),
    };
    let plan = host.report(&["plan"], exit);
    assert_eq!(plan["artifacts"], programs, "{plan}");
    let missing = plan["leftOut"].as_array().unwrap();
    assert_eq!(missing.len(), left_out, "{plan}");

    // Everything else can be loaded.
    let load = |application: Application| {
        let loaded = host.store.load(&host.engine, application, &host.policy);
        loaded.unwrap()
    };
    load(Application::new("other"));
    load(Application::new("app").version(2));
}

/// Follows the hint.
#[test]
fn a_version_that_is_chosen_mends_current() {
    let puts: [Put<'_>; 4] = [
        &|path| overwrite(path, b"{"),
        &|path| symlink("elsewhere", path).unwrap(),
        &fifo,
        &writable,
    ];
    for put in puts {
        let host = StoreHost::with_two();
        let current = host.folder("app").join("current");
        fs::remove_file(&current).unwrap();
        put(&current);
        host.told(&["path", "app"], 1);
        assert_eq!(host.store.current("app").unwrap(), None);
        assert_eq!(host.store.versions("app").unwrap(), [1, 2].into());
        let chosen = host.report(&["use", "app", "--app-version", "1"], 0);
        let expected = json!({ "name": "app", "current": 1, "stays": true });
        assert_eq!(without_envelope(chosen), expected);
        host.told(&["path", "app"], 0);
        host.told(&VERIFY, 0);
    }
    let host = StoreHost::with_two();
    overwrite(&host.folder("app").join("current"), b"{");
    let hint = fails(
        &host.sandbox,
        1,
        &in_store(&["path", "app"]),
        "store-current",
    );
    let verb = "edgec store use NAME --app-version N";
    assert!(hint.contains(verb), "{hint}");
}

/// When a version is removed, a version that can be read becomes current.
#[test]
fn the_version_before_is_one_that_can_be_read() {
    let host = StoreHost::with_two();
    host.add(&app(3)).unwrap();
    overwrite(&host.folder("app").join("2"), b"{");
    let removed = host.report(&["rm", "app", "--app-version", "3"], 0);
    let expected = json!({ "name": "app", "versions": [3], "current": 1 });
    assert_eq!(without_envelope(removed), expected);
    // None of the remaining ones can be read, so nothing is done.
    let rm = in_store(&["rm", "app", "--app-version", "1"]);
    fails(&host.sandbox, 1, &rm, "store-damaged");
    host.told(&["path", "app"], 0);
    let removed = host.report(&["rm", "app"], 0);
    let expected = json!({ "name": "app", "versions": [1, 2], "current": null });
    assert_eq!(without_envelope(removed), expected);
}

/// A document without what all documents have.
fn without_envelope(mut document: Value) -> Value {
    let fields = document.as_object_mut().unwrap();
    for name in ["schema", "command", "ok"] {
        fields.remove(name).unwrap();
    }
    document
}

#[test]
fn what_is_missing_or_cut_off_is_not_listed_as_whole() {
    let host = StoreHost::with_two();
    let image = host.store.image_paths("app").unwrap().remove(0);
    let bytes = fs::read(&image).unwrap();
    let condition = || host.store.list().unwrap().artifacts[0].condition;
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
        let (listed, _) = host.told(&["ls"], 0);
        let rows = listed.lines().filter(|line| line.starts_with("app "));
        assert_eq!(rows.filter(|row| row.contains(word)).count(), 2, "{listed}");
        assert_eq!(host.report(&["ls"], 0)["results"][0]["condition"], word);
        let path = in_store(&["path", "app"]);
        fails(&host.sandbox, 1, &path, "store-damaged");
        // This happens before anything is hashed.
        let (_, stderr) = host.told(&VERIFY, 1);
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
    // A plan for no programs is not printed.
    let plan = host.report(&["plan"], 1);
    assert_eq!(plan["artifacts"], 0);
    assert_eq!(plan.get("instances"), None);
    assert_eq!(plan["leftOut"].as_array().unwrap().len(), 2);
    let (stdout, stderr) = host.told(&["plan"], 1);
    assert_eq!(stdout, "no program to plan for\n");
    let left_out = "error[store-damaged]: app version 2: ";
    assert!(stderr.starts_with(left_out), "{stderr}");
}

/// If a mode lets other users write, the message has it and the expected one.
#[test]
fn modes_are_told() {
    let host = StoreHost::new();
    let image = host.image();
    fs::set_permissions(&image, Permissions::from_mode(0o644)).unwrap();
    let error = host.store.image_paths("hello").unwrap_err();
    let StoreError::Folder(FolderError::Writable { mode, expected, .. }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*mode, *expected), (0o644, 0o444));
    let text = error.to_string();
    assert!(text.contains("0644") && text.contains("0444"), "{text}");
    let writable = Permissions::from_mode(0o775);
    fs::set_permissions(host.store.path(), writable).unwrap();
    let stderr = fails(&host.sandbox, 1, &in_store(&["ls"]), "store-writable");
    assert!(
        stderr.contains("0775") && stderr.contains("0755"),
        "{stderr}"
    );
}

/// A load does not hash the image. If the engine refuses the image, the image may be damaged.
#[test]
fn what_the_engine_refuses_may_be_damaged() {
    let host = StoreHost::new();
    let mut image = fs::read(host.image()).unwrap();
    let setting = b"regalloc_algorithm";
    let mut windows = image.windows(setting.len());
    let at = windows.position(|window| window == setting).unwrap();
    image[at] = b'x';
    overwrite(&host.image(), &image);
    let run = ["run", "--key", "key.pub.pem", "--store", "store", "hello"];
    let stderr = fails(&host.sandbox, 1, &run, "engine");
    assert!(stderr.starts_with("error[engine]: hello: "), "{stderr}");
    assert!(
        stderr.contains("\n  hint: if the image is damaged, `edgec store verify`"),
        "{stderr}"
    );
}
