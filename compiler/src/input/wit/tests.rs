//! Every world of WASI opens, and every error has a case.

use wasmparser::{Validator, WasmFeatures};

use super::*;

fn wasi(name: &str) -> Result<World, WitError> {
    WorldSource::Wasi(name.to_owned()).open()
}

fn package(text: &str) -> WitPackage {
    let bytes = text.as_bytes().to_vec();
    let name = "test.wit".to_owned();
    let files = vec![WitFile { name, bytes }];
    WitPackage { files }
}

fn files(packages: &[&str], world: Option<&str>) -> Result<World, WitError> {
    let packages = packages.iter().map(|text| package(text)).collect();
    let world = world.map(str::to_owned);
    WorldSource::Files { packages, world }.open()
}

#[test]
fn wasi_has_worlds_by_name_and_by_version() {
    for name in wasi::KNOWN {
        let world = wasi(name).unwrap();
        assert_eq!(world.name(), name);
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        validator.validate_all(&world.encoded().unwrap()).unwrap();
    }
    for (name, full) in [
        ("wasi:http/proxy", "wasi:http/proxy@0.2.12"),
        ("wasi:cli/command", "wasi:cli/command@0.2.12"),
        ("wasi:http/service", "wasi:http/service@0.3.0"),
        ("wasi:cli/command@0.2.0", "wasi:cli/command@0.2.12"),
    ] {
        assert_eq!(wasi(name).unwrap().name(), full);
    }
    for name in [
        "wasi:http/proxy@0.2.13",
        "wasi:http/proxy@0.1.0",
        "wasi:http/proxy@0.3.0",
        "wasi:http/nothing",
        "wasi:nothing/proxy",
        "acme:http/proxy",
        "proxy",
        "",
    ] {
        let error = wasi(name).unwrap_err();
        assert_eq!(error.code(), "wit-world", "{name}: {error}");
    }
}

#[test]
fn a_world_in_files_may_use_other_packages() {
    let main = "package acme:shop; world shop { import acme:base/log; }";
    let base = "package acme:base; interface log { print: func(text: string); }";
    let world = files(&[main, base], None).unwrap();
    assert_eq!(world.name(), "acme:shop/shop");
    let named = files(&[main, base], Some("acme:shop/shop")).unwrap();
    assert_eq!(world.encoded().unwrap(), named.encoded().unwrap());

    // The same in the binary format.
    let (resolve, main_id) = resolved(&[package(main), package(base)]).unwrap();
    let bytes = wit_component::encode(&resolve, main_id).unwrap();
    let name = "shop.wasm".to_owned();
    let files = vec![WitFile { name, bytes }];
    let encoded = WorldSource::Files {
        packages: vec![WitPackage { files }],
        world: None,
    };
    assert_eq!(
        encoded.open().unwrap().encoded().unwrap(),
        world.encoded().unwrap()
    );
}

#[test]
fn each_error_has_a_case() {
    let two = "package acme:shop; world a {} world b {}";
    for (found, code, says) in [
        (files(&[], None), "wit-invalid", "there are no files"),
        (files(&["package"], None), "wit-invalid", "test.wit:1"),
        (
            files(&["package a:b; world w { import c:d/e; }"], None),
            "wit-invalid",
            "c:d",
        ),
        (files(&[two], None), "wit-world", "multiple worlds"),
        (files(&[two], Some("c")), "wit-world", "`c`"),
        (
            files(&["package acme:shop;"], None),
            "wit-world",
            "no worlds",
        ),
    ] {
        let error = found.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let WitError::World { worlds, .. } = files(&[two], None).unwrap_err() else {
        panic!("no list of worlds");
    };
    assert_eq!(worlds, ["acme:shop/a", "acme:shop/b"]);

    let bytes = |bytes: &[u8]| {
        let (name, bytes) = ("test.wit".to_owned(), bytes.to_vec());
        let files = vec![WitFile { name, bytes }];
        let packages = vec![WitPackage { files }];
        let world = None;
        WorldSource::Files { packages, world }.open().unwrap_err()
    };
    assert!(matches!(bytes(b"\xff"), WitError::NotWit { .. }));
    let program = wat::parse_str("(component)").unwrap();
    assert!(bytes(&program).to_string().contains("not a WIT package"));
    assert_eq!(bytes(b"\0asm").code(), "wit-invalid");
}
