//! Sizes and numbers.

use std::fmt;

use edgec_configuration::{Word, Zero, number_and_unit, words};

words!(ByteSize);

/// A number of bytes: `"64MiB"`, `"10KiB"`, `"2GiB"`, or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This number of bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, at most as many as the machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole = |shift: u32| self.0 != 0 && self.0.is_multiple_of(1 << shift);
        match units.iter().find(|(shift, _)| whole(*shift)) {
            Some((shift, unit)) => write!(f, "{} {unit}", self.0 >> shift),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl Word for ByteSize {
    const WRITE: &'static str = "a size, such as \"64MiB\"";

    fn read(text: &str) -> Result<Self, String> {
        let (number, unit) = number_and_unit(text);
        let shift = match unit {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => {
                return Err(format!(
                    "write {}; its unit is KiB, MiB or GiB",
                    Self::WRITE
                ));
            }
        };
        let number: u64 = number
            .parse()
            .map_err(|_| format!("write {}", Self::WRITE))?;
        let bytes = number.checked_mul(1 << shift);
        bytes
            .map(Self)
            .ok_or_else(|| "the size is too large".to_owned())
    }

    fn number(number: u64) -> Option<Self> {
        Some(Self(number))
    }
}

impl Zero for ByteSize {
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// A number of the configuration as one of things in memory.
pub(crate) fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
