//! `edgec advisories`: the known faults of the engine's code generation.

use std::process::ExitCode;

use edgec_verifier::{Advisory, SHIPPED};

use crate::Outcome;
use crate::render::{self, Format, out};

/// List known miscompilations that affect artifacts
///
/// A policy includes them with `advisories = true` under `[compiler]`: artifacts that one of them
/// concerns are refused. Where a fault depends on the program's shape, which no artifact states, it
/// is `edgec build` that refuses or warns.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How they are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match arguments.format {
        Format::Json => render::json(&SHIPPED),
        Format::Text => {
            let blocks: Vec<String> = SHIPPED.iter().map(text).collect();
            out!("{}", blocks.join("\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
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
        row("source", advisory.source.to_owned()),
    ];
    format!(
        "{}: {}\n{}",
        advisory.id,
        advisory.title,
        render::table(&rows)
    )
}
