//! What reports say about the policy that decided.

use edgec_verifier::{Seen, TrustPolicy};
use serde::Serialize;

use crate::render;

/// The policy that decided.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    sha256: String,
    threshold: usize,
    signed_by: Vec<String>,
    /// The protections that the policy does without; `edgec policy check` says what each means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_off: Vec<&'static str>,
    /// The newest seen policy with which it was compared. `None` unless requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    compared_with: Option<Seen>,
    /// What was required, as a sentence, if the user gave keys instead of a policy.
    #[serde(skip)]
    without: Option<String>,
}

impl PolicyReport {
    pub(super) fn new(
        policy: &TrustPolicy,
        compared_with: Option<Seen>,
        without: Option<String>,
    ) -> Self {
        Self {
            name: policy.name().map(str::to_owned),
            version: policy.version(),
            sha256: policy.digest().to_string(),
            threshold: policy.threshold(),
            signed_by: policy.signed_by().iter().map(ToString::to_string).collect(),
            left_off: match without {
                // A key alone has none of a policy's protections.
                Some(_) => Vec::new(),
                None => policy.left_off().iter().map(|it| it.name).collect(),
            },
            compared_with,
            without,
        }
    }

    /// What was required, as a sentence, if the user gave keys instead of a policy.
    pub(crate) fn without(&self) -> Option<&str> {
        self.without.as_deref()
    }

    /// The protections that the policy does without, as one line of text.
    pub(crate) fn left_off(&self) -> Option<String> {
        (!self.left_off.is_empty()).then(|| self.left_off.join(", "))
    }

    /// The policy as one line of text.
    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(name) = &self.name {
            parts.push(format!("`{}`", render::safe(name)));
        }
        if let Some(version) = self.version {
            parts.push(format!("version {version}"));
        }
        parts.push(format!("sha256 {}", self.sha256));
        if !self.signed_by.is_empty() {
            parts.push(format!("signed by {}", self.signed_by.join(", ")));
        }
        parts.push(match self.compared_with {
            Some(Seen::First) => "the first seen here".to_owned(),
            Some(_) => "none newer was seen here".to_owned(),
            None => "not compared with earlier ones".to_owned(),
        });
        parts.join(", ")
    }
}
