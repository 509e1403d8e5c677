//! Recognises kinds of files by their beginning, or by the end of an artifact.
//!
//! Sources: the formats' own magic numbers; `file(1)`; `wasmtime-environ`, `obj.rs`, for the images
//! of Wasmtime.

use edgec_compiler::DebugInfo;
use edgec_pages::report::GENERATOR;
use edgec_verifier::POLICY_PAYLOAD_TYPE;

use super::{FRONT, FileKind, sbom};

/// The last bytes of an artifact.
pub(super) const ARTIFACT_END: &[u8] = b"\x89edgec\r\n";

/// The kind of a file, from its front and its last bytes. `None` if the kind is unknown.
pub(super) fn recognise(bytes: &[u8]) -> Option<FileKind> {
    // The middle of a longer file is unknown.
    if bytes.len() <= FRONT && bytes.iter().all(u8::is_ascii_whitespace) {
        return Some(FileKind::Empty);
    }
    if bytes.ends_with(ARTIFACT_END) {
        return Some(FileKind::Artifact);
    }
    of_magic(bytes).or_else(|| of_text(bytes))
}

fn of_magic(bytes: &[u8]) -> Option<FileKind> {
    const MAGICS: &[(&[u8], FileKind)] = &[
        (b"\0asm\x01\0\0\0", FileKind::Module),
        (b"\0asm\x0d\0\x01\0", FileKind::Component),
        (b"\x1f\x8b", FileKind::Gzip),
        (b"\x28\xb5\x2f\xfd", FileKind::Zstd),
        (b"\xfd7zXZ\0", FileKind::Xz),
        (b"BZh", FileKind::Bzip2),
        (b"PK\x03\x04", FileKind::Zip),
        (b"!<arch>\n", FileKind::Library),
        (b"BC\xc0\xde", FileKind::Bitcode),
        (b"MZ", FileKind::Windows),
        (b"\xcf\xfa\xed\xfe", FileKind::MachO),
        (b"\xce\xfa\xed\xfe", FileKind::MachO),
        (b"\xca\xfe\xba\xbe", FileKind::MachO),
    ];
    if bytes.starts_with(b"\x7fELF") {
        return Some(of_elf(bytes));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(FileKind::Tar);
    }
    if is_utf16(bytes) {
        return Some(FileKind::Utf16);
    }
    let known = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic));
    known.map(|(_, kind)| *kind)
}

/// With a byte order mark, or as text that begins with an ASCII character.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        // In UTF-32, two more zeros follow.
        [0xff, 0xfe, rest @ ..] => !rest.starts_with(&[0, 0]),
        [0xfe, 0xff, ..] => true,
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] => is_of_text(*a) && is_of_text(*b),
        _ => false,
    }
}

fn is_of_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

fn of_elf(bytes: &[u8]) -> FileKind {
    /// `ELFOSABI_WASMTIME`.
    const WASMTIME: u8 = 200;
    /// `ET_REL`, of little-endian files.
    const OBJECT: &[u8] = &[1, 0];
    if bytes.get(7) == Some(&WASMTIME) {
        return FileKind::WasmtimeImage;
    }
    if DebugInfo::begins(bytes) {
        return FileKind::DebugFile;
    }
    match bytes.get(16..18) {
        Some(OBJECT) => FileKind::Object,
        _ => FileKind::Native,
    }
}

fn of_text(bytes: &[u8]) -> Option<FileKind> {
    let front = bytes.get(..4096).unwrap_or(bytes);
    let text = match std::str::from_utf8(front) {
        Ok(text) => text,
        // The end of `front` may cut a character in two.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(front.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.get(..16).unwrap_or(text).to_ascii_lowercase();
    Some(if let Some(label) = text.strip_prefix("-----BEGIN ") {
        let first = label.lines().next().unwrap_or_default();
        // A key on an elliptic curve may follow the curve's parameters.
        let is_behind =
            |line: &str| line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY");
        match first {
            _ if text.lines().any(is_behind) => FileKind::PrivateKey,
            label if label.contains("PUBLIC KEY") => FileKind::PublicKey,
            _ => FileKind::Pem,
        }
    } else if is_lfs_pointer(text) {
        FileKind::LfsPointer
    } else if text.starts_with("#!") && !text.starts_with("#![") {
        FileKind::Script
    } else if text.starts_with("(;") || text.starts_with(";;") || text.starts_with('(') {
        FileKind::WasmText
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        match text.contains(&report_mark()) {
            true => FileKind::Report,
            false => FileKind::Html,
        }
    } else if let Some(rest) = text.strip_prefix("DSSEv1 ") {
        match rest.split(' ').nth(1) {
            Some(POLICY_PAYLOAD_TYPE) => FileKind::PolicyPae,
            _ => FileKind::Pae,
        }
    } else if text.starts_with("ssh-ed25519 ") {
        FileKind::PublicKey
    } else if let Some(kind) = of_envelope(text).or_else(|| sbom::kind(text)) {
        kind
    } else if is_manual_page(text) {
        FileKind::ManualPage
    } else if text.starts_with('{') || text.starts_with("[{") || text.starts_with("[\n") {
        FileKind::Json
    } else if has_line(text, "[[key]]") {
        FileKind::Policy
    } else if has_line(text, "[[host]]") {
        FileKind::Fleet
    } else if has_line(text, "[[component]]") {
        FileKind::Project
    } else if ["schema", "arch", "engine", "profiles"]
        .iter()
        .all(|name| has_field(text, name))
    {
        FileKind::HostProfile
    } else if text.contains("\n```") {
        // This is a document that quotes code.
        return None;
    } else if text.lines().any(is_source) {
        FileKind::Source
    } else if text.lines().any(is_wit) {
        FileKind::Wit
    } else {
        return None;
    })
}

/// A pointer has under 1024 bytes, and names the file that Git LFS stores.
///
/// Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
fn is_lfs_pointer(text: &str) -> bool {
    text.len() < 1024
        && text.starts_with("version https://git-lfs.")
        && text.lines().any(|line| line.starts_with("oid "))
}

/// A manual page that `edgec man` wrote: its title follows the definition of an apostrophe.
fn is_manual_page(text: &str) -> bool {
    let of_edgec = |line: &str| line.starts_with(".TH edgec");
    text.starts_with(".ie ") && text.lines().take(3).any(of_edgec)
}

/// What only the head of a page of `edgec report` has: text in such a page is escaped.
fn report_mark() -> String {
    format!("<meta name=\"generator\" content=\"{GENERATOR}\">")
}

/// A DSSE envelope, in the spelling of edgec or of another tool. edgec's spelling begins with the
/// payload in base64. An artifact's payload is a JSON statement, and a policy's is TOML.
fn of_envelope(text: &str) -> Option<FileKind> {
    /// `{"_type":` in base64.
    const STATEMENT: &str = "eyJfdHlwZSI6";
    /// Any other JSON object.
    const OBJECT: &str = "ey";
    if !text.starts_with('{') {
        return None;
    }
    match text.strip_prefix("{\"payload\":\"") {
        Some(payload) if payload.starts_with(STATEMENT) => Some(FileKind::Envelope),
        Some(payload) if !payload.starts_with(OBJECT) => Some(FileKind::SignedPolicy),
        _ if !text.contains("\"payloadType\"") => None,
        _ if text.contains(POLICY_PAYLOAD_TYPE) => Some(FileKind::SignedPolicy),
        _ => Some(FileKind::Envelope),
    }
}

/// Whether a TOML document has this line.
fn has_line(text: &str, wanted: &str) -> bool {
    text.lines().any(|line| line.trim() == wanted)
}

/// Whether a TOML document has a field of this name.
fn has_field(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

/// Whether a line is source code in C, C++, Rust, Go or AssemblyScript.
fn is_source(line: &str) -> bool {
    const BEGINS: &[&str] = &[
        "#include ",
        "#include<",
        "#define ",
        "#pragma ",
        "#![",
        "int main(",
        "void main(",
        "fn main(",
        "pub fn ",
        "use std::",
        "package main",
        "func main(",
        "export function ",
    ];
    BEGINS.iter().any(|begin| line.starts_with(begin))
}

/// Whether a line begins a package, a world or an interface of WIT (component model, `WIT.md`).
fn is_wit(line: &str) -> bool {
    let line = line.trim();
    if let Some(package) = line.strip_prefix("package ") {
        return package.contains(':') && package.ends_with([';', '{']);
    }
    let block = ["world ", "interface "]
        .iter()
        .find_map(|word| line.strip_prefix(word)?.split_once('{'));
    block.is_some_and(|(name, _)| {
        let name = name.trim();
        let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-%".contains(c);
        !name.is_empty() && name.chars().all(is_kebab)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_recognised() {
        let elf = |osabi: u8, kind: u8| {
            let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0>\0".to_vec();
            bytes[7] = osabi;
            bytes[16] = kind;
            bytes
        };
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: Vec<(Vec<u8>, Option<FileKind>)> = vec![
            (b" \n".to_vec(), Some(FileKind::Empty)),
            (b"anything\x89edgec\r\n".to_vec(), Some(FileKind::Artifact)),
            (elf(200, 1), Some(FileKind::WasmtimeImage)),
            (elf(0, 1), Some(FileKind::Object)),
            (elf(3, 3), Some(FileKind::Native)),
            (b"\0asm\x01\0\0\0".to_vec(), Some(FileKind::Module)),
            (b"\0asm\x0d\0\x01\0".to_vec(), Some(FileKind::Component)),
            (b"\n;; text\n(module)".to_vec(), Some(FileKind::WasmText)),
            (
                b"-----BEGIN PRIVATE KEY-----\n".to_vec(),
                Some(FileKind::PrivateKey),
            ),
            (
                b"\xef\xbb\xbf-----BEGIN ENCRYPTED PRIVATE KEY-----".to_vec(),
                Some(FileKind::PrivateKey),
            ),
            (
                b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
                  -----BEGIN EC PRIVATE KEY-----\n"
                    .to_vec(),
                Some(FileKind::PrivateKey),
            ),
            (
                b"-----BEGIN PUBLIC KEY-----\n".to_vec(),
                Some(FileKind::PublicKey),
            ),
            (
                b"-----BEGIN CERTIFICATE-----\n".to_vec(),
                Some(FileKind::Pem),
            ),
            (
                b"{\"payloadType\":\"x\"}".to_vec(),
                Some(FileKind::Envelope),
            ),
            (
                b"{\"payload\":\"eyJfdHlwZSI6\"".to_vec(),
                Some(FileKind::Envelope),
            ),
            (
                b"{\"payload\":\"bmFtZSA9\"".to_vec(),
                Some(FileKind::SignedPolicy),
            ),
            (
                format!("{{\"payloadType\":\"{POLICY_PAYLOAD_TYPE}\"}}").into_bytes(),
                Some(FileKind::SignedPolicy),
            ),
            (b"DSSEv1 1 x 1 [".to_vec(), Some(FileKind::Pae)),
            (
                format!("DSSEv1 1 {POLICY_PAYLOAD_TYPE} 1 [").into_bytes(),
                Some(FileKind::PolicyPae),
            ),
            (
                b"ssh-ed25519 AAAA you@example.com\n".to_vec(),
                Some(FileKind::PublicKey),
            ),
            (
                b"schema = 1\narch = \"x86_64\"\nengine=\"48\"\nprofiles = []\n".to_vec(),
                Some(FileKind::HostProfile),
            ),
            (b"schema = 1\narch = \"x86_64\"\n".to_vec(), None),
            (
                b".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n.TH edgec-run 1\n".to_vec(),
                Some(FileKind::ManualPage),
            ),
            (b".ie x\n.el y\n.TH man 1\n".to_vec(), None),
            (
                b"schema = 1\n\n[[host]]\nfile = \"a.toml\"\n".to_vec(),
                Some(FileKind::Fleet),
            ),
            (
                b"schema = 1\n\n[[component]]\nname = \"a\"\n".to_vec(),
                Some(FileKind::Project),
            ),
            (b"{\"a\":1}".to_vec(), Some(FileKind::Json)),
            (
                b"threshold = 1\n\n[[key]]\nname = \"a\"".to_vec(),
                Some(FileKind::Policy),
            ),
            (b"<!DOCTYPE html>\n".to_vec(), Some(FileKind::Html)),
            (
                edgec_pages::report::Report::default().render().into_bytes(),
                Some(FileKind::Report),
            ),
            (b"#!/bin/sh\n".to_vec(), Some(FileKind::Script)),
            (b"\x1f\x8b\x08".to_vec(), Some(FileKind::Gzip)),
            (b"\x28\xb5\x2f\xfd".to_vec(), Some(FileKind::Zstd)),
            (b"\xfd7zXZ\0".to_vec(), Some(FileKind::Xz)),
            (b"BZh9".to_vec(), Some(FileKind::Bzip2)),
            (b"PK\x03\x04".to_vec(), Some(FileKind::Zip)),
            (tar, Some(FileKind::Tar)),
            (b"!<arch>\n".to_vec(), Some(FileKind::Library)),
            (b"MZ\x90".to_vec(), Some(FileKind::Windows)),
            (b"\xcf\xfa\xed\xfe".to_vec(), Some(FileKind::MachO)),
            (b"BC\xc0\xde".to_vec(), Some(FileKind::Bitcode)),
            (b"\xff\xfe(\0m\0".to_vec(), Some(FileKind::Utf16)),
            (b"\xfe\xff\0(\0m".to_vec(), Some(FileKind::Utf16)),
            (b"(\0m\0".to_vec(), Some(FileKind::Utf16)),
            (b"\0\n\0(".to_vec(), Some(FileKind::Utf16)),
            (b"\xff\xfe\0\0(\0\0\0".to_vec(), None),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".to_vec(),
                Some(FileKind::LfsPointer),
            ),
            (
                b"version https://git-lfs.github.com/spec/v1\n# notes\n".to_vec(),
                None,
            ),
            (
                b"/// An app.\npackage acme:shop@1.0.0;\n".to_vec(),
                Some(FileKind::Wit),
            ),
            (
                b"\n  world my-app { export run: func(); }".to_vec(),
                Some(FileKind::Wit),
            ),
            (b"interface types {\n".to_vec(), Some(FileKind::Wit)),
            (b"interface Types {\n".to_vec(), None),
            (b"package shop;\n".to_vec(), None),
            (
                b"/* An app. */\n#include <stdio.h>\n".to_vec(),
                Some(FileKind::Source),
            ),
            (b"#![no_std]\nfn f() {}\n".to_vec(), Some(FileKind::Source)),
            (b"package main\n".to_vec(), Some(FileKind::Source)),
            (b"# An app\n\n```c\n#include <a.h>\n```\n".to_vec(), None),
            (b"\x89PNG\r\n\x1a\n\0".to_vec(), None),
            (b"some words".to_vec(), None),
            (b" \n".repeat(FRONT / 2), Some(FileKind::Empty)),
            (b" \n".repeat(FRONT / 2 + 1), None),
        ];
        for (bytes, kind) in cases {
            assert_eq!(
                recognise(&bytes),
                kind,
                "{:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}
