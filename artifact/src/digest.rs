//! Digests as values: 32 bytes that print and parse as lowercase hexadecimal.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// Text that is not 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest or key id is 64 lowercase hexadecimal digits")]
#[non_exhaustive]
pub struct ParseDigestError;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::exhaustive_structs, reason = "a digest is its bytes")]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, ParseDigestError> {
                parse_hex(text).map(Self).ok_or(ParseDigestError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

digest! {
    /// A SHA-256 digest of some bytes (FIPS 180-4).
    Sha256Digest
}

digest! {
    /// An fs-verity digest: what a Linux kernel measures for a file with fs-verity, with SHA-256,
    /// 4096-byte blocks and no salt. See [`crate::verity`].
    VerityDigest
}

impl Sha256Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of `front`, and that of `front` and `rest` together. No byte is read twice.
    pub(crate) fn of_both(front: &[u8], rest: &[u8]) -> (Self, Self) {
        let mut hasher = Sha256::new_with_prefix(front);
        let of_front = Self(hasher.clone().finalize().into());
        hasher.update(rest);
        (of_front, Self(hasher.finalize().into()))
    }

    /// The digest of everything that `source` gives until its end, and how many bytes that was. It
    /// keeps 64 KiB in memory, whatever the length.
    ///
    /// # Errors
    ///
    /// Those of `source`, except interruptions.
    pub fn of_stream(mut source: impl io::Read) -> io::Result<(Self, u64)> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut length: u64 = 0;
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => return Ok((Self(hasher.finalize().into()), length)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(buffer.get(..read).unwrap_or_default());
            length += read as u64;
        }
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest = Sha256Digest::of(b"");
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        for other in [&text.to_uppercase(), &text[1..], &format!("{text}0"), ""] {
            assert_eq!(other.parse::<Sha256Digest>(), Err(ParseDigestError));
        }
    }

    #[test]
    fn a_front_and_the_whole_have_their_digests() {
        for (front, rest) in [("", ""), ("abc", ""), ("", "abc"), ("abc", "def")] {
            let whole = format!("{front}{rest}");
            let found = Sha256Digest::of_both(front.as_bytes(), rest.as_bytes());
            let of = |text: &str| Sha256Digest::of(text.as_bytes());
            assert_eq!(found, (of(front), of(&whole)));
        }
    }

    #[test]
    fn a_stream_has_the_digest_of_its_bytes() {
        for length in [0, 1, 64 << 10, (64 << 10) + 1, 200_000] {
            let bytes = vec![7; length];
            let found = Sha256Digest::of_stream(bytes.as_slice()).unwrap();
            assert_eq!(found, (Sha256Digest::of(&bytes), length as u64));
        }
    }
}
