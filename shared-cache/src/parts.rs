//! Objects in parts, for a server whose client waits only half a second for each answer.
//!
//! OpenDAL's client of Redis does not wait longer, also if a deadline allows it. So an object that
//! is longer than a part becomes several objects and a head. Each part then needs a connection of 1
//! MB/s. The parts have the digest of the whole in their names, so those of two writers never mix.
//! Nothing here is authenticated: the index of a pack is.
//!
//! ```text
//! NAME            magic 15 │ length of the whole 8, little-endian │ SHA-256 of the whole 32
//! NAME.DIGEST.0   the first part
//! ```

use edgec_artifact::Sha256Digest;

const MAGIC: &[u8; 15] = b"edgec parts, 1\n";
/// The length of each part but the last, in bytes.
pub(crate) const PART_LEN: u64 = 256 << 10;
/// How many parts are asked for at a time.
pub(crate) const AT_ONCE: usize = 2;

/// What the head of an object in parts says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: u64,
    digest: Sha256Digest,
}

impl Head {
    /// The head of an object. `None` if it is so short that it is one part.
    pub(crate) fn of(whole: &[u8]) -> Option<Self> {
        let length = whole.len() as u64;
        (length > PART_LEN).then(|| Self {
            length,
            digest: Sha256Digest::of(whole),
        })
    }

    /// Reads a head. `None` if the bytes are something else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (length, digest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            length: u64::from_le_bytes(*length),
            digest: Sha256Digest(digest.try_into().ok()?),
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let length = self.length.to_le_bytes();
        [&MAGIC[..], &length, &self.digest.0].concat()
    }

    /// How many parts there are.
    pub(crate) const fn count(&self) -> u64 {
        self.length.div_ceil(PART_LEN)
    }

    /// The name of a part of the object of this name.
    pub(crate) fn part(&self, name: &str, number: u64) -> String {
        format!("{name}.{}.{number}", self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_nothing_else_is_one() {
        assert_eq!(Head::of(&[7; 256 << 10]), None);
        let head = Head::of(&[7; (512 << 10) + 1]).unwrap();
        assert_eq!(head.count(), 3);
        let written = head.write();
        assert_eq!(Head::read(&written), Some(head));
        assert_ne!(head.part("pack", 0), head.part("pack", 1));
        for end in 0..written.len() {
            assert_eq!(Head::read(&written[..end]), None, "{end}");
        }
        assert_eq!(Head::read(&[&written[..], b"x"].concat()), None);
        assert_eq!(Head::read(b"a pack"), None);
    }
}
