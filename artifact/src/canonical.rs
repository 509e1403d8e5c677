//! JSON with one spelling.
//!
//! An artifact's JSON is exactly what this crate's encoder writes: no white space, fields in the
//! declared order, the shortest escapes and numbers. A reader parses strictly, and then compares
//! the text with the encoding of the value. So two parsers can never read two different values from
//! one file: duplicate fields, other number forms, a byte-order mark and trailing bytes are all
//! errors with an offset.

use serde::{Serialize, de::DeserializeOwned};

/// Why a JSON document was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not the JSON that was expected; the message names the field.
    #[error("{message} (at JSON byte {offset})")]
    Syntax {
        /// What the parser found.
        message: String,
        /// Bytes from the start of the document.
        offset: usize,
    },
    /// The right value in another spelling.
    #[error("not in canonical form: differs from its own encoding (at JSON byte {offset})")]
    NotCanonical {
        /// The first byte that differs.
        offset: usize,
    },
}

pub(crate) fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, JsonError> {
    let value: T = parse(bytes)?;
    let again = encode(&value);
    if again == bytes {
        return Ok(value);
    }
    let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    Err(JsonError::NotCanonical { offset: same })
}

/// Parses JSON in any spelling, for documents that other tools write as well.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice(bytes).map_err(|error| JsonError::Syntax {
        offset: offset(bytes, error.line(), error.column()),
        message: strip_position(&error.to_string()),
    })
}

/// Encodes a value of this crate's own types.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // The types have string keys, and their `Serialize` never fails. If that ever changes, every
    // reader refuses the empty document.
    serde_json::to_vec(value).unwrap_or_default()
}

/// The byte offset of a one-based line and column as `serde_json` counts them.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before: usize = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before + column.saturating_sub(1)
}

/// The message without `serde_json`'s " at line 1 column 7".
fn strip_position(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(at) => message.get(..at).unwrap_or(message).to_owned(),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        a: u64,
        b: String,
    }

    fn check(text: &str) -> String {
        decode::<Sample>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn there_is_one_spelling() {
        let sample = decode::<Sample>(br#"{"a":1,"b":"x"}"#).unwrap();
        assert_eq!(encode(&sample), br#"{"a":1,"b":"x"}"#);
        for other in [
            r#"{ "a":1,"b":"x"}"#,
            r#"{"b":"x","a":1}"#,
            r#"{"a":1,"b":"\u0078"}"#,
            "{\"a\":1,\"b\":\"x\"}\n",
        ] {
            assert!(check(other).starts_with("not in canonical form"), "{other}");
        }
    }

    #[test]
    fn errors_name_the_field_and_the_offset() {
        assert_eq!(
            check(r#"{"a":1,"b":"x","c":2}"#),
            "unknown field `c`, expected `a` or `b` (at JSON byte 17)"
        );
        assert_eq!(
            check(r#"{"a":1,"a":1,"b":"x"}"#),
            "duplicate field `a` (at JSON byte 9)"
        );
        assert!(check(r#"{"a":NaN,"b":"x"}"#).starts_with("expected value"));
        assert!(check(r#"{"a":1e999,"b":"x"}"#).starts_with("number out of range"));
        assert!(check("\u{feff}{\"a\":1,\"b\":\"x\"}").starts_with("expected value"));
        assert!(check(&"[".repeat(100_000)).contains("invalid type"));
        assert!(decode::<Sample>(b"{\"a\":1,\"b\":\"\xff\"}").is_err());
    }
}
