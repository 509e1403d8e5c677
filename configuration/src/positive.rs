//! Values that must not be zero. A limit of zero would stop everything, or would not be the limit
//! that its reader expects, so it is an error where it stands.

use serde::Deserializer;

use crate::period::Period;
use crate::word::{Word, word};

/// Reads a value that is not zero, for `deserialize_with`.
///
/// # Errors
///
/// What to write.
pub fn positive<'de, D, W>(deserializer: D) -> Result<W, D::Error>
where
    D: Deserializer<'de>,
    W: Word + Zero,
{
    word(deserializer).map(|Positive(value)| value)
}

/// A value that can be zero.
pub trait Zero {
    /// Whether it is zero.
    fn is_zero(&self) -> bool;
}

/// A value that is not zero.
#[derive(Clone, Copy, Debug)]
pub struct Positive<W>(pub W);

impl<W: Word + Zero> Word for Positive<W> {
    const WRITE: &'static str = W::WRITE;

    fn read(text: &str) -> Result<Self, String> {
        match W::read(text)? {
            value if value.is_zero() => Err(format!("0 is too small: write {}", W::WRITE)),
            value => Ok(Self(value)),
        }
    }

    fn number(number: u64) -> Option<Self> {
        W::number(number).filter(|value| !value.is_zero()).map(Self)
    }
}

impl<const DAYS: u64> Zero for Period<DAYS> {
    fn is_zero(&self) -> bool {
        self.get().is_zero()
    }
}

impl Zero for u32 {
    fn is_zero(&self) -> bool {
        *self == 0
    }
}

/// A number that may be zero needs no [`Word`], so the text is that of a [`positive`] one.
impl Word for u32 {
    const WRITE: &'static str = "a whole number, 1 or more, without quotes";

    fn read(_: &str) -> Result<Self, String> {
        Err(format!("write {}", Self::WRITE))
    }

    fn number(number: u64) -> Option<Self> {
        number.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct File {
        #[serde(deserialize_with = "positive")]
        count: u32,
        #[serde(deserialize_with = "positive")]
        pause: Period<1>,
    }

    impl Default for File {
        fn default() -> Self {
            let (count, pause) = (1, Period::secs(1));
            Self { count, pause }
        }
    }

    #[test]
    fn zero_is_refused() {
        let file: File = toml::from_str("count = 4294967295\npause = \"1ms\"").unwrap();
        assert_eq!((file.count, file.pause), (u32::MAX, Period::millis(1)));
        for (line, says) in [
            ("pause = \"0s\"", "0 is too small: write a duration"),
            ("pause = 0", "a duration, such as"),
            ("count = 0", u32::WRITE),
            ("count = -1", u32::WRITE),
            ("count = 4294967296", u32::WRITE),
            ("count = \"5\"", u32::WRITE),
            ("count = 1.5", u32::WRITE),
        ] {
            let error = toml::from_str::<File>(line).unwrap_err();
            assert!(error.message().contains(says), "{line}: {error}");
        }
    }
}
