//! The regions of a file: image, padding, envelope, footer.
//!
//! The footer is the last 40 bytes, integers little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | image length in bytes; the image begins at 0 |
//! | 8 | 8 | envelope offset: the image length rounded up to a multiple of 8 |
//! | 16 | 8 | envelope length in bytes, 1 to 4 MiB |
//! | 24 | 4 | format version, 1 |
//! | 28 | 4 | reserved, zero |
//! | 32 | 8 | magic, `89 65 64 67 65 63 0d 0a` |
//!
//! The regions tile the file. An image and an envelope have exactly one layout, and `decode`
//! accepts no other.

use crate::{Envelope, EnvelopeError};

/// The format that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// The longest artifact that is read, in bytes (1 GiB).
pub const MAX_ARTIFACT_LEN: u64 = 1 << 30;
/// The longest envelope, in bytes (4 MiB). A manifest states every import, and some toolchains
/// import thousands by mangled names.
pub const MAX_ENVELOPE_LEN: u64 = 1 << 22;

/// The magic is neither text nor ELF, and a transfer that changes line ends damages it.
const MAGIC: [u8; 8] = *b"\x89edgec\r\n";
const FOOTER_LEN: usize = 40;

/// A file that was split into its regions. Nothing in it is verified.
#[derive(Debug)]
pub struct Artifact<'a> {
    image: &'a [u8],
    envelope: Envelope,
    envelope_bytes: &'a [u8],
}

/// Why a file is not an artifact.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Shorter than a footer.
    #[error("not a .cwasm artifact: {len} bytes are too few for the {FOOTER_LEN}-byte footer")]
    TooShort {
        /// The file's length in bytes.
        len: u64,
    },
    /// The file is longer than any artifact may be.
    #[error("{len} bytes are more than the {MAX_ARTIFACT_LEN} that an artifact may have")]
    TooLong {
        /// The file's length in bytes.
        len: u64,
    },
    /// The last eight bytes are not the magic: the file is of another kind, is truncated, or has
    /// bytes after the artifact.
    #[error("not a .cwasm artifact, or cut off: no edgec footer at its end (offset {offset:#x})")]
    Magic {
        /// Where the magic should stand.
        offset: u64,
    },
    /// A format that this version does not know.
    #[error("format version {found} is not supported (this edgec reads {FORMAT_VERSION})")]
    Version {
        /// The version in the footer.
        found: u64,
    },
    /// The reserved field is not zero.
    #[error("the reserved footer field at offset {offset:#x} is not zero")]
    Reserved {
        /// Where the field stands.
        offset: u64,
    },
    /// The envelope is empty or over its cap.
    #[error("the envelope has {len} bytes, outside 1 to {MAX_ENVELOPE_LEN}")]
    EnvelopeLength {
        /// The length in the footer.
        len: u64,
    },
    /// Image, padding, envelope and footer do not add up to the file.
    #[error(
        "the regions do not fill the file exactly: image {image_len} bytes, \
         envelope at {envelope_offset:#x} with {envelope_len} bytes, file {len} bytes"
    )]
    Tiling {
        /// The image length in the footer.
        image_len: u64,
        /// The envelope offset in the footer.
        envelope_offset: u64,
        /// The envelope length in the footer.
        envelope_len: u64,
        /// The file's length.
        len: u64,
    },
    /// A padding byte is not zero.
    #[error("the padding byte at offset {offset:#x} is not zero")]
    Padding {
        /// Where the byte stands.
        offset: u64,
    },
    /// The envelope is not a canonical DSSE envelope.
    #[error("the envelope at offset {offset:#x} is not valid")]
    Envelope {
        /// Where the envelope begins.
        offset: u64,
        /// What is wrong with the envelope.
        source: EnvelopeError,
    },
}

impl<'a> Artifact<'a> {
    /// Splits a whole file into its regions and parses the envelope.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if the file does not have exactly the layout of the format.
    pub fn decode(file: &'a [u8]) -> Result<Self, LayoutError> {
        let len = file.len() as u64;
        if len > MAX_ARTIFACT_LEN {
            return Err(LayoutError::TooLong { len });
        }
        let Some((body, footer)) = file.split_last_chunk::<FOOTER_LEN>() else {
            return Err(LayoutError::TooShort { len });
        };
        let footer_offset = body.len() as u64;
        let Footer {
            image_len,
            envelope_offset,
            envelope_len,
        } = Footer::decode(footer, footer_offset)?;

        let tiling = || LayoutError::Tiling {
            image_len,
            envelope_offset,
            envelope_len,
            len,
        };
        if image_len.checked_next_multiple_of(8) != Some(envelope_offset)
            || envelope_offset.checked_add(envelope_len) != Some(footer_offset)
        {
            return Err(tiling());
        }
        let (image, rest) = usize::try_from(image_len)
            .ok()
            .and_then(|at| body.split_at_checked(at))
            .ok_or_else(tiling)?;
        let (padding, envelope) = usize::try_from(envelope_offset - image_len)
            .ok()
            .and_then(|at| rest.split_at_checked(at))
            .ok_or_else(tiling)?;
        if let Some(at) = padding.iter().position(|byte| *byte != 0) {
            return Err(LayoutError::Padding {
                offset: image_len + at as u64,
            });
        }
        let envelope_bytes = envelope;
        let envelope = Envelope::decode(envelope).map_err(|source| LayoutError::Envelope {
            offset: envelope_offset,
            source,
        })?;
        Ok(Self {
            image,
            envelope,
            envelope_bytes,
        })
    }

    /// The image region: the first bytes of the file.
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The envelope, parsed but not verified.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Returns the envelope as a value and as bytes.
    pub fn into_envelope(self) -> (Envelope, &'a [u8]) {
        (self.envelope, self.envelope_bytes)
    }

    /// The envelope region's length in bytes.
    pub fn envelope_len(&self) -> u64 {
        self.envelope_bytes.len() as u64
    }
}

struct Footer {
    image_len: u64,
    envelope_offset: u64,
    envelope_len: u64,
}

impl Footer {
    fn decode(bytes: &[u8; FOOTER_LEN], at: u64) -> Result<Self, LayoutError> {
        let (words, magic) = bytes.split_at(FOOTER_LEN - MAGIC.len());
        if magic != MAGIC {
            return Err(LayoutError::Magic {
                offset: at + words.len() as u64,
            });
        }
        // `words` has 32 bytes, so every field is there.
        let number = |from: usize, len: usize| {
            let field = words.iter().skip(from).take(len).rev();
            field.fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let (image_len, envelope_offset, envelope_len) =
            (number(0, 8), number(8, 8), number(16, 8));
        let found = number(24, 4);
        if found != u64::from(FORMAT_VERSION) {
            return Err(LayoutError::Version { found });
        }
        if number(28, 4) != 0 {
            return Err(LayoutError::Reserved { offset: at + 28 });
        }
        if !(1..=MAX_ENVELOPE_LEN).contains(&envelope_len) {
            return Err(LayoutError::EnvelopeLength { len: envelope_len });
        }
        Ok(Self {
            image_len,
            envelope_offset,
            envelope_len,
        })
    }
}

/// Lays out an image and an envelope as one file.
///
/// # Errors
///
/// [`LayoutError::EnvelopeLength`], [`LayoutError::Envelope`] or [`LayoutError::TooLong`]
/// if a reader would refuse the result.
pub fn encode(image: &[u8], envelope: &Envelope) -> Result<Vec<u8>, LayoutError> {
    append_envelope(image.to_vec(), envelope)
}

/// Like [`encode`], but reuses the memory of the image, which may be long.
///
/// # Errors
///
/// As [`encode`].
pub fn append_envelope(image: Vec<u8>, envelope: &Envelope) -> Result<Vec<u8>, LayoutError> {
    let behind = behind_image(image.len() as u64, envelope)?;
    let mut file = image;
    file.reserve_exact(behind.len());
    file.extend_from_slice(&behind);
    Ok(file)
}

/// What an artifact has behind an image of this length: padding, envelope and footer. For a writer
/// that does not have the image in memory.
///
/// # Errors
///
/// As [`encode`].
pub fn behind_image(image_len: u64, envelope: &Envelope) -> Result<Vec<u8>, LayoutError> {
    let envelope = envelope.encode();
    let envelope_len = envelope.len() as u64;
    if !(1..=MAX_ENVELOPE_LEN).contains(&envelope_len) {
        return Err(LayoutError::EnvelopeLength { len: envelope_len });
    }
    Envelope::decode(&envelope).map_err(|source| LayoutError::Envelope {
        offset: image_len.checked_next_multiple_of(8).unwrap_or(image_len),
        source,
    })?;
    let len = image_len
        .saturating_add(envelope_len)
        .saturating_add(8 + FOOTER_LEN as u64);
    if len > MAX_ARTIFACT_LEN {
        return Err(LayoutError::TooLong { len });
    }
    let envelope_offset = image_len.next_multiple_of(8);
    // At most seven bytes.
    let padding = usize::try_from(envelope_offset - image_len).unwrap_or(0);

    let mut behind = vec![0; padding];
    behind.reserve_exact(envelope.len() + FOOTER_LEN);
    behind.extend_from_slice(&envelope);
    for field in [
        image_len,
        envelope_offset,
        envelope_len,
        u64::from(FORMAT_VERSION),
    ] {
        behind.extend_from_slice(&field.to_le_bytes());
    }
    behind.extend_from_slice(&MAGIC);
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Signature;

    fn sample() -> Vec<u8> {
        let envelope = Envelope::new(b"payload".to_vec(), vec![Signature::new("ab", [7; 64])]);
        encode(b"not really an image", &envelope).unwrap()
    }

    #[test]
    fn decode_gives_back_what_encode_took() {
        let file = sample();
        let artifact = Artifact::decode(&file).unwrap();
        assert_eq!(artifact.image(), b"not really an image");
        assert_eq!(artifact.envelope().payload(), b"payload");
        assert_eq!(encode(artifact.image(), artifact.envelope()).unwrap(), file);
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let file = sample();
        for len in 0..file.len() {
            assert!(Artifact::decode(&file[..len]).is_err(), "{len} bytes");
            assert!(Artifact::decode(&file[file.len() - len..]).is_err());
        }
        let longer = [&file[..], b"\0"].concat();
        assert!(matches!(
            Artifact::decode(&longer),
            Err(LayoutError::Magic { .. })
        ));
        let longer = [b"\0", &file[..]].concat();
        assert!(matches!(
            Artifact::decode(&longer),
            Err(LayoutError::Tiling { .. })
        ));
    }

    #[test]
    fn each_footer_field_is_held_to_its_value() {
        let file = sample();
        let footer = file.len() - FOOTER_LEN;
        let with = |at: usize, bytes: &[u8]| {
            let mut file = file.clone();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            Artifact::decode(&file).map(|_| ()).unwrap_err()
        };
        assert!(matches!(
            with(footer, &[0xff; 8]),
            LayoutError::Tiling { .. }
        ));
        assert!(matches!(
            with(footer + 8, &[0xff; 8]),
            LayoutError::Tiling { .. }
        ));
        assert!(matches!(
            with(footer + 16, &[0xff; 8]),
            LayoutError::EnvelopeLength { len: u64::MAX }
        ));
        assert!(matches!(
            with(footer + 16, &[0; 8]),
            LayoutError::EnvelopeLength { len: 0 }
        ));
        assert_eq!(with(footer + 24, &[2]), LayoutError::Version { found: 2 });
        assert!(matches!(
            with(footer + 28, &[1]),
            LayoutError::Reserved { .. }
        ));
        assert!(matches!(with(footer + 32, &[0]), LayoutError::Magic { .. }));
        assert_eq!(with(19, &[1]), LayoutError::Padding { offset: 19 });
        assert!(matches!(with(24, b"["), LayoutError::Envelope { .. }));
    }
}
