//! What an output may replace: an empty file, or a file of the same kind. No other file is lost,
//! and no input of the same command.
//!
//! More than 400 lines: one table of verbs is tested with each kind of file.

use edgec_tests::{OLD_ARTIFACT, Sandbox};

pub(crate) const FILE: &str = "FILE";

/// Every verb with an output, and the name of what it writes.
pub(crate) const WRITERS: &[(&str, &[&str])] = &[
    (
        "an artifact of edgec",
        &[
            "build", "-q", "app.wat", "-t", "x86_64", "--key", "key.pem", "-o", FILE,
        ],
    ),
    (
        "an artifact of edgec",
        &["sign", "app.cwasm", "--key", "key.pem", "-o", FILE],
    ),
    (
        "an artifact of edgec",
        &["sign", "two.cwasm", "--remove", "other.pub.pem", "-o", FILE],
    ),
    (
        "a message to be signed (DSSE PAE)",
        &["sign", "app.cwasm", "--export-pae", FILE],
    ),
    (
        "a policy to be signed (DSSE PAE)",
        &["policy", "sign", "fleet.toml", "--export-pae", FILE],
    ),
    (
        "a signed trust policy",
        &[
            "policy",
            "sign",
            "fleet.toml",
            "--key",
            "key.pem",
            "-o",
            FILE,
        ],
    ),
    ("a DSSE envelope", &["envelope", "app.cwasm", "-o", FILE]),
    ("a host profile", &["host", "--save", FILE]),
    ("a report of edgec", &["report", "app.cwasm", "-o", FILE]),
];

/// Files that no output replaces, and their names in messages.
const KEPT: &[(&str, &str)] = &[
    ("other.pem", "a private key"),
    ("vault.pem", "a private key"),
    ("other.pub.pem", "a public key"),
    ("bare", "a file of another kind"),
    ("source.wat", "WebAssembly text"),
    ("module.wasm", "a core module"),
    ("component.wasm", "a component"),
    ("other.toml", "a trust policy"),
    ("hosts.toml", "a fleet of hosts"),
    ("package.json", "a JSON document"),
    ("notes.txt", "a file of another kind"),
    ("script.sh", "a script"),
    ("native", "a native program or library (ELF)"),
    ("zeros", "a file of another kind"),
];

/// A policy of this name and version that trusts the sandbox's key.
fn policy(sandbox: &Sandbox, head: &str) -> String {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = \"release\"\npem = \"\"\"\n{pem}\"\"\"\n");
    format!("{head}\nthreshold = 1\n\n{key}")
}

pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.write_secret("passphrase", "correct horse\n");
    let vault = ["keygen", "--encrypt", "--passphrase-file", "passphrase"];
    sandbox.ok(&[&vault[..], &["-o", "vault.pem"]].concat());
    let append = ["sign", "app.cwasm", "--append", "--key", "other.pem"];
    sandbox.ok(&[&append[..], &["-o", "two.cwasm"]].concat());
    sandbox.write_secret("bare", [0x9bu8; 32]);
    sandbox.write("source.wat", ";; A program.\n(module)\n");
    sandbox.write("module.wasm", wat::parse_str("(module)").unwrap());
    sandbox.write("component.wasm", wat::parse_str("(component)").unwrap());
    let head = "name = \"fleet\"\nversion = 2";
    sandbox.write("fleet.toml", policy(&sandbox, head));
    sandbox.write("other.toml", policy(&sandbox, "# of the staging hosts"));
    sandbox.write("hosts.toml", "schema = 1\n\n[[host]]\nfile = \"a.toml\"\n");
    sandbox.write("package.json", "{\n  \"name\": \"app\"\n}\n");
    sandbox.write("notes.txt", "Some words.\n");
    sandbox.write("script.sh", "#!/bin/sh\ntrue\n");
    sandbox.write("native", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0>\0");
    sandbox.write("zeros", [0u8; 100]);
    sandbox
}

/// The arguments of a verb, with a name for its output.
pub(crate) fn onto<'a>(verb: &[&'a str], output: &'a str) -> Vec<&'a str> {
    let named = verb.iter().map(|it| if *it == FILE { output } else { *it });
    named.collect()
}

/// The verb refuses to write, and no file is lost.
fn kept(sandbox: &Sandbox, verb: &[&str], output: &str, says: &str) {
    let (files, before) = (sandbox.files(), sandbox.read(output));
    let stderr = sandbox.fails(2, &onto(verb, output));
    let says = format!("error[output]: {output}: {says}");
    assert!(stderr.starts_with(&says), "{verb:?}: {stderr}");
    assert!(stderr.contains("\n  hint: name another file"), "{stderr}");
    assert_eq!(sandbox.read(output), before, "{verb:?}");
    assert_eq!(sandbox.files(), files, "{verb:?}");
}

#[test]
fn an_output_replaces_no_other_kind_of_file() {
    let sandbox = sandbox();
    for (writes, verb) in WRITERS {
        // Another test covers inputs of the verb.
        for (file, what) in KEPT.iter().filter(|(file, _)| !verb.contains(file)) {
            let says = format!("{what} is there, and {writes} does not replace it\n");
            kept(&sandbox, verb, file, &says);
        }
    }
    let debug = ["build", "app.wat", "-t", "x86_64", "--key", "key.pem"];
    let debug = [&debug[..], &["--debug-file", "-o", "new.cwasm"]].concat();
    for (file, what) in KEPT {
        let content = sandbox.read(file);
        sandbox.write("new.debug", &content);
        let stderr = sandbox.fails(2, &debug);
        let says = format!("error[output]: new.debug: {what} is there, and a debug file");
        assert!(stderr.starts_with(&says), "{stderr}");
        assert_eq!(sandbox.read("new.debug"), content);
        assert!(!sandbox.path().join("new.cwasm").exists());
    }
    // In a folder, each name is checked.
    sandbox.write("out/app.aarch64.cwasm", "Some words.\n");
    let stderr = sandbox.fails(2, &["build", "app.wat", "--key", "key.pem", "-o", "out"]);
    let says = "error[output]: out/app.aarch64.cwasm: a file of another kind is there";
    assert!(stderr.starts_with(says), "{stderr}");
    assert!(!sandbox.path().join("out/app.x86_64.cwasm").exists());
}

#[test]
fn an_output_replaces_its_own_kind_and_empty_files() {
    let sandbox = sandbox();
    let name = |number: usize| format!("written-{number}.out");
    for (number, (_, verb)) in WRITERS.iter().enumerate() {
        let output = name(number);
        sandbox.ok(&onto(verb, &output));
        let written = sandbox.read(&output);
        for old in [Vec::new(), b" \n".to_vec(), written.clone()] {
            sandbox.write(&output, old);
            sandbox.ok(&onto(verb, &output));
            assert_eq!(sandbox.read(&output), written, "{verb:?}");
        }
    }
    for (writes, verb) in WRITERS {
        for (number, (there, _)) in WRITERS.iter().enumerate() {
            if writes != there {
                let says = format!("{there} is there, and {writes} does not replace it\n");
                kept(&sandbox, verb, &name(number), &says);
            }
        }
    }
    // An image that another tool compiled from a program, and a file that was cut off, are built
    // again.
    let build = WRITERS[0].1;
    let whole = sandbox.read("app.cwasm");
    for old in [&whole[..whole.len() / 2], OLD_ARTIFACT] {
        sandbox.write("old.cwasm", old);
        sandbox.ok(&onto(build, "old.cwasm"));
        assert_eq!(sandbox.read("old.cwasm"), whole);
    }
    let debug = [build, &["--debug-file"]].concat();
    for _ in 0..2 {
        sandbox.ok(&onto(&debug, "old.cwasm"));
    }
}

/// Other tools also write DSSE envelopes, and files with several of them.
#[test]
fn an_output_replaces_nothing_of_another_tool() {
    use edgec_artifact::{Envelope, PAYLOAD_TYPE, Signature, pae};
    let sandbox = sandbox();
    let [
        _,
        _,
        _,
        artifact_pae,
        policy_pae,
        signed_policy,
        envelope,
        _,
        _,
    ] = WRITERS
    else {
        panic!("other writers");
    };
    let written = |(_, verb): &(&str, &[&str])| {
        sandbox.ok(&onto(verb, "own"));
        let bytes = sandbox.read("own");
        std::fs::remove_file(sandbox.path().join("own")).unwrap();
        bytes
    };
    let slsa = br#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","subject":[]}"#;
    let signature = Signature::new("them", [7; 64]);
    let theirs = Envelope::new(slsa.to_vec(), vec![signature]).encode();
    let text = String::from_utf8(theirs.clone()).unwrap();
    let (payload, rest) = text[1..].split_once(',').unwrap();
    let rest = rest.strip_suffix('}').unwrap();
    let spelled = format!("{{{rest},{payload}}}");
    let own = written(envelope);
    let lines = |one: &[u8], other: &[u8]| [one, b"\n", other, b"\n"].concat();
    for (verb, files) in [
        (
            envelope,
            [
                theirs.clone(),
                spelled.into_bytes(),
                lines(&own, &theirs),
                lines(&own, &own),
            ],
        ),
        (
            signed_policy,
            [
                theirs.clone(),
                own.clone(),
                lines(&written(signed_policy), &own),
                b"{\"payload\":\"bmFtZSA9\"}".to_vec(),
            ],
        ),
        (
            artifact_pae,
            [
                pae(PAYLOAD_TYPE, slsa),
                written(policy_pae),
                lines(&written(artifact_pae), b""),
                pae("text/plain", b"x"),
            ],
        ),
        (
            policy_pae,
            [
                pae(PAYLOAD_TYPE, slsa),
                written(artifact_pae),
                lines(&written(policy_pae), b""),
                pae("text/plain", b"x"),
            ],
        ),
    ] {
        for file in files {
            sandbox.write("there", &file);
            let stderr = sandbox.fails(2, &onto(verb.1, "there"));
            assert!(stderr.starts_with("error[output]: there: "), "{stderr}");
            assert_eq!(sandbox.read("there"), file);
        }
    }
}

/// Git has the file that a pointer of Git LFS refers to.
#[test]
fn an_artifact_replaces_a_pointer_of_git_lfs() {
    let sandbox = sandbox();
    let digest = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let head = "version https://git-lfs.github.com/spec/v1\n";
    let pointer = format!("{head}oid sha256:{digest}\nsize 12345\n");
    for (writes, verb) in WRITERS {
        sandbox.write("there.out", &pointer);
        if *writes == "an artifact of edgec" {
            sandbox.ok(&onto(verb, "there.out"));
        } else {
            let says = format!("a pointer of Git LFS is there, and {writes} does not replace it\n");
            kept(&sandbox, verb, "there.out", &says);
        }
    }
}

#[test]
fn an_output_is_no_input_of_the_same_command() {
    let sandbox = sandbox();
    for (verb, input) in [
        (WRITERS[0].1, "app.wat"),
        (WRITERS[0].1, "key.pem"),
        (WRITERS[1].1, "key.pem"),
        (WRITERS[2].1, "other.pub.pem"),
        (WRITERS[3].1, "app.cwasm"),
        (WRITERS[4].1, "fleet.toml"),
        (WRITERS[5].1, "fleet.toml"),
        (WRITERS[5].1, "key.pem"),
        (WRITERS[6].1, "app.cwasm"),
    ] {
        kept(
            &sandbox,
            verb,
            input,
            "this file is an input, and would be overwritten\n",
        );
    }
    // An artifact and a signed policy can get signatures in their own files.
    sandbox.ok(&["sign", "app.cwasm", "--key", "key.pem", "-o", "./app.cwasm"]);
    sandbox.ok(&onto(WRITERS[5].1, "fleet.dsse"));
    let again = ["policy", "sign", "fleet.dsse", "--key", "other.pem"];
    sandbox.ok(&[&again[..], &["-o", "fleet.dsse"]].concat());
}

#[test]
fn a_signed_policy_stays_where_another_or_an_older_one_would_take_its_place() {
    let sandbox = sandbox();
    let sign = |text: &str| {
        sandbox.write("new.toml", policy(&sandbox, text));
        [
            "policy", "sign", "new.toml", "--key", "key.pem", "-o", "a.dsse",
        ]
    };
    let fleet = |version: u64| format!("name = \"fleet\"\nversion = {version}");
    sandbox.ok(&sign(&fleet(2)));
    let signed = sandbox.read("a.dsse");
    let other = "error[other-policy]: a.dsse: the signed policy `fleet` is there, and this is ";
    let older = "error[policy-rollback]: a.dsse: version 2 of the signed policy is there, and ";
    for (text, says) in [
        (
            "name = \"staging\"\nversion = 3".to_owned(),
            format!("{other}the policy `staging`\n"),
        ),
        (String::new(), format!("{other}a policy without a name\n")),
        (fleet(1), format!("{older}this is version 1\n")),
    ] {
        let stderr = sandbox.fails(1, &sign(&text));
        assert!(stderr.starts_with(&says), "{stderr}");
        assert!(stderr.contains("\n  hint: "), "{stderr}");
        assert_eq!(sandbox.read("a.dsse"), signed);
    }
    // The same version again, one more signature in the same file, and the next version.
    sandbox.ok(&sign(&fleet(2)));
    let append = [
        "policy",
        "sign",
        "a.dsse",
        "--key",
        "other.pem",
        "-o",
        "a.dsse",
    ];
    sandbox.ok(&append);
    sandbox.ok(&sign(&fleet(3)));
    // A file that cannot be read may be anything.
    let payload_type = "application/vnd.edgec.trust-policy.v1+toml";
    let unread = edgec_artifact::Envelope::of_type(payload_type, b"name =".to_vec());
    sandbox.write("a.dsse", unread.encode());
    let stderr = sandbox.fails(1, &sign(&fleet(4)));
    let says = "error[other-policy]: a.dsse: a signed policy that this edgec does not read";
    assert!(stderr.starts_with(says), "{stderr}");
    // A policy without a name and a version has no versions to compare.
    std::fs::remove_file(sandbox.path().join("a.dsse")).unwrap();
    sandbox.ok(&sign(""));
    sandbox.ok(&sign(&fleet(1)));
}

/// Several roots sign one policy, one after the other.
#[test]
fn policy_sign_adds_its_signature_to_those_that_are_there() {
    let sandbox = sandbox();
    let sign = |input: &str, key: &str, more: &[&str]| {
        let sign = ["policy", "sign", input, "--key", key, "-o", "a.dsse"];
        let output = sandbox.run(&[&sign[..], more].concat());
        assert!(output.status.success(), "{output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let both = ["--root", "key.pub.pem", "--root", "other.pub.pem"];
    let check = [&["policy", "check", "a.dsse"][..], &both].concat();
    sign("fleet.toml", "key.pem", &[]);
    sandbox.fails(1, &check);
    for key in ["other.pem", "key.pem", "other.pem"] {
        let (stdout, stderr) = sign("fleet.toml", key, &[]);
        assert_eq!((stdout.lines().count(), stderr.as_str()), (1, ""));
        sandbox.ok(&check);
    }
    // The same with another signed file that has the same bytes.
    sandbox.write("one.dsse", sandbox.read("a.dsse"));
    std::fs::remove_file(sandbox.path().join("a.dsse")).unwrap();
    sign("fleet.toml", "key.pem", &[]);
    sign("one.dsse", "key.pem", &[]);
    sandbox.ok(&check);

    // Signatures over other bytes would be invalid.
    let id = |key: &str| {
        let shown = sandbox.ok(&["keys", "show", key, "--format", "json"]);
        let shown = edgec_tests::results(shown);
        shown[0]["key"]["keyId"].as_str().unwrap().to_owned()
    };
    let other = id("other.pub.pem");
    let edition = |version: u64, more: &str| {
        let head = format!("# {more}\nname = \"fleet\"\nversion = {version}");
        sandbox.write("next.toml", policy(&sandbox, &head));
    };
    edition(2, "changed");
    let (stdout, stderr) = sign("next.toml", "key.pem", &[]);
    let says = format!("\n  the signature by {other} was removed: ");
    assert!(stdout.contains(&says), "{stdout}");
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    let says = "warning[same-version]: a.dsse: the replaced policy also had version 2";
    assert!(stderr.starts_with(says), "{stderr}");
    sign("next.toml", "other.pem", &[]);
    edition(3, "newer");
    let (stdout, stderr) = sign("next.toml", "key.pem", &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["dropped"], serde_json::json!([other]));
    assert_eq!(stderr, "");
}

/// `-` is one input, whichever two options name it.
#[test]
fn standard_input_is_named_once() {
    let sandbox = sandbox();
    for line in [
        "verify app.cwasm --key - --key -",
        "verify - --key -",
        "verify - - --key key.pub.pem",
        "verify - --key key.pub.pem --rebuild -",
        "verify - --key key.pub.pem --host -",
        "run --key - --key - app.cwasm",
        "store --store s add --key - --key - app.cwasm",
        "build - --name x --key -",
        "build - --name x --key vault.pem --passphrase-file -",
        "build app.wat --key - --passphrase-file -",
        "sign - -o x --key -",
        "sign app.cwasm --key - --public-key -",
        "sign - -o x --attach - --public-key key.pub.pem",
        "keys show - -",
        "keys show - --passphrase-file -",
        "keys export - --as pem --passphrase-file -",
        "policy sign - --key - -o x",
        "policy check fleet.toml - -",
        "validate - -",
        "audit - -",
        "check - -",
        "check - --host -",
        "check - --fleet -",
        "diff - -",
        "report - - -o x",
        "symbolize -",
        "symbolize - 0x1 --artifact -",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let stderr = sandbox.fails(2, &words);
        let says = "error[stdin]: standard input is named for more than one input";
        assert!(stderr.starts_with(says), "{line}: {stderr}");
        assert!(stderr.contains("\n  hint: "), "{line}: {stderr}");
        assert!(!sandbox.path().join("s").exists());
    }
}
