//! Row 27 of `docs/threat-model.md`: the folders above files that decide what is trusted, and files
//! of other users beside them.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::path::Path;

use edgec_tests::corpus::{fails, material, refused};
use edgec_tests::{Sandbox, fifo, skipped, words};

/// Commands that read a file in `outer/inner`, each with the exit code and the error if others can
/// replace the file.
const READERS: [(&str, i32, &str); 6] = [
    (
        "verify --trust outer/inner/policy.toml a.cwasm",
        1,
        "trust-folder",
    ),
    ("policy check outer/inner/policy.toml", 1, "trust-folder"),
    (
        "verify --trust signed.dsse --root outer/inner/root.pub.pem a.cwasm",
        1,
        "trust-folder",
    ),
    (
        "verify --trust policy.toml --trust-state outer/inner/state a.cwasm",
        1,
        "trust-folder",
    ),
    ("keys show outer/inner/root.pem", SECRET, "key-folder"),
    (
        "keys show vault.pem --passphrase-file outer/inner/passphrase",
        SECRET,
        "secret-folder",
    ),
];

/// The exit code for a refused secret.
const SECRET: i32 = 2;

/// The signer's artifact, and policies that accept it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("a.cwasm", &material().hello);
    let pem = material().signer.public().to_pem();
    let key = format!("[[key]]\nname = \"release\"\npem = \"\"\"\n{pem}\"\"\"\n");
    let policy = format!("name = \"fleet\"\nversion = 7\nthreshold = 1\n\n{key}");
    sandbox.write("policy.toml", &policy);
    sandbox.write("outer/inner/policy.toml", &policy);
    // Independent of the umask of the user who runs the tests.
    for folder in ["outer/inner", "outer"] {
        mode(&sandbox.path().join(folder), 0o755);
    }
    sandbox.ok(&["keygen", "-o", "outer/inner/root.pem"]);
    let sign = ["policy", "sign", "policy.toml", "-o", "signed.dsse"];
    sandbox.ok(&[&sign[..], &["--key", "outer/inner/root.pem"]].concat());
    sandbox.write_secret("outer/inner/passphrase", "correct horse\n");
    let vault = ["keygen", "--encrypt", "-o", "vault.pem"];
    let passphrase = ["--passphrase-file", "outer/inner/passphrase"];
    sandbox.ok(&[&vault[..], &passphrase].concat());
    for file in [
        "policy.toml",
        "outer/inner/policy.toml",
        "outer/inner/root.pub.pem",
        "signed.dsse",
    ] {
        mode(&sandbox.path().join(file), 0o644);
    }
    sandbox
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn accepts(sandbox: &Sandbox) {
    for (line, ..) in READERS {
        sandbox.ok(&words(line));
    }
}

/// Every reader refuses, and names the folder and what to do.
fn refuses(sandbox: &Sandbox, says: &str, hint: &str) {
    for (line, exit, code) in READERS {
        // The folder of a secret may belong to its owner's own group.
        if exit == SECRET && says.contains("(mode 0775)") {
            sandbox.ok(&words(line));
            continue;
        }
        let stderr = fails(sandbox, exit, &words(line), code);
        assert!(stderr.contains(says), "{line}: {stderr}");
        assert!(stderr.contains(hint), "{line}: {stderr}");
    }
}

/// Row 27: a user who can write to a folder can replace a file in it.
#[test]
fn row_27_a_folder_that_others_can_change() {
    let sandbox = sandbox();
    accepts(&sandbox);
    for folder in ["outer", "outer/inner"] {
        let path = sandbox.path().join(folder);
        for open in [0o777, 0o775, 0o757] {
            mode(&path, open);
            let says = format!("/{folder}` (mode {open:04o})");
            refuses(&sandbox, &says, "\n  hint: chmod go-w /");
        }
        // In a folder like `/tmp`, only the owner of a file can move it.
        mode(&path, 0o1777);
        accepts(&sandbox);
        mode(&path, 0o755);
    }
    // A folder that its group may write to does not hide a bad folder below it.
    let (outer, inner) = (
        sandbox.path().join("outer"),
        sandbox.path().join("outer/inner"),
    );
    mode(&outer, 0o775);
    mode(&inner, 0o777);
    for (line, exit, code) in READERS {
        let stderr = fails(&sandbox, exit, &words(line), code);
        let at = if exit == SECRET {
            "/outer/inner` (mode 0777)"
        } else {
            "/outer` (mode 0775)"
        };
        assert!(stderr.contains(at), "{line}: {stderr}");
    }
    mode(&inner, 0o755);
    mode(&outer, 0o755);
    // Links are followed, and their targets are judged.
    let moved = sandbox.path().join("moved");
    fs::rename(&outer, &moved).unwrap();
    symlink("moved", &outer).unwrap();
    accepts(&sandbox);
    mode(&moved, 0o777);
    refuses(&sandbox, "/moved` (mode 0777)", "\n  hint: chmod go-w /");
    // A circle of links leads nowhere.
    symlink("circle", sandbox.path().join("circle")).unwrap();
    let verify = ["verify", "--trust", "circle/policy.toml", "a.cwasm"];
    let stderr = fails(&sandbox, 3, &verify, "io");
    assert!(stderr.contains("too many symbolic links"), "{stderr}");
}

/// Gives a folder an access control list. It gives the owner all rights, the group and all others
/// none, and the named entry these rights, up to the mask. Returns whether the file system supports
/// such lists.
#[cfg(target_os = "linux")]
fn give_list(folder: &Path, (tag, rights, id): (u16, u16, u32), mask: u16) -> bool {
    use rustix::fs::{XattrFlags, setxattr};
    use rustix::io::Errno;
    let none = u32::MAX;
    // The owner, the named entry, the group, the mask, all others, in the order of their tags.
    let mut entries = [
        (0x01, 7, none),
        (tag, rights, id),
        (0x04, 0, none),
        (0x10, mask, none),
        (0x20, 0, none),
    ];
    entries.sort_by_key(|entry| entry.0);
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(u16::to_le_bytes(rights));
        bytes.extend(id.to_le_bytes());
    }
    match setxattr(folder, LIST, &bytes, XattrFlags::empty()) {
        Ok(()) => true,
        Err(Errno::NOTSUP) => {
            skipped("EDGEC_REQUIRE_ACL", "this file system has no lists");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// The attribute that contains an access control list.
#[cfg(target_os = "linux")]
const LIST: &str = "system.posix_acl_access";

/// Row 27: if a folder has a list, its group bits are those of the users and groups in the list.
/// They do not mean the user's own group then.
#[cfg(target_os = "linux")]
#[test]
fn row_27_a_folder_whose_list_lets_others_change_it() {
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x08;
    let sandbox = sandbox();
    let inner = sandbox.path().join("outer/inner");
    for (named, who) in [
        ((USER, 7, 12345), "user 12345"),
        ((USER, 3, 12345), "user 12345"),
        ((GROUP, 7, 12345), "group 12345"),
    ] {
        if !give_list(&inner, named, 7) {
            return;
        }
        for (line, exit, code) in READERS {
            let stderr = fails(&sandbox, exit, &words(line), code);
            let (says, hint) = match exit {
                SECRET => (
                    format!("its access control list lets {who} replace what is in the folder"),
                    "\n  hint: setfacl -b /",
                ),
                _ => ("(mode 0770)".to_owned(), "\n  hint: chmod go-w /"),
            };
            assert!(stderr.contains(&says), "{line}: {stderr}");
            assert!(stderr.contains(hint), "{line}: {stderr}");
            assert!(stderr.contains("/outer/inner`"), "{line}: {stderr}");
        }
        // The mask limits them, and they may not write.
        give_list(&inner, named, 5);
        accepts(&sandbox);
        // In a folder like `/tmp`, only the owner of a file can move it.
        give_list(&inner, named, 7);
        mode(&inner, 0o1770);
        accepts(&sandbox);
        mode(&inner, 0o770);
    }
    // Named entries that do no harm: root, who is trusted in any case, and entries that may not
    // write.
    for named in [(USER, 7, 0), (USER, 5, 12345), (GROUP, 5, 12345)] {
        give_list(&inner, named, 7);
        for (line, ..) in READERS.iter().filter(|reader| reader.1 == SECRET) {
            sandbox.ok(&words(line));
        }
    }
    // The hint helps: without the list, the folder's group has its own rights again.
    rustix::fs::removexattr(&inner, LIST).unwrap();
    mode(&inner, 0o755);
    accepts(&sandbox);
    // No key is made in a place from which no key would be read.
    give_list(&inner, (USER, 7, 12345), 7);
    let keygen = ["keygen", "-o", "outer/inner/new.pem"];
    let stderr = fails(&sandbox, SECRET, &keygen, "key-folder");
    assert!(stderr.contains("user 12345"), "{stderr}");
}

/// Neither `keygen` nor a build makes a key if another user could replace it.
#[test]
fn no_key_is_made_where_none_would_be_used() {
    let sandbox = Sandbox::empty();
    sandbox.write("app.wat", "(component)");
    let open = sandbox.path().join("open");
    fs::create_dir(&open).unwrap();
    let keygen = ["keygen", "-o", "open/new.pem"];
    let build = ["build", "-q", "app.wat", "-t", "x86_64", "-o", "app.cwasm"];
    let development = || {
        let mut command = sandbox.command(&build);
        command.env("XDG_CONFIG_HOME", open.join("config"));
        command.output().unwrap()
    };
    let refuses = |says: &str| {
        let hint = "make the key in a folder that only you and root can change";
        let stderr = fails(&sandbox, SECRET, &keygen, "key-folder");
        assert!(stderr.contains(says) && stderr.contains(hint), "{stderr}");
        let output = development();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(SECRET), "{stderr}");
        assert!(stderr.starts_with("error[key-folder]: "), "{stderr}");
        assert!(stderr.contains(says) && stderr.contains(hint), "{stderr}");
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
        assert!(!sandbox.path().join("app.cwasm").exists());
    };
    mode(&open, 0o777);
    refuses("/open` (mode 0777)");
    mode(&open, 0o755);
    match chown(&open, Some(12345), None) {
        Ok(()) => {
            refuses("belongs to another user (12345)");
            chown(&open, Some(0), None).unwrap();
        }
        Err(_) => {
            let why = "only root can give a folder to another user";
            skipped("EDGEC_REQUIRE_ROOT", why);
        }
    }
    sandbox.ok(&keygen);
    let output = development();
    assert!(output.status.success(), "{output:?}");
    assert!(open.join("config/edgec/dev.pem").exists());
}

/// Row 27: the owner of a folder can change it whatever its mode, and so can the owner of a link.
/// So those of other users are refused.
#[test]
fn row_27_a_folder_of_another_user() {
    let sandbox = sandbox();
    let (outer, inner) = (
        sandbox.path().join("outer"),
        sandbox.path().join("outer/inner"),
    );
    let says = "belongs to another user (12345)";
    for folder in [&outer, &inner] {
        if chown(folder, Some(12345), None).is_err() {
            let why = "only root can give a folder to another user";
            skipped("EDGEC_REQUIRE_ROOT", why);
            return;
        }
        refuses(&sandbox, says, "\n  hint: move the file to a folder");
        // The sticky bit does not help either.
        mode(folder, 0o1777);
        refuses(&sandbox, says, "\n  hint: move the file to a folder");
        mode(folder, 0o755);
        chown(folder, Some(0), None).unwrap();
    }
    accepts(&sandbox);
    fs::rename(&outer, sandbox.path().join("moved")).unwrap();
    symlink("moved", &outer).unwrap();
    accepts(&sandbox);
    lchown(&outer, Some(12345), None).unwrap();
    refuses(&sandbox, says, "\n  hint: move the file to a folder");
}

/// Row 27: a process neither waits for another user's file beside the state file, nor writes to it.
#[test]
fn row_27_what_lies_beside_the_state_file() {
    let sandbox = sandbox();
    let verify = ["verify", "--trust", "policy.toml", "--trust-state", "state"];
    let verify = [&verify[..], &["a.cwasm"]].concat();
    let precious = sandbox.write_secret("precious", "precious");
    sandbox.ok(&verify);
    let state = sandbox.path().join("state");
    for name in ["state.lock", "state.new"] {
        let path = sandbox.path().join(name);
        let _ = fs::remove_file(&path);
        type Put<'a> = &'a dyn Fn(&Path);
        let file = |path: &Path, open: u32| {
            fs::write(path, "").unwrap();
            mode(path, open);
        };
        let puts: [(Put<'_>, &str); 6] = [
            (&|path| symlink("precious", path).unwrap(), "symbolic link"),
            (&|path| symlink("nowhere", path).unwrap(), "symbolic link"),
            (&|path| fs::create_dir(path).unwrap(), "not a regular file"),
            (&fifo, "not a regular file"),
            (&|path| file(path, 0o666), "can write it (mode 0666)"),
            (&|path| file(path, 0o644), "can open it (mode 0644)"),
        ];
        let refuses = |says: &str| {
            // A policy that is not newer than the state needs no new state file.
            let _ = fs::remove_file(&state);
            let stderr = refused(&sandbox, &verify, "policy-state-file");
            assert!(stderr.contains(&format!("/{name}`, beside")), "{stderr}");
            assert!(stderr.contains(says), "{stderr}");
            assert!(stderr.contains("\n  hint: "), "{stderr}");
        };
        for (put, says) in puts {
            put(&path);
            refuses(says);
            match path.is_dir() {
                true => fs::remove_dir(&path).unwrap(),
                false => fs::remove_file(&path).unwrap(),
            }
        }
        file(&path, 0o600);
        match chown(&path, Some(12345), None) {
            Ok(()) => {
                refuses("belongs to another user (12345)");
                chown(&path, Some(0), None).unwrap();
            }
            Err(_) => {
                let why = "only root can give a file to another user";
                skipped("EDGEC_REQUIRE_ROOT", why);
            }
        }
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        // A file that an earlier process left does not prevent it.
        fs::write(&path, "{\"name\":\"fle").unwrap();
        let _ = fs::remove_file(&state);
        sandbox.ok(&verify);
        assert!(!sandbox.path().join("state.new").exists());
        assert!(fs::read_to_string(&state).unwrap().ends_with('}'));
    }
    // A second name of a file is removed, and the file stays unchanged.
    fs::hard_link(&precious, sandbox.path().join("state.new")).unwrap();
    fs::remove_file(&state).unwrap();
    sandbox.ok(&verify);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

/// A key in an open file has no way that could be judged, and it is accepted.
#[test]
fn a_key_in_an_open_file() {
    let sandbox = Sandbox::new();
    sandbox.write("a.cwasm", &material().hello);
    let script = "exec 3<key.pem; rm key.pem; exec \"$0\" sign a.cwasm --key /dev/fd/3 -o b.cwasm";
    let edgec = edgec_tests::binary().to_str().unwrap();
    sandbox.tool("sh", &["-c", script, edgec]);
    sandbox.ok(&["verify", "-q", "--key", "key.pub.pem", "b.cwasm"]);
}
