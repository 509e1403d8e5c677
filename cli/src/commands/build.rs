//! `edgec build`: from an input to signed artifacts, one for each target.
//!
//! validate, initialize on request, optimize, order, then for each target precompile, strip, trim, package, sign,
//! verify. The artifacts of one input are written when all of them exist.

mod failures;
mod init;
mod manifest;
mod plan;
mod progress;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use edgec_compiler::{DebugInfo, EngineProfile, Optimized};
use edgec_packager::{SignedArtifact, UnsignedArtifact};

use self::failures::{defect, precompile_failure};
pub(crate) use self::plan::Arguments;
use self::plan::Plan;
use self::progress::Progress;
use self::report::{ArtifactReport, InputReport, Summary};
use crate::cold_start::ColdStart;
use crate::commands::validate::{adapt_failure, input_failure};
use crate::failure::{Exit, Failure, code};
use crate::files::{self, Access};
use crate::naming::{self, Job};
use crate::render::out;
use crate::render::{self, Format};
use crate::trust::self_check;
use crate::{Outcome, signals};

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let quiet = arguments.quiet;
    let plan = Plan::new(arguments)?;
    let mut summary = Summary::new(&plan.signer);
    let mut worst: Option<Exit> = None;
    let progress = Progress::new(quiet || format == Format::Json);
    for job in &plan.jobs {
        let input = render::path(&job.input);
        let result = guarded(|| build(job, &plan, &progress));
        progress.clear();
        let report = match result {
            Ok(report) => {
                report.print_warnings();
                if format == Format::Text && !quiet {
                    report.print_notes();
                    out!("{}", report.text());
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                let failure = failure.or_about(&input);
                if format == Format::Text {
                    failure.print();
                }
                InputReport::failed(input, failure)
            }
        };
        summary.inputs.push(report);
    }
    match format {
        Format::Json => render::json(&summary),
        Format::Text if !quiet => out!("{}", summary.closing()),
        Format::Text => {}
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

/// Runs the work on one input. A panic in a tool below is this input's failure, not the end
/// of the run.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = "a tool gave up on this input; nothing was written";
        Err(Failure::new(Exit::Rejected, "internal", message)
            .hint("this is a defect: please report it with the input"))
    })
}

fn build(job: &Job, plan: &Plan, progress: &Progress) -> Result<InputReport, Failure> {
    let begin = Instant::now();
    let bytes = files::read(&job.input)?;
    let input = edgec_compiler::read(&bytes).map_err(|error| input_failure(&error))?;
    let from_text = input.is_from_text();
    let adapted = edgec_compiler::adapt(input, plan.kind).map_err(|error| adapt_failure(&error))?;
    let kind = adapted.component.kind();
    let validated = begin.elapsed();

    let before = adapted.component.bytes().len();
    let (component, initialized) = match &plan.init {
        Some(init) => {
            progress.initializing(&job.name, &init.function);
            let (component, done) = init.run(&adapted.component)?;
            (component, Some(done))
        }
        None => (adapted.component, None),
    };

    let begin = Instant::now();
    let mut optimized =
        edgec_compiler::optimize(component, plan.level, &plan.optimizer, |number, length| {
            progress.optimizing(&job.name, number, length);
        });
    if plan.profile == EngineProfile::Edge {
        optimized.component = edgec_compiler::order(optimized.component);
    }
    let optimizing = begin.elapsed();
    let cold_start = ColdStart::of_program(&optimized.component, plan.compiler.worker.memory);
    let names;
    (optimized.component, names) = edgec_compiler::take_names(optimized.component);

    // Kept in memory until all of them exist: whoever stops a build finds nothing new.
    let mut written = Vec::new();
    let mut artifacts = Vec::new();
    for (target, path) in &job.outputs {
        let begin = Instant::now();
        progress.compiling(&job.name, target);
        let image = plan
            .compiler
            .precompile(&optimized.component, target, plan.profile);
        let mut image = image.map_err(|error| precompile_failure(&error))?;
        let debug = image.strip(&names).map_err(|error| defect(&error))?;
        image.trim().map_err(|error| defect(&error))?;
        let compiling = begin.elapsed();
        let facts = manifest::Facts {
            release: &plan.release,
            name: &job.name,
            input: &bytes,
            from_text,
            adapter: adapted.adapter,
            init: initialized.as_ref(),
            level: plan.level,
            optimizer: &plan.optimizer,
            optimized: &optimized,
            profile: plan.profile,
        };
        let manifest = facts.manifest(&image);
        let begin = Instant::now();
        let image = image.into_bytes();
        let debug = match plan.debug_file {
            true => Some((naming::debug_file(path)?, debug_file(debug, &image)?)),
            false => None,
        };
        let signed = package(image, manifest, plan)?;
        artifacts.push(ArtifactReport::new(
            target,
            path,
            &signed,
            debug.as_ref().map(|(path, _)| path.as_path()),
            compiling,
            begin.elapsed(),
        ));
        written.push((path.clone(), signed.into_bytes()));
        written.extend(debug);
    }
    write(&written)?;
    Ok(InputReport::new(
        job,
        kind,
        adapted.adapter,
        report::Work {
            input: bytes.len(),
            before,
            initialized,
            level: plan.level,
            validated,
            optimizing,
        },
        &optimized,
        cold_start,
        artifacts,
    ))
}

/// The debug file of an image, under the digest by which the image is known.
fn debug_file(mut debug: DebugInfo<'_>, image: &[u8]) -> Result<Vec<u8>, Failure> {
    let build_id = edgec_artifact::verity::digest(image).0;
    let placed = debug.place(image, build_id);
    placed.map_err(|error| defect(&error))?;
    Ok(debug.write())
}

/// All of them, or none.
fn write(files: &[(PathBuf, Vec<u8>)]) -> Result<(), Failure> {
    signals::uninterrupted(|| {
        let mut staged = Vec::new();
        for (path, bytes) in files {
            if let Some(folder) = path.parent() {
                files::create_folder(folder)?;
            }
            staged.push(files::stage(path, bytes, Access::Public)?);
        }
        staged.into_iter().try_for_each(files::Staged::commit)
    })
}

/// Packages, signs, and checks the result as a host would.
fn package(
    image: Vec<u8>,
    manifest: impl FnOnce(edgec_artifact::Image) -> edgec_artifact::Manifest,
    plan: &Plan,
) -> Result<SignedArtifact, Failure> {
    let unsigned = UnsignedArtifact::new(image, manifest);
    let signed = plan.signer.attach(unsigned, Vec::new())?;
    self_check(signed.as_bytes(), &plan.signer.public())?;
    Ok(signed)
}

/// The modules that the optimizer left as they were, for warnings and manifests.
fn kept(optimized: &Optimized) -> impl Iterator<Item = (usize, &edgec_compiler::Failure)> {
    use edgec_compiler::ModuleOutcome;
    optimized
        .modules
        .iter()
        .enumerate()
        .filter_map(|(number, module)| match &module.outcome {
            ModuleOutcome::Kept(failure) => Some((number, failure)),
            ModuleOutcome::Optimized { .. } => None,
        })
}
