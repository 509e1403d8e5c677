//! Parts of a report on an input: what became of it before it was compiled.

use edgec_artifact::Sha256Digest;
use edgec_builder::Prepared;
use edgec_compiler::{Choice, ProgramKind, Why};
use serde::Serialize;

use crate::render::safe;

/// The kind that a core module became.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KindReport {
    asked: &'static str,
    chosen: &'static str,
    pub(super) because: String,
    /// What it does differently from the core module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lacks: Option<String>,
    /// Whether the summary shows it. It does not if the choice is obvious.
    #[serde(skip)]
    pub(super) told: bool,
}

impl KindReport {
    pub(super) fn new(choice: &Choice, kind: ProgramKind) -> Self {
        Self {
            asked: choice.asked.name(),
            chosen: kind.name(),
            because: safe(&choice.why.to_string()),
            lacks: choice.lacks.as_ref().map(|lacks| safe(&lacks.to_string())),
            told: !matches!(choice.why, Why::Asked | Why::NoPreview1),
        }
    }
}

/// Component types that a core module got from WIT.
#[derive(Serialize)]
pub(super) struct TypesReport {
    world: String,
    /// The digest of the types, as the manifest states it.
    sha256: Sha256Digest,
}

impl TypesReport {
    pub(super) fn of(prepared: &Prepared) -> Option<Self> {
        let added = prepared.added.as_ref()?;
        Some(Self {
            world: safe(&added.world),
            sha256: Sha256Digest(added.sha256),
        })
    }
}

/// Legacy exceptions that were translated.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TranslateReport {
    /// The numbers of the core modules that had them.
    pub(super) modules: Vec<usize>,
    pub(super) seconds: f64,
}

impl TranslateReport {
    pub(super) fn of(prepared: &Prepared) -> Option<Self> {
        let translated = prepared.translated.as_ref()?;
        Some(Self {
            modules: translated.modules.clone(),
            seconds: translated.time.as_secs_f64(),
        })
    }
}

/// The call of an export at build time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitReport {
    pub(super) function: String,
    pub(super) component_bytes: usize,
    pub(super) seconds: f64,
}

impl InitReport {
    pub(super) fn of(prepared: &Prepared) -> Option<Self> {
        let init = prepared.initialized.as_ref()?;
        Some(Self {
            function: init.function.clone(),
            component_bytes: init.bytes,
            seconds: init.time.as_secs_f64(),
        })
    }
}
