//! A build of several targets writes all artifacts or none. Files that it made before a failure are
//! removed.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::{Command, Output};

use edgec_tests::ordinary_user::{USER, as_user, give, root_becomes_user};
use edgec_tests::{OLD_ARTIFACT, Sandbox, binary, isolate};

const BUILD: &[&str] = &[
    "build",
    "-q",
    "-O0",
    "app.wat",
    "-t",
    "x86_64,aarch64",
    "--key",
    "key.pem",
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    sandbox
}

fn into(folder: &str) -> Vec<&str> {
    [BUILD, &["-o", folder]].concat()
}

fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// In a folder like `/tmp`, an old file of another user cannot be replaced. This fails only after
/// the first artifact was put in place.
#[test]
fn an_artifact_that_cannot_take_its_place() {
    if !root_becomes_user() {
        return;
    }
    let sandbox = sandbox();
    let (first, second) = ("out/app.x86_64.cwasm", "out/app.aarch64.cwasm");
    let path = |name: &str| sandbox.path().join(name);
    sandbox.write(second, OLD_ARTIFACT);
    fs::set_permissions(path(second), Permissions::from_mode(0o644)).unwrap();
    let own = give(&sandbox);
    for name in ["out", second] {
        chown(path(name), Some(0), None).unwrap();
    }
    fs::set_permissions(path("out"), Permissions::from_mode(0o1777)).unwrap();
    let build = || {
        let mut command = as_user(&own);
        isolate(&mut command, sandbox.path());
        command.args(into("out")).output().unwrap()
    };
    for old in [None, Some(OLD_ARTIFACT)] {
        if let Some(old) = old {
            sandbox.write(first, old);
            chown(path(first), Some(USER), None).unwrap();
        }
        let before = sandbox.files();
        let stderr = stderr(&build());
        let says = format!("error[io]: {second}: cannot write: ");
        assert!(stderr.starts_with(&says), "{stderr}");
        assert_eq!(sandbox.files(), before);
        assert_eq!(sandbox.read(second), OLD_ARTIFACT);
        if let Some(old) = old {
            assert_eq!(sandbox.read(first), old);
            assert_eq!(fs::metadata(path(first)).unwrap().uid(), USER);
        }
    }
    // If nothing prevents it, all artifacts are written, and no other file remains.
    chown(path(second), Some(USER), None).unwrap();
    let before = sandbox.files();
    let output = build();
    assert!(output.status.success(), "{output:?}");
    for name in [first, second] {
        sandbox.ok(&["verify", "-q", "--key", "key.pub.pem", name]);
    }
    assert_eq!(sandbox.files(), before);
}

/// If there is no space, nothing is written, and the new folders are removed.
#[test]
fn an_artifact_for_which_there_is_no_room() {
    let sandbox = sandbox();
    sandbox.write("old/app.x86_64.cwasm", OLD_ARTIFACT);
    let before = sandbox.files();
    for folder in ["new/deep", "old"] {
        // There is space only for the first artifact, whose code is not aligned to 64 KiB.
        let script = format!("ulimit -f 100; exec {} \"$@\"", binary().display());
        let mut shell = Command::new("sh");
        isolate(&mut shell, sandbox.path());
        shell.args(["-c", &script, "sh"]).args(into(folder));
        let stderr = stderr(&shell.output().unwrap());
        let says = format!("error[io]: {folder}/app.aarch64.cwasm: cannot write: ");
        assert!(stderr.starts_with(&says), "{stderr}");
        assert_eq!(sandbox.files(), before);
        assert!(!sandbox.path().join("new").exists());
    }
    assert_eq!(sandbox.read("old/app.x86_64.cwasm"), OLD_ARTIFACT);
}

#[test]
fn a_folder_that_cannot_be_made() {
    let sandbox = sandbox();
    let before = sandbox.files();
    let folder = format!("new/{}", "x".repeat(300));
    let stderr = sandbox.fails(3, &into(&folder));
    assert!(stderr.starts_with("error[io]: new/x"), "{stderr}");
    assert!(stderr.contains("cannot create: "), "{stderr}");
    assert_eq!(sandbox.files(), before);
    assert!(!sandbox.path().join("new").exists());
}

/// A folder has the name of the second artifact.
#[test]
fn a_folder_in_the_place_of_an_artifact() {
    let sandbox = sandbox();
    sandbox.write("out/app.x86_64.cwasm", OLD_ARTIFACT);
    fs::create_dir(sandbox.path().join("out/app.aarch64.cwasm")).unwrap();
    let stderr = sandbox.fails(2, &into("out"));
    let says = "error[output]: out/app.aarch64.cwasm: a folder is there, and an artifact of edgec";
    assert!(stderr.starts_with(says), "{stderr}");
    assert_eq!(sandbox.read("out/app.x86_64.cwasm"), OLD_ARTIFACT);
}
