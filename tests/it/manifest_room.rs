//! If a manifest would be too long, the program is refused before it is compiled; otherwise it is
//! built.

use edgec_loader::store::LoadFromStore as _;
use edgec_loader::{EngineProfile, Expected, HostEngine, load_module};
use edgec_tests::{Sandbox, words};
use wasm_encoder::{EntityType, ImportSection, Module, TypeSection};

/// The maximum length of the list of imports, in bytes.
const ROOM: usize = 2 << 20;

/// A core module whose list of imports takes this many bytes.
fn importing(length: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut imports = ImportSection::new();
    // In the list, `"env::NAME",`; the last one without the comma, and all between `[` and `]`.
    let (count, rest) = ((length - 1) / 64, (length - 1) % 64);
    for number in 0..count {
        let longer = if number + 1 == count { rest } else { 0 };
        let name = format!("{number:0width$}", width = 56 + longer);
        imports.import("env", &name, EntityType::Function(0));
    }
    let mut module = Module::new();
    module.section(&types).section(&imports);
    module.finish()
}

#[test]
fn imports_are_limited_before_anything_is_done() {
    let sandbox = Sandbox::new();
    sandbox.write("many.wasm", importing(ROOM + 1));
    let build = [
        "build", "-q", "--key", "key.pem", "--kind", "module", "-o", "out",
    ];
    let stderr = sandbox.fails(1, &[&build[..], &["many.wasm"]].concat());
    for said in [
        "error[too-many-imports]: many.wasm: its 32768 imports take 2.00 MiB in a manifest (2097153 bytes)",
        "2.00 MiB is the limit (2097152)",
        r"the first are `env::00000000000000000000000000000000000\…`",
        "the longest has 61 bytes",
        "hint: every import is signed by name",
    ] {
        assert!(stderr.contains(said), "{said}\n{stderr}");
    }
    let said = sandbox.fails(1, &["validate", "many.wasm"]);
    assert!(said.contains("too-many-imports"), "{said}");
    assert!(!sandbox.path().join("out").exists());
}

/// An artifact with a manifest of the maximum length can be verified, stored and loaded.
#[test]
fn imports_up_to_the_limit_are_all_listed() {
    let sandbox = Sandbox::new();
    sandbox.write("most.wasm", importing(ROOM));
    let to = [
        "-t",
        std::env::consts::ARCH,
        "-O0",
        "--app-version",
        "1",
        "-o",
        "most.cwasm",
    ];
    sandbox.ok(&[&["build", "-q", "--key", "key.pem", "most.wasm"], &to[..]].concat());
    sandbox.ok(&["verify", "--key", "key.pub.pem", "most.cwasm"]);
    let json = sandbox.ok(&["inspect", "most.cwasm", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let imports = report["manifest"]["capabilities"]["imports"]
        .as_array()
        .unwrap();
    assert_eq!(imports.len(), 32_767);
    assert!(report["envelopeLength"].as_u64() > Some(1 << 20));
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let path = sandbox.path().join("most.cwasm");
    load_module(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    if cfg!(target_os = "linux") {
        sandbox.admit("most.cwasm");
        sandbox.ok(&words("store --store store verify --key key.pub.pem"));
        let store = edgec_loader::store::ArtifactStore::open(sandbox.path().join("store")).unwrap();
        store
            .load_module(&engine, "most", &sandbox.policy())
            .unwrap();
    }
}

/// At most 10,000 of each are listed, so only both together can be too many.
#[test]
fn memories_and_tables_are_limited_likewise() {
    let sandbox = Sandbox::new();
    let each = "(memory 1 65536) (table 1 4294967295 funcref)".repeat(100);
    let program = |instances: usize| {
        let instances = "(core instance (instantiate $m))".repeat(instances);
        format!("(component (core module $m {each}) {instances})")
    };
    sandbox.write("few.wat", program(60));
    sandbox.ok(&["validate", "few.wat"]);
    sandbox.write("many.wat", program(100));
    let said = sandbox.fails(1, &["validate", "many.wat"]);
    assert!(said.contains("too-many-memories"), "{said}");
    let stderr = sandbox.fails(1, &["build", "-q", "--key", "key.pem", "many.wat"]);
    for said in [
        "error[too-many-memories]: many.wat: the 10000 memories and 10000 tables of its 100 core instances take",
        "512 KiB is the limit (524288)",
        "hint: a pool of instances",
    ] {
        assert!(stderr.contains(said), "{said}\n{stderr}");
    }
}

#[test]
fn what_people_write_is_limited_too() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module)");
    let build = |text: &str| {
        let arguments = ["build", "-q", "--key", "key.pem", "-t", "x86_64", "app.wat"];
        let output = sandbox.run(&[&arguments[..], &["--display-version", text]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), stderr)
    };
    assert_eq!(build(&"x".repeat(1024)).0, 0);
    let (code, stderr) = build(&"x".repeat(1025));
    assert_eq!(code, 2);
    assert!(
        stderr.contains("--display-version has 1025 bytes, and 1024 is the limit"),
        "{stderr}"
    );
}
