//! `edgec inspect`: shows what an artifact says about itself. It verifies nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::elf::{ElfImage, Section};
use edgec_artifact::{Artifact, Exports, Manifest, Statement, export_list};
use edgec_compiler::Image;
use serde::Serialize;

use crate::bounds::MAX_LISTED;
use crate::cold_start::ColdStart;
use crate::document;
use crate::failure::Failure;
use crate::file_kind::{Wanted, explain};
use crate::number::{COUNT, number};
use crate::render::{self, Format, cell, passed_on, safe, size, word};
use crate::{Outcome, exports, files};

/// Show an artifact's manifest, sections and signatures, without verifying anything
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifact; `-` is standard input
    artifact: PathBuf,
    /// The output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write the bytes that the signatures cover (DSSE PAE) to standard output, nothing else
    #[arg(long, conflicts_with_all = ["format", "signature"])]
    pae: bool,
    /// Write the raw 64 bytes of signature N (from 0) to standard output, nothing else
    #[arg(long, value_name = "N", conflicts_with = "format", value_parser = number(0..=u64::MAX, COUNT))]
    signature: Option<u64>,
    /// Write the list of all exports to standard output as JSON, nothing else; if the manifest has
    /// only the list's digest, edgec reads the list from the image and compares it with the digest
    #[arg(long, conflicts_with_all = ["format", "pae", "signature"])]
    exports: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    /// Always false: the document says so itself, so that no one takes it for a verdict.
    verified: bool,
    length: u64,
    envelope_length: u64,
    manifest: Manifest,
    /// What slows the instantiation of this image.
    cold_start: ColdStart,
    sections: Vec<SectionReport>,
    signatures: Vec<SignatureReport>,
}

#[derive(Serialize)]
struct SectionReport {
    name: String,
    offset: u64,
    size: u64,
    align: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignatureReport {
    key_id: String,
    signature: String,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.artifact;
    let file = files::read_artifact(path)?;
    let shown = render::path(path);
    let rejected =
        |code, error: &dyn std::error::Error| Failure::rejected(code, error).about_safe(&shown);
    let artifact = Artifact::decode(&file)
        .map_err(|error| explain(rejected("layout", &error), &file, Wanted::Artifact))?;
    let envelope = artifact.envelope();

    if arguments.pae {
        return raw(&envelope.pae());
    }
    if let Some(number) = arguments.signature {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(signature) = envelope.signatures().get(index) else {
            let there = envelope.signatures().len();
            let message = format!("there is no signature {number}: the artifact has {there}");
            return Err(Failure::usage("no-signature", message).about_safe(&shown));
        };
        return raw(signature.bytes());
    }

    let Statement { manifest } =
        Statement::decode(envelope.payload()).map_err(|error| rejected("statement", &error))?;
    if arguments.exports {
        let image = Image::parse(artifact.image()).map_err(|error| rejected("image", &error))?;
        let names =
            exports::names(&manifest, &image).map_err(|error| error.or_about_safe(&shown))?;
        return raw(&export_list(&names));
    }
    let image = ElfImage::parse(artifact.image()).map_err(|error| rejected("image", &error))?;
    let cold_start = cold_start(&artifact, &image, &manifest);
    let report = Report {
        artifact: shown,
        verified: false,
        length: file.len() as u64,
        envelope_length: artifact.envelope_len(),
        manifest,
        cold_start,
        sections: image
            .sections
            .into_iter()
            .map(SectionReport::from)
            .collect(),
        signatures: envelope
            .signatures()
            .iter()
            .map(|signature| SignatureReport {
                key_id: safe(signature.key_id()),
                signature: hex(signature.bytes()),
            })
            .collect(),
    };
    document::answer(true, &report, arguments.format, text);
    Ok(ExitCode::SUCCESS)
}

/// Only the manifest says which engine the image is for, and it may be wrong.
fn cold_start(artifact: &Artifact<'_>, image: &ElfImage, manifest: &Manifest) -> ColdStart {
    let mut sections = image.sections.iter();
    let info = sections.find(|section| section.name == ".wasmtime.info");
    let info = info.and_then(|section| {
        let begin = usize::try_from(section.offset).ok()?;
        let length = usize::try_from(section.size).ok()?;
        artifact.image().get(begin..)?.get(..length)
    });
    ColdStart::of_image(&manifest.engine.version, info, manifest.kind)
}

pub(crate) fn raw(bytes: &[u8]) -> Outcome {
    render::write_stdout(bytes);
    Ok(ExitCode::SUCCESS)
}

impl From<Section> for SectionReport {
    fn from(section: Section) -> Self {
        Self {
            name: section.name,
            offset: section.offset,
            size: section.size,
            align: section.align,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(report: &Report) -> String {
    format!(
        "{}: {} bytes, not verified\n\n{}\n{}{}\n{}",
        report.artifact,
        report.length,
        render::table(&manifest_rows(&report.manifest)),
        report.cold_start.section(),
        render::table(&section_rows(report)),
        render::table(&signature_rows(&report.signatures))
    )
}

/// A line of a table.
type Row = Vec<String>;

fn row(name: &str, value: String) -> Row {
    vec![name.to_owned(), value]
}

/// A line for each value, up to a maximum. Values must be safe. Only the first line has the name.
fn list(name: &str, values: impl ExactSizeIterator<Item = String>) -> Vec<Row> {
    let more = and_more(values.len());
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let listed = names.zip(values.take(MAX_LISTED));
    let mut rows: Vec<Row> = listed.map(|(name, value)| row(name, value)).collect();
    if rows.is_empty() {
        rows.push(row(name, "none".to_owned()));
    }
    rows.extend(more.map(|more| row("", more)));
    rows
}

fn cells(names: &[String]) -> impl ExactSizeIterator<Item = String> {
    names.iter().map(|name| cell(name))
}

/// How many entries of a list of this length are left out, as text.
fn and_more(length: usize) -> Option<String> {
    let left = length.saturating_sub(MAX_LISTED);
    (left > 0).then(|| format!("and {left} more (--format json)"))
}

fn manifest_rows(manifest: &Manifest) -> Vec<Row> {
    let mut rows = vec![
        row("name", cell(&manifest.name)),
        row("version", version(manifest)),
        row("kind", manifest.kind.name().to_owned()),
        row("target", target(manifest)),
        row("CPU features", cpu_features(manifest)),
        row("engine", engine(manifest)),
        row("validity", validity(manifest)),
        row("input", bytes(&manifest.source.input)),
        row("optimized", bytes(&manifest.source.optimized)),
        row("image", format!("{} bytes", manifest.image.length)),
        row("  sha256", manifest.image.sha256.to_string()),
        row("  fs-verity", manifest.image.fsverity.to_string()),
        row("resources", resources(manifest)),
    ];
    rows.extend(list("Wasm features", cells(&manifest.wasm_features)));
    rows.extend(list("imports", cells(&manifest.capabilities.imports)));
    rows.extend(export_rows(&manifest.capabilities.exports));
    rows.extend(list("built by", builders(manifest).into_iter()));
    if let Some(extensions) = &manifest.extensions {
        // The value is JSON, which doubles the backslashes of a text.
        let shown = extensions.iter();
        let shown =
            shown.map(|(name, value)| format!("{}: {}", word(name), passed_on(&value.to_string())));
        rows.extend(list("extensions", shown.collect::<Vec<_>>().into_iter()));
    }
    rows
}

fn export_rows(exports: &Exports) -> Vec<Row> {
    match exports {
        Exports::Listed(names) => list("exports", cells(names)),
        Exports::SummedUp(sum) => {
            let counted = format!("{}, not listed (--exports lists them)", sum.count);
            let list = format!("a list of {} bytes, sha256 {}", sum.length, sum.sha256);
            vec![row("exports", counted), row("", list)]
        }
    }
}

/// edgec itself, and each stage with its tool and settings.
pub(crate) fn builders(manifest: &Manifest) -> Vec<String> {
    let stages = manifest.builder.stages.iter().map(|stage| {
        let settings = stage.settings.iter().take(MAX_LISTED);
        let settings = settings.map(|(key, value)| format!(" {}={}", word(key), word(value)));
        let more = and_more(stage.settings.len()).map(|more| format!(" {more}"));
        format!(
            "{}: {} {}{}",
            word(&stage.name),
            word(&stage.tool),
            word(&stage.version),
            settings.chain(more).collect::<String>()
        )
    });
    let edgec = format!("edgec {}", word(&manifest.builder.edgec));
    std::iter::once(edgec).chain(stages).collect()
}

fn section_rows(report: &Report) -> Vec<Row> {
    let title = ["SECTION", "OFFSET", "SIZE", ""].map(str::to_owned);
    let mut rows = vec![title.to_vec()];
    rows.extend(report.sections.iter().map(|section| {
        vec![
            cell(&section.name),
            format!("{:#x}", section.offset),
            section.size.to_string(),
            size(section.size),
        ]
    }));
    rows.push(vec![
        "(envelope)".to_owned(),
        String::new(),
        report.envelope_length.to_string(),
        size(report.envelope_length),
    ]);
    rows
}

fn signature_rows(signatures: &[SignatureReport]) -> Vec<Row> {
    let title = row("SIGNATURE", "KEY ID (a hint; not verified)".to_owned());
    let signatures = signatures.iter().enumerate();
    let rows =
        signatures.map(|(number, signature)| row(&number.to_string(), signature.key_id.clone()));
    std::iter::once(title).chain(rows).collect()
}

pub(crate) fn version(manifest: &Manifest) -> String {
    let mut text = manifest.version.to_string();
    if let Some(display) = &manifest.display_version {
        text.push_str(&format!(" ({})", word(display)));
    }
    if let Some(channel) = &manifest.channel {
        text.push_str(&format!(", channel {}", word(channel)));
    }
    text
}

pub(crate) fn bytes(described: &edgec_artifact::Bytes) -> String {
    format!("{} bytes, sha256 {}", described.length, described.sha256)
}

pub(crate) fn resources(manifest: &Manifest) -> String {
    let resources = &manifest.resources;
    let total = |ranges: &[edgec_artifact::LimitRange]| {
        ranges
            .iter()
            .fold(0u64, |sum, range| sum.saturating_add(range.minimum))
    };
    let count = |number: usize, noun| render::count(number, noun);
    let instances = usize::try_from(resources.core_instances).unwrap_or(usize::MAX);
    format!(
        "{}, {} from {}, {} from {} elements{}",
        count(instances, "core instance"),
        match resources.memories.len() {
            1 => "1 memory".to_owned(),
            n => format!("{n} memories"),
        },
        size(total(&resources.memories)),
        count(resources.tables.len(), "table"),
        total(&resources.tables),
        if resources.complete {
            ""
        } else {
            ", and what is imported"
        }
    )
}

pub(crate) fn engine(manifest: &Manifest) -> String {
    let engine = &manifest.engine;
    format!(
        "{} {}, profile {}",
        word(&engine.name),
        word(&engine.version),
        word(&engine.profile)
    )
}

pub(crate) fn target(manifest: &Manifest) -> String {
    let target = &manifest.target;
    format!(
        "{} ({}, {})",
        word(&target.id),
        word(&target.triple),
        word(&target.level)
    )
}

pub(crate) fn cpu_features(manifest: &Manifest) -> String {
    let features = &manifest.target.cpu_features;
    if features.is_empty() {
        return "none beyond the base architecture".to_owned();
    }
    let listed = features.iter().take(MAX_LISTED).map(|name| word(name));
    let listed: Vec<String> = listed.chain(and_more(features.len())).collect();
    listed.join(", ")
}

pub(crate) fn validity(manifest: &Manifest) -> String {
    let Some(validity) = manifest.validity else {
        return "no limits stated".to_owned();
    };
    [
        ("issued", validity.issued),
        ("from", validity.not_before),
        ("until", validity.expires),
    ]
    .into_iter()
    .filter_map(|(word, at)| Some(format!("{word} {}", at?)))
    .collect::<Vec<_>>()
    .join(", ")
}
