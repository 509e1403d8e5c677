//! The exports of a program in a manifest: every name, or the number of names and their digest.
//!
//! Some toolchains export every function that they compile. A list of 75,000 names is megabytes
//! that every load would verify and parse, and no policy needs it. So a long list is *summed up*:
//! the manifest states the number of names, and the length and SHA-256 of the JSON list that it
//! replaces. Imports are never summed up, because policies have rules for them.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Sha256Digest;
use crate::canonical;

/// The longest list of exports that is stated name by name, in bytes of its JSON (128 KiB): a few
/// thousand names. Of 70 real core modules, 68 have lists of up to 40 KiB (2124 names). The other
/// two export everything: 8763 names (235 KiB) and 75,111 names (7 MiB). Components have a few
/// dozen.
pub const MAX_EXPORT_LIST_LEN: u64 = 1 << 17;

/// The exports of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a promise: the format has these two forms, and readers refuse any other"
)]
pub enum Exports {
    /// Every name; written sorted, each once.
    Listed(Vec<String>),
    /// A list longer than [`MAX_EXPORT_LIST_LEN`].
    SummedUp(ExportSum),
}

/// What a manifest states about a list that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExportSum {
    /// How many names there are.
    pub count: u64,
    /// The length of the list's JSON in bytes.
    pub length: u64,
    /// SHA-256 of the list's JSON.
    pub sha256: Sha256Digest,
}

impl Exports {
    /// The exports with these names: listed or summed up, depending on the length.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        let list = export_list(&names);
        if list.len() as u64 <= MAX_EXPORT_LIST_LEN {
            return Self::Listed(names);
        }
        Self::SummedUp(ExportSum {
            count: names.len() as u64,
            length: list.len() as u64,
            sha256: Sha256Digest::of(&list),
        })
    }

    /// The names, if they are listed.
    pub fn names(&self) -> Option<&[String]> {
        match self {
            Self::Listed(names) => Some(names),
            Self::SummedUp(_) => None,
        }
    }

    /// The number of exports.
    pub fn count(&self) -> u64 {
        match self {
            Self::Listed(names) => names.len() as u64,
            Self::SummedUp(sum) => sum.count,
        }
    }
}

/// The JSON of a list of exports. The digest in a manifest is of this JSON, with the names sorted
/// and each name once.
pub fn export_list(names: &[String]) -> Vec<u8> {
    canonical::encode(&names)
}

impl<'de> Deserialize<'de> for Exports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrSum;

        impl<'de> Visitor<'de> for ListOrSum {
            type Value = Exports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of exports, or their count, length and sha256")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Exports, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Exports::Listed(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Exports, A::Error> {
                ExportSum::deserialize(MapAccessDeserializer::new(fields)).map(Exports::SummedUp)
            }
        }

        deserializer.deserialize_any(ListOrSum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many names as give a list of exactly this length in bytes.
    fn names(length: u64) -> Vec<String> {
        // `["` and `"]`, and between two names `","`.
        let length = usize::try_from(length).unwrap() - 1;
        let count = length / 13;
        let mut names: Vec<String> = (0..count).map(|i| format!("{i:010}")).collect();
        names.last_mut().unwrap().push_str(&"x".repeat(length % 13));
        names
    }

    #[test]
    fn a_long_list_is_summed_up_and_no_other() {
        let listed = names(MAX_EXPORT_LIST_LEN);
        assert_eq!(export_list(&listed).len() as u64, MAX_EXPORT_LIST_LEN);
        let mut shuffled = listed.clone();
        shuffled.reverse();
        shuffled.extend_from_slice(&listed[..7]);
        assert_eq!(Exports::of(shuffled), Exports::Listed(listed.clone()));

        let longer = names(MAX_EXPORT_LIST_LEN + 1);
        let Exports::SummedUp(sum) = Exports::of(longer.iter().rev().cloned()) else {
            panic!("it is listed");
        };
        let list = export_list(&longer);
        assert_eq!(
            (sum.count, sum.length),
            (longer.len() as u64, list.len() as u64)
        );
        assert_eq!(sum.sha256, Sha256Digest::of(&list));
    }

    #[test]
    fn both_forms_are_read_and_nothing_else() {
        let decode = |text: &str| canonical::decode::<Exports>(text.as_bytes());
        assert_eq!(
            decode(r#"["a"]"#),
            Ok(Exports::Listed(vec!["a".to_owned()]))
        );
        let digest = "a".repeat(64);
        let sum = format!(r#"{{"count":1,"length":9,"sha256":"{digest}"}}"#);
        assert_eq!(decode(&sum).unwrap().count(), 1);
        assert_eq!(decode(&sum).unwrap().names(), None);
        for wrong in [
            r#"{"count":1}"#.to_owned(),
            sum.replace("count", "number"),
            sum.replace("\"length\":9,", ""),
            sum.replace("{\"count\"", "{\"x\":1,\"count\""),
            r#"[1]"#.to_owned(),
            r#""a""#.to_owned(),
            "null".to_owned(),
            "3".to_owned(),
        ] {
            decode(&wrong).unwrap_err();
        }
    }
}
