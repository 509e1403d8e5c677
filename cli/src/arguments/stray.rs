//! Bytes in hexadecimal in a file's name, where a digest would not stand.

/// Whether a name has 64 or 128 hexadecimal digits after a character that is rare in names of
/// files, such as `$`, `@` and `(`, or as its ending. After `/`, `-` and `_` they may be a digest.
/// A name that begins like a path (`./`, `../`, `/`) is one.
pub(super) fn has_stray_bytes(name: &[u8]) -> bool {
    let paths: [&[u8]; 3] = [b"./", b"../", b"/"];
    if paths.iter().any(|begin| name.starts_with(begin)) {
        return false;
    }
    let mut begin = 0_usize;
    // The end counts as a byte between two runs of digits.
    for (at, byte) in name.iter().chain(std::iter::once(&b'\0')).enumerate() {
        if byte.is_ascii_hexdigit() {
            continue;
        }
        let before = begin.checked_sub(1).and_then(|before| name.get(before));
        if matches!(at - begin, 64 | 128) && !may_stand(before, at == name.len()) {
            return true;
        }
        begin = at + 1;
    }
    false
}

/// Whether a digest may stand after this byte, or at the end of a name.
fn may_stand(before: Option<&u8>, at_end: bool) -> bool {
    match before {
        // These are judged as a whole, or by the label in front.
        None | Some(b':' | b'=' | b',' | b';') => true,
        Some(b'.') => !at_end,
        Some(byte) => !byte.is_ascii() || byte.is_ascii_alphanumeric() || b"/-_+~%".contains(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stand_in_names_and_other_bytes_do_not() {
        let hex = "0123456789abcdef".repeat(4);
        let twice = hex.repeat(2);
        for before in ["$", "@", "(", "[", "<", "{", "v1.", "app@", "a b "] {
            for bytes in [&hex, &twice] {
                let name = format!("{before}{bytes}");
                assert!(has_stray_bytes(name.as_bytes()), "{name}");
            }
        }
        for name in [
            hex.clone(),
            format!("{hex}.wasm"),
            format!("app.{hex}.cwasm"),
            format!("app-{hex}"),
            format!("sha256:{hex}"),
            format!("store/blobs/{hex}"),
            format!("./${hex}"),
            "${HOME}/0123456789abcdef0123456789abcdef01234567".to_owned(),
            String::new(),
        ] {
            assert!(!has_stray_bytes(name.as_bytes()), "{name}");
        }
    }
}
