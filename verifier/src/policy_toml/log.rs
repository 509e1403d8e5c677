//! The table `[log]` of a policy.

use edgec_artifact::{NoteKey, NoteKeyKind};
use serde::{Deserialize, Deserializer, de};

use crate::log::LogRules;
use crate::policy::PolicyError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Table {
    #[serde(deserialize_with = "key")]
    key: NoteKey,
    #[serde(default)]
    witness: Vec<Witness>,
    #[serde(default)]
    witnesses: usize,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Witness(#[serde(deserialize_with = "key")] NoteKey);

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NoteKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

impl Table {
    pub(super) fn rules(self) -> Result<LogRules, PolicyError> {
        let wrong = |name: &str, reason| PolicyError::Log {
            name: name.to_owned(),
            reason,
        };
        if self.key.kind() != NoteKeyKind::Note {
            return Err(wrong(self.key.name(), "it is a witness's, not a log's"));
        }
        let witnesses: Vec<NoteKey> = self.witness.into_iter().map(|it| it.0).collect();
        for (number, witness) in witnesses.iter().enumerate() {
            if witness.kind() != NoteKeyKind::Cosignature {
                return Err(wrong(witness.name(), "it is a log's, not a witness's"));
            }
            let mut before = witnesses.iter().take(number);
            let is_known = |it: &NoteKey| it.public() == witness.public();
            if before.any(is_known) || witness.public() == self.key.public() {
                return Err(wrong(witness.name(), "the same key is there already"));
            }
        }
        if self.witnesses > witnesses.len() {
            return Err(PolicyError::Threshold {
                of: "`log`".to_owned(),
                threshold: self.witnesses,
                signers: witnesses.len(),
            });
        }
        Ok(LogRules {
            log: self.key,
            witnesses,
            threshold: self.witnesses,
        })
    }
}
