//! `edgec push`: sends artifacts to a registry, or to a folder in the same form.

mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_registry::{Attached, Layout, Push, PushArtifact, PushBase, PushError, Reference};

use self::report::Report;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::failures::registry::{push_failure, reference_failure};
use crate::naming;
use crate::number::number;
use crate::progress::Progress;
use crate::registry::{RegistryArguments, reference};
use crate::render::Format;
use crate::{Outcome, files, time};

/// Push artifacts to an OCI registry (docs/registries.md)
///
/// One tag has the portable program and the native image of every CPU. The artifacts must be of one
/// application, channel and version. Signatures are not verified: hosts do that. The tag moves
/// last. The same files give the same digests, if the differences have the same bases. Credentials
/// come from the configuration of Docker or Podman. Exit codes: 0 done; 1 the artifacts do not
/// belong together, or an answer of the registry is wrong; 2 usage; 3 the registry cannot be
/// reached, or a file cannot be read.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to: REGISTRY/REPOSITORY:TAG, or oci-layout:DIR:TAG for a folder
    #[arg(value_name = "REF")]
    reference: String,
    /// The artifacts, one for each target and engine profile
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// The portable program from which the artifacts were built, for Wasm tools and other CPUs
    #[arg(long, value_name = "FILE", help_heading = "Content")]
    component: Option<PathBuf>,
    /// The release that lists the artifacts
    #[arg(long, value_name = "FILE", help_heading = "Content")]
    release: Option<PathBuf>,
    /// The timestamp of the release
    #[arg(
        long,
        value_name = "FILE",
        requires = "release",
        help_heading = "Content"
    )]
    timestamp: Option<PathBuf>,
    /// The provenance of an artifact; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Content")]
    provenance: Vec<PathBuf>,
    /// A bill of materials of the program (CycloneDX or SPDX, JSON); repeatable
    #[arg(long, value_name = "FILE", help_heading = "Content")]
    sbom: Vec<PathBuf>,
    /// A proof of a transparency log about an artifact; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Content")]
    bundle: Vec<PathBuf>,
    /// The statement of a notary that has rebuilt an artifact; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Content")]
    notary: Vec<PathBuf>,
    /// An artifact, or a reference, whose images hosts may have: they then fetch only the
    /// difference; repeatable. The images that the tag names now are always such
    #[arg(long = "base", value_name = "FILE|REF", help_heading = "Differences")]
    bases: Vec<String>,
    /// Make no difference against the images that the tag names now
    #[arg(long, help_heading = "Differences")]
    no_differences: bool,
    /// Also push the debug file beside each artifact (NAME.TARGET.debug)
    #[arg(long, help_heading = "Content")]
    debug: bool,
    /// What the tag names: `index`, or `split` for clients that refuse an index. Then the tag names
    /// the portable program, and TAG.edgec the index
    #[arg(long, value_enum, default_value = "index", help_heading = "Registry")]
    layout: LayoutArgument,
    #[command(flatten, next_help_heading = "Registry")]
    registry: RegistryArguments,
    /// How many artifacts are compressed and sent at a time [default: 4]
    #[arg(long, value_name = "NUMBER", value_parser = number(1..=64, CONCURRENCY), help_heading = "Registry")]
    concurrency: Option<u64>,
    /// Write to a folder instead, under the tag of REF: oci-layout:DIR
    #[arg(long, value_name = "REF", help_heading = "Output")]
    output: Option<String>,
    /// Print no progress
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

/// What `--concurrency` takes.
const CONCURRENCY: &str = "write how many artifacts are sent at a time";

#[derive(Clone, Copy, clap::ValueEnum)]
enum LayoutArgument {
    /// The index, which lists the portable program first
    Index,
    /// The portable program alone; TAG.edgec is the index
    Split,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let reference = target(arguments)?;
    let push = gathered(arguments, reference)?;
    let session = arguments.registry.session()?;
    let progress = Progress::new(arguments.quiet);
    let steps = progress.begin(&push.reference.to_string(), 0);
    let pushed = session.push(&push, &steps);
    drop(steps);
    let pushed = pushed.map_err(|error| {
        let failure = push_failure(&error);
        match (&error, &arguments.component) {
            (PushError::NotWasm { .. } | PushError::OtherProgram { .. }, Some(path)) => {
                failure.or_in_file(path)
            }
            _ => failure.or_about(&push.reference),
        }
    })?;
    let report = Report::new(&push, pushed);
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

/// Where the artifacts are sent to.
fn target(arguments: &Arguments) -> Result<Reference, Failure> {
    let named = reference(&arguments.reference)?;
    let Some(output) = &arguments.output else {
        return Ok(named);
    };
    let folder = reference(output)?;
    if folder.folder().is_none() {
        let message = "--output takes a folder";
        return Err(Failure::usage("output", message)
            .about(output)
            .hint("write --output oci-layout:DIR; a registry is named in front"));
    }
    match (folder.tag(), named.tag_to_write()) {
        (None, Some(tag)) if folder.digest().is_none() => folder
            .with_tag(tag)
            .map_err(|error| reference_failure(&error).about(output)),
        _ => Ok(folder),
    }
}

/// Reads everything that is pushed.
fn gathered(arguments: &Arguments, reference: Reference) -> Result<Push, Failure> {
    let lists = [
        &arguments.artifacts,
        &arguments.provenance,
        &arguments.sbom,
        &arguments.bundle,
        &arguments.notary,
    ];
    let single = [
        &arguments.component,
        &arguments.release,
        &arguments.timestamp,
    ];
    let read: Vec<PathBuf> = lists.into_iter().flatten().cloned().collect();
    let single = single.into_iter().flatten().cloned();
    files::refuse_stdin_twice(&read.into_iter().chain(single).collect::<Vec<_>>())?;
    let artifacts = arguments.artifacts.iter();
    let artifacts = artifacts.map(|path| artifact(path, arguments.debug));
    let mut push = Push::new(reference, artifacts.collect::<Result<_, _>>()?);
    push.component = optional(&arguments.component, files::read)?;
    push.release = optional(&arguments.release, files::read_attestation)?;
    push.timestamp = optional(&arguments.timestamp, files::read_attestation)?;
    for (paths, kind, wanted) in [
        (&arguments.provenance, Kind::Provenance, "a provenance"),
        (&arguments.sbom, Kind::Sbom, "a bill of materials"),
        (&arguments.bundle, Kind::LogProof, "a proof of a log"),
        (&arguments.notary, Kind::Rebuild, "a notary's statement"),
    ] {
        for path in paths {
            let attached = kind.read(path, wanted)?;
            push.attached.push((path.display().to_string(), attached));
        }
    }
    push.layout = match arguments.layout {
        LayoutArgument::Index => Layout::Index,
        LayoutArgument::Split => Layout::Split,
    };
    push.created = time::source_date()?;
    push.differences = !arguments.no_differences;
    let bases = arguments.bases.iter().map(|text| base(text));
    push.bases = bases.collect::<Result<_, _>>()?;
    if let Some(concurrency) = arguments.concurrency {
        push.concurrency = usize::try_from(concurrency).unwrap_or(1);
    }
    Ok(push)
}

fn artifact(path: &Path, with_debug: bool) -> Result<PushArtifact, Failure> {
    let bytes = files::read_artifact(path).map_err(|failure| failure.or_in_file(path))?;
    let mut artifact = PushArtifact::new(path.display().to_string(), bytes);
    if with_debug {
        artifact.debug = Some(files::read(&naming::debug_file(path)?)?);
    }
    Ok(artifact)
}

/// A file if there is one with this name, and otherwise a reference.
fn base(text: &str) -> Result<PushBase, Failure> {
    let path = Path::new(text);
    if path.is_file() || path.extension().is_some_and(|it| it == "cwasm") {
        return artifact(path, false).map(PushBase::Artifact);
    }
    reference(text).map(PushBase::Reference)
}

fn optional(
    path: &Option<PathBuf>,
    read: impl Fn(&Path) -> Result<Vec<u8>, Failure>,
) -> Result<Option<Vec<u8>>, Failure> {
    path.as_deref().map(read).transpose()
}

/// The kinds of files that travel with artifacts.
#[derive(Clone, Copy)]
enum Kind {
    Provenance,
    Sbom,
    LogProof,
    Rebuild,
}

impl Kind {
    fn read(self, path: &Path, wanted: &str) -> Result<Attached, Failure> {
        let attached = match self {
            Self::Provenance => Attached::provenance(files::read_attestation(path)?),
            Self::Sbom => Attached::sbom(files::read_sbom(path)?),
            Self::LogProof => Attached::log_proof(files::read_short(path)?),
            Self::Rebuild => Attached::rebuild(files::read_attestation(path)?),
        };
        attached.map_err(|what| {
            let message = format!("it is not {wanted}: {what}");
            Failure::new(Exit::Rejected, "push-attached", message).in_file(path)
        })
    }
}
