//! `edgec build`: from an input to signed artifacts, one for each target.
//!
//! The pipeline once, then for each target: compile, package, sign, verify. Targets that allow the
//! same CPU features share the code. The artifacts of one input are written when all of them exist.
//!
//! All inputs are compiled before the key is read, and the key is overwritten when all artifacts
//! are signed. So no key is in this process while it works on programs that are not trusted, or
//! looks at their code.

mod concerns;
mod plan;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use edgec_builder::{BuiltArtifact, Clock, Signed, Unsigned, at_once};

pub(crate) use self::plan::Arguments;
use self::plan::Plan;
use self::report::{ArtifactReport, InputReport, Summary};
use crate::failure::{Exit, Failure, code};
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders};
use crate::naming::{self, Job};
use crate::panics::guarded;
use crate::progress::Progress;
use crate::render::out;
use crate::render::{self, Format};
use crate::signer::Signer;
use crate::{Outcome, signals, workers};

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let (quiet, verbose) = (arguments.quiet, arguments.verbose);
    let (plan, signer) = Plan::new(arguments)?;
    if let Some(fleet) = plan
        .fleet
        .as_ref()
        .filter(|_| format == Format::Text && !quiet)
    {
        out!("{}", fleet.text());
    }
    let confinement = verbose.then(workers::confinement);
    if let Some(confinement) = confinement.as_ref().filter(|_| format == Format::Text) {
        out!("{confinement}\n");
    }
    let progress = Progress::new(quiet);
    let compiled = plan.jobs.iter().map(|job| {
        let compiled = attempt(job, format, &progress, || compile(job, &plan, &progress));
        (job, compiled)
    });
    let compiled: Vec<(&Job, Result<Done<Unsigned>, Failure>)> = compiled.collect();
    let signer = match compiled.iter().any(|(_, compiled)| compiled.is_ok()) {
        true => Some(signer.open()?),
        // There is nothing to sign.
        false => None,
    };
    let mut summary = Summary::new(signer.as_ref(), plan.fleet.as_ref(), confinement);
    let signed = compiled.into_iter().filter_map(|(job, compiled)| {
        let signed = match (compiled, &signer) {
            (Ok(unsigned), Some(signer)) => {
                attempt(job, format, &progress, || sign_all(signer, unsigned))
            }
            // Where anything was compiled, there is a signer.
            (Ok(_), None) => return None,
            (Err(failure), _) => Err(failure),
        };
        Some((job, signed))
    });
    let signed: Vec<(&Job, Result<Done<Signed>, Failure>)> = signed.collect();
    // The key is overwritten.
    drop(signer);
    let mut worst: Option<Exit> = None;
    for (job, signed) in signed {
        let written = signed.and_then(|signed| {
            attempt(job, format, &progress, || {
                check_and_write(job, &plan, signed, &progress)
            })
        });
        let report = match written {
            Ok(report) => {
                report.print_warnings();
                if format == Format::Text && !quiet {
                    out!("{}", report.text());
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                InputReport::failed(render::path(&job.input), failure)
            }
        };
        summary.inputs.push(report);
    }
    match format {
        Format::Json => render::json(&summary),
        Format::Text if !quiet => {
            out!("{}", summary.closing());
            // Behind all results, also where both streams go to one place.
            summary.inputs.iter().for_each(InputReport::print_notes);
        }
        Format::Text => {}
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

/// Does a part of the work on one input. A failure is this input's, and is told at once.
fn attempt<T>(
    job: &Job,
    format: Format,
    progress: &Progress,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let result = guarded(work);
    progress.clear();
    result.map_err(|failure| {
        let failure = failure.or_about_safe(render::path(&job.input));
        failure.tell(format);
        failure
    })
}

/// The number of steps, as [`Progress`] counts them. The last one is to check.
fn steps(plan: &Plan) -> usize {
    let targets = plan.build.targets.iter().copied();
    plan.build.recipe.steps(targets) + 1
}

/// What was done with one input up to here. Its artifacts stay in memory until all inputs are as
/// far.
struct Done<A> {
    artifacts: A,
    report: InputReport,
    /// How long reading the input took.
    reading: Duration,
}

/// From an input to artifacts without signatures.
fn compile(job: &Job, plan: &Plan, progress: &Progress) -> Result<Done<Unsigned>, Failure> {
    progress.begin(&job.name, steps(plan));
    let clock = Clock::start();
    let input = files::read(&job.input)?;
    let reading = clock.elapsed();
    let (program, artifacts) = plan.build.compile(&job.name, input, progress)?;
    Ok(Done {
        artifacts,
        report: InputReport::compiled(job, plan.build.recipe.level, program),
        reading,
    })
}

/// Signs one artifact after the other, since a signer may ask the user for something.
fn sign_all(signer: &Signer, unsigned: Done<Unsigned>) -> Result<Done<Signed>, Failure> {
    Ok(Done {
        artifacts: unsigned.artifacts.sign(signer)?,
        report: unsigned.report,
        reading: unsigned.reading,
    })
}

/// Writes the artifacts of an input if all of them pass the checks.
fn check_and_write(
    job: &Job,
    plan: &Plan,
    signed: Done<Signed>,
    progress: &Progress,
) -> Result<InputReport, Failure> {
    let Done {
        artifacts,
        report,
        reading,
    } = signed;
    progress.last(&job.name, steps(plan), "checking");
    let built = artifacts.check(&plan.build)?;
    let mut times = built.times;
    let (artifacts, files) = reported(job, built.artifacts)?;
    let clock = Clock::start();
    write(files)?;
    times.reading = reading;
    times.writing = clock.elapsed();
    times.total += times.reading + times.writing;
    Ok(report.written(artifacts, times))
}

/// A file that is complete in memory.
struct NewFile {
    path: PathBuf,
    bytes: Vec<u8>,
    kind: Wanted,
}

/// The report on each artifact, and the files to write.
fn reported(
    job: &Job,
    built: Vec<BuiltArtifact>,
) -> Result<(Vec<ArtifactReport>, Vec<NewFile>), Failure> {
    let (mut reports, mut files) = (Vec::new(), Vec::new());
    for ((_, path), artifact) in job.outputs.iter().zip(built) {
        let debug_path = match artifact.debug_file {
            Some(_) => Some(naming::debug_file(path)?),
            None => None,
        };
        reports.push(ArtifactReport::new(&artifact, path, debug_path.as_deref()));
        files.push(NewFile {
            path: path.clone(),
            bytes: artifact.bytes,
            kind: Wanted::Artifact,
        });
        let debug_file = debug_path.zip(artifact.debug_file);
        files.extend(debug_file.map(|(path, bytes)| NewFile {
            path,
            bytes,
            kind: Wanted::DebugFile,
        }));
    }
    Ok((reports, files))
}

/// Stages every file before the first one takes its place. If one cannot, every old file is where
/// it was, and the folders that were made are removed again.
fn write(files: Vec<NewFile>) -> Result<(), Failure> {
    signals::uninterrupted(|| {
        let mut folders = NewFolders::default();
        for file in &files {
            if let Some(folder) = file.path.parent() {
                files::make_folder(&mut folders, folder)?;
            }
        }
        // Most of the time goes to waiting for the disk.
        let staged = at_once(files, |file| {
            files::stage(&file.path, &file.bytes, file.kind)
        });
        files::commit_all(staged?)?;
        folders.keep();
        Ok(())
    })
}
