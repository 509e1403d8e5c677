//! `edgec cache verify --recompile`: an entry that is whole and wrong is found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use edgec_artifact::{Sha256Digest, verity};
use edgec_tests::{Sandbox, hello};
use serde_json::Value;

const VERIFY: [&str; 4] = ["cache", "verify", "--cache", "cache"];

/// A sandbox whose cache has the images of the README's example for two targets.
fn built() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("hello.wat", fs::read(hello()).unwrap());
    build(&sandbox);
    sandbox
}

fn build(sandbox: &Sandbox) -> [Vec<u8>; 2] {
    let options = ["--key", "key.pem", "-t", "x86_64,aarch64", "-o", "out"];
    let build = ["build", "-q", "hello.wat", "--cache", "cache"];
    sandbox.ok(&[&build[..], &options].concat());
    ["x86_64", "aarch64"].map(|cpu| sandbox.read(&format!("out/hello.{cpu}.cwasm")))
}

/// The files of the entries of a kind.
fn entries(sandbox: &Sandbox, kind: &str) -> Vec<PathBuf> {
    let folder = sandbox.path().join("cache/v1").join(kind);
    let files = folder.read_dir().unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// The exit code of a verification, and what it says about images.
fn verify(sandbox: &Sandbox, options: &[&str]) -> (i32, Value) {
    let output = sandbox.run(&[&VERIFY[..], &["--format", "json"], options].concat());
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), document["recompiled"].take())
}

/// The length of an entry's head: magic, key, length, digest.
const HEAD_LEN: usize = 16 + 32 + 8 + 32;

/// Changes the last byte of an entry's answer.
fn forge_image(entry: &Path) {
    forge(entry, |answer| *answer.last_mut().unwrap() ^= 1);
}

/// Changes the last byte of every function in a pack: the compiler does not always ask for all of
/// them, so a single forged one may not be compared.
fn forge_functions(entry: &Path) {
    forge(entry, |mut rest| {
        while !rest.is_empty() {
            let length: [u8; 4] = rest[32..36].try_into().unwrap();
            let end = 36 + u32::from_le_bytes(length) as usize;
            let (function, behind) = rest.split_at_mut(end);
            *function.last_mut().unwrap() ^= 1;
            rest = behind;
        }
    });
}

/// Changes an entry's answer. The entry stays whole: its digest fits.
fn forge(entry: &Path, change: impl Fn(&mut [u8])) {
    let mut bytes = fs::read(entry).unwrap();
    change(&mut bytes[HEAD_LEN..]);
    let (head, answer) = bytes.split_at(HEAD_LEN);
    let digest = Sha256Digest::of(&[&head[..56], &verity::digest(answer).0].concat());
    let forged = [&head[..56], &digest.0, answer].concat();
    fs::set_permissions(entry, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(entry, forged).unwrap();
    fs::set_permissions(entry, fs::Permissions::from_mode(0o444)).unwrap();
}

#[test]
fn genuine_images_and_functions_are_the_same() {
    let sandbox = built();
    let (exit, told) = verify(&sandbox, &["--recompile", "100"]);
    assert_eq!(exit, 0, "{told}");
    assert_eq!((&told["images"], &told["leftOut"]), (&2.into(), &0.into()));
    assert_eq!(told["different"], serde_json::json!([]));
    let functions = &told["functions"];
    let count = |what: &str| functions[what].as_u64().unwrap();
    assert!(count("kept") > 10, "{told}");
    // The compiler does not always call all functions by the same keys.
    assert!(count("compared") > count("kept") / 2, "{told}");
    assert_eq!(functions["different"], 0);
    // A sample.
    let (exit, told) = verify(&sandbox, &["--recompile", "1"]);
    assert_eq!(exit, 0, "{told}");
    assert_eq!((&told["images"], &told["leftOut"]), (&1.into(), &1.into()));
    let said = sandbox.ok(&[&VERIFY[..], &["--recompile", "1"]].concat());
    assert!(
        said.contains("1 image compiled again: no difference\n"),
        "{said}"
    );
    assert!(said.contains("1 image: not in the sample\n"), "{said}");
    // Without the option, nothing is compiled.
    assert_eq!(verify(&sandbox, &[]), (0, Value::Null));
}

#[test]
fn a_forged_image_is_named_and_removed() {
    let sandbox = built();
    let genuine = build(&sandbox);
    let entry = entries(&sandbox, "precompile").remove(0);
    forge_image(&entry);
    // The entry is whole, so a build would take it.
    assert_eq!(verify(&sandbox, &[]).0, 0);
    let output = sandbox.run(&[&VERIFY[..], &["--recompile", "2"]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let name = entry.file_name().unwrap().to_str().unwrap();
    let line = format!("  precompile/{name}: the image differs from byte ");
    assert!(said.contains(&line), "{said}");
    assert!(
        said.contains("2 images compiled again: 1 differs\n"),
        "{said}"
    );
    assert!(said.contains("edgec cache prune"), "{said}");
    assert!(!entry.exists());
    // The next build compiles it again.
    assert!(build(&sandbox) == genuine);
    assert_eq!(verify(&sandbox, &["--recompile", "2"]).0, 0);
}

#[test]
fn a_forged_function_is_found_before_a_build_needs_it() {
    let sandbox = built();
    let packs = entries(&sandbox, "functions");
    packs.iter().for_each(|pack| forge_functions(pack));
    let (exit, told) = verify(&sandbox, &["--recompile", "2"]);
    assert_eq!(exit, 1, "{told}");
    // The images are those of before.
    assert_eq!(told["different"], serde_json::json!([]));
    let functions = &told["functions"];
    assert!(functions["compared"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(functions["different"], functions["compared"], "{told}");
    assert_eq!(functions["entries"].as_array().unwrap().len(), packs.len());
    assert!(packs.iter().all(|pack| !pack.exists()));
}

/// What cannot be checked is told, and never counted as right.
#[test]
fn an_image_without_its_question_is_not_called_right() {
    let sandbox = built();
    let [one, other] = entries(&sandbox, "asked").try_into().unwrap();
    let genuine = fs::read(&one).unwrap();
    // A genuine question under another name is no question of that image.
    fs::remove_file(&other).unwrap();
    fs::write(&other, &genuine).unwrap();
    fs::remove_file(&one).unwrap();
    let output = sandbox.run(&[&VERIFY[..], &["--recompile", "9", "--format", "json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The question under another name is a damaged entry.
    assert_eq!(output.status.code(), Some(1), "{document}");
    assert_eq!(document["damaged"], 1, "{document}");
    let told = &document["recompiled"];
    let counts = (&told["images"], &told["withoutQuestion"]);
    assert_eq!(counts, (&0.into(), &2.into()), "{document}");
    let said = sandbox.ok(&[&VERIFY[..], &["--recompile", "9"]].concat());
    assert!(
        said.contains("0 images compiled again: nothing is known\n"),
        "{said}"
    );
    assert!(said.contains("2 images: without the question"), "{said}");
}

#[test]
fn images_of_a_namespace_are_compared_there_only() {
    let sandbox = built();
    let release = ["--cache-namespace", "release"];
    let build = ["build", "-q", "hello.wat", "--cache", "cache"];
    let options = ["--key", "key.pem", "-t", "x86_64", "-o", "out"];
    sandbox.ok(&[&build[..], &options, &release].concat());
    for (namespace, images, others) in [(&[][..], 2, 1), (&release[..], 1, 2)] {
        let options = [&["--recompile", "9"][..], namespace].concat();
        let (exit, told) = verify(&sandbox, &options);
        assert_eq!(exit, 0, "{told}");
        let counts = (&told["images"], &told["ofAnotherEdgec"]);
        assert_eq!(counts, (&images.into(), &others.into()), "{told}");
    }
}
