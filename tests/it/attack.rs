//! Rows 1 to 22, 24 and 25 of `docs/threat-model.md`: changes to a file. Each case of the corpus
//! goes through the real binary. Exhaustive cases go through the library.

use std::collections::BTreeSet;

use edgec_artifact::Artifact;
use edgec_tests::Sandbox;
use edgec_tests::corpus::{self, Case, Forge, material, refused};
use edgec_verifier::{Expected, TrustPolicy, UnixTime, verify};

fn policy() -> TrustPolicy {
    edgec_tests::trusting(material().signer.public())
}

/// Gives every case of one row to the real binary.
fn refuse(row: u8) {
    let cases: Vec<Case> = corpus::cases();
    let cases = cases.iter().filter(|case| case.row == row);
    let mut names = BTreeSet::new();
    for case in cases {
        case.check();
        names.insert(case.name);
    }
    assert!(!names.is_empty(), "row {row} has no case");
}

macro_rules! rows {
        ($($row:literal $name:ident)*) => {
            $(#[test] fn $name() { refuse($row); })*
        };
    }

rows! {
    1 row_01_signatures_stripped
    2 row_02_one_key_counted_twice
    3 row_03_one_key_under_two_ids
    4 row_04_signatures_by_another_key
    5 row_05_small_order
    6 row_06_s_not_below_the_order
    7 row_07_another_payload_type
    8 row_08_another_valid_statement
    9 row_09_an_envelope_about_another_image
    10 row_10_a_signer_with_another_key
    11 row_11_downgrades_and_critical_fields
    12 row_12_bytes_between_the_regions
    13 row_13_duplicates
    14 row_14_strange_json
    15 row_15_lengths_that_cover_a_prefix
    16 row_16_offsets_that_overlap_or_wrap
    17 row_17_padding
    18 row_18_image_against_manifest
    20 row_20_absurd_sizes
    21 row_21_swapped_targets_and_kinds
    22 row_22_engine_metadata_and_cpu_features
    24 row_24_versions_out_of_range
    25 row_25_expired_and_not_yet_valid
    32 row_32_names_that_lead_out
}

/// A refusal is caused by the change: without a change, the forge's artifact is accepted.
#[test]
fn the_forge_itself_makes_good_artifacts() {
    let forge = Forge::of(material());
    for file in [
        forge.with_manifest(|_| {}),
        forge.with_image(|_| {}),
        forge.with_payload(&forge.payload),
        forge.with_signatures(&[(&forge.key_id(), &forge.signature())]),
        forge.with_envelope(forge.envelope()),
    ] {
        assert!(file == forge.file);
    }
    verify(
        forge.file,
        &policy(),
        &Expected::anything(),
        UnixTime::EPOCH,
    )
    .unwrap();
}

/// The program for documents, `tests/examples/forge.rs`.
#[test]
fn the_forge_as_a_program() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let forge = |arguments: &[&str]| {
        let mut command = std::process::Command::new(edgec_tests::forge());
        let artifact = [
            "--artifact",
            "hello.cwasm",
            "--key",
            "key.pem",
            "-o",
            "forged.cwasm",
        ];
        let command = command.current_dir(sandbox.path()).args(artifact);
        command.args(arguments).output().unwrap()
    };
    let output = forge(&[
        "--set",
        "engine.version=48.0.6",
        "--set",
        "channel=stable",
        "--set",
        "version=7",
        "--set",
        "validity.expires=4000000000",
    ]);
    assert!(output.status.success(), "{output:?}");
    let verify = [
        "verify",
        "--key",
        "key.pub.pem",
        "--format",
        "json",
        "forged.cwasm",
    ];
    let printed = sandbox.ok(&verify);
    for text in ["48.0.6", "stable", "4000000000"] {
        assert!(printed.contains(text), "{text}: {printed}");
    }
    for wrong in [
        &["--set", "version"][..],
        &["--set", "name.x=1"],
        &["--x", "y"],
    ] {
        assert!(!forge(wrong).status.success(), "{wrong:?}");
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut titles = BTreeSet::new();
    for case in corpus::cases() {
        // Padding is tried byte by byte under the same name.
        let fresh = titles.insert(case.title());
        assert!(fresh || case.row == 17, "{}", case.title());
    }
}

/// Row 4, and adding and replacing signatures.
#[test]
fn row_04_signed_again() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let other = ["verify", "--key", "other.pub.pem", "hello.cwasm"];
    refused(&sandbox, &other, "threshold");
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem", "--append"]);
    for keys in [&["key"][..], &["other"], &["key", "other"]] {
        let keys: Vec<String> = keys.iter().map(|key| format!("{key}.pub.pem")).collect();
        let mut arguments = vec!["verify", "hello.cwasm"];
        for key in &keys {
            arguments.extend(["--key", key]);
        }
        sandbox.ok(&arguments);
    }
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem"]);
    let key = ["verify", "--key", "key.pub.pem", "hello.cwasm"];
    refused(&sandbox, &key, "threshold");
}

/// Row 2, with edgec's own `sign`.
#[test]
fn row_02_signing_twice_is_signing_once() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["sign", "hello.cwasm", "--key", "key.pem", "--append"]);
    let file = sandbox.read("hello.cwasm");
    let artifact = Artifact::decode(&file).unwrap();
    assert_eq!(artifact.envelope().signatures().len(), 1);
}

/// Row 9: edgec refuses to sign statements that contradict themselves.
#[test]
fn row_09_a_swapped_image_is_not_signed_again() {
    let sandbox = Sandbox::new();
    let forge = Forge::of(material());
    let artifact = Artifact::decode(forge.file).unwrap();
    let swapped = edgec_artifact::encode(b"another image", artifact.envelope()).unwrap();
    sandbox.write("swapped.cwasm", &swapped);
    refused(
        &sandbox,
        &["sign", "swapped.cwasm", "--key", "key.pem"],
        "package",
    );
    assert_eq!(sandbox.read("swapped.cwasm"), swapped);
}

/// Row 19: every bit of the smallest artifact.
#[test]
fn row_19_every_bit() {
    let file = &material().smallest;
    let policy = policy();
    verify(file, &policy, &Expected::anything(), UnixTime::EPOCH).unwrap();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = file.len().div_ceil(workers);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let policy = &policy;
            scope.spawn(move || {
                let mut changed = file.clone();
                for at in worker * share..((worker + 1) * share).min(file.len()) {
                    for bit in 0..8 {
                        changed[at] ^= 1 << bit;
                        let refused =
                            verify(&changed, policy, &Expected::anything(), UnixTime::EPOCH)
                                .is_err();
                        assert!(refused, "byte {at}, bit {bit}");
                        changed[at] ^= 1 << bit;
                    }
                }
            });
        }
    });
}

/// Row 19: every beginning and every end of it.
#[test]
fn row_19_every_truncation() {
    let file = &material().smallest;
    let policy = policy();
    for len in 0..file.len() {
        assert!(
            verify(
                &file[..len],
                &policy,
                &Expected::anything(),
                UnixTime::EPOCH
            )
            .is_err(),
            "{len} bytes"
        );
        let end = &file[file.len() - len..];
        assert!(
            verify(end, &policy, &Expected::anything(), UnixTime::EPOCH).is_err(),
            "the last {len} bytes"
        );
    }
}

/// Row 19: one byte of each region, with the real binary.
#[test]
fn row_19_before_the_binary() {
    let forge = Forge::of(material());
    let image = forge.image.len();
    let file = forge.file;
    // Only letters of base64 that become another letter.
    let letter = |at: &usize| (file[*at] ^ 1).is_ascii_alphabetic();
    let payload = (image.next_multiple_of(8) + 200..).find(letter).unwrap();
    let flip = |name, at, code| Case::new(19, name, forge.flipped(at), code);
    let cut = |name, len: usize| Case::new(19, name, file[..len].to_vec(), "layout");
    for case in [
        flip("the ELF header", 0, "image-digest"),
        flip("the code", 0x1100, "image-digest"),
        flip("the last byte of the image", image - 1, "image-digest"),
        flip("the payload", payload, "bad-signature"),
        flip("the footer", file.len() - 40, "layout"),
        flip("the magic", file.len() - 1, "layout"),
        cut("one byte short", file.len() - 1),
        cut("half", file.len() / 2),
        cut("one byte", 1),
    ] {
        case.check();
    }
}

/// Row 20: verbs that show unverified artifacts are as strict as `verify`.
#[test]
fn row_20_inspected() {
    let host = corpus::Host::new(&corpus::Trust::Signer);
    let forge = Forge::of(material());
    let id = "a".repeat(100_000);
    host.sandbox.write(
        "a.cwasm",
        forge.with_signatures(&[(&id, &forge.signature())]),
    );
    assert!(host.sandbox.ok(&["inspect", "a.cwasm"]).contains(&id));
}

/// Row 20: a sparse file of a terabyte is refused by its length, in little memory.
#[cfg(target_os = "linux")]
#[test]
fn row_20_a_terabyte() {
    let host = corpus::Host::new(&corpus::Trust::Signer);
    let path = host.sandbox.path().join("huge.cwasm");
    let huge = std::fs::File::create(&path).unwrap();
    for (len, code) in [
        ((1 << 30) + 1, "too-long"),
        (1 << 40, "too-long"),
        (1 << 29, "layout"),
    ] {
        huge.set_len(len).unwrap();
        for verb in ["verify", "run"] {
            refused(&host.sandbox, &host.arguments(verb, "huge.cwasm"), code);
        }
    }
    // And within 256 MiB, for a length that would be too much.
    huge.set_len(1 << 40).unwrap();
    let script = format!(
        "ulimit -d 262144; exec {} verify --key key.pub.pem huge.cwasm",
        edgec_tests::binary().display()
    );
    let mut shell = std::process::Command::new("sh");
    edgec_tests::isolate(&mut shell, host.sandbox.path());
    let output = shell.args(["-c", &script]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("error[too-long]: "), "{stderr}");
}

/// Row 29: the engine's interpreter, whose image has no native code, with every description that a
/// signer could give it.
#[test]
fn row_29_a_pulley_image() {
    let mut config = wasmtime::Config::new();
    config.target("pulley64").unwrap();
    let engine = wasmtime::Engine::new(&config).unwrap();
    let image = engine.precompile_component(b"(component)").unwrap();
    let forge = Forge::of(material());
    for id in [&*forge.manifest.target.id, "pulley64"] {
        let file = forge.signed(&image, |image| {
            let mut manifest = forge.manifest.clone();
            manifest.image = image;
            manifest.target.id = id.to_owned();
            if id == "pulley64" {
                manifest.target.triple = id.to_owned();
                manifest.target.cpu_features.clear();
            }
            manifest
        });
        Case::new(29, "a Pulley image", file, "contradiction").check();
    }
}

/// Row 22: code for a level of this machine's family that this machine lacks.
#[test]
fn row_22_a_cpu_feature_that_the_host_lacks() {
    let host = edgec_targets::HostCpu::detect();
    let lacking = edgec_targets::all().find(|target| {
        let features = target.features.iter().map(|feature| feature.name);
        target.arch.name() == std::env::consts::ARCH
            && host.can_run(target.arch.name(), features).is_err()
    });
    let Some(target) = lacking else {
        eprintln!("SKIPPED: this machine runs every target of its family");
        return;
    };
    let sandbox = Sandbox::new();
    let hello = edgec_tests::repository().join("examples/hello.wat");
    sandbox.build(hello.to_str().unwrap(), target.id, "a.cwasm");
    sandbox.ok(&["verify", "--key", "key.pub.pem", "a.cwasm"]);
    refused(
        &sandbox,
        &["run", "--key", "key.pub.pem", "a.cwasm"],
        "host",
    );
}
