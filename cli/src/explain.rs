//! The explanation of each error code: what happened, how it comes about, and what to do.
//!
//! `edgec explain` prints these texts, a SARIF log has them as the descriptions of its rules, and
//! docs/errors.md has the same text (`tests/it/explain.rs` compares it). The same file holds that
//! every code in the sources has a text, and that every text has a code.

mod artifacts;
mod cache;
mod demands;
mod files;
mod hosts;
mod keys;
mod machine;
mod programs;
mod projects;
mod provenance;
mod rebuild;
mod registries;
mod releases;
mod run;
mod serving;
mod stores;
mod sync;
mod trust;

/// A code and its explanation.
pub(crate) struct Explanation {
    pub(crate) code: &'static str,
    /// What happened, in one sentence.
    pub(crate) what: &'static str,
    /// How it comes about, and what to do.
    pub(crate) remedy: &'static str,
}

/// Errors of one subject.
pub(crate) struct Subject {
    pub(crate) title: &'static str,
    /// What the errors have in common, in one sentence.
    pub(crate) about: &'static str,
    pub(crate) errors: &'static [Explanation],
}

/// Every subject, in the order of docs/errors.md.
pub(crate) const SUBJECTS: [&Subject; 18] = [
    &programs::SUBJECT,
    &demands::SUBJECT,
    &projects::SUBJECT,
    &cache::SUBJECT,
    &rebuild::SUBJECT,
    &artifacts::SUBJECT,
    &trust::SUBJECT,
    &provenance::SUBJECT,
    &releases::SUBJECT,
    &keys::SUBJECT,
    &files::SUBJECT,
    &hosts::SUBJECT,
    &run::SUBJECT,
    &serving::SUBJECT,
    &stores::SUBJECT,
    &registries::SUBJECT,
    &sync::SUBJECT,
    &machine::SUBJECT,
];

/// The explanation of a code.
pub(crate) fn find(code: &str) -> Option<&'static Explanation> {
    let mut all = SUBJECTS.iter().flat_map(|subject| subject.errors);
    all.find(|explanation| explanation.code == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_are_sentences_and_codes_are_unique() {
        let mut codes = BTreeSet::new();
        for explanation in SUBJECTS.iter().flat_map(|subject| subject.errors) {
            let Explanation { code, what, remedy } = explanation;
            assert!(codes.insert(*code), "{code} is explained twice");
            for text in [what, remedy] {
                assert!(
                    text.ends_with('.') && !text.contains('\n'),
                    "{code}: {text}"
                );
            }
            assert!(find(code).is_some(), "{code}");
        }
        assert!(find("nonsense").is_none());
    }
}
