//! A secret is not printed, whatever text stands before it, and wherever a file quotes it. A text
//! that is not secret is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgec_tests::Sandbox;
use edgec_tests::secret::{Secret, printed, search, shows};

/// The seed of the sandbox's key in base64 and in hexadecimal, and its whole file in base64.
fn forms(sandbox: &Sandbox) -> [String; 3] {
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let seeds = Secret::seeds(&pem);
    [seeds[0].clone(), seeds[2].clone(), STANDARD.encode(pem)]
}

#[test]
fn a_key_behind_anything_is_refused_and_not_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module)");
    let [seed, hex, document] = forms(&sandbox);
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = STANDARD.encode(utf16);
    let mut texts = vec![utf16.clone()];
    // The unit tests of `key_material` have more prefixes.
    for before in [
        "data:application/x-pem-file;base64,",
        "sk_live_",
        "app/key/",
    ] {
        texts.extend([&seed, &document, &utf16].map(|text| format!("{before}{text}")));
    }
    texts.extend(["$", "@", "(", "[", "<", "v1."].map(|before| format!("{before}{hex}")));
    let lines: Vec<Vec<String>> = texts
        .iter()
        .flat_map(|text| {
            [
                vec!["build", text],
                vec!["build", "app.wat", "--key", text],
                vec!["build", "app.wat", "--init", text, "--format", "json"],
                vec!["build", "app.wat", "--signer", text],
                vec!["verify", "app.wat", "--key", text],
                vec!["verify", "app.wat", "--trust", text],
                vec!["run", "--key", "key.pub.pem", text],
                vec!["keys", "show", text],
            ]
        })
        .map(|line| line.into_iter().map(str::to_owned).collect())
        .collect();
    let mut parts = Secret::of(&pem).parts;
    parts.push(utf16);
    let before = sandbox.files();
    search(&sandbox, &lines, &parts, |line, output| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {stderr}");
        assert!(
            stderr.contains("error[secret-argument]: argument "),
            "{line:?}: {stderr}"
        );
    });
    for text in &texts {
        let mut command = sandbox.command(&["build", "app.wat"]);
        let output = command.env("TMPDIR", text).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}: {output:?}");
        assert_eq!(shows(&printed(&output), &parts), None, "{text}");
    }
    assert_eq!(sandbox.files(), before);
}

#[test]
fn names_of_missing_files_are_shown() {
    let sandbox = Sandbox::new();
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for name in [
        "app.cwasm".to_owned(),
        "7f1c2a9e-3b4d-4c5e-8f6a-0b1c2d3e4f5a.cwasm".to_owned(),
        "da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned(),
        format!("{digest}.cwasm"),
        format!("out/sha256-{digest}.x86_64.cwasm"),
        format!("sha256:{digest}"),
        "target/wasm32-wasip2/release/deps/my_application-0123456789abcdef.wasm".to_owned(),
        "/home/runner/work/MyCompany-EdgeShop/MyCompany-EdgeShop/target/Shop2.cwasm".to_owned(),
        "Source/Repos/EdgeShop/EdgeShop.Web/bin/Release/net9.0/wasi-wasm/Web.cwasm".to_owned(),
        "wasm-opt-sys-8258f66ae1742739/out/e4c3f0e8e8bcc31f-LoopInvariantCodeMotion.o".to_owned(),
    ] {
        let stderr = sandbox.fails(3, &["verify", "--key", "key.pub.pem", &name]);
        assert!(stderr.contains(&name), "{name}: {stderr}");
    }
}

/// The file of a public key is missing. The same applies as for a private key.
#[test]
fn a_name_without_an_ending_may_be_a_secret() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module)");
    let build = ["build", "-q", "-O0", "-t", "x86_64", "--key", "key.pem"];
    sandbox.ok(&[&build[..], &["-o", "a.cwasm", "app.wat"]].concat());
    for line in [
        &["verify", "app.wat", "--key", "hunter2hunter2"][..],
        &["keys", "import", "hunter2hunter2", "-o", "x.pem"],
        &["build", "app.wat", "--key", "hunter2hunter2"],
        &["sign", "a.cwasm", "--key", "hunter2hunter2"],
    ] {
        let stderr = sandbox.fails(3, line);
        assert!(!stderr.contains("hunter2"), "{line:?}: {stderr}");
        let says = "its name is not shown: it may be a secret";
        assert!(stderr.contains(says), "{line:?}: {stderr}");
    }
    let stderr = sandbox.fails(3, &["verify", "app.wat", "--key", "missing.pem"]);
    assert!(stderr.contains("missing.pem"), "{stderr}");
}

#[test]
fn a_word_too_many_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("a.cwasm", "x");
    sandbox.write("b.cwasm", "x");
    let stderr = sandbox.fails(2, &["sign", "a.cwasm", "b.cwasm", "--key", "key.pem"]);
    for says in [
        "unexpected argument 'b.cwasm' found",
        "tip: `edgec sign` takes <ARTIFACT> and no more: run it once for each",
    ] {
        assert!(stderr.contains(says), "{stderr}");
    }
    // The file does not exist, so its name may be a word of a passphrase.
    let stderr = sandbox.fails(2, &["sign", "a.cwasm", "hunter2", "--key", "key.pem"]);
    assert!(
        stderr.contains("'(argument 3, not shown)'") && !stderr.contains("hunter2"),
        "{stderr}"
    );
}

#[test]
fn what_a_message_quotes_has_no_key_in_it() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(component)");
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    let forms = forms(&sandbox);
    let saved = sandbox.ok(&["host"]);
    for (number, text) in forms.iter().enumerate() {
        let program = format!("quoting-{number}.wat");
        sandbox.write(&program, format!("(module (func \"{text}\"))"));
        let host = format!("host-{number}.toml");
        let lines = saved
            .lines()
            .map(|line| match line.starts_with("features") {
                true => format!("features = [\"{text}\"]\n"),
                false => format!("{line}\n"),
            });
        sandbox.write(&host, lines.collect::<String>());
        let policy = format!("policy-{number}.toml");
        sandbox.write(&policy, format!("threshold = 1\n\"{text}\" = 1\n"));
        let project = format!("project-{number}.toml");
        let component = "schema = 1\n[[component]]\nname = 'a'\ninput = 'a'\n";
        sandbox.write(&project, format!("{component}\"{text}\" = 1\n"));
        let value = format!("value-{number}.toml");
        sandbox.write(&value, format!("{component}profile = \"{text}\"\n"));
        for line in [
            &["build", program.as_str(), "--key", "key.pem"][..],
            &["validate", &program, "--format", "json"],
            &["check", "app.cwasm", "--host", &host],
            &["check", "app.cwasm", "--format", "json", "--host", &host],
            &["policy", "check", &policy],
            &["policy", "check", &policy, "--format", "json"],
            &["build", "--project", &project],
            &["build", "--project", &project, "--format", "json"],
            &["build", "--project", &value],
        ] {
            let output = sandbox.run(line);
            assert!(!output.status.success(), "{line:?}: {output:?}");
            let parts = [text.clone()];
            assert_eq!(shows(&printed(&output), &parts), None, "{line:?}");
        }
    }
    let stderr = sandbox.fails(1, &["validate", "quoting-0.wat"]);
    assert!(stderr.contains("(not shown)"), "{stderr}");
}

/// 32 bytes in base64 may be a private key or a public one. The file's readers decide.
#[cfg(unix)]
#[test]
fn bytes_that_only_their_owner_can_read_are_not_shown() {
    let sandbox = Sandbox::new();
    let raw = sandbox.ok(&["keys", "export", "key.pub.pem", "--as", "raw"]);
    sandbox.write_secret("raw.key", &raw);
    sandbox.write("raw.pub", &raw);
    for line in [
        &["keys", "show", "raw.key"][..],
        &["keys", "show", "raw.key", "--format", "json"],
        &["keys", "export", "raw.key", "--as", "openssh"],
        &["keys", "import", "raw.key", "-o", "imported.pem"],
    ] {
        let output = sandbox.run(line);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {output:?}");
        let shown = printed(&output);
        assert!(!shown.contains(raw.trim_end()), "{line:?}: {shown}");
        assert!(shown.contains("chmod 644 raw.key"), "{line:?}: {shown}");
    }
    assert!(
        sandbox
            .ok(&["keys", "show", "raw.pub"])
            .contains(raw.trim_end())
    );
}

#[test]
fn a_private_key_has_no_public_name() {
    let sandbox = Sandbox::empty();
    let stderr = sandbox.fails(2, &["keygen", "-o", "bar.pub.pem"]);
    assert!(
        stderr.starts_with("error[output]: bar.pub.pem: this is the name of a public key's file"),
        "{stderr}"
    );
    assert!(!sandbox.path().join("bar.pub.pem").exists());
}

#[test]
fn other_kinds_of_keys_are_named() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module)");
    let pkcs8 = |body: &str| {
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n").into_bytes()
    };
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(pem.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for (bytes, says) in [
        (
            b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
              -----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
                .to_vec(),
            "a private key for ECDSA; only Ed25519 and ML-DSA-65 sign artifacts",
        ),
        (
            pkcs8("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"),
            "a private key for RSA; only Ed25519 and ML-DSA-65 sign artifacts",
        ),
        (
            pkcs8("MEcCAQAwBQYDK2VxBDsEOQAAAAAAAAAA"),
            "a private key for Ed448; only Ed25519 and ML-DSA-65 sign artifacts",
        ),
        (
            STANDARD.encode(&pem).into_bytes(),
            "this is PEM in base64, not PEM\n  hint: decode it once: base64 -d",
        ),
        (utf16, "iconv -f UTF-16 -t UTF-8"),
        (
            STANDARD.decode(body).unwrap(),
            "openssl pkey -inform DER -in OLD -out NEW.pem",
        ),
    ] {
        sandbox.write_secret("other.pem", bytes);
        let stderr = sandbox.fails(1, &["build", "app.wat", "--key", "other.pem"]);
        assert!(stderr.contains(says), "{says}: {stderr}");
    }
}
