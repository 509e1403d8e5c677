//! A list of referrers, as registries and layouts have it.
//!
//! What edgec cannot read is an error, and is not left out: it could be a signature.
//!
//! Source: OCI Distribution Specification 1.1, "Listing Referrers", "Referrers Tag Schema".

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{Descriptor, media};

/// A list of referrers. Fields beside the entries stay as they are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerList {
    schema_version: u32,
    #[serde(default, deserialize_with = "or_null")]
    manifests: Vec<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Registries in Go write an empty list as `null`.
fn or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Value>, D::Error> {
    let found = Option::<Vec<Value>>::deserialize(from)?;
    Ok(found.unwrap_or_default())
}

impl ReferrerList {
    /// A list without entries.
    pub(crate) fn empty() -> Self {
        let media_type = ("mediaType".to_owned(), Value::from(media::INDEX));
        Self {
            schema_version: 2,
            manifests: Vec::new(),
            rest: Map::from_iter([media_type]),
        }
    }

    /// Reads a list.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("line {line}, column {column} is not as in a list of referrers")
        })
    }

    /// Its entries.
    ///
    /// # Errors
    ///
    /// Which entry is not a descriptor.
    pub(crate) fn entries(&self) -> Result<Vec<Descriptor>, String> {
        let entries = self.manifests.iter().zip(1..);
        let entries = entries.map(|(entry, number): (_, usize)| {
            let mut entry = entry.clone();
            if let Some(fields) = entry.as_object_mut() {
                // Some registries write `null` for what is not there.
                fields.retain(|_, value| !value.is_null());
            }
            serde_json::from_value(entry)
                .map_err(|_| format!("entry {number} of a list of referrers is not a descriptor"))
        });
        entries.collect()
    }

    /// Whether it has an entry with this digest.
    pub(crate) fn has(&self, digest: &str) -> bool {
        let mut digests = self.manifests.iter().map(|it| it.get("digest"));
        digests.any(|it| it.and_then(Value::as_str) == Some(digest))
    }

    /// Adds an entry.
    pub(crate) fn push(&mut self, entry: &Descriptor) -> Result<(), serde_json::Error> {
        self.manifests.push(serde_json::to_value(entry)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"mediaType":"a/b","digest":"sha256:12","size":3}"#;

    fn entries(list: &str) -> Result<Vec<Descriptor>, String> {
        ReferrerList::decode(list.as_bytes())?.entries()
    }

    #[test]
    fn what_registries_leave_out_is_understood() {
        for list in [
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"manifests":null}"#,
            r#"{"schemaVersion":2,"manifests":[]}"#,
        ] {
            assert_eq!(entries(list), Ok(Vec::new()), "{list}");
        }
        let spare = ENTRY.replace('}', r#","annotations":null,"artifactType":null,"new":1}"#);
        let found = entries(&format!(r#"{{"schemaVersion":2,"manifests":[{spare}]}}"#));
        assert_eq!(found, Ok(vec![serde_json::from_str(ENTRY).unwrap()]));
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_not_left_out() {
        for wrong in ["1", "null", "{}", r#"{"digest":"sha256:12","size":-1}"#] {
            let list = format!(r#"{{"schemaVersion":2,"manifests":[{ENTRY},{wrong}]}}"#);
            let error = entries(&list).unwrap_err();
            assert!(error.starts_with("entry 2 of"), "{error}");
        }
        for list in ["", "{}", "[]", r#"{"schemaVersion":2,"manifests":{}}"#] {
            let error = entries(list).unwrap_err();
            assert!(error.contains("is not as in"), "{error}");
        }
    }

    #[test]
    fn other_fields_and_entries_stay() {
        let text = r#"{"schemaVersion":2,"manifests":[{"digest":"x"}],"more":[1]}"#;
        let mut list = ReferrerList::decode(text.as_bytes()).unwrap();
        let entry = serde_json::from_str::<Descriptor>(ENTRY).unwrap();
        assert!(list.has("x") && !list.has(&entry.digest));
        list.push(&entry).unwrap();
        assert!(list.has(&entry.digest));
        let expected = text.replace("\"x\"}", &format!("\"x\"}},{ENTRY}"));
        let expected: Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(serde_json::to_value(&list).unwrap(), expected);
        assert_eq!(ReferrerList::empty().entries(), Ok(Vec::new()));
    }
}
