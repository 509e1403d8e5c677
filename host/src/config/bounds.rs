//! Values of which zero has no use. A limit of zero would stop everything, or would not be the
//! limit that its reader expects, so it is an error where it stands.

use std::fmt;

use serde::{Deserializer, de};

use super::values::{ByteSize, Period, Word, word};

/// The memory of a slot, in bytes (4 GiB): an instance cannot have more, since the addresses of a
/// memory have 32 bits.
const SLOT: u64 = 4 << 30;

/// Reads a value that is not zero.
pub(super) fn positive<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Bounded,
{
    T::read_positive(deserializer)
}

/// Reads a value that is not zero, for a name that need not be there.
pub(super) fn some_positive<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Bounded,
{
    T::read_positive(deserializer).map(Some)
}

/// Reads the memory of an instance.
pub(super) fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    word(deserializer).map(|Slot(size)| size)
}

/// Reads the memory of an instance, for a name that need not be there.
pub(super) fn some_memory<'de, D>(deserializer: D) -> Result<Option<ByteSize>, D::Error>
where
    D: Deserializer<'de>,
{
    memory(deserializer).map(Some)
}

/// A value that can be zero.
pub(super) trait Bounded: Sized {
    fn read_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl Bounded for u32 {
    fn read_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u32(Count)
    }
}

impl Bounded for ByteSize {
    fn read_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer).map(|Positive(size)| size)
    }
}

impl Bounded for Period {
    fn read_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer).map(|Positive(period)| period)
    }
}

/// Reads a number of at least 1. The visitor finds the error, so that the parser knows the place.
struct Count;

impl de::Visitor<'_> for Count {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, 1 or more, without quotes")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
        let count = u32::try_from(number).ok().filter(|count| *count > 0);
        count.ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }
}

/// A size or a duration that is not zero.
struct Positive<W>(W);

/// Whether a value is zero.
trait Zero {
    fn is_zero(&self) -> bool;
}

impl Zero for ByteSize {
    fn is_zero(&self) -> bool {
        self.get() == 0
    }
}

impl Zero for Period {
    fn is_zero(&self) -> bool {
        self.get().is_zero()
    }
}

impl<W: Word + Zero> Word for Positive<W> {
    const WRITE: &'static str = W::WRITE;

    fn read(text: &str) -> Result<Self, String> {
        match W::read(text)? {
            value if value.is_zero() => Err(format!("0 is no limit here: write {}", W::WRITE)),
            value => Ok(Self(value)),
        }
    }

    fn number(number: u64) -> Option<Self> {
        W::number(number).filter(|value| !value.is_zero()).map(Self)
    }
}

/// The memory of an instance.
struct Slot(ByteSize);

impl Word for Slot {
    const WRITE: &'static str = "a size of 1 byte to 4 GiB, such as \"64MiB\"";

    fn read(text: &str) -> Result<Self, String> {
        Self::checked(ByteSize::read(text)?).ok_or_else(|| format!("write {}", Self::WRITE))
    }

    fn number(number: u64) -> Option<Self> {
        Self::checked(ByteSize::bytes(number))
    }
}

impl Slot {
    fn checked(size: ByteSize) -> Option<Self> {
        (1..=SLOT).contains(&size.get()).then_some(Self(size))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigError, ServeConfig};

    /// The line and the message of the error for this line of a configuration.
    fn error(table: &str, line: &str) -> (usize, String) {
        let store = "[store]\npath = \"store\"\n";
        let application = "[[application]]\nname = \"acme/shop\"\n";
        let (line_number, text) = match table {
            "[store]" => (4, format!("schema = 1\n{store}{line}\n{application}")),
            "[limits]" => (
                3,
                format!("schema = 1\n[limits]\n{line}\n{store}{application}"),
            ),
            table => (
                7,
                format!("schema = 1\n{store}{application}{table}\n{line}\n"),
            ),
        };
        let error = ServeConfig::from_toml(&text).unwrap_err();
        let ConfigError::Value { what, at } = error else {
            panic!("{line}: {error}");
        };
        let found = at.unwrap_or_else(|| panic!("{line}: no place")).line;
        assert_eq!(found, line_number, "{line}");
        (found, what)
    }

    #[test]
    fn zero_is_refused_where_it_stands() {
        let number = "write a whole number, 1 or more, without quotes";
        for (table, name) in [
            ("[limits]", "connections"),
            ("[limits]", "address-requests"),
            ("[limits]", "requests"),
            ("[limits]", "application-requests"),
            ("[limits]", "instances"),
            ("[limits]", "application-instances"),
            ("[limits]", "http2-streams"),
            ("[limits]", "http2-control-frames"),
            ("[limits]", "handles"),
            ("[limits]", "resources"),
            ("[application.limits]", "requests"),
            ("[application.limits]", "instances"),
            ("[application.limits]", "handles"),
            ("[application.limits]", "resources"),
            ("[application.reuse]", "requests"),
            ("[application.reuse]", "concurrent"),
            ("[application.keyvalue]", "max-operations"),
            ("[application.keyvalue]", "max-connections"),
        ] {
            assert_eq!(error(table, &format!("{name} = 0")).1, number, "{name}");
        }
        for (table, name) in [
            ("[limits]", "header-read-time"),
            ("[limits]", "cpu-time"),
            ("[limits]", "wall-time"),
            ("[limits]", "request-body-time"),
            ("[application.limits]", "cpu-time"),
            ("[application.limits]", "wall-time"),
            ("[application.limits]", "request-body-time"),
            ("[application.reuse]", "life"),
            ("[application.outbound]", "dns-timeout"),
            ("[application.outbound]", "connect-timeout"),
            ("[application.outbound]", "response-timeout"),
            ("[application.keyvalue]", "timeout"),
            ("[store]", "refresh"),
        ] {
            for zero in ["0ms", "0s"] {
                let (_, what) = error(table, &format!("{name} = \"{zero}\""));
                assert!(what.contains("write a duration"), "{name}: {what}");
            }
        }
        for (table, name) in [
            ("[limits]", "header-size"),
            ("[limits]", "memory"),
            ("[limits]", "memory-total"),
            ("[limits]", "application-memory-total"),
            ("[limits]", "fields"),
            ("[limits]", "hostcall-bytes"),
            ("[application.limits]", "memory"),
            ("[application.limits]", "memory-total"),
            ("[application.limits]", "fields"),
            ("[application.limits]", "hostcall-bytes"),
        ] {
            for zero in ["\"0\"", "\"0MiB\"", "0"] {
                let (_, what) = error(table, &format!("{name} = {zero}"));
                assert!(what.contains("write a size"), "{name}: {what}");
            }
        }
    }

    #[test]
    fn an_instance_has_no_more_than_a_slot() {
        for (table, size) in [
            ("[limits]", "\"8GiB\""),
            ("[application.limits]", "4294967297"),
        ] {
            let (_, what) = error(table, &format!("memory = {size}"));
            assert_eq!(
                what, "write a size of 1 byte to 4 GiB, such as \"64MiB\"",
                "{size}"
            );
        }
        let text = "schema = 1\n[limits]\nmemory = \"4GiB\"\nqueue = 0\nsockets = 0\n\
                    [[application]]\nname = \"a\"\nartifact = \"a.cwasm\"\ngrace = \"0s\"\n";
        let config = ServeConfig::from_toml(text).unwrap();
        assert_eq!(config.limits.memory.get(), 4 << 30);
        assert_eq!((config.limits.queue, config.limits.sockets), (0, 0));
        // Numbers of another kind.
        for text in ["-1", "4294967296", "\"5\"", "1.5"] {
            let (_, what) = error("[limits]", &format!("requests = {text}"));
            assert!(what.contains("write a whole number, 1 or more"), "{what}");
        }
    }
}
