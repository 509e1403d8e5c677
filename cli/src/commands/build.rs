//! `edgec build`: from an input to signed artifacts, one for each target.
//!
//! The pipeline once, then for each target: compile, package, sign, verify. Targets that allow the same CPU
//! features share the code. The artifacts of one input are written when all of them exist.

mod audit;
mod plan;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use edgec_artifact::Manifest;
use edgec_packager::{SignedArtifact, UnsignedArtifact};
use edgec_targets::Target;

pub(crate) use self::plan::Arguments;
use self::plan::Plan;
use self::report::{ArtifactReport, InputReport, Summary};
use crate::cold_start::ColdStart;
use crate::failure::{Exit, Failure, code};
use crate::files::{self, Access};
use crate::naming::{self, Job};
use crate::panics::guarded;
use crate::pipeline::{Compiled, debug_file, manifest};
use crate::progress::Progress;
use crate::render::out;
use crate::render::{self, Format};
use crate::trust::self_check;
use crate::{Outcome, signals};

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let quiet = arguments.quiet;
    let plan = Plan::new(arguments)?;
    if let Some(fleet) = plan
        .fleet
        .as_ref()
        .filter(|_| format == Format::Text && !quiet)
    {
        out!("{}", fleet.text());
    }
    let mut summary = Summary::new(&plan.signer, plan.fleet.as_ref());
    let mut worst: Option<Exit> = None;
    let progress = Progress::new(quiet);
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
                failure.tell(format);
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

fn build(job: &Job, plan: &Plan, progress: &Progress) -> Result<InputReport, Failure> {
    let recipe = &plan.recipe;
    let targets = || job.outputs.iter().map(|(target, _)| *target);
    // The last one is to package and sign.
    progress.begin(&job.name, recipe.steps(targets()) + 1);
    let prepared = recipe.prepare(files::read(&job.input)?, progress)?;
    plan.check_kept(&prepared)?;
    let memory = recipe.compiler.worker.memory;
    let cold_start = ColdStart::of_program(&prepared.optimized.component, memory);
    let (prepared, names) = prepared.take_names();

    let told = |target: &Target| progress.compiling(target);
    let compiled = recipe.compile(&prepared, &names, targets(), told)?;
    // A program that signs may write to the terminal itself.
    match plan.signer.may_speak() {
        true => progress.clear(),
        false => progress.step("packaging and signing"),
    }

    // Kept in memory until all of them exist: whoever stops a build finds nothing new.
    let mut written = Vec::new();
    let mut artifacts = Vec::new();
    for (target, path) in &job.outputs {
        let mut same = compiled.iter().filter_map(|it| it.for_target(target));
        let Compiled { image, debug, time } = same.next().ok_or_else(|| {
            let message = format!("nothing was compiled for {}", target.id);
            Failure::new(Exit::Rejected, "internal", message)
        })?;
        let manifest = manifest(&plan.release, &job.name, recipe, &prepared, &image);
        let begin = Instant::now();
        let bytes = image.into_bytes();
        let debug_file = match plan.debug_file {
            true => Some((naming::debug_file(path)?, debug_file(debug, &bytes)?)),
            false => None,
        };
        let (signed, manifest) = package(bytes, manifest, plan)?;
        if let Some(fleet) = &plan.fleet {
            fleet.check(&manifest)?;
        }
        artifacts.push(ArtifactReport::new(
            target,
            path,
            &signed,
            debug_file.as_ref().map(|(path, _)| path.as_path()),
            time,
            begin.elapsed(),
        ));
        written.push((path.clone(), signed.into_bytes()));
        written.extend(debug_file);
    }
    write(&written)?;
    Ok(InputReport::new(
        job,
        recipe.level,
        prepared,
        cold_start,
        artifacts,
    ))
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
    manifest: impl FnOnce(edgec_artifact::Image) -> Manifest,
    plan: &Plan,
) -> Result<(SignedArtifact, Manifest), Failure> {
    let unsigned = UnsignedArtifact::new(image, manifest);
    let signed = plan.signer.attach(unsigned, Vec::new())?;
    let manifest = self_check(signed.as_bytes(), &plan.signer.public())?;
    if plan.self_audit {
        audit::check(signed.as_bytes(), &manifest)?;
    }
    Ok((signed, manifest))
}
