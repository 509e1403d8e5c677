//! The imports of core modules in manifests, policies and messages: different imports have
//! different texts.

use edgec_loader::{EngineProfile, Expected, HostEngine, LoadError, load_module};
use edgec_packager::SecretKey;
use edgec_tests::Sandbox;
use edgec_tests::corpus::{Forge, write_policy};
use serde_json::Value;

/// Two imports that differ in where the module's name ends, with their texts.
const APART: [(&str, &str, &str); 2] = [("a", "b::c", "a::b::c"), ("a::b", "c", r"a\x3a:b::c")];

/// Builds `OUTPUT.cwasm`, a core module that imports and calls these functions.
fn build(sandbox: &Sandbox, imports: &[(&str, &str, &str)], output: &str) {
    let mut text = String::from("(module");
    for (module, name, _) in imports {
        text.push_str(&format!("(import \"{module}\" \"{name}\" (func))"));
    }
    text.push_str("(func (export \"_start\")");
    for function in 0..imports.len() {
        text.push_str(&format!(" call {function}"));
    }
    text.push_str("))");
    sandbox.write("m.wat", text);
    sandbox.build("m.wat", std::env::consts::ARCH, &format!("{output}.cwasm"));
}

/// The imports in the manifest.
fn stated(sandbox: &Sandbox, artifact: &str) -> Vec<String> {
    let report = sandbox.ok(&["inspect", artifact, "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let imports = report["manifest"]["capabilities"]["imports"].as_array();
    let imports = imports.unwrap().iter();
    imports
        .map(|import| import.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn manifests_and_messages_tell_them_apart() {
    let sandbox = Sandbox::new();
    build(&sandbox, &APART, "both");
    let written = APART.map(|(_, _, text)| text);
    assert_eq!(stated(&sandbox, "both.cwasm"), written);
    let inspected = sandbox.ok(&["inspect", "both.cwasm"]);
    let stderr = sandbox.fails(1, &["run", "--key", "key.pub.pem", "both.cwasm"]);
    for text in written {
        assert!(inspected.contains(text), "{inspected}");
        assert!(stderr.contains(&format!("`{text}`")), "{stderr}");
    }

    build(&sandbox, &APART[..1], "one");
    build(&sandbox, &APART[1..], "other");
    let output = sandbox.run(&["diff", "one.cwasm", "other.cwasm"]);
    let differences = String::from_utf8(output.stdout).unwrap();
    for text in written {
        assert!(differences.contains(text), "{differences}");
    }
}

/// A rule about one module does not apply to another module whose name begins with the same text.
#[test]
fn policies_tell_them_apart() {
    let sandbox = Sandbox::new();
    build(&sandbox, &APART[..1], "one");
    build(&sandbox, &APART[1..], "other");
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let verify = |allowed: &str, artifact: &str| {
        let text = format!(
            "threshold = 1\n[allow]\nimports = ['{allowed}']\n[[key]]\nname = 'k'\npem = \"\"\"\n{pem}\"\"\"\n"
        );
        write_policy(&sandbox, &text);
        sandbox.run(&["verify", artifact, "--trust", "edgec-trust.toml"])
    };
    for (allowed, one, other) in [
        ("a::*", true, false),
        ("a::b::c", true, false),
        (r"a\x3a:b::*", false, true),
        (r"a\x3a:b::c", false, true),
        ("*::c", true, true),
    ] {
        for (artifact, accepted) in [("one.cwasm", one), ("other.cwasm", other)] {
            let output = verify(allowed, artifact);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.success(), accepted, "{allowed}: {stderr}");
            let refused = stderr.starts_with(&format!("error[import]: {artifact}: "));
            assert_eq!(refused, !accepted, "{allowed}: {stderr}");
        }
    }
}

/// The imports of an artifact that are missing in its manifest if it is signed again with these
/// imports.
fn undeclared(sandbox: &Sandbox, artifact: &str, signed: &[&str]) -> Vec<String> {
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = SecretKey::from_pem(&pem).unwrap();
    let signed_once = sandbox.read(artifact);
    let forge = Forge::new(&signed_once, &key);
    let forged = forge.with_manifest(|manifest| {
        manifest.capabilities.imports = signed.iter().map(ToString::to_string).collect();
    });
    sandbox.write("forged.cwasm", forged);
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let (policy, anything) = (sandbox.policy(), Expected::anything());
    let load = |name: &str| load_module(&engine, sandbox.path().join(name), &policy, &anything);
    load(artifact).unwrap();
    match load("forged.cwasm").map(|_| ()).unwrap_err() {
        LoadError::Undeclared { imports } => imports,
        other => panic!("{other:?}"),
    }
}

/// If a builder signs fewer imports than the program has, no list of imports accepts the artifact.
#[test]
fn a_module_imports_only_what_its_manifest_states() {
    let sandbox = Sandbox::new();
    build(&sandbox, &APART[..1], "one");
    assert_eq!(undeclared(&sandbox, "one.cwasm", &[]), [APART[0].2]);
}

/// A manifest with one of the imports does not cover the other.
#[test]
fn the_loader_tells_them_apart() {
    let sandbox = Sandbox::new();
    build(&sandbox, &APART[1..], "other");
    let missing = undeclared(&sandbox, "other.cwasm", &["a::b::c"]);
    assert_eq!(missing, [APART[1].2]);
}
