//! The native-code audit: real artifacts are clean, and what is planted in one is found, by kind, function and
//! place.

use edgec_artifact::Manifest;
use edgec_artifact::elf::ElfImage;
use edgec_tests::corpus::{Forge, Material, material};
use edgec_tests::{Sandbox, shared};
use edgec_verifier::audit::{self, AuditError, MAX_FINDINGS, Problem};
use edgec_verifier::{Expected, TrustPolicy, VerifyError, verify};
use serde_json::Value;

/// A family's artifact, and what is needed to plant something in it.
struct Bed<'a> {
    forge: Forge<'a>,
    /// Where the code begins in the image.
    text: usize,
    len: usize,
    /// Where the functions begin in the code: every place where a frame is set up.
    starts: Vec<usize>,
    /// What may be overwritten: a function's number and the place behind its prologue.
    number: usize,
    at: usize,
    room: usize,
    nop: &'static [u8],
    trap: &'static [u8],
}

const FRAMES: [&[u8]; 2] = [
    &[0x55, 0x48, 0x89, 0xe5],
    &[0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91],
];
const NOPS: [(&[u8], &[u8]); 2] = [
    (&[0x90], &[0x0f, 0x0b]),
    (&[0x1f, 0x20, 0x03, 0xd5], &[0x1f, 0xc1, 0, 0]),
];

impl<'a> Bed<'a> {
    fn new(file: &'a [u8], material: &'a Material) -> Self {
        let forge = Forge::new(file, &material.signer);
        let elf = ElfImage::parse(&forge.image).unwrap();
        let text = elf.sections.iter().find(|it| it.name == ".text").unwrap();
        let (text, len) = (text.offset as usize, text.size as usize);
        let code = &forge.image[text..text + len];
        let family = usize::from(forge.manifest.target.triple.starts_with("aarch64"));
        let frame = FRAMES[family];
        let starts: Vec<usize> = (0..len)
            .filter(|at| code[*at..].starts_with(frame))
            .collect();
        // In the middle, and with room.
        let roomy = |number: &usize| starts[number + 1] - starts[*number] >= 160;
        let number = (starts.len() / 2..starts.len() - 1).find(roomy).unwrap();
        let at = starts[number] + frame.len();
        let room = starts[number + 1] - at;
        let (nop, trap) = NOPS[family];
        Self {
            forge,
            text,
            len,
            starts,
            number,
            at,
            room,
            nop,
            trap,
        }
    }

    fn family(&self) -> &str {
        self.forge.manifest.target.triple.split('-').next().unwrap()
    }

    /// The function's body becomes these bytes, instructions that do nothing, and a trap; its constants
    /// become instructions too.
    fn plant(&self, bytes: &[u8]) -> Vec<u8> {
        self.forge.with_image(|image| {
            let body = &mut image[self.text + self.at..][..self.room];
            let end = body.len() - self.trap.len();
            let (code, trap) = body.split_at_mut(end);
            code[..bytes.len()].copy_from_slice(bytes);
            let rest = &mut code[bytes.len()..];
            for (at, byte) in rest.iter_mut().enumerate() {
                *byte = self.nop[at % self.nop.len()];
            }
            trap.copy_from_slice(self.trap);
        })
    }
}

/// Instructions that have no place in guest code, as bytes, with the problem that is to be reported.
const X86_64: &[(&[u8], &str)] = &[
    (&[0x0f, 0x05], "system-call"),                             // syscall
    (&[0x0f, 0x34], "system-call"),                             // sysenter
    (&[0x48, 0x0f, 0x07], "system-call"),                       // sysretq
    (&[0xcd, 0x80], "interrupt"),                               // int 0x80
    (&[0xcc], "interrupt"),                                     // int3
    (&[0xf1], "interrupt"),                                     // int1
    (&[0x48, 0xcf], "interrupt"),                               // iretq
    (&[0xec], "input-output"),                                  // in al, dx
    (&[0xe7, 0x10], "input-output"),                            // out 0x10, eax
    (&[0x6e], "input-output"),                                  // outsb
    (&[0xf4], "privileged"),                                    // hlt
    (&[0xfa], "privileged"),                                    // cli
    (&[0xfb], "privileged"),                                    // sti
    (&[0x0f, 0x22, 0xd8], "privileged"),                        // mov cr3, rax
    (&[0x0f, 0x21, 0xf8], "privileged"),                        // mov rax, dr7
    (&[0x0f, 0x30], "privileged"),                              // wrmsr
    (&[0x0f, 0x32], "privileged"),                              // rdmsr
    (&[0x0f, 0x01, 0x10], "privileged"),                        // lgdt [rax]
    (&[0x0f, 0x01, 0x38], "privileged"),                        // invlpg [rax]
    (&[0x0f, 0x01, 0xef], "protection-keys"),                   // wrpkru
    (&[0x0f, 0x01, 0xee], "protection-keys"),                   // rdpkru
    (&[0x0f, 0xae, 0x28], "extended-state"),                    // xrstor [rax]
    (&[0x0f, 0xc7, 0x18], "extended-state"),                    // xrstors [rax]
    (&[0x0f, 0xae, 0x20], "extended-state"),                    // xsave [rax]
    (&[0x0f, 0x01, 0xd1], "extended-state"),                    // xsetbv
    (&[0x0f, 0xae, 0x10], "extended-state"),                    // ldmxcsr [rax]
    (&[0x0f, 0xae, 0x08], "extended-state"),                    // fxrstor [rax]
    (&[0xf3, 0x48, 0x0f, 0xae, 0xd0], "segment"),               // wrfsbase rax
    (&[0xf3, 0x48, 0x0f, 0xae, 0xd8], "segment"),               // wrgsbase rax
    (&[0xf3, 0x48, 0x0f, 0xae, 0xc0], "segment"),               // rdfsbase rax
    (&[0x8e, 0xe0], "segment"),                                 // mov fs, eax
    (&[0x8c, 0xe8], "segment"),                                 // mov eax, gs
    (&[0x0f, 0xa0], "segment"),                                 // push fs
    (&[0x0f, 0xa9], "segment"),                                 // pop gs
    (&[0x0f, 0xb4, 0x00], "segment"),                           // lfs eax, [rax]
    (&[0x64, 0x48, 0x8b, 0x00], "segment"),                     // mov rax, fs:[rax]
    (&[0x65, 0x48, 0x89, 0x00], "segment"),                     // mov gs:[rax], rax
    (&[0xff, 0x28], "far-transfer"),                            // jmp far [rax]
    (&[0xff, 0x18], "far-transfer"),                            // call far [rax]
    (&[0xcb], "far-transfer"),                                  // retf
    (&[0x0f, 0x01, 0xc1], "virtualization"),                    // vmcall
    (&[0x0f, 0x01, 0xd9], "virtualization"),                    // vmmcall
    (&[0x0f, 0x01, 0xd7], "virtualization"),                    // enclu
    (&[0x0f, 0x31], "clock"),                                   // rdtsc
    (&[0x0f, 0x01, 0xf9], "clock"),                             // rdtscp
    (&[0x0f, 0x33], "clock"),                                   // rdpmc
    (&[0x0f, 0xae, 0x38], "cache"),                             // clflush [rax]
    (&[0x66, 0x0f, 0xae, 0x38], "cache"),                       // clflushopt [rax]
    (&[0x0f, 0x18, 0x08], "cache"),                             // prefetcht0 [rax]
    (&[0x0f, 0x01, 0xd5], "transaction"),                       // xend
    (&[0xf3, 0x90], "wait"),                                    // pause
    (&[0xf3, 0x0f, 0xae, 0xf0], "wait"),                        // umonitor rax
    (&[0xf3, 0x48, 0x0f, 0xae, 0xe8], "shadow-stack"),          // incsspq rax
    (&[0x0f, 0xa2], "machine"),                                 // cpuid
    (&[0x0f, 0x01, 0x00], "machine"),                           // sgdt [rax]
    (&[0xf3, 0xa4], "unexpected"),                              // rep movsb
    (&[0x0f, 0xc7, 0xf0], "unexpected"),                        // rdrand eax
    (&[0xd9, 0xe8], "unexpected"),                              // fld1
    (&[0x67, 0x8b, 0x00], "unexpected"),                        // mov eax, [eax]
    (&[0x66, 0x67, 0x8b, 0x00], "unexpected"),                  // mov ax, [eax]
    (&[0x48, 0x66, 0xff, 0xe0], "unexpected"),                  // jmp rax, with prefixes
    (&[0xc5, 0xf8, 0x58, 0xc0], "feature"),                     // vaddps xmm0, xmm0, xmm0
    (&[0xf3, 0x0f, 0xbd, 0xc0], "feature"),                     // lzcnt eax, eax
    (&[0x62, 0xf1, 0x7c, 0x08, 0x58, 0xc0], "feature"),         // vaddps, by EVEX
    (&[0xeb, 0x02, 0x48, 0x89, 0xe5], "branch"),                // jmp into mov rbp, rsp
    (&[0x0f, 0x84, 0x00, 0x00, 0x00, 0x70], "branch"),          // je beyond the code
    (&[0x48, 0x8d, 0x05, 0x00, 0x00, 0x00, 0x70], "reference"), // lea beyond the code
    (
        &[0xf2, 0x0f, 0x10, 0x05, 0xf8, 0xff, 0xff, 0xff],
        "reference",
    ), // a load of itself
    (&[0x06], "undecodable"),
    (&[0xff, 0xff], "undecodable"),
];

const AARCH64: &[(u32, &str)] = &[
    (0xd400_0001, "system-call"),     // svc #0
    (0xd400_0002, "virtualization"),  // hvc #0
    (0xd400_0003, "virtualization"),  // smc #0
    (0xd420_0000, "interrupt"),       // brk #0
    (0xd440_0000, "interrupt"),       // hlt #0
    (0xd4a0_0001, "interrupt"),       // dcps1
    (0xd69f_03e0, "privileged"),      // eret
    (0xd518_1000, "privileged"),      // msr sctlr_el1, x0
    (0xd538_1000, "privileged"),      // mrs x0, sctlr_el1
    (0xd503_42df, "privileged"),      // msr daifset, #2
    (0xd508_871f, "privileged"),      // tlbi vmalle1
    (0xd508_7800, "privileged"),      // at s1e1r, x0
    (0xd518_2100, "privileged"),      // msr apiakeylo_el1, x0
    (0xf840_0800, "privileged"),      // ldtr x0, [x0]
    (0xb800_0800, "privileged"),      // sttr w0, [x0]
    (0xd53b_d040, "segment"),         // mrs x0, tpidr_el0
    (0xd51b_d040, "segment"),         // msr tpidr_el0, x0
    (0xd51b_4400, "extended-state"),  // msr fpcr, x0
    (0xd51b_a280, "protection-keys"), // msr por_el0, x0
    (0xd53b_e040, "clock"),           // mrs x0, cntvct_el0
    (0xd53b_9d00, "clock"),           // mrs x0, pmccntr_el0
    (0xd50b_7e20, "cache"),           // dc civac, x0
    (0xd50b_7420, "cache"),           // dc zva, x0
    (0xd50b_7520, "cache"),           // ic ivau, x0
    (0xf980_0000, "cache"),           // prfm pldl1keep, [x0]
    (0xd523_3060, "transaction"),     // tstart x0
    (0xd503_205f, "wait"),            // wfe
    (0xd503_207f, "wait"),            // wfi
    (0xd503_203f, "wait"),            // yield
    (0xd91f_0c00, "shadow-stack"),    // gcsstr x0, [x0]
    (0xd538_0000, "machine"),         // mrs x0, midr_el1
    (0xd53b_0020, "machine"),         // mrs x0, ctr_el0
    (0xd920_0800, "memory-tags"),     // stg x0, [x0]
    (0x9ac0_1000, "memory-tags"),     // irg x0, x0, x0
    (0xd503_3fdf, "unexpected"),      // isb
    (0x9000_0000, "unexpected"),      // adrp x0
    (0xb8bf_c000, "unexpected"),      // ldapr w0, [x0]
    (0xffff_ffff, "unexpected"),
    (0xb8e0_0041, "feature"),   // ldaddal w0, w1, [x2]
    (0x1ee0_2800, "feature"),   // fadd h0, h0, h0
    (0x15ff_ffff, "branch"),    // b beyond the code
    (0x3603_ffe0, "branch"),    // tbz to padding behind the code
    (0x5800_0000, "reference"), // ldr x0 of itself
    (0x507f_ffe0, "reference"), // adr beyond the code
];

fn beds() -> Vec<(Bed<'static>, Vec<(Vec<u8>, &'static str)>)> {
    let material = material();
    let files = [&material.hello, &material.foreign];
    let beds = files.map(|file| Bed::new(file, material));
    let planted = |bed: Bed<'static>| {
        let mut planted: Vec<(Vec<u8>, &str)> = match bed.family() {
            "x86_64" => X86_64
                .iter()
                .map(|(bytes, kind)| (bytes.to_vec(), *kind))
                .collect(),
            _ => AARCH64
                .iter()
                .map(|(word, kind)| (word.to_le_bytes().to_vec(), *kind))
                .collect(),
        };
        // A call into the middle of another function.
        let other =
            bed.starts[bed.number - 1] + FRAMES[usize::from(bed.family() != "x86_64")].len();
        let distance = other as i64 - bed.at as i64;
        planted.push(match bed.family() {
            "x86_64" => {
                let distance = i32::try_from(distance - 5).unwrap();
                ([&[0xe8][..], &distance.to_le_bytes()].concat(), "branch")
            }
            _ => {
                let distance = i32::try_from(distance / 4).unwrap().cast_unsigned() & 0x03ff_ffff;
                ((0x9400_0000 | distance).to_le_bytes().to_vec(), "branch")
            }
        });
        (bed, planted)
    };
    beds.into_iter().map(planted).collect()
}

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
    let reports: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
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
        // Nothing else is, but where the pass lost its way.
        if kind != "undecodable" {
            assert_eq!(findings.len(), 1, "{bytes:02x?}: {findings:#?}");
        }
    }
}

/// The place itself does nothing: with only harmless instructions in it, nothing is found.
#[test]
fn what_is_harmless_is_not_found() {
    for (bed, _) in beds() {
        for file in [bed.plant(&[]), bed.forge.file.to_vec()] {
            let forge = Forge::new(&file, bed.forge.key);
            let report = audit::audit(&forge.image, &forge.manifest).unwrap();
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
        let verified = verify(file, policy, &Expected::anything(), 0);
        verified.map(|it| {
            it.checks()
                .iter()
                .map(|check| (check.name.name(), check.status.word()))
                .collect::<Vec<_>>()
        })
    };
    let asked = policy("compiler.audit = true");
    let checks = judge(bed.forge.file, &asked).unwrap();
    assert_eq!(checks.last(), Some(&("audit", "passed")));
    match judge(&bad, &asked).unwrap_err() {
        error @ VerifyError::Audit { .. } => assert_eq!(error.code(), "audit"),
        other => panic!("{other}"),
    }
    let warned = judge(
        &bad,
        &policy("compiler.audit = true\nchecks.audit = 'warn'"),
    )
    .unwrap();
    assert_eq!(warned.last(), Some(&("audit", "WARNED")));
    let off = judge(&bad, &policy("compiler.audit = true\nchecks.audit = 'off'")).unwrap();
    assert_eq!(off.last(), Some(&("audit", "off")));
    // Nobody asked: nothing is said.
    let silent = judge(&bad, &policy("")).unwrap();
    assert!(silent.iter().all(|(name, _)| *name != "audit"));
}

/// Code for a newer CPU under the description of an older one: the instructions give it away.
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
        let report = audit::audit(&forge.image, &forge.manifest).unwrap();
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
        let report = audit::audit(&forge.image, &manifest).unwrap();
        let finding = report.findings.first().unwrap();
        match &finding.problem {
            Problem::Feature { missing, .. } => assert!(missing.contains(feature), "{finding}"),
            _ => panic!("{finding}"),
        }
        // It never gets that far where signatures are checked: the image states its flags itself.
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
    let audit = |image: &[u8]| audit::audit(image, &forge.manifest).unwrap_err();
    assert!(matches!(audit(b"no image"), AuditError::Image(_)));
    for family in ["riscv64", "s390x", "pulley64"] {
        let error = audit::audit_text(family, &[], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("not audited: no decoder for {family}")
        );
        assert!(matches!(error, AuditError::NoDecoder { .. }));
    }
    let long = vec![0; audit::MAX_AUDITED_LEN + 1];
    let error = audit::audit_text("x86_64", &long, &[]).unwrap_err();
    assert!(matches!(error, AuditError::TooLong { .. }));
    let elf = ElfImage::parse(&forge.image).unwrap();
    let section = elf
        .sections
        .iter()
        .find(|it| it.name == ".wasmtime.exceptions");
    let mut broken = forge.image.clone();
    broken[section.unwrap().offset as usize] ^= 0xff;
    assert!(matches!(audit(&broken), AuditError::Handlers));
    // An exception handler where nothing begins.
    let section = section.unwrap();
    let last = (section.offset + section.size) as usize - 4;
    let mut astray = forge.image.clone();
    astray[last..last + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let report = audit::audit(&astray, &forge.manifest).unwrap();
    assert_eq!(report.findings.last().unwrap().problem.name(), "handler");
}

/// Whatever the bytes are: an answer, the same again, and numbers that add up.
#[test]
fn any_bytes_have_an_answer() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let texts: Vec<(String, Vec<u8>)> = beds()
        .into_iter()
        .map(|(bed, _)| {
            let code = bed.forge.image[bed.text..bed.text + bed.len].to_vec();
            (bed.family().to_owned(), code)
        })
        .collect();
    for round in 0..400 {
        for (family, code) in &texts {
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
            let report = audit::audit_text(family, &text, &[]).unwrap();
            assert_eq!(report, audit::audit_text(family, &text, &[]).unwrap());
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

/// The example for every target, and the real programs for every target and profile (but the largest,
/// of which two are audited where they are built).
#[test]
fn what_is_built_is_clean() {
    let sandbox = Sandbox::new();
    let mut targets: Vec<&str> = edgec_targets::all().map(|target| target.id).collect();
    targets.retain(|id| {
        let family = edgec_targets::find(id).unwrap().triple();
        family.starts_with("x86_64") || family.starts_with("aarch64")
    });
    let example = edgec_tests::repository().join("examples/hello.wat");
    let mut inputs = vec![example.to_str().unwrap().to_owned()];
    match shared("guests") {
        Some(folder) => {
            let entries = std::fs::read_dir(folder).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            let names = paths.map(|path| path.to_str().unwrap().to_owned());
            inputs.extend(names.filter(|it| it.ends_with(".wasm") && !it.contains("js-http")));
        }
        None => {
            assert!(std::env::var_os("EDGEC_REQUIRE_GUESTS").is_none());
            eprintln!("skipped in part: no guests beside the repository");
        }
    }
    let all = targets.join(",");
    for profile in ["default", "edge"] {
        let mut arguments = vec!["build", "-q", "--key", "key.pem", "-t", &all, "-O0"];
        let out = format!("{profile}/");
        arguments.extend(["--profile", profile, "-o", &out]);
        arguments.extend(inputs.iter().map(String::as_str));
        sandbox.ok(&arguments);
    }
    let files = sandbox.files();
    let built: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|it| it.ends_with(".cwasm"))
        .collect();
    assert_eq!(built.len(), 2 * inputs.len() * targets.len());
    let mut arguments = vec!["audit", "--format", "json"];
    arguments.extend(&built);
    let reports: Vec<Value> = serde_json::from_str(&sandbox.ok(&arguments)).unwrap();
    for report in reports {
        assert_eq!(report["clean"], true, "{report:#?}");
        assert_eq!(report["verified"], false);
        let declared = edgec_targets::find(report["target"].as_str().unwrap()).unwrap();
        for used in report["audit"]["features"].as_array().unwrap() {
            assert!(declared.features.iter().any(|it| used == it.name), "{used}");
        }
    }
}

/// The manifest is not needed to be true for this: only its features are looked at.
#[test]
fn the_family_is_the_images() {
    let material = material();
    let forge = Forge::new(&material.foreign, &material.signer);
    let mine: Manifest = Forge::of(material).manifest;
    let report = audit::audit(&forge.image, &mine).unwrap();
    assert!(report.is_clean());
}
