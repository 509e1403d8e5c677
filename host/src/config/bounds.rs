//! Limits with a lowest or a greatest value.

use edgec_configuration::{Word, Zero, positive, word};
use serde::Deserializer;

use super::values::ByteSize;

/// The memory of a slot, in bytes (4 GiB): an instance cannot have more, since the addresses of a
/// memory have 32 bits.
const SLOT: u64 = 4 << 30;

/// Reads a value that is not zero, for a name that need not be there.
pub(super) fn some_positive<'de, D, W>(deserializer: D) -> Result<Option<W>, D::Error>
where
    D: Deserializer<'de>,
    W: Word + Zero,
{
    positive(deserializer).map(Some)
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
    use crate::config::{ConfigError, ServeConfig, TextError};

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
        let ConfigError::Text(TextError::Value { what, at }) = error else {
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
