//! Labels in front of bytes: `key=`, `seed-`, `sha256:`.

/// How many parts of an argument are examined.
const MOST_LABELS: usize = 8;

/// How many parts of a name are examined: words may be short.
const MOST_LABELS_OF_NAME: usize = 128;

/// Pairs of a label, such as `key=` or `seed:`, and a text after it. Each label comes twice: with
/// everything that follows, and with the part up to the next separator. A label may be empty, as in
/// `HEX::/data`.
pub(super) fn labelled(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    cut(text, b"=:,;", MOST_LABELS)
}

/// The same for a name, whose words can have other separators too: `key/`, `seed-`.
pub(super) fn labelled_in_name(name: &[u8]) -> Vec<(&[u8], &[u8])> {
    cut(name, b"=:,;/-_.", MOST_LABELS_OF_NAME)
}

fn cut<'a>(text: &'a [u8], separators: &[u8], most: usize) -> Vec<(&'a [u8], &'a [u8])> {
    let separates = |byte: &u8| separators.contains(byte);
    let mut found = Vec::new();
    let (mut label, mut rest): (&[u8], &[u8]) = (&[], text);
    while found.len() < 2 * most {
        let end = rest.iter().position(separates).unwrap_or(rest.len());
        let part = rest.get(..end).unwrap_or_default();
        found.extend([(label, part), (label, rest)]);
        let Some(behind) = rest.get(end + 1..) else {
            break;
        };
        (label, rest) = (part, behind);
    }
    found
}

/// Whether the bytes after this label are a digest, as in `sha256:`.
pub(super) fn is_of_digest(label: &[u8]) -> bool {
    let label = label.to_ascii_lowercase();
    let names: [&[u8]; 4] = [b"sha", b"blake", b"digest", b"verity"];
    names
        .iter()
        .any(|name| label.windows(name.len()).any(|part| part == *name))
}

/// Whether the bytes after this label are a secret, as in `seed-` and `hex:`.
pub(super) fn is_of_secret(label: &[u8]) -> bool {
    let label = String::from_utf8_lossy(label).to_ascii_lowercase();
    let form = matches!(label.as_str(), "hex" | "env") || label.contains("ed25519");
    form || has_secret_word(&label)
}

/// Whether an option, known or misspelled, has the name of an option that takes secrets.
pub(super) fn is_about_secrets(argument: &str) -> bool {
    let argument = argument.to_ascii_lowercase();
    let name = argument.split(['=', ' ']).next().unwrap_or_default();
    name.starts_with('-') && has_secret_word(name)
}

fn has_secret_word(lower_case: &str) -> bool {
    SECRET_WORDS.iter().any(|word| lower_case.contains(word))
}

/// Parts of the names of options that take secrets, in edgec and in other programs. Also
/// `--encrypt`, which takes no value.
const SECRET_WORDS: [&str; 13] = [
    "pass", "phrase", "pin", "pw", "secret", "key", "priv", "seed", "token", "auth", "cred",
    "encrypt", "decrypt",
];
