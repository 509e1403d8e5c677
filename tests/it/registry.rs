//! push, pull and copy through the program, by way of a folder.

mod differences;

use edgec_tests::{Sandbox, words};
use serde_json::Value;

const LAYOUT: &str = "oci-layout:layout:v1";

/// A program, its artifacts for three targets, and their release; and the options that push all.
fn shop() -> Sandbox {
    let sandbox = Sandbox::new();
    let program = "(component (core module (memory 1) (func (export \"f\"))))";
    sandbox.write("shop.wasm", wat::parse_str(program).unwrap());
    let build = "build -q shop.wasm --name acme/shop --app-version 3 --release 7 --provenance \
                 --debug-file -t x86_64,x86_64-v3,aarch64 --key key.pem -o out/";
    sandbox.ok(&words(build));
    sandbox
}

const PUSH: &str = "push oci-layout:layout:v1 out/shop.aarch64.cwasm out/shop.x86_64.cwasm \
    out/shop.x86_64-v3.cwasm --component shop.wasm --release out/shop.release.json --debug \
    --provenance out/shop.aarch64.provenance.json --provenance out/shop.x86_64.provenance.json \
    --provenance out/shop.x86_64-v3.provenance.json";

fn json(sandbox: &Sandbox, line: &str) -> Value {
    let line = format!("{line} --format json");
    serde_json::from_str(&sandbox.ok(&words(&line))).unwrap()
}

#[test]
fn what_is_pushed_comes_back_byte_for_byte() {
    let sandbox = shop();
    let pushed = json(&sandbox, PUSH);
    assert_eq!(pushed["natives"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&pushed["version"], &pushed["serial"]),
        (&3.into(), &7.into())
    );
    let pulled = format!("pull {LAYOUT} --all-targets --component back.wasm -o back");
    let pulled = json(&sandbox, &pulled);
    assert_eq!(pulled["verified"], false);
    assert_eq!(pulled["digest"], pushed["digest"]);
    let files = [
        "shop.aarch64.cwasm",
        "shop.x86_64.cwasm",
        "shop.x86_64-v3.cwasm",
        "shop.aarch64.debug",
        "shop.x86_64.debug",
        "shop.x86_64-v3.provenance.json",
        "shop.release.json",
    ];
    for file in files {
        let (there, back) = (format!("out/{file}"), format!("back/{file}"));
        assert!(sandbox.read(&there) == sandbox.read(&back), "{file}");
    }
    assert_eq!(sandbox.read("back.wasm"), sandbox.read("shop.wasm"));
    // The same again, in another order: the same digests, and nothing is sent.
    let again = PUSH.replace(
        "out/shop.aarch64.cwasm out/shop.x86_64.cwasm",
        "out/shop.x86_64.cwasm out/shop.aarch64.cwasm",
    );
    assert_eq!(json(&sandbox, &again)["digest"], pushed["digest"]);
    // A copy has the same digests too.
    let copied = json(&sandbox, &format!("copy {LAYOUT} oci-layout:copy:w1"));
    assert_eq!(copied["digest"], pushed["digest"]);
    // Verified, if a key is named.
    let line = "pull oci-layout:copy:w1 --all-targets --key key.pub.pem -o verified";
    assert_eq!(json(&sandbox, line)["verified"], true);
    sandbox.ok(&words("keygen -o other.pem"));
    let line = "pull oci-layout:copy:w1 --key other.pub.pem -o refused";
    let error = sandbox.fails(1, &words(line));
    assert!(error.contains("error["), "{error}");
    assert!(!sandbox.path().join("refused").exists());
}

#[test]
fn each_host_takes_what_fits_it() {
    let sandbox = shop();
    sandbox.ok(&words(PUSH));
    let host = |arch: &str, features: &str| {
        format!(
            "schema = 1\narch = \"{arch}\"\nengine = \"48.0.8\"\nprofiles = [\"default\"]\n\
             features = [{features}]\n"
        )
    };
    let old = "\"cmpxchg16b\", \"popcnt\", \"sse3\", \"sse4.1\", \"sse4.2\", \"ssse3\"";
    sandbox.write("arm.toml", host("aarch64", ""));
    sandbox.write("old.toml", host("x86_64", old));
    sandbox.write("edge.toml", host("aarch64", "").replace("default", "edge"));
    for (file, target) in [("arm", "aarch64"), ("old", "x86_64")] {
        let line = format!("pull {LAYOUT} --store {file} --host {file}.toml --key key.pub.pem");
        let pulled = json(&sandbox, &line);
        assert_eq!(pulled["artifacts"].as_array().unwrap().len(), 1);
        let artifact = &pulled["artifacts"][0];
        assert_eq!(
            (&artifact["target"], &artifact["way"]),
            (&target.into(), &"whole".into())
        );
        let again = json(&sandbox, &line);
        assert_eq!(again["artifacts"][0]["change"], "unchanged");
        assert_eq!(again["artifacts"][0]["bytesFetched"], 0);
    }
    let line = format!("pull {LAYOUT} --store edge --host edge.toml --key key.pub.pem");
    let error = sandbox.fails(1, &words(&line));
    assert!(error.contains("error[pull-no-fit]"), "{error}");
    // A new store that admits nothing is removed again.
    assert!(!sandbox.path().join("edge").exists());
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let sandbox = Sandbox::empty();
    for line in [
        "pull oci-layout:layout:v1 --store store -o out",
        "pull oci-layout:layout:v1 --store store -t x86_64",
        "pull oci-layout:layout:v1 --all-targets -t x86_64",
        "pull oci-layout:layout:v1 --host host.toml --all-targets",
        "push oci-layout:layout:v1",
        "push oci-layout:layout:v1 a.cwasm --timestamp t.json",
        "push oci-layout:layout:v1 a.cwasm --concurrency 0",
        "copy oci-layout:layout:v1",
        "copy https://registry.example/shop:v1 oci-layout:layout:v1",
        "push registry.example/shop:v1 a.cwasm --output registry.example/other",
    ] {
        sandbox.fails(2, &words(line));
    }
}

#[test]
fn a_pull_replaces_no_other_file() {
    let sandbox = shop();
    sandbox.ok(&words(PUSH));
    sandbox.write("back/shop.release.json", "my notes");
    let line = format!("pull {LAYOUT} --all-targets -o back");
    let error = sandbox.fails(2, &words(&line));
    assert!(error.contains("error[output]"), "{error}");
    assert_eq!(sandbox.read("back/shop.release.json"), b"my notes");
    let files = sandbox.files();
    let others = files.iter().filter(|it| it.starts_with("back/"));
    assert_eq!(others.count(), 1, "{files:?}");
}

/// Otherwise anyone who can push could keep everyone from pulling to a folder.
#[test]
fn a_folder_gets_all_files_of_a_kind() {
    let sandbox = shop();
    sandbox.write("one.json", "{\"bomFormat\": \"CycloneDX\"}");
    sandbox.write("two.json", "{\"bomFormat\": \"CycloneDX\", \"version\": 2}");
    let push = format!("push {LAYOUT} out/shop.x86_64.cwasm --sbom one.json --sbom two.json");
    sandbox.ok(&words(&push));
    sandbox.ok(&words(&format!("pull {LAYOUT} --all-targets -o back")));
    let names = ["back/shop.cdx.json", "back/shop.2.cdx.json"];
    let mut back = names.map(|it| sandbox.read(it));
    back.sort();
    let mut pushed = ["one.json", "two.json"].map(|it| sandbox.read(it));
    pushed.sort();
    assert_eq!(back, pushed);
}

#[test]
fn what_a_folder_cannot_get_is_named() {
    let sandbox = shop();
    sandbox.ok(&words(&format!("push {LAYOUT} out/shop.x86_64.cwasm")));
    let line = format!("pull {LAYOUT} --all-targets --component back.wasm -o back");
    let error = sandbox.fails(1, &words(&line));
    assert!(error.contains("error[pull-no-component]"), "{error}");
    assert!(!sandbox.path().join("back").exists());
}

#[test]
fn files_that_travel_are_checked_before_anything_is_sent() {
    let sandbox = shop();
    sandbox.write("notes.json", "{}");
    for option in ["--provenance", "--sbom", "--bundle", "--notary"] {
        let line = format!("push {LAYOUT} out/shop.x86_64.cwasm {option} notes.json");
        let error = sandbox.fails(1, &words(&line));
        assert!(error.contains("error[push-attached]"), "{error}");
    }
    let other = format!(
        "push {LAYOUT} out/shop.x86_64.cwasm --provenance out/shop.aarch64.provenance.json"
    );
    let error = sandbox.fails(1, &words(&other));
    assert!(error.contains("error[push-about-nothing]"), "{error}");
    assert!(!sandbox.path().join("layout").exists());
    // No room for compressed images.
    let line = format!("push {LAYOUT} out/shop.x86_64.cwasm");
    let mut command = sandbox.command(&words(&line));
    let output = command.env("TMPDIR", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("error[io]") && error.contains("TMPDIR"),
        "{error}"
    );
}
