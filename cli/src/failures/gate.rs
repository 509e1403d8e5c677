//! Failures of programs that break what their user demands, and of worlds that cannot be read.

use edgec_compiler::{Violation, Violations, WitError};
use serde::Serialize;

use crate::bounds::{MAX_REASON_LEN, excerpt};
use crate::failure::{Exit, Failure};

/// What a program breaks, one line for each, and what to do about it.
pub(super) fn gate_failure(found: &Violations) -> Failure {
    let mut lines = vec![found.to_string()];
    let shown = |it: &Violation| format!("{}: {}", it.code(), excerpt(it, MAX_REASON_LEN));
    lines.extend(found.listed.iter().map(shown));
    if found.more > 0 {
        lines.push(format!("and {} more", found.more));
    }
    let failure = Failure::new(Exit::Rejected, "gate", lines.join("\n")).with_safe_message();
    let details: Vec<Detail> = found.listed.iter().map(Detail::of).collect();
    let failure = failure.with_details(&details);
    failure.hint(hints(found).join("\n"))
}

/// A finding, for documents.
#[derive(Serialize)]
struct Detail {
    /// A short name, which is the same in all releases.
    code: &'static str,
    message: String,
    /// The import or export that the finding is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The functions or types of that import or export.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<String>,
}

impl Detail {
    fn of(violation: &Violation) -> Self {
        let cut = |text: &str| excerpt(text, MAX_REASON_LEN);
        Self {
            code: violation.code(),
            message: excerpt(violation, MAX_REASON_LEN),
            name: violation.name().map(cut),
            items: violation.items().into_iter().map(cut).collect(),
        }
    }
}

/// One hint for each option that has a part in it.
fn hints(found: &Violations) -> Vec<&'static str> {
    let all = [
        (
            "world-",
            "--world says what hosts offer and call: build the program for that world, or name another",
        ),
        (
            "import-",
            "--allow-import allows an import; it is repeatable, and `*` stands for any characters",
        ),
        (
            "limit-",
            "the toolchain decides what an instance needs; --max-memory and its like set the limits",
        ),
    ];
    let has = |begin: &str| found.listed.iter().any(|it| it.code().starts_with(begin));
    let hints = all.into_iter().filter(|(begin, _)| has(begin));
    hints.map(|(_, hint)| hint).collect()
}

/// Why there is no world of this name, and what to do about it.
pub(super) fn wit_failure(error: &WitError) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    match error {
        WitError::UnknownWorld { known, .. } => failure.hint(format!(
            "edgec knows {}, and their earlier compatible versions; a folder of WIT can have \
             others: --world DIR#WORLD",
            known.join(", ")
        )),
        WitError::World { worlds, .. } if worlds.is_empty() => {
            failure.hint("name a file or folder of WIT with a `world`")
        }
        WitError::World { worlds, .. } => {
            failure.hint(format!("name one of {}", worlds.join(", ")))
        }
        WitError::NotWit { .. } => failure.hint("name a .wit file, or a folder with such files"),
        WitError::Invalid { .. } => {
            // The file may be something else, even a key: its text is not repeated.
            let text = failure.message().to_owned();
            let lines = text.lines().enumerate();
            let told = lines.filter(|(at, line)| *at == 0 || line.trim_start().starts_with("-->"));
            let told: Vec<&str> = told.map(|(_, line)| line).collect();
            failure.saying(told.join("\n")).hint(
                "correct the WIT; the packages that it uses must be in the folder `deps` beside it",
            )
        }
        _ => failure.hint("simpler types may have a form that this edgec knows"),
    }
}
