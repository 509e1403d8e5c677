//! Row 32 of `docs/threat-model.md` for the admission store: paths that are not files, files of
//! other users, and files in the place of others.
//!
//! More than 400 lines: one row of the document has many kinds of files.
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use edgec_artifact::Manifest;
use edgec_loader::Expected;
use edgec_loader::store::{Application, ArtifactStore, Change, Condition, LoadFromStore as _};
use edgec_tests::corpus::{Forge, fails, material};
use edgec_tests::store_host::{StoreHost, overwrite};
use edgec_tests::{fifo, skipped, words};

/// Row 32: each file of the store is replaced by something that is not its own file.
#[test]
fn row_32_what_is_no_file_in_the_store() {
    let host = StoreHost::new();
    for path in [host.image(), host.envelope(), host.current()] {
        let kept = host.sandbox.path().join("kept");
        fs::rename(&path, &kept).unwrap();
        let clear = || match path.is_dir() && !path.is_symlink() {
            true => fs::remove_dir(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        };
        type Put<'a> = &'a dyn Fn(&Path);
        let puts: [(Put<'_>, &str); 9] = [
            (&|path| symlink(&kept, path).unwrap(), "not-a-file"),
            (&|path| symlink("/dev/zero", path).unwrap(), "not-a-file"),
            (&|path| symlink("nowhere", path).unwrap(), "not-a-file"),
            (&|path| fs::hard_link(&kept, path).unwrap(), "store-link"),
            (&|path| fs::create_dir(path).unwrap(), "not-a-file"),
            (
                &|path| {
                    // The path of a new socket must be short.
                    let short = host.sandbox.path().join("socket");
                    drop(UnixListener::bind(&short).unwrap());
                    fs::rename(short, path).unwrap();
                },
                "not-a-file",
            ),
            (&fifo, "not-a-file"),
            (
                &|path| {
                    fs::copy(&kept, path).unwrap();
                    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
                },
                "store-writable",
            ),
            (
                &|path| {
                    fs::copy(&kept, path).unwrap();
                    fs::set_permissions(path, Permissions::from_mode(0o464)).unwrap();
                },
                "store-writable",
            ),
        ];
        for (put, code) in puts {
            put(&path);
            host.refuses(code, &path.display().to_string());
            clear();
        }
        fs::rename(&kept, &path).unwrap();
        host.assert_good();
    }
}

/// Row 32: only the owner or root may be able to change a store's folders and the folders above it.
/// Links are refused.
#[test]
fn row_32_folders_of_others() {
    let host = StoreHost::new();
    let store = host.store.path();
    let above = host.sandbox.path();
    for (folder, mode, code) in [
        (store.to_owned(), 0o777, "store-writable"),
        (store.to_owned(), 0o775, "store-writable"),
        (store.to_owned(), 0o1777, "store-writable"),
        (store.join("artifacts"), 0o775, "store-writable"),
        (store.join("names"), 0o757, "store-writable"),
        (store.join("temporary"), 0o777, "store-writable"),
        (
            host.current().parent().unwrap().to_owned(),
            0o775,
            "store-writable",
        ),
        (above.to_owned(), 0o777, "store-writable"),
        (above.to_owned(), 0o770, "store-writable"),
    ] {
        let before = fs::metadata(&folder).unwrap().permissions();
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        host.refuses(code, &format!("{} {mode:o}", folder.display()));
        if folder != host.current().parent().unwrap() {
            fails(&host.sandbox, 1, &["store", "--store", "store", "ls"], code);
        }
        fs::set_permissions(&folder, before).unwrap();
        host.assert_good();
    }
    // In a folder like `/tmp`, only the owner of a file can move it.
    fs::set_permissions(above, Permissions::from_mode(0o1777)).unwrap();
    ArtifactStore::open(store).unwrap();
    for folder in ["artifacts", "names", "temporary"] {
        let folder = store.join(folder);
        let kept = above.join("kept");
        fs::rename(&folder, &kept).unwrap();
        symlink(&kept, &folder).unwrap();
        host.refuses("not-a-folder", folder.to_str().unwrap());
        fs::remove_file(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        host.refuses("not-a-folder", folder.to_str().unwrap());
        fs::remove_file(&folder).unwrap();
        fs::rename(&kept, &folder).unwrap();
    }
    // The way to the store may contain links: their targets are judged.
    symlink("store", above.join("link")).unwrap();
    ArtifactStore::open(above.join("link")).unwrap();
}

/// Row 32: the lock files are judged like all others, also by a process that opened the store
/// earlier.
#[test]
fn row_32_locks_of_others() {
    let host = StoreHost::new();
    let add = || host.add(&material().hello).map_err(|error| error.code());
    for name in ["admissions", "changes", "turn"] {
        let path = host.path(name);
        for mode in [0o666, 0o620, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            host.refuses("store-writable", &format!("{name} {mode:o}"));
            assert_eq!(add(), Err("store-writable"), "{name} {mode:o}");
        }
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        host.refuses("not-a-file", name);
        assert_eq!(add(), Err("not-a-file"), "{name}");
        fs::remove_file(&path).unwrap();
        let other = host.sandbox.write("other", "");
        fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&other, &path).unwrap();
        host.refuses("store-link", name);
        assert_eq!(add(), Err("store-link"), "{name}");
        fs::remove_file(&path).unwrap();
        // If a lock file is missing, a change makes it. If others can open a copied one, and so
        // could lock it, a change removes that right.
        host.assert_good();
        assert_eq!(add(), Ok(Change::Unchanged), "{name}");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(add(), Ok(Change::Unchanged), "{name}");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
}

/// Row 32: the owner of a file can change it whatever its mode, so a file of another user is
/// refused.
#[test]
fn row_32_owners() {
    let host = StoreHost::new();
    let store = host.store.path().to_owned();
    let mut paths = vec![store.clone(), store.join("artifacts"), store.join("names")];
    paths.extend([store.join("temporary"), host.image(), host.envelope()]);
    paths.extend([host.current(), host.sandbox.path().to_owned()]);
    for path in paths {
        if chown(&path, Some(12345), None).is_err() {
            let why = "only root can give a file to another user";
            skipped("EDGEC_REQUIRE_ROOT", why);
            return;
        }
        host.refuses("store-owner", path.to_str().unwrap());
        chown(&path, Some(0), None).unwrap();
    }
    host.assert_good();
}

/// Row 32: other things at the place where a store is made or opened.
#[test]
fn row_32_what_is_no_store() {
    let host = StoreHost::new();
    let sandbox = &host.sandbox;
    sandbox.write("files/of", "somebody");
    sandbox.write("file", "");
    sandbox.write("old/edgec-store", "edgec store 0\n");
    let old = Permissions::from_mode(0o444);
    fs::set_permissions(sandbox.path().join("old/edgec-store"), old).unwrap();
    symlink("nowhere", sandbox.path().join("dangling")).unwrap();
    for (name, exit, code) in [
        ("files", 1, "not-a-store"),
        ("old", 1, "not-a-store"),
        ("file", 3, "io"),
        ("dangling", 3, "io"),
        ("dangling/below", 3, "io"),
        (&*format!("long/{}", "x".repeat(300)), 3, "io"),
    ] {
        let ls = ["store", "--store", name, "ls"];
        fails(sandbox, exit, &ls, code);
        let add = [
            "store",
            "--store",
            name,
            "add",
            "--key",
            "key.pub.pem",
            "a.cwasm",
        ];
        let before = sandbox.files();
        let stderr = sandbox.fails(exit, &add);
        assert!(stderr.starts_with(&format!("error[{code}]")), "{stderr}");
        assert_eq!(sandbox.files(), before);
    }
    for name in ["../x", "/x", "a//b", "x\\y", "a\nb", "", &*"x".repeat(129)] {
        for verb in ["path", "use", "rm"] {
            let arguments = ["store", "--store", "store", verb, name];
            let version = ["--app-version", "0"];
            fails(sandbox, 2, &[&arguments[..], &version].concat(), "name");
        }
    }
    // Names of maximum length.
    let long = "é".repeat(64);
    let forge = Forge::of(material());
    host.add(&forge.with_manifest(|manifest| {
        manifest.name.clone_from(&long);
        manifest.channel = Some(long.clone());
        manifest.version = (1 << 53) - 1;
    }))
    .unwrap();
    let application = Application::new(&long).in_channel(&long);
    let loaded = host.store.load(&host.engine, application, &host.policy);
    assert_eq!(loaded.unwrap().manifest().name, long);
}

/// Row 32: whatever the umask, only its owner can change a new store.
#[test]
fn row_32_made_under_any_mask() {
    for mask in ["000", "002", "022", "077"] {
        let host = StoreHost::empty();
        host.sandbox.write("a.cwasm", &material().hello);
        let script =
            format!("umask {mask}; exec \"$0\" store --store a/b/c add --key key.pub.pem a.cwasm");
        let edgec = edgec_tests::binary().to_str().unwrap();
        host.sandbox.tool("sh", &["-c", &script, edgec]);
        let made = ArtifactStore::open(host.sandbox.path().join("a/b/c")).unwrap();
        made.load(&host.engine, "hello", &host.policy).unwrap();
    }
}

/// Row 32: every load notices an image of another length. Only the next verification notices other
/// bytes, because a load from a trusted folder reads only the parts of an image that it runs.
#[test]
fn row_32_changed_in_the_store() {
    let host = StoreHost::new();
    let path = host.image();
    let image = fs::read(&path).unwrap();
    let shorter = image[..image.len() - 4096].to_vec();
    let longer = [&image[..], &[0; 4096]].concat();
    for changed in [shorter, longer, Vec::new()] {
        overwrite(&path, &changed);
        host.refuses("image-length", "another length");
        assert_eq!(host.load().map(|_| ()).unwrap_err().code(), "image-length");
        assert_eq!(host.verify(), Some("store-damaged"));
    }
    let mut flipped = image.clone();
    *flipped.last_mut().unwrap() ^= 1;
    overwrite(&path, &flipped);
    assert_eq!(host.verify(), Some("store-damaged"));
    let verify = words("store --store store verify --key key.pub.pem");
    fails(&host.sandbox, 1, &verify, "store-damaged");
    fs::remove_file(&path).unwrap();
    host.refuses("store-damaged", "no image");
    assert_eq!(host.verify(), Some("store-damaged"));
    assert_eq!(
        host.store.list().unwrap().artifacts[0].condition,
        Condition::Missing
    );
    host.sandbox.ok(&["store", "--store", "store", "ls"]);
    // Admitting the artifact again repairs it.
    for wrong in [Vec::new(), flipped, material().evil.clone()] {
        overwrite(&path, &wrong);
        overwrite(&host.envelope(), b"{}");
        assert_eq!(host.add(&material().hello).unwrap(), Change::Repaired);
        assert_eq!(host.verify(), None);
        host.assert_good();
    }
    overwrite(&path, &image);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    host.add(&material().hello).unwrap();
    host.assert_good();
}

/// Row 32: a valid envelope or release in the place of another one.
#[test]
fn row_32_exchanged_in_the_store() {
    let host = StoreHost::new();
    let (envelope, current) = (host.envelope(), host.current());
    let (old_envelope, old_current) = (fs::read(&envelope).unwrap(), fs::read(&current).unwrap());
    let forge = Forge::of(material());
    let other = StoreHost::empty();
    // The same image, signed under another name, version or channel.
    for change in [
        (|m: &mut Manifest| m.name = "other".to_owned()) as fn(&mut Manifest),
        |m| m.version = 7,
        |m| m.channel = Some("beta".to_owned()),
    ] {
        let file = forge.with_manifest(change);
        let _ = fs::remove_dir_all(other.store.path());
        let store = ArtifactStore::create(other.store.path()).unwrap();
        let path = other.sandbox.write("a.cwasm", file);
        store
            .add(path, &other.policy, &Expected::anything())
            .unwrap();
        let text = fs::read(other.envelope()).unwrap();
        overwrite(&envelope, &text);
        host.refuses("store-damaged", "another envelope");
        assert_eq!(host.verify(), Some("store-damaged"));
        overwrite(&envelope, &old_envelope);

        // The other's release unchanged, and a release of this application that points at the
        // other's artifact.
        let theirs = String::from_utf8(fs::read(other.current()).unwrap()).unwrap();
        let beside = envelope.with_file_name(other.envelope().file_name().unwrap());
        overwrite(&beside, &text);
        let mut release: serde_json::Value = serde_json::from_str(&theirs).unwrap();
        let ours: serde_json::Value = serde_json::from_slice(&old_current).unwrap();
        overwrite(&current, theirs.as_bytes());
        let version_only = release["name"] == ours["name"] && release["channel"].is_null();
        if !version_only {
            host.refuses("store-current", "another's release");
        }
        for field in ["name", "version"] {
            release[field] = ours[field].clone();
        }
        release.as_object_mut().unwrap().remove("channel");
        let refused_as = match (&theirs.contains("other"), version_only) {
            (true, _) => "application",
            _ => "store-damaged",
        };
        overwrite(&current, release.to_string().as_bytes());
        let strict = ArtifactStore::open(host.store.path()).unwrap();
        let application = Application::new("hello").version(0);
        let loaded = strict.load(&host.engine, application, &host.policy);
        assert_eq!(loaded.map(|_| ()).unwrap_err().code(), refused_as);
        overwrite(&current, &old_current);
        fs::remove_file(beside).unwrap();
        host.assert_good();
    }
    for (text, what) in [
        (&b""[..], "empty"),
        (b"{", "cut off"),
        (b"\xff", "no text"),
        (&[b' '; 1 << 21], "too long"),
        (
            br#"{"name":"hello","version":0,"artifacts":[],"x":1}"#,
            "a field",
        ),
    ] {
        overwrite(&current, text);
        host.refuses("store-current", what);
        for verb in [&["gc"][..], &["plan"], &["path", "hello"]] {
            let arguments = [&["store", "--store", "store"], verb].concat();
            fails(&host.sandbox, 1, &arguments, "store-current");
        }
        // An admission replaces it with a good one.
        assert_eq!(host.add(&material().hello).unwrap(), Change::Repaired);
        host.assert_good();
    }
    // Under another version's name, it would hide that version's artifacts from a collection.
    overwrite(&current, &old_current);
    overwrite(&current.with_file_name("1"), &old_current);
    fails(
        &host.sandbox,
        1,
        &["store", "--store", "store", "gc"],
        "store-damaged",
    );
    let remove = [
        "store",
        "--store",
        "store",
        "rm",
        "hello",
        "--app-version",
        "1",
    ];
    host.sandbox.ok(&remove);
    overwrite(&current, b"{");
    // A release that cannot be read can be removed, and another version can be made current.
    let back = [
        "store",
        "--store",
        "store",
        "use",
        "hello",
        "--app-version",
        "0",
    ];
    host.sandbox.ok(&back);
    host.assert_good();
    overwrite(&current, b"{");
    host.sandbox
        .ok(&["store", "--store", "store", "rm", "hello"]);
    host.sandbox.ok(&["store", "--store", "store", "gc"]);
    host.refuses("store-unknown", "removed");
    host.add(&material().hello).unwrap();
    host.assert_good();
}

/// Row 32: facts that a process remembers about a name do not hide that others can now change its
/// folder.
#[test]
fn row_32_a_folder_that_others_may_change_since_the_last_load() {
    let host = StoreHost::new();
    host.load().unwrap();
    host.load().unwrap();
    let folder = host.current().parent().unwrap().to_owned();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(
        host.load().map(|_| ()).unwrap_err().code(),
        "store-writable"
    );
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    host.load().unwrap();
    // They also do not hide that `current` is another file, or has another mode.
    fs::set_permissions(host.current(), Permissions::from_mode(0o646)).unwrap();
    assert_eq!(
        host.load().map(|_| ()).unwrap_err().code(),
        "store-writable"
    );
    fs::remove_file(host.current()).unwrap();
    assert_eq!(host.load().map(|_| ()).unwrap_err().code(), "store-unknown");
}
