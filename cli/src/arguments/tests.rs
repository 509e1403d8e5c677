//! Which arguments are refused, and which are not.

use super::*;
use crate::command;

/// Bytes without the form of a key.
const HEX: &str = "9f3c1a77d0e45b6288aa17c3e2f09b4d5566778899aabbccddeeff0123456789";

fn is_refused(line: &[&str]) -> bool {
    let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
    let command = command();
    let mut both = arguments.iter().zip(places(&command, &arguments));
    both.any(|(argument, place)| is_secret(&place, argument.as_encoded_bytes()))
}

#[test]
fn bytes_are_refused_where_they_are_no_digest() {
    let list: Vec<String> = (100..132_u8).map(|byte| byte.to_string()).collect();
    let list = format!("[{}]", list.join(", "));
    let colons: Vec<&str> = (0..32).map(|at| &HEX[2 * at..2 * at + 2]).collect();
    let colons = colons.join(":");
    for bytes in [
        HEX,
        &HEX.to_uppercase(),
        &list,
        &colons,
        &format!("0x{HEX}"),
    ] {
        let with = |before: &str| format!("{before}{bytes}");
        for line in [
            &["build", "--target", bytes][..],
            &["build", "--target", &with("x86_64,")],
            &["build", &with("-O")],
            &["build", &with("-qO")],
            &["build", "--issued", bytes],
            &["build", &with("--format=")],
            &["build", &with("--quiet=")],
            &["build", "--keep-module", bytes],
            &["build", "--keep-module", &with("0,")],
            &["build", "--init", bytes],
            &["build", "--signer", bytes],
            &["build", "--signer-timeout", bytes],
            &["build", &with("--keyy=")],
            &["build", &with("--")],
            &["build", &with("-k")],
            &["build", &with("key=")],
            &["build", &with("ed25519:")],
            &["build", "--name", &with("seed=")],
            &["run", "--env", bytes, "a.cwasm"],
            &["run", "--dir", &format!("{bytes}::/data"), "a.cwasm"],
            &["store", "rm", "app", bytes],
            &["store", "rm", "--pass", bytes],
            &["store", bytes],
            &[bytes],
            &[with("key=").as_str()],
            &["advisories", bytes],
        ] {
            assert!(is_refused(line), "{line:?}");
        }
    }
    for line in [
        &["build", "--name"][..],
        &["sign", "a", "--remove"],
        &["store", "rm"],
    ] {
        for bytes in [list.as_str(), &colons, &format!("0x{HEX}")] {
            assert!(is_refused(&[line, &[bytes]].concat()), "{line:?} {bytes}");
        }
    }
}

/// A digest may stand in a name. Bytes after a word for secrets may not.
#[test]
fn bytes_behind_a_label_of_secrets_are_no_name() {
    let lines = |name: &str| {
        [
            &["build", "--name", name][..],
            &["build", "--channel", name],
            &["build", "--display-version", name],
            &["sign", "a.cwasm", "--remove", name],
            &["store", "rm", name],
            &["run", "--store", "s", name],
        ]
        .map(is_refused)
    };
    for separator in ["=", ":", "/", "-", "_", "."] {
        for label in [
            "key",
            "Seed",
            "hex",
            "env",
            "ed25519",
            "private_key",
            "v1.2-token",
        ] {
            for behind in ["", ".1", "-v2", "/b"] {
                let name = format!("{label}{separator}{HEX}{behind}");
                assert_eq!(lines(&name), [true; 6], "{name}");
            }
        }
        for label in ["sha256", "blake3", "shop", "v1.2", "environment", "hexagon"] {
            let name = format!("{label}{separator}{HEX}");
            assert_eq!(lines(&name), [false; 6], "{name}");
        }
    }
    let seed = "seed-NXgaXUKXiy+zxSW82RibwztMVU19XCEQIAX+osyq6jg=";
    assert_eq!(lines(seed), [true; 6]);
    let long = format!("{}key-{HEX}", "a-".repeat(40));
    assert_eq!(lines(&long), [true; 6]);
}

#[test]
fn what_is_no_key_is_taken() {
    let digest = format!("sha256:{HEX}");
    let file = format!("out/{HEX}.cwasm");
    let numbers: Vec<String> = (0..32).map(|number| number.to_string()).collect();
    let numbers = numbers.join(",");
    for line in [
        &["build", "--name", HEX][..],
        &["build", "--display-version", HEX],
        &["build", "--display-version", &digest],
        &["build", "--keep-module", &numbers],
        &["build", "--wasm-opt", &format!("./{HEX}")],
        &["build", "--signer", &format!("kms-sign --key-id {HEX}")],
        &["build", &file],
        &["sign", "a.cwasm", "--remove", HEX],
        &["store", "rm", HEX],
        &["run", "--store", "s", HEX],
        &["run", "--env", &format!("DIGEST={HEX}"), "a.cwasm"],
        &["run", "a.cwasm", HEX],
        &["run", "a.cwasm", &format!("--digest={HEX}")],
        &["run", "a.cwasm", "--", &format!("--seed={HEX}")],
        &["run", "--dir", "./data::/data", "a.cwasm"],
        &["verify", &digest],
    ] {
        assert!(!is_refused(line), "{line:?}");
    }
}

/// Paths of 43 letters, which is the length of 32 bytes in base64.
#[cfg(unix)]
#[test]
fn a_path_is_no_key() {
    let refused = |file: &str| {
        let [mapped, assigned, attached, long] = [
            format!("{file}::/data"),
            format!("FILE={file}"),
            format!("-o{file}"),
            format!("--output={file}"),
        ];
        [
            &["build", "a.wasm", "-o", file][..],
            &["build", "a.wasm", &attached],
            &["build", "a.wasm", &long],
            &["build", file],
            &["build", "--signer", file],
            &["run", "--dir", &mapped, "a.cwasm"],
            &["run", "--env", &assigned, "a.cwasm"],
            &["run", "a.cwasm", file],
            &["run", "a.cwasm", &long],
        ]
        .map(is_refused)
    };
    // These folders exist: unit tests run in the folder of their crate.
    let absolute = "/usr/bin/A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7";
    let relative = "src/arguments/A1b2C3d4E5f6G7h8I9j0K1l2M3n4O";
    for file in [absolute, relative] {
        assert_eq!((file.len(), refused(file)), (43, [false; 9]), "{file}");
        // These places take no file's name.
        for line in [&["build", "--name", file][..], &["build", "--target", file]] {
            assert!(is_refused(line), "{line:?}");
        }
    }
    // The folder does not exist, so the argument might be the key of a test. The hint helps.
    let absolute = "/no/such/folder/A1b2C3d4E5f6G7h8I9j0K1l2M3n";
    let relative = "no/such/folder/A1b2C3d4E5f6G7h8I9j0K1l2M3n4";
    for file in [absolute, relative] {
        assert_eq!((file.len(), refused(file)), (43, [true; 9]), "{file}");
    }
    let shorter = relative.trim_end_matches('4');
    for file in [
        format!("/{absolute}"),
        format!("./{relative}"),
        format!("./{shorter}"),
    ] {
        assert_eq!(refused(&file), [false; 9], "{file}");
    }
    // A key beside a path, and a key that looks like a path from the folder `/`.
    let seed = "NXgaXUKXiy+zxSW82RibwztMVU19XCEQIAX+osyq6jg";
    for file in [format!("src::{seed}"), format!("/{}", &seed[..42])] {
        assert!(is_refused(&["run", "--dir", &file, "a.cwasm"]), "{file}");
    }
}

#[test]
fn a_list_that_a_shell_has_split_is_refused() {
    let found = |before: &[&str], list: &str| {
        let line = before.iter().copied().chain(list.split(' '));
        let arguments: Vec<OsString> = line.map(OsString::from).collect();
        let command = command();
        split_list(&arguments, &places(&command, &arguments))
    };
    let write = |bytes: std::ops::Range<u8>| {
        let bytes: Vec<String> = bytes.map(|byte| byte.to_string()).collect();
        format!("[{}]", bytes.join(", "))
    };
    for (before, first) in [
        (&["verify"][..], 1),
        (&["build", "a.wasm", "--key"], 3),
        (&["build", "a.wasm", "--name"], 3),
        (&["store", "add", "a.cwasm", "--key", "k.pub.pem"], 5),
    ] {
        assert_eq!(found(before, &write(100..132)), Some(first), "{before:?}");
        assert_eq!(found(before, &write(100..131)), None, "{before:?}");
    }
    assert_eq!(found(&["verify", "--key=[0,"], &write(100..131)), Some(1));
    // The arguments of a program, and numbers that are not keys.
    for before in [&["run", "a.cwasm", "--"][..], &["symbolize", "a.debug"]] {
        assert_eq!(found(before, &write(100..164)), None, "{before:?}");
    }
}

/// The parser repeats the value of `--encrypt`, which takes no value.
#[test]
fn the_parser_repeats_no_value_of_an_option_about_secrets() {
    for line in [
        &["keygen", "--encrypt=hunter2secret", "-o", "k.pem"][..],
        &["keygen", "--encrypt", "hunter2secret", "-o", "k.pem"],
        &["keygen", "--pw", "hunter2secret", "-o", "k.pem"],
        &["keygen", "--pwd=hunter2secret", "-o", "k.pem"],
        &["keygen", "--ENCRYPT", "hunter2secret", "-o", "k.pem"],
        &["build", "a.wasm", "--encrypt", "hunter2secret"],
        &["build", "--decrypt", "a.wasm", "hunter2secret"],
        &["sign", "a.cwasm", "--seed", "hunter2secret"],
        &["sign", "a.cwasm", "--priv=hunter2secret"],
        &["keys", "show", "--password", "hunter2secret"],
    ] {
        let line = [&["edgec"][..], line].concat();
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        let error = command().try_get_matches_from(&arguments).unwrap_err();
        let text = redacted(error, &arguments).to_string();
        assert!(!text.contains("hunter2"), "{line:?}: {text}");
    }
}
