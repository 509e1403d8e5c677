//! `edgec version`: prints the versions of edgec and of its tools.

use std::process::ExitCode;
use std::sync::OnceLock;

use edgec_compiler::{
    ADAPTER_VERSION, BINARYEN_VERSION, ENCODER_VERSION, ENGINE_VERSION, TEXT_VERSION, WIZER_VERSION,
};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::render::{self, Format};

/// One line for `--version`: everything that decides the native code.
pub(crate) fn line() -> &'static str {
    static LINE: OnceLock<String> = OnceLock::new();
    LINE.get_or_init(|| {
        let edgec = env!("CARGO_PKG_VERSION");
        match cfg!(feature = "binaryen") {
            true => format!("{edgec} (wasmtime {ENGINE_VERSION}, binaryen {BINARYEN_VERSION})"),
            false => format!("{edgec} (wasmtime {ENGINE_VERSION}, without binaryen)"),
        }
    })
}

/// Print the versions of edgec, its engine, its optimizer and its other tools
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    edgec: &'static str,
    /// The format of the artifacts that it writes and reads.
    format: u32,
    tools: Vec<Tool>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
    #[serde(rename = "for")]
    purpose: &'static str,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut versions = Versions {
        edgec: env!("CARGO_PKG_VERSION"),
        format: edgec_artifact::FORMAT_VERSION,
        tools: vec![
            tool("wasmtime", ENGINE_VERSION, "engine"),
            tool("binaryen", BINARYEN_VERSION, "optimizer"),
            tool(
                "wit-component",
                ENCODER_VERSION,
                "components of core modules",
            ),
            tool(
                "wasi-preview1-component-adapter",
                ADAPTER_VERSION,
                "WASI preview 1",
            ),
            tool("wasmtime-wizer", WIZER_VERSION, "--init"),
            tool("wat", TEXT_VERSION, "the text format"),
        ],
    };
    if !cfg!(feature = "binaryen") {
        versions.tools.retain(|tool| tool.name != "binaryen");
    }
    document::answer(true, &versions, arguments.format, text);
    Ok(ExitCode::SUCCESS)
}

fn tool(name: &'static str, version: &'static str, purpose: &'static str) -> Tool {
    Tool {
        name,
        version,
        purpose,
    }
}

fn text(versions: &Versions) -> String {
    let rows: Vec<Vec<String>> = versions
        .tools
        .iter()
        .map(|tool| [tool.purpose, tool.name, tool.version])
        .map(|cells| cells.map(str::to_owned).to_vec())
        .map(|mut cells| {
            cells.insert(0, String::new());
            cells
        })
        .collect();
    format!(
        "edgec {}, artifact format {}\n{}",
        versions.edgec,
        versions.format,
        render::table(&rows)
    )
}
