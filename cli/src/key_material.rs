//! Whether a text looks like a secret key. If a key stands in place of a file's name, edgec must
//! not repeat it.
//!
//! Known forms: PEM (RFC 7468) of any private key, also on one line, escaped (`\n`, `\u000a`,
//! `%0A`) or cut into words; the DER inside (PKCS#8, RFC 5958; SEC 1; PKCS#1; OpenSSH's) in base64,
//! base64url or hexadecimal, or byte by byte; all of these once more in such an encoding; what
//! `openssl pkey -text` prints; keys of PuTTY, age, minisign, signify and JWK; and texts that look
//! like 32 or 64 random bytes, since a bare seed has no form of its own.

mod forms;
mod listed;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// What a text seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// A secret key: nothing else has this form.
    Key,
    /// 32 or 64 bytes in hexadecimal, or byte by byte: a secret seed or a public digest.
    HexBytes,
}

/// How many encodings around a key are removed.
const DEPTH: u8 = 3;
/// How much of a text is searched, in bytes (1 MiB).
const MAX_LEN: usize = 1 << 20;

/// What kind of key material a text seems to be, if any.
pub(crate) fn looks_like(text: &[u8]) -> Option<Material> {
    let text = text.get(..MAX_LEN).unwrap_or(text);
    if is_key(text, DEPTH) {
        return Some(Material::Key);
    }
    let mut digits = compact(&unescaped(text));
    digits.retain(|byte| *byte != b':');
    let prefixed = digits.strip_prefix(b"0x").or(digits.strip_prefix(b"0X"));
    let digits = prefixed.unwrap_or(&digits);
    let is_hex = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    let is_bytes = (is_hex && is_seed(&from_hex(digits))) || listed::is_list(text, is_seed);
    is_bytes.then_some(Material::HexBytes)
}

/// How many bytes a text lists, if it is nothing but a list of bytes, such as `[48,`; else none.
pub(crate) fn listed_bytes(text: &[u8]) -> usize {
    listed::count(text)
}

/// 32 or 64 bytes; the first of these also as DER's OCTET STRING, or as one inside another
/// (RFC 8410, `CurvePrivateKey`).
fn is_seed(bytes: &[u8]) -> bool {
    match bytes {
        [0x04, 0x20, seed @ ..] | [0x04, 0x22, 0x04, 0x20, seed @ ..] if seed.len() == 32 => true,
        _ => matches!(bytes.len(), 32 | 64),
    }
}

fn is_key(text: &[u8], depth: u8) -> bool {
    let plain = unescaped(text);
    if forms::is_document(&plain) || forms::is_binary(&plain) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let compact = compact(&plain);
    let mut runs = compact.split(|byte| !is_base64(*byte));
    if runs.any(|run| is_random(without_der(run))) {
        return true;
    }
    let mut decoded = decodings(&compact).chain(listed::lists(text));
    decoded.any(|bytes| is_key(&bytes, depth))
}

/// A run of base64 letters without the first letters of an OCTET STRING of 32 bytes, alone or
/// inside another.
fn without_der(run: &[u8]) -> &[u8] {
    match run {
        [b'B', b'C', b'I', b'E', b'I', seed @ ..] | [b'B', b'C', b'A'..=b'D', seed @ ..]
            if seed.len() == 43 =>
        {
            seed
        }
        _ => run,
    }
}

/// Everything in a text that could be bytes in base64 (either alphabet) or hexadecimal.
fn decodings(text: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let runs = text.split(|byte| !is_base64(*byte));
    let runs = runs.filter(|run| run.len() >= 24);
    let base64 = runs.flat_map(|run| {
        // DER begins with `M` in base64, and a key of minisign with `RW`; a name or a prefix may
        // come before it.
        let begins = move |at: &usize| {
            let rest = run.get(*at..).unwrap_or_default();
            *at == 0 || rest.starts_with(b"M") || rest.starts_with(b"RW")
        };
        let begins = (0..run.len()).filter(begins).take(64);
        begins.filter_map(move |at| from_base64(run.get(at..)?))
    });
    let mut digits = text.to_vec();
    digits.retain(|byte| *byte != b':');
    let hex = digits.split(|byte| !byte.is_ascii_hexdigit());
    let hex = hex.filter(|run| run.len() >= 32);
    let hex: Vec<_> = hex.flat_map(hex_decodings).collect();
    base64.chain(hex)
}

/// The bytes of a run of hexadecimal digits, also from where PKCS#8 or another sequence with a
/// version begins: a dump has offsets in front.
fn hex_decodings(run: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let begins = |at: &usize| {
        let rest = run.get(*at..).unwrap_or_default();
        let version = |at: usize| rest.get(at..).is_some_and(|it| it.starts_with(b"0201"));
        *at == 0 || rest.starts_with(b"30") && [4, 6, 8].into_iter().any(version)
    };
    let begins = (0..run.len()).filter(begins).take(16);
    begins
        .filter_map(|at| run.get(at..))
        .map(from_hex)
        .collect()
}

/// The bytes of a run of base64 letters, in either alphabet.
fn from_base64(run: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let letters = run.iter().map(|byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    });
    let mut letters: Zeroizing<Vec<u8>> = Zeroizing::new(letters.collect());
    // One letter left over does not make a byte.
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    let decoded = GeneralPurpose::new(&URL_SAFE, config).decode(&*letters);
    decoded.ok().map(Zeroizing::new)
}

fn from_hex(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0);
    let bytes = digits.chunks_exact(2).map(|pair| match *pair {
        [high, low] => u8::try_from(value(high) * 16 + value(low)).unwrap_or(0),
        _ => 0,
    });
    Zeroizing::new(bytes.collect())
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Whether a run of base64 letters has the length of 32 or 64 bytes and looks random. Random bytes
/// change between capitals, small letters and digits more often than names of files and
/// applications do. Fewer than one random text in a million has under three capitals or under three
/// small letters. A random text uses one of the two alphabets, while a path may mix both.
fn is_random(run: &[u8]) -> bool {
    let changes_at_least = match run.len() {
        43 => 17,
        86 => 38,
        _ => return false,
    };
    let has = |letters: &[u8]| run.iter().any(|byte| letters.contains(byte));
    let at_least_three = |is: fn(&u8) -> bool| run.iter().filter(|byte| is(byte)).count() >= 3;
    if (has(b"+/") && has(b"-_"))
        || !at_least_three(u8::is_ascii_uppercase)
        || !at_least_three(u8::is_ascii_lowercase)
    {
        return false;
    }
    let class = |byte: &u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let pairs = run.iter().zip(run.iter().skip(1));
    let changes = pairs.filter(|(one, next)| class(one) != class(next));
    changes.count() >= changes_at_least
}

/// Removes white space, quotes, and the commas and backslashes of lists of strings.
fn compact(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let kept = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'`,\\".contains(byte);
    Zeroizing::new(text.iter().filter(kept).copied().collect())
}

/// Replaces `\n`, `\u000a`, `\x0a`, `%0A` and `&#10;` by their characters, also if they are escaped
/// several times.
fn unescaped(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(text.to_vec());
    for _ in 0..DEPTH {
        let again = unescaped_once(&text);
        if *again == *text {
            break;
        }
        text = again;
    }
    text
}

fn unescaped_once(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, length) = match (first, behind) {
            (b'\\', [b'n' | b'r' | b't', ..]) => (b'\n', 2),
            (b'\\', [b'\\' | b'"' | b'/', ..]) => (*behind.first().unwrap_or(&b'\\'), 2),
            (b'\\', [b'u', ..]) => escape(rest, 2, 4),
            (b'\\', [b'x', ..]) => escape(rest, 2, 2),
            (b'%', _) => escape(rest, 1, 2),
            (b'&', [b'#', b'x' | b'X', ..]) => reference(rest, 3, 16),
            (b'&', [b'#', ..]) => reference(rest, 2, 10),
            _ => (first, 1),
        };
        plain.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

/// The ASCII character that `digits` hexadecimal digits after a prefix stand for, and the length of
/// prefix and digits.
fn escape(text: &[u8], prefix: usize, digits: usize) -> (u8, usize) {
    let code = text.get(prefix..prefix + digits);
    let code = code.and_then(|code| std::str::from_utf8(code).ok());
    let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
    match code.filter(u8::is_ascii) {
        Some(byte) => (byte, prefix + digits),
        None => (*text.first().unwrap_or(&0), 1),
    }
}

/// Likewise for `&#10;`.
fn reference(text: &[u8], prefix: usize, radix: u32) -> (u8, usize) {
    let end = text.iter().take(8).position(|byte| *byte == b';');
    let code = end.and_then(|end| text.get(prefix..end));
    let code = code.and_then(|code| std::str::from_utf8(code).ok());
    let code = code.and_then(|code| u8::from_str_radix(code, radix).ok());
    match (code.filter(u8::is_ascii), end) {
        (Some(byte), Some(end)) => (byte, end + 1),
        _ => (b'&', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    /// RFC 8410, section 10.3.
    const BODY: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";

    fn pem() -> String {
        format!("-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n")
    }

    fn found(text: &str) -> Option<Material> {
        looks_like(text.as_bytes())
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_key_is_known_in_every_form() {
        let pem = pem();
        let der = STANDARD.decode(BODY).unwrap();
        let once = pem.replace('\n', "\\n");
        let twice = once.replace('\\', "\\\\");
        for text in [
            pem.clone(),
            pem.replace('\n', " "),
            pem.replace('\n', ""),
            pem.replace('\n', "\\u000a"),
            pem.replace('\n', "%0A").replace(' ', "%20"),
            pem.replace('\n', "&#10;"),
            pem.replace(' ', "\\u0020"),
            format!("{{\"key\": \"{once}\"}}"),
            once.clone(),
            twice,
            format!("EDGEC_KEY={once}"),
            pem.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
            "-----BEGIN".to_owned(),
            BODY.to_owned(),
            format!("key={BODY}"),
            format!("x{BODY}"),
            BODY.replace('+', "-").replace('/', "_"),
            BODY.replace('+', "%2B").replace('/', "%2F"),
            STANDARD.encode(&pem),
            STANDARD_NO_PAD.encode(once),
            URL_SAFE_NO_PAD.encode(STANDARD.encode(&pem)),
            hex(&der),
            hex(&der).to_uppercase(),
            hex(pem.as_bytes()),
            der.iter().map(|byte| format!("{byte:02x}:")).collect(),
            STANDARD.encode(&der[16..]),
            URL_SAFE_NO_PAD.encode(&der[16..]),
            format!(
                "seed:{}",
                STANDARD.encode([&der[16..], &der[16..]].concat())
            ),
            STANDARD.encode(b"openssh-key-v1\0\0\0\0\x04none"),
            "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"abc\"}".to_owned(),
            "AGE-SECRET-KEY-1QQQQ".to_owned(),
            "PuTTY-User-Key-File-3: ssh-ed25519".to_owned(),
            STANDARD.encode(&der[14..]),
            STANDARD_NO_PAD.encode(&der[14..]),
            URL_SAFE_NO_PAD.encode(&der[14..]),
            STANDARD.encode([&[4_u8, 0x22][..], &der[14..]].concat()),
            format!("0x{}", hex(&der)),
            format!("00000000: {}", hex(&der)),
            list(&der, u8::to_string),
            list(&der, |byte| format!("0x{byte:02x}")),
            list(pem.as_bytes(), u8::to_string),
            format!("{{\"key\": {}}}", list(&der, u8::to_string)),
            openssl_text(&der[16..]),
            openssl_text(&der[16..]).replace('\n', "\\n"),
            format!("priv:\n    {}", colons(&der[16..])),
            format!("privateExponent:\n    00:{}", colons(&der[16..])),
            "Private-Key:".to_owned(),
            minisign(*b"EdScB2"),
            minisign(*b"Ed\0\0B2"),
            minisign(*b"EdBK\0\0"),
            format!(
                "untrusted comment: minisign encrypted secret key\n{}",
                minisign(*b"EdScB2")
            ),
            format!("untrusted comment: mine\n{}\n", minisign(*b"EdScB2")),
            "untrusted comment: signify secret key".to_owned(),
        ] {
            assert_eq!(found(&text), Some(Material::Key), "{text}");
        }
        let twice = [&der[16..], &der[16..]].concat();
        for bytes in [&der[16..], &twice[..], &der[14..]] {
            for text in [
                hex(bytes),
                hex(bytes).to_uppercase(),
                format!("0x{}", hex(bytes)),
                format!("0X{}", hex(bytes).to_uppercase()),
                colons(bytes),
                colons(bytes).replace(':', "-").to_uppercase(),
                colons(bytes).replace(':', " "),
                list(bytes, u8::to_string),
                list(bytes, |byte| format!("0x{byte:02x}")),
                list(bytes, |byte| format!("\\x{byte:02x}")),
            ] {
                assert_eq!(found(&text), Some(Material::HexBytes), "{text}");
            }
        }
    }

    fn list(bytes: &[u8], one: fn(&u8) -> String) -> String {
        let bytes: Vec<String> = bytes.iter().map(one).collect();
        format!("[{}]", bytes.join(","))
    }

    fn colons(bytes: &[u8]) -> String {
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(":")
    }

    /// `openssl pkey -text -noout`.
    fn openssl_text(seed: &[u8]) -> String {
        let line = |bytes: &[u8]| format!("    {}:\n", colons(bytes));
        let lines: String = seed.chunks(15).map(line).collect();
        format!("ED25519 Private-Key:\npriv:\n{lines}pub:\n{lines}")
    }

    /// A secret key of minisign, of 158 bytes.
    fn minisign(begin: [u8; 6]) -> String {
        let rest: Vec<u8> = (0..152_u8).map(|n| n.wrapping_mul(37)).collect();
        STANDARD.encode([&begin[..], &rest].concat())
    }

    /// OpenSSL's headers of other keys, and of one under a passphrase.
    #[test]
    fn other_keys_are_known_by_their_der() {
        for body in [
            "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBA",
            "MHcCAQEEIBYkcRvXz0u2lQd3Jx4yJmF3cJX1x1n2x8r8oAoGCCqGSM49",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ",
            "MIIEpAIBAAKCAQEAzJ0m0t1y3JkVtqZ1Q0",
            "MFECAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp",
        ] {
            assert_eq!(found(body), Some(Material::Key), "{body}");
        }
    }

    #[test]
    fn what_is_public_is_not_taken_for_a_key() {
        for text in [
            "",
            "-",
            "key.pem",
            "/home/me/private-key.pem",
            "/var/lib/BEGIN-PRIVATE-KEY.pem",
            "env:RELEASE_PRIVATE_KEY",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh me@host",
            "target/debug/deps/edgec_tests-0123456789abcdef.x86_64.cwasm",
            "MyCompany-Service-v2-production-build-00001",
            "a-quite-long-name-of-an-application-1234567",
            "core/module/spec__simd_f64x2_pmin_pmax__000.wasm",
            "a1-b2-c3-d4-e5-f6-g7-h8-i9-j0-k1-l2-m3-n4-o",
            "Tests/V1/Case_01/Step_2/X86_64/Fn_3/a1_b2_c",
            "/nix/store/0c0v3f1x9s1zr1p4q3s2n5b1x7m8k9l0-edgec-0.1.0/bin/edgec",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "untrusted comment: minisign public key",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
            "ED25519 Public-Key:\npub:\n    19:bf:44:09:69:84:cd:fe:85:41:ba:c1:67:dc:3b",
            "/srv/priv::/data",
            "/srv/private-key::/data",
            "0xdeadbeef",
            "app.cwasm+0x1234",
            "2027-01-01-12-30-00",
            "10.0.0.1:8080",
            "BCAuthority/releases/edge/production/shopV1000",
            "My Secret Key.txt",
            "2027-01-01T00:00:00Z",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    /// Of a thousand random seeds, at most two look like a name.
    #[test]
    fn seeds_look_random() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut missed = 0;
        for _ in 0..10_000 {
            let mut seed = [0; 32];
            for byte in &mut seed {
                // xorshift64
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = state.to_le_bytes()[3];
            }
            missed += usize::from(found(&STANDARD.encode(seed)).is_none());
        }
        assert!(missed <= 20, "{missed}");
    }
}
