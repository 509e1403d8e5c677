//! `edgec diff`: shows the differences between two artifacts. It verifies neither.

mod capabilities;
pub(crate) mod functions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::elf::ElfImage;
use edgec_artifact::{Artifact, Exports, Manifest, Sha256Digest, Signature, Statement};
use edgec_builder::difference::{self, Differences, SectionDifference};
use edgec_compiler::Image;
use serde::Serialize;

use self::capabilities::Capabilities;
use self::functions::{Code, Functions};
use crate::Outcome;
use crate::differences::Difference;
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::{Wanted, explain};
use crate::number::{COUNT, number};
use crate::render::{self, Format, cell, count, safe, size};
use crate::{exports, files};

/// The maximum number of stages, settings, memories and tables together in a manifest that is
/// compared: an entry of twenty bytes in the manifest takes a thousand bytes in memory. A program
/// can have 10,000 instances; the largest known program has some dozens.
const MAX_ENTRIES: usize = 20_000;

/// Compare two artifacts: sizes by section and function, capabilities, settings; verifies neither
///
/// Functions have names if a debug file lies beside the artifact (`edgec build --debug-file`), else
/// numbers. Exit codes: 0 image, manifest and signatures are the same; 4 they differ; 1 a file is
/// not an artifact; 3 a file cannot be read. With --fail-on-new-imports: 1 the second imports what
/// the first does not; 0 it does not, whatever else differs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// An artifact; `-` is standard input
    a: PathBuf,
    /// The other artifact
    b: PathBuf,
    /// The debug file of the first [default: the one beside it, if it belongs to it]
    #[arg(long, value_name = "FILE")]
    debug_a: Option<PathBuf>,
    /// The debug file of the second
    #[arg(long, value_name = "FILE")]
    debug_b: Option<PathBuf>,
    /// How many functions to list (those that differ most in size first), and how many entries of
    /// one list
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = number(0..=u64::MAX, COUNT))]
    most: u64,
    /// End with an error if the second artifact imports something that the first does not
    #[arg(long)]
    fail_on_new_imports: bool,
    /// The output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    a: Side,
    b: Side,
    /// Always false: the document says so itself, so that no one takes it for a verdict.
    verified: bool,
    same: bool,
    /// The imports and exports that only one side has: what the program can do, and what a host can
    /// call.
    capabilities: Capabilities,
    /// The key ids whose signatures only one side has, or that have another signature.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Difference>,
    sections: Vec<SectionDifference>,
    functions: Functions,
    /// The differences between the manifests, up to the maximum of the list.
    manifest: Vec<Difference>,
    /// How many more differences there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_more: Option<usize>,
    /// Why exports could not be compared by name, if a manifest has only their digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    exports_unknown: Option<String>,
    /// The new imports, if the user refuses them.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Side {
    pub(crate) artifact: String,
    pub(crate) name: String,
    pub(crate) version: u64,
    kind: &'static str,
    pub(crate) target: String,
    profile: String,
    image_bytes: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let debug = arguments.debug_a.iter().chain(&arguments.debug_b);
    let read = [&arguments.a, &arguments.b].into_iter().chain(debug);
    files::refuse_stdin_twice(&read.cloned().collect::<Vec<PathBuf>>())?;
    let (file_a, file_b) = (
        files::read_artifact(&arguments.a)?,
        files::read_artifact(&arguments.b)?,
    );
    let a = Opened::new(&arguments.a, &file_a, arguments.debug_a.as_deref())?;
    let b = Opened::new(&arguments.b, &file_b, arguments.debug_b.as_deref())?;
    let sections = difference::of_sections(&a.image, &b.image);
    let (in_manifests, exports_unknown) = in_manifests(&a, &b);
    let manifest_more = Some(in_manifests.more).filter(|more| *more > 0);
    let named = in_manifests.named.into_iter();
    let signatures = in_signatures(&a.signatures, &b.signatures);
    let capabilities = Capabilities::between(&a.manifest, &b.manifest);
    let refused = capabilities.refused(&b.side.artifact);
    let report = Report {
        same: a.manifest == b.manifest && a.bytes == b.bytes && signatures.is_empty(),
        error: refused.filter(|_| arguments.fail_on_new_imports),
        capabilities,
        signatures,
        sections,
        functions: Functions::compare(&a.code, &b.code),
        manifest: named.map(Difference::from).collect(),
        manifest_more,
        exports_unknown,
        a: a.side,
        b: b.side,
        verified: false,
    };
    let most = usize::try_from(arguments.most).unwrap_or(usize::MAX);
    let ok = match arguments.fail_on_new_imports {
        true => report.error.is_none(),
        false => report.same,
    };
    document::answer(ok, &report, arguments.format, |report| report.text(most));
    if let Some(failure) = &report.error {
        failure.tell(arguments.format);
        return Ok(code(Exit::Rejected));
    }
    Ok(match ok {
        true => ExitCode::SUCCESS,
        false => code(Exit::Different),
    })
}

/// The signatures that differ, by key id: whether each side has one, and whether it is the same.
fn in_signatures(a: &[Signature], b: &[Signature]) -> Vec<Difference> {
    let of = |side: &[Signature], id: &str| {
        let found = side.iter().find(|signature| signature.key_id() == id);
        found.map(|signature| Sha256Digest::of(signature.bytes()).to_string())
    };
    let mut ids: Vec<&str> = a.iter().chain(b).map(Signature::key_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let differing = ids.into_iter().filter(|id| of(a, id) != of(b, id));
    let difference = |id: &str| Difference {
        at: format!("signatures.{}", cell(id)),
        a: of(a, id),
        b: of(b, id),
    };
    differing.map(difference).collect()
}

/// The differences between the manifests. If one of them has only the digest of its exports, the
/// names come from the images. The second value says why the names could not be read.
pub(crate) fn in_manifests(a: &Opened<'_>, b: &Opened<'_>) -> (Differences, Option<String>) {
    let (of_a, of_b) = (
        &a.manifest.capabilities.exports,
        &b.manifest.capabilities.exports,
    );
    if of_a == of_b || of_a.names().is_some() && of_b.names().is_some() {
        return (difference::of_manifests(&a.manifest, &b.manifest), None);
    }
    let listed = |side: &Opened<'_>| -> Result<Manifest, Failure> {
        let names = exports::names(&side.manifest, &side.image);
        let names = names.map_err(|error| error.or_about_safe(&side.side.artifact))?;
        let mut manifest = side.manifest.clone();
        manifest.capabilities.exports = Exports::Listed(names.into_owned());
        Ok(manifest)
    };
    match (listed(a), listed(b)) {
        (Ok(a), Ok(b)) => (difference::of_manifests(&a, &b), None),
        (Err(error), _) | (_, Err(error)) => {
            let found = difference::of_manifests(&a.manifest, &b.manifest);
            (found, Some(safe(error.message())))
        }
    }
}

fn entries(manifest: &Manifest) -> usize {
    let stages = &manifest.builder.stages;
    let settings: usize = stages.iter().map(|stage| stage.settings.len()).sum();
    let resources = &manifest.resources;
    let limits = resources.memories.len() + resources.tables.len();
    stages.len() + settings + limits + manifest.engine.tunables.len()
}

/// An artifact and its parts.
pub(crate) struct Opened<'f> {
    pub(crate) side: Side,
    pub(crate) manifest: Manifest,
    signatures: Vec<Signature>,
    /// The bytes of the image.
    pub(crate) bytes: &'f [u8],
    pub(crate) image: Image<'f>,
    pub(crate) code: Code<'f>,
}

impl<'f> Opened<'f> {
    /// Reads an artifact whose bytes are `file`, and its debug file: the named one, else the one
    /// beside it, if that belongs to it.
    pub(crate) fn new(path: &Path, file: &'f [u8], debug: Option<&Path>) -> Result<Self, Failure> {
        let shown = render::path(path);
        let rejected =
            |code, error: &dyn std::error::Error| Failure::rejected(code, error).about_safe(&shown);
        let artifact = Artifact::decode(file)
            .map_err(|error| explain(rejected("layout", &error), file, Wanted::Artifact))?;
        let statement = Statement::decode(artifact.envelope().payload());
        let Statement { manifest } = statement.map_err(|error| rejected("statement", &error))?;
        let entries = entries(&manifest);
        if entries > MAX_ENTRIES {
            let message = format!(
                "its manifest has {entries} stages, settings, memories and tables, and at most {MAX_ENTRIES} can be \
                 compared"
            );
            let failure = Failure::new(Exit::Rejected, "statement", message).about_safe(&shown);
            return Err(failure.hint("`edgec inspect --format json` prints all of them"));
        }
        let bytes = artifact.image();
        // This is strict: no two sections share bytes. Shared bytes would be compared once for each
        // section.
        ElfImage::parse(bytes).map_err(|error| rejected("image", &error))?;
        let image = Image::parse(bytes).map_err(|error| rejected("image", &error))?;
        let code = Code::new(path, bytes, &image, &manifest, debug)?;
        Ok(Self {
            side: Side {
                artifact: shown,
                name: manifest.name.clone(),
                version: manifest.version,
                kind: manifest.kind.name(),
                target: manifest.target.id.clone(),
                profile: manifest.engine.profile.clone(),
                image_bytes: bytes.len() as u64,
            },
            manifest,
            signatures: artifact.envelope().signatures().to_vec(),
            bytes,
            image,
            code,
        })
    }
}

impl Report {
    fn text(&self, most: usize) -> String {
        let mut text = String::new();
        for (letter, side) in [("a", &self.a), ("b", &self.b)] {
            text.push_str(&format!(
                "{letter}: {}: {} version {} for {}, {}; not verified\n",
                side.artifact,
                cell(&side.name),
                side.version,
                cell(&side.target),
                cell(&side.profile)
            ));
        }
        if self.same {
            return text + "the same image, manifest and signatures\n";
        }
        text.push_str(&self.capabilities.text(most));
        if self.a.kind != self.b.kind {
            text.push_str(&format!(
                "the kind differs: a is a {}, b is a {}; their imports differ, and so does how a host loads them\n",
                self.a.kind, self.b.kind
            ));
        }
        let mut rows = vec![row("", "a", "b", "")];
        let image = (Some(self.a.image_bytes), Some(self.b.image_bytes));
        rows.push(sizes("image", image.0, image.1, ""));
        for section in &self.sections {
            let note = match (section.same, section.a == section.b) {
                (true, _) => "the same",
                (false, true) => "other bytes",
                (false, false) => "",
            };
            let name = format!("  {}", cell(&section.name));
            rows.push(sizes(&name, section.a, section.b, note));
        }
        text.push_str(&render::table(&rows));
        text.push_str(&self.functions.text(most));
        if !self.signatures.is_empty() {
            text.push_str("signatures (SHA-256)\n");
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let rows = self.signatures.iter();
            let rows = rows.map(|it| vec![format!("  {}", it.at), shown(&it.a), shown(&it.b)]);
            text.push_str(&render::table(&rows.collect::<Vec<_>>()));
        }
        if !self.manifest.is_empty() {
            text.push_str("manifest\n");
            let shown = |value: &Option<String>| value.as_deref().map_or("-".to_owned(), cell);
            let mut rows: Vec<Vec<String>> = Vec::new();
            for alike in self.manifest.chunk_by(|one, next| one.at == next.at) {
                rows.extend(alike.iter().take(most).map(|it| {
                    let at = format!("  {}", it.at);
                    vec![at, shown(&it.a), shown(&it.b)]
                }));
                if let more @ 1.. = alike.len().saturating_sub(most) {
                    let at = alike.first().map_or("", |it| &it.at);
                    let more = format!("and {more} more (--most)");
                    rows.push(vec![format!("  {at}"), more]);
                }
            }
            text.push_str(&render::table(&rows));
            if let Some(more) = self.manifest_more {
                let left = count(more, "more difference");
                text.push_str(&format!("  and {left}, which are not listed\n"));
            }
            if let Some(reason) = &self.exports_unknown {
                text.push_str(&format!("  which exports differ is not known: {reason}\n"));
            }
        }
        text
    }
}

fn row(name: &str, a: &str, b: &str, note: &str) -> Vec<String> {
    vec![name.to_owned(), a.to_owned(), b.to_owned(), note.to_owned()]
}

/// A row with two lengths and their difference.
fn sizes(name: &str, a: Option<u64>, b: Option<u64>, note: &str) -> Vec<String> {
    let shown = |bytes: Option<u64>| bytes.map_or("-".to_owned(), size);
    let note = match (a, b) {
        (Some(a), Some(b)) if a != b => change(a, b),
        _ => note.to_owned(),
    };
    row(name, &shown(a), &shown(b), &note)
}

/// `+1.20 KiB (+3.1%)`.
fn change(a: u64, b: u64) -> String {
    let sign = if b > a { '+' } else { '-' };
    let by = size(a.abs_diff(b));
    match a {
        0 => format!("{sign}{by}"),
        a => format!("{sign}{by} ({:+.1}%)", (b as f64 / a as f64 - 1.0) * 100.0),
    }
}
