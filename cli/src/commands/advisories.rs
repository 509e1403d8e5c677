//! `edgec advisories`: the known faults of the engine's code generation.

use std::process::ExitCode;

use edgec_verifier::{Advisory, SHIPPED};

use crate::Outcome;
use crate::document;
use crate::failure::Failure;
use crate::failures::verifier::remedy;
use crate::render::{self, Format};

/// List known faults of the engine that affect artifacts
///
/// With `advisories = true` under `[compiler]`, a policy refuses artifacts that an advisory
/// concerns. Some faults depend on the program's shape, which no artifact states: for these, `edgec
/// build` refuses or warns.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Show only the advisories with these identifiers
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// The output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let named = |id: &String| {
        let found = SHIPPED.iter().find(|it| it.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| unknown(id))
    };
    let advisories: Vec<&Advisory> = match arguments.ids.as_slice() {
        [] => SHIPPED.iter().collect(),
        ids => ids.iter().map(named).collect::<Result<_, _>>()?,
    };
    document::answer_list(true, &advisories, arguments.format, |advisories| {
        let blocks: Vec<String> = advisories.iter().map(|it| text(it)).collect();
        blocks.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

/// The failure for an identifier that is none.
pub(super) fn unknown(id: &str) -> Failure {
    let known: Vec<&str> = SHIPPED.iter().map(|it| it.id).collect();
    Failure::usage(
        "unknown-advisory",
        "this edgec does not know such an advisory",
    )
    .about(id)
    .hint(format!("it knows {}", known.join(", ")))
}

fn text(advisory: &Advisory) -> String {
    let all = |list: &[&str], none: &str| match list {
        [] => none.to_owned(),
        list => list.join(", "),
    };
    let row = |name: &str, value: String| vec![format!("  {name}"), value];
    let rows = [
        row("wasmtime", advisory.affected.to_string()),
        row("CPUs", all(advisory.families, "all")),
        row(
            "programs",
            match (advisory.shape, advisory.features) {
                (Some(shape), _) => format!("with {shape}"),
                (None, []) => "all".to_owned(),
                (None, features) => format!("with {}", features.join(" or ")),
            },
        ),
        row("effect", advisory.effect.to_owned()),
        row("remedy", remedy(advisory)),
        row("source", advisory.source.to_owned()),
    ];
    format!(
        "{}: {}\n{}",
        advisory.id,
        advisory.title,
        render::table(&rows)
    )
}
