//! The test vectors of `docs/format.md`: edgec makes exactly these bytes, and the document contains
//! them.

use edgec_artifact::{
    Artifact, Envelope, Exports, KeyError, PublicKey, Sha256Digest, Signature, Statement, encode,
    export_list, pae, verity,
};
use edgec_packager::SecretKey;
use edgec_tests::{Sandbox, repository};
use serde_json::Value;

fn vectors() -> Value {
    let file = std::fs::read(repository().join("tests/vectors/format.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field}"))
}

fn hex(value: &Value, field: &str) -> Vec<u8> {
    unhex(text(value, field))
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn secret(vectors: &Value) -> SecretKey {
    SecretKey::from_pem(text(&vectors["key"], "privatePem")).unwrap()
}

/// An envelope with this payload, signed by the key.
fn envelope(key: &SecretKey, payload: &[u8]) -> Envelope {
    let bytes = key.sign(&pae(edgec_artifact::PAYLOAD_TYPE, payload));
    let signature = Signature::new(&key.public().id().to_string(), bytes);
    Envelope::new(payload.to_vec(), vec![signature])
}

#[test]
fn key() {
    let vectors = vectors();
    let expected = &vectors["key"];
    let key = secret(&vectors);
    // RFC 5958 and RFC 8410: the seed is the end of the document.
    let seed = hex(expected, "seed");
    let again = SecretKey::from_pem(&key.to_pem().unwrap()).unwrap();
    assert_eq!(*again.to_pem().unwrap(), text(expected, "privatePem"));
    let signing = ed25519_dalek::SigningKey::from_bytes(seed.as_slice().try_into().unwrap());
    assert_eq!(signing.verifying_key().as_bytes(), key.public().as_bytes());
    assert_eq!(key.public().as_bytes()[..], hex(expected, "public"));
    assert_eq!(key.public().to_pem(), text(expected, "publicPem"));
    assert_eq!(key.public().id().to_string(), text(expected, "keyId"));
}

#[test]
fn envelope_of_a_small_payload() {
    let vectors = vectors();
    let expected = &vectors["envelope"];
    let found = envelope(&secret(&vectors), &hex(expected, "payload"));
    assert_eq!(found.pae(), hex(expected, "pae"));
    assert_eq!(
        found.signatures()[0].bytes()[..],
        hex(expected, "signature")
    );
    let json = String::from_utf8(found.encode()).unwrap();
    assert_eq!(json, text(expected, "json"));
}

/// The bytes of the artifact that the vectors describe.
fn smallest(vectors: &Value) -> Vec<u8> {
    let expected = &vectors["artifact"];
    let payload = text(expected, "payload").as_bytes();
    let image = hex(expected, "image");
    encode(&image, &envelope(&secret(vectors), payload)).unwrap()
}

#[test]
fn a_whole_artifact() {
    let vectors = vectors();
    let expected = &vectors["artifact"];
    let file = smallest(&vectors);
    assert_eq!(file.len(), expected["length"]);
    assert_eq!(file[file.len() - 40..], hex(expected, "footer"));
    let digest = |bytes: &[u8]| Sha256Digest::of(bytes).to_string();
    assert_eq!(digest(&file), text(expected, "fileSha256"));
    let artifact = Artifact::decode(&file).unwrap();
    let image = artifact.image();
    assert_eq!(digest(image), text(expected, "sha256"));
    assert_eq!(
        verity::digest(image).to_string(),
        text(expected, "fsverity")
    );
    let engine = hex(expected, "engineSection");
    assert_eq!(image[64..64 + engine.len()], engine);
    assert!(!image.len().is_multiple_of(8), "there is padding");
    let signature = artifact.envelope().signatures()[0].bytes();
    assert_eq!(signature[..], hex(expected, "signature"));
    let payload = artifact.envelope().payload();
    assert_eq!(Statement::decode(payload).unwrap().encode(), payload);

    let sandbox = Sandbox::new();
    sandbox.write("smallest.cwasm", &file);
    sandbox.write("public.pem", text(&vectors["key"], "publicPem"));
    sandbox.ok(&["verify", "--key", "public.pem", "smallest.cwasm"]);
    sandbox.fails(1, &["verify", "--key", "key.pub.pem", "smallest.cwasm"]);
}

#[test]
fn fs_verity() {
    let vectors = vectors();
    let vectors = vectors["fsverity"].as_array().unwrap();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let input = match text(vector, "input").split_once('=') {
            Some(("n", count)) => (0..count.parse().unwrap())
                .map(|i: usize| u8::try_from((i % 11 + i % 439 + i % 1103) % 256).unwrap())
                .collect(),
            _ => match text(vector, "input") {
                "empty" => Vec::new(),
                other => other.as_bytes().to_vec(),
            },
        };
        assert_eq!(verity::digest(&input).to_string(), text(vector, "digest"));
    }
}

/// The spelling of a string, in a manifest that contains it.
#[test]
fn strings() {
    let vectors = vectors();
    let payload = text(&vectors["artifact"], "payload").as_bytes();
    let Statement { mut manifest } = Statement::decode(payload).unwrap();
    for vector in vectors["strings"].as_array().unwrap() {
        manifest.display_version = Some(text(vector, "text").to_owned());
        let manifest = manifest.clone();
        let found = Statement { manifest }.encode();
        let expected = [&b"\"displayVersion\":"[..], &hex(vector, "json"), b","].concat();
        let holds = |bytes: &[u8]| bytes.windows(expected.len()).any(|part| part == expected);
        assert!(holds(&found), "{}", String::from_utf8_lossy(&found));
        Statement::decode(&found).unwrap();
    }
}

/// The list of exports, its digest, and a manifest's statement about a long list.
#[test]
fn exports() {
    let vectors = vectors();
    let [few, many] = &vectors["exports"].as_array().unwrap()[..] else {
        panic!("two vectors");
    };
    let names = |value: &Value| value.as_str().unwrap().to_owned();
    let names: Vec<String> = few["text"].as_array().unwrap().iter().map(names).collect();
    let Exports::Listed(sorted) = Exports::of(names) else {
        panic!("it is short");
    };
    let list = export_list(&sorted);
    assert_eq!(list, hex(few, "json"));
    assert_eq!((sorted.len(), list.len()), (9, 99));
    assert_eq!(few["count"], 9);
    assert_eq!(few["length"], 99);
    assert_eq!(Sha256Digest::of(&list).to_string(), text(few, "sha256"));

    let stated = Exports::of((0..20_000).map(|number| format!("f{number}")));
    assert_eq!(
        serde_json::to_string(&stated).unwrap(),
        text(many, "manifest")
    );
    let Exports::SummedUp(sum) = stated else {
        panic!("it is long");
    };
    assert_eq!(many["count"], sum.count);
    assert_eq!(many["length"], sum.length);
    assert_eq!(text(many, "sha256"), sum.sha256.to_string());
}

/// The end of a manifest with extensions.
#[test]
fn extensions() {
    let vectors = vectors();
    let payload = text(&vectors["artifact"], "payload");
    for vector in vectors["extensions"].as_array().unwrap() {
        let extensions = vector.as_str().unwrap();
        let payload = format!("{},{extensions}}}}}", payload.strip_suffix("}}").unwrap());
        let statement = Statement::decode(payload.as_bytes()).unwrap();
        assert!(statement.manifest.extensions.is_some());
        assert_eq!(statement.encode(), payload.as_bytes());
    }
}

#[test]
fn points_of_small_order() {
    let vectors = vectors();
    let key = secret(&vectors).public();
    let points = vectors["refusedPoints"].as_array().unwrap();
    assert_eq!(points.len(), 14);
    for point in points {
        let point = unhex(point.as_str().unwrap());
        let found = PublicKey::from_bytes(point.as_slice().try_into().unwrap());
        assert_eq!(found, Err(KeyError::Weak));
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&point);
        assert!(!key.accepts(b"", &signature));
    }
}

/// Every vector is in the document, except for white space in long lines.
#[test]
fn the_document_holds_them() {
    fn check(value: &Value, document: &str) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| check(value, document)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    // The text of a string, and the names of inputs, are in the document as words.
                    if !["text", "input"].contains(&name.as_str()) {
                        check(value, document);
                    }
                }
            }
            Value::String(text) => {
                let text: String = text.split_whitespace().collect();
                assert!(document.contains(&text), "docs/format.md lacks {text}");
            }
            other => assert!(document.contains(&other.to_string()), "{other}"),
        }
    }
    let document = std::fs::read_to_string(repository().join("docs/format.md")).unwrap();
    let squeezed: String = document.split_whitespace().collect();
    check(&vectors(), &squeezed);
    for target in edgec_targets::all() {
        let mut features: Vec<&str> = target.features.iter().map(|f| f.name).collect();
        features.sort_unstable();
        let features = match features.as_slice() {
            [] => "none".to_owned(),
            features => features.join(", "),
        };
        let row = format!(
            "| `{}` | `{}` | {} | {features} |",
            target.id,
            target.triple(),
            target.level
        );
        assert!(document.contains(&row), "docs/format.md lacks {row}");
    }
}
