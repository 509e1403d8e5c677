//! Two verifiers that share no code judge the same files alike: `edgec verify`, and
//! `tests/interop/verify.py`, which follows the documents.
//!
//! More than 400 lines: all files here are verified in the same way, by the same two programs.

use std::path::Path;
use std::process::Command;

use edgec_artifact::{Artifact, Envelope, Manifest, Signature, Statement, encode, pae};
use edgec_packager::{SecretKey, UnsignedArtifact};
use edgec_tests::interop::{Case, Trust, check_agreement, python};
use edgec_tests::{Sandbox, corpus, repository};

/// The second verifier is independent of edgec, and short.
#[test]
fn the_second_verifier_is_short() {
    let text = std::fs::read_to_string(repository().join("tests/interop/verify.py")).unwrap();
    assert!(text.lines().count() < 420);
}

/// Its copy of the registry equals the registry.
#[test]
fn the_targets_beside_it_are_those_of_the_registry() {
    let text = std::fs::read(repository().join("tests/interop/targets.json")).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let expected: Vec<_> = edgec_targets::all()
        .map(|target| {
            let features: Vec<_> = target.features.iter().map(|f| f.name).collect();
            serde_json::json!({
                "id": target.id, "aliases": target.aliases, "triple": target.triple(), "level": target.level,
                "cpuFeatures": features,
            })
        })
        .collect();
    assert_eq!(found, serde_json::Value::Array(expected));
    // The specification's rule for the flag of a feature.
    for feature in edgec_targets::all().flat_map(|target| target.features) {
        let flag = feature.name.replace('.', "").replace("avxvnni", "avx_vnni");
        let flag = format!("has_{flag}");
        assert_eq!(feature.cranelift_flag, flag);
    }
}

/// A real artifact, from which cases are made.
struct Source {
    sandbox: Sandbox,
    file: Vec<u8>,
    key: SecretKey,
}

impl Source {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let file = sandbox.hello();
        let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
        let key = SecretKey::from_pem(&pem).unwrap();
        Self { sandbox, file, key }
    }

    fn trust(&self) -> Trust {
        Trust::Keys(vec![self.sandbox.path().join("key.pub.pem")])
    }

    fn case(&self, name: impl Into<String>, file: Vec<u8>) -> Case {
        Case {
            name: name.into(),
            file,
            trust: self.trust(),
            // Other tests assert the result. This one asserts that both agree.
            arguments: Vec::new(),
            accepted: None,
        }
    }

    /// The first byte of each region, and the end.
    fn borders(&self) -> Vec<usize> {
        let artifact = Artifact::decode(&self.file).unwrap();
        let image = artifact.image().len();
        let envelope = image.next_multiple_of(8);
        let footer = self.file.len() - 40;
        let fields = [0, 8, 16, 24, 28, 32, 40].map(|at| footer + at);
        [&[0, 64, image, envelope][..], &fields].concat()
    }

    /// An artifact with any payload, signed by the trusted key.
    fn signed(&self, payload: Vec<u8>) -> Vec<u8> {
        let bytes = self.key.sign(&pae(edgec_artifact::PAYLOAD_TYPE, &payload));
        let id = self.key.public().id().to_string();
        let envelope = Envelope::new(payload, vec![Signature::new(&id, bytes)]);
        let artifact = Artifact::decode(&self.file).unwrap();
        encode(artifact.image(), &envelope).unwrap()
    }

    fn statement(&self) -> String {
        let artifact = Artifact::decode(&self.file).unwrap();
        String::from_utf8(artifact.envelope().payload().to_vec()).unwrap()
    }

    fn manifest(&self) -> Manifest {
        Statement::decode(self.statement().as_bytes())
            .unwrap()
            .manifest
    }
}

/// Every attack on a file in the threat model. Attacks that only a load can find are accepted.
#[test]
fn both_judge_the_attack_corpus_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let material = corpus::material();
    let public = |name: &str, key: &SecretKey| sandbox.write(name, key.public().to_pem());
    let signer = public("signer.pub.pem", &material.signer);
    let other = public("other.pub.pem", &material.other);
    let cases = corpus::cases()
        .into_iter()
        .enumerate()
        .map(|(number, case)| {
            let trust = match &case.trust {
                corpus::Trust::Signer => Trust::Keys(vec![signer.clone()]),
                corpus::Trust::Both => Trust::Keys(vec![signer.clone(), other.clone()]),
                corpus::Trust::Policy(text) => {
                    Trust::Policy(sandbox.write(&format!("{number}.toml"), text))
                }
            };
            Case {
                name: case.title(),
                accepted: Some(case.verify.is_none()),
                file: case.file,
                trust,
                arguments: Vec::new(),
            }
        });
    check_agreement(cases);
}

#[test]
fn both_judge_a_changed_file_alike() {
    if python().is_none() {
        return;
    }
    let source = Source::new();
    let mut cases = vec![Case {
        accepted: Some(true),
        ..source.case("as it was built", source.file.clone())
    }];
    let refused = |name: String, file: Vec<u8>| Case {
        accepted: Some(false),
        ..source.case(name, file)
    };
    // A few bits in every part of the image, and in every byte after it.
    let envelope = source.borders()[3];
    let places = (0..envelope)
        .step_by(997)
        .chain(envelope..source.file.len());
    for (turn, at) in places.enumerate() {
        let mut file = source.file.clone();
        file[at] ^= 1 << (turn % 8);
        cases.push(refused(format!("bit {} of byte {at}", turn % 8), file));
    }
    for border in source.borders() {
        for len in [border.saturating_sub(1), border, border + 1] {
            if len < source.file.len() {
                cases.push(refused(format!("{len} bytes"), source.file[..len].to_vec()));
            }
        }
    }
    for more in [&b"\0"[..], b"{}", &source.file] {
        let name = format!("{} bytes more", more.len());
        let longer = [&source.file[..], more].concat();
        cases.push(refused(name.clone(), longer));
        let longer = [more, &source.file[..]].concat();
        cases.push(refused(format!("{name}, in front"), longer));
    }
    check_agreement(cases);
}

/// The smallest artifact, from the test vectors of the format: every byte is changed, and every
/// truncation is tried.
#[test]
fn both_judge_the_smallest_artifact_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let vectors = std::fs::read(repository().join("tests/vectors/format.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_slice(&vectors).unwrap();
    let text = |group: &str, field: &str| vectors[group][field].as_str().unwrap().to_owned();
    let trust = Trust::Keys(vec![sandbox.write("public.pem", text("key", "publicPem"))]);
    let key = SecretKey::from_pem(&text("key", "privatePem")).unwrap();
    let payload = text("artifact", "payload").into_bytes();
    let signature = key.sign(&pae(edgec_artifact::PAYLOAD_TYPE, &payload));
    let signature = Signature::new(&key.public().id().to_string(), signature);
    let image = text("artifact", "image");
    let byte = |at| u8::from_str_radix(&image[at..at + 2], 16).unwrap();
    let image: Vec<u8> = (0..image.len()).step_by(2).map(byte).collect();
    let file = encode(&image, &Envelope::new(payload, vec![signature])).unwrap();
    let case = |name: String, file: Vec<u8>, accepted: bool| Case {
        name,
        file,
        trust: trust.clone(),
        arguments: Vec::new(),
        accepted: Some(accepted),
    };
    let flipped = (0..file.len()).map(|at| {
        let mut file = file.clone();
        file[at] ^= 1 << (at % 8);
        case(format!("bit {} of byte {at}", at % 8), file, false)
    });
    let shorter =
        (0..file.len()).map(|len| case(format!("{len} bytes"), file[..len].to_vec(), false));
    let whole = case("whole".to_owned(), file.clone(), true);
    check_agreement(flipped.chain(shorter).chain([whole]));
}

/// Payloads that the trusted key has signed, and images with correct descriptions.
#[test]
fn both_judge_what_a_trusted_key_has_signed_alike() {
    if python().is_none() {
        return;
    }
    let source = Source::new();
    let statement = source.statement();
    let mut cases = Vec::new();
    let edits: &[(&str, &str)] = &[
        ("\"version\":0", "\"version\":1"),
        ("\"version\":0", "\"version\": 0"),
        ("\"version\":0", "\"version\":-0"),
        ("\"version\":0", "\"version\":0.0"),
        ("\"version\":0", "\"version\":1e3"),
        ("\"version\":0", "\"version\":NaN"),
        ("\"version\":0", "\"version\":true"),
        ("\"version\":0", "\"version\":\"0\""),
        ("\"version\":0", "\"version\":9007199254740991"),
        ("\"version\":0", "\"version\":9007199254740992"),
        ("\"version\":0", "\"version\":18446744073709551616"),
        ("\"version\":0", "\"version\":0,\"version\":0"),
        ("\"version\":0", "\"version\":0,\"critical\":1"),
        ("\"version\":0", "\"version\":0,\"displayVersion\":\"1\""),
        ("\"version\":0", "\"version\":0,\"displayVersion\":null"),
        ("\"version\":0", "\"version\":0,\"channel\":\"stable\""),
        (
            "\"version\":0",
            "\"version\":0,\"channel\":\"\\u007f\\u00e9\"",
        ),
        (
            "\"version\":0",
            "\"version\":0,\"channel\":\"\u{7f}é\u{2028}\"",
        ),
        (
            "\"version\":0",
            "\"version\":0,\"channel\":\"\\u001f\\n\\/\"",
        ),
        ("\"version\":0", "\"version\":0,\"channel\":\"\\u001f\\n\""),
        ("\"version\":0", "\"version\":0,\"channel\":\"\\ud800\""),
        ("{\"_type\"", "\u{feff}{\"_type\""),
        ("{\"_type\"", " {\"_type\""),
        ("Statement/v1", "Statement/v0.1"),
        ("edgec.dev/manifest/v1", "slsa.dev/provenance/v1"),
        ("fsverity-sha256-12", "fsverity-sha512-12"),
        ("\"kind\":\"component\"", "\"kind\":\"module\""),
        ("\"kind\":\"component\"", "\"kind\":\"Component\""),
        ("\"kind\":\"component\",", ""),
        ("\"builder\":", "\"validity\":{},\"builder\":"),
        ("\"builder\":", "\"validity\":{\"expires\":10},\"builder\":"),
        (
            "\"builder\":",
            "\"validity\":{\"expires\":11,\"notBefore\":10},\"builder\":",
        ),
        (
            "\"builder\":",
            "\"validity\":{\"notBefore\":4102444800},\"builder\":",
        ),
        (
            "\"builder\":",
            "\"validity\":{\"issued\":1,\"notBefore\":1,\"expires\":18446744073709551615},\"builder\":",
        ),
        ("\"tables\":[{\"minimum\"", "\"tables\":[{\"minimal\""),
        ("\"complete\":true", "\"complete\":1"),
        ("\"tunables\":{", "\"tunables\":{\"zzz\":\"\","),
        ("\"tunables\":{", "\"tunables\":{\"aaa\":\"\","),
        (
            "\"version\":\"48.0.8\",\"profile\"",
            "\"version\":\"48.0.8-pre\",\"profile\"",
        ),
        (
            "\"version\":\"48.0.8\",\"profile\"",
            "\"version\":\"49.0.8\",\"profile\"",
        ),
        ("\"profile\":\"default\"", "\"profile\":\"other\""),
        ("-unknown-linux-gnu", "-unknown-linux-musl"),
        ("\"sse3\",", ""),
        ("\"ssse3\"]", "\"ssse3\",\"ssse3\"]"),
        ("x86-64-v2", "x86-64-v3"),
        ("\"imports\":[", "\"imports\":[\"wasi:sockets/tcp@0.2.12\","),
    ];
    for (from, to) in edits {
        let name = format!("{from} -> {to}");
        cases.push(source.case(name, source.signed(statement.replacen(from, to, 1).into())));
    }
    for name in [
        "",
        ".",
        "..",
        "a/../b",
        "/a",
        "a/",
        "a//b",
        "a\\b",
        "a\nb",
        "a*",
        "a\u{85}b",
        "a ",
        " a",
        "a /b",
        "a/ b",
        "a\u{a0}b",
        "a\u{2009}b",
        "a\u{200b}",
        "a\u{202e}b",
        "\u{feff}a",
        "a\u{2800}",
        "a\u{e0061}",
        "a\u{600}",
        "a\u{e000}",
        "a\u{ffff}",
        "a\u{1fffe}",
        "a\u{1343f}",
        "a\u{13440}",
        "a\u{16fe4}",
        "a\u{1d159}",
        "a\u{e0fff}",
        "a\u{e1000}",
        "a\u{378}",
        "a  b",
        "cafe\u{301}",
        "caf\u{e9}",
        "e\u{301}\u{323}",
        "\u{1eb9}\u{301}",
        "\u{212b}",
        "\u{1100}\u{1161}",
        "\u{5d1}\u{5bc}\u{5b0}",
        "a\u{310}\u{301}",
        "a b/c d",
        "tenant/shop",
        "a.b",
        "é b",
        &*"x".repeat(128),
        &*"x".repeat(129),
        &*"é".repeat(65),
    ] {
        let mut manifest = source.manifest();
        manifest.name = name.to_owned();
        let payload = Statement { manifest }.encode();
        cases.push(source.case(format!("the name {name:?}"), source.signed(payload)));
    }
    let unparsed: [&[u8]; 6] = [b"", b"{}", b"[]", b"null", b"\xff", &[b'['; 100_000]];
    for payload in unparsed {
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(8)]);
        cases.push(source.case(
            format!("the payload {shown}"),
            source.signed(payload.to_vec()),
        ));
    }
    cases.extend(changed_images(&source));
    check_agreement(cases);
}

/// Changed images with correct descriptions, so that only the rules about ELF judge them.
fn changed_images(source: &Source) -> Vec<Case> {
    let artifact = Artifact::decode(&source.file).unwrap();
    let image = artifact.image();
    let sections = edgec_artifact::elf::ElfImage::parse(image)
        .unwrap()
        .sections;
    let table = usize::try_from(u64::from_le_bytes(image[40..48].try_into().unwrap())).unwrap();
    let engine = sections
        .iter()
        .find(|s| s.name == ".wasmtime.engine")
        .unwrap();
    let engine = usize::try_from(engine.offset).unwrap()
        ..usize::try_from(engine.offset + engine.size).unwrap();
    // Every bit of the ELF header and the section table, and some bits of the engine's section.
    let bits = (0..64).chain(engine.step_by(3)).chain(table..image.len());
    let flips = bits.enumerate().map(|(turn, at)| (at, 1u8 << (turn % 8)));
    let gaps = sections.iter().flat_map(|section| {
        let end = usize::try_from(section.offset + section.size).unwrap();
        [end - 1, end, end + 1].map(|at| (at, 0x20))
    });
    let mut cases = Vec::new();
    for (at, mask) in flips.chain(gaps) {
        let mut image = image.to_vec();
        let Some(byte) = image.get_mut(at) else {
            continue;
        };
        *byte ^= mask;
        cases.push((format!("image byte {at} ^ {mask:#x}, signed"), image));
    }
    for len in [0, 63, 64, table, image.len() - 1] {
        cases.push((
            format!("image of {len} bytes, signed"),
            image[..len].to_vec(),
        ));
    }
    for more in [&b"\0"[..], b"\0\0\0\0\0\0\0\0", b"x"] {
        cases.push((
            format!("image and {more:?}, signed"),
            [image, more].concat(),
        ));
    }
    let manifest = source.manifest();
    let sign = |(name, bytes): (String, Vec<u8>)| {
        let unsigned = UnsignedArtifact::new(bytes, |image| manifest.clone().with_image(image));
        let signed = {
            let signature = source.key.sign(&unsigned.pae());
            unsigned
                .attach(&source.key.public(), signature, Vec::new())
                .unwrap()
        };
        source.case(name, signed.as_bytes().to_vec())
    };
    cases.into_iter().map(sign).collect()
}

/// Only the Python verifier, where edgec says more than accepted or not: usage, and output.
#[test]
fn it_prints_a_verdict_a_file() {
    let Some(python) = python() else { return };
    let source = Source::new();
    source.sandbox.write("empty.cwasm", "");
    let run = |arguments: &[&str]| {
        let output = Command::new(&python)
            .arg(repository().join("tests/interop/verify.py"))
            .args(arguments)
            .current_dir(source.sandbox.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = run(&["--key", "key.pub.pem", "hello.cwasm"]);
    assert_eq!((code, &*text), (Some(0), "hello.cwasm: accepted\n"));
    let (code, text) = run(&["--key", "key.pub.pem", "hello.cwasm", "empty.cwasm"]);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("hello.cwasm: accepted\nempty.cwasm: rejected: layout: "),
        "{text}"
    );
    assert_eq!(run(&["hello.cwasm"]).0, Some(2));
    assert!(Path::new(&python).exists());
}
