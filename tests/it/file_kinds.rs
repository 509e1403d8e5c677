//! If a file is given to the wrong verb, the error names the kind of file and the right verb or
//! tool.

use edgec_tests::{Sandbox, repository};

/// Each kind of file, its name in messages, and a part of the hint.
const OTHERS: &[(&str, &str, &str)] = &[
    ("app.wasm.gz", "a gzip archive", "gunzip"),
    ("app.wasm.zst", "a Zstandard archive", "unzstd"),
    ("app.zip", "a ZIP archive", "unzip"),
    ("native", "a native program or library (ELF)", "WebAssembly"),
    ("object.o", "a native object file (ELF)", "WebAssembly"),
    ("private.pem", "a private key", "--key"),
    ("key.pub.pem", "a public key", "--key"),
    ("cert.pem", "a PEM file", ""),
    ("package.json", "a JSON document", ""),
    ("policy.toml", "a trust policy", "--trust"),
    ("page.html", "an HTML page", "address"),
    ("script.sh", "a script", ""),
    ("utf16.wat", "text in UTF-16", "UTF-8"),
    ("pointer.wasm", "a pointer of Git LFS", "git lfs pull"),
    ("app.wit", "a WIT file", "component"),
    ("app.c", "source code", "wasi-sdk"),
    ("app.rs", "source code", "wasm32-wasip2"),
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let elf = |kind: u8| {
        let mut bytes = vec![0; 64];
        bytes[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
        bytes[16] = kind;
        bytes
    };
    sandbox.write("app.wasm.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03rest");
    sandbox.write("app.wasm.zst", b"\x28\xb5\x2f\xfd\x04\x58rest");
    sandbox.write("app.zip", b"PK\x03\x04rest");
    sandbox.write("native", elf(3));
    sandbox.write("object.o", elf(1));
    sandbox.write("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    sandbox.write("package.json", "{\n  \"name\": \"app\"\n}\n");
    sandbox.write("policy.toml", "threshold = 1\n\n[[key]]\nname = \"a\"\n");
    sandbox.write("page.html", "<!DOCTYPE html>\n<html>404</html>\n");
    sandbox.write("script.sh", "#!/bin/sh\ntrue\n");
    let utf16 = "\u{feff}(module)".encode_utf16().flat_map(u16::to_le_bytes);
    sandbox.write("utf16.wat", utf16.collect::<Vec<u8>>());
    let digest = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 12345\n");
    sandbox.write("pointer.wasm", pointer);
    sandbox.write(
        "app.wit",
        "package acme:app@1.0.0;\n\nworld app {\n  export run: func();\n}\n",
    );
    sandbox.write(
        "app.c",
        "#include <stdio.h>\n\nint main(void) { return 0; }\n",
    );
    sandbox.write("app.rs", "// An app.\nfn main() {}\n");
    sandbox.write_secret("private.pem", sandbox.read("key.pem"));
    sandbox.write("empty", "");
    sandbox.write("folder/file", "");
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    let module = wat::parse_str("(module (func (export \"f\")))").unwrap();
    sandbox.write("app.wasm", &module);
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    sandbox.ok(&[
        "build",
        "-q",
        "app.wat",
        "-t",
        "x86_64",
        "--key",
        "key.pem",
        "--debug-file",
        "-o",
        "other.cwasm",
    ]);
    let stock = wasmtime::Engine::default()
        .precompile_module(&module)
        .unwrap();
    sandbox.write("stock.cwasm", stock);
    sandbox
}

/// Every verb that reads artifacts: command lines, with the artifact as `FILE`.
const ARTIFACT_VERBS: &[&str] = &[
    "verify FILE --key key.pub.pem",
    "run --key key.pub.pem FILE",
    "inspect FILE",
    "audit FILE",
    "envelope FILE",
    "check FILE",
    "sign FILE --key key.pem",
    "diff FILE app.cwasm",
    "diff app.cwasm FILE",
    "report FILE -o report.html",
    "report app.cwasm --baseline FILE -o report.html",
    "symbolize other.debug --artifact FILE 0x1",
    "store --store store add --key key.pub.pem FILE",
];

/// Verbs that read programs.
const PROGRAM_VERBS: &[&str] = &[
    "build FILE --name x -t x86_64 --key key.pem -o out/x.cwasm",
    "validate FILE",
];

/// The first error that a verb reports about a file.
fn error(sandbox: &Sandbox, verb: &str, file: &str) -> String {
    let words = verb.split(' ');
    let arguments: Vec<&str> = words
        .map(|it| if it == "FILE" { file } else { it })
        .collect();
    let stderr = sandbox.fails(1, &arguments);
    let at = stderr
        .find("error[")
        .unwrap_or_else(|| panic!("{arguments:?}: {stderr}"));
    let error = stderr[at..].to_owned();
    assert!(
        error.contains(&format!("{file}: ")),
        "{arguments:?}: {stderr}"
    );
    error
}

#[test]
fn what_is_no_artifact_is_named_by_every_verb() {
    let sandbox = sandbox();
    for verb in ARTIFACT_VERBS {
        for (file, what, hint) in OTHERS {
            let error = error(&sandbox, verb, file);
            let says = format!("{file}: this is {what}, not an artifact of edgec\n  hint: ");
            assert!(
                error.contains(&says) && error.contains(hint),
                "{verb:?}: {error}"
            );
        }
        for (file, what) in [
            ("app.wat", "WebAssembly text"),
            ("app.wasm", "a core module"),
        ] {
            let error = error(&sandbox, verb, file);
            assert!(
                error.contains(&format!("this is {what}, not")),
                "{verb:?}: {error}"
            );
            assert!(error.contains("`edgec build`"), "{verb:?}: {error}");
        }
        let stock = error(&sandbox, verb, "stock.cwasm");
        assert!(
            stock.contains("no edgec signature block"),
            "{verb:?}: {stock}"
        );
        assert!(
            stock.contains("Wasmtime") && stock.contains("`edgec build`"),
            "{verb:?}: {stock}"
        );
        let empty = error(&sandbox, verb, "empty");
        assert!(empty.contains("the file is empty"), "{verb:?}: {empty}");
    }
}

#[test]
fn what_is_no_program_is_named() {
    let sandbox = sandbox();
    for verb in PROGRAM_VERBS {
        for (file, what, hint) in OTHERS {
            let error = error(&sandbox, verb, file);
            let says = match *file {
                // Refused before it is read.
                "private.pem" => {
                    "error[secret-input]: private.pem: this looks like a secret key, not like \
                     WebAssembly; it is not shown\n  hint: "
                        .to_owned()
                }
                _ => format!("error[not-wasm]: {file}: this is {what}, not WebAssembly\n  hint: "),
            };
            assert!(
                error.starts_with(&says) && error.contains(hint),
                "{verb:?}: {error}"
            );
        }
        for (file, what) in [
            ("stock.cwasm", "an image that Wasmtime compiled"),
            ("app.cwasm", "an artifact of edgec"),
            ("other.debug", "a debug file of edgec"),
        ] {
            let error = error(&sandbox, verb, file);
            assert!(
                error.contains(&format!("this is {what}, not WebAssembly")),
                "{error}"
            );
        }
        // For text that should be WebAssembly, the error says what is wrong with it.
        sandbox.write("wrong.wat", "(modul)");
        let wrong = error(&sandbox, verb, "wrong.wat");
        assert!(wrong.contains("malformed WebAssembly text"), "{wrong}");
    }
    // No verb repeats a secret.
    let key = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    for verb in PROGRAM_VERBS.iter().chain(ARTIFACT_VERBS) {
        assert!(
            !error(&sandbox, verb, "private.pem").contains(secret),
            "{verb:?}"
        );
    }
}

#[test]
fn what_is_no_debug_file_is_named() {
    let sandbox = sandbox();
    let verb = "symbolize FILE 0x1";
    let artifact = error(&sandbox, verb, "app.cwasm");
    assert!(
        artifact.contains("this is an artifact of edgec, not a debug file"),
        "{artifact}"
    );
    assert!(artifact.contains("--debug-file"), "{artifact}");
    let native = error(&sandbox, verb, "native");
    assert!(native.contains("not a debug file of edgec"), "{native}");
}

#[test]
fn a_damaged_artifact_is_not_taken_for_something_else() {
    let sandbox = sandbox();
    let mut artifact = sandbox.read("app.cwasm");
    let at = artifact.len() - 20;
    artifact[at] ^= 0xff;
    sandbox.write("damaged.cwasm", &artifact);
    for verb in ARTIFACT_VERBS {
        let error = error(&sandbox, verb, "damaged.cwasm");
        assert!(!error.contains("this is "), "{error}");
    }
    sandbox.write("cut.cwasm", &artifact[..artifact.len() / 2]);
    let cut = error(&sandbox, ARTIFACT_VERBS[0], "cut.cwasm");
    assert!(cut.contains("an artifact that was cut off"), "{cut}");
}

#[test]
fn a_folder_is_named() {
    let sandbox = sandbox();
    for verb in ARTIFACT_VERBS.iter().chain(PROGRAM_VERBS).chain(KEY_VERBS) {
        let error = error(&sandbox, verb, "folder");
        let says = "error[not-a-file]: folder: not a regular file\n  hint: this is a folder";
        assert!(error.starts_with(says), "{verb:?}: {error}");
    }
    for more in [
        "validate FILE",
        "verify app.cwasm --key key.pub.pem --host FILE",
        "verify app.cwasm --key key.pub.pem --rebuild FILE",
        "check app.cwasm --host FILE",
        "check app.cwasm --fleet FILE",
        "build app.wat -o out/ --key key.pem --fleet FILE",
        "sign app.cwasm --attach FILE --public-key key.pub.pem",
        "policy sign FILE --key key.pem -o out.dsse",
    ] {
        let error = error(&sandbox, more, "folder");
        assert!(
            error.starts_with("error[not-a-file]: folder: "),
            "{more:?}: {error}"
        );
    }
    // A policy's file has its own code.
    for verb in POLICY_VERBS {
        let error = error(&sandbox, verb, "folder");
        assert!(
            error.contains("hint: this is a folder"),
            "{verb:?}: {error}"
        );
    }
}

/// Options and arguments that take a trust policy of a host.
const POLICY_VERBS: &[&str] = &[
    "policy check FILE",
    "verify app.cwasm --trust FILE",
    "verify app.cwasm --trust FILE --root key.pub.pem",
    "run --trust FILE app.cwasm",
];

/// Options and arguments that take a key.
const KEY_VERBS: &[&str] = &[
    "verify app.cwasm --key FILE",
    "sign app.cwasm --key key.pem --public-key FILE -o signed.cwasm",
    "sign app.cwasm --remove FILE -o signed.cwasm",
    "keys import FILE -o out.pem",
    "build app.wat -o out/ --key FILE",
    "sign app.cwasm --key FILE -o signed.cwasm",
    "keys show FILE",
    "keys export FILE --as pem",
];

/// Files that no option for a policy or a key takes.
const PROGRAMS: &[(&str, &str)] = &[
    ("app.wat", "WebAssembly text"),
    ("app.wasm", "a core module"),
    ("app.cwasm", "an artifact of edgec"),
    ("other.debug", "a debug file of edgec"),
];

#[test]
fn what_is_no_policy_is_named() {
    let sandbox = sandbox();
    let sign = "policy sign FILE --key key.pem -o out.dsse";
    let others = OTHERS.iter().map(|(file, what, _)| (*file, *what));
    let others = others.filter(|(file, _)| *file != "policy.toml");
    for (file, what) in others.chain(PROGRAMS.iter().copied()) {
        for verb in POLICY_VERBS.iter().chain([&sign]) {
            let error = error(&sandbox, verb, file);
            let says = format!("{file}: this is {what}, not a trust policy\n  hint: ");
            assert!(error.contains(&says), "{verb:?}: {error}");
        }
    }
    // A policy with a mistake is recognized as a policy.
    let error = error(&sandbox, POLICY_VERBS[0], "policy.toml");
    assert!(error.contains("malformed trust policy"), "{error}");
    // An artifact's envelope is signed like a policy.
    sandbox.ok(&["envelope", "app.cwasm", "-o", "app.dsse"]);
    let error = self::error(&sandbox, POLICY_VERBS[0], "app.dsse");
    let says = "this is a DSSE envelope, not a trust policy";
    assert!(error.contains(says), "{error}");
    assert!(!sandbox.path().join("out.dsse").exists());
}

#[test]
fn what_is_no_key_is_named() {
    let sandbox = sandbox();
    let others = OTHERS.iter().map(|(file, what, _)| (*file, *what));
    let others = others.filter(|(file, _)| !["private.pem", "key.pub.pem"].contains(file));
    for (file, what) in others.chain(PROGRAMS.iter().copied()) {
        for verb in KEY_VERBS {
            let error = error(&sandbox, verb, file);
            let says = format!("{file}: this is {what}, not a ");
            assert!(error.contains(&says), "{verb:?}: {error}");
            assert!(error.contains(" key\n  hint: "), "{verb:?}: {error}");
        }
    }
    let root = "policy check policy.toml --root FILE";
    let error = error(&sandbox, root, "app.cwasm");
    assert!(
        error.contains("this is an artifact of edgec, not a public key"),
        "{error}"
    );
    assert!(!sandbox.path().join("out.pem").exists());
    assert!(!sandbox.path().join("out").exists());
}

/// The signature in an envelope is as long as a key.
#[test]
fn what_is_about_signatures_is_not_taken_for_a_key() {
    let sandbox = sandbox();
    sandbox.write("fleet.toml", {
        let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
        format!("threshold = 1\n\n[[key]]\nname = \"a\"\npem = \"\"\"\n{pem}\"\"\"\n")
    });
    let sign = ["policy", "sign", "fleet.toml"];
    sandbox.ok(&["envelope", "app.cwasm", "-o", "app.dsse"]);
    sandbox.ok(&["sign", "app.cwasm", "--export-pae", "app.pae"]);
    sandbox.ok(&[&sign[..], &["--key", "key.pem", "-o", "fleet.dsse"]].concat());
    sandbox.ok(&[&sign[..], &["--export-pae", "fleet.pae"]].concat());
    for (file, what) in [
        ("app.dsse", "a DSSE envelope"),
        ("fleet.dsse", "a signed trust policy"),
        ("app.pae", "a message to be signed (DSSE PAE)"),
        ("fleet.pae", "a policy to be signed (DSSE PAE)"),
    ] {
        for verb in PROGRAM_VERBS {
            let error = error(&sandbox, verb, file);
            let says =
                format!("error[not-wasm]: {file}: this is {what}, not WebAssembly\n  hint: ");
            assert!(error.starts_with(&says), "{verb:?}: {error}");
        }
    }
}

/// Some editors begin a text with a byte order mark.
#[test]
fn text_may_begin_with_a_byte_order_mark() {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", "\u{feff}(module (func (export \"f\")))");
    sandbox.ok(&["validate", "in.wat"]);
    sandbox.build("in.wat", "x86_64", "a.cwasm");
}

/// Real files: this test's program, and a document of the repository.
#[test]
fn files_that_lie_around_are_named() {
    let sandbox = Sandbox::new();
    let this = std::env::current_exe().unwrap();
    let stderr = sandbox.fails(1, &["validate", this.to_str().unwrap()]);
    let native = cfg!(target_os = "linux");
    assert!(
        !native || stderr.contains("a native program or library (ELF)"),
        "{stderr}"
    );
    let readme = repository().join("README.md");
    sandbox.fails(1, &["validate", readme.to_str().unwrap()]);
}
