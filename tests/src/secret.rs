//! Secrets in every form in which people paste them, and the search for them in a program's output
//! and files.

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::Sandbox;
use crate::help::{Place, Verb};

/// A key in many forms, and the texts that must never be visible, not even in part.
pub struct Secret {
    /// The key in the forms of people and tools.
    pub forms: Vec<String>,
    /// The secret texts in those forms.
    pub parts: Vec<String>,
}

/// Lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Secret {
    /// All forms of a key, from its PEM (PKCS#8, Ed25519).
    pub fn of(pem: &str) -> Self {
        let label = pem.lines().next().unwrap().to_owned();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(&body).unwrap();
        let seed = &der[16..];
        let escaped = pem.replace('\n', "\\n");
        let ssh = STANDARD.encode([b"openssh-key-v1\0\0\0\0\x04none", seed].concat());
        // As long as a secret key of minisign: 158 bytes.
        let minisign = [&b"Ed\0\0B2"[..], &[7; 48], seed, &[7; 72]].concat();
        let minisign = STANDARD.encode(minisign);
        let forms = vec![
            pem.to_owned(),
            STANDARD.encode(&der),
            pem.replace('\n', " "),
            escaped.clone(),
            pem.trim_end().to_owned(),
            pem.replace('\n', ""),
            pem.replace('\n', "\r\n"),
            escaped.replace('\\', "\\\\"),
            format!("{{\"key\": \"{escaped}\"}}"),
            pem.replace('\n', "%0A").replace(' ', "%20"),
            URL_SAFE_NO_PAD.encode(&der),
            STANDARD.encode(pem),
            hex(&der),
            hex(pem.as_bytes()),
            format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\n{ssh}\n-----END OPENSSH PRIVATE KEY-----"
            ),
            ssh.clone(),
            format!("{label}\n{body}"),
            decimal(&der),
            list(&der, ", ", |byte| format!("0x{byte:02x}")),
            openssl_text(seed),
            STANDARD.encode(&der[14..]),
            format!("untrusted comment: minisign secret key\n{minisign}"),
            minisign.clone(),
        ];
        let parts = vec![
            body.clone(),
            URL_SAFE_NO_PAD.encode(&der),
            STANDARD.encode(pem),
            hex(&der),
            hex(pem.as_bytes()),
            hex(&der).to_uppercase(),
            STANDARD.encode(seed),
            URL_SAFE_NO_PAD.encode(seed),
            ssh,
            STANDARD.encode(&der[14..]),
            colons(seed),
            decimal(seed).trim_matches(['[', ']']).to_owned(),
            list(seed, ", ", |byte| format!("0x{byte:02x}")),
            minisign,
        ];
        Self { forms, parts }
    }

    /// The 32 bytes alone. Only in place of a file's name is such a text certainly a mistake.
    pub fn seeds(pem: &str) -> Vec<String> {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let seed = &der[16..];
        vec![
            STANDARD.encode(seed),
            URL_SAFE_NO_PAD.encode(seed),
            hex(seed),
            hex(seed).to_uppercase(),
            format!("0x{}", hex(seed)),
            colons(seed),
            colons(seed).replace(':', "-").to_uppercase(),
            decimal(seed),
            hex(&der[14..]),
        ]
    }
}

fn list(bytes: &[u8], between: &str, one: fn(&u8) -> String) -> String {
    bytes.iter().map(one).collect::<Vec<_>>().join(between)
}

fn colons(bytes: &[u8]) -> String {
    list(bytes, ":", |byte| format!("{byte:02x}"))
}

/// A list of bytes in JSON.
fn decimal(bytes: &[u8]) -> String {
    format!("[{}]", list(bytes, ",", u8::to_string))
}

/// The output of `openssl pkey -text -noout`.
fn openssl_text(seed: &[u8]) -> String {
    let line = |bytes: &[u8]| format!("    {}:\n", colons(bytes));
    let lines: String = seed.chunks(15).map(line).collect();
    format!("ED25519 Private-Key:\npriv:\n{lines}")
}

/// The first 12 consecutive characters of a secret that a text shows. A shorter secret counts as a
/// whole.
pub fn shows(text: &str, parts: &[String]) -> Option<String> {
    let windows = parts.iter().flat_map(|part| {
        let chars: Vec<char> = part.chars().collect();
        let width = chars.len().min(12);
        let windows = chars.windows(width).map(|it| it.iter().collect::<String>());
        windows.collect::<Vec<_>>()
    });
    let mut seen = BTreeSet::new();
    windows
        .filter(|it| seen.insert(it.clone()))
        .find(|it| text.contains(it.as_str()))
}

/// Everything that a process printed, on both streams.
pub fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// The names and contents of all files in the sandbox, except for those named in `but`.
pub fn written(sandbox: &Sandbox, but: &[&str]) -> String {
    let mut all = String::new();
    for name in sandbox.files() {
        if !but.contains(&name.as_str()) {
            all += &format!(
                "{name}\n{}\n",
                String::from_utf8_lossy(&sandbox.read(&name))
            );
        }
    }
    all
}

/// Runs command lines, four at a time, each with `RUST_BACKTRACE`. Fails if one shows a part of the
/// secret. Gives each output to `judge`.
pub fn search(
    sandbox: &Sandbox,
    lines: &[Vec<String>],
    parts: &[String],
    judge: impl Fn(&[String], &Output) + Sync,
) {
    let next = Mutex::new(lines.iter());
    let one = || {
        loop {
            let line = next.lock().unwrap().next();
            let Some(line) = line else { return };
            let arguments: Vec<&str> = line.iter().map(String::as_str).collect();
            let mut command = sandbox.command(&arguments);
            command
                .env("RUST_BACKTRACE", "full")
                .stdin(std::process::Stdio::null());
            let output = command.output().unwrap();
            let shown = shows(&printed(&output), parts);
            assert_eq!(shown, None, "{line:?}: {output:?}");
            judge(line, &output);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(one);
        }
    });
}

/// Whether an option takes the name of a file.
pub fn takes_a_file(place: &Place, value: &str) -> bool {
    let mut names = "FILE DIR PUBLIC_KEY ARTIFACT PROGRAM INPUT HOST".split(' ');
    *place != Place::Positional
        && !value.contains("KEY_ID")
        && names.any(|name| value.contains(name))
}

/// Command lines of a verb with a secret in one place, in every way in which the place can be
/// written.
pub fn lines_with(verb: &Verb, place: &Place, secret: &str) -> Vec<Vec<String>> {
    let line = |more: &[&str]| verb.line(more);
    match place {
        Place::Long(name) => vec![line(&[name, secret]), line(&[&format!("{name}={secret}")])],
        Place::Short(name) => vec![line(&[name, secret]), line(&[&format!("{name}{secret}")])],
        Place::Positional => vec![line(&[secret]), line(&["--", secret])],
    }
}
