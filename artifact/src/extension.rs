//! Statements in a manifest for other readers. They are signed and shown, but no rule reads them.
//!
//! A version of the format never gets another field, since readers refuse unknown fields. Only
//! `extensions` may hold what a reader need not understand. Its values have one spelling too:
//! strings, booleans, integers that every JSON reader keeps, lists, and objects whose keys are
//! sorted.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::canonical;
use crate::name::{NameError, check_name};

/// The most that all extensions of a manifest may take, in bytes of their JSON (64 KiB).
pub const MAX_EXTENSIONS_LEN: u64 = 1 << 16;

/// How deep lists and objects may be nested; the object of all extensions counts as one level.
pub const MAX_EXTENSIONS_DEPTH: usize = 8;

/// More values than this do not fit into [`MAX_EXTENSIONS_LEN`]: each takes at least two bytes of
/// JSON, with the comma after it. In memory a value can take some hundred bytes, so the reader
/// counts values while it reads.
const MAX_VALUES: usize = 1 << 15;

/// The largest integer of an extension: RFC 7493, section 2.2.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Extensions by name. There is at least one, and all are within their limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Extensions(BTreeMap<String, ExtensionValue>);

/// What an extension says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a promise: the format has these values, and readers refuse any other"
)]
pub enum ExtensionValue {
    /// `true` or `false`.
    Boolean(bool),
    /// An integer from 0 to 2^53 − 1.
    Integer(u64),
    /// A string.
    String(String),
    /// A list.
    List(Vec<ExtensionValue>),
    /// An object, its keys sorted by their UTF-8 bytes.
    Object(BTreeMap<String, ExtensionValue>),
}

/// Why values cannot be a manifest's extensions.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// There are no extensions. Then the field must be left out.
    #[error("the extensions are empty")]
    Empty,
    /// A name is invalid. A name begins with a domain of the authors of the extension.
    #[error("an extension's name")]
    Name(#[from] NameError),
    /// An integer that some JSON readers would round.
    #[error("the integer {found} in an extension is above {MAX_NUMBER}")]
    Integer {
        /// The integer.
        found: u64,
    },
    /// Lists and objects are nested too deep.
    #[error("extensions are nested {depth} deep, and {MAX_EXTENSIONS_DEPTH} is the limit")]
    Depth {
        /// The depth.
        depth: usize,
    },
    /// Too long.
    #[error("extensions of {len} bytes are longer than the limit of {MAX_EXTENSIONS_LEN}")]
    Length {
        /// The length of their JSON in bytes.
        len: u64,
    },
}

impl ExtensionError {
    /// The error and its cause, for an error that has room for one text.
    fn with_cause(&self) -> String {
        match self {
            Self::Name(cause) => format!("{self}: {cause}"),
            _ => self.to_string(),
        }
    }
}

impl Extensions {
    /// Extensions with these names and values.
    ///
    /// # Errors
    ///
    /// [`ExtensionError`].
    pub fn new(values: BTreeMap<String, ExtensionValue>) -> Result<Self, ExtensionError> {
        if values.is_empty() {
            return Err(ExtensionError::Empty);
        }
        values.keys().try_for_each(|name| check_name(name))?;
        let mut depth = 1;
        for value in values.values() {
            depth = depth.max(value.measure()?.saturating_add(1));
        }
        if depth > MAX_EXTENSIONS_DEPTH {
            return Err(ExtensionError::Depth { depth });
        }
        let len = canonical::encode(&values).len() as u64;
        if len > MAX_EXTENSIONS_LEN {
            return Err(ExtensionError::Length { len });
        }
        Ok(Self(values))
    }

    /// The names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ExtensionValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match ExtensionValue::deserialize(deserializer)? {
            ExtensionValue::Object(values) => {
                Self::new(values).map_err(|error| D::Error::custom(error.with_cause()))
            }
            _ => Err(D::Error::custom("extensions are an object")),
        }
    }
}

impl ExtensionValue {
    /// Measures how deep lists and objects are nested. An integer above its range is an error.
    fn measure(&self) -> Result<usize, ExtensionError> {
        let children: Box<dyn Iterator<Item = &Self>> = match self {
            Self::Integer(found) if *found > MAX_NUMBER => {
                return Err(ExtensionError::Integer { found: *found });
            }
            Self::Boolean(_) | Self::Integer(_) | Self::String(_) => return Ok(0),
            Self::List(values) => Box::new(values.iter()),
            Self::Object(values) => Box::new(values.values()),
        };
        let mut deepest = 0;
        for child in children {
            deepest = deepest.max(child.measure()?);
        }
        Ok(deepest + 1)
    }
}

/// The value's JSON, in its one spelling.
impl fmt::Display for ExtensionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&canonical::encode(self)))
    }
}

impl<'de> Deserialize<'de> for ExtensionValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new(MAX_VALUES);
        Value { left: &left }.deserialize(deserializer)
    }
}

/// Reads a value and the values in it, up to the limit of their number.
#[derive(Clone, Copy)]
struct Value<'c> {
    left: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ExtensionValue;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<ExtensionValue, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| {
            D::Error::custom(format_args!(
                "extensions have more than {MAX_VALUES} values"
            ))
        })?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ExtensionValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, boolean, integer from 0 to 2^53 - 1, list or object")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<ExtensionValue, E> {
        Ok(ExtensionValue::Boolean(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ExtensionValue, E> {
        Ok(ExtensionValue::Integer(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<ExtensionValue, E> {
        Ok(ExtensionValue::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ExtensionValue, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(ExtensionValue::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExtensionValue, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key()? {
            // This drops a repeated key. `canonical::decode` then refuses the text, since its
            // encoding differs.
            values.insert(key, map.next_value_seed(self)?);
        }
        Ok(ExtensionValue::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JsonError;

    fn decode(text: &str) -> Result<Extensions, JsonError> {
        canonical::decode(text.as_bytes())
    }

    #[test]
    fn values_have_one_spelling() {
        let text = r#"{"dev.example/a":{"":[],"b":[true,0,"é\n"],"é":{}},"x":9007199254740991}"#;
        let extensions = decode(text).unwrap();
        assert_eq!(canonical::encode(&extensions), text.as_bytes());
        let values: Vec<String> = extensions
            .iter()
            .map(|(_, value)| value.to_string())
            .collect();
        assert_eq!(values[1], "9007199254740991");
        for other in [
            r#"{"x":1,"x":1}"#,
            r#"{"y":1,"x":1}"#,
            r#"{"x":{"b":1,"a":1}}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x": 1}"#,
            r#"{"x":"\u0041"}"#,
        ] {
            let error = decode(other).unwrap_err();
            assert!(
                matches!(error, JsonError::NotCanonical { .. }),
                "{other}: {error}"
            );
        }
    }

    #[test]
    fn what_readers_of_json_differ_over_is_refused() {
        for value in [
            "null",
            "-1",
            "-0",
            "1.0",
            "1e3",
            "9007199254740992",
            "18446744073709551616",
            "\"\\ud800\"",
        ] {
            decode(&format!(r#"{{"x":{value}}}"#)).unwrap_err();
            decode(&format!(r#"{{"x":[{{"y":{value}}}]}}"#)).unwrap_err();
        }
    }

    #[test]
    fn each_limit_has_its_case() {
        let nested = |depth: usize| {
            let text = format!(
                r#"{{"x":{}{}}}"#,
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            );
            decode(&text)
        };
        nested(MAX_EXTENSIONS_DEPTH).unwrap();
        let error = nested(MAX_EXTENSIONS_DEPTH + 1).unwrap_err().to_string();
        assert!(error.starts_with("extensions are nested 9 deep"), "{error}");
        nested(100_000).unwrap_err();

        let long = |len: u64| {
            let text = "x".repeat(usize::try_from(len).unwrap() - r#"{"x":""}"#.len());
            Extensions::new([("x".to_owned(), ExtensionValue::String(text))].into())
        };
        long(MAX_EXTENSIONS_LEN).unwrap();
        let len = MAX_EXTENSIONS_LEN + 1;
        assert_eq!(long(len).unwrap_err(), ExtensionError::Length { len });

        // In memory each of these values takes a hundred times the size of its text.
        let many = |count: usize| decode(&format!(r#"{{"x":[{}]}}"#, vec!["{}"; count].join(",")));
        let error = many(30_000).unwrap_err().to_string();
        assert!(error.starts_with("extensions of 90007 bytes"), "{error}");
        let error = many(MAX_VALUES).unwrap_err().to_string();
        assert!(
            error.starts_with("extensions have more than 32768 values"),
            "{error}"
        );

        let of = |name: &str, value| Extensions::new([(name.to_owned(), value)].into());
        assert_eq!(
            Extensions::new(BTreeMap::new()).unwrap_err(),
            ExtensionError::Empty
        );
        let large = ExtensionValue::List(vec![ExtensionValue::Integer(1 << 53)]);
        assert_eq!(
            of("x", large).unwrap_err(),
            ExtensionError::Integer { found: 1 << 53 }
        );
        for name in ["", "a//b", "a*", "a\n", &"x".repeat(129)] {
            let error = of(name, ExtensionValue::Boolean(true)).unwrap_err();
            assert!(matches!(error, ExtensionError::Name(_)), "{name}");
        }
    }
}
