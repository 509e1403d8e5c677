//! Refuses misplaced content where a file's name should stand: a public key, or a passphrase.

use std::path::Path;

use super::exists;
use super::places::{Kind, Place};
use crate::failure::Failure;
use crate::secrets::{passphrase, pin};

/// Refuses the content of a public key in place of its file's name, as in `--key "$(cat
/// k.pub.pem)"`. `number` counts the arguments from 1.
pub(super) fn refuse_public_key(
    place: &Place<'_>,
    argument: &[u8],
    number: usize,
) -> Result<(), Failure> {
    // A program may take such an argument.
    if matches!(place.kind, Kind::Program | Kind::Argument) {
        return Ok(());
    }
    let value = place.value(argument);
    if !is_public_key(value) || exists(value) {
        return Ok(());
    }
    let at = match place.option {
        Some(option) => format!("argument {number} (`--{option}`)"),
        None => format!("argument {number}"),
    };
    let message = format!("{at} is the content of a public key");
    Err(
        Failure::usage("key-argument", message).hint(match place.option {
            Some("root") => "name its file".to_owned(),
            Some(option @ ("key" | "public-key")) => format!(
                "name its file, or use `--{option} -` (standard input) or `--{option} env:NAME` \
             (a variable's content)"
            ),
            _ => "name its file; where a key is named, `-` is standard input and `env:NAME` a \
              variable's content"
                .to_owned(),
        }),
    )
}

/// Whether a text is a public key in PEM or in OpenSSH's format.
fn is_public_key(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let label = text.strip_prefix(b"-----BEGIN ");
    let is_public = |label: &[u8]| {
        let end = label.windows(5).position(|five| five == b"-----");
        let label = label.get(..end.unwrap_or(label.len())).unwrap_or_default();
        label.ends_with(b"PUBLIC KEY")
    };
    label.is_some_and(is_public) || text.starts_with(b"ssh-ed25519 AAAA")
}

/// Refuses a file for a passphrase or a PIN if it cannot be read, whatever the key is. If the file
/// does not exist, its name may be the secret, or the secret's first word. So nothing else of the
/// command line may be shown: the shell may have split the secret.
pub(super) fn refuse_no_secret_file(place: &Place<'_>, argument: &[u8]) -> Result<(), Failure> {
    let value = place.value(argument);
    let Ok(name) = std::str::from_utf8(value) else {
        return Ok(());
    };
    let path = Some(Path::new(name)).filter(|_| !name.is_empty());
    match place.option {
        Some("passphrase-file") => passphrase(path).refuse_unreadable(),
        Some("pkcs11-pin-file") => pin(path).refuse_unreadable(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_have_two_forms() {
        for text in [
            "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----",
            "\n-----BEGIN RSA PUBLIC KEY-----\n",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 you@example.com",
        ] {
            assert!(is_public_key(text.as_bytes()), "{text}");
        }
        for text in [
            "k.pub.pem",
            "-----BEGIN CERTIFICATE-----\nMIIB\nPUBLIC KEY",
            "ssh-ed25519",
            "",
        ] {
            assert!(!is_public_key(text.as_bytes()), "{text}");
        }
    }
}
