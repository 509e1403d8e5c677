//! The audit of native code: real artifacts have no findings, and planted code is found, by kind,
//! function and place.
//!
//! More than 400 lines: real code, planted code and arbitrary bytes go through one reader.

use edgec_artifact::Manifest;
use edgec_artifact::elf::ElfImage;
use edgec_compiler::Image;
use edgec_tests::corpus::{Forge, material};
use edgec_tests::planted::beds;
use edgec_tests::{Sandbox, guests};
use edgec_verifier::audit::{self, Arch, AuditError, MAX_FINDINGS, Problem};
use edgec_verifier::{Expected, TrustPolicy, UnixTime, VerifyError, verify};
use serde_json::Value;

#[test]
fn what_is_planted_is_found_with_function_and_place() {
    let sandbox = Sandbox::empty();
    let mut expected = Vec::new();
    let mut arguments = vec!["audit".to_owned(), "--format".to_owned(), "json".to_owned()];
    for (bed, planted) in beds() {
        for (number, (bytes, kind)) in planted.into_iter().enumerate() {
            let name = format!("{}-{number}.cwasm", bed.family());
            sandbox.write(&name, bed.plant(&bytes));
            arguments.push(name.clone());
            expected.push((
                name,
                bytes,
                kind,
                bed.number,
                bed.starts[bed.number],
                bed.at,
            ));
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = sandbox.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let reports: Vec<Value> = edgec_tests::results(&output.stdout);
    assert_eq!(reports.len(), expected.len());
    for (report, (name, bytes, kind, number, start, at)) in reports.iter().zip(expected) {
        assert_eq!(
            (&report["artifact"], &report["clean"]),
            (&name.into(), &false.into())
        );
        let findings = report["audit"]["findings"].as_array().unwrap();
        let found = findings.iter().find(|it| it["offset"] == at);
        let found = found.unwrap_or_else(|| panic!("{bytes:02x?} {kind}: {findings:#?}"));
        assert_eq!(found["problem"], kind, "{bytes:02x?}: {found:#?}");
        assert_eq!(found["function"]["number"], number);
        assert_eq!(found["function"]["start"], start);
        // There are no other findings, except where decoding lost its place.
        if kind != "undecodable" {
            assert_eq!(findings.len(), 1, "{bytes:02x?}: {findings:#?}");
        }
    }
}

/// If only harmless instructions are planted, nothing is found.
#[test]
fn what_is_harmless_is_not_found() {
    for (bed, _) in beds() {
        for file in [bed.plant(&[]), bed.forge.file.to_vec()] {
            let forge = Forge::new(&file, bed.forge.key);
            let report = audit::audit(&forge.image, &forge.manifest, None).unwrap();
            assert!(report.is_clean(), "{:#?}", report.findings);
            assert_eq!(report.functions as usize, bed.starts.len());
            assert_eq!(report.length as usize, bed.len);
            assert!(report.instructions > 1000 && report.padding > 100);
        }
    }
}

#[test]
fn a_policy_demands_the_audit() {
    let material = material();
    let pem = material.signer.public().to_pem();
    let policy = |text: &str| {
        let text = format!("threshold = 1\n{text}\n[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        TrustPolicy::from_toml(&text).unwrap()
    };
    let (bed, _) = beds().remove(0);
    let bad = bed.plant(if bed.family() == "x86_64" {
        &[0x0f, 0x05]
    } else {
        &[1, 0, 0, 0xd4]
    });
    let judge = |file: &[u8], policy: &TrustPolicy| {
        let verified = verify(file, policy, &Expected::anything(), UnixTime::EPOCH);
        verified.map(|it| {
            it.checks()
                .iter()
                .map(|check| (check.name.name(), check.status.word()))
                .collect::<Vec<_>>()
        })
    };
    let asked = policy("compiler.audit = true");
    let checks = judge(bed.forge.file, &asked).unwrap();
    assert!(checks.contains(&("audit", "passed")), "{checks:?}");
    // The engine's table is not read there, because it cannot be trusted.
    let astray = bed.with_entry_astray();
    let verified = verify(&astray, &asked, &Expected::anything(), UnixTime::EPOCH).unwrap();
    let mut checks = verified.checks().iter();
    let evidence = &checks
        .find(|check| check.name.name() == "audit")
        .unwrap()
        .evidence;
    assert!(
        evidence.ends_with("; entry points not checked"),
        "{evidence}"
    );
    match judge(&bad, &asked).unwrap_err() {
        error @ VerifyError::Audit { .. } => assert_eq!(error.code(), "audit"),
        other => panic!("{other}"),
    }
    let warned = judge(
        &bad,
        &policy("compiler.audit = true\nchecks.audit = 'warn'"),
    )
    .unwrap();
    assert!(warned.contains(&("audit", "WARNED")), "{warned:?}");
    let off = judge(&bad, &policy("compiler.audit = true\nchecks.audit = 'off'")).unwrap();
    assert!(off.contains(&("audit", "off")), "{off:?}");
    // The policy did not ask for it, and the report says so.
    let silent = judge(&bad, &policy("")).unwrap();
    assert!(silent.contains(&("audit", "not applicable")), "{silent:?}");
}

/// The engine enters code where its table says. If a table leads elsewhere, readers of the table
/// find this.
#[test]
fn the_engine_enters_functions_at_the_front() {
    let sandbox = Sandbox::empty();
    for (bed, _) in beds() {
        let image = Image::parse(&bed.forge.image).unwrap();
        let entries = image
            .entries(edgec_compiler::ProgramKind::Component)
            .unwrap();
        let audit = |image: &[u8], entries: Option<&[u32]>| {
            audit::audit(image, &bed.forge.manifest, entries).unwrap()
        };
        let report = audit(&bed.forge.image, Some(&entries));
        assert!(report.is_clean(), "{:#?}", report.findings);
        assert_eq!(report.entries, Some(entries.len() as u64));
        assert_eq!(audit(&bed.forge.image, None).entries, None);
        // Inside a function, inside an instruction, in padding, outside the code.
        let last = u32::try_from(bed.len).unwrap();
        let inside = u32::try_from(bed.at).unwrap();
        for (entry, at) in [
            (inside, "inside a function"),
            (inside - 1, "inside an instruction"),
            (last - 1, "in padding"),
            (last, "outside the code"),
            (u32::MAX, "outside the code"),
        ] {
            let report = audit(&bed.forge.image, Some(&[entries[0], entry]));
            let [finding] = report.findings.as_slice() else {
                panic!("{:#?}", report.findings);
            };
            assert_eq!(
                (finding.offset, finding.problem.name()),
                (entry.into(), "entry")
            );
            let said = finding.problem.to_string();
            assert_eq!(said, format!("an entry point of the engine, {at}"));
        }
        // The real table with one changed place, as the command reads it.
        let moved = bed.with_entry_astray();
        let name = format!("{}.cwasm", bed.family());
        sandbox.write(&name, &moved);
        let output = sandbox.run(&["audit", &name]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains(": an entry point of the engine, inside a"),
            "{text}"
        );
    }
}

/// Without a signature, the audit still compares an image with its own manifest.
#[test]
fn image_and_manifest_belong_together() {
    let sandbox = Sandbox::empty();
    let mut file = material().hello.clone();
    file[0x1400] ^= 1;
    sandbox.write("changed.cwasm", &file);
    let error = sandbox.fails(1, &["audit", "changed.cwasm"]);
    assert!(
        error.contains("error[image-digest]: changed.cwasm: "),
        "{error}"
    );
}

/// If tables are damaged, nothing is said about the code.
#[test]
fn code_with_a_damaged_table_is_not_audited() {
    let forge = Forge::of(material());
    let elf = ElfImage::parse(&forge.image).unwrap();
    let sandbox = Sandbox::empty();
    type Damage = fn(&mut [u8]);
    let damages: [(&str, Damage); 2] = [
        (".wasmtime.info", |bytes| bytes.fill(0xff)),
        (".wasmtime.exceptions", |bytes| bytes[0] ^= 0xff),
    ];
    for (name, damage) in damages {
        let section = elf.sections.iter().find(|it| it.name == name).unwrap();
        let (begin, length) = (section.offset as usize, section.size as usize);
        let file = forge.with_image(|image| damage(&mut image[begin..][..length]));
        sandbox.write("a.cwasm", file);
        let stderr = sandbox.fails(1, &["audit", "a.cwasm"]);
        let begins = "error[not-audited]: a.cwasm: ";
        assert!(stderr.starts_with(begins), "{name}: {stderr}");
    }
}

/// Code for a newer CPU is described as code for an older one. The instructions show it.
#[test]
fn features_that_are_not_declared_are_found() {
    let sandbox = Sandbox::new();
    let text = r#"(module (memory 1) (func (export "f") (param f64 f64) (result f64)
        (f64.add (local.get 0) (f64.mul (local.get 0) (local.get 1))))
        (func (export "g") (param i32) (result i32)
            (i32.atomic.rmw.add (local.get 0) (i32.const 1))))"#;
    sandbox.write("m.wat", text);
    let material = material();
    for (newer, older, feature) in [
        ("x86_64-v3", "x86_64", "avx"),
        ("neoverse-n1", "aarch64", "lse"),
    ] {
        sandbox.build("m.wat", newer, "m.cwasm");
        let file = sandbox.read("m.cwasm");
        let forge = Forge::new(&file, &material.signer);
        let report = audit::audit(&forge.image, &forge.manifest, None).unwrap();
        assert!(
            report.is_clean() && report.features.iter().any(|it| it == feature),
            "{report:#?}"
        );
        let older = edgec_targets::find(older).unwrap();
        let lied = forge.with_manifest(|manifest| {
            manifest.target.cpu_features =
                older.features.iter().map(|it| it.name.to_owned()).collect();
        });
        let manifest = Forge::new(&lied, &material.signer).manifest;
        let report = audit::audit(&forge.image, &manifest, None).unwrap();
        let finding = report.findings.first().unwrap();
        match &finding.problem {
            Problem::Feature { missing, .. } => assert!(missing.contains(feature), "{finding}"),
            _ => panic!("{finding}"),
        }
        // A check of signatures refuses it earlier, because the image itself states its flags.
        sandbox.write("lied.cwasm", &lied);
        sandbox.write("k.pub.pem", material.signer.public().to_pem());
        let error = sandbox.fails(1, &["verify", "-q", "--key", "k.pub.pem", "lied.cwasm"]);
        assert!(error.contains("error[contradiction]"), "{error}");
    }
}

#[test]
fn each_error_has_a_case() {
    let material = material();
    let forge = Forge::of(material);
    let audit = |image: &[u8]| audit::audit(image, &forge.manifest, None).unwrap_err();
    assert!(matches!(audit(b"no image"), AuditError::Image(_)));
    let long = vec![0; audit::MAX_AUDITED_LEN + 1];
    let error = audit::audit_text(Arch::X86_64, &long, &[], None).unwrap_err();
    assert!(matches!(error, AuditError::TooLong { .. }));
    let elf = ElfImage::parse(&forge.image).unwrap();
    let section = elf
        .sections
        .iter()
        .find(|it| it.name == ".wasmtime.exceptions");
    let mut broken = forge.image.clone();
    broken[section.unwrap().offset as usize] ^= 0xff;
    assert!(matches!(audit(&broken), AuditError::Handlers));
    let engine = elf.sections.iter().find(|it| it.name == ".wasmtime.engine");
    let version = engine.unwrap().offset as usize + 2;
    let mut other = forge.image.clone();
    assert_eq!(&other[version..version + 2], b"48");
    other[version + 1] = b'9';
    assert!(matches!(audit(&other), AuditError::Engine { found } if found == "49"));
    // An exception handler at a place where no instruction begins.
    let section = section.unwrap();
    let last = (section.offset + section.size) as usize - 4;
    let mut astray = forge.image.clone();
    astray[last..last + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let report = audit::audit(&astray, &forge.manifest, None).unwrap();
    assert_eq!(report.findings.last().unwrap().problem.name(), "handler");
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// If a program is longer than the reach of a call, its code has veneers between functions, which
/// are called instead.
#[test]
fn a_veneer_is_called_as_what_it_leads_to() {
    // bl veneer, in a frame; ldrsw x16, word; adr x17, word; add x16, x16, x17; br x16; the word; a
    // second function.
    let text = |distance: u32| {
        let mut text = words(&[
            0xa9bf_7bfd,
            0x9100_03fd,
            0x9400_0003,
            0xa8c1_7bfd,
            0xd65f_03c0,
            0x9800_0090,
            0x1000_0071,
            0x8b11_0210,
            0xd61f_0200,
            distance,
        ]);
        text.resize(64, 0);
        text.extend(words(&[0xa9bf_7bfd, 0x9100_03fd, 0xa8c1_7bfd, 0xd65f_03c0]));
        text
    };
    let audit = |distance| audit::audit_text(Arch::Aarch64, &text(distance), &[], None).unwrap();
    let clean = audit(28);
    assert!(clean.is_clean(), "{:#?}", clean.findings);
    assert_eq!(clean.data, 4);
    // A place after the frame of the second function: neither the veneer nor its target is the
    // beginning of a function.
    let behind = audit(32).findings;
    let offsets: Vec<_> = behind
        .iter()
        .map(|it| (it.offset, it.problem.name()))
        .collect();
    assert_eq!(offsets, [(8, "branch"), (32, "branch")]);
}

/// A jump table that, according to the comparison before it, may be longer than the code.
#[test]
fn a_jump_table_does_not_leave_the_code() {
    let text = [
        &[0x55, 0x48, 0x89, 0xe5][..],               // push rbp; mov rbp, rsp
        &[0xb8, 0xff, 0xff, 0xff, 0x7f],             // mov eax, 0x7fffffff
        &[0x39, 0xc7, 0x0f, 0x42, 0xc7],             // cmp edi, eax; cmovb eax, edi
        &[0x48, 0x8d, 0x0d, 0x09, 0, 0, 0],          // lea rcx, [rip + 9]
        &[0x48, 0x63, 0x14, 0x81, 0x48, 0x01, 0xd1], // movsxd rdx, [rcx + 4 * rax]; add rcx, rdx
        &[0xff, 0xe1],                               // jmp rcx
        &[0xe6, 0xff, 0xff, 0xff],                   // the first entry, after the frame
    ]
    .concat();
    let report = audit::audit_text(Arch::X86_64, &text, &[], None).unwrap();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|it| (it.offset, it.problem.name()))
        .collect();
    assert_eq!(found, [(28, "reference")]);
}

/// No code is searched twice: otherwise this would take hours.
#[test]
fn much_garbage_takes_no_longer_than_code() {
    let mut text = vec![0; 3];
    text.extend(words(&[0xa9bf_7bfd, 0x9100_03fd]));
    text.extend(words(&[0xd503_245f]).repeat(4 << 20));
    let report = audit::audit_text(Arch::Aarch64, &text, &[], None).unwrap();
    assert!(report.found > 0);
}

/// For any bytes, there is a result, it is the same the second time, and its numbers add up.
#[test]
fn any_bytes_have_an_answer() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let texts: Vec<(Arch, Vec<u8>)> = beds()
        .into_iter()
        .map(|(bed, _)| {
            let code = bed.forge.image[bed.text..bed.text + bed.len].to_vec();
            (Arch::named(bed.family()).unwrap(), code)
        })
        .collect();
    for round in 0..400 {
        for (arch, code) in &texts {
            let mut text = match round % 2 {
                0 => (0..random() % 600)
                    .map(|_| random().to_le_bytes()[0])
                    .collect(),
                _ => code.clone(),
            };
            for _ in 0..(round % 40) {
                if let Some(len) = u64::try_from(text.len()).ok().filter(|len| *len > 0) {
                    let at = usize::try_from(random() % len).unwrap();
                    text[at] = random().to_le_bytes()[0];
                }
            }
            let entries = [0, u32::from(random().to_le_bytes()[0])];
            let audit = || audit::audit_text(*arch, &text, &[], Some(&entries)).unwrap();
            let report = audit();
            assert_eq!(report, audit());
            assert!(report.entries.is_some_and(|count| count <= 2));
            assert_eq!(report.length, text.len() as u64);
            assert!(report.instructions + report.data + report.padding <= report.length);
            assert!(report.findings.len() <= MAX_FINDINGS);
            assert_eq!(
                report.findings.len() as u64,
                report.found.min(MAX_FINDINGS as u64)
            );
        }
    }
}

/// The example for every target. The real programs for every target with its own code in one
/// profile, and for some in the other. The largest program is left out here: two of its artifacts
/// are audited where they are built.
#[test]
fn what_is_built_is_clean() {
    let sandbox = Sandbox::new();
    let ids = |filter: &dyn Fn(&edgec_targets::Target) -> bool| {
        let targets = edgec_targets::all().filter(|target| filter(target));
        targets.map(|target| target.id).collect::<Vec<_>>()
    };
    let example = edgec_tests::repository().join("examples/hello.wat");
    let example = vec![example.to_str().unwrap().to_owned()];
    let mut programs = Vec::new();
    if let Some(folder) = guests() {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let names = paths.map(|path| path.to_str().unwrap().to_owned());
        programs.extend(names.filter(|it| it.ends_with(".wasm") && !it.contains("js-http")));
    }
    let different = ids(&|target| target.same_code_as().is_none());
    let some = ids(&|target| ["x86_64-v3", "neoverse-n1"].contains(&target.id));
    let mut expected = 0;
    for (inputs, targets, profile) in [
        (&example, &ids(&|_| true), "default"),
        (&example, &different, "edge"),
        (&programs, &different, "default"),
        (&programs, &some, "edge"),
    ] {
        if inputs.is_empty() {
            continue;
        }
        let (all, out) = (targets.join(","), format!("{profile}/"));
        let mut arguments = vec!["build", "-q", "--key", "key.pem", "-t", &all, "-O0"];
        arguments.extend(["--profile", profile, "-o", &out]);
        arguments.extend(inputs.iter().map(String::as_str));
        sandbox.ok(&arguments);
        expected += inputs.len() * targets.len();
    }
    let files = sandbox.files();
    let built: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|it| it.ends_with(".cwasm"))
        .collect();
    assert_eq!(built.len(), expected);
    let mut arguments = vec!["audit", "--format", "json"];
    arguments.extend(&built);
    let reports: Vec<Value> = edgec_tests::results(sandbox.ok(&arguments));
    for report in reports {
        assert_eq!(report["clean"], true, "{report:#?}");
        assert_eq!(report["verified"], false);
        let declared = edgec_targets::find(report["target"].as_str().unwrap()).unwrap();
        for used in report["audit"]["features"].as_array().unwrap() {
            assert!(declared.features.iter().any(|it| used == it.name), "{used}");
        }
    }
}

/// The manifest need not be true for this: only its features are used.
#[test]
fn the_family_is_the_images() {
    let material = material();
    let forge = Forge::new(&material.foreign, &material.signer);
    let mine: Manifest = Forge::of(material).manifest;
    let report = audit::audit(&forge.image, &mine, None).unwrap();
    assert!(report.is_clean());
}
