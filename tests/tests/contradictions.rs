//! What a trusted signer says must be so: images and manifests that contradict each other,
//! signed by a key that the policy trusts. Each is made from a real artifact.

use edgec_artifact::{Artifact, Envelope, Image, Manifest, Sha256Digest, Signature, Statement};
use edgec_artifact::{encode, verity};
use edgec_packager::{SecretKey, UnsignedArtifact};
use edgec_tests::Sandbox;
use edgec_verifier::{Expected, TrustPolicy, TrustedKey, VerifyError, verify};

struct Forge {
    key: SecretKey,
    image: Vec<u8>,
    manifest: Manifest,
    policy: TrustPolicy,
}

impl Forge {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let file = sandbox.hello();
        let artifact = Artifact::decode(&file).unwrap();
        let Statement { manifest } = Statement::decode(artifact.envelope().payload()).unwrap();
        let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
        let key = SecretKey::from_pem(&pem).unwrap();
        let trusted = TrustedKey {
            name: "test".to_owned(),
            key: key.public(),
        };
        Self {
            policy: TrustPolicy::new(vec![trusted], 1).unwrap(),
            image: artifact.image().to_vec(),
            manifest,
            key,
        }
    }

    /// Signs an image and a manifest, whatever they say of each other.
    fn sign(&self, image: &[u8], manifest: impl FnOnce(Image) -> Manifest) -> Vec<u8> {
        let unsigned = UnsignedArtifact::new(image.to_vec(), manifest);
        let signature = self.key.sign(&unsigned.pae());
        let signed = unsigned.attach(&self.key.public(), signature, Vec::new());
        let signed = signed.unwrap();
        signed.as_bytes().to_vec()
    }

    fn error(&self, file: &[u8]) -> VerifyError {
        verify(file, &self.policy, &Expected::anything(), 0)
            .map(|_| ())
            .unwrap_err()
    }

    /// With a changed image, described as it is.
    fn with_image(&self, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut image = self.image.clone();
        change(&mut image);
        let file = self.sign(&image, |image| Manifest {
            image,
            ..self.manifest.clone()
        });
        contradiction(self.error(&file))
    }

    /// With a changed manifest beside the image as it is.
    fn with_manifest(&self, change: impl FnOnce(&mut Manifest)) -> VerifyError {
        let file = self.sign(&self.image, |image| {
            let mut manifest = Manifest {
                image,
                ..self.manifest.clone()
            };
            change(&mut manifest);
            manifest
        });
        self.error(&file)
    }

    /// Where a section's header, and where its data, lies in the image.
    fn section(&self, name: &str) -> (usize, usize) {
        let shoff = usize::try_from(number(&self.image, 40, 8)).unwrap();
        let count = usize::try_from(number(&self.image, 60, 2)).unwrap();
        let names = usize::try_from(number(&self.image, 62, 2)).unwrap();
        let header = |index: usize| shoff + index * 64;
        let data = |header: usize| usize::try_from(number(&self.image, header + 24, 8)).unwrap();
        let strings = data(header(names));
        let found = (1..count).map(header).find(|header| {
            let at = strings + usize::try_from(number(&self.image, *header, 4)).unwrap();
            self.image[at..].starts_with(&[name.as_bytes(), b"\0"].concat())
        });
        let header = found.unwrap_or_else(|| panic!("no section {name}"));
        (header, data(header))
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let field = bytes[at..at + len].iter().rev();
    field.fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn contradiction(error: VerifyError) -> String {
    match error {
        VerifyError::Contradiction(contradiction) => contradiction.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_forge_itself_makes_good_artifacts() {
    let forge = Forge::new();
    let file = forge.sign(&forge.image, |image| Manifest {
        image,
        ..forge.manifest.clone()
    });
    verify(&file, &forge.policy, &Expected::anything(), 0).unwrap();
}

#[test]
fn an_image_that_the_engine_did_not_write() {
    let forge = Forge::new();
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let found = forge.with_image(|image| change(image));
        assert!(found.starts_with(expected), "{found}, not {expected}");
    };
    check(&|image| image.clear(), "malformed ELF image: file header");
    check(&|image| image.truncate(100), "malformed ELF image");
    check(&|image| image[7] = 0, "not a Wasmtime 48 image: EI_OSABI");
    check(
        &|image| image[8] = 1,
        "not a Wasmtime 48 image: EI_ABIVERSION",
    );
    check(&|image| image[18] = 3, "not a Wasmtime 48 image: e_machine");
    for flags in [0, 3, 4, 6] {
        check(
            &|image| image[48] = flags,
            "not a Wasmtime 48 image: e_flags",
        );
    }
    check(
        &|image| image[32] = 1,
        "malformed ELF image: program headers",
    );
    // A count that stands elsewhere, a table that is not aligned, names in a section of code.
    let table = usize::try_from(number(&forge.image, 40, 8)).unwrap();
    check(
        &|image| {
            image[table + 32] = image[60];
            image[60] = 0;
        },
        "malformed ELF image: section table, which is extended",
    );
    check(
        &|image| image[40] ^= 1,
        "malformed ELF image: section table",
    );
    check(&|image| image[62] = 1, "malformed ELF image: section names");
    check(&|image| image.push(1), "unclaimed bytes at offset");
    check(&|image| image[0x45c] = 1, "unclaimed bytes at offset 0x45c");

    let (text, _) = forge.section(".text");
    let (info, _) = forge.section(".wasmtime.info");
    let (_, strings) = forge.section(".shstrtab");
    let (_, engine) = forge.section(".wasmtime.engine");
    // Writable too; relocations; no bytes; the name of its neighbour; a name of its own; over
    // another section; past the end.
    check(
        &|image| image[text + 8] |= 1,
        "section `.text` is writable and executable",
    );
    check(
        &|image| image[text + 4] = 4,
        "section `.text` holds relocations",
    );
    check(
        &|image| image[text + 4] = 8,
        "malformed ELF image: section without bytes",
    );
    let name = forge.image[info..info + 4].to_vec();
    check(
        &|image| image[text..text + 4].copy_from_slice(&name),
        "two sections are called `.wasmtime.info`",
    );
    let at = usize::try_from(number(&forge.image, text, 4)).unwrap() + strings;
    check(&|image| image[at + 1] = b'T', "unexpected section `.Text`");
    check(
        &|image| image[text + 33] = 0x90,
        "regions overlap at offset",
    );
    check(
        &|image| image[text + 38] = 0xff,
        "malformed ELF image: section data",
    );
    check(
        &|image| image[engine] = 1,
        "malformed ELF image: engine section",
    );
}

#[test]
fn a_manifest_that_describes_another_image() {
    let forge = Forge::new();
    let check = |expected: &str, change: &dyn Fn(&mut Manifest)| {
        let found = contradiction(forge.with_manifest(|manifest| change(manifest)));
        assert!(found.contains(expected), "{found}, not {expected}");
    };
    let other = edgec_targets::all()
        .find(|target| target.arch.name() != std::env::consts::ARCH)
        .unwrap();
    check("target.triple", &|manifest| {
        manifest.target.id = other.id.to_owned();
        manifest.target.triple = other.triple().to_owned();
        manifest.target.level = other.level.to_owned();
        manifest.target.cpu_features = other.features.iter().map(|f| f.name.into()).collect();
        manifest.target.cpu_features.sort();
    });
    check("kind is `module`", &|manifest| {
        manifest.kind = edgec_artifact::Kind::Module;
    });
    check("engine.version", &|manifest| {
        manifest.engine.version = "49.0.0".to_owned();
    });
    check("engine.name", &|manifest| {
        manifest.engine.name = "other".to_owned();
    });
    // A name that the registry gives to something else, or to nothing.
    check("is not the target that this edgec knows", &|manifest| {
        manifest.target.id = other.id.to_owned();
    });
    check("is not the target that this edgec knows", &|manifest| {
        manifest.target.id = "quantum".to_owned();
    });
    check("is not the target that this edgec knows", &|manifest| {
        manifest.target.cpu_features.push("zzz".to_owned());
    });
    // Another level of the same family, consistent in itself, but not what the image asks for.
    let sibling = edgec_targets::all().find(|target| {
        target.arch.name() == std::env::consts::ARCH && target.id != forge.manifest.target.id
    });
    let sibling = sibling.unwrap();
    check("target.cpuFeatures", &|manifest| {
        manifest.target.id = sibling.id.to_owned();
        manifest.target.level = sibling.level.to_owned();
        manifest.target.cpu_features = sibling.features.iter().map(|f| f.name.into()).collect();
        manifest.target.cpu_features.sort();
    });
}

#[test]
fn a_manifest_about_another_file() {
    let forge = Forge::new();
    let error = forge.with_manifest(|manifest| manifest.image.length += 1);
    assert!(
        matches!(error, VerifyError::ImageLength { .. }),
        "{error:?}"
    );
    let error = forge.with_manifest(|manifest| manifest.image.fsverity = verity::digest(b"other"));
    assert!(
        matches!(error, VerifyError::ImageDigest { .. }),
        "{error:?}"
    );
}

#[test]
fn signatures_that_are_none() {
    let forge = Forge::new();
    let file = forge.sign(&forge.image, |image| Manifest {
        image,
        ..forge.manifest.clone()
    });
    let artifact = Artifact::decode(&file).unwrap();
    let payload = artifact.envelope().payload().to_vec();
    let signature = artifact.envelope().signatures()[0].clone();
    let with = |signatures: Vec<Signature>| {
        let envelope = Envelope::new(payload.clone(), signatures);
        forge.error(&encode(&forge.image, &envelope).unwrap())
    };
    assert_eq!(with(vec![]), VerifyError::NoSignature);
    let twice = with(vec![signature.clone(), signature.clone()]);
    assert!(matches!(twice, VerifyError::SameKeyTwice { .. }));
    let nobody = Sha256Digest::of(b"nobody").to_string();
    let renamed = with(vec![Signature::new(&nobody, *signature.bytes())]);
    assert!(matches!(
        renamed,
        VerifyError::Threshold { accepted: 0, .. }
    ));
    let zero = with(vec![Signature::new(signature.key_id(), [0; 64])]);
    assert!(matches!(zero, VerifyError::BadSignature { .. }));
    // A signature of the same key, over something else.
    let other = forge.key.sign(b"something else");
    let other = with(vec![Signature::new(signature.key_id(), other)]);
    assert!(matches!(other, VerifyError::BadSignature { .. }));
}

/// A signed statement of another kind is not taken for a manifest.
#[test]
fn a_signed_statement_about_something_else() {
    let forge = Forge::new();
    let payload = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://slsa.dev/provenance/v1","predicate":{}}"#;
    let pae = edgec_artifact::pae(edgec_artifact::PAYLOAD_TYPE, payload);
    let id = forge.key.public().id().to_string();
    let signature = Signature::new(&id, forge.key.sign(&pae));
    let envelope = Envelope::new(payload.to_vec(), vec![signature]);
    let error = forge.error(&encode(&forge.image, &envelope).unwrap());
    assert!(error.to_string().contains("slsa.dev"), "{error}");
}

/// Nobody can be made to sign what contradicts itself.
#[test]
fn an_artifact_whose_image_was_swapped_is_not_signed_again() {
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let artifact = Artifact::decode(&file).unwrap();
    let swapped = encode(b"another image", artifact.envelope()).unwrap();
    sandbox.write("swapped.cwasm", &swapped);
    let stderr = sandbox.fails(1, &["sign", "swapped.cwasm", "--key", "key.pem"]);
    assert!(stderr.starts_with("error[package]"), "{stderr}");
    assert_eq!(sandbox.read("swapped.cwasm"), swapped);
}
