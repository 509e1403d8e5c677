//! Who signed an artifact, and what of that was verified.

use std::fmt::{self, Write as _};

use super::Artifact;
use super::parts::cut;
use crate::{Text, end_table, table};

/// What was verified.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Nothing: neither key nor policy was given.
    #[default]
    NotVerified,
    /// The verifier's checks were made.
    Examined {
        /// The policy, as one line.
        policy: String,
        /// Whether the policy accepts the artifact.
        accepted: bool,
        /// Why it does not.
        error: Option<String>,
        /// Names and ids of the keys whose signatures count.
        signed_by: Vec<(String, String)>,
        /// Every check.
        checks: Vec<Check>,
    },
}

/// One check of the verifier.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// How it went, as the verifier says it.
    pub outcome: Outcome,
    /// The verifier's word for it.
    pub word: String,
    /// What it found.
    pub evidence: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made and passed.
    Passed,
    /// It was made and failed.
    Failed,
    /// It passed with a warning.
    Warned,
    /// It was not made.
    NotMade,
}

impl Trust {
    /// `not verified`, `accepted` or `REFUSED`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::NotVerified => "not verified",
            Self::Examined { accepted: true, .. } => "accepted",
            Self::Examined { .. } => "REFUSED",
        }
    }
}

/// What was verified of all artifacts, in front of everything else.
pub(super) fn overview(out: &mut String, artifacts: &[Artifact]) -> fmt::Result {
    let of = |word: &str| {
        artifacts
            .iter()
            .filter(|it| it.trust.word() == word)
            .count()
    };
    let (refused, unverified) = (of("REFUSED"), of("not verified"));
    let (class, text) = if refused > 0 {
        ("bad", "The verifier REFUSED an artifact. Do not run it.")
    } else if unverified > 0 {
        (
            "warn",
            "Nothing was verified. Everything here is what the file says about itself, and anyone can \
             write such a file. Name a key (--key) or a policy (--trust) to have it verified.",
        )
    } else {
        (
            "good",
            "The verifier accepted the artifact: its checks are below.",
        )
    };
    writeln!(
        out,
        "<p class=\"notice {class}\" id=\"verdict\" role=\"status\">{text}</p>"
    )
}

impl Artifact {
    /// Signatures and checks.
    pub(super) fn write_trust(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "<h3>Signatures</h3>")?;
        match &self.trust {
            Trust::NotVerified => {
                writeln!(
                    out,
                    "<p><strong>Not verified.</strong> The file names these keys. A key id is a hint, which \
                     anyone can write.</p>"
                )?;
                super::parts::names(out, &self.key_ids)
            }
            Trust::Examined {
                policy,
                accepted,
                error,
                signed_by,
                checks,
            } => {
                let (class, word) = match accepted {
                    true => ("good", "Accepted"),
                    false => ("bad", "REFUSED"),
                };
                writeln!(
                    out,
                    "<p><strong class=\"{class}\">{word}</strong> under the policy: {}.</p>",
                    Text(&cut(policy))
                )?;
                if let Some(error) = error {
                    writeln!(out, "<p class=\"notice bad\">{}</p>", Text(&cut(error)))?;
                }
                let signers: Vec<String> = signed_by
                    .iter()
                    .map(|(name, id)| format!("{}: {id}", cut(name)))
                    .collect();
                writeln!(out, "<p>Verified signatures:</p>")?;
                super::parts::names(out, &signers)?;
                table(
                    out,
                    ("Checks", ""),
                    &[("Check", false), ("Outcome", false), ("Evidence", false)],
                )?;
                for check in checks {
                    let class = match check.outcome {
                        Outcome::Passed => "good",
                        Outcome::Failed => "bad",
                        Outcome::Warned => "warn",
                        Outcome::NotMade => "dim",
                    };
                    writeln!(
                        out,
                        "<tr><th scope=\"row\">{}</th><td class=\"{class}\">{}</td><td>{}</td></tr>",
                        Text(&check.name),
                        Text(&check.word),
                        Text(&cut(&check.evidence))
                    )?;
                }
                end_table(out)
            }
        }
    }
}
