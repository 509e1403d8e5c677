//! Values that a TOML type alone does not describe.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserializer, de};

/// A value that is written as text, and sometimes as a number. It checks itself while it is read,
/// so that the parser knows the place of an error, also in a list.
pub trait Word: Sized {
    /// What users write there. The messages put "write" in front of it.
    const WRITE: &'static str;

    /// Reads the text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for users.
    fn read(text: &str) -> Result<Self, String>;

    /// The value of a bare number, if that is allowed.
    fn number(_: u64) -> Option<Self> {
        None
    }
}

/// Reads a [`Word`], for `deserialize_with`.
///
/// # Errors
///
/// That of the value, or what to write instead of a value of another type.
pub fn word<'de, W: Word, D: Deserializer<'de>>(deserializer: D) -> Result<W, D::Error> {
    // The visitor finds the error, so that the parser knows the place.
    deserializer.deserialize_any(Reader(PhantomData))
}

struct Reader<W>(PhantomData<W>);

impl<W: Word> de::Visitor<'_> for Reader<W> {
    type Value = W;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(W::WRITE)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<W, E> {
        W::read(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<W, E> {
        let unexpected = || E::invalid_type(de::Unexpected::Unsigned(number), &self);
        W::number(number).ok_or_else(unexpected)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<W, E> {
        let unexpected = || E::invalid_type(de::Unexpected::Signed(number), &self);
        let number = u64::try_from(number).ok().and_then(W::number);
        number.ok_or_else(unexpected)
    }
}

/// Makes types that are [`Word`]s readable: `words!(Name, Path)`.
#[macro_export]
macro_rules! words {
    ($($name:ty),* $(,)?) => {$(
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
            where
                D: ::serde::Deserializer<'de>,
            {
                $crate::word(deserializer)
            }
        }
    )*};
}

/// The digits at the beginning of a text, and the rest, as in `64 MiB`.
#[must_use]
pub fn number_and_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text
        .split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, ""));
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A text without `x`, or a small number.
    #[derive(Debug, PartialEq)]
    struct Plain(String);

    impl Word for Plain {
        const WRITE: &'static str = "text without `x`";

        fn read(text: &str) -> Result<Self, String> {
            match text.contains('x') {
                true => Err(format!("write {}", Self::WRITE)),
                false => Ok(Self(text.to_owned())),
            }
        }

        fn number(number: u64) -> Option<Self> {
            (number < 10).then(|| Self(number.to_string()))
        }
    }

    words!(Plain);

    #[derive(Debug, Deserialize)]
    struct File {
        plain: Vec<Plain>,
    }

    #[test]
    fn a_value_checks_itself_at_its_place() {
        let file: File = toml::from_str("plain = [\"a\", 5]").unwrap();
        assert_eq!(file.plain, [Plain("a".to_owned()), Plain("5".to_owned())]);
        for wrong in ["\"x\"", "10", "-1", "1.5", "true", "[]"] {
            let text = format!("plain = [\"a\", {wrong}]");
            let error = toml::from_str::<File>(&text).unwrap_err();
            assert!(error.message().contains(Plain::WRITE), "{wrong}: {error}");
            assert_eq!(error.span().unwrap().start, 14, "{wrong}: {error}");
        }
    }

    #[test]
    fn a_unit_follows_its_number() {
        for (text, parts) in [
            ("64MiB", ("64", "MiB")),
            (" 5 min ", ("5", "min")),
            ("7", ("7", "")),
            ("s", ("", "s")),
            ("1.5s", ("1", ".5s")),
            ("ä", ("", "ä")),
            ("", ("", "")),
        ] {
            assert_eq!(number_and_unit(text), parts, "{text}");
        }
    }
}
