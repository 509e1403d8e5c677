//! The keys that sign notes: those of transparency logs and of their witnesses.
//!
//! Sources: C2SP `signed-note.md` and `tlog-cosignature.md` (<https://c2sp.org/signed-note>,
//! <https://c2sp.org/tlog-cosignature>). Only Ed25519 is read.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{KeyError, PublicKey, Sha256Digest};

/// What a key of a note signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKeyKind {
    /// The note itself: a log's key (type 0x01).
    Note,
    /// A cosignature with a time: a witness's key (type 0x04).
    Cosignature,
}

impl NoteKeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A key that signs notes, as a *vkey* writes it: `NAME+HASH+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: NoteKeyKind,
    key: PublicKey,
    hash: [u8; 4],
}

/// Why a text is not a vkey.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteKeyError {
    /// Not of the form `NAME+HASH+KEY`.
    #[error("a key of a log is written `NAME+HASH+KEY`, as its operator publishes it")]
    Form,
    /// A key of an algorithm that is not read.
    #[error("the key of `{name}` is of a kind that edgec does not read: it reads Ed25519")]
    Kind {
        /// The name in the text.
        name: String,
    },
    /// The short hash in the text is not that of the name and the key.
    #[error("the key of `{name}` was changed: its hash does not fit")]
    Hash {
        /// The name in the text.
        name: String,
    },
    /// The key is unfit.
    #[error("the key of `{name}` cannot be used")]
    Key {
        /// The name in the text.
        name: String,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl NoteKey {
    /// A key with this name. The name has no white space and no `+`.
    ///
    /// # Errors
    ///
    /// [`NoteKeyError::Form`] for another name; [`NoteKeyError::Kind`] if the key is not for
    /// Ed25519.
    pub fn new(name: &str, kind: NoteKeyKind, key: PublicKey) -> Result<Self, NoteKeyError> {
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
        if !is_name {
            return Err(NoteKeyError::Form);
        }
        if key.algorithm() != crate::Algorithm::Ed25519 {
            return Err(NoteKeyError::Kind {
                name: name.to_owned(),
            });
        }
        let typed = [&[kind.byte()], key.as_bytes()].concat();
        let digest = Sha256Digest::of(&[name.as_bytes(), b"\n", &typed].concat()).0;
        let [a, b, c, d, ..] = digest;
        Ok(Self {
            name: name.to_owned(),
            kind,
            key,
            hash: [a, b, c, d],
        })
    }

    /// The name: a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> NoteKeyKind {
        self.kind
    }

    /// The first four bytes of the SHA-256 of name, type and key.
    pub fn hash(&self) -> [u8; 4] {
        self.hash
    }

    /// The key itself.
    pub fn public(&self) -> &PublicKey {
        &self.key
    }
}

impl FromStr for NoteKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let (name, rest) = text.split_once('+').ok_or(NoteKeyError::Form)?;
        // The key is base64, which may have a `+` itself.
        let (hash, key) = rest.split_once('+').ok_or(NoteKeyError::Form)?;
        let typed = STANDARD.decode(key).map_err(|_| NoteKeyError::Form)?;
        let unknown = || NoteKeyError::Kind {
            name: name.to_owned(),
        };
        let (kind, bytes) = match typed.split_first().ok_or(NoteKeyError::Form)? {
            (0x01, bytes) => (NoteKeyKind::Note, bytes),
            (0x04, bytes) => (NoteKeyKind::Cosignature, bytes),
            _ => return Err(unknown()),
        };
        let bytes = bytes.try_into().map_err(|_| NoteKeyError::Form)?;
        let key = PublicKey::from_bytes(bytes).map_err(|source| NoteKeyError::Key {
            name: name.to_owned(),
            source,
        })?;
        let found = Self::new(name, kind, key)?;
        match format!("{:08x}", u32::from_be_bytes(found.hash)) == hash {
            true => Ok(found),
            false => Err(NoteKeyError::Hash {
                name: name.to_owned(),
            }),
        }
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = u32::from_be_bytes(self.hash);
        let typed = [&[self.kind.byte()], self.key.as_bytes()].concat();
        write!(f, "{}+{hash:08x}+{}", self.name, STANDARD.encode(typed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the Go package `golang.org/x/mod/sumdb/note` (its documentation).
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn each_error_of_a_key_has_a_case() {
        let parse = |text: &str| text.parse::<NoteKey>().unwrap_err();
        for text in [
            "",
            "name",
            "name+00000000",
            "name+00000000+AQ==",
            "name+00000000+*",
        ] {
            assert_eq!(parse(text), NoteKeyError::Form, "{text}");
        }
        let hash = parse(&KEY.replace("c74f20a3", "c74f20a4"));
        assert!(matches!(hash, NoteKeyError::Hash { .. }), "{hash}");
        let kind = parse(&KEY.replace("+AR", "+Ag"));
        assert!(matches!(kind, NoteKeyError::Kind { .. }), "{kind}");
        let weak = format!(
            "name+00000000+{}",
            STANDARD.encode([&[1, 1][..], &[0; 31]].concat())
        );
        assert!(matches!(parse(&weak), NoteKeyError::Key { .. }));
        let key: NoteKey = KEY.parse().unwrap();
        for name in ["", "a b", "a+b"] {
            let named = NoteKey::new(name, NoteKeyKind::Note, key.public().clone());
            assert_eq!(named, Err(NoteKeyError::Form), "{name}");
        }
        let ml_dsa = PublicKey::ml_dsa_65(&[3; 1952]).unwrap();
        let kind = NoteKey::new("a", NoteKeyKind::Note, ml_dsa);
        assert!(matches!(kind, Err(NoteKeyError::Kind { .. })));
    }
}
