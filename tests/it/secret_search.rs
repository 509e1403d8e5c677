//! No secret is ever printed. The tests put keys, passphrases and PINs into every place of an
//! argument or a variable, and search everything that edgec prints and writes for them.
//!
//! Verbs and options come from the help, so new ones are tried automatically.
//!
//! More than 400 lines: one search, for each kind of secret and each place.

use std::collections::BTreeSet;

use edgec_tests::help::{Place, verbs};
use edgec_tests::secret::{Secret, lines_with, printed, search, shows, takes_a_file, written};
use edgec_tests::{Sandbox, encrypted_key};

/// The help still has the form that this test reads.
#[test]
fn the_help_tells_every_verb_and_option() {
    let verbs = verbs(&Sandbox::empty());
    let names: BTreeSet<String> = verbs.iter().map(|verb| verb.path.join(" ")).collect();
    for name in [
        "build",
        "sign",
        "keys show",
        "policy sign",
        "store add",
        "run",
        "verify",
    ] {
        assert!(names.contains(name), "{names:?}");
    }
    let has = |name: &str, place: Place| {
        let verb = verbs
            .iter()
            .find(|verb| verb.path.join(" ") == name)
            .unwrap();
        assert!(verb.places.iter().any(|(it, _)| *it == place), "{verb:?}");
    };
    for name in ["build", "sign", "policy sign", "verify", "run", "store add"] {
        has(name, Place::Long("--key".to_owned()));
        has(name, Place::Positional);
    }
    for option in [
        "--passphrase-file",
        "--pkcs11-pin-file",
        "--signer",
        "--target",
    ] {
        has("build", Place::Long(option.to_owned()));
    }
    has("build", Place::Short("-o".to_owned()));
    assert!(verbs.iter().map(|verb| verb.places.len()).sum::<usize>() > 80);
}

#[test]
fn a_key_in_any_place_of_a_command_line_is_refused_and_not_shown() {
    let sandbox = Sandbox::new();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let secret = Secret::of(&pem);
    let seeds = Secret::seeds(&pem);
    // Base64, hexadecimal digits, pairs of them, and a list of numbers.
    let few = [0, 2, 5, 7].map(|number: usize| seeds[number].clone());
    let before = sandbox.files();
    let mut lines = Vec::new();
    for verb in verbs(&sandbox) {
        let line = |more: &[&str]| verb.line(more);
        for (place, value) in &verb.places {
            let named = matches!(place, Place::Long(name) if ["--key", "--passphrase-file"].contains(&name.as_str()));
            let forms = match named {
                true => &secret.forms[..],
                false => &secret.forms[..4],
            };
            for form in forms {
                lines.extend(lines_with(&verb, place, form));
            }
            let artifact = *place == Place::Positional && value.contains("ARTIFACT");
            let seeds = match takes_a_file(place, value) || artifact {
                true => &seeds[..],
                false => &few[..],
            };
            for seed in seeds {
                if !(takes_a_digest(value) && is_digest(seed)) {
                    lines.extend(lines_with(&verb, place, seed));
                }
            }
        }
        // Bytes without the form of a key: after options with other names, in flags, after labels.
        for seed in &few {
            lines.push(line(&["--kye", seed]));
            lines.push(line(&["--pass", seed]));
            lines.push(line(&[&format!("--keyfile={seed}")]));
            lines.push(line(&[&format!("--help={seed}")]));
            lines.push(line(&[&format!("-k{seed}")]));
            lines.push(line(&[&format!("--{seed}")]));
            lines.push(line(&[&format!("key={seed}")]));
        }
        // The key after misspelled options, with JSON output, and cut into words.
        for form in &secret.forms[..4] {
            lines.push(line(&["--kye", form]));
            lines.push(line(&[&format!("--keyfile={form}")]));
            lines.push(line(&["-k", form]));
            lines.push(line(&[&format!("-k{form}")]));
            lines.push(line(&["--format", "json", "--key", form]));
        }
        let words: Vec<&str> = pem.split_whitespace().collect();
        lines.push([line(&["--key"]), line(&words).split_off(verb.path.len())].concat());
        // The first argument after `--` is the artifact of `run`, and does not belong to the
        // program yet.
        if verb.path == ["run"] {
            for form in &secret.forms {
                lines.push(line(&["--key", "key.pub.pem", "--", form]));
            }
        }
    }
    let count = lines.len();
    search(&sandbox, &lines, &secret.parts, |line, output| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {stderr}");
        assert!(
            stderr.contains("error[secret-argument]: argument "),
            "{line:?}: {stderr}"
        );
    });
    assert!(count > 1000, "{count}");
    assert_eq!(sandbox.files(), before);
}

#[test]
fn a_key_in_a_variable_that_names_a_file_is_refused_and_not_shown() {
    let sandbox = Sandbox::new();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let secret = Secret::of(&pem);
    sandbox.write("app.wat", "(module)");
    sandbox.write("policy.toml", "");
    let seeds = Secret::seeds(&pem);
    let before = sandbox.files();
    for variable in [
        "EDGEC_KEY",
        "EDGEC_TRUST_STATE",
        "EDGEC_STORE",
        "TMPDIR",
        "HOME",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    ] {
        for form in secret.forms.iter().chain(&seeds) {
            for line in [
                &["build", "app.wat"][..],
                &["build", "app.wat", "--format", "json"],
                &["sign", "app.wat"],
                &["verify", "app.wat", "--trust", "policy.toml"],
                &["store", "ls"],
            ] {
                let mut command = sandbox.command(line);
                command.env(variable, form).env("RUST_BACKTRACE", "full");
                let output = command.output().unwrap();
                assert_eq!(shows(&printed(&output), &secret.parts), None, "{output:?}");
                assert_eq!(output.status.code(), Some(2), "{output:?}");
                let stderr = String::from_utf8_lossy(&output.stderr);
                let begin = format!("error[secret-argument]: the variable {variable} looks like");
                assert!(stderr.starts_with(&begin), "{stderr}");
            }
        }
    }
    assert_eq!(sandbox.files(), before);
}

/// In a place for a digest, a digest is not taken for a key.
#[test]
fn digests_are_no_secrets() {
    let sandbox = Sandbox::new();
    let digest = "0123456789abcdef".repeat(4);
    sandbox.write("app.wat", "(module)");
    sandbox.write(&format!("{digest}.wat"), "(module)");
    std::fs::create_dir(sandbox.path().join(&digest)).unwrap();
    let build = ["build", "-q", "-t", "x86_64", "--key", "key.pem", "-o"];
    let labelled = format!("sha256:{digest}");
    for (output, arguments) in [
        ("a.cwasm", &["app.wat", "--name", &digest][..]),
        ("b.cwasm", &["app.wat", "--display-version", &digest]),
        ("c.cwasm", &["app.wat", "--display-version", &labelled]),
        ("d.cwasm", &[format!("{digest}.wat").as_str()]),
    ] {
        sandbox.ok(&[&build[..], &[output], arguments].concat());
    }
    sandbox.ok(&[&build[..], &[digest.as_str(), "app.wat"]].concat());
    assert!(
        sandbox
            .path()
            .join(&digest)
            .join("app.x86_64.cwasm")
            .is_file()
    );
    let shown = sandbox.ok(&["keys", "show", "key.pub.pem", "--format", "json"]);
    let shown = edgec_tests::results(shown);
    let id = shown[0]["key"]["keyId"].as_str().unwrap();
    let stderr = sandbox.fails(1, &["sign", "a.cwasm", "--remove", id]);
    assert!(stderr.contains(id), "{stderr}");
    // An existing folder may have any name.
    let mut command = sandbox.command(&[&build[..], &["e.cwasm", "app.wat"]].concat());
    let output = command.env("TMPDIR", &digest).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The hint depends on the place of the secret.
#[test]
fn hints_are_about_the_place() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module)");
    let seed = "NXgaXUKXiy+zxSW82RibwztMVU19XCEQIAX+osyq6jg=";
    let hex = "9f3c1a77d0e45b6288aa17c3e2f09b4d".repeat(2);
    let variable = format!("SECRET={seed}");
    let [labelled, separated] = [format!("hex:{hex}"), format!("seed-{hex}")];
    for (line, says) in [
        (
            &["run", "--env", &variable, "app.cwasm"][..],
            "`--env NAME` alone passes it on",
        ),
        (
            &["run", "app.cwasm", seed],
            "put the program's arguments after `--`",
        ),
        (
            &["run", "app.cwasm", &format!("--token={seed}")],
            "put the program's arguments after `--`",
        ),
        (&["build", "app.wat", "-o", seed], "make its folder first"),
        (
            &["build", "app.wat", "--name", seed],
            "if it is a digest, write its hexadecimal digits",
        ),
        (
            &["build", "app.wat", "--name", &labelled],
            "if it is a digest, write its hexadecimal digits",
        ),
        (
            &["store", "rm", &separated],
            "if it is a digest, write its hexadecimal digits",
        ),
    ] {
        let stderr = sandbox.fails(2, line);
        assert!(stderr.starts_with("error[secret-argument]: "), "{stderr}");
        assert!(stderr.contains(says), "{line:?}: {stderr}");
        assert!(
            !stderr.contains(&seed[..16]) && !stderr.contains(&hex[..16]),
            "{stderr}"
        );
    }
    // A path of 43 letters, in an existing folder.
    let folder = "Releases/EdgeShop2";
    std::fs::create_dir_all(sandbox.path().join(folder)).unwrap();
    let path = format!("{folder}/A1b2C3d4E5f6G7h8I9j0K1l2");
    assert_eq!(path.len(), 43);
    let build = [
        "build", "-q", "app.wat", "-t", "x86_64", "--key", "key.pem", "-o",
    ];
    sandbox.ok(&[&build[..], &[path.as_str()]].concat());
    std::fs::remove_dir_all(sandbox.path().join(folder)).unwrap();
    let stderr = sandbox.fails(2, &[&build[..], &[path.as_str()]].concat());
    assert!(stderr.contains("put `./` in front"), "{stderr}");
    sandbox.ok(&[&build[..], &[format!("./{path}").as_str()]].concat());
}

/// A passphrase or a PIN has no form by which it could be recognized. So if a file does not exist,
/// its name is not shown.
#[test]
fn a_passphrase_where_its_file_should_be_is_not_shown() {
    let sandbox = encrypted_key();
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    let passphrases = [
        "correct horse battery staple",
        "/hunter2hunter2",
        "Tr0ub4dor&3-with/slashes.and.dots",
        "ZmYwYzRhNTJkZmE3NDM2",
        "./looks-like-a-path-0123456789",
        "123456789012",
    ];
    let mut lines: Vec<Vec<String>> = Vec::new();
    let secret = passphrases.map(str::to_owned);
    for verb in verbs(&sandbox) {
        let given: &[&str] = match verb.path.join(" ").as_str() {
            "build" => &["app.wat", "--key", "secret.pem"],
            "sign" | "policy sign" => &["app.wat", "--key", "secret.pem", "-o", "out"],
            "keys show" => &["secret.pem"],
            "keys export" => &["secret.pem", "--as", "pem"],
            "keygen" => &["--encrypt", "-o", "new.pem"],
            _ => &[],
        };
        let given = given.iter().map(|it| (*it).to_owned());
        let with_more =
            |line: Vec<String>| -> Vec<String> { line.into_iter().chain(given.clone()).collect() };
        for (place, _) in &verb.places {
            let Place::Long(name) = place else { continue };
            if !name.contains("pass") && !name.contains("pin") {
                continue;
            }
            for passphrase in passphrases {
                for line in lines_with(&verb, place, passphrase) {
                    lines.push(with_more(line));
                }
            }
        }
        for passphrase in passphrases {
            // `--encrypt` is an option of `keygen`, and takes no value.
            for misspelled in [
                "--passphrase",
                "--pasphrase-file",
                "--pin",
                "--pkcs11-pin",
                "--encrypt",
                "--pwd",
            ] {
                for line in lines_with(&verb, &Place::Long(misspelled.to_owned()), passphrase) {
                    lines.push(with_more(line));
                }
            }
        }
    }
    search(&sandbox, &lines, &secret, |line, output| {
        assert_ne!(output.status.code(), Some(0), "{line:?}");
    });
    let shown = shows(&written(&sandbox, &["passphrase"]), &secret);
    assert_eq!(shown, None);
    let build = [
        "build",
        "app.wat",
        "--key",
        "secret.pem",
        "--passphrase-file",
    ];
    let stderr = sandbox.fails(3, &[&build[..], &["correct horse battery staple"]].concat());
    assert!(
        stderr.starts_with("error[io]: --passphrase-file: there is no such file"),
        "{stderr}"
    );
}

/// A shell splits a passphrase without quotes. No part of it is shown, even if the key is not
/// encrypted or the command line has another mistake.
#[test]
fn a_passphrase_that_a_shell_has_split_is_not_shown() {
    let sandbox = encrypted_key();
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    let words = ["correct", "horse", "battery", "staple"];
    let secret = words.map(str::to_owned);
    for begin in [
        &["build", "app.wat", "--key", "key.pem"][..],
        &["build", "app.wat", "--key", "secret.pem"],
        &["build", "app.wat", "--unknown"],
        &["sign", "app.cwasm", "--key", "key.pem"],
        &["keys", "show", "key.pem"],
        &["keygen", "--encrypt", "-o", "new.pem"],
        &["policy", "sign", "app.toml", "--key", "key.pem", "-o", "x"],
    ] {
        let before = sandbox.files();
        let line = [begin, &["--passphrase-file"], &words].concat();
        let output = sandbox.run(&line);
        assert_eq!(output.status.code(), Some(3), "{line:?}: {output:?}");
        let shown = printed(&output);
        let says = "error[io]: --passphrase-file: there is no such file";
        assert!(shown.contains(says), "{line:?}: {shown}");
        assert_eq!(shows(&shown, &secret), None, "{line:?}: {shown}");
        assert_eq!(sandbox.files(), before);
    }
}

/// Puts the name of a file with a secret into every place for a file.
#[test]
fn a_file_with_a_secret_is_not_shown_wherever_it_is_named() {
    let sandbox = Sandbox::new();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let secret = Secret::of(&pem);
    let app = "(component)";
    sandbox.write("app.wat", app);
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    let mut planted = vec!["key.pem".to_owned()];
    let seeds = Secret::seeds(&pem);
    for (number, text) in secret.forms.iter().chain(&seeds).enumerate() {
        // One form of each kind is enough. The 32 bytes in base64 may be a public key as well.
        if [0, 1, 3, 11, 12, 14, secret.forms.len() + 2].contains(&number) {
            let name = format!("secret-{number}");
            sandbox.write_secret(&name, text);
            planted.push(name);
        }
    }
    let lines = lines_naming(&sandbox, &planted);
    search(&sandbox, &lines, &secret.parts, |_, _| {});
    // A build without a key makes another key for this machine. It begins like every key, so its
    // file is left out of the search.
    let made = "home/.config/edgec/dev.pem";
    assert!(sandbox.files().iter().any(|name| name == made));
    let made_text = String::from_utf8(sandbox.read(made)).unwrap();
    let made_body = made_text.lines().nth(1).unwrap();
    assert!(!secret.parts.iter().any(|part| part == made_body));
    let known: Vec<&str> = planted.iter().map(String::as_str).chain([made]).collect();
    assert_eq!(shows(&written(&sandbox, &known), &secret.parts), None);
}

/// The file of a passphrase, or a file of variables, in place of another file. It has no form by
/// which it could be recognized, so no message may quote a file of the wrong kind.
#[test]
fn a_file_with_a_passphrase_is_not_quoted_wherever_it_is_named() {
    const PASSPHRASE: &str = "hunter2-secret-0123";
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(component)");
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    let mut planted = Vec::new();
    for (name, text) in [
        ("passphrase", "PASSPHRASE\n"),
        (
            "variables",
            "# of the release\nexport RELEASE_PASSWORD=PASSPHRASE\n",
        ),
        ("quoted", "release_password = \"PASSPHRASE\"\n"),
        ("policy", "threshold = \"PASSPHRASE\"\n"),
        ("fleet", "schema = 1\nmode = \"PASSPHRASE\"\n"),
        ("host", "schema = \"PASSPHRASE\"\n"),
    ] {
        sandbox.write_secret(name, text.replace("PASSPHRASE", PASSPHRASE));
        planted.push(name.to_owned());
    }
    let lines = lines_naming(&sandbox, &planted);
    search(&sandbox, &lines, &[PASSPHRASE.to_owned()], |_, _| {});
    for verb in ["build", "validate"] {
        let stderr = sandbox.fails(1, &[verb, "passphrase"]);
        let says = "neither WebAssembly binary nor WebAssembly text";
        assert!(stderr.contains(says), "{stderr}");
    }
    let stderr = sandbox.fails(1, &["policy", "check", "policy"]);
    let says = "line 1, column 13: write a whole number, 0 or more, without quotes";
    assert!(stderr.contains(says), "{stderr}");
}

/// Whether a digest can stand there, according to the name of the value in the help.
fn takes_a_digest(value: &str) -> bool {
    let mut names = "NAME CHANNEL TEXT KEY_ID LABEL REVISION".split(' ');
    !value.contains('=') && names.any(|name| value.contains(name))
}

/// 64 hexadecimal digits and nothing else.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Command lines with files in every place for a file.
fn lines_naming(sandbox: &Sandbox, planted: &[String]) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for verb in verbs(sandbox) {
        let given: &[&str] = match verb.path.join(" ").as_str() {
            "build" => &["app.wat", "-o", "built.cwasm", "-t", "x86_64"],
            "validate" => &["app.wat"],
            "sign" => &["app.cwasm", "-o", "signed.cwasm"],
            "verify" | "run" | "store add" => &["--key", "key.pub.pem", "app.cwasm"],
            "keys export" => &["--as", "pem"],
            "keys import" => &["-o", "imported.pem"],
            "report" => &["app.cwasm", "-o", "report.html"],
            "policy sign" => &["-o", "signed.policy"],
            "check" | "inspect" | "audit" | "envelope" => &["app.cwasm"],
            _ => &[],
        };
        for (place, value) in &verb.places {
            if !takes_a_file(place, value) && *place != Place::Positional {
                continue;
            }
            for file in planted {
                let first = lines_with(&verb, place, file).into_iter().next().unwrap();
                let (path, named) = first.split_at(verb.path.len());
                let given: Vec<String> = given.iter().map(|it| (*it).to_owned()).collect();
                lines.push([path, named, &given].concat());
                lines.push([path, &given, named].concat());
            }
        }
    }
    // Outputs are left out: they would overwrite the file with the secret, or refuse to.
    let writes = ["-o", "--output", "--export-pae", "--save", "--trust-state"];
    lines.retain(|line| {
        let mut pairs = line.windows(2);
        !pairs.any(|pair| writes.contains(&pair[0].as_str()) && planted.contains(&pair[1]))
    });
    lines
}
