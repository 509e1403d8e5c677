//! Keys in every form are recognised, and public text is not taken for a key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::{Material, looks_like};

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
        STANDARD.encode(utf16(&pem)),
        format!("k:{}", STANDARD.encode(utf16(&pem))),
        base32(&der[16..]),
        base32(&der[16..]).to_lowercase(),
        base32(pem.as_bytes()),
        xxd(pem.as_bytes()),
        xxd(pem.as_bytes()).replace('\n', " "),
        xxd(&der),
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

/// Any text may stand before a key, and its end may be cut off.
#[test]
fn what_stands_in_front_changes_nothing() {
    let pem = pem();
    let document = STANDARD.encode(&pem);
    let der = STANDARD.decode(BODY).unwrap();
    let seed = STANDARD.encode(&der[16..]);
    for before in [
        "data:application/x-pem-file;base64,",
        "data:x;base64,",
        "base64,",
        "a,b,",
        "kms://",
        "sk-",
        "sk_live_",
        "mykey_",
        "app/",
        "app/key/",
        "vault/key/",
        "secret/",
        "$",
        "@",
        "v1.",
        "(",
    ] {
        for key in [&document, &seed, &seed.replace('=', ""), &BODY.to_owned()] {
            let text = format!("{before}{key}");
            assert_eq!(found(&text), Some(Material::Key), "{text}");
        }
    }
    for cut in [2, 4, 24] {
        assert_eq!(found(&BODY[cut..]), Some(Material::Key), "{cut}");
    }
}

/// UTF-16 text as PowerShell writes it.
fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

fn base32(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1))
        .collect();
    let letter = |bits: &[u8]| {
        let number = (0..5).fold(0, |number, at| {
            number * 2 + usize::from(bits.get(at).copied().unwrap_or(0))
        });
        char::from(letters[number])
    };
    bits.chunks(5).map(letter).collect()
}

fn xxd(bytes: &[u8]) -> String {
    let line = |(number, line): (usize, &[u8])| {
        let pairs: Vec<String> = line.chunks(2).map(hex).collect();
        let letters: String = line
            .iter()
            .map(|byte| match byte.is_ascii_graphic() || *byte == b' ' {
                true => char::from(*byte),
                false => '.',
            })
            .collect();
        format!("{:08x}: {}  {letters}\n", 16 * number, pairs.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
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

/// OpenSSL's headers of other keys, and of an encrypted one.
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
        "MyVeryLongCamelCaseApplicationNameForTheEdg",
        "/tmp/fresh/g/Work2/MyProject/EdgeShop/Relea",
        "SOME_VARIABLE_WITH_A_NAME_OF_43_CHARACTERS_=",
        "Some_Variable_Of_43_Characters_And_A_Value_=x",
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
        "7f1c2a9e-3b4d-4c5e-8f6a-0b1c2d3e4f5a/6ba7b810-9dad-11d1-80b4-00c04fd430c8.wasm",
        "3c59dc048e8850243be8079a5c74d079ABCDEF01",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "out/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.x86_64.cwasm",
        "cache/edgec/target/debug/build/wasm-opt-sys-8258f66ae1742739/out/e4c3f0e8e8bcc31f-LoopInvariantCodeMotion.o",
        "target/wasm32-wasip2/release/deps/my_very_long_application_name-0123456789abcdef.wasm",
        "/home/runner/work/MyCompany-EdgeShop/MyCompany-EdgeShop/target/wasm32-wasip1/release/Shop2.wasm",
        "Users/AnnaB/Source/Repos/EdgeShop/EdgeShop.Web/bin/Release/net9.0/wasi-wasm/AppBundle/EdgeShop.Web.wasm",
        "bazel-out/k8-fastbuild-ST-4c64f0b3d5c7/bin/services/EdgeShop/wasm32_app.wasm",
        "node_modules/.pnpm/@bytecodealliance+jco@1.15.0/node_modules/@bytecodealliance/jco/lib/wasi.wasm",
        "_RNvXs5_NtCsjMrHjWRpXmz_4core5sliceNtB5_4IterNtNtNtNtB9_4iter6traits",
        "_ZN4core3fmt9Formatter12pad_integral17h8f2a3b4c5d6e7f80E",
        "__wbg_setRequestHeader_XMLHttpRequest_51d371ad5196f6ef",
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "2027-01-01T00:00:00Z",
    ] {
        assert_eq!(found(text), None, "{text}");
    }
}

/// Seeds of 32 or 64 random bytes.
fn seeds(count: usize, length: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let mut seed = || -> Vec<u8> { (0..length).map(|_| byte()).collect() };
    (0..count).map(|_| seed()).collect()
}

/// With padding, no seed is taken for a name. Without padding, one in 100,000 may be.
#[test]
fn seeds_look_random() {
    for length in [32, 64] {
        let mut missed = 0;
        for seed in seeds(10_000, length) {
            for text in [STANDARD.encode(&seed), URL_SAFE.encode(&seed)] {
                for text in [text.clone(), format!("k={text}"), format!("{text}::/data")] {
                    assert_eq!(found(&text), Some(Material::Key), "{text}");
                }
            }
            for text in [STANDARD_NO_PAD.encode(&seed), URL_SAFE_NO_PAD.encode(&seed)] {
                missed += usize::from(found(&text).is_none());
            }
        }
        assert!(missed <= 4, "{missed} of {length} bytes");
    }
    for text in [
        "NXgaXUKXiy+zxSW82RibwztMVU19XCEQIAX+osyq6jg=",
        "NXgaXUKXiy+zxSW82RibwztMVU19XCEQIAX+osyq6jg",
        "INHLMdnGx9IPJ5wrkHEREKBPGjvmhe48YBxhibnKuYI=",
        "INHLMdnGx9IPJ5wrkHEREKBPGjvmhe48YBxhibnKuYI",
    ] {
        assert_eq!(found(text), Some(Material::Key), "{text}");
    }
}
