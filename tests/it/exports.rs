//! A program with more exports than a manifest lists can be built, and every verb can read it.

use std::collections::BTreeSet;

use edgec_artifact::{Exports, MAX_EXPORT_LIST_LEN, Sha256Digest};
use edgec_loader::{EngineProfile, Expected, HostEngine, load_module};
use edgec_packager::SecretKey;
use edgec_tests::Sandbox;
use edgec_tests::corpus::Forge;
use edgec_tests::interop::{Case, Trust, check_agreement, python};
use serde_json::Value;
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module, TypeSection, ValType,
};

/// As many exports as in a real database.
const MANY: usize = 75_111;

fn names(count: usize) -> Vec<String> {
    let name = |number| format!("a function with a name as compilers mangle them, {number}");
    (0..count).map(name).collect()
}

/// Two functions, the first exported by the first name and the second by all others.
fn program(names: &[String]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for value in [7, 8] {
        functions.function(0);
        let mut function = Function::new([]);
        function.instructions().i32_const(value).end();
        code.function(&function);
    }
    let mut exports = ExportSection::new();
    for (number, name) in names.iter().enumerate() {
        exports.export(name, ExportKind::Func, u32::from(number > 0));
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module.finish()
}

fn built(sandbox: &Sandbox, name: &str, program: &[u8]) -> Vec<u8> {
    let (input, output) = (format!("{name}.wasm"), format!("{name}.cwasm"));
    sandbox.write(&input, program);
    sandbox.build(&input, std::env::consts::ARCH, &output);
    sandbox.read(&output)
}

fn key(sandbox: &Sandbox) -> SecretKey {
    SecretKey::from_pem(&String::from_utf8(sandbox.read("key.pem")).unwrap()).unwrap()
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(&[arguments, &["--format", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_verb_takes_a_program_with_75111_exports() {
    let sandbox = Sandbox::new();
    let mut names = names(MANY);
    built(&sandbox, "a", &program(&names));
    sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);

    // The manifest has the number, length and digest of the names. The list is in the image.
    let stated =
        json(&sandbox, &["inspect", "a.cwasm"])["manifest"]["capabilities"]["exports"].clone();
    let list = sandbox.run(&["inspect", "--exports", "a.cwasm"]);
    assert!(list.status.success(), "{list:?}");
    let sorted: BTreeSet<&String> = names.iter().collect();
    assert_eq!(list.stdout, serde_json::to_vec(&sorted).unwrap());
    assert!(
        list.stdout.len() > 1 << 20,
        "it would fit the envelopes of before"
    );
    assert_eq!(
        stated,
        serde_json::json!({
            "count": MANY, "length": list.stdout.len(),
            "sha256": Sha256Digest::of(&list.stdout).to_string(),
        })
    );
    let text = sandbox.ok(&["inspect", "a.cwasm"]);
    assert!(
        text.contains("exports        75111, not listed (--exports lists them)"),
        "{text}"
    );

    // After another signature, the payload is the same.
    let payload = sandbox.ok(&["inspect", "--pae", "a.cwasm"]);
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.ok(&[
        "sign",
        "a.cwasm",
        "--key",
        "other.pem",
        "--append",
        "-o",
        "twice.cwasm",
    ]);
    assert_eq!(sandbox.ok(&["inspect", "--pae", "twice.cwasm"]), payload);

    // With one more and one fewer name, `diff` names both, and at most the requested number.
    let signatures = sandbox.run(&["diff", "a.cwasm", "twice.cwasm"]);
    assert_eq!(signatures.status.code(), Some(4), "{signatures:?}");
    names[5] = "another".to_owned();
    built(&sandbox, "b", &program(&names));
    let found = json(&sandbox, &["diff", "a.cwasm", "b.cwasm"]);
    let exports: Vec<&Value> = found["manifest"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| {
            it["at"]
                .as_str()
                .unwrap()
                .starts_with("capabilities.exports")
        })
        .collect();
    assert_eq!(exports.len(), 2, "{exports:?}");
    assert!(
        exports[0]["a"].as_str().unwrap().ends_with(", 5"),
        "{exports:?}"
    );
    assert_eq!(exports[1]["b"], "another");
    assert_eq!(found.get("exportsUnknown"), None);
    built(&sandbox, "small", &program(&names[..2]));
    let text = sandbox.run(&["diff", "a.cwasm", "small.cwasm", "--most", "3"]);
    let text = String::from_utf8(text.stdout).unwrap();
    // Most of them are not listed in a document either.
    assert!(text.contains(" more (--most)"), "{text}");
    assert!(
        text.contains("more differences, which are not listed"),
        "{text}"
    );
    assert!(text.lines().count() < 60, "{text}");

    // A rebuild gives the same artifact, and also compares the names behind the digest.
    let rebuild = [
        "verify",
        "--key",
        "key.pub.pem",
        "a.cwasm",
        "--rebuild",
        "a.wasm",
    ];
    sandbox.ok(&rebuild);
    let file = sandbox.read("a.cwasm");
    let key = key(&sandbox);
    let forged = Forge::new(&file, &key).with_manifest(|manifest| {
        let Exports::SummedUp(sum) = &mut manifest.capabilities.exports else {
            panic!("it is a list");
        };
        sum.count -= 1;
    });
    sandbox.write("a.cwasm", forged);
    let report = json(&sandbox, &rebuild);
    let differences = report["results"][0]["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0]["at"], "capabilities.exports.count");
    let stderr = sandbox.fails(1, &["inspect", "--exports", "a.cwasm"]);
    assert!(
        stderr.contains("error[exports]: a.cwasm: the image's 75111 exports"),
        "{stderr}"
    );
    let found = json(&sandbox, &["diff", "a.cwasm", "b.cwasm"]);
    assert!(found["exportsUnknown"].is_string(), "{found}");
    sandbox.write("a.cwasm", &file);

    // It can be loaded from its file and from a store, and its functions can be called by name.
    let names = self::names(MANY);
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let path = sandbox.path().join("a.cwasm");
    let loaded = load_module(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    assert_eq!(loaded.manifest().capabilities.exports.count(), MANY as u64);
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, loaded.program(), &[]).unwrap();
    for (name, value) in [(&names[0], 7), (&names[MANY - 1], 8)] {
        let f = instance
            .get_typed_func::<(), i32>(&mut store, name)
            .unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), value);
    }
}

/// If a manifest has only the digest of the exports, the image has the list. Here for a component
/// in both profiles.
#[test]
fn images_of_each_kind_have_their_exports() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..8000)
        .map(|number| format!("a-long-name-of-a-type-n{number}"))
        .collect();
    let exports: String = names
        .iter()
        .map(|name| format!("(export \"{name}\" (func $f))"))
        .collect();
    let text = format!(
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i \"f\"))) {exports})"
    );
    sandbox.write("app.wat", text);
    let sorted: BTreeSet<&String> = names.iter().collect();
    for profile in ["default", "edge"] {
        let to = ["-t", std::env::consts::ARCH, "-o", "a.cwasm", "app.wat"];
        sandbox.ok(&[
            &["build", "-q", "--key", "key.pem", "--profile", profile],
            &to[..],
        ]
        .concat());
        let list = sandbox.ok(&["inspect", "--exports", "a.cwasm"]);
        assert_eq!(list, serde_json::to_string(&sorted).unwrap(), "{profile}");
        let stated = json(&sandbox, &["inspect", "a.cwasm"]);
        assert_eq!(stated["manifest"]["capabilities"]["exports"]["count"], 8000);
    }
    // It is not a command. edgec sees this in the program itself, not in the manifest.
    let stderr = sandbox.fails(1, &["run", "--key", "key.pub.pem", "a.cwasm"]);
    assert!(
        stderr.contains("not-a-command") && stderr.contains("and 7980 more"),
        "{stderr}"
    );
}

/// A list of the maximum length in a manifest, and one that is a byte longer.
#[test]
fn lists_up_to_the_limit_stay_lists() {
    let sandbox = Sandbox::new();
    let limit = usize::try_from(MAX_EXPORT_LIST_LEN).unwrap();
    let mut names: Vec<String> = (0..1000).map(|number| format!("{number:0100}")).collect();
    let length = |names: &[String]| serde_json::to_vec(names).unwrap().len();
    let missing = limit - length(&names);
    names.push("x".repeat(missing - 3));
    assert_eq!(length(&names), limit);
    for (name, listed) in [("listed", true), ("summed", false)] {
        built(&sandbox, name, &program(&names));
        let artifact = format!("{name}.cwasm");
        let report = json(&sandbox, &["inspect", &artifact]);
        let stated = &report["manifest"]["capabilities"]["exports"];
        assert_eq!(stated.is_array(), listed, "{name}");
        let list = sandbox.ok(&["inspect", "--exports", &artifact]);
        assert_eq!(list.len(), if listed { limit } else { limit + 1 });
        names[1000].push('x');
    }
    // One manifest has a list and the other a digest. The names are compared.
    let found = json(&sandbox, &["diff", "listed.cwasm", "summed.cwasm"]);
    let found = found["manifest"].as_array().unwrap();
    let exports = found.iter().filter(|it| it["at"] == "capabilities.exports");
    assert_eq!(exports.count(), 2);
}

/// The second verifier agrees on both forms and on malformed ones.
#[test]
fn both_judge_sums_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let file = built(&sandbox, "a", &program(&names(MANY)));
    let key = key(&sandbox);
    let forge = Forge::new(&file, &key);
    let trust = Trust::Keys(vec![sandbox.path().join("key.pub.pem")]);
    let case = |name: &str, file: Vec<u8>, accepted| Case {
        name: name.to_owned(),
        file,
        trust: trust.clone(),
        arguments: Vec::new(),
        accepted: Some(accepted),
    };
    let text = String::from_utf8(forge.payload.clone()).unwrap();
    let (_, rest) = text.split_once("\"exports\":").unwrap();
    let stated = rest.split_once('}').unwrap().0.to_owned() + "}";
    let with = |other: &str| forge.with_payload_text(&stated, other);
    let sum = |count: &str, length: u64| {
        format!(
            r#"{{"count":{count},"length":{length},"sha256":"{}"}}"#,
            "a".repeat(64)
        )
    };
    let limit = MAX_EXPORT_LIST_LEN;
    let mut cases = vec![case("as it was built", file.clone(), true)];
    for (other, accepted) in [
        ("[]".to_owned(), true),
        (r#"["b","a"]"#.to_owned(), true),
        (sum("1", limit + 1), true),
        (sum("1", limit), false),
        (sum("1", 0), false),
        (sum("-1", limit + 1), false),
        (sum("1.0", limit + 1), false),
        (
            sum("1", limit + 1).replace("\"sha256\":\"a", "\"sha256\":\"A"),
            false,
        ),
        (sum("1", limit + 1).replace("}", ",\"list\":[]}"), false),
        (sum("1", limit + 1).replace("{\"count\":1,", "{"), false),
        (sum("1", limit + 1).replace("count", "number"), false),
        ("{}".to_owned(), false),
        ("null".to_owned(), false),
        ("75111".to_owned(), false),
        ("[1]".to_owned(), false),
    ] {
        cases.push(case(&other, with(&other), accepted));
    }
    check_agreement(cases);
}
