//! Bills of materials: what the verb writes, where, and what it refuses.

use edgec_tests::{Sandbox, hello, words};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A binary component with registry metadata: its sections are bytes, not text.
fn component(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (name, data) in sections {
        let len = 1 + name.len() + data.len();
        assert!(len < 128, "one byte is enough");
        bytes.push(0);
        bytes.push(u8::try_from(len).unwrap());
        bytes.push(u8::try_from(name.len()).unwrap());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(data);
    }
    bytes
}

#[test]
fn a_bill_says_what_the_program_says() {
    let sandbox = Sandbox::new();
    let sections: &[(&str, &[u8])] = &[("version", b"1.2.3"), ("licenses", b"MIT")];
    sandbox.write("shop.wasm", component(sections));
    let bill = json(&sandbox.ok(&words("sbom shop.wasm")));
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let program = &bill["metadata"]["component"];
    assert_eq!(program["name"], "shop");
    assert_eq!(program["version"], "1.2.3");
    assert_eq!(program["licenses"][0]["expression"], "MIT");
    let bill = json(&sandbox.ok(&words("sbom shop.wasm --format spdx --name acme/shop")));
    assert_eq!(bill["name"], "acme/shop");
    assert_eq!(bill["packages"][0]["licenseDeclared"], "MIT");
    let other = "sbom shop.wasm --display-version 2 -o out.cdx.json";
    assert_eq!(sandbox.ok(&words(other)), "");
    let bill = json(&String::from_utf8(sandbox.read("out.cdx.json")).unwrap());
    assert_eq!(bill["metadata"]["component"]["version"], "2");
    // It may be written again, also in the other format, and over nothing else.
    sandbox.ok(&words("sbom shop.wasm --format spdx -o out.cdx.json"));
    sandbox.ok(&words(other));
    sandbox.write("mine.json", "{}");
    let error = sandbox.fails(2, &words("sbom shop.wasm -o mine.json"));
    assert!(error.contains("mine.json"), "{error}");
    sandbox.fails(2, &words("sbom shop.wasm -o shop.wasm"));
}

#[test]
fn text_is_read_too() {
    let sandbox = Sandbox::new();
    let bill = json(&sandbox.ok(&["sbom", &hello()]));
    let properties = bill["metadata"]["component"]["properties"]
        .as_array()
        .unwrap();
    let import = "wasi_snapshot_preview1 fd_write";
    assert!(
        properties.iter().any(|it| it["value"] == import),
        "{bill:#}"
    );
}

#[test]
fn what_has_no_program_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let error = sandbox.fails(1, &words("sbom hello.cwasm"));
    assert!(
        error.starts_with("error[sbom-artifact]: hello.cwasm: "),
        "{error}"
    );
    assert!(error.contains("edgec build --sbom"), "{error}");
    sandbox.write("notes.txt", "a list");
    sandbox.fails(1, &words("sbom notes.txt"));
    sandbox.write("cut.wasm", &component(&[("a", b"b")])[..10]);
    let error = sandbox.fails(1, &words("sbom cut.wasm"));
    assert!(
        error.starts_with("error[sbom-malformed]: cut.wasm: "),
        "{error}"
    );
    assert!(error.contains("at offset 0x"), "{error}");
    sandbox.write("odd.wasm", component(&[("licenses", b"\xff")]));
    let error = sandbox.fails(1, &words("sbom odd.wasm"));
    assert!(
        error.starts_with("error[sbom-section]: odd.wasm: "),
        "{error}"
    );
    sandbox.write("late.wasm", component(&[]));
    let mut late = sandbox.command(&words("sbom late.wasm"));
    let late = late.env("SOURCE_DATE_EPOCH", "soon").output().unwrap();
    assert_eq!(late.status.code(), Some(2), "{late:?}");
}

/// A section that is longer than the limit.
#[test]
fn a_long_section_is_refused() {
    let sandbox = Sandbox::new();
    let mut bytes = b"\0asm\x0d\0\x01\0\0".to_vec();
    let data = vec![b'a'; (64 << 10) + 1];
    // Four bytes for a length that needs three, as LEB128 allows.
    let len = u32::try_from(8 + data.len()).unwrap();
    for shift in [0, 7, 14] {
        bytes.push(u8::try_from(len >> shift & 0x7f).unwrap() | 0x80);
    }
    bytes.push(0);
    bytes.push(7);
    bytes.extend_from_slice(b"authors");
    bytes.extend_from_slice(&data);
    sandbox.write("long.wasm", bytes);
    let error = sandbox.fails(1, &words("sbom long.wasm"));
    assert!(
        error.starts_with("error[sbom-limit]: long.wasm: "),
        "{error}"
    );
}
