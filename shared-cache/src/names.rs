//! The names of objects in a shared cache.
//!
//! ```text
//! v1/NAMESPACE/packs/NAME     a pack: the answers of one build
//! v1/NAMESPACE/lines/LINE     the NAME of the newest pack of this line, in hexadecimal
//! ```
//!
//! The namespace is a folder, so that a server's own rules can say who writes there. A name only
//! finds a pack. Whether an answer in the pack counts does not depend on any name.

use edgec_artifact::Sha256Digest;

/// What a name is hashed with. Another way of naming needs another text.
const DOMAIN: &str = "edgec shared cache: name, 1";

/// How the packs of a build are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Names {
    /// The builds of exactly these inputs. `None` if they cannot be read twice.
    pub exact: Option<Sha256Digest>,
    /// Builds whose newest pack helps: of the same programs, for the same targets.
    pub line: Sha256Digest,
}

impl Names {
    /// Names that were made with [`name_of`].
    pub fn new(exact: Option<Sha256Digest>, line: Sha256Digest) -> Self {
        Self { exact, line }
    }
}

/// The name for these texts. Different lists of texts have different names.
pub fn name_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Sha256Digest {
    let mut whole = DOMAIN.as_bytes().to_vec();
    for text in texts {
        whole.extend_from_slice(&(text.len() as u64).to_le_bytes());
        whole.extend_from_slice(text.as_bytes());
    }
    Sha256Digest::of(&whole)
}

/// Whether a text can be a namespace: 1 to 64 lower-case letters, digits, `-`, `_` and `.`, which
/// does not come first.
pub fn is_namespace(text: &str) -> bool {
    let is_fit = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c);
    (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_fit)
}

/// The folder of the packs of a namespace.
pub(crate) fn packs(namespace: &str) -> String {
    format!("v1/{namespace}/packs/")
}

pub(crate) fn pack(namespace: &str, name: &Sha256Digest) -> String {
    format!("v1/{namespace}/packs/{name}")
}

pub(crate) fn line(namespace: &str, name: &Sha256Digest) -> String {
    format!("v1/{namespace}/lines/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_texts_have_different_names() {
        let names = [
            name_of([]),
            name_of([""]),
            name_of(["a"]),
            name_of(["a", "b"]),
            name_of(["ab"]),
            name_of(["b", "a"]),
        ];
        for (number, one) in names.iter().enumerate() {
            assert!(!names[number + 1..].contains(one), "{number}");
        }
    }

    #[test]
    fn namespaces_are_names_of_folders() {
        for fit in ["build", "release", "a.b-c_1", &"x".repeat(64)] {
            assert!(is_namespace(fit), "{fit}");
        }
        for unfit in ["", ".", "..", "a/b", "A", "ü", "a b", &"x".repeat(65)] {
            assert!(!is_namespace(unfit), "{unfit}");
        }
    }
}
