//! Reads an input: the binary format, or the text format, which becomes binary.

use serde::{Deserialize, Serialize};

use crate::ProgramKind;

/// WebAssembly in the binary format. Only its header was checked.
#[derive(Debug)]
pub struct Input {
    bytes: Vec<u8>,
    kind: ProgramKind,
    from_text: bool,
}

/// The version of `wat`, which reads the text format.
pub const TEXT_VERSION: &str = "1.254.2";

/// Why the bytes are not a valid input.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// There are no bytes.
    #[error("the input is empty")]
    Empty,
    /// The bytes are in neither format.
    #[error("neither WebAssembly binary (it begins with {first_bytes}) nor WebAssembly text")]
    NotWasm {
        /// The first bytes, up to four, in hexadecimal.
        first_bytes: String,
    },
    /// The text does not begin like the text format. The error shows none of it, because it may be
    /// a password, or a file of variables.
    #[error("neither WebAssembly binary nor WebAssembly text, which begins with `(`")]
    OtherText,
    /// The text cannot be parsed. The message has line and column.
    #[error("malformed WebAssembly text: {message}")]
    Text {
        /// The parser's message, with the line, the column and a mark at the place.
        message: String,
    },
    /// The text is longer than the maximum.
    #[error("{len} bytes of WebAssembly text are more than the {MAX_TEXT_LEN} that are parsed")]
    TextTooLong {
        /// The text's length in bytes.
        len: usize,
    },
    /// The header names an unknown version of the binary format.
    #[error("unknown WebAssembly version or layer {version:#x} (at offset 0x4)")]
    Version {
        /// The header's version and layer fields as one little-endian number.
        version: u32,
    },
    /// The file ends within its header of 8 bytes.
    #[error("the input ends within the WebAssembly header (at offset {len:#x})")]
    Truncated {
        /// The file's length in bytes.
        len: usize,
    },
}

const MAGIC: &[u8] = b"\0asm";

/// Bytes that are not a valid input.
#[derive(Debug)]
pub struct NotAnInput {
    /// The reason.
    pub error: InputError,
    /// The bytes of the input.
    pub bytes: Vec<u8>,
}

/// Recognizes a component or core module, in the binary or the text format.
///
/// # Errors
///
/// [`NotAnInput`] if they are neither.
pub fn read(bytes: Vec<u8>) -> Result<Input, NotAnInput> {
    let from_text = bytes.get(..4) != Some(MAGIC);
    let read = match from_text {
        true => parse_text(&bytes).and_then(|parsed| Ok((kind_of(&parsed)?, Some(parsed)))),
        false => kind_of(&bytes).map(|kind| (kind, None)),
    };
    match read {
        Ok((kind, parsed)) => Ok(Input {
            bytes: parsed.unwrap_or(bytes),
            kind,
            from_text,
        }),
        Err(error) => Err(NotAnInput { error, bytes }),
    }
}

/// Component or core module, from the header of the binary format.
fn kind_of(bytes: &[u8]) -> Result<ProgramKind, InputError> {
    let version = bytes
        .get(4..8)
        .and_then(|field| field.try_into().ok())
        .map(u32::from_le_bytes)
        .ok_or(InputError::Truncated { len: bytes.len() })?;
    // Component model, "Binary": layer 1, version 0xd.
    match version {
        0x1 => Ok(ProgramKind::Module),
        0x1_000d => Ok(ProgramKind::Component),
        version => Err(InputError::Version { version }),
    }
}

/// The maximum length of a text, in bytes (64 MiB). A parsed text takes many times as much.
const MAX_TEXT_LEN: usize = 64 << 20;

fn parse_text(bytes: &[u8]) -> Result<Vec<u8>, InputError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(InputError::Empty);
    }
    let not_wasm = || InputError::NotWasm {
        first_bytes: bytes
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(" "),
    };
    if bytes.len() > MAX_TEXT_LEN {
        return Err(InputError::TextTooLong { len: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| not_wasm())?;
    // A byte order mark, which some editors write.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A text with control characters is some binary format.
    if text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        return Err(not_wasm());
    }
    wat::parse_str(text).map_err(|error| match begins_as_text(text) {
        // The message quotes a line.
        true => InputError::Text {
            // The parser does not know the file's name, but the caller does.
            message: error.to_string().replace("<anon>:", "line "),
        },
        false => InputError::OtherText,
    })
}

/// Whether the first token is an opening parenthesis, after white space and comments (core
/// specification, "White Space"). If a block comment does not end, the parser reports it.
fn begins_as_text(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix(";;") {
            let behind = comment.split_once(['\n', '\r']);
            rest = behind.map_or("", |(_, behind)| behind);
        } else if rest.starts_with("(;") {
            match behind_block_comment(rest) {
                Some(behind) => rest = behind,
                None => return true,
            }
        } else {
            return rest.starts_with('(');
        }
    }
}

/// The text after its first block comment. Block comments can be nested.
fn behind_block_comment(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut at = 0_usize;
    while let Some(pair) = text.as_bytes().get(at..at + 2) {
        let length = match pair {
            b"(;" => {
                depth += 1;
                2
            }
            b";)" => {
                depth = depth.saturating_sub(1);
                2
            }
            _ => 1,
        };
        at += length;
        if depth == 0 {
            return text.get(at..);
        }
    }
    None
}

impl Input {
    /// The binary format.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Component or core module, from the header.
    pub fn kind(&self) -> ProgramKind {
        self.kind
    }

    /// Whether the input was in the text format.
    pub fn is_from_text(&self) -> bool {
        self.from_text
    }

    /// The binary format, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Input, InputError> {
        super::read(bytes.to_vec()).map_err(|no| {
            assert_eq!(no.bytes, bytes);
            no.error
        })
    }

    #[test]
    fn both_formats_are_read() {
        assert_eq!(read(b"(module)").unwrap().kind(), ProgramKind::Module);
        assert_eq!(read(b"(component)").unwrap().kind(), ProgramKind::Component);
        let marked = "\u{feff}(component)".as_bytes();
        assert_eq!(read(marked).unwrap().kind(), ProgramKind::Component);
        assert_eq!(
            read(b"\0asm\x0d\0\x01\0").unwrap().kind(),
            ProgramKind::Component
        );
    }

    /// The error does not quote a password or a file of variables.
    #[test]
    fn only_what_begins_as_text_is_quoted() {
        for text in [
            "hunter2secret",
            "  hunter2secret\n",
            "\u{feff}hunter2secret",
            "DB_PASSWORD=hunter2secret\n",
            "# variables\nexport DB_PASSWORD='hunter2secret (old)'\n",
            "; comment\npassword = hunter2secret\n",
            ";; comment\n;; another\nhunter2secret\n",
            "{\"password\": \"hunter2secret\"}",
            "\"hunter2secret\"",
            "$hunter2secret",
            ") hunter2secret",
            "(; a (; nested ;) comment ;) hunter2secret",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err(), InputError::OtherText);
        }
        for text in [
            "(modul)",
            " \n(module",
            ";; comment\n (module (fun))",
            "(; a (; nested ;) comment ;) (module (fun))",
            ";; comment\r\n(;;)(module (fun))",
            "(; a comment that does not end",
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(matches!(error, InputError::Text { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn each_error_has_a_case() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err();
        assert_eq!(error(b""), InputError::Empty);
        assert_eq!(error(b" \n"), InputError::Empty);
        assert_eq!(
            error(b"\x89PNG\r\n\x1a\n").to_string(),
            "neither WebAssembly binary (it begins with 89 50 4e 47) nor WebAssembly text"
        );
        assert!(matches!(error(b"PK\x03\x04"), InputError::NotWasm { .. }));
        assert!(matches!(error(b"(modul)"), InputError::Text { .. }));
        assert_eq!(error(b"module"), InputError::OtherText);
        let long = vec![b' '; MAX_TEXT_LEN]
            .into_iter()
            .chain(*b"(module)")
            .collect::<Vec<_>>();
        assert!(matches!(error(&long), InputError::TextTooLong { .. }));
        assert_eq!(error(b"\0asm\x01\0"), InputError::Truncated { len: 6 });
        assert_eq!(
            error(b"\0asm\x02\0\0\0"),
            InputError::Version { version: 2 }
        );
    }
}
